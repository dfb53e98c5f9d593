"""Servers that end a call before the client has sent all it has."""

import pytest

from penstock import StatusCode
from tests.interop.calls import Call, Kind, Request, all_replies, echoed, tally
from tests.interop.peers import Pair

upload_kinds = pytest.mark.parametrize("kind", ["client_stream", "both_stream"])
every_window = pytest.mark.parametrize("window_bytes", [None, 65536])

BEFORE = Request(text="x", payload_bytes=1000, times=3)
TRAILING = (("trailing-reason", "enough"),)


@every_window
@upload_kinds
async def test_server_ends_with_ok_while_the_client_sends(pair: Pair, kind: Kind) -> None:
    call = Call(kind, (BEFORE, Request(text="end", number=4, payload_bytes=60_000)), TRAILING, flood=True)
    outcome, record = await pair.run(call)
    assert (outcome.code, outcome.message) == (StatusCode.OK, "")
    assert outcome.replies == tally(all_replies(call))
    assert outcome.trailing == echoed(TRAILING)
    assert record.requests == tally(call.notes())
    assert record.ended == StatusCode.OK


@every_window
@upload_kinds
async def test_server_ends_with_an_error_while_the_client_sends(pair: Pair, kind: Kind) -> None:
    call = Call(kind, (BEFORE, Request(text="status 8 genügt", payload_bytes=60_000)), TRAILING, flood=True)
    outcome, record = await pair.run(call)
    assert (outcome.code, outcome.message) == (StatusCode.RESOURCE_EXHAUSTED, "genügt")
    assert outcome.replies == tally(all_replies(call) if kind == "both_stream" else [])
    assert outcome.trailing == echoed(TRAILING)
    assert record.requests == tally(call.notes())
    assert record.ended == StatusCode.RESOURCE_EXHAUSTED


@upload_kinds
async def test_server_ends_while_the_client_keeps_its_side_open(pair: Pair, kind: Kind) -> None:
    call = Call(kind, (Request(text="x"), Request(text="end", number=2)), TRAILING, half_close=False)
    outcome, record = await pair.run(call)
    assert (outcome.code, outcome.message) == (StatusCode.OK, "")
    assert outcome.replies == tally(all_replies(call))
    assert outcome.trailing == echoed(TRAILING)
    assert record.ended == StatusCode.OK
