"""Push numbered lines to the server, and print its answer."""

import argparse
import asyncio

import penstock
from examples.tutorial.client_stream_pb2 import ClientStreamReq
from examples.tutorial.client_stream_penstock import ClientStreamServerClient


async def push(address: str, *, count: int, interval_seconds: float, leave: bool) -> None:
    """Send `count` lines; then half-close and wait for the answer, or just leave."""
    async with penstock.Channel(address) as channel, ClientStreamServerClient(channel).client_stream() as stream:
        for number in range(count):
            await stream.send(ClientStreamReq(data=f" client data: {number}"))
            await asyncio.sleep(interval_seconds)
        if leave:
            stream.cancel()
        else:
            reply = await stream.finish()
            print(f'data:"{reply.data}"')


def main() -> None:
    """Push."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="localhost:50054")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds from line to line")
    parser.add_argument("--count", type=int, default=20, help="lines to push")
    parser.add_argument("--leave", action="store_true", help="leave without waiting for the answer")
    options = parser.parse_args()
    asyncio.run(
        push(options.address, count=options.count, interval_seconds=options.interval, leave=options.leave),
    )


if __name__ == "__main__":
    main()
