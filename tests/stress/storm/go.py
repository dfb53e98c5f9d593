"""grpc-go in a storm: the program in tests/interop/go."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from examples.tutorial.programs import PROJECT, Program
from tests.interop.programs import build_go
from tests.stress.storm.calls import WORKERS, Storm

STORM_SECONDS = 240
"""A bound for failures."""


def _command(*arguments: str) -> list[str]:
    return [str(build_go(PROJECT / "tests/interop/go") / "interop"), *arguments]


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Serve on a free port."""
    with Program(_command("storm-server")) as program:
        (line, *_) = program.wait_until(lambda lines: len(lines) > 0)
        yield json.loads(line)["address"]


async def storm(address: str, calls: int) -> Storm:
    """Make so many calls on one connection; then move 64 MiB each way, here and on a fresh one."""
    with Program(_command("storm", address, str(calls), str(WORKERS))) as program:
        exit_code = await asyncio.to_thread(program.wait_for_end, STORM_SECONDS)
        assert exit_code == 0, "\n".join(program.lines)
    seen = json.loads(program.lines[-1])
    return Storm(
        seen["calls"],
        seen["connections"],
        Counter({int(code): count for code, count in seen["codes"].items()}),
        seen["received"],
        seen["sent"],
        seen["seconds"],
        seen["after_nanoseconds"] / 1e9,
        seen["fresh_nanoseconds"] / 1e9,
    )
