"""A process of the soak, as the one that started it holds it."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, Self

PROJECT = Path(__file__).parents[3]
ANSWER_SECONDS = 60.0
"""A bound for failures: an answer comes when all calls have ended."""
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Child:
    """A process that speaks in lines of JSON."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asking = asyncio.Lock()

    @classmethod
    async def start(cls, module: str, *arguments: Any) -> Self:
        """Run a module of this package; what is no text goes as JSON."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            f"tests.stress.soak.{module}",
            *[each if isinstance(each, str) else json.dumps(each) for each in arguments],
            cwd=PROJECT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            limit=1 << 22,
        )
        return cls(process)

    @property
    def rss_bytes(self) -> int:
        """Memory that is resident."""
        return int(Path(f"/proc/{self._process.pid}/statm").read_text("ascii").split()[1]) * PAGE_BYTES

    async def line(self) -> str:
        """Read its next line; an empty one at its end."""
        assert self._process.stdout is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            return (await self._process.stdout.readline()).decode()

    async def answer(self) -> dict[str, Any]:
        """Read its next line of JSON."""
        line = await self.line()
        assert line, "the process ended without an answer"
        told: dict[str, Any] = json.loads(line)
        return told

    async def ask(self, question: str) -> dict[str, Any]:
        """Write a line, and read the answer."""
        async with self._asking:
            self.write(question)
            return await self.answer()

    def write(self, line: str) -> None:
        """Write a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def end(self) -> int:
        """Wait for its end, and give its exit code."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._process.wait()

    async def kill(self) -> None:
        """Make sure that it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()
