"""Does the plugin do what it promises, in a pytest of its own, beside each plugin that runs async tests?"""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SERVICE = """
import asyncio

import pytest

import penstock
from penstock.testing import connected


async def echo(stream):
    async for message in stream:
        await stream.send(message)


async def ask(channel):
    async with channel.stream("/a.B/C") as stream:
        await stream.send(b"a")
        reply = await stream.receive()
        await stream.finish()
        return reply

"""

TESTS = """
KEPT = []


@pytest.fixture
async def channel(penstock_connected):
    return await penstock_connected(fallback=echo)


async def test_connects(penstock_connected):
    KEPT.append(await penstock_connected(fallback=echo))
    assert await ask(KEPT[0]) == b"a"


async def test_the_channel_of_the_test_before_is_closed():
    assert KEPT[0].state is penstock.ChannelState.SHUTDOWN


async def test_a_fixture_connects(channel):
    assert await ask(channel) == b"a"


@pytest.mark.nothing_left
async def test_leaves_nothing(channel):
    assert await ask(channel) == b"a"


@pytest.mark.nothing_left
async def test_leaves_a_channel():
    await leave_a_channel()


async def leave_a_channel():
    KEPT.append(connected(fallback=echo))
    await ask(await KEPT[-1].__aenter__())


async def test_leaves_a_channel_and_nobody_asks():
    await leave_a_channel()


async def test_passes_time(manual_clock):
    async with connected(fallback=echo, clock=manual_clock) as channel:
        waiting = asyncio.ensure_future(asyncio.sleep(3600))
        await manual_clock.advance(3600)
        assert waiting.done()


class TestOfAClass:
    @pytest.mark.nothing_left(all_tasks=True)
    async def test_leaves_a_task_of_its_own(self, channel):
        KEPT.append(asyncio.ensure_future(asyncio.sleep(3600)))


@pytest.mark.nothing_left
def test_leaves_nothing_in_a_loop_of_its_own():
    async def program():
        async with connected(fallback=echo) as channel:
            await ask(channel)

    asyncio.run(program())
"""

RUNNERS = {
    "pytest-asyncio": ("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n", ""),
    "anyio": (
        "[pytest]\nasyncio_mode = strict\n",
        "pytestmark = pytest.mark.anyio\n\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n",
    ),
}

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run tests in a process of their own; the plugin is there, installed or not."""
    search = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    monkeypatch.setenv("PYTHONPATH", search)

    def run(tests: str, settings: str, *options: str) -> pytest.RunResult:
        pytester.makepyfile(SERVICE + tests)
        pytester.makeini(settings)
        return pytester.runpytest_subprocess("-p", "pytest_penstock", "-p", "no:cacheprovider", *options)

    return run


@pytest.mark.parametrize("runner", RUNNERS)
def test_fixtures_and_the_mark_work(run: Run, runner: str) -> None:
    if importlib.util.find_spec(runner.replace("-", "_")) is None:
        pytest.skip(f"{runner} is not installed")
    settings, prelude = RUNNERS[runner]
    result = run(prelude + TESTS, settings)
    result.assert_outcomes(passed=7, failed=2)
    result.stdout.fnmatch_lines_random(
        [
            "*LeftBehind: left behind:*",
            "*client's connection to memory:1; the channel, made at *leave_a_channel*",
            "*task 'Task-*",
        ]
    )


def test_the_setting_asks_for_every_test(run: Run) -> None:
    result = run(TESTS, RUNNERS["pytest-asyncio"][0] + "penstock_nothing_left = true\n")
    result.assert_outcomes(passed=6, failed=3)
    result.stdout.fnmatch_lines(["FAILED *test_leaves_a_channel_and_nobody_asks*"])


def test_connecting_needs_an_async_test(run: Run) -> None:
    tests = "def test_sync(penstock_connected):\n    asyncio.run(penstock_connected(fallback=echo))\n"
    result = run(tests, RUNNERS["pytest-asyncio"][0])
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*penstock_connected was used in a test that is not async*"])


def test_a_test_that_fails_says_so_and_nothing_else(run: Run) -> None:
    tests = "async def test_fails(penstock_connected):\n    await penstock_connected(fallback=echo)\n    assert 0\n"
    run(tests, RUNNERS["pytest-asyncio"][0]).assert_outcomes(failed=1)


def test_each_example_of_hypothesis_is_looked_at(run: Run) -> None:
    tests = """
from hypothesis import given, settings, strategies


@settings(max_examples=3, deadline=None)
@given(count=strategies.integers(0, 3))
@pytest.mark.nothing_left
def test_examples(count):
    async def program():
        async with connected(fallback=echo) as channel:
            for _ in range(count):
                await ask(channel)

    asyncio.run(program())
"""
    run(tests, RUNNERS["pytest-asyncio"][0]).assert_outcomes(passed=1)


def test_where_nobody_asks_nothing_of_penstock_is_imported(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_other="import sys\n\n\ndef test_it():\n    assert 'penstock' not in sys.modules\n")
    pytester.makeini(RUNNERS["pytest-asyncio"][0])
    result = pytester.runpytest_subprocess("-p", "pytest_penstock", "-p", "no:cacheprovider", "test_other.py")
    result.assert_outcomes(passed=1)


def test_the_package_declares_it() -> None:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    assert '[project.entry-points.pytest11]\npytest_penstock = "pytest_penstock"' in text
    assert 'python-packages = ["penstock", "pytest_penstock"]' in text
    code = "import sys, pytest_penstock; sys.exit('penstock' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": str(ROOT / "src")})
