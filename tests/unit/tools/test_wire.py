from pathlib import Path

from tests.unit.tools.trees import found, write
from tools import wire

LIST = """\
    # Lines

    - **W1** Something holds. Tests: `tests/wire/test_a.py`,
      `engine/core/src/a.rs`
    - **W2** Something else does.

    - W3 Later.
    """
PYTHON = '@pytest.mark.wire("W1")\ndef test_a() -> None: ...\n'
RUST = "#[cfg(test)]\nmod tests {\n    // W1\n    #[test]\n    fn a() {}\n}\n"


def test_a_promise_without_a_test_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"docs/wire.md": LIST, "tests/wire/test_a.py": PYTHON, "engine/core/src/a.rs": RUST})
    assert found(wire.find, tmp_path) == ["docs/wire.md:5: W2 is promised, and no test names it"]


def test_a_test_may_name_several_lines_and_those_not_promised_yet(tmp_path: Path) -> None:
    text = LIST.replace("does.", "does. Tests: `tests/wire/test_a.py`").replace("Later.", "`tests/wire/test_a.py`")
    several = PYTHON.replace('"W1"', '"W1", "W2", "W3"')
    write(tmp_path, {"docs/wire.md": text, "tests/wire/test_a.py": several, "engine/core/src/a.rs": RUST})
    assert found(wire.find, tmp_path) == []


def test_a_test_of_an_unknown_line_is_found(tmp_path: Path) -> None:
    rust = RUST.replace("W1", "W1, W8")
    python = PYTHON + '@pytest.mark.wire("W9")\ndef test_b() -> None: ...\n'
    text = LIST.replace("- **W2** Something else does.\n", "")
    write(tmp_path, {"docs/wire.md": text, "tests/wire/test_a.py": python, "engine/core/src/a.rs": rust})
    assert found(wire.find, tmp_path) == [
        "tests/wire/test_a.py:3: W9 is no line of docs/wire.md",
        "engine/core/src/a.rs:3: W8 is no line of docs/wire.md",
    ]


def test_an_entry_names_the_files_of_its_tests_and_no_others(tmp_path: Path) -> None:
    text = LIST.replace("test_a.py", "test_gone.py").replace("else does.", "else does. `tests/wire/test_a.py`")
    python = PYTHON.replace('"W1"', '"W1", "W2"')
    write(tmp_path, {"docs/wire.md": text, "tests/wire/test_a.py": python, "engine/core/src/a.rs": RUST})
    assert found(wire.find, tmp_path) == [
        "docs/wire.md:3: W1 has a test in tests/wire/test_a.py that its entry does not name",
        "docs/wire.md:3: W1 names tests/wire/test_gone.py, where no test names it",
    ]


def test_a_comment_that_is_not_above_a_test_says_nothing(tmp_path: Path) -> None:
    rust = "// W9\nfn helper() {}\n// as W9 says\n#[test]\nfn a() {}\n"
    write(tmp_path, {"engine/core/tests/a.rs": rust, "tests/test_a.py": '# pytest.mark.wire("W9")\n'})
    assert found(wire.find, tmp_path) == []


def test_the_lines_of_the_list_have_all_numbers_from_1() -> None:
    root = Path(__file__).parents[3]
    numbers = sorted(int(name[1:]) for name in wire.read_list(root))
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 49
