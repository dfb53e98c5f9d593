"""Are messages compressed when that is asked for, only then, and never beyond what the other side takes?"""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any, Never

import pytest

import penstock
from penstock import CallOptions, Compression, StatusCode, _expansions
from tests.e2e.support import Echo, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

CODINGS = [Compression.GZIP, Compression.DEFLATE]
TEXT = "the same words again and again, " * 4000


def sent_bytes(pair: Any) -> tuple[int, int]:
    """Give what each side has received from its socket: the client, the server."""
    (client,) = pair.channel._connector.connections
    (server,) = pair.server._core.connections
    return client.engine.bytes_received, server.engine.bytes_received


@pytest.mark.parametrize("coding", CODINGS)
async def test_all_kinds_arrive_as_they_were_sent(coding: Compression) -> None:
    async with connected(compression=coding, client_compression=coding) as pair:
        assert (await pair.client.unary(Note(text=TEXT))).text == TEXT
        async with pair.client.server_stream(Note(text=TEXT, number=3)) as stream:
            assert [reply.text async for reply in stream] == [TEXT] * 3
        async with pair.client.client_stream() as upload:
            await upload.send_from(notes(50))
            assert (await upload.finish()).number == 50
        async with pair.client.both_stream() as both:
            await both.send_many(notes(50))
            await both.end_sending()
            assert [reply async for reply in both] == notes(50)
        assert max(sent_bytes(pair)) < 30_000


async def test_a_call_chooses_for_itself() -> None:
    async with connected() as pair:
        note = Note(text=TEXT)
        await pair.client.unary(note, options=CallOptions(compression=Compression.GZIP))
        down, up = sent_bytes(pair)
        assert up < 5_000
        assert down > len(TEXT)
        await pair.client.unary(note)
        assert sent_bytes(pair)[1] > len(TEXT)


async def test_a_call_may_do_without_what_its_channel_does() -> None:
    async with connected(client_compression=Compression.GZIP) as pair:
        await pair.client.unary(Note(text=TEXT), options=CallOptions(compression=Compression.IDENTITY))
        assert sent_bytes(pair)[1] > len(TEXT)


@pytest.mark.wire("W29")
async def test_one_message_may_go_as_it_is() -> None:
    async with connected(client_compression=Compression.GZIP) as pair, pair.client.both_stream() as stream:
        for compress, least, most in [(True, 0, 5_000), (False, len(TEXT), 2 * len(TEXT)), (True, 0, 5_000)]:
            before = sent_bytes(pair)[1]
            await stream.send(Note(text=TEXT), compress=compress)
            assert (await within_bound(stream.receive())).text == TEXT
            assert least <= sent_bytes(pair)[1] - before < most
        before = sent_bytes(pair)[1]
        stream.send_nowait(Note(text=TEXT), compress=False)
        await stream.send_many([Note(text=TEXT)] * 2, compress=False)
        for _ in range(3):
            await within_bound(stream.receive())
        assert sent_bytes(pair)[1] - before > 3 * len(TEXT)


@pytest.mark.parametrize("chosen", [Compression.GZIP, Compression.DEFLATE, Compression.IDENTITY, None])
@pytest.mark.parametrize("of_server", [Compression.GZIP, None])
async def test_a_handler_chooses_for_its_call(chosen: Compression | None, of_server: Compression | None) -> None:
    async def choose(request: Note, call: penstock.ServerCall) -> Note:
        call.set_compression(chosen)
        return request

    async with connected(Echo(unary=choose), compression=of_server) as pair:
        assert (await pair.client.unary(Note(text=TEXT))).text == TEXT
        is_small = sent_bytes(pair)[0] < 5_000
        assert is_small == (chosen in CODINGS)


