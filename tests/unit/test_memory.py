"""Which call ends when calls together keep too much."""

from types import SimpleNamespace
from typing import Any

import pytest

from penstock import Admission, Limits, _memory
from penstock._admission import Entrance, Gatekeeper
from penstock._memory import Memory, Portion

SMALL = Limits(stream_window_bytes=10, max_receive_message_bytes=10)
"""One call may hold 20."""

GET, PUT, LIST = "/shop.Shop/Get", "/shop.Shop/Put", "/shop.Shop/List"


class Budget:
    """The engine's, whose users say what they use."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.used_bytes = 0


@pytest.fixture(autouse=True)
def budgets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_memory, "_engine", SimpleNamespace(Budget=Budget))


class Engine:
    """A connection's: what its calls keep, and of which budgets."""

    def __init__(self) -> None:
        self.calls: dict[int, int] = {}
        self.why: list[str] = []
        self._shared: list[Budget] = []
        self._of_call: dict[int, list[Budget]] = {}

    @property
    def held_bytes(self) -> int:
        return sum(kept for number, kept in self.calls.items() if number % 2)

    @property
    def queued_bytes(self) -> int:
        return sum(kept for number, kept in self.calls.items() if not number % 2)

    def share(self, budgets: list[Budget]) -> None:
        self._shared = budgets

    def share_call(self, number: int, budgets: list[Budget]) -> None:
        self._of_call[number] = budgets

    def keep(self, number: int, kept: int) -> None:
        self.calls[number] = kept
        for budget in (*self._shared, *self._of_call.get(number, ())):
            budget.used_bytes += kept

    def shed(self, budget: Budget | None, why: str) -> bool:
        among = [number for number in self.calls if budget is None or budget in self._of_call.get(number, ())]
        if not among:
            return False
        largest = max(among, key=self.calls.__getitem__)
        for each in (*self._shared, *self._of_call.get(largest, ())):
            each.used_bytes -= self.calls[largest]
        del self.calls[largest]
        self.why.append(why)
        return True


class Connection:
    """One whose calls, each named by its method or by nothing, keep so much."""

    def __init__(self, memory: Memory, peer: str, *calls: int | tuple[str, int]) -> None:
        self.peer = peer
        self.engine = Engine()
        self.entrance = Entrance(memory._keeper, peer)
        self.portion = Portion(memory, self.engine, self.entrance.peer)  # type: ignore[arg-type]  # as much as it needs
        for number, call in enumerate(calls):
            path, kept = call if isinstance(call, tuple) else (LIST, call)
            self.portion.add(number, path)
            self.engine.keep(number, kept)

    @property
    def left(self) -> list[int]:
        return list(self.engine.calls.values())


def memory(**settings: Any) -> tuple[Any, Gatekeeper]:
    admission = Admission(**settings)
    keeper = Gatekeeper(admission, {})
    return Memory(admission, SMALL, keeper), keeper


def test_what_one_call_may_hold_is_always_allowed() -> None:
    for limit_bytes, effective in ((1, 20), (19, 20), (20, 20), (21, 21)):
        made, keeper = memory(
            max_buffered_bytes=limit_bytes + 1,
            max_buffered_bytes_per_peer=limit_bytes,
            max_buffered_bytes_per_method={GET: limit_bytes},
        )
        peer, everybody = made.of_peer(keeper.peer("one:1"))
        (method,) = made.of_method(GET)
        assert everybody.budget.limit_bytes == max(limit_bytes + 1, 20)
        assert [quota.budget.limit_bytes for quota in (peer, method)] == [effective, effective]


@pytest.mark.parametrize("used", [99, 100])
def test_up_to_the_limit_nobody_ends(used: int) -> None:
    made, keeper = memory(max_buffered_bytes=100)
    connection = Connection(made, "one", used)
    made.relieve(connection, [connection])
    assert connection.left == [used]
    assert not keeper.refused


