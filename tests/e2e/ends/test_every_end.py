"""What holds after every way to end a call, on both sides."""

import asyncio
import logging

import pytest

from penstock import End, _life, keepalive
from tests.e2e.ends.cases import CASES, Case
from tests.e2e.ends.scene import NEXT, Scene, Way, opened
from tests.e2e.support import until, within_bound

pytestmark = [
    pytest.mark.loops,
    # Leaving an upload without `finish()` warns, which is not what is looked at here.
    pytest.mark.filterwarnings("ignore::penstock.UnfinishedCall"),
]

OF_HANDLERS = {End.RETURNED, End.RAISED, End.FAILED, End.TASK_CANCELLED}
"""The handler makes these itself, when it is through with its cleanup."""

ALL = [pytest.param(case, way, id=f"{case.name}-{way.name}") for case in CASES for way in case.ways]


@pytest.fixture(autouse=True)
def clients_may_ask_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keepalive, "LEAST_SECONDS", 0.01)


@pytest.mark.parametrize(("case", "way"), ALL)
async def test_both_sides_know_and_nothing_is_left(case: Case, way: Way, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "penstock")
    async with opened(
        way, timeout=case.timeout, server_options=case.server_options, client_options=case.client_options
    ) as scene:
        connection = scene.client_connection
        await within_bound(case.ends(scene))
        if way.floods:
            await until(lambda: scene.client.end)
            scene.program_may_go.set()
        await _check_program(case.raised(way), scene)
        await _check_places(scene)
        _check_ends(case, scene)
        _check_log(scene, caplog)
        if case.spares_connection:
            await _check_next_call(scene, connection)


async def _check_program(raises: type[BaseException] | None, scene: Scene) -> None:
    """What comes out of the block."""
    await within_bound(asyncio.wait([scene.caller]))
    if raises is None or raises is asyncio.CancelledError:
        assert scene.caller.cancelled() is (raises is not None)
        assert scene.caller.cancelled() or scene.caller.exception() is None
    else:
        assert isinstance(scene.caller.exception(), raises)


async def _check_places(scene: Scene) -> None:
    """No call is open, none is kept for its deadline, both have come to the end of their lives, and all was closed."""
    await scene.pair.until_no_call_is_open()
    assert sorted(scene.closed) == (["client", "handler", "server"] if scene.way.inside else ["handler"])
    assert scene.client._life is _life.LEFT
    assert scene.server._life is _life.RELEASED
    assert scene.server._task is None


def _check_ends(case: Case, scene: Scene) -> None:
    """Each side knows, and has counted it once."""
    client, server = scene.client, scene.server
    assert client.end is case.of_client
    assert client.status is not None
    assert client.status.code is case.client_code
    assert server.status is not None
    if server.end is not case.or_of_server:
        assert (server.end, server.status.code) == (case.of_server, case.server_code)
    assert scene.end_in_cleanup is (None if server.end in OF_HANDLERS else server.end)
    assert _counted(scene.pair.channel._ends) == {client.end: 1}
    assert _counted(scene.pair.server._core.ends) == {server.end: 1}


def _counted(ends: dict[End, int]) -> dict[End, int]:
    return {end: count for end, count in ends.items() if count}


def _check_log(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """One line of each side, at the level of the end, which names method, peer, end and code."""
    for name, call, peer in (
        ("penstock.client", scene.client, f"to {scene.proxy.address}"),
        ("penstock.server", scene.server, f"from {scene.server.peer}"),
    ):
        assert call.end is not None
        assert call.status is not None
        (line,) = [record for record in caplog.records if record.name == name and call.method in record.getMessage()]
        assert line.levelno == call.end.level
        begin = f"{call.method} {peer} ended: {call.end.name}, {call.status.code.name}"
        assert line.getMessage().startswith(begin)


async def _check_next_call(scene: Scene, connection: object) -> None:
    """The next one takes the only place there is, on the connection there was."""
    call = scene.pair.client.unary(NEXT)
    assert await within_bound(call) == NEXT
    assert call._connection is connection
    assert scene.proxy.connections_accepted == 1
