"""What happens at the edge of each limit?"""

import asyncio
import math
from typing import Any

import pytest

import penstock
from tests.e2e.support import Echo, UnaryHandler, connected, with_neighbour, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

SIZES = [2, 500, 8191, 8192, 100_000]
"""Limits, in bytes: from 8 KiB a message has a buffer of its own, and the last one takes several frames."""


async def give_back(stream: penstock.ServerStream[bytes, bytes]) -> None:
    """Answer bytes with the same bytes."""
    async for message in stream:
        await stream.send(message)


async def answer_with_size(stream: penstock.ServerStream[bytes, bytes]) -> None:
    """Answer a number with so many bytes."""
    async for message in stream:
        await stream.send(bytes(int(message)))


@pytest.mark.parametrize("limit", SIZES)
async def test_a_server_takes_messages_up_to_its_limit_and_not_a_byte_more(limit: int) -> None:
    limits = penstock.Limits(max_receive_message_bytes=limit)
    async with with_neighbour(fallback=give_back, server_limits=limits) as pair:
        async with pair.channel.stream("/raw/echo") as stream:
            for size in (limit - 1, limit):
                await stream.send(bytes(size))
                assert len(await within_bound(stream.receive())) == size
            await stream.send(bytes(limit + 1))
            with pytest.raises(penstock.ResourceExhausted) as caught:
                await within_bound(stream.receive())
            assert caught.value.origin is penstock.Origin.REMOTE
            assert f"{limit + 1} bytes" in caught.value.message
            assert f"={limit}" in caught.value.message


@pytest.mark.parametrize("limit", SIZES)
async def test_a_client_takes_messages_up_to_its_limit_and_not_a_byte_more(limit: int) -> None:
    limits = penstock.Limits(max_receive_message_bytes=limit)
    async with with_neighbour(fallback=answer_with_size, client_limits=limits) as pair:
        async with pair.channel.stream("/raw/size") as stream:
            for size in (limit - 1, limit):
                await stream.send(str(size).encode())
                assert len(await within_bound(stream.receive())) == size
            await stream.send(str(limit + 1).encode())
            with pytest.raises(penstock.ResourceExhausted) as caught:
                await within_bound(stream.receive())
            assert caught.value.origin is penstock.Origin.LOCAL
            assert f"{limit + 1} bytes" in caught.value.message
            assert f"={limit}" in caught.value.message


async def test_messages_before_one_above_the_limit_are_received() -> None:
    limits = penstock.Limits(max_receive_message_bytes=100)
    async with connected(fallback=answer_with_size, client_limits=limits) as pair:
        async with pair.channel.stream("/raw/size") as stream:
            await stream.send_many([b"10", b"100", b"1", b"101", b"5"])
            received = []
            with pytest.raises(penstock.ResourceExhausted):
                async for message in stream:
                    received.append(len(message))
            assert received == [10, 100, 1]


async def test_a_handler_is_told_of_a_message_above_the_limit() -> None:
    told: list[BaseException] = []

    async def listen(stream: penstock.ServerStream[bytes, bytes]) -> None:
        try:
            async for _message in stream:
                pass
        except penstock.RpcError as error:
            told.append(error)
            raise

    limits = penstock.Limits(max_receive_message_bytes=10)
    async with connected(fallback=listen, server_limits=limits) as pair:
        with pytest.raises(penstock.ResourceExhausted):
            async with pair.channel.stream("/raw/listen") as stream:
                await stream.send(bytes(11))
                await within_bound(stream.receive())
        await pair.until_no_call_is_open()
        assert [type(error) for error in told] == [penstock.ResourceExhausted]


