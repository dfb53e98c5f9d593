"""The seam: what of the engine Python sees, and that its stub says the truth."""

import asyncio
import contextlib
import gc
import inspect
import itertools
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock import _engine
from penstock._server_connection import ServerConnection
from penstock._transport import Transport
from tests.unit.memory import Ends, both_ends, connected, settle

ROOT = Path(__file__).parents[2]

Awaitables = Callable[[Any], Any]


@pytest.mark.timeout(120)
def test_the_stub_says_what_the_engine_is() -> None:
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "penstock._engine"]
    child = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert (child.returncode, child.stdout) == (0, "")


def test_the_version_is_that_of_the_workspace() -> None:
    cargo = tomllib.loads((ROOT / "Cargo.toml").read_text("utf-8"))
    assert penstock.__version__ == _engine.VERSION == cargo["workspace"]["package"]["version"]


# The awaitable of what is done.


async def test_what_is_done_can_be_awaited_again_and_again() -> None:
    for _ in range(3):
        await _engine.DONE


async def test_a_send_that_need_not_wait_gives_what_is_done() -> None:
    async with both_ends() as ends:
        sending = ends.client.send(b"1")
        assert sending is _engine.DONE
        await sending
        assert await ends.server.receive() == b"1"


async def test_asyncio_takes_a_send_for_a_coroutine_whether_it_waits_or_not() -> None:
    async with both_ends() as ends:
        await asyncio.create_task(ends.client.send(b"1"))
        await asyncio.wait_for(ends.client.send(b"2"), 10)
        await asyncio.gather(ends.client.send(b"3"), ends.client.send(b"4"))
        assert [await ends.server.receive() for _ in range(4)] == [b"1", b"2", b"3", b"4"]


def test_what_is_done_hands_back_what_is_thrown_into_it() -> None:
    with pytest.raises(LookupError, match="mine"):
        _engine.DONE.throw(LookupError("mine"))
    with pytest.raises(StopIteration):
        _engine.DONE.send(None)
    _engine.DONE.close()


async def test_a_send_that_is_cancelled_before_its_first_step_has_sent_its_message() -> None:
    async with both_ends() as ends:
        sending = asyncio.create_task(ends.client.send(b"sent"))
        sending.cancel()
        await settle()
        assert sending.cancelled()
        assert await ends.server.receive() == b"sent"


async def test_a_turn_of_the_loop_writes_once_while_a_crowd_waits_to_send(monkeypatch: pytest.MonkeyPatch) -> None:
    go, written = asyncio.Event(), []

    async def answer(stream: penstock.ServerStream[bytes, bytes]) -> None:
        await go.wait()
        await stream.send(bytes(64 * 1024))

    async with connected(fallback=answer) as channel, contextlib.AsyncExitStack() as stack:
        for _ in range(40):
            await stack.enter_async_context(channel.stream("/test.Service/Method"))
        await settle()
        _near, far = channel.wires
        monkeypatch.setattr(far, "_pause", lambda: None)  # its socket takes everything
        go.set()
        while len(far.written) < 40 * 64 * 1024:
            await asyncio.sleep(0)
            written.append(len(far.written))
    # A piece of 256 KiB in a turn; what the last 16 have left goes together, and frames have heads.
    growth = [after - before for before, after in itertools.pairwise(written)]
    assert max(growth) <= 600 * 1024


# The awaitable of a receive.


async def test_asyncio_takes_a_receive_for_a_coroutine_whether_it_waits_or_not() -> None:
    uses: list[Awaitables] = [
        lambda stream: asyncio.create_task(stream.receive()),
        lambda stream: asyncio.wait_for(stream.receive(), 10),
        lambda stream: asyncio.gather(stream.receive()),
        lambda stream: asyncio.wait_for(anext(stream), 10),
        lambda stream: asyncio.create_task(anext(stream)),
    ]
    async with both_ends() as ends:
        for use in uses:
            for already_there in (True, False):
                if already_there:
                    ends.server.send_nowait(b"x")
                    await settle()
                    got = await use(ends.client)
                else:
                    task = asyncio.ensure_future(use(ends.client))
                    await settle()
                    ends.server.send_nowait(b"x")
                    got = await task
                assert got in (b"x", [b"x"])


async def test_a_receive_is_awaitable_and_no_native_coroutine() -> None:
    async with both_ends() as ends:
        step = ends.client.receive()
        assert inspect.isawaitable(step)
        assert asyncio.iscoroutine(step)
        step.close()


async def test_a_receive_that_was_not_begun_hands_back_what_is_thrown_into_it() -> None:
    async with both_ends() as ends:
        with pytest.raises(LookupError, match="mine"):
            ends.client.receive().throw(LookupError("mine"))
        ends.server.send_nowait(b"still there")
        assert await ends.client.receive() == b"still there"


