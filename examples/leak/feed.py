"""What every server of this example serves: lines of a topic."""

import threading
from enum import StrEnum
from types import TracebackType

from examples.tutorial.server_stream_pb2 import ServerStreamResp

WORKERS = 10
"""Threads of a server that has a pool of them: what grpcio's own examples use."""

TICK_SECONDS = 0.1

KEEPALIVE_SECONDS = 1.0
"""Silence after which a server asks whether its client is there, and how long it then waits for the answer. In real
life rather 60 and 20; what gRPC has unless told are two hours, and 20 seconds."""


class Topic(StrEnum):
    """What a client may subscribe to; each begins with one line at once."""

    HELLO = "hello"
    """Nothing more: the call ends."""
    NEWS = "news"
    """A line when there is news. There is none while we measure."""
    TICKS = "ticks"
    """A line every TICK_SECONDS."""
    FLOOD = "flood"
    """Lines of 16 KiB, as fast as they are taken."""


LINE = ServerStreamResp(data="a line")
LONG_LINE = ServerStreamResp(data="x" * 16 * 1024)


class OpenCalls:
    """Counts the handlers that run, and prints each change: `with open_calls:` in a handler."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._add(1)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._add(-1)

    def _add(self, change: int) -> None:
        with self._lock:
            self._count += change
            print(f"open calls: {self._count}", flush=True)
