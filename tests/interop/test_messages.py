"""Messages of every size, many of them, and the ends of their streams."""

import pytest

from penstock import StatusCode
from tests.interop.calls import KINDS, Call, Kind, Request, Tally, all_replies, tally
from tests.interop.peers import Pair
from tests.protos.echo_pb2 import Note

MIB = 1024 * 1024

every_kind = pytest.mark.parametrize("kind", KINDS)
small_window = pytest.mark.parametrize("window_bytes", [65536])


def overhead(size: int) -> int:
    """Count the bytes around a payload that fills a message of so many bytes."""
    return Note(payload=bytes(size)).ByteSize() - size


async def check_all_arrives(pair: Pair, call: Call) -> None:
    outcome, record = await pair.run(call)
    assert (outcome.code, outcome.message) == (StatusCode.OK, "")
    assert outcome.replies == tally(all_replies(call))
    assert record.requests == tally(call.notes())
    assert record.ended == StatusCode.OK


@every_kind
async def test_empty_message(pair: Pair, kind: Kind) -> None:
    call = Call(kind)
    assert [note.ByteSize() for note in [*call.notes(), *all_replies(call)]] == [0, 0]
    await check_all_arrives(pair, call)


@every_kind
async def test_one_byte(pair: Pair, kind: Kind) -> None:
    await check_all_arrives(pair, Call(kind, (Request(payload_bytes=1),)))


def largest() -> Request:
    """Make the largest message that everybody takes unasked."""
    request = Request(payload_bytes=4 * MIB - overhead(4 * MIB))
    assert next(request.notes()).ByteSize() == 4 * MIB
    return request


@every_kind
async def test_four_mib(pair: Pair, kind: Kind) -> None:
    await check_all_arrives(pair, Call(kind, (largest(),)))


@every_kind
@small_window
async def test_four_mib_through_a_window_of_64_kib(pair: Pair, kind: Kind) -> None:
    await check_all_arrives(pair, Call(kind, (largest(),)))


@every_kind
async def test_request_above_the_limit_is_refused(pair: Pair, kind: Kind) -> None:
    call = Call(kind, (Request(payload_bytes=largest().payload_bytes + 1),))
    outcome = await pair.outcome(call)
    assert outcome.code == StatusCode.RESOURCE_EXHAUSTED
    assert outcome.replies.count == 0


@every_kind
async def test_reply_above_the_limit_is_refused(pair: Pair, kind: Kind) -> None:
    call = Call(kind, (Request(size=largest().payload_bytes + 1),))
    outcome = await pair.outcome(call)
    assert outcome.code == StatusCode.RESOURCE_EXHAUSTED
    assert outcome.replies.count == 0


async def test_thousand_calls_in_a_row(pair: Pair) -> None:
    calls = [Call("unary", (Request(text=f"call {number}", number=number),)) for number in range(1, 1001)]
    outcomes = []
    for start in range(0, len(calls), 100):
        outcomes += await pair.client.run(calls[start : start + 100])
    assert {outcome.code for outcome in outcomes} == {StatusCode.OK}
    assert [outcome.replies for outcome in outcomes] == [tally(all_replies(call)) for call in calls]
    assert (await pair.server.record(calls[-1])).requests == tally(calls[-1].notes())


@pytest.mark.parametrize(
    ("kind", "request_"),
    [
        ("server_stream", Request(text="x", number=10_000)),
        ("client_stream", Request(text="x", times=10_000)),
        ("both_stream", Request(text="x", times=10_000)),
    ],
)
async def test_ten_thousand_messages_in_a_row(pair: Pair, kind: Kind, request_: Request) -> None:
    await check_all_arrives(pair, Call(kind, (request_,)))


@pytest.mark.parametrize("kind", ["client_stream", "both_stream"])
async def test_no_request(pair: Pair, kind: Kind) -> None:
    outcome, record = await pair.run(Call(kind, ()))
    assert outcome.code == StatusCode.OK
    assert outcome.replies == tally([Note()] if kind == "client_stream" else [])
    assert record.requests == Tally()
    assert record.ended == StatusCode.OK


LONG_ANSWERS = [
    ("unary", Request(text="x", size=3 * MIB)),
    ("server_stream", Request(text="x", number=500, size=4096)),
    ("client_stream", Request(text="x", times=3, size=3 * MIB)),
    ("both_stream", Request(text="answer", number=500, size=4096)),
]


@pytest.mark.parametrize(("kind", "request_"), LONG_ANSWERS)
async def test_long_answer_after_the_half_close(pair: Pair, kind: Kind, request_: Request) -> None:
    await check_all_arrives(pair, Call(kind, (request_,)))


@small_window
@pytest.mark.parametrize(("kind", "request_"), LONG_ANSWERS)
async def test_long_answer_through_a_window_of_64_kib(pair: Pair, kind: Kind, request_: Request) -> None:
    await check_all_arrives(pair, Call(kind, (request_,)))
