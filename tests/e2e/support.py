"""A server and a channel in the test's own loop, and the waits that tests are made of."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Never, TypeAlias

import penstock
from penstock import testing
from tests.certificates import Certificates
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase, EchoClient

BOUND_SECONDS = 10.0
"""What a test waits at most for what must come: a bound for failures, never a pace."""

over_tls: Certificates | None = None
"""Set by tests that run over TLS what others run in plaintext."""

in_memory = False
"""Set by tests that run in memory what others run over sockets."""

UnaryHandler: TypeAlias = Callable[[Note, penstock.ServerCall], Awaitable[Any]]
ServerStreamHandler: TypeAlias = Callable[[Note, Any], Any]
ClientStreamHandler: TypeAlias = Callable[[Any], Awaitable[Any]]
BothStreamHandler: TypeAlias = Callable[[Any], Any]


class Echo(EchoBase):
    """The service of echo.proto; a test brings the handlers it needs in place of the plain ones."""

    def __init__(
        self,
        *,
        unary: UnaryHandler | None = None,
        server_stream: ServerStreamHandler | None = None,
        client_stream: ClientStreamHandler | None = None,
        both_stream: BothStreamHandler | None = None,
    ) -> None:
        self._unary = unary or _give_back
        self._client_stream = client_stream or _count
        self._both_stream = both_stream or _answer_each
        if server_stream is not None:
            setattr(self, "server_stream", server_stream)  # noqa: B010 - as it is, whatever form it has

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        reply: Note = await self._unary(request, call)
        return reply

    async def server_stream(self, request: Note, stream: penstock.ServerStream[Never, Note]) -> None:
        for number in range(request.number):
            await stream.send(Note(text=request.text, number=number))

    async def client_stream(self, stream: penstock.ServerStream[Note, Never]) -> Note:
        reply: Note = await self._client_stream(stream)
        return reply

    def both_stream(self, stream: penstock.ServerStream[Note, Note]) -> Any:
        return self._both_stream(stream)


async def _give_back(request: Note, call: penstock.ServerCall) -> Note:
    del call
    return request


async def _count(stream: penstock.ServerStream[Note, Never]) -> Note:
    last, count = Note(), 0
    async for note in stream:
        last, count = note, count + 1
    return Note(text=last.text, number=count)


async def _answer_each(stream: penstock.ServerStream[Note, Note]) -> None:
    async for note in stream:
        await stream.send(note)


@dataclass(frozen=True)
class Pair:
    """A server that listens, and a channel to it."""

    server: penstock.Server
    channel: penstock.Channel
    client: EchoClient
    address: str
    secure: dict[str, Any] = field(default_factory=dict)
    """What another channel to it has to be given."""

    def client_method(self, name: str) -> penstock.Method[Any, Any]:
        """Give a method of the echo service by the name of its handler."""
        return EchoBase.METHODS[name]

    def open_calls(self) -> dict[str, int]:
        """Count the calls that each side still holds, in the engine and beside it."""
        connector = self.channel._connector
        clients = connector.connections if connector is not None else set()
        equipment = self.server._core.equipment
        return {
            "client's engine": sum(connection.engine.open_calls for connection in clients),
            "client": sum(len(connection.calls) for connection in clients),
            "client's deadlines": len(self.channel._timers),
            "server's engine": sum(connection.engine.open_calls for connection in self.server._core.connections),
            "server": sum(len(connection.calls) for connection in self.server._core.connections),
            "server's deadlines": 0 if equipment is None else len(equipment.timers),
            "server's places": self.server._core.gatekeeper.calls.taken,
        }

    async def until_no_call_is_open(self) -> None:
        """Wait until both sides have forgotten every call."""
        await until(lambda: not any(self.open_calls().values()), lambda: f"calls are open: {self.open_calls()}")


@asynccontextmanager
async def connected(
    service: penstock.Service | None = None,
    *beside: penstock.Service,
    address: str = "127.0.0.1:0",
    server_limits: penstock.Limits | None = None,
    client_limits: penstock.Limits | None = None,
    admission: penstock.Admission | None = None,
    compression: penstock.Compression | None = None,
    client_compression: penstock.Compression | None = None,
    fallback: Callable[[penstock.ServerStream[bytes, bytes]], Any] | None = None,
    tls: Certificates | None = None,
) -> AsyncIterator[Pair]:
    """Serve on a real socket, and call it; with `tls` both sides show a certificate."""
    tls = tls or over_tls
    server = penstock.Server(
        [service or Echo(), *beside],
        limits=server_limits,
        admission=admission,
        compression=compression,
        fallback=fallback,
    )
    if in_memory:
        async with testing.connected(
            server=server, limits=client_limits, compression=client_compression
        ) as memory_channel:
            pair = Pair(server, memory_channel, EchoClient(memory_channel), "memory:1")
            yield pair
            await pair.until_no_call_is_open()
        return
    secure: dict[str, Any] = {} if tls is None else {"tls": tls.client_context(), "authority": "localhost"}
    async with (
        server.listening(address, tls=None if tls is None else tls.server_context()) as bound,
        penstock.Channel(bound, **secure, limits=client_limits, compression=client_compression) as channel,
    ):
        pair = Pair(server, channel, EchoClient(channel), bound, secure)
        yield pair
        await pair.until_no_call_is_open()


@asynccontextmanager
async def with_neighbour(**options: Any) -> AsyncIterator[Pair]:
    """Give a pair with a call in progress, which has to go on undisturbed, on its own connection."""
    async with connected(**options) as pair, pair.client.both_stream() as neighbour:
        await neighbour.send(Note(number=1))
        await within_bound(neighbour.receive())
        (connection,) = pair.server._core.connections
        yield pair
        await neighbour.send(Note(number=2))
        assert (await within_bound(neighbour.receive())).number == 2
        assert connection in pair.server._core.connections


async def until(condition: Callable[[], object], what: Callable[[], str] | str = "it did not become true") -> None:
    """Wait until something is true that sets no event.

    Raises:
        AssertionError: It did not become true within the bound.
    """
    loop = asyncio.get_running_loop()
    end = loop.time() + BOUND_SECONDS
    while not condition():
        assert loop.time() < end, what() if callable(what) else what
        await asyncio.sleep(0.001)  # real time: nobody sets an event, so the condition is looked at again


async def within_bound(waiting: Awaitable[Any]) -> Any:
    """Await what must come."""
    async with asyncio.timeout(BOUND_SECONDS):
        return await waiting


async def turns(count: int) -> None:
    """Let the loop come round, so that what is ready happens."""
    for _ in range(count):
        await asyncio.sleep(0)


def notes(count: int) -> list[Note]:
    """Make messages that can be told apart."""
    return [Note(text=f"note {number}", number=number) for number in range(count)]


def objects_of(kind: type) -> int:
    """Count the living objects of a class, subclasses included."""
    gc.collect()
    return sum(isinstance(thing, kind) for thing in gc.get_objects())


TINY = penstock.Limits(stream_window_bytes=2048, send_buffer_bytes=1024)
"""Limits under which a few messages of a KiB fill everything between two sides."""


class Gate:
    """A handler of echo.proto's both-ways method that reads nothing before it may, and keeps what it reads."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()
        self.entered = asyncio.Event()
        self.received: list[Note] = []
        self.outcome: BaseException | None = None

    async def __call__(self, stream: "penstock.ServerStream[Note, Note]") -> None:
        self.entered.set()
        try:
            await self.opened.wait()
            async for note in stream:
                self.received.append(note)
        except BaseException as error:
            self.outcome = error
            raise


def fill(stream: penstock.Stream[Note, Any], size: int = 512) -> int:
    """Send until there is no room; give the count of messages."""
    count = 0
    while True:
        try:
            stream.send_nowait(Note(number=count, payload=bytes(size)))
        except penstock.WouldBlock:
            return count
        count += 1


async def fill_up(stream: penstock.Stream[Note, Any], size: int = 512) -> int:
    """Send until the peer's window and the own buffer are full; give the count of messages."""
    count, idle = 0, 0
    while idle < 20:
        try:
            stream.send_nowait(Note(number=count, payload=bytes(size)))
            count, idle = count + 1, 0
        except penstock.WouldBlock:
            idle += 1
            await asyncio.sleep(0.001)  # real time: what is on its way through two sockets has no event
    return count


async def cancelled_after(count: int, coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a task and cancel it after some turns of the loop.

    Returns:
        What it gave if it was faster, else `CancelledError`, the class.
    """
    task = asyncio.ensure_future(coroutine)
    await turns(count)
    task.cancel()
    await asyncio.wait([task])
    return asyncio.CancelledError if task.cancelled() else task.result()
