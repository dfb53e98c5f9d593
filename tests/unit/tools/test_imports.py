from pathlib import Path

import pytest

from tests.unit.tools.trees import found, write
from tools import imports


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("topics/a.py", "from penstock._transport import Transport", "penstock._transport.Transport"),
        ("services/a.py", "import penstock._engine", "penstock._engine"),
        ("cli/a.py", "from penstock.stream import _Half", "penstock.stream._Half"),
        ("transfer/a.py", "from .._transport import x", "penstock._transport.x"),
        ("sessions/deep/a.py", "from ... import _engine", "penstock._engine"),
        ("topics/a.py", "def f():\n    from penstock.codegen._x import y", "penstock.codegen._x.y"),
    ],
)
def test_patterns_import_public_names_only(tmp_path: Path, path: str, text: str, name: str) -> None:
    write(tmp_path, {f"src/penstock/{path}": text})
    (finding,) = found(imports.find, tmp_path)
    assert finding.endswith(f": {path.split('/')[0]} imports the private name {name}")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "topics/a.py",
            "import penstock\nfrom penstock import Channel, __version__\nfrom penstock.testing import connected",
        ),
        ("topics/a.py", "from ._store import Store\nfrom penstock.topics._store import Store\nfrom . import _store"),
        ("topics/a.py", "from asyncio import _x\nimport _private_of_others"),
        ("cli/a.py", "from penstock.topics import Topic"),
        ("testing/a.py", "from penstock._transport import Transport"),
        ("channel.py", "from ._transport import Transport\nfrom penstock._engine import Connection"),
        ("__init__.py", "from .channel import Channel\nfrom . import stream"),
    ],
)
def test_inward_imports_are_right(tmp_path: Path, path: str, text: str) -> None:
    write(tmp_path, {f"src/penstock/{path}": text})
    assert found(imports.find, tmp_path) == []


@pytest.mark.parametrize(
    ("path", "text", "name"),
    [
        ("__init__.py", "from .topics import Topic", "penstock.topics.Topic"),
        ("server.py", "import penstock.services.health", "penstock.services.health"),
        ("codegen/a.py", "from ..cli import main", "penstock.cli.main"),
        ("channel.py", "from penstock import sessions", "penstock.sessions"),
        ("__init__.py", "from penstock import testing", "penstock.testing"),
    ],
)
def test_nothing_further_in_imports_the_patterns(tmp_path: Path, path: str, text: str, name: str) -> None:
    write(tmp_path, {f"src/penstock/{path}": text})
    assert found(imports.find, tmp_path) == [
        f"src/penstock/{path}:1: {name} is imported from further inside: imports point inwards only"
    ]


def test_only_the_bridge_knows_python(tmp_path: Path) -> None:
    for crate in ("core", "python"):
        write(
            tmp_path,
            {f"engine/{crate}/Cargo.toml": "[dependencies]\npyo3 = 1\n", f"engine/{crate}/src/a.rs": "use pyo3::x;\n"},
        )
    assert found(imports.find, tmp_path) == [
        "engine/core/src/a.rs:1: pyo3 outside engine/python",
        "engine/core/Cargo.toml:2: pyo3 outside engine/python",
    ]


@pytest.mark.parametrize("used", ["tokio", "h2", "Instant", "SystemTime", "Mutex", "RwLock", "rand"])
def test_wire_takes_bytes_and_gives_values(tmp_path: Path, used: str) -> None:
    text = f"// {used} is spoken of\nuse {used}::x;\n"
    write(tmp_path, {"engine/core/src/wire/a.rs": text, "engine/core/src/b.rs": text})
    assert found(imports.find, tmp_path) == [
        f"engine/core/src/wire/a.rs:2: {used} in wire/, which takes bytes and gives values"
    ]
