"""h2spec against a server."""

import asyncio

from tests.interop.http2 import go_programs
from tests.interop.http2.suites import report

BOUND_SECONDS = 60.0
ANSWER_SECONDS = 5
"""What h2spec waits for the server in each step of a case."""


async def run(address: str, *, tls: bool) -> report.Report:
    """Run every case, the strict one included, with calls of one method."""
    host, _, port = address.rpartition(":")
    command = [str(go_programs.build() / "h2spec"), "--strict", "--timeout", str(ANSWER_SECONDS)]
    command += ["--host", host, "--port", port, "--path", "/penstock.test.Spec/Call"]
    if tls:
        command += ["--tls", "--insecure"]
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    async with asyncio.timeout(BOUND_SECONDS):
        printed, _ = await process.communicate()
    return report.read(printed.decode())
