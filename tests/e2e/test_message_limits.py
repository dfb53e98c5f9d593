"""Is a message above a limit refused with its numbers, exactly there, and does the connection live?"""

import asyncio

import pytest

import penstock
from tests.e2e.support import connected, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

LIMIT = 5000
EITHER_SIDE = [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 10 * LIMIT]
ANY = "/any.Where/At"


async def _echo(stream: penstock.ServerStream[bytes, bytes]) -> None:
    async for message in stream:
        await stream.send(message)


async def _give(stream: penstock.ServerStream[bytes, bytes]) -> None:
    """Answer each number with as many bytes."""
    async for message in stream:
        await stream.send(bytes(int(message)))


@pytest.mark.parametrize("size", EITHER_SIDE)
async def test_a_server_refuses_a_request_above_its_limit(size: int) -> None:
    limits = penstock.Limits(max_receive_message_bytes=LIMIT)
    async with connected(server_limits=limits, fallback=_echo) as pair, pair.channel.stream(ANY) as neighbour:
        async with pair.channel.stream(ANY) as stream:
            await stream.send(b"before")
            assert await stream.receive() == b"before"
            await stream.send(bytes(size))
            if size <= LIMIT:
                assert await within_bound(stream.receive()) == bytes(size)
                await stream.finish()
            else:
                with pytest.raises(penstock.ResourceExhausted) as caught:
                    await within_bound(stream.receive())
                assert caught.value.message == f"message of {size} bytes exceeds max_receive_message_bytes={LIMIT}"
                assert caught.value.origin is penstock.Origin.REMOTE
        await neighbour.send(b"well")
        assert await within_bound(neighbour.receive()) == b"well"
        assert len(pair.server.connections) == 1


@pytest.mark.parametrize("size", EITHER_SIDE)
async def test_a_client_refuses_a_reply_above_its_limit(size: int) -> None:
    limits = penstock.Limits(max_receive_message_bytes=LIMIT)
    async with connected(client_limits=limits, fallback=_give) as pair, pair.channel.stream(ANY) as neighbour:
        async with pair.channel.stream(ANY) as stream:
            await stream.send_many([b"6", str(size).encode(), b"7"])
            assert await stream.receive() == bytes(6)
            if size <= LIMIT:
                assert await within_bound(stream.receive()) == bytes(size)
                assert await within_bound(stream.receive()) == bytes(7)
                await stream.finish()
            else:
                with pytest.raises(penstock.ResourceExhausted) as caught:
                    await within_bound(stream.receive())
                assert caught.value.message == f"message of {size} bytes exceeds max_receive_message_bytes={LIMIT}"
                assert caught.value.origin is penstock.Origin.LOCAL
        await neighbour.send(b"5")
        assert await within_bound(neighbour.receive()) == bytes(5)
        assert len(pair.server.connections) == 1


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
async def test_a_unary_call_keeps_the_limit_in_both_directions(size: int) -> None:
    note = Note(payload=b"x")
    note.payload = bytes(size - (len(Note(payload=bytes(size)).SerializeToString()) - size))
    assert len(note.SerializeToString()) == size
    limits = penstock.Limits(max_receive_message_bytes=LIMIT)
    for server_limits, client_limits in ((limits, None), (None, limits)):
        async with connected(server_limits=server_limits, client_limits=client_limits) as pair:
            if size <= LIMIT:
                assert await pair.client.unary(note) == note
            else:
                with pytest.raises(penstock.ResourceExhausted, match=f"message of {size} bytes exceeds"):
                    await within_bound(pair.client.unary(note))
            assert (await pair.client.unary(Note(text="small"))).text == "small"


async def test_a_handler_learns_that_its_request_was_refused() -> None:
    outcomes: list[Exception] = []

    async def keep(stream: penstock.ServerStream[bytes, bytes]) -> None:
        try:
            await stream.receive()
        except penstock.RpcError as error:
            outcomes.append(error)
            raise

    limits = penstock.Limits(max_receive_message_bytes=LIMIT)
    async with connected(server_limits=limits, fallback=keep) as pair, pair.channel.stream(ANY) as stream:
        await stream.send(bytes(LIMIT + 1))
        with pytest.raises(penstock.ResourceExhausted):
            await within_bound(stream.receive())
    assert isinstance(outcomes[0], penstock.ResourceExhausted)
    assert outcomes[0].origin is penstock.Origin.LOCAL


@pytest.mark.parametrize("size", [LIMIT - 1, LIMIT, LIMIT + 1])
async def test_a_client_sends_nothing_above_its_own_limit_and_goes_on(size: int) -> None:
    limits = penstock.Limits(max_send_message_bytes=LIMIT)
    async with connected(client_limits=limits, fallback=_echo) as pair, pair.channel.stream(ANY) as stream:
        for message in (bytes(size), penstock.encode(bytes(size))):
            if size <= LIMIT:
                await stream.send(message)
                assert await stream.receive() == bytes(size)
                continue
            for send in (stream.send, lambda message: stream.send_many([message])):
                with pytest.raises(penstock.ResourceExhausted) as caught:
                    await send(message)
                assert caught.value.message == f"message of {size} bytes exceeds max_send_message_bytes={LIMIT}"
                assert caught.value.origin is penstock.Origin.LOCAL
            with pytest.raises(penstock.ResourceExhausted):
                stream.send_nowait(message)
        await stream.send(b"well")
        assert await stream.receive() == b"well"
        await stream.finish()


async def test_a_handler_that_sends_above_its_own_limit_may_catch_that() -> None:
    async def careful(stream: penstock.ServerStream[bytes, bytes]) -> None:
        with pytest.raises(penstock.ResourceExhausted, match="max_send_message_bytes"):
            await stream.send(bytes(LIMIT + 1))
        await stream.send(b"shorter")

    limits = penstock.Limits(max_send_message_bytes=LIMIT)
    async with connected(server_limits=limits, fallback=careful) as pair, pair.channel.stream(ANY) as stream:
        assert await within_bound(stream.receive()) == b"shorter"
        await stream.finish()


async def test_a_reply_above_the_servers_own_limit_is_resource_exhausted_for_the_client() -> None:
    limits = penstock.Limits(max_send_message_bytes=LIMIT)
    async with connected(server_limits=limits) as pair:
        with pytest.raises(penstock.ResourceExhausted, match="exceeds max_send_message_bytes"):
            await within_bound(pair.client.unary(Note(payload=bytes(LIMIT))))


async def test_the_default_lets_four_mebibytes_pass_and_no_byte_more() -> None:
    four = 4 * 1024 * 1024
    async with connected(fallback=_echo) as pair:
        async with pair.channel.stream(ANY) as stream:
            sending = asyncio.create_task(stream.send_many([bytes(four), bytes(four)]))
            assert len(await within_bound(stream.receive())) == four
            assert len(await within_bound(stream.receive())) == four
            await sending
            await stream.finish()
        with pytest.raises(penstock.ResourceExhausted, match="message of 4194305 bytes exceeds"):
            async with pair.channel.stream(ANY) as stream:
                await stream.send(bytes(four + 1))
                await within_bound(stream.receive())
