"""Can a program pass calls on as bytes, and bring a codec of its own?"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import pytest

import penstock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

BOTH = "/penstock.test.echo.Echo/BothStream"


async def test_a_method_of_any_kind_can_be_called_with_bytes() -> None:
    async with connected() as pair:
        for kind in ("Unary", "ServerStream", "ClientStream", "BothStream"):
            async with pair.channel.stream(f"/penstock.test.echo.Echo/{kind}", timeout=10) as stream:
                await stream.send(Note(text="raw", number=1).SerializeToString())
                await stream.end_sending()
                replies = [Note.FromString(reply) async for reply in stream]
                assert [reply.text for reply in replies] == ["raw"]


async def test_only_bytes_go_through_a_raw_stream() -> None:
    async with connected() as pair, pair.channel.stream(BOTH) as stream:
        for wrong in ("text", bytearray(b"x"), memoryview(b"x"), None, Note()):
            with pytest.raises(penstock.UsageError, match="this call sends bytes, not"):
                await stream.send(wrong)  # type: ignore[arg-type]
        await stream.send(penstock.encode(b""))
        assert await stream.receive() == b""
        await stream.finish()


async def test_a_fallback_serves_what_no_service_has() -> None:
    seen = []

    async def upper(stream: penstock.ServerStream[bytes, bytes]) -> None:
        seen.append((stream.method, stream.metadata["who"]))
        async for message in stream:
            await stream.send(message.upper())

    async with connected(fallback=upper) as pair:
        async with pair.channel.stream("/any.Where/At", metadata={"who": "me"}) as stream:
            await stream.send_many([b"a", b"bc"])
            await stream.end_sending()
            assert [reply async for reply in stream] == [b"A", b"BC"]
        assert seen == [("/any.Where/At", "me")]
        assert (await pair.client.unary(Note(text="own"))).text == "own"


async def test_a_fallback_may_be_a_generator() -> None:
    async def twice(stream: penstock.ServerStream[bytes, bytes]) -> Any:
        async for message in stream:
            yield message
            yield message

    async with connected(fallback=twice) as pair, pair.channel.stream("/any.Where/At") as stream:
        await stream.send(b"x")
        await stream.end_sending()
        assert [reply async for reply in stream] == [b"x", b"x"]


class _Json:
    """Messages as JSON text; 13 cannot be sent and "bad" cannot be received."""

    def encoder(self, message_type: type[Any]) -> Callable[[Any], bytes]:
        del message_type

        def encode(message: Any) -> bytes:
            if message == {"number": 13}:
                raise ValueError("unlucky")
            return json.dumps(message).encode()

        return encode

    def decoder(self, message_type: type[Any]) -> Callable[[bytes], Any]:
        del message_type
        return json.loads


CHAT = penstock.Method("/json.Json/Chat", penstock.Kind.BOTH_STREAM, dict, dict, _Json())
ASK = penstock.Method("/json.Json/Ask", penstock.Kind.UNARY, dict, dict, _Json())


class JsonService(penstock.Service):
    """Two methods with a codec of their own."""

    METHODS: ClassVar[Mapping[str, penstock.Method[Any, Any]]] = {"chat": CHAT, "ask": ASK}

    async def chat(self, stream: penstock.ServerStream[dict[str, Any], dict[str, Any]]) -> None:
        async for message in stream:
            await stream.send({"echo": message})

    async def ask(self, request: dict[str, Any], call: penstock.ServerCall) -> dict[str, Any]:
        del call
        return request


async def test_a_codec_of_ones_own() -> None:
    async with connected(JsonService()) as pair:
        assert await pair.channel.call_unary(ASK, {"a": [1, 2]}) == {"a": [1, 2]}
        async with pair.channel.call_both_stream(CHAT) as stream:
            await stream.send({"b": "ü"})
            assert await stream.receive() == {"echo": {"b": "ü"}}
            await stream.finish()
        async with pair.channel.stream("/json.Json/Chat") as raw:
            await raw.send(b'{"c": null}')
            assert await raw.receive() == b'{"echo": {"c": null}}'


async def test_an_exception_while_encoding_reaches_the_sender_and_the_stream_goes_on() -> None:
    async with connected(JsonService()) as pair, pair.channel.call_both_stream(CHAT) as stream:
        with pytest.raises(ValueError, match="unlucky"):
            await stream.send({"number": 13})
        await stream.send({"number": 14})
        assert await stream.receive() == {"echo": {"number": 14}}
        await stream.finish()


@pytest.mark.parametrize("how", ["receive", "iterate", "receive_many"])
async def test_a_reply_that_cannot_be_decoded_ends_the_call_with_internal(how: str) -> None:
    async def babble(stream: penstock.ServerStream[bytes, bytes]) -> None:
        await stream.send_many([b'{"good": 1}', b'{"good": 2}', b"no json"])
        await stream.receive()

    async with connected(fallback=babble) as pair, pair.channel.call_both_stream(CHAT) as stream:
        received: list[Any] = []
        await until(lambda: stream._held_bytes == 3 * 5 + 2 * len(b'{"good": 1}') + len(b"no json"))
        with pytest.raises(penstock.RpcError, match="could not be decoded") as caught:
            if how == "iterate":
                async for message in stream:
                    received.append(message)
            while how == "receive":
                received.append(await within_bound(stream.receive()))
            while how == "receive_many":
                received += await within_bound(stream.receive_many())
        assert received == [{"good": 1}, {"good": 2}], "what comes before it is not lost"
        assert caught.value.code == penstock.StatusCode.INTERNAL
        assert isinstance(caught.value.__cause__, ValueError)
        assert stream.status is not None
        assert stream.status.code == penstock.StatusCode.INTERNAL


async def test_a_single_reply_that_cannot_be_decoded_ends_the_call_with_internal() -> None:
    async def babble(stream: penstock.ServerStream[bytes, bytes]) -> None:
        await stream.send(b"no json")

    async with connected(fallback=babble) as pair:
        with pytest.raises(penstock.RpcError, match="could not be decoded") as caught:
            await pair.channel.call_unary(ASK, {})
        assert caught.value.code == penstock.StatusCode.INTERNAL


@pytest.mark.parametrize("path", ["/json.Json/Chat", "/json.Json/Ask"])
async def test_a_request_that_cannot_be_decoded_ends_the_call_with_internal(path: str) -> None:
    async with connected(JsonService()) as pair:
        with pytest.raises(penstock.RpcError, match="could not be decoded") as caught:
            async with pair.channel.stream(path) as stream:
                await stream.send(b"no json")
                await stream.end_sending()
                await within_bound(stream.receive())
        assert caught.value.code == penstock.StatusCode.INTERNAL
        assert await pair.channel.call_unary(ASK, {"still": "well"}) == {"still": "well"}


async def test_a_handler_gets_nothing_behind_what_could_not_be_decoded() -> None:
    begin, ended, received = asyncio.Event(), asyncio.Event(), list[Any]()

    class Deaf(JsonService):
        async def chat(self, stream: penstock.ServerStream[Any, Any]) -> None:
            await begin.wait()
            try:
                for _ in range(3):
                    try:
                        received.append(await stream.receive())
                    except penstock.RpcError as error:
                        received.append(error.code.name)
            finally:  # it is cancelled too, at the next thing that it waits for: its time slice may be spent
                ended.set()

    async with connected(Deaf()) as pair, pair.channel.stream("/json.Json/Chat") as stream:
        await stream.send_many([b'{"good": 1}', b"no json", b'{"good": 2}'])
        (connection,) = pair.server._core.connections
        await until(lambda: [call._held_bytes for call in connection.calls] == [3 * 5 + 2 * 11 + 7])
        begin.set()
        with pytest.raises(penstock.RpcError, match="could not be decoded"):
            await within_bound(stream.receive())
        await within_bound(ended.wait())
    assert received[:2] == [{"good": 1}, "INTERNAL"]
    assert received[2:] in ([], ["INTERNAL"])


async def test_one_undecodable_message_says_nothing_about_other_calls() -> None:
    async with connected(Echo()) as pair, pair.client.both_stream() as neighbour:
        with pytest.raises(penstock.RpcError, match="could not be decoded"):
            async with pair.channel.stream(BOTH) as stream:
                await stream.send(b"\xff\xff\xff")
                await within_bound(stream.receive())
        await neighbour.send(Note(text="well"))
        assert (await neighbour.receive()).text == "well"


async def test_the_methods_a_service_does_not_name_go_to_the_fallback() -> None:
    class OnlyUnary(Echo):
        METHODS: ClassVar[Mapping[str, penstock.Method[Any, Any]]] = {"unary": Echo.METHODS["unary"]}

    async def fallback(stream: penstock.ServerStream[bytes, bytes]) -> None:
        async for message in stream:
            await stream.send(message + message)

    async with connected(OnlyUnary(), fallback=fallback) as pair:
        assert await pair.client.unary(Note(number=1)) == Note(number=1)
        async with pair.channel.stream(BOTH) as stream:
            await stream.send(b"raw")
            await stream.end_sending()
            assert [reply async for reply in stream] == [b"rawraw"]
