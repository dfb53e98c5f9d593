from pathlib import Path

import pytest

from tests.unit.tools.trees import found, write
from tools import excepts


def handler(catch: str, *body: str) -> str:
    return "\n".join(["try:", "    work()", catch, *(f"    {line}" for line in body), ""])


@pytest.mark.parametrize(
    ("catch", "body", "caught"),
    [
        ("except BaseException:", ["pass"], "BaseException"),
        ("except:", ["log()"], "everything"),
        ("except asyncio.CancelledError:", ["return"], "CancelledError"),
        ("except (ValueError, CancelledError) as error:", ["log(error)"], "CancelledError"),
        ("except BaseException as error:", ["raise Other() from error"], "BaseException"),
        ("except CancelledError:", ["def later():", "    raise"], "CancelledError"),
        ("except CancelledError:", ["try: clean()", "except OSError: raise"], "CancelledError"),
    ],
)
def test_keeping_a_cancellation_is_found(tmp_path: Path, catch: str, body: list[str], caught: str) -> None:
    write(tmp_path, {"src/a.py": handler(catch, *body)})
    assert found(excepts.find, tmp_path) == [f"src/a.py:3: {caught} is caught and not raised again"]


@pytest.mark.parametrize(
    ("catch", "body"),
    [
        ("except BaseException:", ["clean()", "raise"]),
        ("except CancelledError as error:", ["if ours: raise error"]),
        ("except Exception:", ["pass"]),
        ("except BaseException as error:  # kept: its caller raises it", ["future.set_exception(error)"]),
    ],
)
def test_raising_it_again_is_right_and_so_is_a_reason(tmp_path: Path, catch: str, body: list[str]) -> None:
    write(tmp_path, {"src/a.py": handler(catch, *body)})
    assert found(excepts.find, tmp_path) == []


def test_suppressing_a_cancellation_is_found(tmp_path: Path) -> None:
    write(tmp_path, {"src/a.py": "with contextlib.suppress(OSError, asyncio.CancelledError):\n    work()\n"})
    assert found(excepts.find, tmp_path) == ["src/a.py:1: CancelledError is caught and not raised again"]


def test_only_src_is_read(tmp_path: Path) -> None:
    write(tmp_path, {"tests/a.py": handler("except BaseException:", "pass")})
    assert found(excepts.find, tmp_path) == []
