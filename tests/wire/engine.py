"""The engine without socket and loop: frames go in, frames and events come out, step by step."""

from collections import deque
from collections.abc import Callable

from penstock import Limits, _engine
from tests.wire.frames import PREFACE, Peer

Pairs = list[tuple[str, str | bytes]]

RAW_CODEC = _engine.Codec(bytes, None, None, 2**31 - 1, 2**31 - 1)
READ_BUFFER = _engine.ReadBuffer(256 * 1024)


class Call(_engine.StreamBase[bytes, bytes]):
    """One stream; notes what it is told."""

    def __init__(self, codec: _engine.Codec) -> None:
        del codec
        self.told: list[str] = []
        self.cause = ""
        """What ended it, in the engine's words."""
        self.metadata: Pairs = []
        """Server: what the client sent before its first message."""

    def send_now(self, payload: bytes) -> bool:
        """False: there was no room, or the sending side is closed."""
        return self._push(payload) == 0

    def take_all(self) -> list[bytes]:
        """Take the messages that are there, and wait for the next."""
        messages = list(iter(self._take, None))
        self._await_message()
        return messages

    def _on_readable(self) -> None:
        self.told.append("readable")

    def _on_writable(self) -> None:
        self.told.append("writable")

    def _on_responded(self, metadata: Pairs | None) -> None:
        self.told.append(f"responded {metadata}")

    def _on_ended(
        self, code: int, message: str, trailers: Pairs | None, origin: str, cause: str, unprocessed: bool
    ) -> None:
        self.cause = cause
        unseen = " unprocessed" if unprocessed else ""
        self.told.append(f"ended {code} {message!r} {trailers} {origin}{unseen}")


_attached: list["Engine"] = []


def detach_all() -> None:
    """What a socket does when it is closed: part connections and their owners."""
    while _attached:
        _attached.pop().connection.detach()


class Engine:
    """One side of a connection. `peer` is the other: it makes and reads the frames."""

    def __init__(
        self, *, client: bool, limits: Limits | None = None, any_subtype: bool = False, user_agent: str = ""
    ) -> None:
        limits = limits or Limits()
        self.peer = Peer()
        self.told: list[str] = []
        self.calls: dict[int, Call] = {}
        self._written = bytearray()
        self._callbacks: deque[Callable[[], object]] = deque()
        self.connection = _engine.Connection(
            client=client,
            read_buffer=READ_BUFFER,
            stream_window_bytes=limits.stream_window_bytes,
            max_frame_bytes=limits.max_frame_bytes,
            max_concurrent_streams=limits.max_concurrent_streams,
            max_header_list_bytes=limits.max_metadata_bytes,
            max_receive_message_bytes=limits.max_receive_message_bytes,
            send_buffer_bytes=limits.send_buffer_bytes,
            coding=None,
            any_subtype=any_subtype,
            user_agent=user_agent,
        )
        self.connection.attach(self._callbacks.append, self._write, self)
        _attached.append(self)

    # What a test does.

    def hears(self, *frames: bytes) -> list[str]:
        """Read frames; give what is written because of them, a line for each frame."""
        self.read(b"".join(frames))
        return self.says()

    def read(self, data: bytes) -> None:
        """Read bytes, as one read of a socket."""
        self.connection.get_buffer(-1)[: len(data)] = data
        self.connection.buffer_updated(len(data))

    def says(self) -> list[str]:
        """Let the turn of the loop end; give what was written since the last time."""
        while self._callbacks:
            self._callbacks.popleft()()
        written, self._written = bytes(self._written), bytearray()
        return self.peer.read(written)

    def said_bytes(self) -> bytes:
        """As `says`, but bytes."""
        while self._callbacks:
            self._callbacks.popleft()()
        written, self._written = bytes(self._written), bytearray()
        return written

    def open(
        self,
        path: str = "/a.B/C",
        *,
        timeout_seconds: float | None = None,
        metadata: Pairs | None = None,
        only: bytes | None = None,
        secure: bool = False,
    ) -> Call:
        """Client: start a call."""
        call = Call(RAW_CODEC)
        self.connection.open(call, path, "host:1", secure, timeout_seconds, metadata, only)
        self.calls[call._id] = call
        return call

    # What the engine calls.

    def _write(self, data: bytes | memoryview) -> None:
        self._written += data

    def _on_opened(
        self, stream_id: int, path: str, authority: str, metadata: Pairs | None, timeout_seconds: float | None
    ) -> None:
        self.calls[stream_id] = call = Call(RAW_CODEC)
        call.metadata = metadata or []
        self.connection.adopt(call, stream_id)
        self.told.append(f"opened {stream_id} {path} {authority} {metadata} {timeout_seconds}")

    def _on_calls_lost(self, calls: list[Call], code: int, message: str, cause: str, unprocessed: bool) -> None:
        for call in calls:
            call._on_ended(code, message, None, "transport", cause, unprocessed)

    def _on_settings(self) -> None:
        self.told.append("settings")

    def _on_over_budget(self) -> None:
        self.told.append("over budget")

    def _on_pong(self) -> None:
        self.told.append("pong")

    def _on_headers(self, begun: bool) -> None:
        """The connection's owner has a timer for it."""

    def _on_abuse(self, kind: str, text: str, cut: bool) -> None:
        self.told.append(f"abuse {kind}{' cut' if cut else ''}")

    def _on_go_away(self, reason: int, text: str) -> None:
        self.told.append(f"go away {reason} {text!r}")

    def _on_closed(self, message: str, clean: bool, foreign: bool) -> None:
        kind = "clean" if clean else "foreign" if foreign else "failed"
        self.told.append(f"closed {message!r} {kind}")
        self.connection.flush()

    def _on_backlog(self) -> None:
        self.told.append("backlog")

    def _on_backlog_gone(self) -> None:
        self.told.append("backlog gone")

    def _on_pause(self, seconds: float) -> None:
        self.told.append("pause")


def client(limits: Limits | None = None, **settings: int) -> Engine:
    """A client that has said its preface and heard the server's."""
    engine = Engine(client=True, limits=limits)
    engine.says()
    engine.hears(engine.peer.settings(**settings), engine.peer.settings_ack())
    return engine


def server(limits: Limits | None = None, *, any_subtype: bool = False, **settings: int) -> Engine:
    """A server that has said its preface and heard the client's."""
    engine = Engine(client=False, limits=limits, any_subtype=any_subtype)
    engine.says()
    engine.hears(PREFACE, engine.peer.settings(**settings), engine.peer.settings_ack())
    return engine


REQUEST: list[tuple[str, str]] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a.B/C"),
    (":authority", "host:1"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
]
"""The least a client says."""

RESPONSE: list[tuple[str, str]] = [(":status", "200"), ("content-type", "application/grpc")]
"""The least a server says before its first message."""
