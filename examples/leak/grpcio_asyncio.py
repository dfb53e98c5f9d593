"""The feed on grpcio's asyncio server."""

import argparse
import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from examples.leak.feed import LINE, LONG_LINE, TICK_SECONDS, OpenCalls, Topic
from examples.leak.grpcio_service import keepalive, methods
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp


class Feed:
    """A task for each call."""

    def __init__(self) -> None:
        self._open_calls = OpenCalls()

    async def server_stream(
        self, request: ServerStreamReq, _context: grpc.aio.ServicerContext[Any, Any]
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


async def serve(*, with_keepalive: bool) -> None:
    """Serve until killed."""
    server = grpc.aio.server(options=keepalive() if with_keepalive else [])
    server.add_generic_rpc_handlers([methods(Feed().server_stream)])
    health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    print(f"listening on 127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keepalive", action="store_true", help="look for peers that have gone silent")
    asyncio.run(serve(with_keepalive=parser.parse_args().keepalive))


if __name__ == "__main__":
    main()
