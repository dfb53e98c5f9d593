"""The client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.measure import at_once, main
from benchmarks.peers.bare_engine.connection import NOTHING, BareConnection, codec, fail_loudly
from benchmarks.peers.bare_engine.streams import NO_ROOM, BareStream, Sender
from benchmarks.work import RAW, RAW_MESSAGE, SERVER_NAME, SUBSCRIBERS, TEXT, check
from penstock import tls
from penstock._engine import Codec, StreamBase, Waiter

__all__ = ["BareClient"]

BENCH = "/penstock.benchmarks.Bench"
PROTOBUF, BYTES = codec(Request, Reply), codec(bytes, bytes)
CANCEL = 8


class Once(StreamBase[Any, Any]):
    """A call with one reply."""

    __slots__ = ("over",)

    over: Waiter

    _on_responded = _on_readable = NOTHING

    def _on_ended(self, code: int, message: str, *_rest: object) -> None:
        check("status", (code, message), (0, ""))
        self.over.set_result(None)


class PingPong(StreamBase[Any, Any]):
    """Tells of each reply."""

    __slots__ = ("came",)

    came: Waiter

    _on_responded = _on_ended = NOTHING

    def _on_readable(self) -> None:
        self.came.set_result(None)


class Receiver(Sender):
    """Checks what comes and counts it."""

    __slots__ = ("_blob_bytes", "over", "received")

    over: Waiter

    def __init__(self, codec: Codec, blob_bytes: int = 0) -> None:
        del codec
        self._blob_bytes = blob_bytes
        self.received = 0

    def _took(self, messages: Sequence[Any]) -> None:
        blob_bytes = self._blob_bytes
        if blob_bytes:
            for reply in messages:
                if len(reply.blob) != blob_bytes:
                    check("bytes of a blob", len(reply.blob), blob_bytes)
        else:
            for reply in messages:
                if reply.text != TEXT:
                    check("reply", reply.text, TEXT)
        self.received += len(messages)

    def _on_ended(self, code: int, message: str, *_rest: object) -> None:
        check("status", (code, message), (0, ""))
        self._on_readable()
        self.over.set_result(None)


class RawReceiver(Receiver):
    """The same for bytes."""

    __slots__ = ()

    def _took(self, messages: Sequence[bytes]) -> None:
        check("messages that are right", messages.count(RAW_MESSAGE), len(messages))
        self.received += len(messages)


class BothWays(Receiver):
    """Sends as well."""

    __slots__ = ()

    def _send_on(self) -> None:
        send, blob_bytes = self.send, self._blob_bytes
        if blob_bytes:
            blob = bytes(blob_bytes)
            for _ in self._left:
                if send(Request(blob=blob)) is NO_ROOM:
                    return
        else:
            for _ in self._left:
                if send(Request(text=TEXT)) is NO_ROOM:
                    return
        self._half_close()


class Upload(BothWays):
    """Sends, and has one reply."""

    __slots__ = ()

    _on_readable = NOTHING

    def _on_ended(self, code: int, message: str, *_rest: object) -> None:
        check("status", (code, message), (0, ""))
        self.over.set_result(None)


class RawUpload(Upload):
    """The same with bytes."""

    __slots__ = ()

    def _send_on(self) -> None:
        send, message = self.send, RAW_MESSAGE
        for _ in self._left:
            if send(message) is NO_ROOM:
                return
        self._half_close()


class Deliveries:
    """What the subscribers of one client got."""

    left: int
    over: Waiter

    def expect(self, count: int) -> Waiter:
        """Give what is done when so many have come."""
        self.left, self.over = count, Waiter(asyncio.get_running_loop())
        return self.over


class Subscriber(BareStream):
    """Checks what is published; the first message, empty, says that it is subscribed."""

    __slots__ = ("_deliveries", "_text")

    def __init__(self, codec: Codec, deliveries: Deliveries) -> None:
        del codec
        self._deliveries = deliveries
        self._text = ""

    def _took(self, messages: Sequence[Reply]) -> None:
        for reply in messages:
            if reply.text != self._text:
                check("reply", reply.text, self._text)
            self._text = TEXT
        deliveries = self._deliveries
        deliveries.left -= len(messages)
        if not deliveries.left:
            deliveries.over.set_result(None)


class BareClient:
    """One connection; see `benchmarks.scenarios.Client`."""

    def __init__(self, connection: BareConnection, *, secure: bool) -> None:
        self._engine = connection.engine
        self._loop = connection.loop
        self._secure = secure
        self._deliveries = Deliveries()

    def _open(self, call: Any, path: str, request: bytes | None) -> Waiter:
        call.over = over = Waiter(self._loop)
        self._engine.open(call, path, SERVER_NAME, self._secure, None, None, request)
        return over

    async def unary(self) -> None:
        """Make one call."""
        call = Once(PROTOBUF)
        await self._open(call, f"{BENCH}/Unary", Request(text=TEXT).SerializeToString())
        reply: Any = call._take()
        if reply.text != TEXT:
            check("reply", reply.text, TEXT)

    async def unary_at_once(self, count: int) -> None:
        """Make many calls."""
        await at_once(self.unary, count)

    async def server_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Receive."""
        request = Request(text=TEXT, count=count, blob_bytes=blob_bytes)
        call = Receiver(PROTOBUF, blob_bytes)
        await self._open(call, f"{BENCH}/ServerStream", request.SerializeToString())
        check("replies", call.received, count)

    async def client_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send."""
        call = Upload(PROTOBUF, blob_bytes)
        over = self._open(call, f"{BENCH}/ClientStream", None)
        call._send_times(count)
        await over
        reply: Any = call._take()
        check("requests", reply.count, count)

    async def both_stream(self, count: int, blob_bytes: int = 0) -> None:
        """Send and receive."""
        call = BothWays(PROTOBUF, blob_bytes)
        over = self._open(call, f"{BENCH}/BothStream", None)
        call._await_message()
        call._send_times(count)
        await over
        check("replies", call.received, count)

    async def ping_pong(self, count: int) -> Sequence[float]:
        """Send a text, wait for it."""
        latencies = []
        call = PingPong(PROTOBUF)
        self._engine.open(call, f"{BENCH}/BothStream", SERVER_NAME, self._secure, None, None, None)
        for _ in range(count):
            started = perf_counter()
            call.came = came = Waiter(self._loop)
            call._push(Request(text=TEXT).SerializeToString())
            call._await_message()
            await came
            reply: Any = call._take()
            latencies.append(perf_counter() - started)
            if reply.text != TEXT:
                check("reply", reply.text, TEXT)
        call._reset(CANCEL)
        return latencies

    async def raw_server_stream(self, count: int) -> None:
        """Receive bytes."""
        call = RawReceiver(BYTES)
        await self._open(call, f"/{RAW}/ServerStream", b"%d" % count)
        check("replies", call.received, count)

    async def raw_client_stream(self, count: int) -> None:
        """Send bytes."""
        call = RawUpload(BYTES)
        over = self._open(call, f"/{RAW}/ClientStream", None)
        call._send_times(count)
        await over
        check("requests", call._take(), b"%d" % count)

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[None]:
        """Open the streams of a broadcast."""
        over = self._deliveries.expect(SUBSCRIBERS)
        streams = [Subscriber(PROTOBUF, self._deliveries) for _ in range(SUBSCRIBERS)]
        for stream in streams:
            self._engine.open(stream, f"{BENCH}/Subscribe", SERVER_NAME, self._secure, None, None, b"")
        await over
        try:
            yield
        finally:
            for stream in streams:
                stream._reset(CANCEL)

    async def broadcast(self, count: int) -> None:
        """Publish."""
        over = self._deliveries.expect(count)
        request = Request(text=TEXT, count=count // SUBSCRIBERS).SerializeToString()
        call = Once(PROTOBUF)
        await self._open(call, f"{BENCH}/Publish", request)
        reply: Any = call._take()
        check("subscribers", reply.count, SUBSCRIBERS)
        await over


class ClientConnection(BareConnection):
    """Its calls must not be lost."""

    def _on_calls_lost(self, calls: Sequence[object], code: int, message: str, *_rest: object) -> None:
        raise ConnectionError(len(calls), code, message)


@asynccontextmanager
async def connect(address: str, ca: Path | None) -> AsyncIterator[BareClient]:
    """Give a client of the server at this address."""
    context = tls.client_context(ca) if ca else None
    fail_loudly()
    host, _, port = address.rpartition(":")
    connect_to = asyncio.get_running_loop().create_connection
    transport, connection = await connect_to(lambda: ClientConnection(client=True, context=context), host, int(port))
    await connection.ready
    yield BareClient(connection, secure=context is not None)
    transport.close()


if __name__ == "__main__":
    main(connect)
