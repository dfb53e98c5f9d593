"""Does our server speak HTTP/2 as h2spec understands it?"""

from collections.abc import Callable
from pathlib import Path

import pytest

import penstock
from tests.interop.http2.suites import connections, h2spec

# Seconds; the first one builds the Go programs.
pytestmark = [pytest.mark.timeout(300), pytest.mark.loops]

CASES = 146
"""The cases of h2spec 2.2.1, its strict one included."""

LIMITS = penstock.Limits(max_frame_bytes=16 * 1024)
"""h2spec takes it for granted that 17 KiB are more than a server's SETTINGS_MAX_FRAME_SIZE (http2/4.2/3)."""


async def answer(stream: penstock.ServerStream[bytes, bytes]) -> None:
    """Take what comes; the answer is longer than the windows that h2spec plays with."""
    async for _ in stream:
        pass
    await stream.send(b"more than 5 bytes")


@pytest.mark.parametrize("kind", connections.KINDS)
async def test_every_case_of_h2spec_passes(kind: str, tmp_path: Path, tell: Callable[[str], None]) -> None:
    security = connections.security(kind, tmp_path)
    server = penstock.Server([], limits=LIMITS, fallback=answer)
    async with server.listening("127.0.0.1:0", **security.server) as address:
        report = await h2spec.run(address, tls=security.is_tls)
    tell(f"h2spec against our server, {kind}: {report}")
    assert len(report.cases) == CASES
    assert report.complaints() == ""
