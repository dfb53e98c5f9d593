"""Does our client speak HTTP/2 as h2specd understands it, whatever the server does?"""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

import penstock
from penstock import tls
from tests.certificates import Certificates
from tests.e2e.support import until
from tests.interop.http2.suites import h2specd
from tests.interop.http2.suites.report import Verdict

# Seconds; the first one builds the Go programs.
pytestmark = [pytest.mark.timeout(300), pytest.mark.loops]

CASES = 57
"""The cases of h2specd 2.2.1."""

CALL_SECONDS = 10.0
"""More than any case takes."""

RESET = "RST_STREAM Frame (length:4, flags:0x00, stream_id:1)"
EXCUSED = {"client/5.1/8": RESET, "client/5.1/9": RESET}
"""The response ends, then comes DATA, or HEADERS, and h2specd wants the connection to end. So it does if we read both
at once. Else our call has ended at the first, and as its request was still open, we have reset the stream by then.
RFC 9113, section 5.1: "An endpoint MUST minimally process and then discard any frames it receives in this state."
Timing decides; so these may pass too, and if they fail, it must be with our RST_STREAM as the last that was seen."""

ENDS = {
    penstock.StatusCode.CANCELLED,  # the peer reset the stream with CANCEL
    penstock.StatusCode.INTERNAL,  # it did something else against the rules
    penstock.StatusCode.UNAVAILABLE,  # it said GOAWAY
    penstock.StatusCode.UNKNOWN,  # it ended the stream without a status
}
"""What becomes of our calls."""

LIMITS = penstock.Limits(max_frame_bytes=16 * 1024)
"""h2specd takes it for granted that 16,385 bytes are more than a client's SETTINGS_MAX_FRAME_SIZE (client/4.2/2)."""


class Caller:
    """Makes a call in every case; keeps what became of it."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self.codes: dict[str, penstock.StatusCode] = {}

    async def call(self, address: str) -> None:
        """Make one call, then wait until the server has said GOAWAY or has gone, which is the end of its case."""
        async with penstock.Channel(address, limits=LIMITS, tls=self._context) as channel:
            try:
                async with channel.stream("/penstock.test.Spec/Call", timeout=CALL_SECONDS) as stream:
                    await stream.send(b"the request stays open, so that streams of both states are met")
                    async for _ in stream:
                        pass
            except penstock.RpcError as error:
                self.codes[address] = error.code
            await until(lambda: channel.state is not penstock.ChannelState.READY)


@pytest.mark.parametrize("kind", ["plaintext", "tls"])
async def test_every_case_of_h2specd_passes(
    kind: str, certificates: Certificates, tmp_path: Path, tell: Callable[[str], None]
) -> None:
    caller = Caller(tls.client_context(certificates.ca) if kind == "tls" else None)
    report = await h2specd.run(caller.call, tmp_path, certificate=certificates.server if kind == "tls" else None)
    excused = [case.number for case in report.of(Verdict.FAILED) if case.number in EXCUSED]
    tell(f"h2specd against our client: {report}" + (f" (excused: {', '.join(excused)})" if excused else ""))
    assert len(report.cases) == CASES
    assert report.complaints(EXCUSED) == ""
    # No case has a whole answer, and none leaves a call to its deadline.
    assert len(caller.codes) == CASES
    assert set(caller.codes.values()) <= ENDS
