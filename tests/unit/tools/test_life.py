import shutil
from pathlib import Path

import pytest

from tests.unit.tools.trees import found
from tools import life

PROJECT = Path(__file__).parents[3]
EMPTY = f"# Ends\n{life.BEGIN}\n{life.END}\nMore.\n"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the two files, and a page that has nothing drawn."""
    for path in (life.ENDS, life.LIFE):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / path, tmp_path / path)
    (tmp_path / life.PAGE).parent.mkdir()
    (tmp_path / life.PAGE).write_text(EMPTY, "utf-8")
    return tmp_path


def test_a_page_that_is_out_of_date_is_found_until_it_is_drawn(repository: Path) -> None:
    assert found(life.find, repository) == ["docs/ends.md:2: is out of date: python -m tools.life"]
    life.draw(repository)
    assert found(life.find, repository) == []


def test_what_stands_around_the_drawing_stays(repository: Path) -> None:
    life.draw(repository)
    text = (repository / life.PAGE).read_text("utf-8")
    assert text.startswith(f"# Ends\n{life.BEGIN}\n")
    assert text.endswith(f"\n{life.END}\nMore.\n")


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (life.LIFE, "OPEN.leads(half_close=HALF_CLOSED, end=ENDED)", "OPEN.leads(end=ENDED)"),
        (life.LIFE, '"""Its handler gets a task."""', '"""Its handler begins."""'),
        (life.ENDS, '"left", logging.DEBUG', '"left", logging.INFO'),
        (life.ENDS, '"""The channel was closed."""', '"""It was closed."""'),
    ],
)
def test_a_change_makes_the_page_out_of_date(repository: Path, path: Path, before: str, after: str) -> None:
    life.draw(repository)
    text = (repository / path).read_text("utf-8")
    assert before in text
    (repository / path).write_text(text.replace(before, after), "utf-8")
    assert found(life.find, repository) == ["docs/ends.md:2: is out of date: python -m tools.life"]


@pytest.mark.parametrize("text", [None, "# Ends\n", f"{life.BEGIN}\n", f"{life.END}\n"])
def test_a_page_without_room_for_the_drawing_is_found(repository: Path, text: str | None) -> None:
    page = repository / life.PAGE
    page.unlink()
    if text is not None:
        page.write_text(text, "utf-8")
    assert found(life.find, repository) == [
        f"docs/ends.md:1: lacks a line {life.BEGIN!r}, and behind it one {life.END!r}"
    ]


def test_a_repository_without_calls_needs_no_page(tmp_path: Path) -> None:
    assert found(life.find, tmp_path) == []


def test_every_state_end_and_event_is_drawn(repository: Path) -> None:
    text = "\n".join(life.drawn(repository))
    for part in (
        "| `LEFT` | This side had enough: it left the block or the loop, or called `cancel()`. | DEBUG |",
        "    open --> half_closed: half close",
        "| half-closed | this side has sent all it will; the server may go on | end → ended |",
        "| released | nothing is kept for it | the end |",
        "| detach | The handler has ignored that for too long. |",
    ):
        assert part in text
