"""The tutorial's third server, its mistake included, on Penstock: neither loop heeds that its stream has ended."""

import asyncio
import sys
from contextlib import suppress

import penstock
from examples.tutorial.all_stream_pb2 import AllStreamReq, AllStreamResp
from examples.tutorial.all_stream_penstock import AllStreamServerBase

Stream = penstock.ServerStream[AllStreamReq, AllStreamResp]


class AllStream(AllStreamServerBase):
    """Two loops without end, and a handler that waits for both."""

    async def all_stream(self, stream: Stream) -> None:
        try:
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self.listen(stream))
                loops.create_task(self.speak(stream))
        finally:
            print("the client has left", flush=True)

    async def listen(self, stream: Stream) -> None:
        """Go on after every error, as `data, _ := allStream.Recv()` does."""
        while True:
            with suppress(Exception):
                print(await stream.receive())

    async def speak(self, stream: Stream) -> None:
        """Go on after every error too."""
        while True:
            with suppress(Exception):
                await stream.send(AllStreamResp(data="All Stream From Server"))
            await asyncio.sleep(1)


if __name__ == "__main__":
    asyncio.run(penstock.Server([AllStream()]).serve(sys.argv[1]))
