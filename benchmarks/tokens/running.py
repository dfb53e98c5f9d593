"""Runs one server with one client."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.peers import FOLDER
from benchmarks.processes import address_of, said_by_client
from benchmarks.tokens.load import Sample

__all__ = ["SERVERS", "Server", "run"]

OPEN_SECONDS = 60.0
"""A client opens all streams and measures by then, beside what it measures."""

PACKAGES = FOLDER / "build" / "tokens"
"""Where `make bench-tokens` installs what requirements.txt says."""


@dataclass(frozen=True)
class Server:
    """A server that is compared, and the client it is measured with."""

    name: str
    title: str
    client: Sequence[str]


SERVERS = [
    Server("by_step", "penstock, send_each", ["grpc"]),
    Server("by_handler", "penstock, handlers", ["grpc"]),
    Server("grpcio_aio", "grpcio aio", ["grpc"]),
    Server("sse", "SSE, uvicorn", ["marks", "sse"]),
    Server("websocket", "websockets", ["marks", "websocket"]),
]


def run(server: Server, streams: int, steps_per_second: float, seconds: float) -> Sample:
    """Measure once, with processes of their own.

    Args:
        server: Which one.
        streams: How many it has.
        steps_per_second: Of its model; 0: as many as are delivered.
        seconds: What is measured.

    Raises:
        Failed: One of them failed or took too long; neither runs any more.
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(PACKAGES)])}
    with _serving(server, [steps_per_second, streams], environment) as (address, process):
        command = [*_python(f"clients.{server.client[0]}"), *server.client[1:], address, process, streams, seconds]
        words = [str(word) for word in command]
        said = said_by_client(server.title, words, OPEN_SECONDS + 3 * seconds, environment)
    return Sample(**json.loads(said))


@contextmanager
def _serving(server: Server, options: Sequence[float], environment: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    process = subprocess.Popen(
        [*_python(f"servers.{server.name}"), *map(str, options)],
        cwd=FOLDER,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield address_of(server.title, process), process.pid
    finally:
        process.kill()
        process.communicate()


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.tokens.{module}"]
