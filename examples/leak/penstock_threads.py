"""The feed on Penstock, in sync handlers: threads run their steps."""

import asyncio
import queue
import time
from collections.abc import Iterator
from typing import Never

import penstock
from examples.leak.feed import KEEPALIVE_SECONDS, LINE, LONG_LINE, TICK_SECONDS, WORKERS, OpenCalls, Topic
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp
from examples.tutorial.server_stream_penstock import ServerStreamServerBase
from penstock.services.grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from penstock.services.grpc_health.v1.health_penstock import HealthBase

Stream = penstock.ServerStream[Never, ServerStreamResp]


class Feed(ServerStreamServerBase):
    """A generator for each call; a thread runs it from one `yield` to the next, and is free in between."""

    def __init__(self) -> None:
        self._open_calls = OpenCalls()

    def server_stream(self, request: ServerStreamReq, stream: Stream) -> Iterator[ServerStreamResp]:
        with self._open_calls:
            yield LINE
            match request.data:
                case Topic.NEWS:
                    yield from self._news(stream)
                case Topic.TICKS:
                    while True:
                        time.sleep(TICK_SECONDS)
                        yield LINE
                case Topic.FLOOD:
                    while True:
                        yield LONG_LINE

    def _news(self, stream: Stream) -> Iterator[ServerStreamResp]:
        """Wait in a queue that somebody else fills, and look from time to time whether the call is over."""
        inbox = queue.SimpleQueue[ServerStreamResp]()
        while stream.status is None:
            try:
                yield inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                continue


class Health(HealthBase):
    """What load balancers ask."""

    def check(self, request: HealthCheckRequest, call: penstock.ServerCall) -> HealthCheckResponse:
        del request, call
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)


async def serve() -> None:
    """Serve until killed."""
    keepalive = penstock.keepalive.ServerKeepalive(time_seconds=KEEPALIVE_SECONDS, timeout_seconds=KEEPALIVE_SECONDS)
    server = penstock.Server([Feed(), Health()], limits=penstock.Limits(max_sync_threads=WORKERS), keepalive=keepalive)
    async with server.listening("127.0.0.1:0") as address:
        print(f"listening on {address}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
