"""A program as a child process, followed by what it prints."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from tests.e2e.support import within_bound

PROJECT = Path(__file__).parents[2]


class Child:
    """A child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []
        """What it has printed, as far as it was read."""

    async def line_with(self, text: str) -> str:
        """Read on to the next line that has `text` in it."""
        assert self._process.stdout is not None
        while True:
            line = (await within_bound(self._process.stdout.readline())).decode()
            assert line, f"it ended without {text!r}: {self.lines}"
            self.lines.append(line.rstrip("\n"))
            if text in line:
                return self.lines[-1]

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        """Read to the end of what it prints, and wait for its end."""
        assert self._process.stdout is not None
        rest = await within_bound(self._process.stdout.read())
        self.lines.extend(rest.decode().splitlines())
        code: int = await within_bound(self._process.wait())
        return code


def running(program: str, *arguments: str) -> AbstractAsyncContextManager[Child]:
    """Run a program of `programs/`; leaving the block kills it, if it still runs."""
    return running_module(f"tests.e2e.programs.{program}", *arguments)


@asynccontextmanager
async def running_module(module: str, *arguments: str) -> AsyncIterator[Child]:
    """Run a module of this project as `python -m` does."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=PROJECT,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    child = Child(process)
    try:
        yield child
    finally:
        if process.returncode is None:
            process.kill()
        await child.exit_code()
