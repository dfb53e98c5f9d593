"""Does the proxy of examples/proxy pass on all that the two sides say, and when they end?"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

import penstock
from examples.proxy.forwarding import forward
from tests.e2e.support import TINY, Echo, Pair, connected, notes, until, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

METADATA: list[tuple[str, penstock.MetadataValue]] = [
    ("who", "me"),
    ("many", "1"),
    ("many", "2"),
    ("blob-bin", b"\0\xff"),
    ("empty", ""),
    ("foreign", penstock.ForeignText("caf\xe9\t")),
    ("grpc-trace-bin", b"\1"),
]
RECEIVED = [*METADATA[:5], ("foreign", "caf\xe9"), METADATA[6]]
"""The same, without white space at the ends."""

DETAILS = b"\x08\x05\x12\x02no\xa0\x06\x07"
"""google.rpc.Status with a field of its future: unpacked and packed again it would be another."""


@dataclass(frozen=True)
class Chain:
    """A client, the proxy, and the server behind it."""

    front: Pair
    back: Pair

    @property
    def client(self) -> EchoClient:
        """Calls the proxy."""
        return self.front.client


@asynccontextmanager
async def proxied(
    service: penstock.Service | None = None, limits: penstock.Limits | None = None
) -> AsyncIterator[Chain]:
    """Put the proxy between a client and a server; all have the same limits."""
    async with connected(service, server_limits=limits, client_limits=limits) as back:
        server = penstock.Server([], limits=limits, fallback=partial(forward, channel=back.channel))
        async with server.listening("127.0.0.1:0") as address, penstock.Channel(address, limits=limits) as channel:
            front = Pair(server, channel, EchoClient(channel), address)
            yield Chain(front, back)
            await front.until_no_call_is_open()


async def test_every_kind_of_call_passes() -> None:
    async with proxied() as chain:
        assert (await chain.client.unary(Note(text="through"))).text == "through"
        async with chain.client.server_stream(Note(number=100)) as replies:
            assert len([reply async for reply in replies]) == 100
        async with chain.client.client_stream() as upload:
            await upload.send_from(notes(100))
            assert (await upload.finish()).number == 100
        async with chain.client.both_stream() as stream:
            await stream.send_many(notes(100))
            await stream.end_sending()
            assert [reply async for reply in stream] == notes(100)


async def test_metadata_passes_both_ways_as_it_came() -> None:
    seen = []

    async def give_back(request: Note, call: penstock.ServerCall) -> Note:
        seen.append(call.metadata.pairs())
        await call.send_initial_metadata(call.metadata)
        call.trailing_metadata.extend(call.metadata)
        return request

    async with proxied(Echo(unary=give_back)) as chain:
        call = chain.client.unary(Note(), metadata=METADATA)
        await call
        assert seen == [RECEIVED]
        assert (await call.initial_metadata()).pairs() == RECEIVED
        assert call.trailing_metadata is not None
        assert call.trailing_metadata.pairs() == RECEIVED


async def test_initial_metadata_does_not_wait_for_a_message() -> None:
    go_on = asyncio.Event()

    async def greet(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_initial_metadata({"greeting": "hello"})
        await go_on.wait()

    async with proxied(Echo(both_stream=greet)) as chain, chain.client.both_stream() as stream:
        assert await within_bound(stream.initial_metadata()) == {"greeting": "hello"}
        assert stream.status is None
        go_on.set()
        await stream.finish()


async def test_a_head_without_metadata_and_without_a_message_passes_as_well() -> None:
    async def only_a_head(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send_initial_metadata({})
        await asyncio.Event().wait()

    async with proxied(Echo(both_stream=only_a_head)) as chain, chain.client.both_stream() as stream:
        assert await within_bound(stream.initial_metadata()) == {}


@pytest.mark.parametrize("begun", [False, True])
async def test_a_failure_passes_with_its_details_byte_for_byte(begun: bool) -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        if begun:
            await call.send_initial_metadata({"begun": "yes"})
        call.trailing_metadata["k"] = "v"
        call.trailing_metadata["grpc-status-details-bin"] = DETAILS
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "nö % \n")

    async with proxied(Echo(unary=fail)) as chain:
        call = chain.client.unary(Note())
        with pytest.raises(penstock.RpcError) as caught:
            await call
        error = caught.value
        assert (error.code, error.message) == (penstock.StatusCode.NOT_FOUND, "nö % \n")
        assert error.metadata.pairs() == [("k", "v"), ("grpc-status-details-bin", DETAILS)]
        if begun:
            assert await call.initial_metadata() == {"begun": "yes"}
        else:  # one frame, as the server sent it: no response has begun
            with pytest.raises(penstock.RpcError):
                await call.initial_metadata()


async def test_details_of_an_error_are_there_behind_the_proxy() -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        raise penstock.RpcError(penstock.StatusCode.ABORTED, details=[Note(text="why")])

    async with proxied(Echo(unary=fail)) as chain:
        with pytest.raises(penstock.RpcError) as caught:
            await chain.client.unary(Note())
        (detail,) = caught.value.details
        note = Note()
        assert detail.Unpack(note)  # type: ignore[attr-defined]
        assert note.text == "why"


async def test_trailing_metadata_passes_with_ok_details_included() -> None:
    async def warn(request: Note, call: penstock.ServerCall) -> Note:
        call.trailing_metadata["grpc-status-details-bin"] = DETAILS
        return request

    async with proxied(Echo(unary=warn)) as chain:
        call = chain.client.unary(Note(text="fine"))
        assert (await call).text == "fine"
        assert call.trailing_metadata == {"grpc-status-details-bin": DETAILS}


async def test_a_half_close_passes_and_the_answers_after_it_too() -> None:
    async def answer_at_the_end(stream: penstock.ServerStream[Note, Note]) -> None:
        received = [note async for note in stream]
        await stream.send_many(received)

    async with proxied(Echo(both_stream=answer_at_the_end)) as chain, chain.client.both_stream() as stream:
        await stream.send_many(notes(10))
        await stream.end_sending()
        assert [reply async for reply in stream] == notes(10)


async def test_a_server_that_ends_early_ends_the_call_of_a_client_that_still_sends() -> None:
    async def enough(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(await stream.receive())
        stream.trailing_metadata["why"] = "enough"

    async with proxied(Echo(both_stream=enough)) as chain, chain.client.both_stream() as stream:
        with pytest.raises(penstock.EndOfStream):
            while True:
                await within_bound(stream.send(Note(text="x")))
        assert await stream.receive() == Note(text="x")
        assert stream.trailing_metadata == {"why": "enough"}
        assert stream.status == penstock.Status(penstock.StatusCode.OK)


async def test_a_send_of_the_client_raises_the_status_of_the_server_that_ended_early() -> None:
    async def refuse(stream: penstock.ServerStream[Note, Any]) -> Note:
        await stream.receive()
        raise penstock.RpcError(penstock.StatusCode.FAILED_PRECONDITION, "full")

    async with proxied(Echo(client_stream=refuse)) as chain, chain.client.client_stream() as stream:
        with pytest.raises(penstock.RpcError, match="FAILED_PRECONDITION: full"):
            while True:
                await within_bound(stream.send(Note(text="x")))


async def test_the_server_gets_the_time_that_is_left_and_the_deadline_ends_all_three() -> None:
    left: list[float | None] = []
    outcomes: list[BaseException] = []

    async def wait(stream: penstock.ServerStream[Note, Note]) -> None:
        left.append(stream.time_remaining)
        try:
            await stream.receive()
        except BaseException as error:
            outcomes.append(error)
            raise

    async with proxied(Echo(both_stream=wait)) as chain:
        await chain.client.unary(Note())  # connected, so that the time is enough to get there
        async with chain.client.both_stream(timeout=0.3) as stream:
            with pytest.raises(penstock.DeadlineExceeded):
                await within_bound(stream.receive())
        await until(lambda: outcomes)
        assert isinstance(outcomes[0], penstock.DeadlineExceeded | penstock.Cancelled)
        assert left[0] is not None
        assert 0 < round(left[0], 6) <= 0.3  # the difference of two times of the loop
        async with chain.client.both_stream() as stream:
            await stream.send(Note())
            await stream.finish()
        assert left[1] is None


async def test_a_client_that_cancels_cancels_the_handler_behind_the_proxy() -> None:
    outcomes: list[BaseException] = []
    entered = asyncio.Event()

    async def wait(stream: penstock.ServerStream[Note, Note]) -> None:
        entered.set()
        try:
            await stream.receive()
        except BaseException as error:
            outcomes.append(error)
            raise

    async with proxied(Echo(both_stream=wait)) as chain:
        async with chain.client.both_stream() as stream:
            await within_bound(entered.wait())
            stream.cancel()
        await until(lambda: outcomes)
        assert isinstance(outcomes[0], penstock.Cancelled)
        await chain.back.until_no_call_is_open()


async def test_a_handler_that_cancels_cancels_the_call_of_the_client() -> None:
    async def cancel(stream: penstock.ServerStream[Note, Note]) -> None:
        await stream.send(Note(text="first"))
        await stream.receive()
        stream.cancel()

    async with proxied(Echo(both_stream=cancel)) as chain, chain.client.both_stream() as stream:
        assert (await stream.receive()).text == "first"
        await stream.send(Note())
        with pytest.raises(penstock.Cancelled):
            await within_bound(stream.receive())


async def test_a_server_that_is_killed_ends_its_calls_and_the_next_ones_find_a_new_one() -> None:
    async with proxied() as chain:
        async with chain.client.both_stream() as stream:
            await stream.send(Note(text="there"))
            assert (await within_bound(stream.receive())).text == "there"
            for connection in list(chain.back.server._core.connections):
                assert connection._transport is not None
                connection._transport.abort()
            with pytest.raises(penstock.Unavailable):
                await within_bound(stream.receive())
        assert (await within_bound(chain.client.unary(Note(text="again")))).text == "again"


async def test_a_server_that_is_not_there_makes_calls_unavailable() -> None:
    async with proxied() as chain:
        await chain.back.server.stop(0)
        with pytest.raises(penstock.Unavailable):
            await within_bound(chain.client.unary(Note()))


async def test_an_unknown_method_is_the_servers_answer() -> None:
    async with proxied() as chain, chain.front.channel.stream("/not/there") as stream:
        with pytest.raises(penstock.RpcError, match="unknown method /not/there") as caught:
            await within_bound(stream.receive())
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED


BOUND = 40
"""Messages of half a KiB that windows of 2 KiB and buffers of 1 KiB, twice each, may hold, and some on their way."""


async def test_a_client_that_does_not_read_stops_the_server() -> None:
    sent, received = 0, 0

    async def flood(request: Note, stream: penstock.ServerStream[Any, Note]) -> None:
        nonlocal sent
        while sent < 500:
            await stream.send(Note(number=sent, payload=bytes(512)))
            sent += 1
            assert sent - received <= BOUND

    async with proxied(Echo(server_stream=flood), TINY) as chain, chain.client.server_stream(Note()) as stream:
        async for reply in stream:
            assert reply.number == received
            received += 1
            if received in (1, 100):
                (call,) = next(iter(chain.back.server._core.connections)).calls
                await until(lambda: call._send_waiters)  # noqa: B023 - awaited here
        assert received == 500


async def test_a_server_that_does_not_read_stops_the_client() -> None:
    sent, received = 0, 0
    go_on = asyncio.Event()

    async def take(stream: penstock.ServerStream[Note, Any]) -> Note:
        nonlocal received
        await go_on.wait()
        async for note in stream:
            assert note.number == received
            received += 1
            assert sent - received <= BOUND
        return Note(number=received)

    async with proxied(Echo(client_stream=take), TINY) as chain, chain.client.client_stream() as stream:
        while sent < 500:
            sending = asyncio.ensure_future(stream.send(Note(number=sent, payload=bytes(512))))
            if not go_on.is_set():
                await until(lambda: sending.done() or stream._send_waiters)  # noqa: B023 - awaited here
                if not sending.done():
                    assert sent <= BOUND
                    go_on.set()
            await within_bound(sending)
            sent += 1
        assert (await stream.finish()).number == 500


@pytest.mark.parametrize(("size", "fits"), [(4 * 2**20, True), (4 * 2**20 + 1, False)])
async def test_a_message_up_to_the_limit_passes_and_a_larger_one_is_refused(size: int, fits: bool) -> None:
    payload = bytes(size - Note(payload=bytes(size)).ByteSize() + size)
    async with proxied() as chain:
        if fits:
            assert (await within_bound(chain.client.unary(Note(payload=payload)))).payload == payload
        else:
            with pytest.raises(penstock.ResourceExhausted):
                await within_bound(chain.client.unary(Note(payload=payload)))


async def test_a_proxy_that_stops_lets_open_calls_end() -> None:
    async with proxied() as chain, chain.client.both_stream() as stream:
        await stream.send(Note(text="before"))
        assert (await within_bound(stream.receive())).text == "before"
        stopping = asyncio.create_task(chain.front.server.stop(grace=10))
        await within_bound(stream.draining.wait())
        await stream.send(Note(text="after"))
        assert (await within_bound(stream.receive())).text == "after"
        await stream.finish()
        report = await within_bound(stopping)
        assert (report.finished, report.cancelled) == (1, ())


@pytest.mark.parametrize("coding", [penstock.Compression.GZIP, penstock.Compression.DEFLATE])
async def test_what_came_compressed_goes_on_so_and_what_did_not_does_not(coding: penstock.Compression) -> None:
    seen: list[tuple[bool, penstock.Compression | None]] = []

    async def answer(stream: penstock.ServerStream[Note, Note]) -> None:
        stream.set_compression(coding)
        async for note in stream:
            seen.append((stream.came_compressed, stream.peer_compression))
            await stream.send(note, compress=not stream.came_compressed)

    options = penstock.CallOptions(compression=coding)

    async def give_back(request: Note, call: penstock.ServerCall) -> Note:
        assert call.came_compressed
        call.set_compression(coding)
        return request

    async with proxied(Echo(both_stream=answer, unary=give_back)) as chain:
        async with chain.client.both_stream(options=options) as stream:
            for compress in (True, False, True):
                await stream.send(Note(text="x" * 1000), compress=compress)
                assert (await within_bound(stream.receive())).text == "x" * 1000
                assert stream.came_compressed != compress
            assert stream.peer_compression is coding
            await stream.finish()
        assert seen == [(True, coding), (False, coding), (True, coding)]
        call = chain.client.unary(Note(text="x" * 1000), options=options)
        await call
        assert call.came_compressed
        async with chain.client.both_stream() as stream:
            await stream.send(Note())
            await within_bound(stream.receive())
            assert stream.came_compressed
        assert seen[3:] == [(False, None)]


async def test_calls_together_do_not_disturb_each_other() -> None:
    async with proxied() as chain:

        async def talk(number: int) -> None:
            async with chain.client.both_stream(metadata={"number": str(number)}) as stream:
                for note in notes(20):
                    await stream.send(note)
                    assert await within_bound(stream.receive()) == note
                if number % 2:
                    await stream.finish()

        await asyncio.gather(*(talk(number) for number in range(50)))
