"""A call that is open on both sides, to be ended: its handler waits, and so does the program that called."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import penstock
from penstock import Kind
from penstock.testing import FaultProxy
from tests.e2e.support import Echo, Pair, until
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

USER: ContextVar[str] = ContextVar("user", default="nobody")

GO = 7
"""The number of the message after which the client does what the case says."""

NEXT = Note(text="next")
"""The request of a call that is answered at once."""

ONE_AT_A_TIME = penstock.Limits(max_concurrent_streams=1, max_receive_message_bytes=1000)
"""The next call works only if the place of the one before is free."""

NONE: Mapping[str, Any] = {}

HandlerDoes = Callable[["penstock.ServerStream[Any, Any]"], Awaitable[Note | None]]


class LeftError(Exception):
    """What a program raises in its block."""


@dataclass(frozen=True)
class Way:
    """How the program waits for the call."""

    kind: Kind
    iterates: bool = False
    """With `async for`, not with `receive()`; for kinds with many replies."""
    floods: bool = False
    """The handler yields without end and waits for room: the program reads nothing. For kinds with many replies."""
    inside: bool = False
    """There is an interceptor on either side."""

    @property
    def name(self) -> str:
        """For the name of the test."""
        variants = {"iterating": self.iterates, "flooded": self.floods, "inside": self.inside}
        return "-".join([self.kind.name.lower(), *(name for name, is_so in variants.items() if is_so)])

    @property
    def may_send(self) -> bool:
        """The client may send while the call is open."""
        return not self.kind.one_request


class Scene:
    """Both sides of the call."""

    def __init__(self, way: Way, timeout: float | None) -> None:
        self.way = way
        self.timeout = timeout
        self.pair: Pair
        self.proxy: FaultProxy
        self.client: penstock.ClientCall[Any, Any]
        self.server: penstock.ServerStream[Any, Any]
        self.caller: asyncio.Task[None]
        """The program that called."""
        self.client_does: Callable[[], object] = lambda: None
        """In its block or loop, when the handler's message comes; then it leaves."""
        self.closed: list[str] = []
        """What ran its `finally` to the end, in its own task and context: handler, interceptors."""
        self.end_in_cleanup: penstock.End | None = None
        """What the handler saw in its `finally`."""
        self.program_may_go = asyncio.Event()
        """It waits for this, where it reads nothing."""
        self._entered = asyncio.Event()
        self._told: asyncio.Future[HandlerDoes] = asyncio.get_running_loop().create_future()

    # What a case does.

    def handler_does(self, what: HandlerDoes) -> None:
        """Have the handler do something, and return what that gives."""
        if self.way.may_send:
            self.client.send_nowait(Note())  # it waits for messages
        self._told.set_result(what)

    def program_does(self, what: Callable[[], object]) -> None:
        """Have the program do something in its block, and leave it."""
        self.client_does = what
        if self.way.may_send:
            self.client.send_nowait(Note())
        self._told.set_result(self._send_go)

    @property
    def client_connection(self) -> Any:
        """The connection of the call, on the client."""
        return self.client._connection

    # What happens.

    async def call(self) -> None:
        """The program that calls."""
        echo = self.pair.client
        options: dict[str, Any] = {"timeout": self.timeout}
        if self.way.kind is Kind.UNARY:
            call = self.client = echo.unary(Note(), **options)
            await call
        elif self.way.kind is Kind.CLIENT_STREAM:
            async with echo.client_stream(**options) as stream:
                self.client = stream
                await stream.send(Note())
                if "go" in await stream.initial_metadata():
                    self.client_does()
                else:
                    await stream.finish()
        elif self.way.kind is Kind.SERVER_STREAM:
            async with echo.server_stream(Note(), **options) as replies:
                self.client = replies
                await (self.program_may_go.wait() if self.way.floods else self._read(replies))
        else:
            async with echo.both_stream(**options) as both:
                self.client = both
                await both.send(Note())
                await (self.program_may_go.wait() if self.way.floods else self._read(both))

    async def _read(self, stream: Any) -> None:
        if self.way.iterates:
            async for note in stream:
                if note.number == GO:
                    self.client_does()
                    break
        else:
            with suppress(penstock.EndOfStream):
                while (await stream.receive()).number != GO:
                    pass
                self.client_does()

    async def handle(self, stream: "penstock.ServerStream[Any, Any]") -> Note | None:
        """The handler: wait, with messages if there may be any, until it is told what to do."""
        self.server = stream
        self._entered.set()
        if self.way.may_send:
            async for _note in stream:
                if self._told.done():
                    break
        return await (await self._told)(stream)

    @asynccontextmanager
    async def followed(self, what: str) -> AsyncIterator[None]:
        """Around what it does: at the end of the block there is the task and the context of its beginning."""
        task = asyncio.current_task()
        token = USER.set("somebody")
        try:
            yield
        finally:
            await asyncio.sleep(0)  # a handler may await while it cleans up
            assert asyncio.current_task() is task
            assert USER.get() == "somebody"
            USER.reset(token)  # raises in another context
            self.closed.append(what)
            if what == "handler":
                self.end_in_cleanup = self.server.end

    async def _send_go(self, stream: "penstock.ServerStream[Any, Any]") -> None:
        if self.way.kind is Kind.CLIENT_STREAM:
            await stream.send_initial_metadata({"go": "on"})
        else:
            await stream.send(Note(number=GO))
        await asyncio.Event().wait()

    def is_open(self) -> bool:
        """The handler waits, as the way says."""
        if self.way.floods:
            return hasattr(self, "server") and bool(self.server._send_waiters)
        return self._entered.is_set()

    def service(self) -> Echo:
        """Serve with this scene's handlers."""

        async def one_reply(stream: Any) -> Note | None:
            async with self.followed("handler"):
                return await self.handle(stream)

        async def many_replies(stream: Any) -> AsyncIterator[Note]:
            async with self.followed("handler"):
                yield Note(number=1)
                if self.way.floods:
                    self.server = stream
                    while True:
                        yield Note(payload=bytes(900))
                await self.handle(stream)

        async def unary(request: Note, call: Any) -> Note | None:
            return request if request == NEXT else await one_reply(call)

        return Echo(
            unary=unary,
            client_stream=one_reply,
            server_stream=lambda _request, stream: many_replies(stream),
            both_stream=many_replies,
        )


@asynccontextmanager
async def opened(
    way: Way,
    *,
    timeout: float | None = None,
    server_options: Mapping[str, Any] = NONE,
    client_options: Mapping[str, Any] = NONE,
) -> AsyncIterator[Scene]:
    """Open a call; afterwards its program and its handler have ended. The options are those of `Server`, `Channel`."""
    scene = Scene(way, timeout)

    def inside(side: str) -> list[Any]:
        return [lambda _call: scene.followed(side)] if way.inside else []

    options = {"limits": ONE_AT_A_TIME, **server_options}
    server = penstock.Server([scene.service()], interceptors=inside("server"), **options)
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(server.listening("127.0.0.1:0"))
        scene.proxy = await stack.enter_async_context(FaultProxy(address))
        options = {"limits": ONE_AT_A_TIME, **client_options}
        channel = await stack.enter_async_context(
            penstock.Channel(scene.proxy.address, interceptors=inside("client"), **options)
        )
        scene.pair = Pair(server, channel, EchoClient(channel), address)
        scene.caller = asyncio.ensure_future(scene.call())
        await until(scene.is_open)
        yield scene
