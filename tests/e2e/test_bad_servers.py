"""Is an address or a service that cannot be refused clearly, with nothing left half open?"""

import asyncio
import errno
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import pytest

import penstock
from tests.e2e.support import Echo, connected, with_neighbour, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

pytestmark = pytest.mark.loops

# Addresses.


@pytest.mark.parametrize(
    "address", ["", "localhost", "127.0.0.1", ":50051", "127.0.0.1:http", "::1:5", "unix:", "a:65536"]
)
async def test_an_address_of_another_form_is_a_usage_error_that_shows_the_forms(address: str) -> None:
    forms = r"is no address: .*; write 'host:port', '\[::1\]:port' or 'unix:/path'"
    with pytest.raises(penstock.UsageError, match=forms):
        penstock.Channel(address)
    server = penstock.Server([Echo()])
    with pytest.raises(penstock.UsageError, match=forms):
        async with server.listening("127.0.0.1:0", address):
            pytest.fail("it listens")
    assert server.addresses == ()


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0", "192.0.2.1:50051", "example.invalid:50051"])
async def test_plaintext_beyond_this_machine_is_a_usage_error_unless_asked_for(address: str) -> None:
    with pytest.raises(penstock.UsageError, match="write plaintext=True"):
        penstock.Channel(address)
    penstock.Channel(address, plaintext=True)
    server = penstock.Server([Echo()])
    with pytest.raises(penstock.UsageError, match="write plaintext=True"):
        async with server.listening("127.0.0.1:0", address):
            pytest.fail("it listens")
    assert server.addresses == ()


async def test_a_public_address_is_served_in_plaintext_when_asked_for() -> None:
    server = penstock.Server([Echo()])
    async with server.listening("0.0.0.0:0", plaintext=True) as bound:
        port = bound.rpartition(":")[2]
        async with penstock.Channel(f"127.0.0.1:{port}") as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="x"))) == Note(text="x")


async def test_a_port_in_use_is_an_os_error_and_leaves_no_address_open() -> None:
    async with with_neighbour() as pair:
        second = penstock.Server([Echo()])
        with pytest.raises(OSError, match="address already in use") as caught:
            async with second.listening("127.0.0.1:0", pair.address):
                pytest.fail("it listens")
        assert caught.value.errno == errno.EADDRINUSE
        assert second.addresses == ()
        async with second.listening("127.0.0.1:0") as other, penstock.Channel(other) as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="2"))) == Note(text="2")


async def test_the_unix_socket_of_a_living_server_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with with_neighbour(address=f"unix:{path}") as pair:
        with pytest.raises(OSError, match="another server listens on") as caught:
            async with penstock.Server([Echo()]).listening(f"unix:{path}"):
                pytest.fail("it listens")
        assert caught.value.errno == errno.EADDRINUSE
        async with penstock.Channel(pair.address) as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="x"))) == Note(text="x")
    assert not path.exists()


async def test_the_unix_socket_of_a_dead_server_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    assert path.is_socket()
    async with connected(address=f"unix:{path}") as pair:
        await within_bound(pair.client.unary(Note()))


async def test_a_file_is_not_taken_for_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("precious")
    with pytest.raises(OSError, match="in use"):
        async with penstock.Server([Echo()]).listening(f"unix:{path}"):
            pytest.fail("it listens")
    assert path.read_text() == "precious"


async def test_a_successor_may_take_the_unix_socket_while_calls_still_finish(tmp_path: Path) -> None:
    address = f"unix:{tmp_path / 'socket'}"
    async with connected(address=address) as first, first.client.both_stream() as stream:
        await stream.send(Note())
        await within_bound(stream.receive())
        stopping = asyncio.create_task(first.server.stop(grace=10))
        await asyncio.sleep(0)
        async with connected(address=address) as second:
            await stream.end_sending()
            await within_bound(stopping)
            async with penstock.Channel(second.address) as channel:
                assert await within_bound(EchoClient(channel).unary(Note(text="2"))) == Note(text="2")


# Servers that cannot be.


class Missing(penstock.Service):
    METHODS: ClassVar[Mapping[str, Any]] = {"unari": Echo.METHODS["unary"]}


class NoFunction(Echo):
    unary = 5  # type: ignore[assignment]


class SyncGenerator(Echo):
    def both_stream(self, stream: Any) -> Any:
        yield Note()


class YieldsItsOneReply(Echo):
    async def unary(self, request: Note, call: Any) -> Any:
        yield request


@pytest.mark.parametrize(
    ("services", "text"),
    [
        ([object()], "a object is no service with METHODS: pass objects of generated bases"),
        ([None], "a NoneType is no service"),
        ([Echo], "the class Echo is no service"),
        ([penstock.Service()], "a Service is no service with METHODS"),
        ([Missing()], "Missing has no method 'unari' for /penstock.test.echo.Echo/Unary"),
        ([NoFunction()], "NoFunction has no method 'unary'"),
        ([SyncGenerator()], "SyncGenerator.both_stream is a sync generator, but .* reads a stream; write `async def`"),
        ([YieldsItsOneReply()], "YieldsItsOneReply.unary yields, but .* has one reply: return it"),
        ([Echo(), Echo()], "/penstock.test.echo.Echo/Unary is served twice"),
    ],
)
def test_a_server_of_wrong_services_is_a_usage_error(services: list[Any], text: str) -> None:
    with pytest.raises(penstock.UsageError, match=text):
        penstock.Server(services)


def sync_generator(stream: Any) -> Any:
    yield stream


@pytest.mark.parametrize("fallback", [5, "text", sync_generator], ids=repr)
def test_a_fallback_of_another_form_is_a_usage_error(fallback: Callable[..., Any]) -> None:
    with pytest.raises(penstock.UsageError, match="fallback is `async def handler"):
        penstock.Server([Echo()], fallback=fallback)


async def test_a_server_that_listens_already_and_one_without_an_address_are_usage_errors() -> None:
    server = penstock.Server([Echo()])
    with pytest.raises(penstock.UsageError, match="give at least one address"):
        async with server.listening():
            pytest.fail("it listens")
    async with server.listening("127.0.0.1:0") as address:
        with pytest.raises(penstock.UsageError, match="is listening already"):
            async with server.listening("127.0.0.1:0"):
                pytest.fail("it listens twice")
        async with penstock.Channel(address) as channel:
            assert await within_bound(EchoClient(channel).unary(Note(text="x"))) == Note(text="x")