@pytest.mark.parametrize("kind", ["request", "reply"])
async def test_a_single_message_above_the_limit_ends_its_call_alone(kind: str) -> None:
    limits = penstock.Limits(max_receive_message_bytes=1000)
    side = {"server_limits": limits} if kind == "request" else {"client_limits": limits}

    async def answer(request: Note, call: penstock.ServerCall) -> Note:
        return Note(payload=bytes(request.size))

    async with with_neighbour(service=Echo(unary=answer), **side) as pair:
        request = Note(payload=bytes(2000)) if kind == "request" else Note(size=2000)
        with pytest.raises(penstock.ResourceExhausted):
            await within_bound(pair.client.unary(request))
        assert await within_bound(pair.client.unary(Note())) == Note()


async def test_a_message_far_above_the_limit_is_refused_before_it_is_sent_whole() -> None:
    limits = penstock.Limits(max_receive_message_bytes=1000)
    async with with_neighbour(fallback=give_back, server_limits=limits) as pair:
        for _ in range(20):
            async with pair.channel.stream("/raw/echo") as stream:
                await stream.send(bytes(8 * 1024 * 1024))
                with pytest.raises(penstock.ResourceExhausted):
                    await within_bound(stream.receive())
                assert stream._queued_bytes == 0


# The limit of the sender.


async def test_a_sender_refuses_its_own_message_above_the_limit_and_the_call_goes_on() -> None:
    limits = penstock.Limits(max_send_message_bytes=100)
    async with connected(fallback=give_back, client_limits=limits) as pair, pair.channel.stream("/raw/echo") as stream:
        for size in (99, 100):
            await stream.send(bytes(size))
            assert len(await within_bound(stream.receive())) == size
        text = "message of 101 bytes exceeds max_send_message_bytes=100"
        for send in (stream.send, lambda message: stream.send_many([message])):
            with pytest.raises(penstock.ResourceExhausted, match=text) as caught:
                await send(bytes(101))
            assert caught.value.origin is penstock.Origin.LOCAL
        with pytest.raises(penstock.ResourceExhausted, match=text):
            stream.send_nowait(bytes(101))
        with pytest.raises(penstock.ResourceExhausted, match=text):
            await stream.send(penstock.encode(bytes(101)))
        await stream.send(b"on")
        assert await within_bound(stream.receive()) == b"on"


async def test_a_request_above_the_senders_limit_is_no_call_at_all() -> None:
    async with connected(client_limits=penstock.Limits(max_send_message_bytes=100)) as pair:
        with pytest.raises(penstock.ResourceExhausted, match="exceeds max_send_message_bytes=100"):
            await pair.client.unary(Note(payload=bytes(200)))
        with pytest.raises(penstock.ResourceExhausted, match="exceeds max_send_message_bytes=100"):
            pair.client.server_stream(Note(payload=bytes(200)))
        assert pair.channel.state is penstock.ChannelState.IDLE


async def test_a_reply_above_the_servers_limit_is_resource_exhausted() -> None:
    async def answer(request: Note, call: penstock.ServerCall) -> Note:
        return Note(payload=bytes(200))

    limits = penstock.Limits(max_send_message_bytes=100)
    async with with_neighbour(service=Echo(unary=answer), server_limits=limits) as pair:
        with pytest.raises(penstock.ResourceExhausted, match="exceeds max_send_message_bytes=100") as caught:
            await within_bound(pair.client.unary(Note()))
        assert caught.value.origin is penstock.Origin.REMOTE


# Metadata.


@pytest.mark.parametrize("size", [1, 8_000, 15_000])
async def test_metadata_below_the_limit_arrives_both_ways(size: int) -> None:
    async def answer(request: Note, call: penstock.ServerCall) -> Note:
        await call.send_initial_metadata({"initial": str(call.metadata["sent"])})
        call.trailing_metadata["trailing"] = str(call.metadata["sent"])
        return request

    async with connected(Echo(unary=answer)) as pair:
        call = pair.client.unary(Note(), metadata={"sent": "x" * size})
        await within_bound(call)
        assert call.trailing_metadata is not None
        assert call.trailing_metadata["trailing"] == "x" * size
        assert (await call.initial_metadata())["initial"] == "x" * size


