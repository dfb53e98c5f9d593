"""What goes over the streams of every peer that is written in Python."""

from collections.abc import AsyncIterable, AsyncIterator

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.work import TEXT, check

__all__ = ["receive", "requests"]


async def receive(replies: AsyncIterable[Reply], count: int, blob_bytes: int = 0) -> None:
    """Look at every reply and count them, until there are no more."""
    received = 0
    if blob_bytes:
        async for reply in replies:
            check("bytes of a blob", len(reply.blob), blob_bytes)
            received += 1
    else:
        async for reply in replies:
            if reply.text != TEXT:
                check("reply", reply.text, TEXT)
            received += 1
    check("replies", received, count)


async def requests(count: int, blob_bytes: int = 0) -> AsyncIterator[Request]:
    """Give so many, for a peer that takes an iterable."""
    if blob_bytes:
        blob = bytes(blob_bytes)
        for _ in range(count):
            yield Request(blob=blob)
    else:
        for _ in range(count):
            yield Request(text=TEXT)
