"""The feed on Penstock, in async handlers."""

import asyncio
from collections.abc import AsyncIterator
from typing import Never

import penstock
from examples.leak.feed import KEEPALIVE_SECONDS, LINE, LONG_LINE, TICK_SECONDS, OpenCalls, Topic
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp
from examples.tutorial.server_stream_penstock import ServerStreamServerBase
from penstock.services.grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from penstock.services.grpc_health.v1.health_penstock import HealthBase


class Feed(ServerStreamServerBase):
    """A task for each call."""

    def __init__(self) -> None:
        self._open_calls = OpenCalls()

    async def server_stream(
        self, request: ServerStreamReq, _stream: penstock.ServerStream[Never, ServerStreamResp]
    ) -> AsyncIterator[ServerStreamResp]:
        with self._open_calls:
            yield LINE
            match request.data:
                case Topic.NEWS:
                    inbox = asyncio.Queue[ServerStreamResp]()
                    while True:
                        yield await inbox.get()
                case Topic.TICKS:
                    while True:
                        await asyncio.sleep(TICK_SECONDS)
                        yield LINE
                case Topic.FLOOD:
                    while True:
                        yield LONG_LINE


class Health(HealthBase):
    """What load balancers ask."""

    async def check(self, request: HealthCheckRequest, call: penstock.ServerCall) -> HealthCheckResponse:
        del request, call
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)


async def serve() -> None:
    """Serve until killed."""
    keepalive = penstock.keepalive.ServerKeepalive(time_seconds=KEEPALIVE_SECONDS, timeout_seconds=KEEPALIVE_SECONDS)
    server = penstock.Server([Feed(), Health()], keepalive=keepalive)
    async with server.listening("127.0.0.1:0") as address:
        print(f"listening on {address}", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
