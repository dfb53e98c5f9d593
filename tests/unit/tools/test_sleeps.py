from pathlib import Path

from tests.unit.tools.trees import places, write
from tools import sleeps


def test_sleeps_in_python_tests_are_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "tests/test_a.py": """\
                await asyncio.sleep(0.1)
                time.sleep(delay)
                sleep(1)
                text = "sleep(1)"
                await asyncio.sleep(0)
                """
        },
    )
    assert places(sleeps.find, tmp_path) == ["tests/test_a.py:1", "tests/test_a.py:2", "tests/test_a.py:3"]


def test_a_reason_excuses_a_sleep_and_no_reason_does_not(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "tests/test_a.py": """\
                sleep(1)  # real time: the kernel tells nobody
                sleep(
                    1,  # real time: as above
                )
                sleep(1)  # real time:
                sleep(1)  # manual time
                sleep(1)  # manual timer
                """
        },
    )
    assert places(sleeps.find, tmp_path) == ["tests/test_a.py:5", "tests/test_a.py:7"]


def test_sleeps_in_rust_tests_are_found(tmp_path: Path) -> None:
    rust = "thread::sleep(x);\nthread::sleep(x); // real time: a socket\n"
    write(tmp_path, {"engine/core/tests/a.rs": rust, "engine/core/src/a.rs": rust})
    assert places(sleeps.find, tmp_path) == ["engine/core/tests/a.rs:1"]


def test_other_code_may_sleep(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": "sleep(1)\n", "examples/b.py": "sleep(1)\n"})
    assert places(sleeps.find, tmp_path) == []
