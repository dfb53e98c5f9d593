"""What a server has taken on: each limit one below, at, and one above."""

import logging
import math
from typing import Any

import pytest

from penstock import Admission, End, Status, UsageError
from penstock._admission import Entrance, Gatekeeper, Meters, Setting
from penstock.admission import MOST_SECONDS
from penstock.method import Kind

UNARY, STREAM, UPLOAD, OTHER = "/a.B/Unary", "/a.B/Stream", "/a.B/Upload", "/x.Y/Unary"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
KINDS = {
    UNARY: Kind.UNARY,
    STREAM: Kind.SERVER_STREAM,
    UPLOAD: Kind.CLIENT_STREAM,
    OTHER: Kind.UNARY,
    CHECK: Kind.UNARY,
    WATCH: Kind.SERVER_STREAM,
}
HERE, THERE = "127.0.0.1:1000", "[::1]:1000"


class Call:
    """What admission sees of a call."""

    peer = "127.0.0.1:1000"

    def __init__(self, method: str) -> None:
        self.method = method
        self._places: Meters = ()
        self.refused: Status | None = None
        self.trailers: dict[str, Any] = {}

    def _close(self, status: Status, end: End, trailers: list[tuple[str, Any]]) -> None:
        assert end is End.REFUSED
        self.refused, self.trailers = status, dict(trailers)

    def leave(self) -> None:
        """Give its places back, as a connection does."""
        for place in self._places:
            place.taken -= 1


class House:
    """A gatekeeper and its entrances."""

    def __init__(self, kinds: dict[str, Kind] = KINDS, **settings: Any) -> None:
        self.now = 0.0
        self.keeper = Gatekeeper(Admission(**settings), kinds, lambda: self.now)
        self.door = self.entrance()

    def entrance(self, address: str = HERE) -> Entrance:
        return Entrance(self.keeper, address)

    def call(self, path: str, door: Entrance | None = None) -> Call:
        call: Any = Call(path)
        assert (door or self.door).admit(call) is (call.refused is None)
        return call  # type: ignore[no-any-return]

    def takes(self, path: str, door: Entrance | None = None) -> bool:
        """Whether one more call is taken; it is gone afterwards."""
        call = self.call(path, door)
        call.leave()
        return call.refused is None

    def counts(self) -> tuple[int, int]:
        return self.keeper.calls.taken, self.keeper.streams.taken


# (settings for one limit of 3, path that it is for, whether another connection, another address has its own)
LIMITS: list[tuple[dict[str, Any], str, bool, bool]] = [
    ({"max_calls": 3}, UNARY, False, False),
    ({"max_calls_per_peer": 3}, UNARY, False, True),
    ({"max_calls_per_peer": 3}, STREAM, False, True),
    ({"max_calls_per_connection": 3}, UNARY, True, True),
    ({"max_calls_per_connection": 3}, STREAM, True, True),
    ({"max_calls_per_method": {UNARY: 3}}, UNARY, False, False),
    ({"max_calls_per_method": {"/a.B/": 3}}, STREAM, False, False),
    ({"max_calls_per_method": {"/no.Service/": 3}}, "/no.Service/Unknown", False, False),
    ({"max_calls_per_method": {"/no.Service/Unknown": 3}}, "/no.Service/Unknown", False, False),
    ({"max_streams": 3}, STREAM, False, False),
    ({"max_streams": 3}, UPLOAD, False, False),
    ({"max_streams": 3}, "/no.Service/Unknown", False, False),
    ({"max_streams_per_peer": 3}, STREAM, False, True),
    ({"max_streams_per_connection": 3}, STREAM, True, True),
]
each_limit = pytest.mark.parametrize(("settings", "path", "per_connection", "per_peer"), LIMITS)


@each_limit
def test_a_limit_is_reached_exactly(settings: dict[str, Any], path: str, per_connection: bool, per_peer: bool) -> None:
    house = House(**settings)
    calls = [house.call(path) for _ in range(3)]
    assert [call.refused for call in calls] == [None, None, None]
    before = house.counts()
    above = house.call(path)
    assert above.refused is not None
    name = next(iter(settings))
    assert above.refused.code.name == "RESOURCE_EXHAUSTED"
    assert above.refused.message.startswith(name)
    assert above.refused.message.endswith("=3 is reached")
    assert house.counts() == before, "a call that was refused does not count"
    assert house.takes(path, house.entrance()) is per_connection
    assert house.takes(path, house.entrance(THERE)) is per_peer
    calls[0].leave()
    assert house.takes(path)


@each_limit
def test_a_place_that_was_given_back_is_free(
    settings: dict[str, Any], path: str, per_connection: bool, per_peer: bool
) -> None:
    del per_connection, per_peer
    house = House(**settings)
    for _ in range(100):
        calls = [house.call(path) for _ in range(4)]
        assert [call.refused is None for call in calls] == [True, True, True, False]
        for call in calls:
            call.leave()
    assert house.counts() == (0, 0)


