"""One end of a connection that may misbehave."""

import asyncio
from typing import cast

import h2.config
import h2.connection
import h2.events
import h2.settings
from h2.exceptions import ProtocolError
from hyperframe.frame import GoAwayFrame


class Stream:
    """One stream of a peer: what came, and what can be sent."""

    def __init__(self, peer: "Peer", number: int) -> None:
        self.peer = peer
        self.number = number
        self.headers: list[dict[str, str]] = []
        """Each header block that came."""
        self.received = bytearray()
        self.ended = asyncio.Event()
        """The other end sends no more."""
        self.reset_by_other: int | None = None
        """The error code, if the other end reset it."""
        self.window_left = 0
        """What could still be sent after the other end had heard all of `send_small_data`."""

    def send_headers(self, headers: list[tuple[str, str]], *, end: bool = False) -> None:
        """Send a header block."""
        self.peer.state.send_headers(self.number, headers, end_stream=end)
        self.peer.flush()

    async def send_data(self, data: bytes, *, frame_bytes: int = 16384, padding: int | None = None) -> None:
        """Send DATA in frames of this size and padding, as the windows of the other end allow.

        Raises:
            ConnectionError: The connection was lost meanwhile.
        """
        state = self.peer.state
        # One byte says how much padding there is. Source: RFC 9113 section 6.1.
        extra = 0 if padding is None else padding + 1
        for at in range(0, len(data), frame_bytes):
            piece = data[at : at + frame_bytes]
            while state.local_flow_control_window(self.number) < len(piece) + extra:
                self.peer.flush()
                await self.peer.something_came()
            state.send_data(self.number, piece, pad_length=padding)
        self.peer.flush()

    async def send_small_data(self, data: bytes, padding: int | None) -> None:
        """Send DATA of 5 bytes a frame, then look what is left of the window.

        Raises:
            ConnectionError: The connection was lost meanwhile.
        """
        await self.send_data(data, frame_bytes=5, padding=padding)
        await self.peer.heard()
        self.window_left = self.peer.state.local_flow_control_window(self.number)

    def end(self) -> None:
        """Send no more."""
        self.peer.state.end_stream(self.number)
        self.peer.flush()

    def reset(self, error_code: int) -> None:
        """Send RST_STREAM."""
        self.peer.state.reset_stream(self.number, error_code)
        self.peer.flush()


class Peer(asyncio.Protocol):
    """A connection whose frames h2 reads and writes; the other end must do nothing that h2 objects to."""

    def __init__(self, *, client: bool, settings: dict[int, int] | None = None) -> None:
        config = h2.config.H2Configuration(client_side=client, header_encoding="utf-8")
        self.state = h2.connection.H2Connection(config)
        self._settings = settings or {}
        self.streams: dict[int, Stream] = {}
        self.pings: list[bytes] = []
        """What was sent in PINGs."""
        self.acks: list[bytes] = []
        """What came back for them."""
        self.violations: list[str] = []
        """What the other end did against the rules."""
        self.lost = asyncio.Event()
        self._came = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    # asyncio.Protocol.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open: say SETTINGS."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass
        self.state.initiate_connection()
        if self._settings:
            self.state.update_settings(self._settings)
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Let h2 judge what came."""
        try:
            events = self.state.receive_data(data)
        except ProtocolError as error:
            self.violations.append(repr(error))
            events = []
        for event in events:
            self._on_event(event)
        self.flush()
        self._came.set()

    def connection_lost(self, error: Exception | None) -> None:
        """The socket is closed."""
        del error
        self.lost.set()
        self._came.set()
        for stream in self.streams.values():
            stream.ended.set()

    # What it does of itself.

    def ping(self) -> None:
        """Send a PING like no other of this connection."""
        self.pings.append(len(self.pings).to_bytes(8, "big"))
        self.state.ping(self.pings[-1])
        self.flush()

    async def heard(self) -> None:
        """Wait until the other end has read all that was sent, and we have read what it had to say to that.

        Raises:
            ConnectionError: The connection was lost.
        """
        self.ping()
        while len(self.acks) < len(self.pings):
            await self.something_came()

    def go_away(self, last_stream: int) -> None:
        """Send GOAWAY; h2 would end the whole connection with it."""
        assert self._transport is not None
        self._transport.write(GoAwayFrame(0, last_stream_id=last_stream).serialize())

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()

    def flush(self) -> None:
        """Write what h2 has to say."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(self.state.data_to_send())

    async def something_came(self) -> None:
        """Wait for the other end.

        Raises:
            ConnectionError: The connection was lost.
        """
        self._came.clear()
        if not self.lost.is_set():
            await self._came.wait()
        if self.lost.is_set():
            raise ConnectionError

    # What came.

    def _on_event(self, event: h2.events.Event) -> None:
        match event:
            case h2.events.RequestReceived() | h2.events.ResponseReceived() | h2.events.TrailersReceived():
                self._stream(event.stream_id).headers.append({str(name): str(value) for name, value in event.headers})
            case h2.events.DataReceived():
                self._stream(event.stream_id).received += event.data
                self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            case h2.events.StreamEnded():
                self._stream(event.stream_id).ended.set()
            case h2.events.StreamReset():
                self._stream(event.stream_id).reset_by_other = int(event.error_code)
                self._stream(event.stream_id).ended.set()
            case h2.events.PingAckReceived():
                self.acks.append(event.ping_data)

    def _stream(self, number: int) -> Stream:
        stream = self.streams.get(number)
        if stream is None:
            stream = self.streams[number] = Stream(self, number)
            self.on_stream(stream)
        return stream

    def on_stream(self, stream: Stream) -> None:
        """The other end opened a stream."""
