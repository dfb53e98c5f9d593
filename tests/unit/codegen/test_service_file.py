"""The text of one `X_penstock.py`, and what it does when it runs."""

import ast
import importlib
import random
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import penstock
from examples import tutorial
from penstock import services
from penstock.codegen.generate import Generated, generate
from penstock.codegen.service_file import generate_file
from tests import protos
from tests.protos import echo_penstock
from tests.protos.echo_pb2 import Note
from tests.unit.codegen.protofiles import CORPUS, GOLDEN, PROJECT, describe_folder

NAMES = sorted(path.relative_to(GOLDEN).as_posix().removesuffix(".txt") for path in GOLDEN.rglob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_text_is_the_golden_one(corpus_package: Path, name: str) -> None:
    # On a wanted change: python -m tests.unit.codegen.golden.update, and raise GENERATOR_VERSION.
    assert (corpus_package / name).read_text("utf-8") == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_every_service_file_of_the_corpus_has_a_golden_one(corpus_package: Path) -> None:
    generated = corpus_package.rglob("*_penstock.py")
    assert sorted(path.relative_to(corpus_package).as_posix() for path in generated) == NAMES


def test_text_does_not_depend_on_the_order_of_descriptors() -> None:
    files = list(describe_folder(CORPUS, "awkward.proto"))
    expected = generate_file(files[-1], files)
    own = files[-1]
    random.Random(1).shuffle(files)
    assert generate_file(own, files) == expected


@pytest.mark.parametrize("name", NAMES)
def test_generated_modules_import_only_penstock_and_messages(corpus_package: Path, name: str) -> None:
    tree = ast.parse((corpus_package / name).read_text("utf-8"))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    packages = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and not node.names[0].name.endswith("_pb2")
    }
    assert modules - {"importlib"} == {"penstock"}
    assert packages == {"__future__", "collections.abc", "typing"}


@pytest.mark.parametrize("name", NAMES)
def test_every_generated_module_runs_and_describes_its_methods(corpus_package: Path, name: str) -> None:
    module = importlib.import_module(f"{corpus_package.name}.{name.removesuffix('.py').replace('/', '.')}")
    bases: list[Any] = [value for key, value in vars(module).items() if key.endswith("Base")]
    assert bases
    for base in bases:
        client = vars(module)[base.__name__.removesuffix("Base") + "Client"]
        for python_name, method in base.METHODS.items():
            assert isinstance(method, penstock.Method)
            assert callable(getattr(base, python_name))
            assert callable(getattr(client, python_name))
            assert method.path.startswith("/")


@pytest.mark.parametrize(("package", "grpc"), [(protos, True), (tutorial, False)])
def test_committed_code_is_fresh(tmp_path: Path, package: ModuleType, grpc: bool) -> None:
    folder = Path(str(package.__file__)).parent
    compare_committed(folder, tmp_path, generate([folder], out=tmp_path, grpc=grpc))


def test_committed_code_of_the_standard_services_is_fresh(tmp_path: Path) -> None:
    generated = generate([PROJECT / "proto"], out=tmp_path, pool="penstock.services.pool")
    compare_committed(Path(str(services.__file__)).parent, tmp_path, generated)


def compare_committed(folder: Path, out: Path, generated: Generated) -> None:
    """Compare files of the repository with ones that were generated from the same .proto."""
    assert generated.paths
    for path in generated.paths:
        committed = folder / path.relative_to(out)
        assert committed.read_text("utf-8") == path.read_text("utf-8"), "run: make gen"


def test_what_is_not_overridden_answers_unimplemented() -> None:
    service = echo_penstock.EchoBase()
    call: Any = None
    with pytest.raises(penstock.RpcError) as caught:
        service.unary(Note(), call)
    assert caught.value.code is penstock.StatusCode.UNIMPLEMENTED
    with pytest.raises(penstock.RpcError) as caught:
        service.server_stream(Note(), call)
    assert caught.value.code is penstock.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("python_name", "rpc_name", "kind"),
    [
        ("unary", "Unary", penstock.Kind.UNARY),
        ("server_stream", "ServerStream", penstock.Kind.SERVER_STREAM),
        ("client_stream", "ClientStream", penstock.Kind.CLIENT_STREAM),
        ("both_stream", "BothStream", penstock.Kind.BOTH_STREAM),
    ],
)
def test_methods_say_how_they_look_on_the_wire(python_name: str, rpc_name: str, kind: penstock.Kind) -> None:
    method = echo_penstock.EchoBase.METHODS[python_name]
    assert (method.path, method.kind) == (f"/penstock.test.echo.Echo/{rpc_name}", kind)
    assert (method.request_type, method.reply_type) == (Note, Note)


class RecordingChannel:
    """Stands in for a channel: keeps what the client asked of it."""

    def __getattr__(self, name: str) -> Callable[..., object]:
        return lambda *arguments, **options: (name, arguments, options)


@pytest.mark.parametrize(
    ("python_name", "sends_request"),
    [
        ("unary", True),
        ("server_stream", True),
        ("client_stream", False),
        ("both_stream", False),
    ],
)
def test_clients_hand_everything_to_the_channel(python_name: str, sends_request: bool) -> None:
    channel: Any = RecordingChannel()
    request = [Note(text="x")] if sends_request else []
    options = {"timeout": 1.5, "metadata": {"k": "v"}, "wait_for_ready": True, "options": None}
    called = getattr(echo_penstock.EchoClient(channel), python_name)(*request, **options)
    method = echo_penstock.EchoBase.METHODS[python_name]
    assert called == (f"call_{python_name}", (method, *request), options)
