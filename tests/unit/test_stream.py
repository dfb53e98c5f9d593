"""A stream of messages, the same on both sides."""

import asyncio
import gc
import weakref
from collections.abc import Awaitable, Callable

import pytest

from penstock import (
    Channel,
    ClosedError,
    RpcError,
    ServerStream,
    Stream,
    UsageError,
    WouldBlock,
    broadcast,
    encode,
    send_each,
)
from tests.protos.echo_penstock import EchoClient
from tests.unit.echo import NOTE
from tests.unit.memory import both_ends, connected, settle
from tests.unit.sides import FULL, Side, awaited, both_ways, hold, let_go, small_ends
from tests.unit.test_sending import awaited_send


@both_ways
async def test_messages_come_in_the_order_they_were_sent(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        await sender.send(b"1")
        sender.send_nowait(b"2")
        await sender.send_many([b"3", b""])
        await sender.send_from(iter([b"5"]))
        assert [await receiver.receive() for _ in range(5)] == [b"1", b"2", b"3", b"", b"5"]


# Watching.


class Refused(Exception):
    """What a watcher raises."""


def refuse(message: object) -> None:
    raise Refused(message)


@both_ways
async def test_who_watches_sees_each_message_once_whatever_sends_and_receives_it(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        sent: list[object] = []
        received: list[bytes] = []
        sender.on_send(sent.append)
        receiver.on_receive(received.append)
        await sender.send(b"1")
        sender.send_nowait(b"2")
        await sender.send_many([b"3", b""])
        await sender.send_from(iter([b"5"]))
        encoded = encode(b"6")
        await sender.send(encoded)
        assert broadcast([sender], encoded) == []
        assert send_each([(sender, b"8")]) == []
        await sender.send(b"9", merge=bytes.__add__)
        assert sent == [b"1", b"2", b"3", b"", b"5", encoded, encoded, b"8", b"9"]
        assert received == []
        await settle()
        messages = [await receiver.receive(), await anext(aiter(receiver)), *await receiver.receive_many()]
        assert messages == received == [b"1", b"2", b"3", b"", b"5", b"6", b"6", b"8", b"9"]


@both_ways
async def test_a_receive_that_waits_tells_who_watches(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        received: list[bytes] = []
        receiver.on_receive(received.append)
        receiving = asyncio.create_task(awaited(receiver.receive()))
        await settle()
        await sender.send(b"late")
        assert await receiving == b"late"
        assert received == [b"late"]


async def test_who_watches_sees_what_the_program_sends_not_what_it_is_merged_into() -> None:
    async with both_ends() as ends:
        sent: list[object] = []
        ends.server.on_send(sent.append)
        hold(ends)
        for message in (b"a", b"b", b"c"):
            await ends.server.send(message, merge=bytes.__add__)
        await let_go(ends)
        assert await ends.client.receive() == b"abc"
        assert sent == [b"a", b"b", b"c"]


@both_ways
async def test_several_watch_in_the_order_they_came_and_from_when_they_came(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        log: list[object] = []
        await sender.send(b"0")
        sender.on_send(lambda message: log.append(("first", message)))
        sender.on_send(lambda message: log.append(("second", message)))
        receiver.on_receive(lambda message: log.append(("third", message)))
        await sender.send(b"1")
        assert [await receiver.receive(), await receiver.receive()] == [b"0", b"1"]
        assert log == [("first", b"1"), ("second", b"1"), ("third", b"0"), ("third", b"1")]


@both_ways
async def test_a_message_that_finds_no_room_is_told_of_only_if_its_send_waits(side: Side) -> None:
    async with small_ends() as ends:
        sender, receiver = side(ends)
        hold(ends)
        await sender.send(FULL)
        sent: list[object] = []
        sender.on_send(sent.append)
        with pytest.raises(WouldBlock):
            sender.send_nowait(b"no room")
        assert broadcast([sender], encode(b"no room")) == [sender]
        assert send_each([(sender, b"no room")]) == [sender]
        assert sent == []
        sending = asyncio.create_task(awaited_send(sender, b"waits"))
        await settle()
        assert sent == [b"waits"]
        await let_go(ends)
        await sending
        assert sent == [b"waits"]
        assert [await receiver.receive(), await receiver.receive()] == [FULL, b"waits"]


async def test_a_message_that_is_sent_too_late_is_not_told_of() -> None:
    async with both_ends() as ends:
        sent: list[object] = []
        ends.client.on_send(sent.append)
        await ends.client.end_sending()
        with pytest.raises(ClosedError):
            await ends.client.send(b"late")
        with pytest.raises(ClosedError):
            ends.client.send_nowait(b"late")
        assert sent == []


@both_ways
async def test_what_a_watcher_raises_the_send_raises_and_the_message_is_not_sent(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        later: list[object] = []
        sender.on_send(refuse)
        sender.on_send(later.append)
        for use in (sender.send, sender.send_nowait, lambda message: broadcast([sender], encode(message))):
            with pytest.raises(Refused):
                use(b"1")
        with pytest.raises(Refused):
            await sender.send_many([b"1"])
        sender._unwatch()
        await sender.send(b"2")
        assert await receiver.receive() == b"2"
        assert later == []
        assert sender.status is None


@both_ways
async def test_what_a_watcher_raises_the_receive_raises_and_the_call_goes_on(side: Side) -> None:
    async with both_ends() as ends:
        sender, receiver = side(ends)
        receiver.on_receive(refuse)
        receives: list[Callable[[], Awaitable[object]]] = [
            receiver.receive,
            lambda: anext(aiter(receiver)),
            receiver.receive_many,
        ]
        for receive in receives:
            await sender.send(b"refused")
            await settle()
            with pytest.raises(Refused) as caught:
                await receive()
            assert caught.value.__cause__ is None
            receiving = asyncio.ensure_future(receive())
            await settle()
            await sender.send(b"refused while it waits")
            with pytest.raises(Refused):
                await receiving
        receiver._unwatch()
        await sender.send(b"2")
        assert await receiver.receive() == b"2"
        assert receiver.status is None


async def test_a_message_that_cannot_be_decoded_is_no_watchers_fault() -> None:
    async def handler(stream: ServerStream[bytes, bytes]) -> None:
        await stream.send_many([b"", b"\xff"])

    async with connected(fallback=handler) as channel, EchoClient(channel).server_stream(NOTE) as stream:
        refused: list[object] = []

        def refuse_once(message: object) -> None:
            refused.append(message)
            raise Refused

        stream.on_receive(refuse_once)
        with pytest.raises(Refused):
            await stream.receive()
        with pytest.raises(RpcError, match="INTERNAL: a message could not be decoded"):
            await stream.receive()
        assert len(refused) == 1


async def test_what_watches_is_a_function() -> None:
    async with both_ends() as ends:
        for watch in (ends.client.on_send, ends.client.on_receive):
            with pytest.raises(UsageError, match="what watches is a function of one message, not 5"):
                watch(5)  # type: ignore[arg-type]  # what mypy refuses


async def test_what_watches_is_no_coroutine_function() -> None:
    async def watcher(_message: object) -> None:
        pytest.fail("nobody awaits it")

    class Watcher:
        async def __call__(self, _message: object) -> None:
            pytest.fail("nobody awaits it")

    async with both_ends() as ends:
        for watch in (ends.client.on_send, ends.client.on_receive):
            for function in (watcher, Watcher()):
                with pytest.raises(UsageError, match="what watches is a plain function, and nobody would await"):
                    watch(function)


async def test_what_watches_is_collected_with_its_call() -> None:
    async with both_ends() as ends:
        watched = watching_itself(ends.channel)
        gc.collect()
        assert watched() is None


def watching_itself(channel: Channel) -> weakref.ref[Stream[bytes, bytes]]:
    call = channel.stream("/test.Service/Other")
    call.on_send(lambda _message: call)
    return weakref.ref(call)
