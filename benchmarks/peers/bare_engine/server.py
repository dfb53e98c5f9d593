"""The server."""

import asyncio
import ssl
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.bench_pb2 import Reply, Request
from benchmarks.peers.bare_engine.connection import BareConnection, codec, fail_loudly
from benchmarks.peers.bare_engine.streams import BATCH, NO_ROOM, BareStream, Sender
from benchmarks.programs import Own, serve
from benchmarks.work import RAW, RAW_MESSAGE, TEXT, announce, check, until_told
from penstock import tls
from penstock._engine import Codec, Encoded, broadcast

__all__ = ["ServerConnection"]

ROUNDS_IN_A_TURN = 64
"""Of a broadcast: what a stream gets in one turn of the loop shares a frame. CPU of a delivery, both sides: 1.27 us at
8, 1.05 at 16, 0.93 at 32, 0.83 from 64 on."""

OK: tuple[int, str, None, None, bool] = 0, "", None, None, False


class Unary(BareStream):
    """Answers with what came."""

    __slots__ = ()

    def _on_readable(self) -> None:
        request: Any = self._take()
        self._reply(Reply(text=request.text, blob=request.blob), None)


class ServerStream(Sender):
    """Sends a text, or a blob, so many times."""

    __slots__ = ("_blob", "_text")

    def _on_readable(self) -> None:
        request: Any = self._take()
        self._text, self._blob = request.text, bytes(request.blob_bytes)
        self._send_times(request.count)

    def _send_on(self) -> None:
        send, text, blob = self.send, self._text, self._blob
        if blob:
            for _ in self._left:
                if send(Reply(blob=blob)) is NO_ROOM:
                    return
        else:
            for _ in self._left:
                if send(Reply(text=text)) is NO_ROOM:
                    return
        self._finish(*OK)


class RawServerStream(Sender):
    """Sends bytes so many times."""

    __slots__ = ()

    def _on_readable(self) -> None:
        request: Any = self._take()
        self._send_times(int(request))

    def _send_on(self) -> None:
        send, message = self.send, RAW_MESSAGE
        for _ in self._left:
            if send(message) is NO_ROOM:
                return
        self._finish(*OK)


class ClientStream(BareStream):
    """Counts."""

    __slots__ = ("_count",)

    def __init__(self, codec: Codec, server: object) -> None:
        del codec, server
        self._count = 0

    def _took(self, messages: Sequence[Request]) -> None:
        for request in messages:
            if request.text != TEXT and not request.blob:
                check("request", request.text, TEXT)
        self._count += len(messages)

    def _took_last(self) -> None:
        self._reply(Reply(count=self._count), None)


class RawClientStream(ClientStream):
    """Counts bytes."""

    __slots__ = ()

    def _took(self, messages: Sequence[bytes]) -> None:  # type: ignore[override]
        check("messages that are right", messages.count(RAW_MESSAGE), len(messages))
        self._count += len(messages)

    def _took_last(self) -> None:
        self._reply(b"%d" % self._count, None)


class BothStream(Sender):
    """Answers each request as it comes."""

    __slots__ = ("_requests",)

    _requests: Iterator[Request]

    def _on_readable(self) -> None:
        send = self.send
        while messages := self._take_many(BATCH):
            self._requests = iter(messages)
            for request in self._requests:
                if send(Reply(text=request.text, blob=request.blob)) is NO_ROOM:
                    return
        if self._is_last:
            self._finish(*OK)
        elif self._await_message():
            self._on_readable()

    def _send_on(self) -> None:
        for request in self._requests:
            if self.send(Reply(text=request.text, blob=request.blob)) is NO_ROOM:
                return
        self._on_readable()


class Subscribe(BareStream):
    """Sends what is published."""

    __slots__ = ("_subscribers", "publish")

    publish: "Publish"
    """Waits for room here."""

    def __init__(self, codec: Codec, server: "ServerConnection") -> None:
        del codec
        self._subscribers = server.subscribers

    def _on_readable(self) -> None:
        self._take()
        self._push(b"")
        self._subscribers[self] = None

    def _on_ended(self, *_how: object) -> None:
        self._subscribers.pop(self, None)

    def _on_writable(self) -> None:
        self.publish.had_room(self)


class Publish(BareStream):
    """Sends a text to all subscribers so many times."""

    __slots__ = ("_encoded", "_full", "_left", "_server", "_subscribers")

    def __init__(self, codec: Codec, server: "ServerConnection") -> None:
        del codec
        self._server = server
        self._subscribers = server.subscribers

    def _on_readable(self) -> None:
        request: Any = self._take()
        self._encoded = Encoded(Reply(text=request.text).SerializeToString(), Reply)
        self._left, self._full = request.count, 0
        self._send_on()

    def _send_on(self) -> None:
        rounds = min(self._left, ROUNDS_IN_A_TURN)
        for _ in range(rounds):
            self._left -= 1
            full: list[Any] = broadcast(self._subscribers, self._encoded)
            if full:
                self._full = len(full)
                for stream in full:
                    stream.publish = self
                    stream._await_room()
                return
        if self._left:
            self._server.loop.call_soon(self._send_on)  # after what was queued is flushed
        else:
            self._reply(Reply(count=len(self._subscribers)), None)

    def had_room(self, stream: Subscribe) -> None:
        """Send it what it had no room for; when all have got that, go on."""
        stream._push(self._encoded)
        self._full -= 1
        if not self._full:
            self._send_on()


class ServerConnection(BareConnection):
    """One client."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(client=False, context=context)
        self.subscribers: dict[Subscribe, None] = {}

    def _on_opened(self, stream_id: int, path: str, *_head: object) -> None:
        stream, codec = METHODS[path]
        call = stream(codec, self)
        self.engine.adopt(call, stream_id)
        if call._await_message():
            call._on_readable()


PROTOBUF, BYTES = codec(Reply, Request), codec(bytes, bytes)
METHODS: dict[str, tuple[Any, Codec]] = {
    **{
        f"/penstock.benchmarks.Bench/{stream.__name__}": (stream, PROTOBUF)
        for stream in (Unary, ServerStream, ClientStream, BothStream, Subscribe, Publish)
    },
    f"/{RAW}/ServerStream": (RawServerStream, BYTES),
    f"/{RAW}/ClientStream": (RawClientStream, BYTES),
}


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    context = tls.server_context(own.certificate, own.key) if own else None
    fail_loudly()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: ServerConnection(context), "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    announce(f"{host}:{port}")
    await until_told()


if __name__ == "__main__":
    serve(main)
