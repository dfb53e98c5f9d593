"""Entering interceptors, and leaving them with an outcome."""

import asyncio
import functools
import gc
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from penstock import RpcError, StatusCode, UsageError
from penstock._interception import Inside, awaited, check_awaitable, checked


class Noted:
    """An interceptor that writes down how it is entered and left."""

    def __init__(self, log: list[Any], name: str) -> None:
        self.log = log
        self.name = name

    @asynccontextmanager
    async def __call__(self, call: object) -> AsyncIterator[None]:
        self.log.append((self.name, call))
        try:
            yield
        except BaseException as error:
            self.log.append((self.name, error))
            raise
        self.log.append((self.name, None))


async def enter_all(inside: Inside, *interceptors: Any) -> None:
    for interceptor in interceptors:
        await inside.enter(interceptor, "call")


async def leave_all(inside: Inside, outcome: BaseException | None) -> BaseException | None:
    while inside:
        outcome = await inside.leave_innermost(outcome)
    return outcome


@pytest.mark.parametrize("outcome", [None, LookupError("mine"), asyncio.CancelledError(), KeyboardInterrupt()])
async def test_all_are_entered_in_order_and_left_in_the_other_order_with_the_same_outcome(
    outcome: BaseException | None,
) -> None:
    log: list[Any] = []
    inside = Inside()
    await enter_all(inside, Noted(log, "outer"), Noted(log, "inner"))
    assert await leave_all(inside, outcome) is outcome
    assert log == [("outer", "call"), ("inner", "call"), ("inner", outcome), ("outer", outcome)]
    assert not inside


async def test_nothing_is_entered_at_first() -> None:
    assert not Inside()


@pytest.mark.parametrize("error", [RpcError(StatusCode.ABORTED), LookupError(), asyncio.CancelledError()])
async def test_when_one_cannot_be_entered_those_before_it_are_inside_and_those_after_it_are_not(
    error: BaseException,
) -> None:
    @asynccontextmanager
    async def refuse(_call: object) -> AsyncIterator[None]:
        raise error
        yield

    log: list[Any] = []
    inside = Inside()
    with pytest.raises(type(error)) as caught:
        await enter_all(inside, Noted(log, "outer"), refuse, Noted(log, "inner"))
    assert caught.value is error
    assert await leave_all(inside, error) is error
    assert log == [("outer", "call"), ("outer", error)]


async def test_what_one_swallows_goes_on_and_what_one_raises_takes_its_place() -> None:
    @asynccontextmanager
    async def swallow(_call: object) -> AsyncIterator[None]:
        try:
            yield
        except LookupError:
            return

    mine = ValueError("mine")

    @asynccontextmanager
    async def replace(_call: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise mine

    log: list[Any] = []
    first = LookupError("first")
    inside = Inside()
    await enter_all(inside, Noted(log, "outer"), replace, Noted(log, "inner"), swallow)
    assert await leave_all(inside, first) is mine
    assert log[2:] == [("inner", first), ("outer", mine)]
    assert mine.__context__ is first


@asynccontextmanager
async def grouping(_call: object) -> AsyncIterator[None]:
    async with asyncio.TaskGroup():
        yield


async def test_a_task_group_around_the_yield_does_not_change_the_outcome() -> None:
    for outcome in (LookupError("mine"), ExceptionGroup("mine", [LookupError()]), asyncio.CancelledError(), None):
        log: list[Any] = []
        inside = Inside()
        await enter_all(inside, Noted(log, "outer"), grouping, grouping)
        assert await leave_all(inside, outcome) is outcome
        assert log[1:] == [("outer", outcome)]


async def test_a_group_that_says_more_than_the_outcome_takes_its_place() -> None:
    outcome = LookupError("mine")
    for group in (ExceptionGroup("two", [outcome, ValueError()]), ExceptionGroup("another", [ValueError()])):
        inside = Inside()
        await enter_all(inside, raising(group))
        assert await leave_all(inside, outcome) is group


def raising(error: BaseException) -> Any:
    """Make an interceptor that raises this when it is left."""

    @asynccontextmanager
    async def leave(_call: object) -> AsyncIterator[None]:
        try:
            yield
        finally:
            raise error

    return leave


async def test_any_async_context_manager_will_do() -> None:
    log: list[Any] = []

    class Timing:
        def __init__(self, call: object) -> None:
            self.call = call

        async def __aenter__(self) -> None:
            log.append(self.call)

        async def __aexit__(self, *outcome: object) -> bool:
            log.append(outcome)
            return True

    error = LookupError("mine")
    for outcome in (None, error):
        inside = Inside()
        await enter_all(inside, *checked([Timing]))
        assert await leave_all(inside, outcome) is outcome
    assert log == ["call", (None, None, None), "call", (LookupError, error, None)]


async def test_a_runtime_error_is_not_taken_for_a_wrong_form() -> None:
    early, late = RuntimeError("early"), RuntimeError("late")

    @asynccontextmanager
    async def entering(_call: object) -> AsyncIterator[None]:
        raise early
        yield

    @asynccontextmanager
    async def leaving(_call: object) -> AsyncIterator[None]:
        yield
        raise late

    inside = Inside()
    with pytest.raises(RuntimeError) as caught:
        await enter_all(inside, leaving, entering)
    assert caught.value is early
    assert await inside.leave_innermost(None) is late


async def test_one_that_yields_twice_is_closed_at_once() -> None:
    log: list[str] = []

    @asynccontextmanager
    async def twice(_call: object) -> AsyncIterator[None]:
        yield
        try:
            yield
        finally:
            await asyncio.sleep(0)
            log.append("closed")

    inside = Inside()
    await enter_all(inside, twice)
    error = await inside.leave_innermost(None)
    assert isinstance(error, UsageError)
    assert "twice yields twice" in str(error)
    assert log == ["closed"]


class Held:
    """Something that is gone when nothing holds it."""


def fail(held: Held) -> None:
    raise LookupError(held)


async def test_an_outcome_is_held_by_nobody_afterwards() -> None:
    @asynccontextmanager
    async def replace(_call: object) -> AsyncIterator[None]:
        try:
            yield
        except LookupError as error:
            raise ValueError from error

    async def leave() -> weakref.ref[Held]:
        held = Held()
        inside = Inside()
        await enter_all(inside, replace, Noted([], "inner"))
        try:
            fail(held)
        except LookupError as error:
            outcome = await leave_all(inside, error)
            assert isinstance(outcome, ValueError)
            del outcome
        return weakref.ref(held)

    gc.collect()
    gc.disable()
    try:
        held = await leave()
        assert held() is None
    finally:
        gc.enable()


def returns_text(_call: object) -> Any:
    return "text"


async def returns_later(_call: object) -> str:
    return "text"


class Later:
    """Called as a coroutine function."""

    async def __call__(self, _call: object) -> str:
        return "text"


async def test_what_is_awaited_for_a_call_is_a_coroutine_function_or_gives_an_awaitable() -> None:
    for function in (returns_later, Later(), functools.partial(returns_later)):
        check_awaitable(function, "what")
        assert await awaited(function, "call", "what") == "text"
    check_awaitable(returns_text, "what")  # only a call can show it
    with pytest.raises(UsageError, match=r"what is `async def name\(call\)`, but returns_text returned str"):
        await awaited(returns_text, "call", "what")
