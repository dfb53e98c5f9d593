"""A client's way to a server."""

import asyncio
import os
import ssl
import threading
from typing import Any

import pytest

from penstock import (
    RAW,
    Cancelled,
    Channel,
    ChannelState,
    Kind,
    Limits,
    Method,
    RpcError,
    Server,
    ServerStream,
    StatusCode,
    UsageError,
)
from tests.certificates import Certificates
from tests.protos.echo_pb2 import Note
from tests.unit.echo import echoing
from tests.unit.memory import MemoryChannel, both_ends, connected, settle


async def give_back(stream: ServerStream[bytes, bytes]) -> None:
    async for message in stream:
        await stream.send(message)


# Making one.


def test_a_channel_can_be_made_without_a_loop() -> None:
    assert Channel("localhost:1").state is ChannelState.IDLE


@pytest.mark.parametrize("address", ["", "localhost", "localhost:http", "unix:"])
def test_an_address_of_another_form_is_a_mistake_at_once(address: str) -> None:
    with pytest.raises(UsageError, match="is no address"):
        Channel(address)


def test_plaintext_to_another_machine_has_to_be_asked_for() -> None:
    with pytest.raises(UsageError, match="write plaintext=True"):
        Channel("example.com:443")
    assert Channel("example.com:443", plaintext=True).state is ChannelState.IDLE


@pytest.mark.parametrize(
    ("address", "authority", "said"),
    [
        ("localhost:50051", None, "localhost:50051"),
        ("[::1]:443", None, "[::1]:443"),
        ("unix:/run/a.sock", None, "localhost"),
        ("unix:/run/a.sock", "service.example", "service.example"),
    ],
)
def test_the_authority_is_the_address_unless_another_is_given(address: str, authority: str | None, said: str) -> None:
    assert Channel(address, authority=authority)._authority == said


def test_with_tls_the_name_that_is_verified_is_that_of_the_authority_or_of_the_address(
    certificates: Certificates,
) -> None:
    context = certificates.client_context()
    for address, authority, name in (
        ("example.test:443", None, "example.test"),
        ("[::1]:443", None, "::1"),
        ("10.0.0.1:443", "example.test:8443", "example.test"),
        ("unix:/run/a.sock", "example.test", "example.test"),
    ):
        assert Channel(address, tls=context, authority=authority)._server_hostname == name


def test_tls_over_a_unix_socket_needs_a_name_to_verify(certificates: Certificates) -> None:
    with pytest.raises(UsageError, match="needs authority="):
        Channel("unix:/run/a.sock", tls=certificates.client_context())


def test_tls_with_the_certificates_of_the_system_needs_no_context() -> None:
    context = Channel("example.test:443", tls=True)._context
    assert context is not None
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert Channel("localhost:443", tls=False)._context is None


def test_tls_that_is_unfit_or_asked_for_with_plaintext_is_a_mistake_at_once(certificates: Certificates) -> None:
    with pytest.raises(UsageError, match="a client needs a context for its side"):
        Channel("example.test:443", tls=certificates.server_context())
    with pytest.raises(UsageError, match="leave one out"):
        Channel("example.test:443", tls=True, plaintext=True)


def test_a_setting_of_another_kind_is_a_mistake_at_once() -> None:
    compression: Any = "gzip"
    with pytest.raises(UsageError, match=r"^compression is penstock.Compression.GZIP or .*, not 'gzip'$"):
        Channel("localhost:1", compression=compression)
    limits: Any = {}
    with pytest.raises(UsageError, match=r"^limits is penstock.Limits\(...\), not {}$"):
        Channel("localhost:1", limits=limits)


# Its calls.


async def test_each_kind_of_call_has_its_method() -> None:
    kinds = {kind: Method(f"/a.B/{kind.name}", kind, bytes, bytes, RAW) for kind in Kind}
    async with connected(fallback=give_back) as channel:
        assert await channel.call_unary(kinds[Kind.UNARY], b"1") == b"1"
        async with channel.call_server_stream(kinds[Kind.SERVER_STREAM], b"2") as replies:
            assert [reply async for reply in replies] == [b"2"]
        async with channel.call_client_stream(kinds[Kind.CLIENT_STREAM]) as upload:
            await upload.send(b"3")
            assert await upload.finish() == b"3"
        async with channel.call_both_stream(kinds[Kind.BOTH_STREAM]) as stream:
            await stream.send(b"4")
            assert await stream.receive() == b"4"


async def test_any_method_can_be_called_with_bytes() -> None:
    async with echoing() as (_client, channel), channel.stream("/penstock.test.echo.Echo/Unary") as stream:
        await stream.send(Note(text="a").SerializeToString())
        await stream.end_sending()
        assert Note.FromString(await stream.receive()) == Note(text="a")


async def test_the_codec_of_a_method_is_made_once() -> None:
    made: list[object] = []

    class Counting:
        def encoder(self, message_type: type[object]) -> None:
            made.append(message_type)

        def decoder(self, message_type: type[object]) -> None:
            del message_type

    method: Method[bytes, bytes] = Method("/a.B/C", Kind.UNARY, bytes, bytes, Counting())
    async with connected(fallback=give_back) as channel:
        for _ in range(3):
            await channel.call_unary(method, b"x")
    assert made == [bytes]


