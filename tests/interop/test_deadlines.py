"""Timeouts: what the server is told, and what happens when either side lets them pass."""

import pytest

from penstock import StatusCode
from tests.interop.calls import KINDS, Call, Request
from tests.interop.pairs import PAIRS
from tests.interop.peers import Pair

SHORT_SECONDS = 0.3
"""Long enough for a request to arrive on a busy machine: its handler is to have it by then."""

ROUNDING = 1.01
"""grpcio rounds a timeout up, by less than a hundredth."""

WAIT = Request(text="wait", number=2)
REPLIES = {"unary": 0, "server_stream": 2, "client_stream": 0, "both_stream": 1}
"""What comes before the waiting begins."""


@pytest.mark.parametrize("seconds", [9.5, 3600.0, 500_000.0, 90_000_000.0])
async def test_server_knows_the_time_that_is_left(pair: Pair, seconds: float) -> None:
    for outcome, record in await pair.run_together([Call(kind, timeout_seconds=seconds) for kind in KINDS]):
        assert outcome.code == StatusCode.OK
        assert record.remaining_seconds is not None
        assert seconds - 8 < record.remaining_seconds <= seconds * ROUNDING


async def test_server_knows_that_there_is_no_timeout(pair: Pair) -> None:
    for outcome, record in await pair.run_together([Call(kind) for kind in KINDS]):
        assert outcome.code == StatusCode.OK
        assert record.remaining_seconds is None


async def test_deadline_passes_on_the_client(pair: Pair) -> None:
    calls = [Call(kind, (WAIT,), timeout_seconds=SHORT_SECONDS, half_close=False) for kind in KINDS]
    for call, (outcome, record) in zip(calls, await pair.run_together(calls), strict=True):
        assert outcome.code == StatusCode.DEADLINE_EXCEEDED
        assert outcome.replies.count == REPLIES[call.kind]
        assert record.requests.count == 1
        assert record.remaining_seconds is not None
        assert 0 < record.remaining_seconds <= SHORT_SECONDS * ROUNDING
        # The server has the same deadline, a little later: it ends by that, or by the client's reset.
        assert record.ended in (StatusCode.DEADLINE_EXCEEDED, StatusCode.CANCELLED)


# grpcio's client has no way to tell a timeout and let it pass: it takes no `grpc-timeout` as metadata.
@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not str(pair.id).startswith("grpcio-")], indirect=True)
async def test_deadline_passes_on_the_server(pair: Pair) -> None:
    calls = [
        Call(kind, (WAIT,), timeout_seconds=SHORT_SECONDS, enforce_timeout=False, half_close=False) for kind in KINDS
    ]
    for call, (outcome, record) in zip(calls, await pair.run_together(calls), strict=True):
        assert outcome.code == StatusCode.DEADLINE_EXCEEDED
        assert outcome.replies.count == REPLIES[call.kind]
        assert record.requests.count == 1
        # The proxy's deadline is a little earlier than that of the server behind it, which may hear of its reset first.
        others = [StatusCode.CANCELLED] if pair.is_proxied else []
        assert record.ended in [StatusCode.DEADLINE_EXCEEDED, *others]
