"""What the hostile server does in each of the eight cases. Their names are grpc's."""

from dataclasses import dataclass, field

from h2.errors import ErrorCodes
from h2.settings import SettingCodes

from tests.interop.http2.negative.hostile_server import Answer, request
from tests.interop.http2.negative.large_unary import RESPONSE, framed
from tests.interop.http2.negative.peer import Stream

HEADERS = [(":status", "200"), ("content-type", "application/grpc")]
TRAILERS = [("grpc-status", "0")]
REPLY = framed(RESPONSE)


@dataclass(frozen=True)
class Case:
    """One of the eight."""

    answer: Answer
    settings: dict[int, int] = field(default_factory=dict)


async def well(stream: Stream) -> None:
    """Answer as any server would."""
    await request(stream)
    stream.send_headers(HEADERS)
    await stream.send_data(REPLY)
    stream.send_headers(TRAILERS, end=True)


async def goaway(stream: Stream) -> None:
    """Take no more calls on this connection, then answer this one."""
    await request(stream)
    stream.peer.go_away(stream.number)
    await well(stream)


async def rst_after_header(stream: Stream) -> None:
    """Reset the stream where the message should come."""
    await request(stream)
    stream.send_headers(HEADERS)
    stream.reset(ErrorCodes.NO_ERROR)


async def rst_during_data(stream: Stream) -> None:
    """Reset the stream in the middle of the message."""
    await request(stream)
    stream.send_headers(HEADERS)
    await stream.send_data(REPLY[: len(REPLY) // 2])
    stream.reset(ErrorCodes.NO_ERROR)


async def rst_after_data(stream: Stream) -> None:
    """Reset the stream where the trailers should come: the message is whole, its status never comes."""
    await request(stream)
    stream.send_headers(HEADERS)
    await stream.send_data(REPLY)
    stream.reset(ErrorCodes.NO_ERROR)


async def ping(stream: Stream) -> None:
    """Send PINGs before and after everything."""
    await request(stream)
    stream.peer.ping()
    stream.send_headers(HEADERS)
    stream.peer.ping()
    for at in range(0, len(REPLY), 16384):
        await stream.send_data(REPLY[at : at + 16384])
        stream.peer.ping()
    stream.send_headers(TRAILERS, end=True)
    stream.peer.ping()


async def data_frame_padding(stream: Stream) -> None:
    """Send 5 bytes a frame, and 255 bytes of padding: 16 MB that count for flow control."""
    await request(stream)
    stream.send_headers(HEADERS)
    await stream.send_small_data(REPLY, padding=255)
    stream.send_headers(TRAILERS, end=True)


async def no_df_padding_sanity_test(stream: Stream) -> None:
    """Send 5 bytes a frame: 62,834 frames."""
    await request(stream)
    stream.send_headers(HEADERS)
    await stream.send_small_data(REPLY, padding=None)
    stream.send_headers(TRAILERS, end=True)


CASES = {
    "goaway": Case(goaway),
    "rst_after_header": Case(rst_after_header),
    "rst_during_data": Case(rst_during_data),
    "rst_after_data": Case(rst_after_data),
    "ping": Case(ping),
    "max_streams": Case(well, {SettingCodes.MAX_CONCURRENT_STREAMS: 1}),
    "data_frame_padding": Case(data_frame_padding),
    "no_df_padding_sanity_test": Case(no_df_padding_sanity_test),
}
