"""Does an interceptor that watches see every message of the four kinds, on both sides?"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Never, cast

import pytest

import penstock
from penstock import RpcError
from tests.e2e.around import Seen, around, call, every_kind, only_reply
from tests.e2e.support import Echo, fill
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops


class Watching:
    """An interceptor that keeps the messages of both directions, or refuses them."""

    def __init__(self, *, refuse_sending: bool = False, refuse_receiving: bool = False) -> None:
        self.sent: list[Any] = []
        self.received: list[Any] = []
        self.outcomes: list[BaseException] = []
        self._refuse_sending = refuse_sending
        self._refuse_receiving = refuse_receiving

    @asynccontextmanager
    async def __call__(self, call: penstock.Call) -> AsyncIterator[None]:
        call.on_send(self.sent.append)
        call.on_receive(self.received.append)
        if self._refuse_sending:
            call.on_send(refuse)
        if self._refuse_receiving:
            call.on_receive(refuse)
        try:
            yield
        except BaseException as error:
            self.outcomes.append(error)
            raise


def refuse(message: Note) -> None:
    raise RpcError(penstock.StatusCode.INVALID_ARGUMENT, f"not {message.text}")


REQUESTS = {"unary": 1, "server_stream": 1, "client_stream": 2, "both_stream": 2}
REPLIES = {"unary": 1, "server_stream": 2, "client_stream": 1, "both_stream": 2}


@every_kind
async def test_each_message_is_seen_once_where_it_is_sent_and_where_it_is_received(kind: str) -> None:
    client, server = Watching(), Watching()
    async with around(client=[client], server=[server]) as pair:
        replies = await call(pair.client, kind)
    assert client.received == server.sent == replies
    assert client.sent == server.received
    assert (len(client.sent), len(client.received)) == (REQUESTS[kind], REPLIES[kind])


@every_kind
async def test_a_call_is_watched_without_an_interceptor_too(kind: str) -> None:
    requests: list[Any] = []
    replies: list[Any] = []

    async def handler(*arguments: Any) -> Any:
        stream = arguments[-1]
        stream.on_send(replies.append)
        if kind == "unary":
            return arguments[0]
        await stream.send_many([Note(number=number) for number in range(2)] if kind != "client_stream" else [])
        return only_reply(kind)

    def open_call(client: Any) -> Any:
        return getattr(client, kind)(*([Note(text="a")] if REQUESTS[kind] == 1 else []))

    async with around(Echo(**{kind: handler})) as pair:
        made = open_call(pair.client)
        made.on_send(requests.append)
        if kind == "unary":
            await made
        else:
            async with made as stream:
                if kind == "server_stream":
                    async for _reply in stream:
                        pass
                else:
                    await stream.send(Note(text="a"))
                    await stream.finish()
        assert [note.text for note in requests] == ["a"]
        assert len(replies) == REPLIES[kind]


async def test_a_reply_that_waits_for_room_is_told_of_once() -> None:
    async def handler(stream: penstock.ServerStream[Note, Never]) -> Note:
        fill(cast("penstock.Stream[Note, Any]", stream))  # a reply too many is not typed
        sent.clear()
        return Note(text="reply")

    sent: list[Any] = []
    for interceptors in ([], [Watching()]):

        async def watched(stream: penstock.ServerStream[Note, Never]) -> Note:
            stream.on_send(sent.append)
            return await handler(stream)

        async with around(Echo(client_stream=watched), server=interceptors) as pair:
            async with pair.client.client_stream() as upload:
                with pytest.raises(RpcError, match="more than one reply"):
                    await upload.finish()
            await pair.until_no_call_is_open()
            assert [note.text for note in sent] == ["reply"]


@every_kind
async def test_what_a_client_refuses_to_send_the_caller_gets_and_the_server_never_does(kind: str) -> None:
    client, server = Watching(refuse_sending=True), Watching()
    async with around(client=[client], server=[server]) as pair:
        with pytest.raises(RpcError, match="INVALID_ARGUMENT: not a"):
            await call(pair.client, kind)
        assert isinstance(client.outcomes[0], RpcError)
        await pair.until_no_call_is_open()
        assert server.received == []


@every_kind
async def test_what_a_server_refuses_to_receive_is_the_answer(kind: str) -> None:
    server = Watching(refuse_receiving=True)
    async with around(server=[server]) as pair:
        with pytest.raises(RpcError, match="INVALID_ARGUMENT: not a"):
            await call(pair.client, kind)
        assert isinstance(server.outcomes[0], RpcError)


@every_kind
async def test_what_a_server_refuses_to_send_the_client_never_gets(kind: str) -> None:
    client, server = Watching(), Watching(refuse_sending=True)
    async with around(client=[client], server=[server]) as pair:
        with pytest.raises(RpcError, match="INVALID_ARGUMENT: not"):
            await call(pair.client, kind)
        assert isinstance(server.outcomes[0], RpcError)
        assert client.received == []


@every_kind
async def test_what_a_client_refuses_to_receive_the_caller_gets(kind: str) -> None:
    client = Watching(refuse_receiving=True)
    async with around(client=[client]) as pair:
        with pytest.raises(RpcError, match="INVALID_ARGUMENT: not"):
            await call(pair.client, kind)
        assert isinstance(client.outcomes[0], RpcError)


@pytest.mark.parametrize("kind", ["unary", "server_stream"])
async def test_a_request_whose_watcher_cancels_the_call_is_not_sent_and_leaves_nothing(kind: str) -> None:
    @asynccontextmanager
    async def cancelling(call: penstock.ClientCall[Any, Any]) -> AsyncIterator[None]:
        call.on_send(lambda _message: call.cancel())
        yield

    seen = Seen()
    async with around(client=[cancelling], server=[seen]) as pair:
        await pair.channel.ready()
        with pytest.raises(penstock.Cancelled):
            await call(pair.client, kind)
        assert not any(pair.open_calls().values())
        assert seen.calls == []
