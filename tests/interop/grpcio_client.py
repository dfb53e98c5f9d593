"""Calls of calls.py, made with grpcio's asyncio client."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc

from penstock import StatusCode
from tests.interop.calls import BOUND_SECONDS, Call, Outcome, Tally, echoed
from tests.interop.grpcio_server import options
from tests.protos import echo_pb2_grpc
from tests.protos.echo_pb2 import Note

METHODS = {
    "unary": "Unary",
    "server_stream": "ServerStream",
    "client_stream": "ClientStream",
    "both_stream": "BothStream",
}


class GrpcioClient:
    """Its channels are open while the block of `calling` runs."""

    def __init__(self, channel: grpc.aio.Channel, threaded: grpc.Channel) -> None:
        self._channel = channel
        self._stub = echo_pb2_grpc.EchoStub(channel)
        self._threaded_stub = echo_pb2_grpc.EchoStub(threaded)

    async def run(self, calls: Sequence[Call]) -> list[Outcome]:
        """Make the calls one after another."""
        async with asyncio.timeout(BOUND_SECONDS):
            return [await self._outcome(call) for call in calls]

    async def _outcome(self, call: Call) -> Outcome:
        assert call.enforce_timeout, "grpcio sends no timeout that it does not enforce"
        if call.flood:
            # When the call ends while the asyncio client writes, its status is lost: it becomes INTERNAL.
            return await asyncio.to_thread(self._flood, call)
        replies = Tally()
        made = self._start(call)
        sending = asyncio.create_task(_send(call, made))
        try:
            await _receive(call, made, replies)
        except grpc.aio.AioRpcError as error:
            assert (error.code(), error.details()) == (await made.code(), await made.details())
        except asyncio.CancelledError:
            # So they tell of a call that this side cancelled.
            if not made.cancelled():
                raise
        await sending
        return Outcome(
            code=StatusCode((await made.code()).value[0]),
            message=await made.details() or "",
            initial=echoed(await made.initial_metadata() or ()),
            trailing=echoed(await made.trailing_metadata() or ()),
            replies=replies,
        )

    def _start(self, call: Call) -> Any:
        method = getattr(self._stub, METHODS[call.kind])
        if call.kind == "unary" and call.cancel_after is not None:
            # As a unary call it would show nothing before its end. On the wire there is no difference.
            method = self._channel.unary_stream(
                "/penstock.test.echo.Echo/Unary", Note.SerializeToString, Note.FromString
            )
        requests = call.notes() if call.kind in ("unary", "server_stream") else ()
        return method(*requests, timeout=call.timeout_seconds, metadata=call.pairs())

    def _flood(self, call: Call) -> Outcome:
        """Make a call with the client for threads."""
        replies = Tally()
        method = getattr(self._threaded_stub, METHODS[call.kind])
        if call.kind == "client_stream":
            made = method.future(_flood_of_notes(call), metadata=call.pairs())
            with suppress(grpc.RpcError):
                replies.add(made.result(BOUND_SECONDS))
        else:
            made = method(_flood_of_notes(call), metadata=call.pairs())
            with suppress(grpc.RpcError):
                for note in made:
                    replies.add(note)
                    if replies.count == call.cancel_after:
                        made.cancel()
        return Outcome(
            code=StatusCode(made.code().value[0]),
            message=made.details() or "",
            initial=echoed(made.initial_metadata() or ()),
            trailing=echoed(made.trailing_metadata() or ()),
            replies=replies,
        )


def _flood_of_notes(call: Call) -> Iterator[Note]:
    last = Note()
    for last in call.notes():
        yield last
    while True:  # until the call has ended: then nobody asks for more
        yield last


async def _receive(call: Call, made: Any, replies: Tally) -> None:
    if call.cancel_after == 0:
        await made.initial_metadata()
        made.cancel()
    if isinstance(made, grpc.aio.UnaryUnaryCall | grpc.aio.StreamUnaryCall):
        replies.add(await made)
        return
    while (note := await made.read()) is not grpc.aio.EOF:
        replies.add(note)
        if replies.count == call.cancel_after:
            made.cancel()


async def _send(call: Call, made: Any) -> None:
    if call.kind in ("unary", "server_stream"):
        return
    try:
        for note in call.notes():
            await made.write(note)
        if call.half_close:
            await made.done_writing()
    except (grpc.aio.AioRpcError, grpc.aio.InternalError, asyncio.InvalidStateError):
        await made.code()  # the call has ended, or is about to; who receives learns why
    except asyncio.CancelledError:
        if not made.cancelled():
            raise


@asynccontextmanager
async def calling(
    address: str, window_bytes: int | None, credentials: grpc.ChannelCredentials | None = None
) -> AsyncIterator[GrpcioClient]:
    """Connect to a server."""
    settings = options(window_bytes)
    if credentials is None:
        connecting = grpc.aio.insecure_channel(address, options=settings)
        threaded = grpc.insecure_channel(address, options=settings)
    else:
        connecting = grpc.aio.secure_channel(address, credentials, options=settings)
        threaded = grpc.secure_channel(address, credentials, options=settings)
    with threaded:
        async with connecting as channel:
            async with asyncio.timeout(BOUND_SECONDS):
                await channel.channel_ready()
            yield GrpcioClient(channel, threaded)
