"""CPU time of a loader and of its server."""

import os
import time

from benchmarks.usage import cpu_seconds
from benchmarks.work import SERVER_VARIABLE

__all__ = ["Processor"]


class Processor:
    """Counts from when it is made."""

    def __init__(self) -> None:
        self._server = int(os.environ.get(SERVER_VARIABLE, "0"))
        self._client_began = time.process_time()
        self._server_began = self._of_server()

    def spent(self) -> dict[str, float]:
        """Give the seconds of user and system time since then, by names of `lines`."""
        return {
            "client_cpu_seconds": time.process_time() - self._client_began,
            "server_cpu_seconds": self._of_server() - self._server_began,
        }

    def _of_server(self) -> float:
        return cpu_seconds(self._server) if self._server else 0.0
