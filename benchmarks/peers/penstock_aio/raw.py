# ruff: noqa: D102 - `benchmarks.work` says what the methods do
"""The service of bytes: what both sides know of it, and the server's handlers."""

from collections.abc import Mapping
from typing import Any, ClassVar, Never

import penstock
from benchmarks.work import RAW, RAW_MESSAGE, check

__all__ = ["BATCH", "CLIENT_STREAM", "SERVER_STREAM", "Raw", "check_batch"]

BATCH = 100
"""Messages handed over at once: what `receive_many` takes unless told otherwise."""

SERVER_STREAM = penstock.Method(f"/{RAW}/ServerStream", penstock.Kind.SERVER_STREAM, bytes, bytes, penstock.RAW)
CLIENT_STREAM = penstock.Method(f"/{RAW}/ClientStream", penstock.Kind.CLIENT_STREAM, bytes, bytes, penstock.RAW)


def check_batch(batch: list[bytes]) -> int:
    """Give the length, once all messages were looked at."""
    check("messages of a batch that are right", batch.count(RAW_MESSAGE), len(batch))
    return len(batch)


class Raw(penstock.Service):
    """Both directions in batches."""

    METHODS: ClassVar[Mapping[str, penstock.Method[Any, Any]]] = {
        "server_stream": SERVER_STREAM,
        "client_stream": CLIENT_STREAM,
    }

    async def server_stream(self, request: bytes, stream: penstock.ServerStream[Never, bytes]) -> None:
        batches, rest = divmod(int(request), BATCH)
        batch = [RAW_MESSAGE] * BATCH
        for _ in range(batches):
            await stream.send_many(batch)
        await stream.send_many(batch[:rest])

    async def client_stream(self, stream: penstock.ServerStream[bytes, Never]) -> bytes:
        count = 0
        while True:
            try:
                count += check_batch(await stream.receive_many(BATCH))
            except penstock.EndOfStream:
                return b"%d" % count
