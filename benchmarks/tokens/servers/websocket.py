"""WebSockets: the package `websockets`, its asyncio server on uvloop, without compression."""

import asyncio

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from benchmarks.tokens.load import text_form
from benchmarks.tokens.pacing import Queues, pace
from benchmarks.work import announce, until_told


async def main() -> None:
    """Serve until told to stop."""
    queues = Queues(pace())
    working = asyncio.create_task(queues.run())

    async def generate(connection: ServerConnection) -> None:
        try:
            await connection.recv()
            with queues.queue() as queue:
                while True:
                    await queue.get()
                    await connection.send(text_form())
        except ConnectionClosed:
            pass  # the client has left

    async with serve(generate, "127.0.0.1", 0, compression=None, backlog=4096) as server:
        host, port = server.sockets[0].getsockname()
        announce(f"{host}:{port}")
        await until_told()
        working.cancel()


if __name__ == "__main__":
    uvloop.run(main())
