"""A server whose handlers send: each waits for its own tokens. Simpler, and a task wakes for each token.

`merge=` is all there is to slow clients: a token goes out at once while the one before is gone, else into it.
"""

import asyncio

from examples.tokens.model import Generation, Model
from examples.tokens.pieces import ClientStream, beating, join
from examples.tokens.tokens_pb2 import Piece, Prompt
from examples.tokens.tokens_penstock import ModelBase

__all__ = ["ByHandler"]


class ByHandler(ModelBase):
    """Gives each call its tokens through a queue. `run` it beside the server."""

    def __init__(self, model: Model, heartbeat_seconds: float) -> None:
        self._model = model
        self._heartbeat_seconds = heartbeat_seconds
        self._queues: dict[Generation, asyncio.Queue[str]] = {}

    async def generate(self, request: Prompt, stream: ClientStream) -> None:
        """Answer one call."""
        generation = self._model.begin(request.text, request.max_tokens)
        tokens = self._queues[generation] = asyncio.Queue()
        try:
            for _ in range(request.max_tokens):
                text = await beating(stream, self._heartbeat_seconds, tokens.get)
                await stream.send(Piece(text=text, tokens=1), merge=join)
        finally:
            self._model.drop(generation)
            del self._queues[generation]

    async def run(self) -> None:
        """Let the model work, for ever."""
        while True:
            for generation, text in await self._model.step():
                self._queues[generation].put_nowait(text)
