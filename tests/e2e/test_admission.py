"""What does a client hear that comes above a limit, and when is there room again?"""

import asyncio
import gc
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock.services.grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from penstock.services.grpc_health.v1.health_penstock import HealthBase, HealthClient
from tests.e2e.support import TINY, Echo, Pair, connected, until, within_bound
from tests.e2e.test_nothing_left import (
    WAYS,
    count_or_wait,
    sleep_refuse_or_answer,
)
from tests.e2e.test_nothing_left import (
    no_garbage_collection as no_garbage_collection,
)
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

METHODS = "/penstock.test.echo.Echo/"
MOST = 3


def taken(pair: Pair) -> tuple[int, int]:
    """How many calls, and how many streams count."""
    keeper = pair.server._core.gatekeeper
    return keeper.calls.taken, keeper.streams.taken


def resident_bytes() -> int:
    """Memory of this process, both sides and their engines."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Held:
    """Handlers that wait until they may go on."""

    def __init__(self) -> None:
        self.may_end = asyncio.Event()
        self.began = 0

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        del call
        self.began += 1
        await self.may_end.wait()
        return request

    async def stream(self, stream: penstock.ServerStream[Any, Any]) -> None:
        del stream
        self.began += 1
        await self.may_end.wait()


async def refusal(call: Any) -> penstock.ResourceExhausted:
    """How a unary call, or a stream, is refused."""
    with pytest.raises(penstock.ResourceExhausted) as caught:
        if isinstance(call, penstock.BothStreamCall):
            async with call:
                await within_bound(call.receive())
        else:
            await within_bound(call)
    return caught.value


@pytest.mark.wire("W48")
@pytest.mark.parametrize(
    "settings",
    [
        {"max_calls": MOST},
        {"max_calls_per_peer": MOST},
        {"max_calls_per_connection": MOST},
        {"max_calls_per_method": {f"{METHODS}Unary": MOST}},
        {"max_calls_per_method": {METHODS: MOST}},
    ],
    ids=lambda settings: next(iter(settings)),
)
async def test_unary_calls_are_taken_up_to_a_limit_and_not_one_more(settings: dict[str, Any]) -> None:
    held = Held()
    async with connected(Echo(unary=held.unary), admission=penstock.Admission(**settings)) as pair:
        for _ in range(3):
            held.may_end.clear()
            calls = [asyncio.ensure_future(pair.client.unary(Note(number=number))) for number in range(MOST)]
            await until(lambda: taken(pair)[0] == MOST)
            error = await refusal(pair.client.unary(Note()))
            assert error.origin is penstock.Origin.REMOTE
            assert error.message.startswith(next(iter(settings)))
            assert 500 <= int(str(error.metadata["grpc-retry-pushback-ms"])) <= 1500
            held.may_end.set()
            replies = await within_bound(asyncio.gather(*calls))
            assert [reply.number for reply in replies] == list(range(MOST))
        assert held.began == 3 * MOST, "no handler ran for a call that was refused"
        assert sum(pair.server._core.gatekeeper.refused.values()) == 3


class Health(HealthBase):
    """It is well."""

    async def check(self, request: HealthCheckRequest, call: penstock.ServerCall) -> HealthCheckResponse:
        del request, call
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)


@pytest.mark.parametrize("name", ["max_streams", "max_streams_per_peer", "max_streams_per_connection", "max_calls"])
@pytest.mark.parametrize("proxied", [False, True])
async def test_streams_at_their_limit_never_starve_unary_calls_and_health(name: str, proxied: bool) -> None:
    held = Held()
    # Of four calls three may be streams.
    admission = penstock.Admission(**{name: MOST + (name == "max_calls")})  # type: ignore[arg-type]  # all are counts
    service = Echo(both_stream=held.stream)
    async with (
        connected(service, Health(), fallback=held.stream, admission=admission) as pair,
        AsyncExitStack() as streams,
    ):

        def stream() -> penstock.BothStreamCall[Any, Any]:
            return pair.channel.stream("/a.B/C") if proxied else pair.client.both_stream()

        opened = [await streams.enter_async_context(stream()) for _ in range(MOST)]
        await until(lambda: held.began == MOST)
        for number in range(100):
            await refusal(stream())
            assert (await within_bound(pair.client.unary(Note(number=number)))).number == number
            checked = await within_bound(HealthClient(pair.channel).check(HealthCheckRequest()))
            assert checked.status == HealthCheckResponse.SERVING
        assert pair.server._core.gatekeeper.refused.total() == 100
        assert taken(pair) == (MOST, MOST)
        held.may_end.set()
        for each in opened:
            assert [message async for message in each] == []


async def test_health_is_answered_where_no_other_call_is_taken() -> None:
    held = Held()
    async with connected(Echo(unary=held.unary), Health(), admission=penstock.Admission(max_calls=1)) as pair:
        call = asyncio.ensure_future(pair.client.unary(Note()))
        await until(lambda: held.began)
        await refusal(pair.client.unary(Note()))
        checked = await within_bound(HealthClient(pair.channel).check(HealthCheckRequest()))
        assert checked.status == HealthCheckResponse.SERVING
        held.may_end.set()
        await within_bound(call)


# Every end gives the place back. (That it is given back once, all tests with a server look: `Pair.open_calls`.)

ONE = penstock.Admission(max_calls=1)


@pytest.mark.parametrize("end", WAYS)
async def test_the_only_place_is_free_again_after_a_call_that_was(end: Callable[[Pair], Awaitable[None]]) -> None:
    service = Echo(unary=sleep_refuse_or_answer, client_stream=count_or_wait)
    async with connected(service, server_limits=TINY, client_limits=TINY, admission=ONE) as pair:
        await pair.channel.ready()
        for _ in range(5):
            await within_bound(end(pair))
            await pair.until_no_call_is_open()
        assert not pair.server._core.gatekeeper.refused
        assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1


@pytest.mark.parametrize("kind", ["unary", "server_stream"])
async def test_whoever_has_seen_the_end_of_a_call_finds_its_place_free(kind: str) -> None:
    async with connected(admission=ONE) as pair:
        for number in range(500):
            if kind == "unary":
                await pair.client.unary(Note(number=number))
            else:
                async with pair.client.server_stream(Note(number=2)) as stream:
                    assert len([note async for note in stream]) == 2
        assert not pair.server._core.gatekeeper.refused


async def test_a_handler_that_outlives_its_call_keeps_its_place_until_it_ends() -> None:
    may_end = asyncio.Event()

    async def slow_to_leave(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(Note())
        try:
            await asyncio.Event().wait()
        finally:
            await may_end.wait()

    async with connected(Echo(both_stream=slow_to_leave), admission=ONE) as pair:
        async with pair.client.both_stream() as stream:
            await within_bound(stream.receive())
        await until(lambda: pair.open_calls()["server's engine"] == 0)
        await refusal(pair.client.unary(Note()))
        may_end.set()
        await pair.until_no_call_is_open()
        assert (await within_bound(pair.client.unary(Note(number=1)))).number == 1


async def test_a_detached_handler_gives_its_place_back_once() -> None:
    may_end = asyncio.Event()

    async def stubborn(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(Note())
        while not may_end.is_set():
            with suppress(asyncio.CancelledError):
                await may_end.wait()

    limits = penstock.Limits(handler_cleanup_seconds=0.01)
    async with connected(Echo(both_stream=stubborn), server_limits=limits, admission=ONE) as pair:
        async with pair.client.both_stream() as stream:
            await within_bound(stream.receive())
        await until(lambda: pair.server._core.detached)
        assert taken(pair) == (0, 0)
        for number in range(3):
            assert (await within_bound(pair.client.unary(Note(number=number)))).number == number
        may_end.set()
        await until(lambda: not pair.server._core.detached)
        assert taken(pair) == (0, 0)
        assert not pair.server._core.gatekeeper.refused


@pytest.mark.usefixtures("no_garbage_collection")
async def test_a_flood_above_a_limit_is_answered_at_once_in_order_and_costs_no_memory() -> None:
    held = Held()
    order: list[int] = []
    hints: list[int] = []
    async with connected(Echo(unary=held.unary), admission=penstock.Admission(max_calls=1)) as pair:

        async def refused(number: int) -> None:
            try:
                await pair.client.unary(Note(number=number))
            except penstock.ResourceExhausted as error:
                order.append(number)
                hints.append(int(str(error.metadata["grpc-retry-pushback-ms"])))

        call = asyncio.ensure_future(pair.client.unary(Note()))
        await until(lambda: held.began)
        sizes, objects = [], []
        for start in range(0, 10_000, 500):
            await asyncio.gather(*[refused(number) for number in range(start, start + 500)])
            sizes.append(resident_bytes())
            objects.append(len(gc.get_objects()))
        assert order == list(range(10_000))
        assert min(hints) >= 500
        assert max(hints) <= 1500
        assert objects[-1] - objects[1] < 1000, objects
        # It grows until as much was free at once as the 500 calls of a round need.
        assert sizes[-1] - sizes[len(sizes) // 2] < 4 * 1024 * 1024, sizes
        assert pair.server._core.gatekeeper.refused == {"max_calls": 10_000}
        assert held.began == 1
        held.may_end.set()
        await within_bound(call)


# Connections.


async def test_a_client_above_the_limit_fails_at_once_and_comes_in_when_there_is_room() -> None:
    server = penstock.Server([Echo()], admission=penstock.Admission(max_connections=1))
    hurried = penstock.Limits(reconnect_initial_seconds=0.01)
    async with server.listening("127.0.0.1:0") as address:
        async with penstock.Channel(address) as first, penstock.Channel(address, limits=hurried) as second:
            await first.ready()
            with pytest.raises(penstock.Unavailable, match=r"the peer closed the connection|connection lost"):
                await within_bound(EchoClient(second).unary(Note()))
            waiting = asyncio.ensure_future(EchoClient(second).unary(Note(number=5), wait_for_ready=True))
            await until(lambda: server._core.gatekeeper.refused["max_connections"] >= 2)
            await first.close()
            assert (await within_bound(waiting)).number == 5
        await until(lambda: server._core.gatekeeper.connections.taken == 0)


async def test_each_address_has_its_own_calls_and_connections(tmp_path: Path) -> None:
    held = Held()
    admission = penstock.Admission(max_calls_per_peer=1, max_connections_per_peer=2)
    server = penstock.Server([Echo(unary=held.unary)], admission=admission)
    async with server.listening("127.0.0.1:0", f"unix:{tmp_path / 'socket'}"), AsyncExitStack() as stack:
        calls: list[asyncio.Future[Note]] = []
        for address in server.addresses:
            channels = [await stack.enter_async_context(penstock.Channel(address)) for _ in range(3)]
            first, second, third = (EchoClient(channel) for channel in channels)
            calls.append(asyncio.ensure_future(first.unary(Note(number=len(calls)))))
            await until(lambda: held.began == len(calls))
            error = await refusal(second.unary(Note()))
            assert error.message == "max_calls_per_peer=1 is reached"
            with pytest.raises(penstock.Unavailable):
                await within_bound(third.unary(Note()))
        held.may_end.set()
        assert [reply.number for reply in await within_bound(asyncio.gather(*calls))] == [0, 1]
        assert server._core.gatekeeper.refused == {"max_calls_per_peer": 2, "max_connections_per_peer": 2}
