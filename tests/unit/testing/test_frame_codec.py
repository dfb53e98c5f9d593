"""Are lines written as frames, and frames read as the same lines?"""

import pytest
from hyperframe.frame import ContinuationFrame, HeadersFrame

from penstock import UsageError
from penstock.testing.frame_codec import PREFACE, FrameCodec
from penstock.testing.transcript import Line, steps_of


def line(text: str) -> Line:
    return steps_of(f"> {text}")[0].line


LINES = [
    "HEADERS 1 :method=POST :path=/a.B/C te=trailers",
    "HEADERS 1 END_STREAM grpc-status=0 'grpc-message=no room'",
    "DATA 1",
    "DATA 1 END_STREAM message=0a026869",
    "DATA 1 bytes=00ff",
    "DATA 1 length=1000",
    "RST_STREAM 3 CANCEL",
    "RST_STREAM 3 1000",
    "WINDOW_UPDATE 0 increment=1000",
    "SETTINGS INITIAL_WINDOW_SIZE=0 MAX_FRAME_SIZE=16384",
    "SETTINGS ACK",
    "PING data=0000000000000001",
    "PING ACK data=ffffffffffffffff",
    "GOAWAY last=5 NO_ERROR",
    "GOAWAY last=5 ENHANCE_YOUR_CALM text=too_many_pings",
]


@pytest.mark.parametrize("step", [1, 7, 10_000])
@pytest.mark.parametrize("is_client", [False, True])
def test_what_is_written_is_read_as_it_was_said(is_client: bool, step: int) -> None:
    writer, reader = FrameCodec(is_client=is_client), FrameCodec(is_client=not is_client)
    data = b"".join(writer.write(line(text)) for text in LINES)
    assert data.startswith(PREFACE) is is_client
    read = [str(seen) for at in range(0, len(data), step) for seen in reader.read(data[at : at + step])]
    assert read == [LINES[0], LINES[1], "DATA 1 bytes=", *LINES[3:]]


def test_a_message_is_bytes_and_a_length_as_well() -> None:
    (seen,) = FrameCodec(is_client=True).read(FrameCodec(is_client=False).write(line("DATA 1 message=0a")))
    assert seen.fields == (("message", "0a"),)
    assert seen.unshown == (("message", "0a"), ("bytes", "00000000010a"), ("length", "6"))


def test_headers_in_several_frames_are_one_line() -> None:
    (whole,) = (FrameCodec(is_client=False).write(line("HEADERS 1 END_STREAM :status=200 a=b")),)
    block = whole[9:]
    first, second = HeadersFrame(1, block[:2]), ContinuationFrame(1, block[2:])
    first.flags.add("END_STREAM")
    second.flags.add("END_HEADERS")
    seen = list(FrameCodec(is_client=True).read(first.serialize() + second.serialize()))
    assert list(map(str, seen)) == ["HEADERS 1 END_STREAM :status=200 a=b"]


def test_a_frame_nobody_knows_is_shown_whole() -> None:
    data = bytes.fromhex("000002 fa 00 00000001 0102")
    (seen,) = FrameCodec(is_client=True).read(FrameCodec(is_client=False).write(line(f"RAW {data.hex()}")))
    assert seen.kind == "RAW"
    assert ("bytes", data.hex()) in seen.fields


@pytest.mark.parametrize("text", ["RST_STREAM 1", "WINDOW_UPDATE 1", "RAW"])
def test_what_a_frame_needs_and_lacks_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="needs"):
        FrameCodec(is_client=False).write(line(text))
