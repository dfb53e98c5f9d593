"""The calls of one server: each is kept until it has ended, and then judged."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from penstock import Server, ServerCall, ServerStream
from tests.stress.soak.lines import sort_of
from tests.stress.soak.plan import Plan
from tests.stress.soak.tally import Tally, outcome


class Watch:
    """Watches one server. Handlers tell it of themselves."""

    def __init__(self, tally: Tally) -> None:
        self.server: Server
        self.begun = 0
        """Handlers that began."""
        self.running: set[ServerCall] = set()
        """Those that have not come to their `finally`."""
        self._tally = tally
        self._lock = threading.Lock()
        self._open: dict[ServerCall, Plan] = {}

    @contextmanager
    def serving(self, stream: ServerStream[Any, Any]) -> Iterator[Plan]:
        """Surround a handler, in whatever thread."""
        plan = Plan.of(stream)
        with self._lock:
            self._open[stream] = plan
            self.begun += 1
            self.running.add(stream)
        try:
            yield plan
        finally:
            with self._lock:
                self.running.remove(stream)

    def sweep(self) -> None:
        """Judge the calls that have ended."""
        with self._lock:
            ended = [(stream, stream.end, self._open[stream]) for stream in self._open if stream.end is not None]
            for stream, _, _ in ended:
                del self._open[stream]
        for stream, end, plan in ended:
            code = None if stream.status is None else stream.status.code
            self._tally.add(plan, end, code)
            if end not in plan.way.of_server and end not in sort_of(plan.line).of_server:
                self._tally.complain(plan, f"on the server {outcome(end, code)}")

    @property
    def open_calls(self) -> int:
        """Calls whose handler began and that have not ended."""
        return len(self._open)