def test_the_largest_call_of_the_connection_that_keeps_most_ends() -> None:
    made, keeper = memory(max_buffered_bytes=100)
    one, two = Connection(made, "one", 40), Connection(made, "two", 20, 21, 20)
    made.relieve(one, [one, two])
    assert (one.left, two.left) == ([40], [20, 20])
    assert two.engine.why == ["max_buffered_bytes=100 is reached"]
    assert keeper.refused == {"max_buffered_bytes": 1}


def test_so_many_end_as_have_to() -> None:
    made, keeper = memory(max_buffered_bytes=100)
    one, two = Connection(made, "one", 30, 30, 30), Connection(made, "two", 70, 80)
    made.relieve(one, [one, two])
    # 240, then 160 without the 80; then `one` keeps most, 90: 130, and `two` again: 60.
    assert (one.left, two.left) == ([30, 30], [])
    assert keeper.refused == {"max_buffered_bytes": 3}


def test_a_peer_pays_for_itself() -> None:
    made, keeper = memory(max_buffered_bytes=1000, max_buffered_bytes_per_peer=100)
    elsewhere = Connection(made, "10.0.0.2:1", 99)
    one, two = Connection(made, "10.0.0.1:1", 30, 30), Connection(made, "10.0.0.1:2", 41)
    made.relieve(elsewhere, [one, two, elsewhere])
    assert not keeper.refused, "it is no matter of his"
    made.relieve(two, [one, two, elsewhere])
    assert (one.left, two.left, elsewhere.left) == ([30], [41], [99])
    assert keeper.refused == {"max_buffered_bytes_per_peer": 1}


def test_a_peer_is_forgotten_with_its_last_connection() -> None:
    made, keeper = memory(max_buffered_bytes_per_peer=100)
    one, two = Connection(made, "10.0.0.1:1", 30), Connection(made, "10.0.0.1:2", 30)
    assert len(keeper._peers) == 1
    del one
    assert len(keeper._peers) == 1
    del two
    assert len(keeper._peers) == 0


def test_a_limit_for_a_peer_that_is_none_costs_nothing() -> None:
    made, keeper = memory(max_buffered_bytes=100, max_buffered_bytes_per_peer=100)
    assert made.of_peer(keeper.peer("10.0.0.1:1")) == [made.of_all]


def test_a_method_pays_for_itself() -> None:
    made, keeper = memory(max_buffered_bytes_per_method={GET: 100})
    one = Connection(made, "one", (GET, 30), (GET, 20), (PUT, 500))
    two = Connection(made, "two", (GET, 51))
    made.relieve(one, [one, two])
    assert (one.left, two.left) == ([30, 20, 500], []), "of `two` this method keeps most"
    assert two.engine.why == [f"max_buffered_bytes_per_method['{GET}']=100 is reached"]
    assert keeper.refused == {f"max_buffered_bytes_per_method['{GET}']": 1}


def test_a_method_counts_in_its_service_too() -> None:
    made, keeper = memory(max_buffered_bytes_per_method={GET: 100, "/shop.Shop/": 150})
    one = Connection(made, "one", (GET, 40), (GET, 50), (PUT, 61))
    made.relieve(one, [one])
    assert one.left == [40, 50], "the service's, whose largest it was"
    two = Connection(made, "two", (GET, 30))
    made.relieve(two, [one, two])
    assert (one.left, two.left) == ([40], [30])
    assert sorted(keeper.refused.values()) == [1, 1]


@pytest.mark.parametrize("calls", [None, ()])
def test_what_nobody_can_give_back_is_left_alone(calls: tuple[int, ...] | None) -> None:
    made, keeper = memory(max_buffered_bytes=100, max_buffered_bytes_per_method={GET: 100})
    grown = Connection(made, "one")
    for quota in (made.of_all, *made.of_method(GET)):
        quota.budget.used_bytes = 200  # of connections that have just gone, say
    made.relieve(grown, [] if calls is None else [grown])
    assert not keeper.refused
