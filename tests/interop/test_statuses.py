"""Every status code, with a message that is no ASCII."""

import pytest

from penstock import StatusCode
from tests.interop.calls import KINDS, Call, Kind, Request, copies, tally
from tests.interop.peers import Pair
from tests.protos.echo_pb2 import Note

CODES = [code for code in StatusCode if code != StatusCode.OK]
MESSAGE = "Größe „zu“ klein: 100 %, 五 stars ⭐\n\tsecond line, 50%25 \x7f"


@pytest.mark.parametrize("kind", KINDS)
async def test_every_code_and_its_message(pair: Pair, kind: Kind) -> None:
    calls = [Call(kind, (Request(text=f"status {int(code)} {code.name}: {MESSAGE}", number=2),)) for code in CODES]
    outcomes = await pair.client.run(calls)
    assert [(outcome.code, outcome.message) for outcome in outcomes] == [
        (code, f"{code.name}: {MESSAGE}") for code in CODES
    ]
    for call, outcome in zip(calls, outcomes, strict=True):
        assert outcome.replies == tally(replies_before_the_end(call))
    assert [(await pair.server.record(call)).ended for call in calls] == CODES


@pytest.mark.parametrize("kind", KINDS)
async def test_code_without_a_message(pair: Pair, kind: Kind) -> None:
    outcome, _ = await pair.run(Call(kind, (Request(text="status 5"),)))
    assert (outcome.code, outcome.message) == (StatusCode.NOT_FOUND, "")


def replies_before_the_end(call: Call) -> list[Note]:
    """Make what a call that ends by its first request is answered with before."""
    (request,) = call.notes()
    if call.kind == "server_stream":
        return list(copies(request))
    return [request] if call.kind == "both_stream" else []
