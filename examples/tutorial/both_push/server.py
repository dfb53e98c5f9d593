"""Push lines to each client, and print the lines it pushes."""

import argparse
import asyncio

import penstock
from examples.tutorial.all_stream_pb2 import AllStreamReq, AllStreamResp
from examples.tutorial.all_stream_penstock import AllStreamServerBase


class BothPush(AllStreamServerBase):
    """Speaks and listens, each at its own pace, until the client leaves."""

    def __init__(self, interval_seconds: float) -> None:
        self.interval_seconds = interval_seconds

    async def all_stream(self, stream: penstock.ServerStream[AllStreamReq, AllStreamResp]) -> None:
        try:
            async with asyncio.TaskGroup() as tasks:
                speaking = tasks.create_task(self.speak(stream))
                async for request in stream:
                    print(f'data:"{request.data}"', flush=True)
                speaking.cancel()  # the client has sent its last line
            print("EOF", flush=True)
        except* penstock.Cancelled:
            print("the client has left", flush=True)

    async def speak(self, stream: penstock.ServerStream[AllStreamReq, AllStreamResp]) -> None:
        """Send a line each `interval_seconds`, without end."""
        while True:
            await stream.send(AllStreamResp(data="All Stream From Server"))
            await asyncio.sleep(self.interval_seconds)


def main() -> None:
    """Serve until Ctrl+C."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1:50055")
    parser.add_argument("--interval", type=float, default=1.0, help="seconds from line to line")
    options = parser.parse_args()
    asyncio.run(penstock.Server([BothPush(options.interval)]).serve(options.address))


if __name__ == "__main__":
    main()
