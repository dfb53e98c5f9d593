"""Lines of a transcript to bytes, and back: what one side of an HTTP/2 connection knows."""

from __future__ import annotations

from collections.abc import Iterator

from hpack import Decoder, Encoder, HeaderTuple
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from penstock.testing.transcript import FLAGS, SETTINGS, SHORT_BYTES, Line, error_name, error_number

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEAD_BYTES = 9
MESSAGE_HEAD_BYTES = 5
SETTING_NAMES = {number: name for name, number in SETTINGS.items()}


class FrameCodec:
    """Writes and reads the frames of one connection.

    Args:
        is_client: What it writes begins with the preface; what it reads does not.
    """

    def __init__(self, *, is_client: bool) -> None:
        self._preface_to_write = PREFACE if is_client else b""
        self._preface_to_read = b"" if is_client else PREFACE
        self._encoder = Encoder()
        self._decoder = Decoder()
        # What a peer may send is what the test is about, not what we think is sensible.
        self._decoder.max_header_list_size = 2**31
        self._unread = b""
        self._block: HeadersFrame | None = None

    def write(self, line: Line) -> bytes:
        """Give the bytes of a line that a script says.

        Raises:
            UsageError: A field is missing, or has another form.
        """
        preface, self._preface_to_write = self._preface_to_write, b""
        if line.kind == "RAW":
            return preface + bytes.fromhex(line.value("bytes"))
        frame = self._frame(line)
        frame.flags |= line.flags
        return preface + frame.serialize()

    def read(self, data: bytes) -> Iterator[Line]:
        """Give a line for each frame that is whole; what is left waits for more."""
        self._unread += data
        if self._preface_to_read:
            if len(self._unread) < len(PREFACE):
                return
            self._unread = self._unread.removeprefix(PREFACE)
            self._preface_to_read = b""
        while len(self._unread) >= HEAD_BYTES:
            frame, length = Frame.parse_frame_header(memoryview(self._unread[:HEAD_BYTES]), strict=False)
            end = HEAD_BYTES + length
            if len(self._unread) < end:
                return
            body, self._unread = self._unread[HEAD_BYTES:end], self._unread[end:]
            frame.parse_body(memoryview(body))
            line = self._line(frame)
            if line is not None:
                yield line

    def _frame(self, line: Line) -> Frame:
        match line.kind:
            case "HEADERS":
                pairs = [HeaderTuple(_latin(name), _latin(value)) for name, value in line.fields]
                frame = HeadersFrame(line.stream, self._encoder.encode(pairs))
                frame.flags.add("END_HEADERS")
                return frame
            case "DATA":
                return DataFrame(line.stream, _payload(line))
            case "RST_STREAM":
                return RstStreamFrame(line.stream, error_number(line.value("error")))
            case "WINDOW_UPDATE":
                return WindowUpdateFrame(line.stream, int(line.value("increment")))
            case "SETTINGS":
                return SettingsFrame(0, {SETTINGS[name]: int(value) for name, value in line.fields})
            case "PING":
                return PingFrame(0, bytes.fromhex(line.value("data", "00" * 8)))
            case "GOAWAY":
                text = line.value("text", "").encode()
                return GoAwayFrame(0, int(line.value("last", "0")), error_number(line.value("error")), text)
        raise AssertionError(line)

    def _line(self, frame: Frame) -> Line | None:
        if isinstance(frame, HeadersFrame | ContinuationFrame):
            return self._headers(frame)
        flags = frozenset(flag for flag in FLAGS if flag in frame.flags)
        kind, fields = _fields(frame)
        unshown = _ways_to_say(frame.data) if isinstance(frame, DataFrame) else ()
        return Line(kind, frame.stream_id, flags, fields, unshown)

    def _headers(self, frame: HeadersFrame | ContinuationFrame) -> Line | None:
        """Put a block together that comes in several frames."""
        if self._block is not None:
            self._block.data += frame.data
        elif isinstance(frame, HeadersFrame):
            self._block = frame
        if "END_HEADERS" not in frame.flags or self._block is None:
            return None
        block, self._block = self._block, None
        pairs = self._decoder.decode(block.data, raw=True)
        flags = frozenset(flag for flag in FLAGS if flag in block.flags)
        return Line("HEADERS", block.stream_id, flags, tuple((_text(name), _text(value)) for name, value, *_ in pairs))


def _fields(frame: Frame) -> tuple[str, tuple[tuple[str, str], ...]]:
    match frame:
        case DataFrame():
            return "DATA", _ways_to_say(frame.data)[:1]
        case RstStreamFrame():
            return "RST_STREAM", (("error", error_name(frame.error_code)),)
        case WindowUpdateFrame():
            return "WINDOW_UPDATE", (("increment", str(frame.window_increment)),)
        case SettingsFrame():
            names = ((SETTING_NAMES.get(number, str(number)), value) for number, value in frame.settings.items())
            return "SETTINGS", tuple((name, str(value)) for name, value in names)
        case PingFrame():
            return "PING", (("data", frame.opaque_data.hex()),)
        case GoAwayFrame():
            text = (("text", frame.additional_data.decode("utf-8", "replace")),) if frame.additional_data else ()
            return "GOAWAY", (("last", str(frame.last_stream_id)), ("error", error_name(frame.error_code)), *text)
    return "RAW", (("bytes", frame.serialize().hex()),)


def _payload(line: Line) -> bytes:
    """The payload of a DATA frame, in the way the line says it."""
    for name, value in line.fields:
        match name:
            case "message":
                message = bytes.fromhex(value)
                return b"\0" + len(message).to_bytes(4) + message
            case "bytes":
                return bytes.fromhex(value)
            case "length":
                return bytes(int(value))
    return b""


def _ways_to_say(data: bytes) -> tuple[tuple[str, str], ...]:
    """A payload as a message, as bytes, by its length; those of them that fit, the best to read first."""
    ways = [("bytes", data.hex()), ("length", str(len(data)))]
    head, message = data[:MESSAGE_HEAD_BYTES], data[MESSAGE_HEAD_BYTES:]
    if head == b"\0" + len(message).to_bytes(4):
        ways.insert(0, ("message", message.hex()))
    if len(data) > SHORT_BYTES:
        ways.reverse()
    return tuple(ways)


def _latin(text: str) -> bytes:
    return text.encode("latin-1")


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")
