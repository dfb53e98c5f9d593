"""The image service of examples/: results in order whichever way, and a sentence for everything that goes wrong."""

import argparse
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from io import BytesIO, StringIO
from pathlib import Path

import pytest
from PIL import Image

import penstock.testing
from examples.image_service import command_line, folders, pictures, pieces, ways, workers
from examples.image_service.images_pb2 import Picture, Result
from examples.image_service.images_penstock import ImagesClient
from examples.image_service.progress import Progress
from examples.image_service.server import Images
from examples.image_service.ways import WAYS
from examples.image_service.work import MAX_PIXELS, Improved, NotAPictureError, improve
from examples.image_service.workers import Workers
from examples.tutorial.programs import PROJECT, Program
from penstock.codegen.generate import generate

WIDTHS = [600, 40, 320, 41, 42, 200]
"""So different that threads end them in another order than they came."""

every_way = pytest.mark.parametrize("way", WAYS)


def save(folder: Path, names: Iterable[str]) -> list[Path]:
    """Write a picture of each width; `LARGE` is one that no message of 4 MiB holds."""
    for number, width in enumerate(WIDTHS):
        pictures.photograph(width, width // 2, seed=number).save(folder / f"{number}.jpg")
    for name in names:
        (folder / name).write_bytes(SPECIAL[name])
    return folders.pictures_of(folder)


def large() -> bytes:
    """Give a picture of 6 MB, which is quick to make and to read."""
    written = BytesIO()
    Image.new("RGB", (2000, 1000), "teal").save(written, "BMP")
    return written.getvalue()


SPECIAL = {"7-large.bmp": large(), "8-text.txt": b"no picture", "9-cut.jpg": b""}


def widths(results: Sequence[ways.Improved]) -> list[int]:
    return [width(BytesIO(result.data)) for result in results if not result.problem]


def width(file: Path | BytesIO) -> int:
    with Image.open(file) as picture:
        return picture.width


@asynccontextmanager
async def connected(count: int) -> AsyncIterator[penstock.Channel]:
    """Give a channel to a server in this process."""
    with closing(Workers(count)) as workers:
        async with penstock.testing.connected(Images(workers)) as channel:
            yield channel


async def improved(way: str, paths: Sequence[Path], together: int = 3) -> list[ways.Improved]:
    """Have them improved by a server in this process."""
    async with connected(2) as channel:
        return [result async for result in WAYS[way](ImagesClient(channel), paths, together)]


@every_way
async def test_results_come_in_the_order_of_the_pictures(way: str, tmp_path: Path) -> None:
    paths = save(tmp_path, [])
    results = await improved(way, paths)
    assert [result.path for result in results] == paths
    assert widths(results) == WIDTHS
    assert all(result.image_seconds > 0 for result in results)


@every_way
async def test_what_is_no_picture_is_told_and_the_others_come(way: str, tmp_path: Path) -> None:
    paths = save(tmp_path, ["8-text.txt", "9-cut.jpg"])
    paths[-1].write_bytes(paths[0].read_bytes()[:-2000])
    text, cut = [result for result in await improved(way, paths) if result.problem]
    assert (text.path.name, text.problem) == ("8-text.txt", "not a picture in a format that Pillow knows")
    assert cut.path.name == "9-cut.jpg"
    assert cut.problem.startswith("a picture that cannot be read: ")


@every_way
async def test_large_picture_needs_a_stream(way: str, tmp_path: Path) -> None:
    paths = save(tmp_path, ["7-large.bmp"])
    results = await improved(way, paths)
    if way == "unary":
        assert "exceeds max_receive_message_bytes=4194304 (a stream takes large" in results[-1].problem
        assert widths(results) == WIDTHS
    else:
        assert widths(results) == [*WIDTHS, 1600]


async def test_no_more_pictures_are_taken_than_there_are_threads_and_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "improve", lambda data: Improved(data, 0))
    taken = 0

    async def endless() -> AsyncGenerator[tuple[bytes, None], None]:
        nonlocal taken
        while taken < 100:
            taken += 1
            yield b"%d" % taken, None

    given = 0
    with closing(Workers(3)) as three:
        async for outcome in three.in_order(endless()):
            given += 1
            assert outcome == Improved(b"%d" % given, 0)
            # One beyond is in the hand of who waits for room.
            assert taken <= given - 1 + (3 + 2) + 1
    assert given == 100


async def test_error_of_the_work_is_the_servers_own_and_ends_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> Improved:
        raise MemoryError(data)

    monkeypatch.setattr(workers, "improve", broken)
    async with (
        connected(1) as channel,
        ImagesClient(channel).improve_all() as stream,
    ):
        await stream.send(Picture(data=b"any"))
        with pytest.raises(penstock.RpcError, match="UNKNOWN: the handler raised an exception"):
            await stream.finish()


async def test_stream_that_ends_within_a_picture_is_refused() -> None:
    async with (
        connected(1) as channel,
        ImagesClient(channel).improve_all() as stream,
    ):
        await stream.send(Picture(data=b"half", more=True))
        with pytest.raises(penstock.RpcError, match="INVALID_ARGUMENT: the stream ended within a picture"):
            await stream.finish()


