"""Which call ends when all calls together keep too much."""

from typing import Any

import pytest

from penstock import Admission, End, Limits, Status
from penstock._admission import Gatekeeper
from penstock._memory import Memory

SMALL = Limits(stream_window_bytes=10, max_receive_message_bytes=10)


class Call:
    """One that waits to send so many bytes."""

    def __init__(self, connection: "Connection", queued: int) -> None:
        self._connection = connection
        self._queued_bytes = queued
        self.ended: list[tuple[str, End]] = []

    def _close(self, status: Status, end: End) -> None:
        self.ended.append((status.message, end))
        self._connection.queued_bytes -= self._queued_bytes
        self._queued_bytes = 0


class Connection:
    """A connection and its engine: what its calls hold, and what they have queued."""

    def __init__(
        self, budget: "Budget", peer: str, *, held: tuple[int, ...] = (), queued: tuple[int, ...] = ()
    ) -> None:
        self.peer = peer
        self.engine = self
        self.calls = [Call(self, count) for count in queued]
        self.held = sorted(held)
        self.held_bytes, self.queued_bytes = sum(held), sum(queued)
        self._budget = budget
        self._charged = 0
        self.flush()

    def shed(self) -> bool:
        if not self.held:
            return False
        self.held_bytes -= self.held.pop()
        self.flush()
        return True

    def flush(self) -> None:
        now = self.held_bytes + self.queued_bytes
        self._budget.used_bytes += now - self._charged
        self._charged = now


class Budget:
    """The engine's, whose users say what they use."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0


def memory(limit_bytes: int) -> tuple[Memory, Any, Gatekeeper]:
    keeper = Gatekeeper(Admission(), {})
    made = Memory(Admission(max_buffered_bytes=limit_bytes), SMALL, keeper)
    assert made.budget.limit_bytes == max(limit_bytes, 20)
    budget: Any = Budget(limit_bytes)
    made.budget = budget
    return made, budget, keeper


def test_what_one_call_may_hold_is_always_allowed() -> None:
    for limit_bytes, effective in ((1, 20), (19, 20), (20, 20), (21, 21)):
        made = Memory(Admission(max_buffered_bytes=limit_bytes), SMALL, Gatekeeper(Admission(), {}))
        assert made.budget.limit_bytes == effective


@pytest.mark.parametrize("used", [99, 100])
def test_up_to_the_limit_nobody_ends(used: int) -> None:
    made, budget, keeper = memory(100)
    connection: Any = Connection(budget, "one", held=(used,))
    made.relieve([connection])
    assert connection.held == [used]
    assert not keeper.refused


def test_the_largest_call_of_the_connection_that_keeps_most_ends(caplog: pytest.LogCaptureFixture) -> None:
    made, budget, keeper = memory(100)
    one: Any = Connection(budget, "one", held=(40,))
    two: Any = Connection(budget, "two", held=(20, 21, 20))
    made.relieve([one, two])
    assert (one.held, two.held) == ([40], [20, 20])
    assert keeper.refused == {"max_buffered_bytes": 1}
    assert [record.getMessage() for record in caplog.records] == [
        "the largest call from two is ended: max_buffered_bytes=100 is reached; 1 so far"
    ]


def test_so_many_end_as_have_to() -> None:
    made, budget, keeper = memory(100)
    one: Any = Connection(budget, "one", held=(30, 30, 30))
    two: Any = Connection(budget, "two", held=(70, 80))
    made.relieve([one, two])
    # 240, then 160 without the 80; then `one` keeps most, 90: 130, and `two` again: 60.
    assert (one.held, two.held) == ([30, 30], [])
    assert budget.used_bytes == 60
    assert keeper.refused == {"max_buffered_bytes": 3}


def test_where_most_is_queued_the_longest_queue_goes() -> None:
    made, budget, _ = memory(100)
    connection: Any = Connection(budget, "one", held=(30,), queued=(20, 50, 10))
    made.relieve([connection])
    assert [call._queued_bytes for call in connection.calls] == [20, 0, 10]
    assert [call.ended for call in connection.calls] == [
        [],
        [("max_buffered_bytes=100 is reached", End.LIMIT)],
        [],
    ]
    assert connection.held == [30]
    assert budget.used_bytes == 60


@pytest.mark.parametrize("connections", [0, 1])
def test_what_nobody_can_give_back_is_left_alone(connections: int) -> None:
    made, budget, keeper = memory(100)
    there: Any = [Connection(budget, "one", queued=())] * connections
    budget.used_bytes = 200  # of connections that have just gone, say
    made.relieve(there)
    assert not keeper.refused
