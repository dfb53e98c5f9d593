"""Measuring: the same pictures, the same client, by calls and by streams, from both servers."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.tutorial.programs import Program

SERVERS: Mapping[str, str] = {
    "grpcio, threads": "grpcio_threads",
    "grpcio, asyncio": "grpcio_server",
    "Penstock": "server",
}

RUN_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class Row:
    """A server, and a way to use it."""

    server: str
    how: str
    together: int = 1
    """Calls at once."""

    def __str__(self) -> str:
        """Give what a table says."""
        words = {
            "unary": "a call for each" if self.together == 1 else f"{self.together} calls at once",
            "lockstep": "a stream, one by one",
            "stream": "a stream",
        }
        return f"{self.server}: {words[self.how]}"


@dataclass(frozen=True)
class Figures:
    """What one run took for each picture."""

    whole_ms: float
    image_ms: float
    """What the server worked on the picture itself."""

    @property
    def other_ms(self) -> float:
        """Everything else; less than nothing where several pictures are worked on at once."""
        return self.whole_ms - self.image_ms


Results = Mapping[Row, Sequence[Figures]]
"""The rounds of each row; the rows took turns, so those of one round saw the same machine."""


def compare(client: Sequence[str], folder: Path, rows: Sequence[Row], workers: int, rounds: int) -> Results:
    """Have the pictures of a folder improved in each row's way, by servers with so many threads for image work.

    Raises:
        EOFError, TimeoutError: A server does not start, or a client does not end.
        RuntimeError: A client could not do it.
    """
    results: dict[Row, list[Figures]] = {row: [] for row in rows}
    with ExitStack() as stack:
        addresses = {server: stack.enter_context(serving(server, workers)) for server in SERVERS}
        for turn in range(rounds):
            # Each round begins with another row.
            for row in [*rows[turn % len(rows) :], *rows[: turn % len(rows)]]:
                results[row].append(run(client, addresses[row.server], folder, row))
    return results


@contextmanager
def serving(server: str, workers: int) -> Iterator[str]:
    """Run a server, and give its address."""
    module = f"examples.image_service.{SERVERS[server]}"
    command = [sys.executable, "-m", module, "--address", "127.0.0.1:0", "--workers", str(workers)]
    with Program(command) as program:
        (line, *_) = program.wait_until(lambda lines: any(line.startswith("listening on ") for line in lines))
        yield line.removeprefix("listening on ")


def run(client: Sequence[str], address: str, folder: Path, row: Row) -> Figures:
    """Run the client once."""
    options = ["--address", address, "--how", row.how, "--together", str(row.together), "--json"]
    with Program([*client, *options, str(folder)]) as program:
        exit_code = program.wait_for_end(RUN_TIMEOUT_SECONDS)
    if exit_code != 0:
        raise RuntimeError("\n".join(program.lines))
    found = json.loads(program.lines[-1])
    whole, image = found["seconds"], found["image_seconds"]
    return Figures(whole_ms=1000 * whole / found["pictures"], image_ms=1000 * image / found["pictures"])
