"""An attack with all that belongs to it: a server, a neighbour who is measured, an attacker; each its own process."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

from tests.stress.attacks.catalogue import Attack

PROJECT = Path(__file__).parents[3]
PACKAGE = __package__

WARM_SECONDS = 0.5
WATCH_SECONDS = 0.01
"""Between two looks at the server's memory."""

NOTED = ("; closed", "; its connection is served more slowly")
"""How the log says that a connection was cut, or is throttled."""

NICENESS = "10"
MOST_CUTS = 3
"""Where nothing is measured: the next one would not show more."""

RATIO = 3.0
"""What the neighbour's p99 may grow by."""


@dataclass(frozen=True)
class Result:
    """What an attack did."""

    attack: Attack
    frames_per_second: float
    connections: int
    grown_bytes: int
    p99_without: float
    """Seconds."""
    p99_with: float
    calls: int
    """Of the neighbour, during the attack."""
    failed: int
    """Of those."""
    cut_after: float | None
    """Seconds from the opening of the first connection that was cut; the longest, where none returns."""
    cuts: int
    go_away: str
    noted_after: float | None
    """Seconds to the first line in the log."""
    lines: Sequence[str]
    """In the log, of connections that were cut or throttled."""
    other_lines: int
    """Of calls on them."""
    counters: dict[str, int]

    @property
    def ratio(self) -> float:
        """How much worse the neighbour's p99 was."""
        return self.p99_with / self.p99_without

    @property
    def after(self) -> float | None:
        """Seconds until the attacker met something."""
        return self.cut_after if self.attack.end == "cut" else self.noted_after

    def misses(self, patience: float = 1.0) -> Iterator[str]:
        """Say what is not as promised, the neighbour's latency aside; times may be so much longer."""
        if self.grown_bytes >= self.attack.memory_bytes:
            yield f"memory grew by {self.grown_bytes / 2**20:.0f} MiB"
        if self.failed:
            yield f"{self.failed} calls of the neighbour failed"
        if self.attack.end in {"cut", "throttled"}:
            yield from self._unnoticed(patience)
        elif self.lines or self.cuts:
            yield f"{self.cuts} cuts and {len(self.lines)} lines for what the limits cover"

    def _unnoticed(self, patience: float) -> Iterator[str]:
        if self.after is None:
            yield f"it was not {self.attack.end}"
        elif self.after > patience * self.attack.within_seconds:
            yield f"it was {self.attack.end} after {self.after:.1f} s, not {self.attack.within_seconds:g}"
        if len(self.lines) not in {self.connections, self.connections - 1}:  # the last one may just have begun
            yield f"{len(self.lines)} lines in the log for {self.connections} connections"
        if self.other_lines > 2 * self.connections:
            yield f"{self.other_lines} lines for single calls"
        if sum(self.counters.get(name, 0) for name in self.attack.counters) != len(self.lines):
            yield f"counted {self.counters}"


class Process:
    """A program of this package that answers a line with a line of JSON."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{PACKAGE}.{module}", *arguments],
            cwd=PROJECT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.number = self._process.pid

    def told(self) -> dict[str, Any]:
        """Read what it says next."""
        assert self._process.stdout is not None
        told: dict[str, Any] = json.loads(self._process.stdout.readline())
        return told

    def ask(self) -> dict[str, Any]:
        """Ask, and read what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.told()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_why: object) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def _watched_memory(number: int) -> Iterator[list[int]]:
    """Give the resident bytes of a process, look by look."""
    process, over, seen = psutil.Process(number), threading.Event(), [0]
    seen[0] = process.memory_info().rss

    def watch() -> None:
        while not over.wait(WATCH_SECONDS):
            seen.append(process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def play(
    attack: Attack, seconds: float, *, loop: str = "asyncio", settings: Sequence[str] = (), is_measured: bool = True
) -> Result:
    """Have it done.

    Args:
        attack: What is done.
        seconds: For how long.
        loop: `asyncio` or `uvloop`: the server's.
        settings: Of the server's `Limits`, `name=value`.
        is_measured: The neighbour is measured so long before, too. Otherwise its latency is nothing to go by, and what
            is cut again and again ends after a few cuts.
    """
    with ExitStack() as stack:
        server = stack.enter_context(Process("attacked", loop, *settings))
        plain, secure = server.told()["addresses"]
        neighbour = stack.enter_context(Process("neighbour", plain))
        if is_measured:
            time.sleep(WARM_SECONDS)  # real time: what is measured is what a server does for a while
            neighbour.ask()
            time.sleep(min(seconds, 2.0))  # real time: as above
        without = neighbour.ask()
        host, _, port = (secure if attack.over_tls else plain).rpartition(":")
        # Another machine's work in truth: where it is measured it must not take the server's time.
        manner = (NICENESS, "inf") if is_measured else ("0", str(MOST_CUTS) if attack.returns else "inf")
        memory = stack.enter_context(_watched_memory(server.number))
        attacker = stack.enter_context(Process("attacker", attack.name, host, port, str(seconds), *manner))
        did = attacker.told()
        during = neighbour.ask()
        seen = server.ask()
    cuts = did["cuts"]
    # Calls have lines of their own, of which there are few, too.
    notes = [(when, line) for when, line in seen["lines"] if line.endswith(NOTED)]
    first = min((when for when, _line in notes), default=None)
    return Result(
        attack,
        frames_per_second=did["frames"] / did["seconds"],
        connections=did["connections"],
        grown_bytes=max(memory) - memory[0],
        p99_without=without["p99"],
        p99_with=during["p99"],
        calls=during["calls"],
        failed=during["failed"],
        cut_after=(cuts[0] if attack.returns else max(cuts)) if cuts else None,
        cuts=len(cuts),
        go_away=did["go_away"],
        noted_after=None if first is None else max(0.0, first - did["began"]),
        lines=[line for _when, line in notes],
        other_lines=len(seen["lines"]) - len(notes),
        counters=seen["counters"],
    )
