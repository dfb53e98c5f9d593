"""The block of a streaming call."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock import (
    BothStreamCall,
    ClientStreamCall,
    ServerStreamCall,
    StatusCode,
    UnfinishedCall,
    UsageError,
)
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient
from tests.unit.echo import NOTE, Waiting, echoing
from tests.unit.memory import settle

StreamCall = ServerStreamCall[Note] | ClientStreamCall[Note, Note] | BothStreamCall[Note, Note]
Opening = Callable[[EchoClient], StreamCall]

streaming = pytest.mark.parametrize(
    "opening",
    [
        lambda client: client.server_stream(NOTE),
        lambda client: client.client_stream(),
        lambda client: client.both_stream(),
    ],
    ids=["server stream", "client stream", "both ways"],
)


@streaming
async def test_a_streaming_call_is_used_in_its_block(opening: Opening) -> None:
    async with echoing() as (client, channel):
        call = opening(client)
        uses: list[Callable[[], Any]] = [call.receive, call.end_sending, call.initial_metadata, call.receive_many]
        for use in uses:
            with pytest.raises(
                UsageError, match=r"write `async with client\.\w+\(\.\.\.\) as stream:` and use it inside"
            ):
                await use()
        assert channel.links == []


@streaming
async def test_a_streaming_call_is_entered_once(opening: Opening) -> None:
    async with echoing() as (client, _channel):
        call = opening(client)
        async with call:
            with pytest.raises(UsageError, match="a call is used once"):
                await call.__aenter__()
            call.cancel()


@streaming
@pytest.mark.filterwarnings("ignore::penstock.UnfinishedCall")
async def test_leaving_the_block_ends_the_call_and_its_handler(opening: Opening) -> None:
    service = Waiting()
    async with echoing(service) as (client, channel):
        call = opening(client)
        async with call:
            await settle()
            assert (service.running, call.status) == (1, None)
        await settle()
        assert service.running == 0
        assert call.status is not None
        assert call.status.code is StatusCode.CANCELLED
        connection = channel.connector.current()
        assert connection is not None
        assert connection.calls == set()


@streaming
async def test_an_exception_in_the_block_ends_the_call_and_goes_on(opening: Opening) -> None:
    service = Waiting()

    async def use(client: EchoClient) -> None:
        async with opening(client):
            await settle()
            raise LookupError("mine")

    async with echoing(service) as (client, _channel):
        with pytest.raises(LookupError, match="mine"):
            await use(client)
        await settle()
        assert service.running == 0


async def test_a_reader_that_leaves_early_is_no_mistake_and_an_upload_that_does_is_warned_of() -> None:
    async with echoing() as (client, _channel):
        async with client.server_stream(NOTE) as replies:
            await replies.receive()
        async with client.both_stream() as stream:
            await stream.send(NOTE)
        with pytest.warns(UnfinishedCall, match=r"ClientStream: .* left without finish\(\) or cancel\(\)"):
            async with client.client_stream() as upload:
                await upload.send(NOTE)
        assert upload.status is not None
        assert upload.status.code is StatusCode.CANCELLED


async def test_an_upload_that_was_cancelled_or_finished_or_broken_is_not_warned_of() -> None:
    async with echoing() as (client, _channel):
        async with client.client_stream() as upload:
            upload.cancel()
        async with client.client_stream() as upload:
            await upload.finish()
        with pytest.raises(LookupError):
            async with client.client_stream() as upload:
                raise LookupError


async def test_a_call_that_cannot_begin_leaves_nothing_open() -> None:
    async with echoing() as (client, channel):
        for metadata in ({"k": "new\nline"}, {"grpc-status": "0"}):
            with pytest.raises(UsageError):
                async with client.both_stream(metadata=metadata):
                    pass
            with pytest.raises(UsageError):
                await client.unary(NOTE, metadata=metadata)
        connection = channel.connector.current()
        assert connection is not None
        assert (connection.calls, connection.engine.open_calls) == (set(), 0)
