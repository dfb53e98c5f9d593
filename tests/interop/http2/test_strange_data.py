"""Does our server take requests in DATA of the shapes that the negative cases send to a client?"""

import pytest

import penstock
from tests.interop.http2.negative.hostile_client import connected
from tests.interop.http2.negative.large_unary import METHOD, REQUEST, RESPONSE, framed

pytestmark = pytest.mark.loops


async def answer(stream: penstock.ServerStream[bytes, bytes]) -> None:
    """Answer the one call of these tests."""
    assert stream.method == METHOD.path
    assert [message async for message in stream] == [REQUEST]
    await stream.send(RESPONSE)


@pytest.mark.parametrize("window_bytes", [penstock.Limits().stream_window_bytes, 64 * 1024])
@pytest.mark.parametrize("padding", [255, 0, None])
async def test_a_request_in_small_frames_is_served_and_padding_counts(padding: int | None, window_bytes: int) -> None:
    server = penstock.Server([], limits=penstock.Limits(stream_window_bytes=window_bytes), fallback=answer)
    async with server.listening("127.0.0.1:0") as address, connected(address) as client:
        stream = await client.call(padding)
        assert stream.reset_by_other is None
        assert bytes(stream.received) == framed(RESPONSE)
        assert stream.headers[-1]["grpc-status"] == "0"
        # A byte too little or too much for each frame would come to 54 KiB.
        assert window_bytes // 4 < stream.window_left <= window_bytes
        assert client.violations == []
