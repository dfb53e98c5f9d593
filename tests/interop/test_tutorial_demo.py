"""The demo shows both sides of each scene, and fails when a text is missing."""

from dataclasses import replace

import pytest

from examples.tutorial.demo import SCENES, missing, play
from examples.tutorial.programs import free_address, run_module

pytestmark = pytest.mark.timeout(60)  # eight processes, and three times a second of lines


def test_demo_plays_every_scene() -> None:
    with run_module("demo", "--free-ports") as demo:
        assert demo.wait_for_end(timeout_seconds=50) == 0
    assert [line for line in demo.lines if line.startswith("!!!")] == []
    assert demo.lines[-1] == "4 of 4 scenes printed what they must."
    assert demo.lines.count('data:"count:19 client data: 1"') == 1
    assert demo.lines.count('data:" client data: 19"') == 2
    assert demo.lines.count('data:"All Stream From Client"') == 20


def test_scene_without_its_text_fails(capsys: pytest.CaptureFixture[str]) -> None:
    scene = replace(SCENES[0], client_prints=["a line that no program prints"])
    assert not play(scene, free_address())
    assert "!!! the client has not printed, in its place: a line that no program prints" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [([], None), (["a", "c"], None), (["a", "b.*"], None), (["c", "a"], "a"), (["a", "a"], "a"), (["bb", "x"], "x")],
)
def test_missing_names_the_first_pattern_without_a_line_in_order(patterns: list[str], expected: str | None) -> None:
    assert missing(patterns, ["a", "bb", "c"]) == expected
