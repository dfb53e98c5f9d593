"""A server and a channel with something around their calls, and what an interceptor sees of them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

import penstock
from tests.certificates import Certificates
from tests.e2e.support import Echo, Pair, within_bound
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoClient

KINDS = ["unary", "server_stream", "client_stream", "both_stream"]

every_kind = pytest.mark.parametrize("kind", KINDS)


@asynccontextmanager
async def around(
    service: penstock.Service | None = None,
    *,
    client: Sequence[Any] = (),
    server: Sequence[Any] = (),
    authenticate: Callable[[penstock.ServerCall], Awaitable[object]] | None = None,
    credentials: penstock.Credentials | None = None,
    fallback: Callable[[penstock.ServerStream[bytes, bytes]], Any] | None = None,
    tls: Certificates | None = None,
) -> AsyncIterator[Pair]:
    """Serve on a real socket, and call it, with these interceptors on the two sides."""
    server_context, client_context = (tls.server_context(), tls.client_context()) if tls else (None, None)
    serving = penstock.Server([service or Echo()], interceptors=server, authenticate=authenticate, fallback=fallback)
    async with (
        serving.listening("127.0.0.1:0", tls=server_context) as bound,
        penstock.Channel(bound, tls=client_context, interceptors=client, credentials=credentials) as channel,
    ):
        pair = Pair(serving, channel, EchoClient(channel), bound)
        yield pair
        await pair.until_no_call_is_open()


async def call(client: EchoClient, kind: str, **options: Any) -> list[Note]:
    """Make one call of a kind, with two messages where it is a stream; give its replies."""
    async with asyncio.timeout(10):
        if kind == "unary":
            return [await client.unary(Note(text="a"), **options)]
        if kind == "server_stream":
            async with client.server_stream(Note(text="a", number=2), **options) as feed:
                return [reply async for reply in feed]
        if kind == "client_stream":
            async with client.client_stream(**options) as upload:
                await upload.send_many([Note(text="a"), Note(text="b")])
                return [await upload.finish()]
        async with client.both_stream(**options) as stream:
            await stream.send_many([Note(text="a"), Note(text="b")])
            await stream.end_sending()
            return [reply async for reply in stream]


def serving(kind: str, handler: Callable[..., Any]) -> Echo:
    """Give a service whose handler of that kind is this one."""
    return Echo(**{kind: handler})


def only_reply(kind: str) -> Note | None:
    """Give what a handler of that kind returns."""
    return Note() if kind in {"unary", "client_stream"} else None


class Seen:
    """An interceptor that writes down how it was entered and left."""

    def __init__(self, name: str = "", log: list[Any] | None = None) -> None:
        self.name = name
        self.log: list[Any] = [] if log is None else log
        self.calls: list[Any] = []
        self.outcomes: list[BaseException | None] = []
        """What was raised at the yield."""
        self.statuses: list[penstock.Status | None] = []
        """What the call said of its end when it was left."""
        self.left = asyncio.Event()

    @asynccontextmanager
    async def __call__(self, call: penstock.Call) -> AsyncIterator[None]:
        task = asyncio.current_task()
        self.calls.append(call)
        self.log.append((self.name, "in"))
        try:
            yield
        except BaseException as error:
            self.outcomes.append(error)
            raise
        else:
            self.outcomes.append(None)
        finally:
            assert asyncio.current_task() is task
            self.statuses.append(call.status)
            self.log.append((self.name, "out"))
            self.left.set()

    @property
    def codes(self) -> list[penstock.StatusCode | None]:
        """The codes of the statuses."""
        return [None if status is None else status.code for status in self.statuses]

    async def until_left(self) -> None:
        """Wait until it was left at least once."""
        await within_bound(self.left.wait())


def refusing(code: penstock.StatusCode) -> Callable[[penstock.Call], Any]:
    """Make an interceptor that lets no call through."""

    @asynccontextmanager
    async def refuse(call: penstock.Call) -> AsyncIterator[None]:
        raise penstock.RpcError(code, f"no {call.method}")
        yield

    return refuse


def translating(source: type[BaseException], make: Callable[[], BaseException]) -> Callable[[penstock.Call], Any]:
    """Make an interceptor that raises another exception in the place of one."""

    @asynccontextmanager
    async def translate(_call: penstock.Call) -> AsyncIterator[None]:
        try:
            yield
        except source as error:
            raise make() from error

    return translate


@asynccontextmanager
async def swallowing(_call: penstock.Call) -> AsyncIterator[None]:
    """Take every failure for a success."""
    with contextlib.suppress(BaseException):
        yield


@asynccontextmanager
async def goes_on(_call: penstock.Call) -> AsyncIterator[None]:
    """Wait for ever, and take a cancellation for the end of that wait, as `asyncio.wait_for` of 3.11 sometimes does."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    yield
