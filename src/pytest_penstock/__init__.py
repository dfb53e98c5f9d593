"""The pytest plugin of Penstock: `penstock_connected`, `manual_clock`, and a check that tests leave nothing behind.

pytest loads it wherever Penstock is installed, so it imports nothing of Penstock before a test asks for it; that is why
it is a package of its own. It works beside pytest-asyncio and anyio's plugin: what it does, it does inside the test's
own coroutine. Turn it off with `-p no:pytest_penstock`.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from penstock.testing import ManualClock, MemoryChannel

NOTHING_LEFT = "penstock_nothing_left"
CONNECTED = "penstock_connected"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting."""
    text = "Every test fails that leaves something of Penstock behind: a connection, a call, a task, a generator."
    parser.addini(NOTHING_LEFT, text, type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Add the mark."""
    text = "nothing_left(all_tasks=False): the test fails if it leaves something of Penstock behind"
    config.addinivalue_line("markers", text)


class Connections:
    """What `penstock_connected` gives: makes channels to servers in memory, which live as long as the test."""

    def __init__(self) -> None:
        self.stack = AsyncExitStack()
        self.is_used = False

    async def __call__(self, *services: Any, **options: Any) -> MemoryChannel:
        """Do what `penstock.testing.connected` does, to the end of the test."""
        from penstock.testing import connected

        self.is_used = True
        return await self.stack.enter_async_context(connected(*services, **options))


@pytest.fixture
def penstock_connected() -> Iterator[Connections]:
    """Make channels to servers in memory, which live as long as the test.

    `channel = await penstock_connected(Service())`, in a fixture or in the test itself; the arguments are those of
    `penstock.testing.connected`.
    """
    connections = Connections()
    yield connections
    if connections.is_used:
        pytest.fail(f"{CONNECTED} was used in a test that is not async: nobody could close the connections")


@pytest.fixture
def manual_clock() -> ManualClock:
    """Give a `penstock.testing.ManualClock`: hand it to `connected(clock=...)`, or enter it."""
    from penstock.testing import ManualClock

    return ManualClock()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Put around the test what it asks for."""
    watch = _watch_of(item)
    if not isinstance(item, pytest.Function):
        return (yield)
    connections: Any = item.funcargs.get(CONNECTED)
    if watch is None and connections is None:
        return (yield)
    # Hypothesis runs the function inside once for each example.
    owner, name = (item.obj.hypothesis, "inner_test") if hasattr(item.obj, "hypothesis") else (item, "obj")
    original = getattr(owner, name)
    setattr(owner, name, _around(original, watch or nullcontext, connections))
    try:
        return (yield)
    finally:
        setattr(owner, name, original)


def _watch_of(item: pytest.Item) -> Callable[[], Any] | None:
    """What looks whether the test leaves something; `None` if nobody wants to know."""
    mark = item.get_closest_marker("nothing_left")
    if mark is None and not item.config.getini(NOTHING_LEFT):
        return None
    from penstock.testing import nothing_left_behind

    return functools.partial(nothing_left_behind, **({} if mark is None else mark.kwargs))


def _around(test: Callable[..., Any], watch: Callable[[], Any], connections: Connections | None) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(test):

        @functools.wraps(test)
        async def run_async(*arguments: Any, **options: Any) -> None:
            async with watch(), _closed(connections):
                await test(*arguments, **options)

        return run_async

    @functools.wraps(test)
    def run(*arguments: Any, **options: Any) -> None:
        with watch():
            test(*arguments, **options)

    return run


@asynccontextmanager
async def _closed(connections: Connections | None) -> AsyncIterator[None]:
    """Close at the end of the test what was connected for it, by fixtures as well."""
    if connections is None:
        yield
        return
    try:
        async with connections.stack:
            yield
    finally:
        connections.is_used = False  # also if the test has failed: that is all there is to say
