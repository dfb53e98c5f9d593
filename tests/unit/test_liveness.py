"""When a peer is asked whether it is there, and when it is given up: on a clock that only the test moves."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from penstock import _engine
from penstock._liveness import LAST_LOOK_SECONDS, Liveness
from penstock._timers import Timers
from penstock.keepalive import ClientKeepalive, ServerKeepalive
from tests.unit.manual_loop import ManualLoop

LATE = 1 / 32
"""By so much a timer may be late."""


class Peer:
    """The connection, as far as it is asked, and the engine of it."""

    def __init__(self, loop: ManualLoop) -> None:
        self.loop = loop
        self.engine = self
        self.last_read_at = loop.now
        self.open_calls = 1
        self.asked_at: list[float] = []
        self.ended_at: list[float] = []
        self.answers = True

    def ping(self) -> None:
        self.asked_at.append(self.loop.now)
        if self.answers:
            self.last_read_at = self.loop.now + 0.001

    def end_silent(self, reason: str) -> None:
        assert "no answer to a PING" in reason
        self.ended_at.append(self.loop.now)

    def hear(self) -> None:
        """Something came."""
        self.last_read_at = self.loop.now


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> ManualLoop:
    manual = ManualLoop(1000.0)
    monkeypatch.setattr(_engine, "now", manual.time)
    return manual


def started(loop: ManualLoop, settings: ClientKeepalive | ServerKeepalive) -> tuple[Peer, Liveness]:
    peer: Any = Peer(loop)
    liveness = Liveness(peer, Timers(loop.as_loop()), settings)
    liveness.start()
    return peer, liveness


def test_a_peer_that_answers_is_asked_each_time_it_was_quiet_for_long(loop: ManualLoop) -> None:
    peer, _ = started(loop, ServerKeepalive(time_seconds=60))
    loop.advance(1000 + 200)
    assert [round(at - 1000) for at in peer.asked_at] == [60, 120, 180]
    assert peer.ended_at == []


def test_the_time_runs_from_the_last_byte_read(loop: ManualLoop) -> None:
    peer, _ = started(loop, ServerKeepalive(time_seconds=60))
    loop.advance(1059)
    peer.hear()
    loop.advance(1118)
    assert peer.asked_at == []
    loop.advance(1120)
    (asked,) = peer.asked_at
    assert 1119 <= asked <= 1119 + LATE


def test_a_silent_peer_is_given_up_after_time_and_timeout_and_not_before(loop: ManualLoop) -> None:
    peer, _ = started(loop, ServerKeepalive(time_seconds=60, timeout_seconds=20))
    peer.answers = False
    loop.advance(1079.9)
    assert len(peer.asked_at) == 1
    assert peer.ended_at == []
    loop.advance(1100)
    (ended,) = peer.ended_at
    assert 1080 <= ended <= 1080 + LAST_LOOK_SECONDS + 3 * LATE


def test_a_peer_that_may_be_silent_for_ever_is_never_given_up_and_is_asked_again_when_it_was_heard(
    loop: ManualLoop,
) -> None:
    peer, _ = started(loop, ServerKeepalive(time_seconds=60, timeout_seconds=inf))
    peer.answers = False
    loop.advance(5000)
    assert len(peer.asked_at) == 1
    peer.hear()
    loop.advance(5130)
    assert len(peer.asked_at) == 2
    assert peer.ended_at == []


def test_any_byte_is_an_answer(loop: ManualLoop) -> None:
    peer, _ = started(loop, ServerKeepalive(time_seconds=60, timeout_seconds=20))
    peer.answers = False
    loop.advance(1079)
    peer.hear()
    loop.advance(1130)
    assert peer.ended_at == []


def test_what_came_while_the_loop_was_blocked_counts(loop: ManualLoop) -> None:
    peer, liveness = started(loop, ServerKeepalive(time_seconds=60, timeout_seconds=20))
    peer.answers = False
    loop.advance(1061)
    # Blocked: timers run before the socket is looked at, and the answer waits in it.
    loop.now = 1200.0
    liveness._on_expired()
    assert peer.ended_at == []
    peer.hear()
    loop.advance(1201)
    assert peer.ended_at == []


def test_a_client_asks_only_while_it_has_calls_unless_told_otherwise(loop: ManualLoop) -> None:
    peer, liveness = started(loop, ClientKeepalive(time_seconds=60))
    peer.open_calls = 0
    loop.advance(1500)
    assert peer.asked_at == []
    assert liveness.is_dormant
    eager, _ = started(loop, ClientKeepalive(time_seconds=60, without_calls=True))
    eager.open_calls = 0
    loop.advance(1500 + 200)
    assert len(eager.asked_at) == 3


def test_a_call_on_a_connection_that_stood_unused_asks_first(loop: ManualLoop) -> None:
    peer, liveness = started(loop, ClientKeepalive(time_seconds=60, timeout_seconds=20))
    peer.open_calls, peer.answers = 0, False
    loop.advance(1500)
    peer.open_calls = 1
    liveness.wake()
    assert peer.asked_at == [1500.0]
    loop.advance(1530)
    assert len(peer.ended_at) == 1


def test_a_client_asks_no_sooner_than_after_ten_seconds(loop: ManualLoop) -> None:
    peer, _ = started(loop, ClientKeepalive(time_seconds=0.1))
    loop.advance(1000 + 25)
    assert [round(at - 1000) for at in peer.asked_at] == [10, 20]


def test_off_means_off(loop: ManualLoop) -> None:
    peer, _ = started(loop, ClientKeepalive())
    loop.advance(1e9)
    assert peer.asked_at == []


def test_after_the_end_nothing_is_asked(loop: ManualLoop) -> None:
    peer, liveness = started(loop, ServerKeepalive(time_seconds=60))
    liveness.stop()
    loop.advance(2000)
    assert peer.asked_at == []
