"""What happens to calls above what the server takes at once?"""

import asyncio

import pytest

import penstock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

TEN = penstock.Limits(max_concurrent_streams=10)
ONE = penstock.Limits(max_concurrent_streams=1)


@pytest.mark.wire("W43")
async def test_calls_above_the_limit_wait_their_turn_and_all_are_served_in_order() -> None:
    came: list[tuple[int, int]] = []
    open_now: set[int] = set()
    most = 0

    async def unary(request: Note, call: penstock.ServerCall) -> Note:
        nonlocal most
        came.append((call.id, request.number))
        open_now.add(request.number)
        most = max(most, len(open_now))
        await asyncio.sleep(0)
        open_now.discard(request.number)
        return request

    async with connected(Echo(unary=unary), server_limits=TEN) as pair:
        calls = [pair.client.unary(Note(number=number), timeout=10) for number in range(256)]
        replies = await within_bound(asyncio.gather(*calls))
        assert [reply.number for reply in replies] == list(range(256))
        # By their heads: of two that come in one turn of a busy loop, the request of the second may be read first.
        assert [number for _, number in sorted(came)] == list(range(256))
        assert most == 10
        assert len(pair.server._core.connections) == 1


@pytest.mark.wire("W43")
async def test_the_deadline_reaches_calls_that_wait_for_a_place() -> None:
    gate = asyncio.Event()
    served: list[int] = []

    async def unary(request: Note, call: penstock.ServerCall) -> Note:
        del call
        served.append(request.number)
        await gate.wait()
        return request

    async with connected(Echo(unary=unary), server_limits=TEN) as pair:
        first = [asyncio.ensure_future(pair.client.unary(Note(number=number))) for number in range(10)]
        await until(lambda: len(served) == 10)
        late = [asyncio.ensure_future(pair.client.unary(Note(number=99), timeout=0.02)) for _ in range(30)]
        last = asyncio.ensure_future(pair.client.unary(Note(number=10), timeout=10))
        outcomes = await within_bound(asyncio.gather(*late, return_exceptions=True))
        assert {type(outcome) for outcome in outcomes} == {penstock.DeadlineExceeded}
        gate.set()
        assert [reply.number for reply in await within_bound(asyncio.gather(*first, last))] == list(range(11))
        assert sorted(served) == list(range(11))


@pytest.mark.wire("W43")
async def test_cancelled_calls_give_their_turn_to_the_next() -> None:
    gate = asyncio.Event()
    served: list[int] = []

    async def unary(request: Note, call: penstock.ServerCall) -> Note:
        del call
        served.append(request.number)
        await gate.wait()
        return request

    async with connected(Echo(unary=unary), server_limits=ONE) as pair:
        calls = [asyncio.ensure_future(pair.client.unary(Note(number=number))) for number in range(21)]
        await until(lambda: served)
        for call in calls[:-1:2]:  # the one that is served, and every other one that waits
            call.cancel()
        gate.set()
        outcomes = await within_bound(asyncio.gather(*calls, return_exceptions=True))
        assert [number for number, outcome in enumerate(outcomes) if isinstance(outcome, Note)] == [
            *range(1, 20, 2),
            20,
        ]
        assert served == [0, *range(1, 20, 2), 20]


async def test_a_call_that_the_server_ended_before_the_client_did_gives_its_place_back() -> None:
    async def answer_and_leave(stream: "penstock.ServerStream[Note, Note]") -> None:
        await stream.send(await stream.receive())

    async with connected(Echo(both_stream=answer_and_leave), server_limits=ONE) as pair:
        for number in range(200):
            async with pair.client.both_stream(timeout=10) as stream:
                await stream.send(Note(number=number))
                assert [reply.number async for reply in stream] == [number]
        assert len(pair.server._core.connections) == 1


async def test_streams_left_early_give_their_places_back_at_once() -> None:
    async with connected(server_limits=ONE) as pair:
        for _ in range(200):
            async with pair.client.server_stream(Note(number=1000), timeout=10) as stream:
                async for _reply in stream:
                    break
        assert len(pair.server._core.connections) == 1


async def test_calls_that_wait_for_a_place_move_to_the_next_connection_when_theirs_is_lost() -> None:
    async with connected(server_limits=ONE) as pair, pair.client.both_stream() as stream:
        await stream.send(Note())
        await stream.receive()
        waiting = asyncio.ensure_future(pair.client.unary(Note(number=5)))
        (connection,) = pair.server._core.connections
        await until(lambda: pair.channel._connector.newest._waiting)  # type: ignore[union-attr]
        connection.abort("lost")
        assert (await within_bound(waiting)).number == 5
        with pytest.raises(penstock.Unavailable):
            await stream.receive()