@pytest.mark.parametrize(
    "settings", [{"max_streams": 3}, {"max_streams_per_peer": 3}, {"max_streams_per_connection": 3}]
)
def test_streams_at_their_limit_leave_unary_calls_alone(settings: dict[str, Any]) -> None:
    house = House(**settings)
    streams = [house.call(STREAM) for _ in range(4)]
    assert streams[-1].refused is not None
    assert all(house.call(UNARY).refused is None for _ in range(50))


def test_a_limit_of_one_method_leaves_the_others_alone() -> None:
    house = House(max_calls_per_method={UNARY: 1, "/a.B/": 3})
    assert house.call(UNARY).refused is None
    assert not house.takes(UNARY)
    assert house.call(STREAM).refused is None
    assert house.call(STREAM).refused is None
    assert not house.takes(STREAM), "the service is full"
    assert house.takes(OTHER)


def test_what_was_taken_before_the_full_one_was_found_is_given_back() -> None:
    house = House(max_calls=2, max_calls_per_connection=2, max_calls_per_peer=1)
    assert house.call(UNARY).refused is None
    assert not house.takes(UNARY)
    assert house.counts() == (1, 0)
    there = house.entrance(THERE)
    assert house.call(UNARY, there).refused is None
    assert house.counts() == (2, 0)


@pytest.mark.parametrize(
    ("most", "share", "streams"),
    [
        (100, 0.1, 90),
        (100, 0.29, 71),
        (100, 0, 100),
        (10, 0.1, 9),
        (5, 0.1, 4),
        (2, 0.1, 1),
        (1, 0.9, 1),
        (30, 0.1, 27),
    ],
)
def test_streams_leave_a_share_free_for_unary_calls(most: int, share: float, streams: int) -> None:
    house = House(max_calls=most, unary_share=share)
    taken = [house.call(STREAM) for _ in range(most)]
    assert sum(call.refused is None for call in taken) == streams
    unary = [house.call(UNARY) for _ in range(most - streams + 1)]
    assert [call.refused is None for call in unary] == [True] * (most - streams) + [False]


def test_a_stream_that_finds_only_the_share_left_is_told_so() -> None:
    house = House(max_calls=10, unary_share=0.2)
    *_, last = [house.call(STREAM) for _ in range(9)]
    assert last.refused is not None
    assert last.refused.message == "max_calls=10 is reached for streams: unary_share=0.2 stays free"
    assert house.keeper.refused == {"unary_share": 1}


@pytest.mark.parametrize("path", [CHECK, WATCH])
def test_health_is_asked_whatever_else_is_full(path: str) -> None:
    house = House(
        max_calls=1, max_calls_per_connection=1, max_streams=1, max_calls_per_method={path: 1}, max_health_calls=3
    )
    assert house.call(UNARY).refused is None
    asked = [house.call(path) for _ in range(4)]
    assert [call.refused is None for call in asked] == [True, True, True, False]
    assert house.counts() == (1, 0)
    asked[0].leave()
    assert house.takes(path)


@pytest.mark.parametrize("path", [CHECK, WATCH])
def test_a_fallback_that_is_asked_for_health_has_the_same_share(path: str) -> None:
    house = House({}, max_calls=1, max_health_calls=3)
    assert house.call("/a.B/C").refused is None
    assert [house.call(path).refused is None for _ in range(4)] == [True, True, True, False]


def test_those_who_watch_health_take_nothing_from_those_who_check_it() -> None:
    house = House(max_calls=1, max_health_calls=3)
    assert house.call(UNARY).refused is None
    assert [house.call(WATCH).refused is None for _ in range(4)] == [True, True, True, False]
    assert house.takes(CHECK)


def test_health_beyond_its_share_counts_as_any_other_call() -> None:
    house = House(max_calls=10, max_health_calls=1)
    first, second = house.call(WATCH), house.call(WATCH)
    assert (first.refused, second.refused) == (None, None)
    assert house.counts() == (1, 1)
    second.leave()
    first.leave()
    assert house.counts() == (0, 0)


# Peers and connections.


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("127.0.0.1:1", "127.0.0.1:2", True),
        ("127.0.0.1:1", "127.0.0.2:1", False),
        ("[::1]:1", "[::1]:2", True),
        ("[::1]:1", "[::2]:1", False),
        ("[2001:db8::1]:1", "[2001:db8::ffff:ffff:ffff:ffff]:2", True),
        ("[2001:db8::1]:1", "[2001:db8:0:1::1]:1", False),
        ("[::ffff:192.0.2.1]:1", "192.0.2.1:2", True),
        ("[::ffff:192.0.2.1]:1", "[::ffff:192.0.2.2]:1", False),
        ("[fe80::1%eth0]:1", "[fe80::1%eth0]:2", True),
        ("[fe80::1%eth0]:1", "[fe80::2%eth0]:1", False),
        ("unix:", "unix:/run/client:7", True),
        ("unix:", "127.0.0.1:1", False),
    ],
)
def test_a_peer_is_an_address_without_its_port(one: str, other: str, same: bool) -> None:
    keeper = Gatekeeper(Admission(), KINDS)
    peer = keeper.peer(one)
    assert (keeper.peer(other) is peer) is same


