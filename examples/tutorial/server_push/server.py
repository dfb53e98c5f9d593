"""Push numbered lines to each client that asks."""

import argparse
import asyncio
from typing import Never

import penstock
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp
from examples.tutorial.server_stream_penstock import ServerStreamServerBase


class ServerPush(ServerStreamServerBase):
    """Answers a request with `count` lines, one each `interval_seconds`."""

    def __init__(self, count: int, interval_seconds: float) -> None:
        self.count = count
        self.interval_seconds = interval_seconds

    async def server_stream(
        self, request: ServerStreamReq, stream: penstock.ServerStream[Never, ServerStreamResp]
    ) -> None:
        for number in range(self.count):
            await stream.send(ServerStreamResp(data=f"count:{number} client data: {request.data}"))
            await asyncio.sleep(self.interval_seconds)


def main() -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1:50053")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds from line to line")
    parser.add_argument("--count", type=int, default=20, help="lines for each request")
    options = parser.parse_args()
    server = penstock.Server([ServerPush(options.count, options.interval)])
    asyncio.run(server.serve(options.address))


if __name__ == "__main__":
    main()
