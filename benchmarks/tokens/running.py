"""Runs one server with one client."""

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.peers import FOLDER
from benchmarks.processes import Failed
from benchmarks.tokens.load import Sample
from benchmarks.work import ADDRESS_KEY

__all__ = ["SERVERS", "Server", "run"]

START_SECONDS = 20.0
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
        try:
            done = subprocess.run(
                [str(word) for word in command],
                cwd=FOLDER,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                timeout=OPEN_SECONDS + 3 * seconds,
                text=True,
                check=True,
            )
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            msg = f"the client of {server.title} failed: {error}"
            raise Failed(msg) from error
    return Sample(**json.loads(done.stdout))


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
        assert process.stdout is not None
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline() if ready else ""
        if not line:
            msg = f"the server of {server.title} did not say its address"
            raise Failed(msg)
        yield json.loads(line)[ADDRESS_KEY], process.pid
    finally:
        process.kill()
        process.communicate()


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"benchmarks.tokens.{module}"]
