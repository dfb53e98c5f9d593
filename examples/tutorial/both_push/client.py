"""Push lines to the server, and print the lines it pushes, until Ctrl+C."""

import argparse
import asyncio
from contextlib import suppress
from itertools import islice, repeat

import penstock
from examples.tutorial.all_stream_pb2 import AllStreamReq, AllStreamResp
from examples.tutorial.all_stream_penstock import AllStreamServerClient

Call = penstock.BothStreamCall[AllStreamReq, AllStreamResp]


async def talk(address: str, *, count: int | None, interval_seconds: float) -> None:
    """Speak and listen, each at its own pace; leave after `count` lines, or never."""
    async with (
        penstock.Channel(address) as channel,
        AllStreamServerClient(channel).all_stream() as stream,
        asyncio.TaskGroup() as tasks,
    ):
        listening = tasks.create_task(listen(stream))
        await speak(stream, count, interval_seconds)
        listening.cancel()  # leaving the block then ends the call, on both sides


async def speak(stream: Call, count: int | None, interval_seconds: float) -> None:
    """Send a line each `interval_seconds`."""
    for line in islice(repeat("All Stream From Client"), count):
        await stream.send(AllStreamReq(data=line))
        await asyncio.sleep(interval_seconds)


async def listen(stream: Call) -> None:
    """Print every reply."""
    async for reply in stream:
        print(f'data:"{reply.data}"', flush=True)


def main() -> None:
    """Talk until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="localhost:50055")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds from line to line")
    parser.add_argument("--count", type=int, help="lines to push before leaving; default: without end")
    options = parser.parse_args()
    with suppress(KeyboardInterrupt):
        asyncio.run(talk(options.address, count=options.count, interval_seconds=options.interval))


if __name__ == "__main__":
    main()