@pytest.mark.parametrize(("name", "per_peer"), [("max_connections", False), ("max_connections_per_peer", True)])
def test_connections_are_counted_from_entrance_to_close(name: str, per_peer: bool) -> None:
    keeper = Gatekeeper(Admission(**{name: 2}), KINDS)  # type: ignore[arg-type]  # the name is a count's
    assert keeper.full_for(HERE) is None
    first = Entrance(keeper, HERE)
    assert keeper.full_for(HERE) is None
    second = Entrance(keeper, "127.0.0.1:1001")
    full = keeper.full_for(HERE)
    assert full is not None
    assert full.status.message == f"{name}=2 is reached"
    assert (keeper.full_for(THERE) is None) is per_peer
    first.close()
    first.close()
    assert keeper.full_for(HERE) is None
    assert keeper.connections.taken == 1
    second.close()
    assert keeper.connections.taken == 0


def test_a_peer_that_comes_back_finds_what_its_calls_still_take() -> None:
    house = House(max_calls_per_peer=2)
    call = house.call(UNARY)
    house.door.close()
    again = house.entrance()
    assert house.call(UNARY, again).refused is None
    assert not house.takes(UNARY, again)
    call.leave()
    assert house.takes(UNARY, again)


def test_a_peer_that_left_is_forgotten() -> None:
    house = House()
    for number in range(1000):
        house.entrance(f"10.0.{number // 256}.{number % 256}:1").close()
    assert list(house.keeper._peers) == ["127.0.0.1"]


def test_paths_that_nobody_serves_are_not_remembered() -> None:
    house = House(max_calls_per_method={UNARY: 1})
    for number in range(1000):
        assert house.takes(f"/no.Service/Number{number}")
    for path in KINDS:
        assert house.takes(path)
    assert house.door._known.keys() == {UNARY, STREAM, UPLOAD, OTHER}


def test_a_limit_for_what_nobody_serves_is_a_mistake() -> None:
    Gatekeeper(Admission(max_calls_per_method={UNARY: 1, "/a.B/": 1}), KINDS).check_methods()
    for path in ("/a.B/Unknown", "/a.C/"):
        keeper = Gatekeeper(Admission(max_calls_per_method={path: 1}), KINDS)
        with pytest.raises(UsageError, match=f"^max_calls_per_method has '{path}', which no service has$"):
            keeper.check_methods()


# What is told.


def pushbacks(seconds: float) -> list[int]:
    house = House(max_calls=1, retry_after_seconds=seconds)
    assert house.call(UNARY).refused is None
    return [int(house.call(UNARY).trailers["grpc-retry-pushback-ms"]) for _ in range(200)]


def test_each_refused_call_gets_a_hint_of_its_own() -> None:
    hints = pushbacks(10)
    assert min(hints) >= 5000
    assert max(hints) <= 15000
    assert len(set(hints)) > 100


def test_the_longest_hint_fits_into_what_clients_keep_it_in() -> None:
    assert max(pushbacks(MOST_SECONDS)) < 2**31


@pytest.mark.parametrize(("seconds", "hint"), [(0, 1), (0.0001, 1), (math.inf, -1)])
def test_a_client_may_be_told_to_come_back_at_once_or_never(seconds: float, hint: int) -> None:
    assert set(pushbacks(seconds)) == {hint}


def test_a_flood_is_counted_whole_and_logged_once_a_second_for_each_limit(caplog: pytest.LogCaptureFixture) -> None:
    house = House(max_calls=2, max_streams=1)
    assert house.call(STREAM).refused is None
    for _ in range(1000):
        house.call(STREAM)
    assert house.call(UNARY).refused is None
    for _ in range(500):
        house.call(UNARY)
    house.now += 0.999
    house.call(UNARY)
    house.now += 0.002
    house.call(UNARY)
    assert house.keeper.refused == {"max_streams": 1000, "max_calls": 502}
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
    assert [record.getMessage() for record in caplog.records] == [
        "/a.B/Stream from 127.0.0.1:1000 is refused: max_streams=1 is reached; 1 so far",
        "/a.B/Unary from 127.0.0.1:1000 is refused: max_calls=2 is reached; 1 so far",
        "/a.B/Unary from 127.0.0.1:1000 is refused: max_calls=2 is reached; 502 so far",
    ]


def test_a_limit_says_its_name_and_number() -> None:
    assert Setting.of(Admission(max_calls=7), "max_calls").status.message == "max_calls=7 is reached"