async def test_two_steps_of_one_loop_do_not_share_what_they_wait_for() -> None:
    async with both_ends() as ends:
        first, second = ends.client.__anext__(), ends.client.__anext__()
        assert first is not second
        ends.server.send_nowait(b"1")
        ends.server.send_nowait(b"2")
        await settle()
        assert [await second, await first] == [b"1", b"2"]


async def test_a_step_of_a_loop_is_used_again_when_nobody_holds_it() -> None:
    async with both_ends() as ends:
        steps = set()
        for _ in range(5):
            ends.server.send_nowait(b"x")
            await settle()
            step = ends.client.__anext__()
            steps.add(id(step))
            assert await step == b"x"
            del step
        assert len(steps) == 1


# The time slice.


def test_only_the_first_task_that_lets_others_run_asks_for_the_end_of_the_turn() -> None:
    _engine.turn_over()
    for _ in range(2):
        assert _engine.turn_begins()
        assert not _engine.turn_begins()
        _engine.turn_over()


# Memory.


def test_a_read_buffer_is_one_block_that_can_be_written() -> None:
    view = _engine.ReadBuffer(16).view()
    view[:] = b"0123456789abcdef"
    assert (bytes(view), view.nbytes, view.readonly) == (b"0123456789abcdef", 16, False)


def test_a_view_outlives_its_buffer() -> None:
    view = _engine.ReadBuffer(4).view()
    gc.collect()
    view[:] = b"okay"
    assert bytes(view) == b"okay"


async def test_large_messages_and_small_ones_arrive_as_they_were() -> None:
    sizes = [0, 1, 4095, 4096, 4097, 65_535, 65_536, 300_000, 1]
    async with both_ends() as ends:
        sending = asyncio.create_task(
            ends.client.send_many(bytes([number]) * size for number, size in enumerate(sizes))
        )
        for number, size in enumerate(sizes):
            assert await ends.server.receive() == bytes([number]) * size
        await sending


async def test_a_message_that_waits_to_be_sent_is_not_changed_by_what_becomes_of_it() -> None:
    async with both_ends() as ends:
        ends.channel.wires[0].hold()
        large = bytes(200_000)
        ends.client.send_nowait(large)
        del large
        gc.collect()
        ends.channel.wires[0].release()
        assert await ends.server.receive() == bytes(200_000)


def test_a_connection_is_counted_while_its_memory_is_held() -> None:
    before = _engine.live_connections()
    settings: dict[str, Any] = dict.fromkeys(
        ["stream_window_bytes", "max_frame_bytes", "max_header_list_bytes"], 65_536
    )
    connection = _engine.Connection(
        client=True,
        read_buffer=_engine.ReadBuffer(16),
        max_concurrent_streams=1,
        max_receive_message_bytes=1,
        send_buffer_bytes=1,
        coding=None,
        any_subtype=False,
        user_agent="",
        **settings,
    )
    assert _engine.live_connections() == before + 1
    del connection
    assert _engine.live_connections() == before


# The time.


@contextlib.contextmanager
def held(seconds: float) -> Iterator[None]:
    """Hold the clock of connections."""
    _engine.hold_time(seconds)
    try:
        yield
    finally:
        _engine.hold_time(None)


def test_the_time_of_connections_is_that_of_time_monotonic() -> None:
    before = time.monotonic()
    assert before - 0.001 <= _engine.now() <= time.monotonic() + 0.001


def test_a_test_can_hold_the_time() -> None:
    with held(12.5):
        assert _engine.now() == 12.5
    assert abs(_engine.now() - time.monotonic()) < 3600


async def test_a_connection_knows_when_it_read_last() -> None:
    with held(10):
        async with both_ends() as ends:
            _client, server = protocols(ends)
            _engine.hold_time(20)
            assert server.engine.last_read_at == 10
            ends.client.send_nowait(b"x")
            await settle()
            assert server.engine.last_read_at == 20
            _engine.hold_time(30)
            ends.server.send_nowait(b"y")
            await settle()
            assert server.engine.last_read_at == 20, "what it writes does not count"


# The peer.


def protocols(ends: Ends) -> tuple[Transport, Transport]:
    """Of the client, and of the server."""
    client, server = (wire.get_protocol() for wire in ends.channel.wires)
    assert isinstance(client, Transport)
    assert isinstance(server, Transport)
    return client, server


