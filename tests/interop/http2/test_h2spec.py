"""Does our server speak HTTP/2 as h2spec understands it?"""

from collections.abc import Callable

import pytest

import penstock
from penstock import tls
from tests.certificates import Certificates
from tests.interop.http2.suites import h2spec

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


@pytest.mark.parametrize("kind", ["plaintext", "tls"])
async def test_every_case_of_h2spec_passes(kind: str, certificates: Certificates, tell: Callable[[str], None]) -> None:
    context = tls.server_context(certificates.server, certificates.server) if kind == "tls" else None
    server = penstock.Server([], limits=LIMITS, fallback=answer)
    async with server.listening("127.0.0.1:0", tls=context) as address:
        report = await h2spec.run(address, tls=context is not None)
    tell(f"h2spec against our server: {report}")
    assert len(report.cases) == CASES
    assert report.complaints() == ""
