"""The Go side: the program in tests/interop/go, as a child process."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from examples.tutorial.programs import PROJECT, Program
from tests.interop.calls import BOUND_SECONDS, Call, Outcome, Record
from tests.interop.programs import build_go


class GoServer:
    """It listens while the block of `serving` runs."""

    def __init__(self, address: str, program: Program) -> None:
        self.address = address
        self._program = program

    async def record(self, call: Call) -> Record:
        """Wait until the handler of a call has ended, and give what it saw."""
        begin = json.dumps({"call": call.id}, separators=(",", ":")).removesuffix("}")

        def find(lines: Sequence[str]) -> list[str]:
            return [line for line in lines if line.startswith(begin)]

        # In a thread: our loop has to go on, for the server may wait for it.
        lines = await asyncio.to_thread(self._program.wait_until, lambda lines: bool(find(lines)), BOUND_SECONDS)
        (line,) = find(lines)
        return Record.from_json(json.loads(line))


class GoClient:
    """A program for each `run`."""

    def __init__(self, address: str, window_bytes: int | None) -> None:
        self._address = address
        self._window_bytes = window_bytes

    async def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Make the calls one after another."""
        texts = [json.dumps(call.as_json()) for call in calls]
        with Program(_command(self._window_bytes, "client", self._address, *texts)) as program:
            exit_code = await asyncio.to_thread(program.wait_for_end, BOUND_SECONDS + 5)
            assert exit_code == 0, "\n".join(program.lines)
            assert len(program.lines) == len(calls)
            return [Outcome.from_json(json.loads(line)) for line in program.lines]


@asynccontextmanager
async def serving(window_bytes: int | None) -> AsyncIterator[GoServer]:
    """Serve on a free port."""
    with Program(_command(window_bytes, "server")) as program:
        (line, *_) = program.wait_until(lambda lines: len(lines) > 0)
        yield GoServer(json.loads(line)["address"], program)


@asynccontextmanager
async def calling(address: str, window_bytes: int | None) -> AsyncIterator[GoClient]:
    """Make calls to a server; each run connects anew."""
    yield GoClient(address, window_bytes)


def _command(window_bytes: int | None, *arguments: str) -> list[str]:
    program = build_go(PROJECT / "tests/interop/go") / "interop"
    return [str(program), "-window", str(window_bytes or 0), *arguments]
