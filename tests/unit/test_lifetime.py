"""When a server sends a client away, on a clock that only the test moves."""

from __future__ import annotations

from typing import Any

from penstock import Limits
from penstock._lifetime import Lifetime
from penstock._timers import Timers
from tests.unit.manual_loop import ManualLoop

LATE = 1 / 32
"""By so much a timer may be late."""


class Connection:
    """The connection, as far as it is asked."""

    def __init__(self, loop: ManualLoop) -> None:
        self.loop = loop
        self.calls: set[object] = set()
        self.sent_away: list[tuple[str, float]] = []
        self.calls_ended_at: list[float] = []

    def send_away(self, text: str) -> None:
        self.sent_away.append((text, self.loop.now))

    def end_calls(self, why: str) -> None:
        self.calls_ended_at.append(self.loop.now)


def started(loop: ManualLoop, limits: Limits) -> tuple[Connection, Lifetime]:
    connection: Any = Connection(loop)
    lifetime = Lifetime(connection, Timers(loop.as_loop()), limits)
    lifetime.start()
    return connection, lifetime


def test_an_old_connection_is_sent_away_each_at_another_time() -> None:
    loop = ManualLoop(0.0)
    connections = [started(loop, Limits(max_connection_age_seconds=1000))[0] for _ in range(200)]
    loop.advance(2000)
    ages = []
    for connection in connections:
        ((text, age),) = connection.sent_away
        assert text == "max_age"
        ages.append(age)
    assert all(900 <= age <= 1100 + LATE for age in ages)
    assert max(ages) - min(ages) > 100


def test_the_grace_runs_from_there_and_without_one_calls_go_on() -> None:
    loop = ManualLoop(0.0)
    bounded, _ = started(loop, Limits(max_connection_age_seconds=1000, max_connection_age_grace_seconds=30))
    patient, _ = started(loop, Limits(max_connection_age_seconds=1000))
    loop.advance(5000)
    ((_, age),) = bounded.sent_away
    (ended,) = bounded.calls_ended_at
    assert 30 <= ended - age <= 30 + 2 * LATE
    assert patient.calls_ended_at == []


def test_an_unused_connection_is_sent_away() -> None:
    loop = ManualLoop(0.0)
    connection, _ = started(loop, Limits(max_connection_idle_seconds=60))
    loop.advance(59)
    assert connection.sent_away == []
    loop.advance(62)
    ((text, _),) = connection.sent_away
    assert text == "max_idle"


def test_a_connection_in_use_is_not_idle_and_its_time_runs_from_the_last_call() -> None:
    loop = ManualLoop(0.0)
    connection, lifetime = started(loop, Limits(max_connection_idle_seconds=60))
    call = object()
    loop.advance(50)
    connection.calls.add(call)
    loop.advance(500)
    assert connection.sent_away == []
    connection.calls.remove(call)
    lifetime.note_unused()
    loop.advance(559)
    assert connection.sent_away == []
    loop.advance(562)
    assert len(connection.sent_away) == 1


def test_a_connection_that_leaves_anyway_is_not_sent_away() -> None:
    loop = ManualLoop(0.0)
    connection, lifetime = started(loop, Limits(max_connection_idle_seconds=60, max_connection_age_seconds=60))
    lifetime.stop()
    loop.advance(500)
    assert connection.sent_away == []
