"""Do the clients of the token streams count each token once, however its bytes are cut?"""

import asyncio

import pytest

from benchmarks.tokens.clients.crowd import ACK, DATA, PING, SETTINGS, SETTINGS_ACK, Crowd, frame, message
from benchmarks.tokens.clients.reader import Reader
from benchmarks.tokens.load import EVENT, FRAME, PIECE
from benchmarks.work import WrongWork


class Written(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.data = b""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data


TOKENS = b"".join(frame(DATA, 0, stream, message(PIECE)) for stream in (1, 3, 5))
READ = frame(SETTINGS, 0, 0, b"") + TOKENS + frame(PING, 0, 0, b"12345678") + TOKENS + frame(PING, 0, 0, b"abcdefgh")
PONGS = frame(PING, ACK, 0, b"12345678") + frame(PING, ACK, 0, b"abcdefgh")


@pytest.mark.parametrize("cut", range(1, len(READ)))
async def test_a_crowd_counts_messages_and_answers_pings_wherever_they_are_cut(cut: int) -> None:
    counts: list[int] = []
    crowd, written = Crowd("localhost:1", 3, counts.append), Written()
    crowd.connection_made(written)
    said = len(written.data)
    crowd.data_received(READ[:cut])
    crowd.data_received(READ[cut:])
    assert sum(counts) == 6
    answers = written.data[said:]
    assert answers.count(SETTINGS_ACK) == 1
    assert answers.endswith(PONGS)
    assert answers.count(frame(PING, ACK, 0, b"")[3:5]) == 2


async def test_a_crowd_makes_its_calls_once_the_settings_came() -> None:
    crowd, written = Crowd("localhost:1", 3, lambda _count: None), Written()
    crowd.connection_made(written)
    assert written.data.startswith(b"PRI * HTTP/2.0")
    assert b"Generate" not in written.data
    crowd.data_received(frame(SETTINGS, 0, 0, b""))
    crowd.data_received(TOKENS)
    assert written.data.count(b"/penstock.examples.tokens.Model/Generate") == 3


@pytest.mark.parametrize("mark", [EVENT, FRAME])
@pytest.mark.parametrize("size", [1, 2, 7, 40, 1000])
async def test_a_reader_counts_marks_wherever_they_are_cut(mark: bytes, size: int) -> None:
    counts: list[int] = []
    reader, data = Reader(b"", mark, counts.append), b"head" + (mark + b"27\r\n") * 5 + mark * 5
    for start in range(0, len(data), size):
        reader.data_received(data[start : start + size])
    assert sum(counts) == 10


async def test_a_connection_that_ends_by_itself_is_an_error() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises((WrongWork, ConnectionError)):
            await Reader(b"hello", b"mark", lambda _count: None).read(f"127.0.0.1:{port}")