async def fate(unary: UnaryHandler | None = None, metadata: dict[str, str] | None = None) -> tuple[str, str, bool]:
    """Make a call beside another one; give its code, its text, and whether the other lives on."""
    async with connected(Echo(unary=unary)) as pair, pair.client.both_stream() as neighbour:
        await neighbour.send(Note())
        await within_bound(neighbour.receive())
        code, text, lives = "OK", "", True
        try:
            await within_bound(pair.client.unary(Note(), metadata=metadata))
        except penstock.RpcError as error:
            code, text = error.code.name, error.message
        try:
            await neighbour.send(Note())
            await within_bound(neighbour.receive())
        except penstock.RpcError:
            lives = False
        return code, text, lives


above_the_limit = pytest.mark.parametrize("size", [20_000, 100_000, 2_000_000])


@pytest.mark.wire("W14")
@above_the_limit
async def test_request_metadata_above_the_servers_limit_fails_its_call_alone(size: int) -> None:
    code, text, lives = await fate(metadata={"k": "x" * size})
    assert lives
    assert code == "RESOURCE_EXHAUSTED", text


@pytest.mark.wire("W14")
@above_the_limit
@pytest.mark.parametrize("where", ["initial", "trailing"])
async def test_reply_metadata_above_the_clients_limit_fails_its_call_alone(where: str, size: int) -> None:
    async def answer(request: Note, call: penstock.ServerCall) -> Note:
        if where == "initial":
            await call.send_initial_metadata({"k": "x" * size})
        else:
            call.trailing_metadata["k"] = "x" * size
        return request

    code, text, lives = await fate(answer)
    assert lives
    assert code != "OK"
    assert "unspecific protocol error" not in text


@pytest.mark.wire("W20")
@above_the_limit
async def test_a_long_text_of_a_status_is_cut_and_keeps_its_code(size: int) -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        raise penstock.RpcError(penstock.StatusCode.NOT_FOUND, "x" * size)

    code, text, lives = await fate(fail)
    assert lives
    assert code == "NOT_FOUND"
    assert text.startswith("x" * 1000)


# Limits that cannot be.


@pytest.mark.parametrize(
    "limits", [{"max_receive_message_bytes": 0}, {"stream_window_bytes": 2**31}, {"max_frame_bytes": 1}]
)
async def test_a_limit_that_cannot_be_is_refused_before_anything_starts(limits: dict[str, int]) -> None:
    with pytest.raises(penstock.UsageError, match=next(iter(limits))):
        penstock.Limits(**limits)


async def test_windows_smaller_than_a_message_let_it_through_all_the_same() -> None:
    limits = penstock.Limits(stream_window_bytes=1, send_buffer_bytes=1)
    async with connected(fallback=give_back, server_limits=limits, client_limits=limits) as pair:
        async with asyncio.timeout(10), pair.channel.stream("/raw/echo") as stream:
            for size in (0, 1, 2, 3000):
                await stream.send(bytes(size))
                assert len(await stream.receive()) == size


async def test_the_default_lets_four_mebibytes_pass_and_no_byte_more() -> None:
    four = 4 * 1024 * 1024
    async with connected(fallback=give_back) as pair:
        async with pair.channel.stream("/any.Where/At") as stream:
            await stream.send(bytes(four))
            assert len(await within_bound(stream.receive())) == four
            await stream.finish()
        with pytest.raises(penstock.ResourceExhausted, match="message of 4194305 bytes exceeds"):
            async with pair.channel.stream("/any.Where/At") as stream:
                await stream.send(bytes(four + 1))
                await within_bound(stream.receive())


@pytest.mark.parametrize("name", [name for name in penstock.Limits.__dataclass_fields__ if name.endswith("_seconds")])
async def test_every_limit_of_time_can_be_off(name: str) -> None:
    setting: Any = {name: math.inf}
    endless = penstock.Limits(**setting)
    async with connected(server_limits=endless, client_limits=endless) as pair:
        assert await within_bound(pair.client.unary(Note(number=1))) == Note(number=1)
