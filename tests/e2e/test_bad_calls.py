"""Is a call that cannot be refused clearly, before anything is sent, and does nothing else break?"""

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest

import penstock
from tests.e2e.support import Echo, connected, with_neighbour, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops


@pytest.mark.parametrize(
    "path", ["/penstock.test.echo.Echo/Nothing", "/no.Such/Unary", "/", "//", "/penstock.test.echo.Echo"]
)
@pytest.mark.wire("W3")
async def test_an_unknown_method_is_unimplemented_by_its_path(path: str) -> None:
    async with with_neighbour() as pair:
        for payload in (b"", bytes(100_000)):
            async with pair.channel.stream(path) as stream:
                with pytest.raises(penstock.RpcError, match="unknown method") as caught:
                    await stream.send_many([payload] * 3)
                    await stream.end_sending()
                    await within_bound(stream.receive())
                assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED
                assert caught.value.message == f"unknown method {path}"


async def test_a_method_nobody_wrote_is_unimplemented() -> None:
    class Nothing(penstock.Service):
        METHODS: ClassVar[Mapping[str, Any]] = {"unary": Echo.METHODS["unary"]}

        async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
            raise penstock.unimplemented(self.METHODS["unary"])

    async with connected(Nothing()) as pair:
        with pytest.raises(penstock.RpcError, match="/Unary is not implemented") as caught:
            await pair.client.unary(Note())
        assert caught.value.code == penstock.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    "path", ["", "*", "no-slash", "/a b", "/ü", "/a\r\nb", "/\0", "http://x/y", "/" + "x" * 70_000]
)
async def test_a_path_that_is_none_is_a_usage_error(path: str) -> None:
    async with with_neighbour() as pair:
        with pytest.raises(penstock.UsageError, match=r"cannot be part of a request|path is text like"):
            async with pair.channel.stream(path):
                pass


@pytest.mark.parametrize("tail", ["?x", "?", "#x"])
async def test_a_path_with_a_query_is_another_method(tail: str) -> None:
    async with connected() as pair:
        outcome = "answered"
        try:
            async with pair.channel.stream(pair.client_method("unary").path + tail) as stream:
                await stream.send(b"")
                await stream.end_sending()
                await within_bound(stream.receive())
        except penstock.UsageError:
            outcome = "refused"
        except penstock.RpcError as error:
            outcome = error.code.name
    assert outcome in {"refused", "UNIMPLEMENTED"}


@pytest.mark.parametrize("authority", ["bad host", "a/b", "ü", "a\r\nb"])
async def test_an_authority_that_is_none_is_a_usage_error(authority: str) -> None:
    async with connected() as pair, penstock.Channel(pair.address, authority=authority) as channel:
        with pytest.raises(penstock.UsageError, match="cannot be part of a request"):
            await EchoClient(channel).unary(Note())


@pytest.mark.parametrize("wrong", [None, "text", b"bytes", 5, Note], ids=repr)
async def test_a_request_of_the_wrong_type_is_no_call_at_all(wrong: Any) -> None:
    async with connected() as pair:
        for call in (pair.client.unary, pair.client.server_stream):
            with pytest.raises(penstock.UsageError, match="this call sends Note, not"):
                call(wrong)
        assert pair.channel.state is penstock.ChannelState.IDLE