async def test_metadata_and_timeout_reach_the_handler() -> None:
    async with both_ends(metadata=[("K", "v"), ("k", "w")], timeout=1000) as ends:
        assert ends.server.metadata.pairs() == [("k", "v"), ("k", "w")]
        assert ends.server.time_remaining is not None
        assert 900 < ends.server.time_remaining <= 1000


async def test_limits_reach_the_calls() -> None:
    limits = Limits(max_receive_message_bytes=10)
    async with both_ends(limits=limits) as ends:
        await ends.server.send(bytes(10))
        await ends.server.send(bytes(11))
        assert len(await ends.client.receive()) == 10
        with pytest.raises(RpcError, match="RESOURCE_EXHAUSTED: message of 11 bytes exceeds"):
            await ends.client.receive()


# Its state.


async def test_the_state_follows_the_connection() -> None:
    async with connected(fallback=give_back) as channel:
        states = [channel.state]
        ready = asyncio.create_task(channel.ready())
        await asyncio.sleep(0)
        states.append(channel.state)
        await ready
        states.append(channel.state)
        await channel.close()
        states.append(channel.state)
    assert states == [ChannelState.IDLE, ChannelState.CONNECTING, ChannelState.READY, ChannelState.SHUTDOWN]


async def test_a_failed_attempt_is_a_transient_failure() -> None:
    async with connected(fallback=give_back) as channel:
        channel.failures.append(ConnectionRefusedError("refused"))
        with pytest.raises(RpcError, match="refused"):
            await channel.stream("/a.B/C").__aenter__()
        assert channel.state is ChannelState.TRANSIENT_FAILURE


async def test_ready_sits_out_failures_for_as_long_as_it_is_told() -> None:
    async with connected(fallback=give_back, limits=Limits(reconnect_initial_seconds=0.001)) as channel:
        channel.failures.append(ConnectionRefusedError("refused"))
        await channel.ready()
        assert channel.state is ChannelState.READY
    async with connected(fallback=give_back) as channel:
        channel.failures.append(ConnectionRefusedError("refused"))
        with pytest.raises(TimeoutError):
            await channel.ready(timeout=0.01)


@pytest.mark.parametrize("timeout", [-1, "5"])
async def test_ready_takes_a_number_of_seconds_from_0(timeout: Any) -> None:
    with pytest.raises(UsageError, match=r"^timeout is a number of seconds, 0 or more, not"):
        await Channel("localhost:1").ready(timeout=timeout)


@pytest.mark.parametrize("path", ["a.B/C", "", None, 3, b"/a.B/C"])
async def test_a_path_that_is_none_is_told_at_once(path: Any) -> None:
    with pytest.raises(UsageError, match=r"^path is text like '/package.Service/Method', not"):
        Channel("localhost:1").stream(path)


# Its end.


async def test_closing_ends_every_call_with_cancelled() -> None:
    async with both_ends() as ends:
        await ends.channel.close()
        with pytest.raises(Cancelled):
            await ends.client.receive()
        assert ends.channel.connector.connections == set()


async def test_closing_ends_calls_that_wait_for_a_place() -> None:
    async with both_ends(server_limits=Limits(max_concurrent_streams=1)) as ends:
        waiting = asyncio.create_task(ends.channel.stream("/a.B/C").__aenter__())
        await settle()
        await ends.channel.close()
        with pytest.raises(RpcError, match="CANCELLED: the channel is closed"):
            await waiting


async def test_a_closed_channel_takes_no_calls() -> None:
    async with connected(fallback=give_back) as channel:
        await channel.ready()
        await channel.close()
        await channel.close()
        with pytest.raises(UsageError, match="the channel is closed"):
            await channel.stream("/a.B/C").__aenter__()


async def test_a_channel_that_was_never_used_can_be_closed() -> None:
    async with Channel("localhost:1") as channel:
        pass
    assert channel.state is ChannelState.SHUTDOWN


# Where it belongs.


async def test_a_channel_belongs_to_the_loop_of_its_first_use() -> None:
    caught: list[BaseException] = []

    async def use(channel: MemoryChannel) -> None:
        try:
            await channel.stream("/a.B/C").__aenter__()
        except UsageError as error:
            caught.append(error.with_traceback(None))

    async with connected(fallback=give_back) as channel:
        await channel.ready()
        thread = threading.Thread(target=lambda: asyncio.run(use(channel)))
        thread.start()
        await asyncio.to_thread(thread.join)
    assert [str(error) for error in caught] == ["this channel belongs to another event loop; make one in each loop"]


async def test_a_channel_made_before_fork_is_refused_in_the_child() -> None:
    async with connected(fallback=give_back) as channel:
        await channel.ready()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                channel._connector_here()
            except UsageError as error:
                code = 0 if "made before fork()" in str(error) else 2
            finally:
                os._exit(code)
        _child, status = os.waitpid(child, 0)  # noqa: ASYNC222 - it ends at once
        assert os.waitstatus_to_exitcode(status) == 0
        assert channel.state is ChannelState.READY


async def test_a_server_that_goes_away_is_replaced_by_the_next_one() -> None:
    async with connected(fallback=give_back) as channel:
        await channel.ready()
        old = channel.server
        channel.server = Server([], fallback=give_back)
        await old.stop(0)
        assert channel.state is ChannelState.IDLE
        async with channel.stream("/a.B/C") as stream:
            await stream.send(b"x")
            assert await stream.receive() == b"x"
            await channel.server.stop(0)
            with pytest.raises(RpcError) as caught:
                await stream.receive()
        assert caught.value.code is StatusCode.UNAVAILABLE