async def test_it_is_too_late_behind_the_first_message() -> None:
    errors = []

    async def late(request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        await stream.send(request)
        try:
            stream.set_compression(Compression.GZIP)
        except penstock.UsageError as error:
            errors.append(error)
        await stream.send(request)

    async with connected(Echo(server_stream=late)) as pair, pair.client.server_stream(Note(text=TEXT)) as stream:
        assert [reply.text async for reply in stream] == [TEXT] * 2
    assert "choose the compression first" in str(errors[0])


async def test_a_merged_message_is_compressed_as_any() -> None:
    def merge(old: Note, new: Note) -> Note:
        return Note(text=old.text + new.text, number=new.number)

    async with connected(client_compression=Compression.GZIP) as pair, pair.client.both_stream() as stream:
        for number in range(3):
            await stream.send(Note(text=TEXT, number=number), merge=merge)
        await stream.end_sending()
        replies = [reply async for reply in stream]
        assert "".join(reply.text for reply in replies) == TEXT * 3
        assert sent_bytes(pair)[1] < 10_000


async def test_what_is_encoded_once_serves_streams_with_and_without() -> None:
    encoded = penstock.encode(Note(text=TEXT))
    options = [CallOptions(compression=coding) for coding in Compression]
    async with connected() as pair:
        for option in options:
            async with pair.client.both_stream(options=option) as stream:
                assert penstock.broadcast([stream], encoded) == []
                await stream.send(encoded)
                await stream.end_sending()
                assert [reply.text async for reply in stream] == [TEXT] * 2
        assert 2 * len(TEXT) < sent_bytes(pair)[1] < 3 * len(TEXT)


@pytest.mark.wire("W28")
@pytest.mark.parametrize("coding", CODINGS)
async def test_expanding_stops_at_the_limit_and_ends_only_that_call(coding: Compression) -> None:
    limits = penstock.Limits(max_receive_message_bytes=100_000)
    note = Note(payload=bytes(100_000))
    code = StatusCode.RESOURCE_EXHAUSTED
    options = CallOptions(compression=coding)
    # To the server.
    async with connected(server_limits=limits) as pair:
        with pytest.raises(penstock.RpcError, match="a compressed message exceeds max_receive") as caught:
            await pair.client.unary(note, options=options)
        assert (caught.value.code, caught.value.origin) == (code, penstock.Origin.REMOTE)
        await pair.client.unary(Note(payload=bytes(99_990)), options=options)
    # To the client.
    async with connected(client_limits=limits, compression=coding) as pair:
        with pytest.raises(penstock.RpcError, match="a compressed message exceeds max_receive") as caught:
            await pair.client.unary(note)
        assert (caught.value.code, caught.value.origin) == (code, penstock.Origin.LOCAL)
        await pair.client.unary(Note(payload=bytes(99_990)))


async def test_nothing_is_expanded_before_it_is_taken() -> None:
    """Each message is a thousand times larger than what it takes on the way: 100 of them wait in less than a window."""

    async def flood(request: Note, stream: penstock.ServerStream[Never, Note]) -> AsyncIterator[Note]:
        for _ in range(100):
            yield Note(payload=bytes(1_000_000))

    tracemalloc.start()
    try:
        async with (
            connected(Echo(server_stream=flood), compression=Compression.GZIP) as pair,
            pair.client.server_stream(Note()) as stream,
        ):
            await until(lambda: stream.status)
            assert stream.status == penstock.Status(StatusCode.OK)
            assert [len(reply.payload) async for reply in stream] == [1_000_000] * 100
        # One or two at each side, not a hundred at one.
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


BOMB = bytes(4_000_000)
"""Four KiB on the way, and as large as a message may be when it is expanded."""


async def _take_each(stream: Any, form: str, taken: list[int]) -> None:
    try:
        if form == "iterate":
            async for note in stream:
                taken.append(len(note.payload))
        while form == "receive_many":
            taken.append(sum(len(note.payload) for note in await stream.receive_many()))
    except penstock.EndOfStream:
        pass


@pytest.mark.parametrize("form", ["iterate", "receive_many"])
async def test_expanding_one_message_after_the_other_lets_others_run(form: str) -> None:
    """Nor does it fill the memory, although the messages before have shown that a step takes no time."""
    begin, taken = asyncio.Event(), [0]
    streams: list[Any] = []

    async def listen(stream: penstock.ServerStream[Note, Note]) -> None:
        streams.append(stream)
        await begin.wait()
        await _take_each(stream, form, taken)

    most = 0
    async with connected(Echo(both_stream=listen), client_compression=Compression.GZIP) as pair:
        async with pair.client.both_stream() as stream:
            await stream.send_many([Note()] * 99, compress=False)
            bomb = penstock.encode(Note(payload=BOMB))
            await stream.send_many([bomb] * 20)
            await stream.end_sending()
            await until(lambda: streams and streams[0]._held_bytes > 20 * 3900)
            begin.set()
            while (before := sum(taken)) < 20 * len(BOMB):
                await asyncio.sleep(0)
                most = max(most, sum(taken) - before)
            await within_bound(stream.finish())
    assert most <= 3 * len(BOMB)


class Ticks:
    """Each look at the clock takes 0.1 ms, and a turn has what it has beside others: pieces are always the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._now = 0.0
        monkeypatch.setattr(_expansions, "perf_counter", self)
        monkeypatch.setattr(_expansions, "IDLE_TURN_SECONDS", _expansions.BUSY_TURN_SECONDS)

    def __call__(self) -> float:
        self._now += 0.0001
        return self._now


STEP_BYTES = 64 * 1024
"""What the engine expands in a step at most."""


@pytest.mark.parametrize("calls", [1, 50])
async def test_between_two_turns_of_the_loop_little_is_expanded(calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    Ticks(monkeypatch)
    gate, most, before = asyncio.Event(), 0, 0
    async with connected(Echo(unary=_give_length), client_compression=Compression.GZIP) as pair:
        note = Note(payload=BOMB)
        replies = asyncio.gather(*(pair.client.unary(note) for _ in range(calls)))
        replies.add_done_callback(lambda _done: gate.set())
        while not gate.is_set():
            await asyncio.sleep(0)
            (connection,) = pair.server._core.connections or [None]
            held = connection.engine.held_bytes if connection is not None else 0
            most, before = max(most, held - before), held
        assert {reply.number for reply in await replies} == {len(BOMB)}
    # What came of the others counts as held, too: 4 KiB each.
    assert 0 < most <= 4 * STEP_BYTES + calls * 5000


async def _give_length(request: Note, call: penstock.ServerCall) -> Note:
    return Note(number=len(request.payload))


async def test_one_connection_holds_one_message_that_is_partly_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    Ticks(monkeypatch)
    most = 0
    async with connected(Echo(unary=_give_length), client_compression=Compression.GZIP) as pair:
        replies = asyncio.gather(*(pair.client.unary(Note(payload=BOMB)) for _ in range(20)))
        while not replies.done():
            await asyncio.sleep(0)
            most = max(most, *(connection.engine.held_bytes for connection in pair.server._core.connections), 0)
        await replies
    assert len(BOMB) < most < len(BOMB) + 200_000


async def test_cancelling_a_receive_keeps_what_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    Ticks(monkeypatch)
    attempts = 0

    async def attempt(stream: penstock.ServerStream[Note, Note]) -> Note | None:
        nonlocal attempts
        attempts += 1
        receiving = asyncio.ensure_future(stream.receive())
        await until(lambda: receiving.done() or stream._is_expanding)
        for _ in range(3):
            await asyncio.sleep(0)
        receiving.cancel()
        await asyncio.wait([receiving])
        return None if receiving.cancelled() else receiving.result()

    async def listen(stream: penstock.ServerStream[Note, Note]) -> Note:
        while (note := await attempt(stream)) is None:
            pass
        return Note(number=len(note.payload))

    async with connected(Echo(client_stream=listen), client_compression=Compression.GZIP) as pair:
        async with pair.client.client_stream() as stream:
            await stream.send(Note(payload=BOMB))
            assert (await within_bound(stream.finish())).number == len(BOMB)
    assert attempts > 3


async def test_a_call_that_ends_frees_what_was_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    Ticks(monkeypatch)
    async with connected(Echo(unary=_give_length), client_compression=Compression.GZIP) as pair:
        calls = [asyncio.ensure_future(pair.client.unary(Note(payload=BOMB))) for _ in range(5)]
        await until(lambda: any(connection.engine.held_bytes > 1e6 for connection in pair.server._core.connections))
        (connection,) = pair.server._core.connections
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await until(lambda: not connection.calls)
        assert connection.engine.held_bytes == 0
        assert (await pair.client.unary(Note(payload=BOMB))).number == len(BOMB)
