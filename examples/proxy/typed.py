"""A proxy that reads and changes one method, and forwards the others as bytes."""

import argparse
import asyncio
import logging
from functools import partial
from typing import Never

import penstock
from examples.proxy.forwarding import forward
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp
from examples.tutorial.server_stream_penstock import ServerStreamServerBase, ServerStreamServerClient


class Shouting(ServerStreamServerBase):
    """Passes each line on in capitals."""

    def __init__(self, channel: penstock.Channel) -> None:
        self._onward = ServerStreamServerClient(channel)

    async def server_stream(
        self, request: ServerStreamReq, stream: penstock.ServerStream[Never, ServerStreamResp]
    ) -> None:
        try:
            async with self._onward.server_stream(request, metadata=stream.metadata) as lines:
                async for line in lines:
                    await stream.send(ServerStreamResp(data=line.data.upper()))
        except penstock.RpcError as error:
            raise error.relay() from error


async def run(listen: str, to: str) -> None:
    """Serve until Ctrl+C."""
    async with penstock.Channel(to) as channel:
        await penstock.Server([Shouting(channel)], fallback=partial(forward, channel=channel)).serve(listen)


def main() -> None:
    """Read the command line, and run."""
    parser = argparse.ArgumentParser(prog="python -m examples.proxy.typed", description=__doc__)
    parser.add_argument("--listen", required=True, help="where clients connect: host:port or unix:/path")
    parser.add_argument("--to", required=True, help="where their calls go")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    asyncio.run(run(options.listen, options.to))


if __name__ == "__main__":
    main()
