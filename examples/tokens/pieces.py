"""What both servers send: pieces of an answer, joined for slow clients, and heartbeats."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Never, TypeVar

import penstock
from examples.tokens.tokens_pb2 import Piece

__all__ = ["ClientStream", "beating", "join"]

ClientStream = penstock.ServerStream[Never, Piece]
"""On which an answer goes out."""

HEARTBEAT = penstock.encode(Piece())

WaitedT = TypeVar("WaitedT")


def join(older: Piece, newer: Piece) -> Piece:
    """Make one piece of two: all of their text."""
    return Piece(text=older.text + newer.text, tokens=older.tokens + newer.tokens)


async def beating(stream: ClientStream, seconds: float, wait: Callable[[], Awaitable[WaitedT]]) -> WaitedT:
    """Wait for what may take long, and send a heartbeat each time it took so many seconds more.

    It is the handler that beats, not the model's loop: a prefill that holds up every step holds up no heartbeat.
    """
    while True:
        try:
            async with asyncio.timeout(seconds):
                return await wait()
        except TimeoutError:
            await stream.send(HEARTBEAT)
