"""h2specd, a server whose every port is one case, against a client.

It starts a program for each case. That is a small one, relay.py, which asks the test to make the call: fast, and what
the call leaves behind is found like that of any other test.
"""

import asyncio
import random
import shlex
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from tests.interop.http2 import go_programs
from tests.interop.http2.suites import report

BOUND_SECONDS = 90.0
ATTEMPTS = 5
PORTS = range(20_000, 30_000)
"""Below those that systems give to clients. h2specd takes one for each case, in a row."""
ROW = 100
ANSWER_SECONDS = 5
"""What h2specd waits for an answer; its default of 2 s is too short where other programs use the machine."""
RELAY = Path(__file__).with_name("relay.py")


async def run(
    call: Callable[[str], Awaitable[None]], folder: Path, *, certificate: Path | None = None
) -> report.Report:
    """Run every case.

    Args:
        call: Makes one call to the address it is given; returns when the server has no more to say.
        folder: For the files of the run.
        certificate: A PEM file with certificate and key; then the cases are over TLS.
    """

    async def on_case(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        url = (await reader.readline()).decode()
        await call(url.partition("://")[2].strip().rstrip("/"))
        writer.close()
        await writer.wait_closed()

    script = folder / "call"
    command = shlex.join([sys.executable, "-I", "-S", str(RELAY), str(folder / "socket")])
    script.write_text(f'#!/bin/sh\nexec {command} "$1"\n')
    script.chmod(0o755)
    async with await asyncio.start_unix_server(on_case, folder / "socket"):
        printed = ""
        for _ in range(ATTEMPTS):
            printed = await _run(folder, random.randrange(PORTS.start, PORTS.stop - ROW), certificate)
            if "address already in use" not in printed:
                break
        return report.read(printed)


async def _run(folder: Path, first_port: int, certificate: Path | None) -> str:
    # h2specd cuts the command at spaces, so that it may have none; hence the script and its folder.
    command = [str(go_programs.build() / "h2specd"), "--exec", "./call", "--from-port", str(first_port)]
    command += ["--timeout", str(ANSWER_SECONDS)]
    if certificate is not None:
        command += ["--tls", "--cert-file", str(certificate), "--cert-key-file", str(certificate)]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(BOUND_SECONDS):
        printed, _ = await process.communicate()
    return printed.decode()
