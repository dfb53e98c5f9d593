from pathlib import Path

import pytest

from tests.unit.tools.trees import found, write
from tools import units


@pytest.mark.parametrize("name", ["idle_timeout", "interval", "window_size", "queue_limit"])
def test_a_parameter_without_unit_is_found(tmp_path: Path, name: str) -> None:
    write(tmp_path, {"src/a.py": f"class A:\n    async def f(self, *, {name}: int) -> None: ...\n"})
    assert found(units.find, tmp_path) == [
        f"src/a.py:2: {name} has no unit in its name (_seconds, _bytes, _messages, ...)"
    ]


@pytest.mark.parametrize(
    "head", ["@dataclass\nclass A:", "@dataclasses.dataclass(frozen=True)\nclass A:", "class A(NamedTuple):"]
)
@pytest.mark.parametrize("name", ["timeout", "window_size"])
def test_a_field_without_unit_is_found(tmp_path: Path, head: str, name: str) -> None:
    write(tmp_path, {"src/a.py": f"{head}\n    {name}: int\n"})
    assert len(found(units.find, tmp_path)) == 1


@pytest.mark.parametrize(
    "text",
    [
        "def f(timeout: float | None = None) -> None: ...",
        "def f(timeout_seconds: float, window_bytes: int, resize: bool, unlimited: bool) -> None: ...",
        "@dataclass\nclass A:\n    idle_timeout_seconds: float\n",
        "class A:\n    window_size: int\n",
        "def f() -> None:\n    size = 1\n",
    ],
)
def test_units_and_local_names_are_right(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"src/a.py": text})
    assert found(units.find, tmp_path) == []
