"""The watch over every test finds what it is for: tests that leave something behind, run by a pytest of their own."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

LEAVING = """
import asyncio
import gc
import types

import pytest

import tests.conftest
import tests.leaks

KEPT = []
LIVE = set()
tests.leaks._transport = types.SimpleNamespace(live_transports=lambda: LIVE)
tests.leaks._engine = types.SimpleNamespace(live_connections=lambda: len(LIVE))
tests.leaks.leftovers._transport, tests.leaks.leftovers._engine = tests.leaks._transport, tests.leaks._engine


async def fail():
    raise ValueError("lost")


async def test_leaves_nothing():
    await asyncio.create_task(asyncio.sleep(0))


def test_leaves_nothing_without_a_loop():
    pass


async def test_leaves_a_task():
    KEPT.append(asyncio.create_task(asyncio.Event().wait()))


async def test_loses_an_exception():
    asyncio.create_task(fail())
    await asyncio.sleep(0)


def test_loses_an_exception_in_a_loop_of_its_own():
    async def lose():
        asyncio.create_task(fail())
        await asyncio.sleep(0)

    asyncio.run(lose())


async def test_fails_in_a_callback():
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)


async def test_leaves_a_connection(monkeypatch):
    monkeypatch.setattr("tests.leaks.CLOSING_SECONDS", 0.0)
    LIVE.add("a transport")


async def test_is_not_blamed_for_the_connection_before():
    assert LIVE == {"a transport"}


async def test_closes_its_connection_a_little_later():
    LIVE.add("another")
    asyncio.get_running_loop().call_later(0.02, LIVE.discard, "another")


@pytest.fixture
async def forgetful():
    yield
    KEPT.append(asyncio.create_task(asyncio.Event().wait()))


async def test_has_a_fixture_that_leaves_a_task(forgetful):
    pass


@pytest.mark.loops
async def test_runs_on_both_loops():
    print("loop:", type(asyncio.get_running_loop()).__module__)
"""
GUILTY = {
    "test_leaves_a_task": "pending task: <Task pending*",
    "test_loses_an_exception": "unhandled in the loop: Task exception was never retrieved",
    "test_loses_an_exception_in_a_loop_of_its_own": "logged by asyncio: Task exception was never retrieved*",
    "test_fails_in_a_callback": "unhandled in the loop: Exception in callback *",
    "test_leaves_a_connection": "open transport: 'a transport'",
    "test_has_a_fixture_that_leaves_a_task": "pending task: <Task pending*",
}


@pytest.mark.timeout(60)
def test_who_leaves_something_behind_is_named(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(ROOT), str(ROOT / "src"))))
    pytester.makeconftest('pytest_plugins = ["tests.conftest"]')
    pytester.makepyprojecttoml((ROOT / "pyproject.toml").read_text("utf-8"))
    pytester.makepyfile(LEAVING)

    result = pytester.runpytest_subprocess("-rA", "-p", "no:cacheprovider", ".")

    result.assert_outcomes(passed=12, errors=len(GUILTY))
    errors = {
        line.split("::")[1].split(" ")[0] for line in result.outlines if line.startswith("ERROR ") and "::" in line
    }
    assert errors == set(GUILTY)
    for complaint in GUILTY.values():
        result.stdout.fnmatch_lines([complaint])
    result.stdout.fnmatch_lines_random(["loop: asyncio.*", "loop: uvloop*"])
