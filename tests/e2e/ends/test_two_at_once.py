"""Two ways to end a call in the same moment: one of them is the end, and nothing is left of either."""

import asyncio
import itertools
import logging
from contextlib import suppress

import pytest

from penstock import Kind, _life
from penstock._transport import live_transports
from tests.e2e.ends.cases import CASES, Case
from tests.e2e.ends.scene import Scene, Way, opened
from tests.e2e.support import until, within_bound

pytestmark = [pytest.mark.loops, pytest.mark.filterwarnings("ignore::penstock.UnfinishedCall")]

WAY = Way(Kind.BOTH_STREAM, iterates=True)

OUTSIDE = [case for case in CASES if case.from_outside and case.timeout is None and not case.client_options]

PAIRS = [pytest.param(one, other, id=f"{one.name}-{other.name}") for one, other in itertools.permutations(OUTSIDE, 2)]


@pytest.mark.parametrize(("one", "other"), PAIRS)
async def test_a_call_ends_once(one: Case, other: Case, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "penstock")
    before = set(live_transports())
    async with opened(WAY) as scene:
        await within_bound(asyncio.gather(*[_end(case, scene) for case in (one, other)]))
        await within_bound(asyncio.wait([scene.caller]))
        assert scene.caller.cancelled() or scene.caller.exception()
        await scene.pair.until_no_call_is_open()
        await until(lambda: scene.closed == ["handler"])
        for call, ends, name in (
            (scene.client, scene.pair.channel._ends, "penstock.client"),
            (scene.server, scene.pair.server._core.ends, "penstock.server"),
        ):
            assert {end: count for end, count in ends.items() if count} == {call.end: 1}
            lines = [record for record in caplog.records if record.name == name and " ended: " in record.getMessage()]
            assert len(lines) == 1
        assert scene.client._life is _life.LEFT
        assert scene.server._life is _life.RELEASED
    await until(lambda: set(live_transports()) <= before)


async def _end(case: Case, scene: Scene) -> None:
    with suppress(ValueError, AssertionError):  # the second one of two kills finds nothing to kill
        await case.ends(scene)
