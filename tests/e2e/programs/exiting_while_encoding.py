"""A server program that exits while a thread of a sync handler is stuck in the encoder of a codec of its own."""

import asyncio
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import penstock
from penstock.testing import connected

encoding = threading.Event()


class Stuck:
    """A codec whose encoder never returns."""

    def encoder(self, message_type: type[Any]) -> Any:
        """Give what never returns, and asks for the interpreter again and again."""
        del message_type

        def encode(_message: bytes) -> bytes:
            encoding.set()
            while True:
                time.sleep(0.001)  # real time: it is in the interpreter now and then, whenever that ends

        return encode

    def decoder(self, message_type: type[Any]) -> None:
        """Messages are bytes."""
        del message_type


METHOD = penstock.Method("/p.Stuck/Stream", penstock.Kind.SERVER_STREAM, bytes, bytes, Stuck())


class Service(penstock.Service):
    """Has one method."""

    METHODS = {"stream": METHOD}  # noqa: RUF012  # as generated code has it

    def stream(self, request: bytes, call: penstock.ServerCall) -> Iterator[bytes]:
        """Reply, in a thread."""
        del call
        yield request


async def main() -> None:
    limits = penstock.Limits(handler_cleanup_seconds=0.01)
    async with connected(Service(), server_limits=limits) as channel, channel.stream(METHOD.path) as stream:
        await stream.send(b"request")
        await stream.end_sending()
        await asyncio.to_thread(encoding.wait)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.write("over\n")
