"""Does a soak fail for each thing that it looks at?"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import penstock
from penstock import End, Kind, StatusCode
from tests.stress.soak import process
from tests.stress.soak.events import NAMES, Events
from tests.stress.soak.lines import SORTS
from tests.stress.soak.memory import MIB, Memory
from tests.stress.soak.plan import Plan
from tests.stress.soak.promises import PROMISES, Calls
from tests.stress.soak.soak import LEAST, Soak
from tests.stress.soak.table import rows
from tests.stress.soak.tally import Tally
from tests.stress.soak.verdict import misses
from tests.stress.soak.watch import Watch
from tests.stress.soak.ways import WAYS

# A soak in which everything was as promised, to be spoiled.


def example(calls: Calls) -> list[Any]:
    """Give a row that is one of these."""
    of_each = (calls.lines, "cut"), (calls.ways, "return"), (calls.ends, "RETURNED"), (calls.codes, "OK")
    return [*((given or (other,))[0] for given, other in of_each), LEAST]


def report(calls: list[list[Any]]) -> dict[str, Any]:
    """What a process says at its end."""
    statistics = {
        name: {"calls_begun": 7, "calls_open": 0, "ends": {"returned": 7}, "connection_ends": {"closed": 1}}
        for name in SORTS
    }
    return {"calls": calls, "wrong": 0, "told": [], "left": [], "running": [], "open": 0, "statistics": statistics}


@pytest.fixture
def soak() -> Soak:
    """Give one that is clean."""
    soak = Soak(120.0, 1_000_000, seed=1, took_seconds=120.0, least=LEAST)
    soak.events = Events(1, "asyncio")
    soak.events.counts.update(dict.fromkeys(NAMES, LEAST))
    soak.client = {
        **report([example(promise.client) for promise in PROMISES if promise.client is not None]),
        "made": 1_000_000,
    }
    soak.client["calls"] += [["direct", name, "RETURNED", "OK", LEAST] for name in WAYS]
    soak.server = report([example(promise.server) for promise in PROMISES if promise.server is not None])
    soak.server["calls"] += [["direct", name, "RETURNED", "OK", LEAST] for name, way in WAYS.items() if way.of_server]
    soak.events.reports.append(report([]))
    soak.events.visits.append({"calls": [], "wrong": 0, "told": []})
    soak.memory = {"client": memory(lambda _call: 40 * MIB)}
    return soak


def memory(rss_bytes: Callable[[int], float]) -> Memory:
    """Sample a process of so many bytes, 500 calls a second for two minutes."""
    return Memory("client", [(second, 500 * second, int(rss_bytes(500 * second))) for second in range(1, 121)])


def test_a_soak_without_a_fault_has_missed_nothing(soak: Soak) -> None:
    assert misses(soak) == []
    assert any("1,000,000 calls" in row for row in rows(soak))


Spoil = Callable[[Soak], object]
FAULTS: dict[str, tuple[Spoil, str]] = {
    "wrong-client": (lambda soak: soak.client.update(wrong=1, told=["an end"]), "1 wrong on the client"),
    "wrong-server": (lambda soak: soak.server.update(wrong=1, told=["an end"]), "1 wrong on the server"),
    "wrong-doomed": (lambda soak: soak.events.reports[0].update(wrong=1), "1 wrong on a doomed server"),
    "wrong-visitor": (lambda soak: soak.events.visits[0].update(wrong=1), "1 wrong on a client that ended"),
    "left-client": (lambda soak: soak.client["left"].append("tasks: 1"), "left on the client: tasks: 1"),
    "left-server": (lambda soak: soak.server["left"].append("descriptors: 1"), "left on the server: descriptors: 1"),
    "left-doomed": (lambda soak: soak.events.reports[0]["left"].append("tasks: 2"), "left on a doomed server: tasks"),
    "open": (lambda soak: soak.client["statistics"]["cut"].update(calls_open=1), "the client, cut: 7 calls began, 7"),
    "lost-count": (lambda soak: soak.client["statistics"]["cut"].update(calls_begun=8), "8 calls began, 7 ended"),
    "detached": (
        lambda soak: soak.server["statistics"]["cut"].update(handlers_detached_in_all=1),
        "the server, cut: 1 handlers were detached",
    ),
    "handler-runs": (lambda soak: soak.server["running"].append("a plan"), "a handler was not closed: a plan"),
    "no-end": (lambda soak: soak.server.update(open=3), "3 calls have no end"),
    "connection-too-many": (
        lambda soak: soak.server["statistics"]["reset"]["connection_ends"].update({"connection lost": 1}),
        "reset: 0 events, and connections of the server ended so",
    ),
    "connection-otherwise": (
        lambda soak: (
            soak.events.by_line.update(cut=1),
            soak.client["statistics"]["cut"]["connection_ends"].update({"broken": 1}),
        ),
        "cut: connections of the client ended so: {'broken': 1}",
    ),
    "sides-differ": (
        lambda soak: soak.client["calls"].append(["direct", "return", "RETURNED", "OK", 1]),
        "direct, return: 21 on the client, 20 on the server",
    ),
    "never-called": (
        lambda soak: soak.server["calls"].append(["direct", "unknown method", "RAISED", "OK", 1]),
        "direct, unknown method: handlers ran 1 times",
    ),
    "grows": (
        lambda soak: soak.memory.update(client=memory(lambda call: 40 * MIB + 200 * call)),
        "memory of the client",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_alone_is_a_miss(soak: Soak, name: str) -> None:
    spoil, told = FAULTS[name]
    spoil(soak)
    missed = misses(soak)
    assert any(told in miss for miss in missed), missed


@pytest.mark.parametrize("name", NAMES)
def test_an_event_that_comes_too_seldom_is_a_miss(soak: Soak, name: str) -> None:
    soak.events.counts[name] -= 1
    assert misses(soak) == [f"{name}: 19 times, and it should be 20 at least"]


SIDES = [(promise.name, side) for promise in PROMISES for side in ("client", "server") if getattr(promise, side)]


@pytest.mark.parametrize(("name", "side"), SIDES)
def test_a_promised_way_that_comes_too_seldom_on_a_side_is_a_miss(soak: Soak, name: str, side: str) -> None:
    (calls,) = [getattr(promise, side) for promise in PROMISES if promise.name == name]
    report = getattr(soak, side)
    report["calls"] = [row for row in report["calls"] if not calls.count([{"calls": [row]}])]
    assert f"{name}, on the {side}: 0 times, and it should be 20 at least" in misses(soak)


# Memory.


def sawtooth(call: int) -> float:
    """Go up and down as allocators do, with one peak."""
    return 40 * MIB + (call % 3000) * MIB / 1000 + (30 * MIB if call == 50_000 else 0)


@pytest.mark.parametrize(
    ("shape", "is_flat"),
    [
        (lambda _call: 40 * MIB, True),
        (sawtooth, True),
        (lambda call: 40 * MIB + 2000 * min(call, 30_000), True),
        (lambda call: sawtooth(call) + 200 * call, False),
        (lambda call: 40 * MIB + (0 if call < 45_000 else 6 * MIB), False),
    ],
    ids=["constant", "sawtooth", "warm-up", "leak-of-200-bytes-a-call", "step"],
)
def test_memory_is_flat_when_only_its_noise_is_left(shape: Callable[[int], float], is_flat: bool) -> None:
    seen = memory(shape)
    assert seen.is_judged
    assert seen.is_flat is is_flat, str(seen)


def test_a_million_calls_show_a_leak_of_twelve_bytes_a_call() -> None:
    samples = [
        (float(second), 1000 * second, int(sawtooth(1000 * second) + 12_000 * second)) for second in range(1, 1001)
    ]
    assert not Memory("client", samples).is_flat


def test_a_short_soak_says_nothing_of_memory() -> None:
    seen = Memory("client", memory(lambda call: 2000.0 * call).samples[:60])
    assert not seen.is_judged
    assert "too short to be judged" in str(seen)


# What the processes find themselves.


async def leave_a_task() -> Callable[[], Awaitable[object]]:
    task = asyncio.ensure_future(asyncio.Event().wait())

    async def mend() -> None:
        task.cancel()
        await asyncio.wait([task])

    return mend


async def leave_a_descriptor() -> Callable[[], Awaitable[object]]:
    descriptor = os.open("/dev/null", os.O_RDONLY)

    async def mend() -> None:
        os.close(descriptor)

    return mend


async def leave_a_channel() -> Callable[[], Awaitable[object]]:
    return penstock.Channel("127.0.0.1:1").close


@pytest.mark.parametrize(
    ("leave", "told"),
    [(leave_a_task, "tasks: 1"), (leave_a_descriptor, "descriptors: 1"), (leave_a_channel, "objects Channel: 1")],
)
async def test_a_process_finds_what_it_has_left(
    leave: Callable[[], Awaitable[Callable[[], Awaitable[object]]]], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SETTLING_SECONDS", 0.0)
    before = process.descriptors()
    assert await process.left(before) == []
    mend = await leave()
    try:
        assert told in await process.left(before)
    finally:
        await mend()


class Ended:
    """A call of a server that has ended somehow."""

    def __init__(self, plan: Plan, end: End) -> None:
        self.metadata = plan.metadata()
        self.end = end
        self.status = penstock.Status(StatusCode.OK)


@pytest.mark.parametrize(("end", "wrong"), [(End.RETURNED, 0), (End.CONNECTION_LOST, 1)])
def test_a_server_counts_an_end_that_is_not_of_its_way_as_wrong(end: End, wrong: int) -> None:
    tally = Tally()
    watch = Watch(tally)
    with watch.serving(Ended(Plan(WAYS["return"], Kind.UNARY, "direct"), end)):  # type: ignore[arg-type]  # as one
        pass
    watch.sweep()
    assert tally.wrong == wrong
