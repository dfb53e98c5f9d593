"""Runs a peer's server with a loader or a starter beside it, each a process of its own."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from benchmarks import processes
from benchmarks.certificate import Certificate
from benchmarks.load.lines import Beside, Crowd, Start, Trips
from benchmarks.peers import FOLDER, Peer
from benchmarks.work import SERVER_VARIABLE

__all__ = ["Running", "serving"]

CLIENT_SECONDS = 120.0
"""A loader is done by then, whatever it does."""


@dataclass(frozen=True)
class Running:
    """A server that runs, and the programs for it."""

    peer: Peer
    address: str
    process: int
    certificate: Certificate | None

    def maximum(self, streams: int, connections: int, seconds: float) -> Trips:
        """Find what the peer can do."""
        return Trips(**self._load("maximum", streams, connections, seconds))

    def steady(self, streams: int, connections: int, seconds: float, rate: float) -> Trips:
        """Have it work at a rate."""
        return Trips(**self._load("steady", streams, connections, seconds, rate))

    def beside(self, streams: int, seconds: float) -> Beside:
        """Have it answer calls beside busy streams."""
        line = self._load("beside", streams, seconds)
        return Beside(**{**line, "small": Crowd(**line["small"]), "large": Crowd(**line["large"])})

    def start(self) -> Start:
        """Start a fresh process, and wait for its end."""
        began = perf_counter()
        line = self._run([*self.peer.starter, self.address])
        return Start(**line, process_seconds=perf_counter() - began)

    def _load(self, *arguments: object) -> dict[str, Any]:
        section, *numbers = arguments
        return self._run([*self.peer.loader, self.address, str(section), *map(str, numbers)])

    def _run(self, command: Sequence[str]) -> dict[str, Any]:
        command = [*command, *processes.trusting(self.certificate)]
        said = processes.said_by_client(self.peer.title, command, CLIENT_SECONDS, _environment(self.process))
        line: dict[str, Any] = json.loads(said)
        return line


@contextmanager
def serving(peer: Peer, certificate: Certificate | None) -> Iterator[Running]:
    """Start a server, and end it afterwards.

    Args:
        peer: Whose.
        certificate: What it shows; `None`: plaintext.

    Raises:
        Failed: It did not start, or did not end as it should.
    """
    with processes.serving(peer, certificate) as server:
        yield Running(peer, processes.address_of(peer.title, server), server.pid, certificate)


def _environment(server: int) -> Mapping[str, str]:
    # A starter runs as a file, and has to find the generated code.
    path = os.pathsep.join(filter(None, [str(FOLDER), os.environ.get("PYTHONPATH")]))
    return {**os.environ, SERVER_VARIABLE: str(server), "PYTHONPATH": path}
