"""The states of a call, and what each event makes of them."""

from collections.abc import Iterable

import pytest

from penstock import End, Origin, ServerStream, Status, StatusCode, UsageError, _life
from penstock._life import CLIENT, EVENTS, SERVER, State
from tests.unit.memory import both_ends, connected, settle

both_sides = pytest.mark.parametrize("states", [CLIENT, SERVER], ids=["client", "server"])

MISSING = [
    pytest.param(state, event, id=f"{side}-{state.name}-{event}")
    for side, states in (("client", CLIENT), ("server", SERVER))
    for state in states
    for event in EVENTS
    if event not in state.entries()
]


def reached(beginning: State) -> set[State]:
    """Give the states there is a way to, that one included."""
    found: set[State] = set()
    to_look_at = [beginning]
    while to_look_at:
        state = to_look_at.pop()
        if state not in found:
            found.add(state)
            to_look_at.extend(state.entries().values())
    return found


@both_sides
def test_every_state_can_be_reached_and_none_is_forgotten(states: tuple[State, ...]) -> None:
    assert reached(states[0]) == set(states)


@both_sides
def test_from_every_state_there_is_a_way_to_the_last_and_none_out_of_it(states: tuple[State, ...]) -> None:
    assert all(states[-1] in reached(state) for state in states)
    assert states[-1].entries() == {}


@both_sides
def test_no_state_is_come_to_twice(states: tuple[State, ...]) -> None:
    """A call grows older: so every loop over its life ends, and what a state frees is freed once."""
    assert all(state not in reached(into) for state in states for into in state.entries().values())


@both_sides
def test_a_call_ends_at_most_once(states: tuple[State, ...]) -> None:
    ended = [into for state in states for event, into in state.entries().items() if event == "end"]
    assert all("end" not in state.entries() for into in ended for state in reached(into))


@both_sides
def test_the_last_state_is_reached_only_after_the_end(states: tuple[State, ...]) -> None:
    def without_end(state: State) -> Iterable[State]:
        yield state
        for event, into in state.entries().items():
            if event != "end":
                yield from without_end(into)

    assert states[-1] not in set(without_end(states[0]))


def test_every_event_happens_somewhere() -> None:
    assert {event for state in (*CLIENT, *SERVER) for event in state.entries()} == set(EVENTS)


@pytest.mark.parametrize(("state", "event"), MISSING)
def test_an_event_without_an_entry_raises_and_names_the_state(state: State, event: str) -> None:
    with pytest.raises(AttributeError, match=event) as caught:
        getattr(state, event)
    assert caught.value.obj is state
    assert repr(state) == f"<{state.name}: {state.meaning}>"


async def take_all(stream: ServerStream[bytes, bytes]) -> None:
    async for _message in stream:
        pass


async def test_a_call_goes_through_the_states_of_its_side() -> None:
    async with connected(fallback=take_all) as channel:
        call = channel.stream("/test.Service/Method")
        states = [call._life]
        async with call:
            states.append(call._life)
            await call.end_sending()
            states.append(call._life)
            await settle()
            states.append(call._life)
        assert [*states, call._life] == [
            _life.MADE,
            _life.OPEN,
            _life.HALF_CLOSED,
            _life.ENDED,
            _life.LEFT,
        ]


async def test_a_call_that_was_cancelled_before_it_began_can_still_be_used_once() -> None:
    async with connected() as channel:
        call = channel.stream("/test.Service/Method")
        call.cancel()
        for error in (call._fresh_error().__class__, UsageError):
            with pytest.raises(error):
                await call.__aenter__()
        assert call._life is _life.LEFT


async def test_a_block_cannot_be_left_with_its_call_open() -> None:
    async with both_ends() as ends:
        with pytest.raises(AttributeError, match="leave"):
            ends.client._part()


async def test_a_call_is_not_released_a_second_time() -> None:
    async with both_ends() as ends:
        ends.client.cancel()
        await settle()
        assert ends.server._life is _life.RELEASED
        ends.server._status = None
        with pytest.raises(AttributeError, match="end"):
            ends.server._conclude(Status(StatusCode.OK), Origin.LOCAL, End.RETURNED)
