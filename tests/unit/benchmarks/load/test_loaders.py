"""The loaders of the Python peers, where their clients have no room."""

import asyncio
from typing import Any, cast

import penstock
from benchmarks.bench_pb2 import Request
from benchmarks.peers.penstock_aio.loader import PenstockPair
from penstock.testing import settle


class FullStream:
    """Has room for one message, until it is told."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.room = asyncio.Event()

    def send_nowait(self, _message: Request) -> None:
        if self.sent and not self.room.is_set():
            raise penstock.WouldBlock("full")
        self.sent.append("at once")

    async def send(self, _message: Request) -> None:
        await self.room.wait()
        self.sent.append("later")


async def test_what_is_posted_without_room_is_sent_later_and_in_order() -> None:
    stream = FullStream()
    pair = PenstockPair(cast("Any", stream))
    for _ in range(3):
        pair.post()
    await settle()
    assert stream.sent == ["at once"]
    stream.room.set()
    pair.post()  # behind those that wait
    await settle()
    assert stream.sent == ["at once", "later", "later", "later"]
    pair.post()
    assert stream.sent[-1] == "at once"