async def test_pieces_of_a_picture_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "MAX_PICTURE_BYTES", 1 << 20)

    async def messages(size: int) -> AsyncGenerator[Result, None]:
        for piece in (b"a" * (1 << 19), b"b" * (size - (1 << 19))):
            yield Result(data=piece, more=piece[0] == ord("a"))

    assert [len(data) async for data, _ in pieces.joined(messages(1 << 20))] == [1 << 20]
    with pytest.raises(pieces.PiecesError, match="at most 1 MiB"):
        _ = [data async for data, _ in pieces.joined(messages((1 << 20) + 1))]


@pytest.mark.parametrize(
    ("size", "ends"),
    [(0, [0]), (1, [1]), (pieces.PIECE_BYTES, [pieces.PIECE_BYTES]), (pieces.PIECE_BYTES + 1, [pieces.PIECE_BYTES, 1])],
)
def test_only_the_last_piece_says_that_there_is_no_more(size: int, ends: list[int]) -> None:
    cut = list(pieces.cut(bytes(size)))
    assert [len(data) for data, _ in cut] == ends
    assert [more for _, more in cut] == [True] * (len(ends) - 1) + [False]


def test_picture_with_too_many_pixels_is_not_unpacked() -> None:
    side = 8000
    written = BytesIO()
    Image.new("1", (side, MAX_PIXELS // side + 1)).save(written, "PNG")
    with pytest.raises(NotAPictureError, match=f"{side * (side + 1)} pixels; more than {MAX_PIXELS} are not"):
        improve(written.getvalue())


def test_bar_moves_on_a_terminal_and_is_a_line_for_each_tenth_elsewhere() -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    terminal, file = Terminal(), StringIO()
    for output in (terminal, file):
        with Progress(40, output) as progress:
            for _ in range(40):
                progress.step()
    assert terminal.getvalue().count("\r[") == 41
    assert terminal.getvalue().rpartition("\r")[2].startswith("[##############################] 40/40 pictures, ")
    assert [line.partition(" ")[0] for line in file.getvalue().splitlines()] == [
        f"{done}/40" for done in range(0, 41, 4)
    ]


def test_generated_code_is_fresh(tmp_path: Path) -> None:
    folder = PROJECT / "examples/image_service"
    written = generate([folder / "images.proto"], out=tmp_path, proto_paths=[folder])
    assert len(written.paths) == 3
    for path in written.paths:
        assert path.read_text() == (folder / path.name).read_text(), path.name


# The programs.


def start(module: str, *arguments: str) -> Program:
    return Program([sys.executable, "-m", f"examples.image_service.{module}", *arguments])


@pytest.fixture(params=["server", "grpcio_server", "grpcio_threads"])
def module(request: pytest.FixtureRequest) -> str:
    """Give each server."""
    name: str = request.param
    return name


@pytest.fixture
def address(module: str) -> Iterator[str]:
    """Run it."""
    with start(module, "--address", "127.0.0.1:0", "--workers", "2") as server:
        (line, *_) = server.wait_until(lambda lines: len(lines) > 0)
        yield line.removeprefix("listening on ")


def test_client_writes_the_results_and_names_what_was_no_picture(address: str, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    save(tmp_path / "in", ["7-large.bmp", "8-text.txt"])
    with start("client", str(tmp_path / "in"), "--out", str(tmp_path / "out"), "--address", address) as client:
        assert client.wait_for_end() == 1
    written = sorted((tmp_path / "out").iterdir())
    assert [path.name for path in written] == [*(f"{number}.jpg" for number in range(6)), "7-large.bmp.jpg"]
    assert [width(path) for path in written] == [*WIDTHS, 1600]
    assert [line.partition(" ")[0] for line in client.lines[:9]] == [f"{done}/8" for done in range(9)]
    problem, took = client.lines[9:]
    assert problem == f"{tmp_path}/in/8-text.txt: not a picture in a format that Pillow knows"
    assert took.startswith(f"7 pictures are in {tmp_path}/out: ")


def sentence(program: Program) -> str:
    """Give what a program says that cannot do its work."""
    with program:
        assert program.wait_for_end() == 1
    assert not [line for line in program.lines if "Traceback" in line]
    return "\n".join(program.lines)


def test_second_server_says_that_the_address_is_in_use(module: str, address: str) -> None:
    assert f"cannot listen on {address}" in sentence(start(module, "--address", address))


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5"])
def test_number_of_workers_is_at_least_one(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"at least 1, not '{text}'"):
        command_line.count(text)
    assert command_line.count("1") == 1


def test_client_says_that_nobody_answers(tmp_path: Path) -> None:
    save(tmp_path, [])
    said = sentence(start("client", str(tmp_path), "--out", str(tmp_path / "out"), "--address", "127.0.0.1:1"))
    assert "nobody answers at 127.0.0.1:1: " in said


def test_client_says_what_is_wrong_with_a_folder(tmp_path: Path) -> None:
    assert sentence(start("client", str(tmp_path / "absent"))) == f"{tmp_path}/absent is not a folder"
    assert sentence(start("client", str(tmp_path))) == f"there are no files in {tmp_path}"
    file = save(tmp_path, [])[0]
    said = sentence(start("client", str(tmp_path), "--out", str(file)))
    assert said == f"cannot make the folder {file}: File exists"


def test_server_without_pillow_says_what_to_install() -> None:
    code = "import sys; sys.modules['PIL'] = None; import examples.image_service.server"
    assert "works with Pillow, which this Python does not have" in sentence(Program([sys.executable, "-c", code]))
