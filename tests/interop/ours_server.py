"""The Echo service of calls.py, on our server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Never

import penstock
from tests.interop.calls import Call, Record, copies, reply
from tests.interop.peers import Records
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase


class OurServer:
    """It listens while the block of `serving` runs."""

    def __init__(self, address: str, server: penstock.Server, records: Records) -> None:
        self.address = address
        self._server = server
        self._records = records

    async def record(self, call: Call) -> Record:
        """Wait until the handler of a call has ended, and give what it saw."""
        return await self._records.find(call)

    def open_calls(self) -> dict[str, int]:
        """Count what the server and its engine hold."""
        connections = self._server._core.connections
        return {
            "server": sum(len(connection.calls) for connection in connections),
            "server's engine": sum(connection.engine.open_calls for connection in connections),
        }


@asynccontextmanager
async def serving(window_bytes: int | None, tls: ssl.SSLContext | None = None) -> AsyncIterator[OurServer]:
    """Serve on a free port."""
    limits = None if window_bytes is None else penstock.Limits(stream_window_bytes=window_bytes)
    records = Records()
    server = penstock.Server([Echo(records)], limits=limits)
    async with server.listening("127.0.0.1:0", tls=tls) as address:
        yield OurServer(address, server, records)


class Echo(EchoBase):
    """The service."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        async with self._recording(call) as record:
            record.requests.add(request)
            await _obey(request, call, one_reply=True)
        return reply(request, request.number)

    async def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        async with self._recording(stream) as record:
            record.requests.add(request)
            for note in copies(request):
                await stream.send(note)
            await _obey(request, stream)

    async def client_stream(self, stream: penstock.ServerStream[Note, Never]) -> Note:
        last = Note()
        async with self._recording(stream) as record:
            async for request in stream:
                last = request
                record.requests.add(request)
                if await _obey(request, stream, one_reply=True):
                    break
        return reply(last, record.requests.count if last.number else 0)

    async def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> None:
        question = None
        async with self._recording(stream) as record:
            async for request in stream:
                record.requests.add(request)
                if request.text == "answer":
                    question = request
                    continue
                await stream.send(reply(request, request.number))
                if await _obey(request, stream):
                    break
            if question is not None:
                await stream.send_many(copies(question))

    @asynccontextmanager
    async def _recording(self, call: penstock.ServerStream[Any, Any]) -> AsyncIterator[Record]:
        record = Record(str(call.metadata["call-id"]), remaining_seconds=call.time_remaining)
        given = call.metadata.pairs()
        if initial := [(key, value) for key, value in given if key.startswith("initial-")]:
            await call.send_initial_metadata(initial)
        for key, value in given:
            if key.startswith("trailing-"):
                call.trailing_metadata.add(key, value)
        try:
            yield record
            record.ended = penstock.StatusCode.OK
        except penstock.RpcError as error:
            record.ended = error.code
            raise
        except asyncio.CancelledError:
            record.ended = None if call.status is None else call.status.code
            raise
        finally:
            self._records.keep(record)


async def _obey(request: Note, call: penstock.ServerStream[Any, Any], *, one_reply: bool = False) -> bool:
    """Do what the text of a request says; true if the call is to end with OK now."""
    command, _, argument = request.text.partition(" ")
    if command == "status":
        code, _, message = argument.partition(" ")
        raise penstock.RpcError(penstock.StatusCode(int(code)), message)
    if command == "cancel":
        call.cancel()
        await asyncio.Event().wait()
    if command == "wait":
        if one_reply:
            await call.send_initial_metadata({"initial-waiting": "yes"})
        # Two ways to learn of the end: what waits on the stream is told, what waits for anything else is cancelled.
        async for _ in call:
            pass
        await asyncio.Event().wait()
    return command == "end"
