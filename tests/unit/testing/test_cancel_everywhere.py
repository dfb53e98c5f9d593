"""Is something cancelled at each of its awaits, once as it waits and once when it could go on?"""

import asyncio
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from penstock import UsageError
from penstock.testing import settle
from penstock.testing.cancel_everywhere import Attempt, cancel_everywhere
from tests.e2e.support import within_bound

pytestmark = pytest.mark.loops


def _set(future: "asyncio.Future[Any]", value: object) -> None:
    if not future.done():
        future.set_result(value)


async def test_each_await_that_suspends_is_cancelled_at_both_moments() -> None:
    reached: list[list[str]] = []

    async def no_wait() -> None:
        pass

    async def three() -> str:
        steps: list[str] = []
        reached.append(steps)
        await no_wait()
        await asyncio.sleep(0)
        steps.append("first")
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        loop.call_soon(_set, future, "second")
        steps.append(await future)
        async with asyncio.timeout(10):
            await asyncio.sleep(0)
        steps.append("third")
        return "done"

    attempts: list[Attempt] = []
    count = await cancel_everywhere(three, check=attempts.append)
    assert count == 3
    assert [attempt.moment for attempt in attempts] == ["waiting", "ready"] * (count + 1)
    assert [attempt.number for attempt in attempts[::2]] == list(range(1, count + 2))
    assert all(isinstance(attempt.error, asyncio.CancelledError) for attempt in attempts[:-2])
    assert [attempt.result for attempt in attempts[-2:]] == ["done", "done"]
    assert reached[:4] == [[], [], ["first"], ["first"]]
    assert reached[-1] == ["first", "second", "third"]


async def test_at_the_ready_moment_what_was_waited_for_has_come() -> None:
    futures: list[asyncio.Future[int]] = []

    async def wait() -> None:
        future = asyncio.get_running_loop().create_future()
        futures.append(future)
        asyncio.get_running_loop().call_soon(_set, future, 1)
        await future

    assert await cancel_everywhere(wait) == 1
    assert [future.cancelled() for future in futures] == [True, False, False, False]


async def test_each_run_is_told_where_it_was_cancelled() -> None:
    async def inner() -> None:
        await asyncio.Event().wait()

    async def outer() -> None:
        await inner()

    told: list[str] = []

    def check(attempt: Attempt) -> None:
        told.append(str(attempt))
        raise ValueError

    with pytest.raises(ValueError, match="cancelled at await 1") as caught:
        await cancel_everywhere(outer, check=check)
    assert told[0].startswith("cancelled at await 1 (waiting), waits at ")
    assert f"{__file__}:" in told[0]
    assert caught.value.__notes__ == told


async def test_what_is_around_is_not_cancelled_and_gives_what_each_run_uses() -> None:
    entered: list[str] = []

    @asynccontextmanager
    async def around() -> AsyncIterator[list[str]]:
        await asyncio.sleep(0)
        entered.append("in")
        yield entered
        await asyncio.sleep(0)
        entered.append("out")

    async def use(value: list[str]) -> None:
        value.append("used")
        await asyncio.sleep(0)

    async def check(attempt: Attempt) -> None:
        await asyncio.sleep(0)
        entered.append("checked")

    assert await cancel_everywhere(use, around=around, check=check) == 1
    assert entered == ["in", "used", "checked", "out"] * 4


@pytest.mark.parametrize("outcome", ["gave 'finished'", "raised ValueError()"])
async def test_swallowing_is_found_unless_it_is_allowed(outcome: str) -> None:
    async def swallow() -> str:
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            if "raised" in outcome:
                raise ValueError from None
        return "finished"

    with pytest.raises(AssertionError, match="it swallowed its cancellation and") as caught:
        await cancel_everywhere(swallow)
    assert outcome in str(caught.value)
    assert await cancel_everywhere(swallow, swallows=True) == 1


@pytest.mark.parametrize("swallows", [False, True])
async def test_what_goes_on_after_its_cancellation_is_found(swallows: bool) -> None:
    async def endless() -> None:
        while True:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)

    with pytest.raises(
        AssertionError, match="it swallowed its cancellation, and goes on after 5 more awaits"
    ) as caught:
        await within_bound(cancel_everywhere(endless, most_awaits=5, swallows=swallows))
    assert "cancelled at await 1 (waiting)" in caught.value.__notes__[0]


async def test_what_is_made_already_is_refused() -> None:
    async def ask() -> None: ...

    made: Any = ask()
    with pytest.raises(UsageError, match=r"pass f, not f\(\)"):
        await cancel_everywhere(made)


async def test_an_error_without_cancellation_is_raised() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await cancel_everywhere(fail)


@pytest.mark.parametrize(("most", "fails"), [(2, True), (3, False), (4, False)])
async def test_a_run_without_end_is_found(most: int, fails: bool) -> None:
    async def three() -> None:
        for _ in range(3):
            await asyncio.sleep(0)

    if fails:
        with pytest.raises(AssertionError, match="after 2 awaits it still goes on"):
            await cancel_everywhere(three, most_awaits=most)
    else:
        assert await cancel_everywhere(three, most_awaits=most) == 3


async def test_an_awaitable_that_is_no_coroutine_works_too() -> None:
    class Twice:
        def __await__(self) -> Generator[None, None, str]:
            yield
            yield
            return "done"

    results: list[object] = []
    assert await cancel_everywhere(Twice, check=lambda attempt: results.append(attempt.result)) == 2
    assert results == [None] * 4 + ["done"] * 2


async def test_what_cannot_be_awaited_is_told() -> None:
    with pytest.raises(UsageError, match="cannot be awaited"):
        await cancel_everywhere(lambda: 1)  # type: ignore[arg-type, return-value] # what is refused


async def test_cancelling_it_ends_the_run_there_is() -> None:
    ended: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(0)
            await asyncio.Event().wait()
        finally:
            ended.append("ended")

    count = 0

    def check(attempt: Attempt) -> None:
        nonlocal count
        count += 1

    task = asyncio.ensure_future(cancel_everywhere(wait, check=check))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert len(ended) == count + 1
