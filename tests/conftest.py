"""What holds for every test: it leaves nothing behind; with the mark `loops` it runs on both event loops."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from penstock.testing.leftovers import Baseline
from tests import leaks

LoopFactory = Callable[[], asyncio.AbstractEventLoop]

COUNTS = pytest.StashKey[list[str]]()
"""Lines for the end of the run."""


def pytest_configure() -> None:
    """Let the programs that tests start hear SIGINT: a shell has what it runs in the background ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, LoopFactory]:
    """Give the event loops that a test runs on, one after the other."""
    if item.get_closest_marker("loops"):
        return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
    return {"asyncio": asyncio.new_event_loop}


def pytest_collection_finish() -> None:
    """Keep the garbage collection after each test cheap: it need not look at what the imports made."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Keep it cheap: what is there behind a module, and its fixtures, are reports of pytest, more with each test."""
    ran = yield
    if nextitem is None or nextitem.path != item.path:
        gc.collect()
        gc.freeze()
    return ran


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Keep a line for the end of the run, behind the parameters of the test: what a suite of others has counted."""
    lines = request.config.stash.setdefault(COUNTS, [])
    return lambda line: lines.append(f"{request.node.name}: {line}")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell."""
    for line in terminalreporter.config.stash.get(COUNTS, []):
        terminalreporter.write_line(line)


@pytest.fixture
def left_behind() -> Iterator[list[str]]:
    """Collect what the test leaves behind, and fail it for that at the very end."""
    found: list[str] = []
    before = Baseline(everything=False)
    with leaks.logged_errors(found):
        yield found
        # An exception that was never retrieved, a socket never closed: they speak when they are collected.
        gc.collect()
    found.extend(leaks.still_open(before))
    if found:
        pytest.fail("the test left behind:\n" + "\n".join(found), pytrace=False)


@pytest.fixture
async def watched_loop(left_behind: list[str]) -> AsyncIterator[None]:
    """Watch the test's event loop; torn down after every other fixture of the test, while the loop still lives."""
    leaks.complain_to(left_behind)
    before = Baseline(everything=False)
    yield
    left_behind.extend(await leaks.settle(before))
    gc.collect()


@pytest.fixture(autouse=True)
def nothing_left_behind(request: pytest.FixtureRequest, left_behind: list[str]) -> None:
    """Watch every test, and its event loop when it has one."""
    del left_behind  # asked for, so that it is there
    if pytest_asyncio.is_async_test(request.node):
        request.getfixturevalue("watched_loop")
