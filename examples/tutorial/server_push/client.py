"""Print the lines that the server pushes."""

import argparse
import asyncio
import time

import penstock
from examples.tutorial.server_stream_pb2 import ServerStreamReq
from examples.tutorial.server_stream_penstock import ServerStreamServerClient


async def listen(address: str) -> None:
    """Ask once and print every reply."""
    async with penstock.Channel(address) as channel:
        client = ServerStreamServerClient(channel)
        async with client.server_stream(ServerStreamReq(data="1")) as stream:
            async for reply in stream:
                print(f'data:"{reply.data}"', flush=True)
    print("EOF")  # the server has ended the stream, with OK


def main() -> None:
    """Listen, and print how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="localhost:50053")
    options = parser.parse_args()
    start = time.monotonic()
    asyncio.run(listen(options.address))
    print(f"take time :{time.monotonic() - start:.2f} s")


if __name__ == "__main__":
    main()
