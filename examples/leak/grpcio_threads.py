"""The feed on grpcio's server with threads."""

import argparse
import queue
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2_grpc

from examples.leak.feed import LINE, LONG_LINE, TICK_SECONDS, WORKERS, OpenCalls, Topic
from examples.leak.grpcio_service import keepalive, methods
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp


class Feed:
    """A generator for each call; a thread of the pool runs it from its first line to its last."""

    def __init__(self, *, wake: bool) -> None:
        self._wake = wake
        self._open_calls = OpenCalls()

    def server_stream(self, request: ServerStreamReq, context: grpc.ServicerContext) -> Iterator[ServerStreamResp]:
        with self._open_calls:
            yield LINE
            match request.data:
                case Topic.NEWS:
                    yield from self._news(context)
                case Topic.TICKS:
                    while True:
                        time.sleep(TICK_SECONDS)
                        yield LINE
                case Topic.FLOOD:
                    while True:
                        yield LONG_LINE

    def _news(self, context: grpc.ServicerContext) -> Iterator[ServerStreamResp]:
        """Wait in a queue that somebody else fills; `None` is the end."""
        inbox = queue.SimpleQueue[ServerStreamResp | None]()
        if self._wake:  # without it nothing wakes the thread when its client has gone
            context.add_callback(lambda: inbox.put(None))
        while (line := inbox.get()) is not None:
            yield line


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keepalive", action="store_true", help="look for peers that have gone silent")
    parser.add_argument(
        "--wake", action="store_true", help="a handler that waits for news is woken by the end of its call"
    )
    options = parser.parse_args()
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=keepalive() if options.keepalive else [])
    server.add_generic_rpc_handlers([methods(Feed(wake=options.wake).server_stream)])
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    print(f"listening on 127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}", flush=True)
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    main()
