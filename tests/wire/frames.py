"""Frames as text, so that a test reads as a transcript, and as bytes."""

from collections.abc import Iterable, Iterator

from hpack import Decoder, Encoder, HeaderTuple
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from penstock.testing import frame_codec, transcript

PREFACE = frame_codec.PREFACE
ERRORS = dict(enumerate(transcript.ERRORS))
SETTINGS = {number: name for name, number in transcript.SETTINGS.items()}


def message(payload: bytes, flag: int = 0) -> bytes:
    """One message with its prefix: u8 flag | u32 big-endian length | payload."""
    return bytes([flag]) + len(payload).to_bytes(4, "big") + payload


def head(frame: str, *pairs: str) -> str:
    """The line of a HEADERS frame."""
    return "\n  ".join([frame, *pairs])


class Peer:
    """What the other side of a connection knows: how to write frames and how to read them."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._decoder = Decoder()
        self._unread = b""

    # Frames as bytes.

    def settings(self, **values: int) -> bytes:
        """SETTINGS, its names in lower case."""
        numbers = {name.lower(): number for number, name in SETTINGS.items()}
        return self.settings_by_number({numbers[name]: value for name, value in values.items()})

    def settings_by_number(self, values: dict[int, int]) -> bytes:
        """SETTINGS, also those that have no name."""
        return SettingsFrame(0, values).serialize()

    def settings_ack(self) -> bytes:
        """The answer to SETTINGS."""
        frame = SettingsFrame(0)
        frame.flags.add("ACK")
        return frame.serialize()

    def headers(self, stream: int, headers: Iterable[tuple[str, str]], *, end: bool = False) -> bytes:
        """A whole header block in one frame; `end`: nothing follows."""
        frame = HeadersFrame(stream, self._encoder.encode([HeaderTuple(*_latin(pair)) for pair in headers]))
        frame.flags.add("END_HEADERS")
        if end:
            frame.flags.add("END_STREAM")
        return frame.serialize()

    def data(self, stream: int, data: bytes, *, end: bool = False, padding: int | None = None) -> bytes:
        """A DATA frame; with `padding`, so many bytes of it and one that counts them."""
        frame = DataFrame(stream, data)
        if padding is not None:
            frame.flags.add("PADDED")
            frame.pad_length = padding
        if end:
            frame.flags.add("END_STREAM")
        return frame.serialize()

    def reset(self, stream: int, error: int) -> bytes:
        """RST_STREAM."""
        return RstStreamFrame(stream, error).serialize()

    def window(self, stream: int, increment: int) -> bytes:
        """WINDOW_UPDATE; stream 0 is the connection."""
        return WindowUpdateFrame(stream, increment).serialize()

    def ping(self, data: bytes, *, ack: bool = False) -> bytes:
        """PING with 8 bytes."""
        frame = PingFrame(0, data)
        if ack:
            frame.flags.add("ACK")
        return frame.serialize()

    def go_away(self, last: int, error: int, text: bytes = b"") -> bytes:
        """GOAWAY."""
        return GoAwayFrame(0, last, error, text).serialize()

    # Frames as text.

    def read(self, data: bytes) -> list[str]:
        """Give each whole frame as one line; what is left waits for more."""
        self._unread += data
        return [self._line(frame) for frame in self._frames()]

    def _frames(self) -> Iterator[Frame]:
        self._unread = self._unread.removeprefix(PREFACE)
        while len(self._unread) >= frame_codec.HEAD_BYTES:
            frame, length = Frame.parse_frame_header(memoryview(self._unread[: frame_codec.HEAD_BYTES]))
            end = frame_codec.HEAD_BYTES + length
            if len(self._unread) < end:
                return
            frame.parse_body(memoryview(self._unread[frame_codec.HEAD_BYTES : end]))
            self._unread = self._unread[end:]
            yield frame

    def _line(self, frame: Frame) -> str:
        flags = "".join(f" {flag}" for flag in ("ACK", "END_STREAM") if flag in frame.flags)
        name = type(frame).__name__.removesuffix("Frame")
        stream = f" {frame.stream_id}" if frame.stream_id else ""
        return f"{name}{stream}{flags}{self._content(frame)}"

    def _content(self, frame: Frame) -> str:
        match frame:
            case SettingsFrame():
                return "".join(f" {SETTINGS[number]}={value}" for number, value in sorted(frame.settings.items()))
            case HeadersFrame():
                pairs = self._decoder.decode(frame.data, raw=True)
                return head("", *(f"{_text(pair[0])}: {_text(pair[1])}" for pair in pairs))
            case DataFrame():
                return f" {frame.data!r}" if len(frame.data) <= 32 else f" {len(frame.data)} bytes"
            case WindowUpdateFrame():
                return f" +{frame.window_increment}"
            case RstStreamFrame():
                return f" {ERRORS[frame.error_code]}"
            case PingFrame():
                return f" {frame.opaque_data!r}"
            case GoAwayFrame():
                text = f" {frame.additional_data!r}" if frame.additional_data else ""
                return f" last={frame.last_stream_id} {ERRORS[frame.error_code]}{text}"
        raise AssertionError(frame)


def _latin(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].encode("latin-1"), pair[1].encode("latin-1")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
