"""Metadata both ways: text and bytes, keys that come more than once, before the messages and after them."""

import pytest

from penstock import MetadataValue, StatusCode
from tests.interop.calls import KINDS, Call, Kind, Request, all_replies, echoed, tally
from tests.interop.peers import Pair

EVERY_BYTE = bytes(range(256))

VALUES: list[tuple[str, MetadataValue]] = [
    ("text", "one"),
    ("data-bin", EVERY_BYTE),
    ("text", "two, and more"),
    ("text", "one"),
    ("data-bin", b""),
    ("data-bin", b"a,b"),
    ("printable", "".join(map(chr, range(0x21, 0x7F)))),
    ("inner-space", "a  b"),
    ("empty", ""),
    ("long", "x" * 1500),  # all of it stays below 8 KiB: above, grpcio's servers refuse calls at random
    ("with.dot_and-dash0", "0"),
    *(("one-byte-more-bin", EVERY_BYTE[:length]) for length in range(1, 5)),
]


def prefixed(prefix: str) -> list[tuple[str, MetadataValue]]:
    return [(prefix + key, value) for key, value in VALUES]


@pytest.mark.parametrize("kind", KINDS)
async def test_metadata_there_and_back(pair: Pair, kind: Kind) -> None:
    initial, trailing = prefixed("initial-"), prefixed("trailing-")
    call = Call(kind, (Request(text="x", number=3),), metadata=(*initial, *trailing))
    outcome, record = await pair.run(call)
    assert outcome.code == StatusCode.OK
    assert outcome.initial == echoed(initial)
    assert outcome.trailing == echoed(trailing)
    assert outcome.replies == tally(all_replies(call))
    assert record.ended == StatusCode.OK


@pytest.mark.parametrize("kind", KINDS)
async def test_trailing_metadata_comes_with_an_error(pair: Pair, kind: Kind) -> None:
    trailing = prefixed("trailing-")
    call = Call(kind, (Request(text="status 9 no"),), metadata=tuple(trailing))
    outcome, _ = await pair.run(call)
    assert (outcome.code, outcome.message) == (StatusCode.FAILED_PRECONDITION, "no")
    assert outcome.initial == {}
    assert outcome.trailing == echoed(trailing)


@pytest.mark.parametrize("kind", KINDS)
async def test_initial_metadata_comes_with_an_error(pair: Pair, kind: Kind) -> None:
    initial, trailing = prefixed("initial-"), prefixed("trailing-")
    call = Call(kind, (Request(text="status 9 no"),), metadata=(*initial, *trailing))
    outcome, _ = await pair.run(call)
    assert (outcome.code, outcome.message) == (StatusCode.FAILED_PRECONDITION, "no")
    assert outcome.initial == echoed(initial)
    assert outcome.trailing == echoed(trailing)
