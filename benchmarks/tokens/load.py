"""What the programs of all servers and clients agree on: the token, its forms on the wire, what is measured."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from examples.tokens.tokens_pb2 import Piece, Prompt

__all__ = ["EVENT", "FRAME", "JSON", "METHOD", "PIECE", "PROMPT", "TEXT", "Sample", "piece"]

TEXT = "token "
"""Each of them: 6 bytes."""

METHOD = "/penstock.examples.tokens.Model/Generate"

WHOLE = 2**32 - 1
"""Tokens of an answer that is never over."""


def piece() -> Piece:
    """Make the message of one token, as a server does for each."""
    return Piece(text=TEXT, tokens=1)


def text_form() -> str:
    """Make the JSON of one token, as a server that speaks no gRPC does for each."""
    return json.dumps({"text": TEXT, "tokens": 1})


PROMPT = Prompt(text="hello", max_tokens=WHOLE).SerializeToString()
PIECE = piece().SerializeToString()
JSON = text_form().encode()
EVENT = b"data: " + JSON + b"\n\n"
"""A server-sent event."""
FRAME = bytes([0x81, len(JSON)]) + JSON
"""A WebSocket frame of text, unmasked, as servers send. Source: RFC 6455 section 5.2."""


@dataclass(frozen=True)
class Sample:
    """What a client measured."""

    seconds: float
    tokens: int
    """Delivered to all streams together in these seconds."""
    gap_us: Mapping[str, float]
    """Between two tokens of a stream, of a sample of the streams: p50, p99. Of tokens that were read together all but
    the first have a gap of 0."""
    first_token_us: Mapping[str, float]
    """From a request to its first token, of callers that come one after another, among the streams: p50, p90."""
    server_cpu_seconds: float
    client_cpu_seconds: float
    server_rss_bytes: int

    @property
    def rate(self) -> float:
        """Tokens in a second."""
        return self.tokens / self.seconds

    @property
    def cpu_us(self) -> float:
        """Of the server, for each token."""
        return self.server_cpu_seconds / self.tokens * 1e6 if self.tokens else float("inf")
