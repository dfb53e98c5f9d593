"""The steps of a sync handler, and what becomes of the replies."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest

from penstock import Call, Compression, Kind, Limits, Method, RpcError, ServerStream, Service, StatusCode, _steps
from tests.unit.memory import MemoryChannel, connected, equipment, settle
from tests.unit.test_handlers import PATHS, called, served, status_of

BOUND_SECONDS = 10.0
KIB = bytes(1024)


class Jobs:
    """Counts the jobs of a server."""

    def __init__(self, channel: MemoryChannel) -> None:
        self.count = 0
        pool = equipment(channel.server).pool
        start = pool.start

        def counted(*arguments: Any, **options: Any) -> None:
            self.count += 1
            start(*arguments, **options)

        pool.start = counted  # type: ignore[method-assign]  # it goes on to the method


def counting(count: int, size: int = 1) -> Any:
    def replies(request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        del request
        for number in range(count):
            yield bytes([number]) * size

    return replies


async def jobs_for(handler: Any, expected: int, **limits: int) -> int:
    """Call it, take all replies, and give how many jobs there were for them."""
    options = {"server_limits": Limits(**limits)} if limits else {}
    async with connected(served(Kind.SERVER_STREAM, handler), **options) as channel:  # type: ignore[arg-type]  # see Limits
        jobs = Jobs(channel)
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            replies = [reply async for reply in stream]
    assert [reply[0] for reply in replies] == list(range(expected))
    return jobs.count


async def test_steps_that_are_quick_share_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 3600.0)
    assert await jobs_for(counting(100), 100) == 1


async def test_steps_that_are_slow_have_a_job_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 0.0)
    assert await jobs_for(counting(10), 10) == 11


async def test_a_job_ends_when_there_is_no_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 3600.0)
    # Two fill the buffer at most, and the last job finds the end.
    assert 6 <= await jobs_for(counting(10, 1000), 10, send_buffer_bytes=2000) <= 11
    assert await jobs_for(counting(10, 5000), 10, send_buffer_bytes=2000) == 11


async def test_a_reply_does_not_wait_for_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 3600.0)
    go_on = threading.Event()

    def replies(request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        yield request
        assert go_on.wait(BOUND_SECONDS)
        yield request

    async with (
        connected(served(Kind.SERVER_STREAM, replies)) as channel,
        channel.stream(PATHS[Kind.SERVER_STREAM]) as stream,
    ):
        await stream.send(b"q")
        await stream.end_sending()
        assert await asyncio.wait_for(stream.receive(), BOUND_SECONDS) == b"q"
        go_on.set()
        assert [reply async for reply in stream] == [b"q"]


async def test_what_was_made_before_a_failure_is_sent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 3600.0)

    def replies(request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        yield from [request] * 5
        raise RpcError(StatusCode.DATA_LOSS, "disk")

    answer, stream = await called(Kind.SERVER_STREAM, replies, b"q")
    assert (answer, status_of(stream)) == ([b"q"] * 5, (StatusCode.DATA_LOSS, "disk"))
    caplog.clear()


async def test_what_is_compressed_is_sent_like_everything_else() -> None:
    def replies(_request: bytes, stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        stream.set_compression(Compression.GZIP)
        yield from [KIB] * 5

    answer, _stream = await called(Kind.SERVER_STREAM, replies, b"q")
    assert answer == [KIB] * 5


def watching(told: list[bytes], raise_at: int | None = None) -> Any:
    """Give an interceptor that sees the replies."""

    @asynccontextmanager
    async def watch(call: Call) -> AsyncIterator[None]:
        def watcher(message: Any) -> None:
            assert threading.current_thread() is threading.main_thread()
            if len(told) == raise_at:
                raise LookupError("watcher")
            told.append(message)

        call.on_send(watcher)
        yield

    return watch


@pytest.mark.parametrize("room_bytes", [1, 100_000])
async def test_who_watches_sees_each_reply_once_and_in_the_loop(room_bytes: int) -> None:
    told: list[bytes] = []
    limits = Limits(send_buffer_bytes=room_bytes)
    service = served(Kind.SERVER_STREAM, counting(50))
    async with connected(service, interceptors=[watching(told)], server_limits=limits) as channel:
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            assert [reply async for reply in stream] == [bytes([number]) for number in range(50)]
    assert told == [bytes([number]) for number in range(50)]


async def test_a_watcher_that_raises_fails_the_call_and_closes_the_generator(caplog: pytest.LogCaptureFixture) -> None:
    told: list[bytes] = []
    closed = threading.Event()

    def replies(_request: bytes, _stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        try:
            while True:
                yield b"r"
        finally:
            closed.set()

    service = served(Kind.SERVER_STREAM, replies)
    async with connected(service, interceptors=[watching(told, raise_at=3)]) as channel:
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            with pytest.raises(RpcError, match="UNKNOWN"):
                async for _ in stream:
                    pass
        await settle()
    assert closed.is_set()
    assert "LookupError: watcher" in caplog.text
    caplog.clear()


async def test_a_thread_stops_making_replies_when_the_call_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_steps, "SLICE_SECONDS", 3600.0)
    ended = threading.Event()

    def replies(_request: bytes, stream: ServerStream[bytes, bytes]) -> Iterator[bytes]:
        try:
            yield b"first"
            while stream.status is None:
                pass
            while True:
                yield b""
        finally:
            ended.set()

    async with connected(served(Kind.SERVER_STREAM, replies)) as channel:
        async with channel.stream(PATHS[Kind.SERVER_STREAM]) as stream:
            await stream.send(b"q")
            await stream.end_sending()
            await stream.receive()
        await asyncio.to_thread(ended.wait, BOUND_SECONDS)
        assert ended.is_set()


class Reversing:
    """A codec in Python: bytes backwards; `!` it makes into no bytes."""

    def encoder(self, message_type: type[Any]) -> Any:
        del message_type
        return lambda message: "no bytes" if message == b"!" else message[::-1]

    def decoder(self, message_type: type[Any]) -> None:
        del message_type


@pytest.mark.parametrize(
    ("reply", "compression", "expected"),
    [
        (b"abc", None, b"cba"),
        (b"abc" * 1000, Compression.GZIP, b"cba" * 1000),
        ("abc", None, (StatusCode.UNKNOWN, "the handler raised an exception")),
        (b"!", None, (StatusCode.UNKNOWN, "the handler raised an exception")),
    ],
)
async def test_a_codec_in_python_encodes_with_no_frame_of_the_engine_below(
    reply: object, compression: Compression | None, expected: object, caplog: pytest.LogCaptureFixture
) -> None:
    method = Method("/p.S/Reversed", Kind.SERVER_STREAM, bytes, bytes, Reversing())

    class Reversed(Service):
        METHODS: ClassVar[Mapping[str, Method[Any, Any]]] = {"reversed": method}

        def reversed(self, request: bytes, stream: ServerStream[bytes, bytes]) -> Iterator[object]:
            del request
            stream.set_compression(compression)
            yield reply

    async with connected(Reversed()) as channel, channel.stream(method.path) as stream:
        await stream.send(b"q")
        await stream.end_sending()
        try:
            assert await stream.receive() == expected
        except RpcError:
            assert status_of(stream) == expected
            assert ("this call sends bytes, not str" in caplog.text) is isinstance(reply, str)
            caplog.clear()