async def test_a_ping_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    pongs: list[Transport] = []

    def hear(transport: Transport) -> None:
        pongs.append(transport)

    monkeypatch.setattr(Transport, "_on_pong", hear)
    async with both_ends() as ends:
        for asking, asked in (protocols(ends), reversed(protocols(ends))):
            pongs.clear()
            asking.engine.ping()
            await settle()
            assert pongs == [asking]
            assert (asked.engine.pings_received, asking.engine.pings_sent) == (1, 1)


async def test_what_the_peer_says_is_counted() -> None:
    async with both_ends() as ends:
        client, server = protocols(ends)
        assert (client.engine.settings_received, server.engine.settings_received) == (1, 1)
        assert server.engine.resets_received == 0
        ends.client.cancel()
        await settle()
        assert server.engine.resets_received == 1


async def test_a_planned_end_tells_the_peer_why_and_breaks_nothing() -> None:
    async with both_ends() as ends:
        client, server = protocols(ends)
        server.engine.go_away(0, "max_age")
        await settle()
        assert client.reason == "the peer sent GOAWAY, code 0, 'max_age'"
        await ends.client.send(b"x")
        assert await ends.server.receive() == b"x"


async def test_a_planned_end_needs_no_answer() -> None:
    async with both_ends() as ends:
        near, far = ends.channel.wires
        _client, server = protocols(ends)
        near.hold()  # it reads, and can answer nothing
        server.engine.go_away(0, "")
        await settle()
        written = len(far.written)
        server.engine.finish_shutdown()
        await settle()
        assert far.written[written:] == bytes([0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
        near.release()
        ends.server.send_nowait(b"x")
        assert await ends.client.receive() == b"x"


async def test_an_abort_tells_the_peer_why() -> None:
    async with both_ends() as ends:
        client, server = protocols(ends)
        server.engine.abort("enough", 11, "calm down")
        await settle()
        assert (server.reason, client.reason) == ("enough", "the peer sent GOAWAY, code 11, 'calm down'")
        with pytest.raises(penstock.RpcError):
            await ends.client.receive()


async def test_a_peer_that_pings_too_often_is_told_so() -> None:
    async with both_ends() as ends:
        client, server = protocols(ends)
        server.engine.set_ping_policy(10, True)
        with held(100):
            for _ in range(4):
                assert not server.reason
                client.engine.ping()
                await settle()
        assert server.reason == "the peer sent PINGs too often"
        assert client.reason == "the peer sent GOAWAY, code 11, 'too_many_pings'"
        said = r"; the peer had sent GOAWAY, code 11 \(ENHANCE_YOUR_CALM\), 'too_many_pings'$"
        with pytest.raises(penstock.Unavailable, match=said):
            await ends.client.receive()
        assert (client.engine.pings_sent, server.engine.pings_received, server.engine.ping_strikes) == (4, 4, 3)
        numbers = ends.channel.server.statistics()
        assert (numbers.pings_received, numbers.ping_strikes, numbers.pings_sent) == (4, 3, 0)
        asked = ends.channel.statistics()
        assert (asked.pings_received, asked.ping_strikes, asked.pings_sent) == (0, 0, 4)


# What passes, and what stays.


async def test_a_stream_tells_what_passed_over_it() -> None:
    with held(100):
        async with both_ends() as ends:
            await ends.client.send(b"12345")
            await ends.client.send(bytes(20_000))
            await settle()
            _engine.hold_time(130)
            sent, came = ends.client._tally(), ends.server._tally()
            assert sent == (0, 0, 2, 20_015, 30, 30, 0, 0, "")
            assert came == (2, 20_015, 0, 0, 30, 30, 20_015, 0, "")
            assert ends.server._held_bytes == 20_015
            assert await ends.server.receive() == b"12345"
            assert ends.server._tally()[6] == ends.server._held_bytes == 20_005
            await ends.server.send(b"x")
            await settle()
            _engine.hold_time(140)
            assert ends.client._tally()[4:6] == (10, 40)
            ends.client.cancel()
            await settle()
            _engine.hold_time(150)
            # The last word: it does not grow older, and only what nobody took is still there.
            assert ends.client._tally() == (1, 6, 2, 20_015, 10, 40, 0, 0, "")
            assert ends.server._tally() == (2, 20_015, 1, 6, 40, 10, 20_005, 0, "")


async def test_a_message_in_a_turn_of_its_own_has_the_time_of_that_turn() -> None:
    with held(10):
        async with both_ends() as ends:
            await settle()
            _engine.hold_time(20)  # nothing was read or written since
            ends.client.send_nowait(b"x")
            assert ends.client._tally()[5] == 0


async def test_a_stream_says_what_its_bytes_wait_for() -> None:
    async with both_ends() as ends:
        ends.channel.wires[0].hold()
        ends.client.send_nowait(b"x")
        assert ends.client._tally()[6:] == (0, 6, "socket")
        ends.channel.wires[0].release()
        assert ends.client._tally()[6:] == (0, 0, "")
        with contextlib.suppress(penstock.WouldBlock):
            while True:
                ends.client.send_nowait(bytes(60_000))
                await settle()
        assert ends.client._tally()[8] == "window"


def test_a_stream_that_is_on_no_connection_has_passed_nothing() -> None:
    stream: _engine.StreamBase[bytes, bytes] = _engine.StreamBase(_engine.Codec(bytes, None, None, 10, 10))
    assert stream._tally() == (0, 0, 0, 0, 0, 0, 0, 0, "")


async def test_a_connection_knows_what_its_streams_keep() -> None:
    async with both_ends() as ends:
        client, server = protocols(ends)
        ends.channel.wires[0].hold()
        ends.client.send_nowait(bytes(995))
        assert (client.engine.queued_bytes, server.engine.held_bytes) == (1000, 0)
        ends.channel.wires[0].release()
        await settle()
        assert (client.engine.queued_bytes, server.engine.held_bytes) == (0, 1000)
        await ends.server.receive()
        await settle()
        assert server.engine.held_bytes == 0


async def test_what_is_shed_ends_on_both_sides_and_is_dropped() -> None:
    async with both_ends() as ends:
        _client, server = protocols(ends)
        assert not server.engine.shed(None, "too much")
        ends.client.send_nowait(b"1")
        ends.client.send_nowait(bytes(10_000))
        await settle()
        assert await ends.server.receive() == b"1"
        assert server.engine.shed(None, "too much")
        assert not server.engine.shed(None, "too much")
        await settle()
        assert (server.engine.held_bytes, ends.server._held_bytes) == (0, 0)
        for stream in (ends.client, ends.server):
            with pytest.raises(penstock.RpcError) as raised:
                await stream.receive()
            assert raised.value.code is penstock.StatusCode.RESOURCE_EXHAUSTED
            assert raised.value.message == "too much"


def change_connections(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Have engines made with other settings than their connections give."""
    make = _engine.Connection
    monkeypatch.setattr(_engine, "Connection", lambda **settings: make(**{**settings, **changed}))


async def test_who_grows_beyond_a_shared_budget_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = _engine.Budget(1000)
    assert (budget.limit_bytes, budget.used_bytes) == (1000, 0)
    told: list[Transport] = []

    def hear(transport: Transport) -> None:
        told.append(transport)

    monkeypatch.setattr(ServerConnection, "_on_over_budget", hear)
    async with both_ends() as ends:
        _client, server = protocols(ends)
        server.engine.share([budget])
        ends.client.send_nowait(bytes(995))
        await settle()
        assert (budget.used_bytes, told) == (1000, [])
        ends.client.send_nowait(b"")
        await settle()
        assert budget.used_bytes == 1005
        assert server in told
        await ends.server.receive_many(2)
        await settle()
        assert budget.used_bytes == 0
        ends.client.send_nowait(b"left behind")
        await settle()
    assert budget.used_bytes == 0


async def test_a_connection_sheds_by_itself_above_its_own_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    change_connections(monkeypatch, connection_budget_bytes=1000)
    async with both_ends() as ends:
        ends.client.send_nowait(bytes(995))
        await settle()
        assert ends.server._held_bytes == 1000
        ends.client.send_nowait(b"")
        await settle()
        assert ends.client.status is not None
        assert ends.client.status.code is penstock.StatusCode.RESOURCE_EXHAUSTED


# Classes.


def test_the_classes_can_be_given_their_types() -> None:
    assert repr(penstock.Encoded[bytes]) == "penstock._engine.Encoded[bytes]"
    assert penstock.Stream[bytes, bytes] is not None


def test_a_stream_that_is_on_no_connection_does_nothing() -> None:
    stream: _engine.StreamBase[bytes, bytes] = _engine.StreamBase(_engine.Codec(bytes, None, None, 10, 10))
    stream._half_close()
    stream._reset(8)
    assert (stream._id, stream._queued_bytes, stream._held_bytes) == (0, 0, 0)
    assert not stream._await_room()
    assert stream._await_message()
    assert stream._push(b"x") == 2
    assert stream._take() is None
    assert stream._take_many(5) == []


def test_a_codec_that_gives_no_bytes_is_a_type_error() -> None:
    codec = _engine.Codec(int, str, None, 10, 10)  # type: ignore[arg-type]  # what mypy refuses
    stream: _engine.StreamBase[int, int] = _engine.StreamBase(codec)
    with pytest.raises(TypeError):
        stream._encode(5)
