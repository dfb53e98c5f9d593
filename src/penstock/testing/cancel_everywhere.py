"""Cancelling something at each of its awaits."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from penstock.errors import UsageError
from penstock.testing import origins

__all__ = ["Attempt", "Moment", "cancel_everywhere"]

Moment: TypeAlias = Literal["waiting", "ready"]
MOMENTS: tuple[Moment, ...] = ("waiting", "ready")
MOST_AWAITS = 1000


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of what is cancelled."""

    number: int
    """At which of its awaits it was to be cancelled, from 1."""
    moment: Moment
    """`waiting`: as it began to wait. `ready`: when what it waited for had come, and it had not gone on yet."""
    at: str
    """Where it waited then; empty if it was over before."""
    result: Any
    """What it gave, if it finished."""
    error: BaseException | None
    """What it raised, `CancelledError` as a rule."""

    @property
    def was_cancelled(self) -> bool:
        """It came to the await that it was to be cancelled at."""
        return bool(self.at)

    def __str__(self) -> str:
        return f"cancelled at await {self.number} ({self.moment}){self.at}"


class GoesOnError(AssertionError):
    """It was cancelled long ago."""


class Stepped:
    """Passes on the steps of an awaitable, and cancels its task at one of them."""

    def __init__(self, awaitable: Awaitable[Any], number: int, moment: Moment, most_after: int) -> None:
        self.at = ""
        self._awaitable = awaitable
        self._number = number
        self._moment = moment
        self._most_after = most_after
        """Awaits it may come to after its cancellation."""

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._awaitable.__await__()
        count, send, argument = 0, steps.send, None
        while True:
            try:
                waits_for = send(argument)
            except StopIteration as end:
                return end.value
            count += 1
            if count == self._number:
                self._cancel(waits_for)
            elif count > self._number + self._most_after:
                msg = f"it swallowed its cancellation, and goes on after {self._most_after} more awaits"
                raise GoesOnError(msg)
            try:
                send, argument = steps.send, (yield waits_for)
            except BaseException as error:  # noqa: BLE001  # kept: it goes on into what is stepped
                send, argument = steps.throw, error

    def _cancel(self, waits_for: Any) -> None:
        self.at = origins.waits_at(self._awaitable) or ", in the library"
        task = asyncio.current_task()
        assert task is not None
        if self._moment == "waiting":
            task.cancel()  # takes effect as soon as the task waits
        elif waits_for is None:
            asyncio.get_running_loop().call_soon(task.cancel)
        else:
            # Before the task adds its own callback: so this one comes first.
            waits_for.add_done_callback(lambda _done: task.cancel())


async def cancel_everywhere(
    make: Callable[..., Awaitable[Any]],
    *,
    around: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
    check: Callable[[Attempt], object] | None = None,
    swallows: bool = False,
    most_awaits: int = MOST_AWAITS,
) -> int:
    """Run something again and again, and cancel it at its first await, its second, and so on, until it gets through.

    At each await both moments are tried: as it begins to wait, and when what it waits for has come but it has not gone
    on yet: there results get lost. An await that does not suspend is none.

    Waits until: a run was over before it could be cancelled.
    Cancelling: ends the run there is.
    Concurrency: runs are one after the other, each in a task of its own.

    Args:
        make: Makes what is awaited, anew for each run. With `around`, it gets what that gives.
        around: Makes an async context manager for each run; it is entered and left without being cancelled.
        check: Called after each run, within `around`; may be a coroutine function. What it raises is noted with the
            place of the cancellation.
        swallows: It may finish, or raise something else, although it was cancelled. A task must not, as a rule.
        most_awaits: More awaits than this are taken for a run without end; after a cancellation as well.

    Returns:
        The count of awaits it was cancelled at.

    Raises:
        AssertionError: Cancellation was swallowed, or there were too many awaits.
        UsageError: `make` is no function, or gives nothing that can be awaited.

    Source: the tests of trio's and anyio's own primitives cancel at each checkpoint.
    """
    if not callable(make):
        if inspect.iscoroutine(make):
            make.close()
        msg = f"make is a function, called anew for each run: pass f, not f(), not {make!r}"
        raise UsageError(msg)
    for number in range(1, most_awaits + 2):
        attempts = [
            await _attempt(make, around or nullcontext, check, number, moment, most_awaits, swallows=swallows)
            for moment in MOMENTS
        ]
        if not any(attempt.was_cancelled for attempt in attempts):
            return number - 1
    msg = f"after {most_awaits} awaits it still goes on"
    raise AssertionError(msg)


async def _attempt(
    make: Callable[..., Awaitable[Any]],
    around: Callable[[], AbstractAsyncContextManager[Any]],
    check: Callable[[Attempt], object] | None,
    number: int,
    moment: Moment,
    most_after: int,
    *,
    swallows: bool,
) -> Attempt:
    async with around() as value:
        attempt = await _run(make() if around is nullcontext else make(value), number, moment, most_after)
        try:
            _judge(attempt, swallows=swallows)
            result = None if check is None else check(attempt)
            if inspect.isawaitable(result):
                await result
        except Exception as error:
            error.add_note(str(attempt))
            raise
    return attempt


def _judge(attempt: Attempt, *, swallows: bool) -> None:
    if isinstance(attempt.error, GoesOnError):
        raise attempt.error
    if not attempt.was_cancelled:
        if attempt.error is not None:
            raise attempt.error
    elif not swallows and not isinstance(attempt.error, asyncio.CancelledError):
        outcome = f"gave {attempt.result!r}" if attempt.error is None else f"raised {attempt.error!r}"
        msg = f"it swallowed its cancellation and {outcome}"
        raise AssertionError(msg) from attempt.error


async def _run(awaitable: Awaitable[Any], number: int, moment: Moment, most_after: int) -> Attempt:
    if not hasattr(awaitable, "__await__"):
        msg = f"make() gave {awaitable!r}, which cannot be awaited"
        raise UsageError(msg)
    stepped = Stepped(awaitable, number, moment, most_after)

    async def run() -> Any:
        return await stepped

    task = asyncio.get_running_loop().create_task(run(), name=f"cancelled at await {number}")
    try:
        await asyncio.wait([task])
    finally:
        if not task.done():
            task.cancel()
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return Attempt(number, moment, stepped.at, None if error is not None else task.result(), error)
