"""Where Python code stands: of a task that waits, of a thread that works."""

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from typing import Any

import pytest

from penstock import _stacks

BOUND_SECONDS = 10.0


def functions(stack: str) -> list[str]:
    """The functions of this file in a stack, from the outermost in."""
    lines = re.findall(r'File "(.*)", line \d+, in (\S+)\n', stack)
    return [function for file, function in lines if file == __file__]


class Native:
    """An awaitable that is no coroutine but leads to one."""

    def __await__(self) -> Generator[Any, None, None]:
        return innermost().__await__()


async def innermost() -> None:
    await asyncio.get_running_loop().create_future()


async def generator() -> AsyncIterator[int]:
    await innermost()
    yield 1


async def iterating() -> None:
    async for _ in generator():
        pass


async def closing() -> None:
    async def stubborn() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await innermost()

    async with contextlib.aclosing(stubborn()) as numbers:  # type: ignore[type-var]  # it is a generator
        await anext(numbers)


async def through_an_object() -> None:
    await Native()


async def in_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(innermost())


@pytest.mark.parametrize(
    ("coroutine", "expected"),
    [
        (innermost, ["innermost"]),
        (iterating, ["iterating", "generator", "innermost"]),
        (closing, ["closing", "stubborn", "innermost"]),
        (through_an_object, ["through_an_object", "innermost"]),
        (in_a_group, ["in_a_group"]),
    ],
)
async def test_a_task_that_waits_is_shown_down_to_what_it_waits_in(
    coroutine: Callable[[], Awaitable[None]], expected: list[str]
) -> None:
    task = asyncio.ensure_future(coroutine())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    stack = _stacks.of_task(task)
    assert functions(stack) == expected
    assert "await" in stack.splitlines()[-1] or "async with" in stack
    task.cancel()
    await asyncio.wait([task])


async def test_a_task_that_is_over_is_nowhere() -> None:
    async def nothing() -> None:
        """Returns at once."""

    task = asyncio.ensure_future(nothing())
    await task
    assert _stacks.of_task(task) == _stacks.NOWHERE


def test_a_thread_is_shown_with_the_innermost_frame_last() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def outer() -> None:
        inner()

    def inner() -> None:
        entered.set()
        assert go_on.wait(BOUND_SECONDS)

    thread = threading.Thread(target=outer)
    thread.start()
    assert entered.wait(BOUND_SECONDS)
    assert functions(_stacks.of_thread(thread.ident)) == ["outer", "inner"]
    go_on.set()
    thread.join()
    assert _stacks.of_thread(thread.ident) == _stacks.NOWHERE
    assert _stacks.of_thread(None) == _stacks.NOWHERE
