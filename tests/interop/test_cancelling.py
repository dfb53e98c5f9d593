"""Calls that either side cancels in their middle."""

import pytest

from penstock import StatusCode
from tests.interop.calls import KINDS, Call, Kind, Request
from tests.interop.peers import Pair

WAIT = Request(text="wait", number=2)
REPLIES = {"unary": 0, "server_stream": 2, "client_stream": 0, "both_stream": 1}
"""What comes before the waiting begins."""


@pytest.mark.parametrize("kind", KINDS)
async def test_client_cancels_a_handler_that_waits(pair: Pair, kind: Kind) -> None:
    outcome, record = await pair.run(Call(kind, (WAIT,), half_close=False, cancel_after=REPLIES[kind]))
    assert outcome.code == StatusCode.CANCELLED
    assert outcome.replies.count == REPLIES[kind]
    assert record.requests.count == 1
    assert record.ended == StatusCode.CANCELLED


@pytest.mark.parametrize("kind", ["client_stream", "both_stream"])
async def test_client_cancels_a_handler_that_waits_after_its_half_close(pair: Pair, kind: Kind) -> None:
    outcome, record = await pair.run(Call(kind, (WAIT,), cancel_after=REPLIES[kind]))
    assert outcome.code == StatusCode.CANCELLED
    assert outcome.replies.count == REPLIES[kind]
    assert record.ended == StatusCode.CANCELLED


@pytest.mark.parametrize("window_bytes", [None, 65536])
@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("server_stream", Request(number=100_000, size=4096)),
        ("both_stream", Request(text="answer", number=100_000, size=4096)),
    ],
)
async def test_client_cancels_a_handler_that_sends(pair: Pair, kind: Kind, request_: Request) -> None:
    outcome, record = await pair.run(Call(kind, (request_,), cancel_after=10))
    assert outcome.code == StatusCode.CANCELLED
    assert outcome.replies.count >= 10
    assert record.ended == StatusCode.CANCELLED


@pytest.mark.parametrize("window_bytes", [None, 65536])
async def test_client_cancels_while_it_sends_more_than_the_server_takes(pair: Pair) -> None:
    requests = (Request(text="wait"), Request(payload_bytes=60_000))
    outcome, record = await pair.run(Call("both_stream", requests, flood=True, cancel_after=1))
    assert outcome.code == StatusCode.CANCELLED
    assert outcome.replies.count == 1
    assert record.requests.count == 1
    assert record.ended == StatusCode.CANCELLED


@pytest.mark.parametrize("half_close", [True, False])
@pytest.mark.parametrize("kind", KINDS)
async def test_server_cancels(pair: Pair, kind: Kind, half_close: bool) -> None:
    outcome, record = await pair.run(Call(kind, (Request(text="cancel", number=2),), half_close=half_close))
    assert outcome.code == StatusCode.CANCELLED
    # What it had queued it may drop.
    assert outcome.replies.count <= REPLIES[kind]
    assert record.requests.count == 1
    assert record.ended == StatusCode.CANCELLED
