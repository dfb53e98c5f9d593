"""The image service of examples/ with its client in Go; and its demo."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from examples.image_service import go_client, pictures
from examples.image_service.__main__ import PYTHON_CLIENT
from examples.image_service.comparison import SERVERS, Row, run, serving
from examples.tutorial.programs import Program
from tests.interop.programs import build_go, find_go

# Seconds; the first test that needs the Go program builds it, and with an empty cache grpc-go as well.
pytestmark = pytest.mark.timeout(300)

WIDTHS = [600, 40, 320, 41]
"""So different that threads end them in another order than they came."""

HOW = ["unary", "lockstep", "stream"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give a folder with pictures, one of them 6 MB, and a file that is none."""
    folder = tmp_path / "in"
    folder.mkdir()
    for number, width in enumerate(WIDTHS):
        pictures.photograph(width, width // 2, seed=number).save(folder / f"{number}.jpg")
    Image.new("RGB", (2000, 1000), "teal").save(folder / "large.bmp")
    (folder / "text.txt").write_text("no picture")
    return folder


@pytest.fixture(params=SERVERS)
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run a server, with two threads."""
    with serving(request.param, workers=2) as address:
        yield address


def go(*arguments: str) -> Program:
    return Program([str(build_go(go_client.MODULE) / "image_client"), *arguments])


@pytest.mark.parametrize("how", HOW)
def test_go_client_writes_each_result_under_the_name_of_its_picture(address: str, folder: Path, how: str) -> None:
    out = folder.parent / "out"
    with go("-address", address, "-how", how, "-together", "3", "-out", str(out), str(folder)) as client:
        assert client.wait_for_end(60) == 1
    found: dict[str, int] = {}
    for path in sorted(out.iterdir()):
        with Image.open(path) as picture:
            found[path.name] = picture.width
    expected = {f"{number}.jpg": width for number, width in enumerate(WIDTHS)}
    *problems, took = client.lines
    assert problems.pop() == f"{folder}/text.txt: not a picture in a format that Pillow knows"
    if how == "unary":
        (too_large,) = problems
        assert too_large.startswith(f"{folder}/large.bmp: ")
        assert too_large.endswith("(a stream takes large pictures in pieces)")
    else:
        assert problems == []
        expected["large.bmp.jpg"] = 1600
    assert found == expected
    assert took.startswith(f"{len(expected)} pictures are in {out}: ")


def test_go_client_says_what_is_wrong(folder: Path) -> None:
    (folder / "empty").mkdir()
    said = {
        "nobody answers at 127.0.0.1:1: ": go("-address", "127.0.0.1:1", "-json", str(folder)),
        f"{folder}/absent is not a folder": go(str(folder / "absent")),
        f"there are no files in {folder}/empty": go(str(folder / "empty")),
        f"cannot make the folder {folder}/0.jpg: ": go("-out", str(folder / "0.jpg"), str(folder)),
    }
    for sentence, client in said.items():
        with client:
            assert client.wait_for_end() == 1
        assert client.lines[0].startswith(sentence)


def test_client_in_python_may_stand_in_for_the_one_in_go(address: str, folder: Path) -> None:
    (folder / "text.txt").unlink()
    figures = run(PYTHON_CLIENT, address, folder, Row("", "stream"))
    assert 0 < figures.image_ms < 2 * figures.whole_ms


def test_demo_measures_every_way(tmp_path: Path) -> None:
    find_go("the client of the image service")
    path = tmp_path / "figures.json"
    command = [sys.executable, "-m", "examples.image_service", "--tiny", "--rounds", "1", "--json", str(path)]
    with Program(command) as demo:
        assert demo.wait_for_end(200) == 0, "\n".join(demo.lines)
    runs = json.loads(path.read_text())["runs"]
    rows = [(run["table"], run["server"], run["how"]) for run in runs]
    assert rows == [
        *(("tiny", server, how) for server in SERVERS for how in ("unary", "stream")),
        ("tiny", "Penstock", "lockstep"),
        *(("several at once", server, how) for server in SERVERS for how in ("unary", "stream")),
    ]
    assert all(0 < run["image_ms"] < run["whole_ms"] for run in runs if run["table"] == "tiny")
    assert sum("promised at most 0.3" in line for line in demo.lines) == 1
    assert sum(line.startswith("8 pictures are in ") for line in demo.lines) == 1
