"""Calls of calls.py, made with our client."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeAlias

import penstock
from penstock._client_call import ClientCall
from tests.interop.calls import BOUND_SECONDS, Call, Outcome, Tally, echoed
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

Upload: TypeAlias = "penstock.ClientStreamCall[Note, Note] | penstock.BothStreamCall[Note, Note]"


class OurClient:
    """Its channel is open while the block of `calling` runs."""

    def __init__(self, channel: penstock.Channel) -> None:
        self._channel = channel
        self._stub = EchoClient(channel)

    async def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Make the calls one after another."""
        async with asyncio.timeout(BOUND_SECONDS):
            return [await self._outcome(call) for call in calls]

    def open_calls(self) -> dict[str, int]:
        """Count what the channel and its engine hold."""
        connector = self._channel._connector
        connections = set() if connector is None else connector.connections
        return {
            "client": sum(len(connection.calls) for connection in connections),
            "client's engine": sum(connection.engine.open_calls for connection in connections),
            "client's deadlines": len(self._channel._timers),
        }

    async def _outcome(self, call: Call) -> Outcome:
        replies = Tally()
        made = getattr(self._stub, call.kind)(
            *(call.notes() if call.kind in ("unary", "server_stream") else ()),
            timeout=call.timeout_seconds,
            metadata=call.pairs(),
        )
        error = None
        try:
            await self._run(call, made, replies)
        except penstock.RpcError as caught:
            error = caught
        return await _outcome(made, replies, error)

    async def _run(self, call: Call, made: Any, replies: Tally) -> None:
        if call.kind == "unary":
            await self._unary(call, made, replies)
        elif call.kind == "server_stream":
            await self._server_stream(call, made, replies)
        elif call.kind == "client_stream":
            await self._client_stream(call, made, replies)
        else:
            await self._both_stream(call, made, replies)

    async def _unary(self, call: Call, made: penstock.UnaryCall[Note], replies: Tally) -> None:
        awaited = asyncio.ensure_future(made)
        try:
            if call.cancel_after == 0:
                await made.initial_metadata()
                made.cancel()
            if not call.enforce_timeout:
                await asyncio.sleep(0)
                _let_it_pass(made)
        finally:
            replies.add(await awaited)

    async def _server_stream(self, call: Call, made: penstock.ServerStreamCall[Note], replies: Tally) -> None:
        async with made as stream:
            await _receive(call, stream, replies)

    async def _client_stream(self, call: Call, made: penstock.ClientStreamCall[Note, Note], replies: Tally) -> None:
        async with made as stream:
            await _send(call, stream)
            if call.cancel_after == 0:
                await stream.initial_metadata()
                stream.cancel()
            if not call.enforce_timeout:
                _let_it_pass(stream)
            replies.add(await stream.finish())

    async def _both_stream(self, call: Call, made: penstock.BothStreamCall[Note, Note], replies: Tally) -> None:
        async with made as stream:
            sending = asyncio.create_task(_send(call, stream))
            try:
                await _receive(call, stream, replies)
            finally:
                await sending


async def _receive(call: Call, stream: penstock.Stream[Any, Note], replies: Tally) -> None:
    if not call.enforce_timeout:
        _let_it_pass(stream)
    async for reply in stream:
        replies.add(reply)
        if replies.count == call.cancel_after:
            stream.cancel()


def _let_it_pass(call: penstock.Stream[Any, Any]) -> None:
    """Do nothing at the deadline of a call that has started; the server has it still."""
    assert isinstance(call, ClientCall)
    assert call._deadline is not None
    call._deadline.unwatch(call)


async def _send(call: Call, stream: Upload) -> None:
    last = Note()
    try:
        for last in call.notes():
            await stream.send(last)
        while call.flood:
            await stream.send(last)
        if call.half_close:
            await stream.end_sending()
    except penstock.EndOfStream:
        assert stream.status == penstock.Status(penstock.StatusCode.OK)
    except penstock.RpcError as error:
        assert stream.status == error.status


async def _outcome(made: ClientCall[Any, Note], replies: Tally, error: penstock.RpcError | None) -> Outcome:
    """Collect what the call says of itself, which must agree with what it raised."""
    status, trailing = made.status, made.trailing_metadata
    assert status is not None
    assert trailing is not None
    if error is None:
        assert status.code == penstock.StatusCode.OK
    else:
        assert error.status == status
        assert error.metadata == trailing
    try:
        initial = await made.initial_metadata()
    except penstock.RpcError as again:
        assert error is not None
        assert again.status == error.status
        initial = penstock.Metadata()
    return Outcome(status.code, status.message, echoed(initial.pairs()), echoed(trailing.pairs()), replies)


@asynccontextmanager
async def calling(
    address: str, window_bytes: int | None, tls: ssl.SSLContext | None = None
) -> AsyncIterator[OurClient]:
    """Connect to a server."""
    limits = None if window_bytes is None else penstock.Limits(stream_window_bytes=window_bytes)
    async with penstock.Channel(address, tls=tls, limits=limits) as channel:
        await channel.ready(timeout=BOUND_SECONDS)
        yield OurClient(channel)
