"""The Echo service of calls.py, on grpcio's asyncio server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn, TypeAlias

import grpc

from penstock import StatusCode
from tests.interop.calls import Call, Record, copies, reply
from tests.interop.peers import Records
from tests.protos import echo_pb2_grpc
from tests.protos.echo_pb2 import Note

Context: TypeAlias = "grpc.aio.ServicerContext[Note, Note]"

CODES = {StatusCode(code.value[0]): code for code in grpc.StatusCode}
"""Their codes by ours."""


def options(window_bytes: int | None) -> list[tuple[str, Any]]:
    """Give the options of a server or a channel with such a window."""
    if window_bytes is None:
        return []
    return [("grpc.http2.lookahead_bytes", window_bytes), ("grpc.http2.bdp_probe", 0)]


class GrpcioServer:
    """It listens while the block of `serving` runs."""

    def __init__(self, address: str, records: Records) -> None:
        self.address = address
        self._records = records

    async def record(self, call: Call) -> Record:
        """Wait until the handler of a call has ended, and give what it saw."""
        return await self._records.find(call)


@asynccontextmanager
async def serving(
    window_bytes: int | None, credentials: grpc.ServerCredentials | None = None
) -> AsyncIterator[GrpcioServer]:
    """Serve on a free port."""
    records = Records()
    server = grpc.aio.server(options=options(window_bytes))
    echo_pb2_grpc.add_EchoServicer_to_server(Echo(records), server)
    anywhere = "127.0.0.1:0"
    port = server.add_secure_port(anywhere, credentials) if credentials else server.add_insecure_port(anywhere)
    await server.start()
    try:
        yield GrpcioServer(f"127.0.0.1:{port}", records)
    finally:
        await server.stop(None)


class Echo(echo_pb2_grpc.EchoServicer):
    """The service."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def Unary(self, request: Note, context: Context) -> Note:  # noqa: N802 - the name in the .proto
        async with self._recording(context) as record:
            record.requests.add(request)
            await _obey(request, context, record, one_reply=True)
        return reply(request, request.number)

    async def ServerStream(self, request: Note, context: Context) -> None:  # noqa: N802
        async with self._recording(context) as record:
            record.requests.add(request)
            for note in copies(request):
                await context.write(note)
            await _obey(request, context, record)

    async def ClientStream(self, requests: AsyncIterator[Note], context: Context) -> Note:  # noqa: N802
        last = Note()
        async with self._recording(context) as record:
            async for request in requests:
                last = request
                record.requests.add(request)
                if await _obey(request, context, record, one_reply=True):
                    break
        return reply(last, record.requests.count if last.number else 0)

    async def BothStream(self, requests: AsyncIterator[Note], context: Context) -> None:  # noqa: N802
        question = None
        async with self._recording(context) as record:
            async for request in requests:
                record.requests.add(request)
                if request.text == "answer":
                    question = request
                    continue
                await context.write(reply(request, request.number))
                if await _obey(request, context, record):
                    break
            for note in copies(question) if question is not None else ():
                await context.write(note)

    @asynccontextmanager
    async def _recording(self, context: Context) -> AsyncIterator[Record]:
        given = [(str(key), value) for key, value in context.invocation_metadata() or ()]
        record = Record(str(dict(given)["call-id"]), remaining_seconds=context.time_remaining())
        if initial := [pair for pair in given if pair[0].startswith("initial-")]:
            await context.send_initial_metadata(initial)
        context.set_trailing_metadata([pair for pair in given if pair[0].startswith("trailing-")])
        try:
            yield record
            record.ended = StatusCode.OK
        except grpc.aio.InternalError:
            # The client cancelled while this wrote.
            assert context.cancelled()
            record.ended = StatusCode.CANCELLED
            raise
        except asyncio.CancelledError:
            # A handler is told no more than that; its deadline tells the rest: `None` if there is none, in the end 0.
            is_late = context.time_remaining() == 0
            record.ended = StatusCode.DEADLINE_EXCEEDED if is_late else StatusCode.CANCELLED
            raise
        finally:
            self._records.keep(record)


async def _obey(request: Note, context: Context, record: Record, *, one_reply: bool = False) -> bool:
    """Do what the text of a request says; true if the call is to end with OK now."""
    command, _, argument = request.text.partition(" ")
    if command == "status":
        code, _, message = argument.partition(" ")
        await _abort(StatusCode(int(code)), message, context, record)
    if command == "cancel":
        # There is no other way for a handler: the asyncio server has no `context.cancel()`.
        await _abort(StatusCode.CANCELLED, "cancelled by the server", context, record)
    if command == "wait":
        if one_reply:
            await context.send_initial_metadata([("initial-waiting", "yes")])
        await asyncio.Event().wait()
    return command == "end"


async def _abort(code: StatusCode, message: str, context: Context, record: Record) -> NoReturn:
    record.ended = code
    await context.abort(CODES[code], message, context.trailing_metadata())
