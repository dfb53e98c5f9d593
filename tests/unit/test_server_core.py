"""What the connections of a server share: its routes, and who is in a call."""

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from penstock import RAW, Kind, Method, Server, ServerStream, Service
from penstock._equipment import Equipment
from tests.unit.echo import Echo
from tests.unit.memory import both_ends


class Raw(Service):
    """A service whose messages are bytes."""

    METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {
        "one": Method("/test.Service/Method", Kind.BOTH_STREAM, bytes, bytes, RAW)
    }

    async def one(self, stream: ServerStream[bytes, bytes]) -> None:
        pass


async def nothing(stream: ServerStream[bytes, bytes]) -> None:
    """A handler."""


def test_a_path_has_the_route_of_its_service_or_the_fallback_or_none() -> None:
    core = Server([Echo()])._core
    assert core.route("/penstock.test.echo.Echo/Unary") is not None
    assert core.route("/no.Such/Method") is None
    route = Server([Echo()], fallback=nothing)._core.route("/no.Such/Method")
    assert route is not None
    assert route.handler is nothing


def test_only_a_server_that_knows_nothing_but_protobuf_refuses_other_messages() -> None:
    assert not Server([Echo()])._core.any_subtype
    assert Server([Echo()], fallback=nothing)._core.any_subtype
    assert Server([Echo(), Raw()])._core.any_subtype


async def test_a_task_that_runs_a_handler_is_known_by_its_call_and_no_other() -> None:
    async with both_ends() as ends:
        core = ends.channel.server._core
        assert ends.server._task is not None
        assert core.call_of(ends.server._task) is ends.server
        task = asyncio.current_task()
        assert task is not None
        assert core.call_of(task) is None


def test_in_another_loop_there_are_other_timers_and_threads_and_sums_go_on() -> None:
    core = Server([])._core

    async def enter() -> Equipment:
        equipment = core.enter(asyncio.get_running_loop())
        assert core.enter(asyncio.get_running_loop()) is equipment
        return equipment

    first = asyncio.run(enter())
    first.pool.refused, first.stragglers.detached_in_all = 2, 3
    core.draining.set()
    second = asyncio.run(enter())
    assert second is core.equipment
    assert second is not first
    assert not core.draining.is_set()
    assert (second.pool.refused, second.stragglers.detached_in_all) == (2, 3)
