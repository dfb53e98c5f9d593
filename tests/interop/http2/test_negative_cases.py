"""Does our client come through each of the eight negative cases? Source: http2-interop-test-descriptions.md."""

import asyncio

import pytest

import penstock
from tests.e2e.support import until, within_bound
from tests.interop.http2.negative.cases import CASES
from tests.interop.http2.negative.hostile_server import HostileServer, serving
from tests.interop.http2.negative.large_unary import METHOD, REQUEST, RESPONSE

pytestmark = pytest.mark.loops

WINDOWS = [penstock.Limits().stream_window_bytes, 64 * 1024]


async def call(channel: penstock.Channel) -> None:
    """Make the call; its reply is what it should be."""
    assert await within_bound(channel.call_unary(METHOD, REQUEST)) == RESPONSE


async def outcome(case: str) -> tuple[penstock.RpcError, HostileServer]:
    """Make the call in a case that breaks it."""
    async with serving(CASES[case].answer) as server, penstock.Channel(server.address) as channel:
        with pytest.raises(penstock.RpcError) as caught:
            await call(channel)
        await until(lambda: len(server.calls) == 1)
        assert server.violations == []
    return caught.value, server


async def test_goaway_calls_move_to_another_connection_by_themselves() -> None:
    async with serving(CASES["goaway"].answer) as server, penstock.Channel(server.address) as channel:
        await call(channel)  # the GOAWAY came before its reply
        await call(channel)
        assert server.calls == [METHOD.path] * 2
        assert [list(connection.streams) for connection in server.connections] == [[1], [1]]
        assert server.violations == []


@pytest.mark.parametrize("case", ["rst_after_header", "rst_during_data", "rst_after_data"])
async def test_a_reset_without_trailers_is_internal_wherever_it_comes(case: str) -> None:
    error, server = await outcome(case)
    assert error.code is penstock.StatusCode.INTERNAL
    assert "NO_ERROR" in error.message
    assert not error.retryable
    assert len(server.connections) == 1  # and nobody has tried it again


async def test_ping_every_ping_is_answered_with_its_own_bytes() -> None:
    async with serving(CASES["ping"].answer) as server, penstock.Channel(server.address) as channel:
        await call(channel)
        (connection,) = server.connections
        await until(lambda: len(connection.acks) >= len(connection.pings))
        assert connection.acks == connection.pings
        assert len(connection.pings) == 3 + 20  # around head, pieces and trailers
    assert connection.acks == connection.pings  # none came late either
    assert server.violations == []


async def test_max_streams_calls_wait_for_the_one_place() -> None:
    case = CASES["max_streams"]
    async with serving(case.answer, case.settings) as server, penstock.Channel(server.address) as channel:
        await call(channel)  # from here the client knows the limit
        await asyncio.gather(*(call(channel) for _ in range(10)))
        assert server.calls == [METHOD.path] * 11
        assert (len(server.connections), server.most_open) == (1, 1)
        assert server.violations == []


@pytest.mark.parametrize("window_bytes", WINDOWS)
@pytest.mark.parametrize("case", ["data_frame_padding", "no_df_padding_sanity_test"])
async def test_small_data_frames_padding_counts_for_flow_control(case: str, window_bytes: int) -> None:
    limits = penstock.Limits(stream_window_bytes=window_bytes)
    async with serving(CASES[case].answer) as server, penstock.Channel(server.address, limits=limits) as channel:
        await call(channel)
        (connection,) = server.connections
        # A byte too little or too much for each frame would come to 62 KiB.
        assert window_bytes // 4 < connection.streams[1].window_left <= window_bytes
        assert server.violations == []
