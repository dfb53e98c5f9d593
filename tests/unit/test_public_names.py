"""What people import: all of it is in `penstock`, and says what it promises."""

import ast
import dataclasses
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import penstock

PACKAGE = Path(penstock.__file__).parent
MODULES = sorted(path.stem for path in PACKAGE.glob("[a-z]*.py"))
SENDS = {"send", "send_nowait", "send_many", "send_from", "send_initial_metadata", "broadcast", "send_each"}

NAMESPACES = {
    "keepalive": {"DEFAULT", "FRUGAL", "GRPC", "LIVELY", "Pair", "STEADY", "check"},
    "tls": {"client_context", "server_context"},
}
"""Modules in the package's own `__all__`, and what is reached through them alone."""


def module(name: str) -> ModuleType:
    return importlib.import_module(f"penstock.{name}")


def public_objects() -> Iterator[tuple[str, Any]]:
    """Functions and classes of penstock, and the public methods and properties of these, by their full names."""
    offered = {name: getattr(penstock, name) for name in penstock.__all__}
    for namespace, names in NAMESPACES.items():
        offered |= {f"{namespace}.{name}": getattr(module(namespace), name) for name in names}
    for name, thing in offered.items():
        if isinstance(thing, type | FunctionType):
            yield name, thing
        if isinstance(thing, type) and thing.__module__.startswith("penstock."):
            for part, value in inspect.getmembers(thing):
                defined_here = any(
                    part in vars(base) for base in thing.__mro__ if base.__module__.startswith("penstock.")
                )
                if not part.startswith("_") and defined_here and isinstance(value, FunctionType | property):
                    yield f"{name}.{part}", value


def stub_functions() -> Iterator[tuple[str, str | None]]:
    """The public methods of the compiled base of streams, and what their stub says of them."""
    tree = ast.parse((PACKAGE / "_engine.pyi").read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == "StreamBase":
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and not part.name.startswith("_"):
                    yield f"Stream.{part.name}", ast.get_docstring(part)


DOCUMENTED = [*((name, inspect.getdoc(thing)) for name, thing in public_objects()), *stub_functions()]
COROUTINES = [
    *(name for name, thing in public_objects() if inspect.iscoroutinefunction(inspect.unwrap(thing))),
    "Stream.send",
    "Stream.receive",
]


@pytest.mark.parametrize("name", MODULES)
def test_what_a_public_module_offers_is_in_the_package(name: str) -> None:
    offered = set(getattr(module(name), "__all__", ())) - {"__version__"}
    assert offered - NAMESPACES.get(name, set()) <= set(penstock.__all__)


def test_the_package_offers_nothing_that_no_module_offers() -> None:
    offered = {name for each in MODULES for name in getattr(module(each), "__all__", ())}
    assert set(penstock.__all__) - offered == {"__version__", *NAMESPACES}


@pytest.mark.parametrize(("name", "text"), DOCUMENTED, ids=[name for name, _ in DOCUMENTED])
def test_every_public_name_begins_with_one_sentence(name: str, text: str | None) -> None:
    assert text, name
    first = text.partition("\n\n")[0]
    assert first.rstrip().endswith((".", ":", "`")), first


@pytest.mark.parametrize("name", COROUTINES)
def test_what_is_awaited_says_what_it_waits_for(name: str) -> None:
    text = dict(DOCUMENTED)[name]
    assert text
    assert "Waits until:" in text or "Does not wait" in text


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name, text in DOCUMENTED if name.rpartition(".")[2] in SENDS],
    ids=[name for name, _ in DOCUMENTED if name.rpartition(".")[2] in SENDS],
)
def test_whatever_sends_says_what_it_does_not_promise(name: str, text: str | None) -> None:
    assert text, name
    assert "Does not promise:" in text


@pytest.mark.parametrize("name", MODULES)
def test_every_field_of_a_dataclass_says_what_it_is(name: str) -> None:
    classes = [thing for _, thing in inspect.getmembers(module(name), dataclasses.is_dataclass)]
    for kind in classes:
        if not isinstance(kind, type) or kind.__module__ != f"penstock.{name}":
            continue
        body = ast.parse(inspect.getsource(kind)).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, following in zip(body.body, [*body.body[1:], None], strict=True):
            if isinstance(field, ast.AnnAssign):
                assert isinstance(following, ast.Expr), f"{kind.__name__}: {ast.unparse(field)}"


def test_importing_the_package_brings_in_protobuf_and_no_other_package() -> None:
    program = "import sys; before = set(sys.modules); import penstock; print(*sorted(set(sys.modules) - before))"
    child = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    packages = {name.partition(".")[0] for name in child.stdout.split()}
    assert packages - sys.stdlib_module_names <= {"google", "penstock"}
