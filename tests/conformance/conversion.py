"""Metadata, errors and limits of Penstock, as the messages of the suite hold them."""

import base64
from collections.abc import Iterable

from connectrpc.conformance.v1 import service_pb2
from google.protobuf.message import Message

import penstock

BINARY = "-bin"


def to_headers(metadata: penstock.Metadata) -> list[service_pb2.Header]:
    """Give each key once, with all its values; binary ones in base64 without padding."""
    return [service_pb2.Header(name=key, value=map(_text, metadata.get_all(key))) for key in metadata]


def to_metadata(headers: Iterable[service_pb2.Header]) -> penstock.Metadata:
    """Give the metadata some headers stand for."""
    metadata = penstock.Metadata()
    for header in headers:
        for value in header.value:
            metadata.add(header.name, _bytes(value) if header.name.lower().endswith(BINARY) else value)
    return metadata


def to_error(error: penstock.RpcError) -> service_pb2.Error:
    """Describe how a call ended."""
    return service_pb2.Error(code=int(error.code), message=error.message, details=error.details)


def from_error(error: service_pb2.Error, *more: Message) -> penstock.RpcError:
    """Give what a handler is to raise, with more details behind those it has."""
    return penstock.RpcError(penstock.StatusCode(error.code), error.message, details=[*error.details, *more])


def to_limits(message_bytes: int) -> penstock.Limits:
    """Give the limits for messages of at most this size; 0: of any size."""
    return penstock.Limits(max_receive_message_bytes=message_bytes or 2**32 - 1)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else base64.b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
