"""A server that sends by steps: one `send_each` for all callers, and no task wakes for a token.

The handler of a call waits for its end. A client that leaves cancels it, before the first token and at any other time,
and the model makes no more tokens for it.
"""

import asyncio

import penstock
from examples.tokens.model import Generation, Model
from examples.tokens.pieces import ClientStream, beating, join
from examples.tokens.tokens_pb2 import Piece, Prompt
from examples.tokens.tokens_penstock import ModelBase

__all__ = ["ByStep"]


class Caller:
    """Who waits for an answer."""

    def __init__(self, stream: ClientStream) -> None:
        self.stream = stream
        self.has_begun = asyncio.Event()
        self.is_over = asyncio.Event()
        self.unsent: Piece | None = None
        """What there was no room for: the next token goes into it."""


class ByStep(ModelBase):
    """Sends what a step made, all of it at once. `run` it beside the server."""

    def __init__(self, model: Model, heartbeat_seconds: float) -> None:
        self._model = model
        self._heartbeat_seconds = heartbeat_seconds
        self._callers: dict[Generation, Caller] = {}

    async def generate(self, request: Prompt, stream: ClientStream) -> None:
        """Answer one call."""
        generation = self._model.begin(request.text, request.max_tokens)
        caller = self._callers[generation] = Caller(stream)
        try:
            if not generation.is_over:
                await beating(stream, self._heartbeat_seconds, caller.has_begun.wait)
                await caller.is_over.wait()
            if caller.unsent is not None:
                await stream.send(caller.unsent)
        finally:
            self._model.drop(generation)
            del self._callers[generation]

    async def run(self) -> None:
        """Let the model work, for ever."""
        while True:
            self._deliver(await self._model.step())

    def _deliver(self, tokens: list[tuple[Generation, str]]) -> None:
        pieces = []
        for generation, text in tokens:
            caller = self._callers[generation]
            piece = Piece(text=text, tokens=1)
            pieces.append((caller, piece if caller.unsent is None else join(caller.unsent, piece)))
            caller.has_begun.set()
        # Whoever has no room, because the client is slow, gets this token with the next one. No timer, nothing lost.
        behind = set(penstock.send_each([(caller.stream, piece) for caller, piece in pieces]))
        for (caller, piece), (generation, _) in zip(pieces, tokens, strict=True):
            caller.unsent = piece if caller.stream in behind else None
            if generation.is_over:
                caller.is_over.set()
