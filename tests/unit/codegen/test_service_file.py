"""The text of one `X_penstock.py`, and what it does when it runs."""

import ast
import importlib
import os
import random
import subprocess
import sys
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
from tests.unit.codegen.protofiles import CORPUS, GOLDEN, describe_folder

PROJECT = Path(__file__).parents[3]
NAMES = sorted(path.name.removesuffix(".txt") for path in GOLDEN.glob("*.txt"))

USAGE = """
from collections.abc import AsyncIterator
from typing import Any, assert_type

import penstock
from .tutorial_pb2 import StreamReq, StreamResp
from .tutorial_penstock import (
    AllStreamServerBase, AllStreamServerClient, ClientStreamServerBase, ClientStreamServerClient,
    ServerStreamServerBase, ServerStreamServerClient,
)


class Sends(ServerStreamServerBase):
    async def server_stream(self, request: StreamReq, stream: penstock.ServerStream[Any, StreamResp]) -> None:
        await stream.send(StreamResp(data=request.data))


class Yields(ServerStreamServerBase, AllStreamServerBase):
    async def server_stream(
        self, request: StreamReq, stream: penstock.ServerStream[Any, StreamResp]
    ) -> AsyncIterator[StreamResp]:
        yield StreamResp(data=request.data)

    async def all_stream(self, stream: penstock.ServerStream[StreamReq, StreamResp]) -> AsyncIterator[StreamResp]:
        async for request in stream:
            yield StreamResp(data=request.data)

    async def once(self, request: StreamReq, call: penstock.ServerCall) -> StreamResp:
        return StreamResp(data=request.data)


class Takes(ClientStreamServerBase):
    async def client_stream(self, stream: penstock.ServerStream[StreamReq, Any]) -> StreamResp:
        async for request in stream:
            assert_type(request, StreamReq)
        return StreamResp()


class Wrong(ClientStreamServerBase, AllStreamServerBase):
    async def client_stream(self, stream: penstock.ServerStream[StreamReq, Any]) -> StreamReq:  # type: ignore[override]
        return StreamReq()

    def all_stream(self, stream: str) -> int:  # type: ignore[override]
        return 0


async def use(channel: penstock.Channel) -> None:
    one = AllStreamServerClient(channel)
    assert_type(await one.once(StreamReq(), timeout=1), StreamResp)
    one.once(StreamResp())  # type: ignore[arg-type]
    async with ServerStreamServerClient(channel).server_stream(StreamReq()) as replies:
        async for reply in replies:
            assert_type(reply, StreamResp)
    async with ClientStreamServerClient(channel).client_stream(timeout=1) as upload:
        await upload.send(StreamReq())
        assert_type(await upload.finish(), StreamResp)
    async with one.all_stream() as both:
        await both.send(StreamReq())
        await both.send(StreamResp())  # type: ignore[arg-type]
        async for reply in both:
            assert_type(reply, StreamResp)
"""


@pytest.mark.parametrize("name", NAMES)
def test_text_is_the_golden_one(corpus_package: Path, name: str) -> None:
    # On a wanted change: python -m tests.unit.codegen.golden.update, and raise GENERATOR_VERSION.
    assert (corpus_package / name).read_text("utf-8") == (GOLDEN / f"{name}.txt").read_text("utf-8")


def test_every_service_file_of_the_corpus_has_a_golden_one(corpus_package: Path) -> None:
    assert sorted(path.name for path in corpus_package.rglob("*_penstock.py")) == NAMES


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
    assert modules == {"penstock"}
    assert packages == {"__future__", "collections.abc", "typing"}


@pytest.mark.parametrize("name", NAMES)
def test_every_generated_module_runs_and_describes_its_methods(corpus_package: Path, name: str) -> None:
    module = importlib.import_module(f"{corpus_package.name}.{name.removesuffix('.py')}")
    bases: list[Any] = [value for key, value in vars(module).items() if key.endswith("Base")]
    assert bases
    for base in bases:
        client = vars(module)[base.__name__.removesuffix("Base") + "Client"]
        for python_name, method in base.METHODS.items():
            assert isinstance(method, penstock.Method)
            assert callable(getattr(base, python_name))
            assert callable(getattr(client, python_name))
            assert method.path.startswith("/")


@pytest.mark.timeout(120)
def test_generated_modules_are_strictly_typed(corpus_package: Path, tmp_path: Path) -> None:
    (corpus_package / "usage.py").write_text(USAGE, "utf-8")
    # protoc's own stub for messages named like keywords is no valid Python.
    sources = [path for path in corpus_package.rglob("*.py") if "pb2" not in path.name and "keyword" not in path.name]
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={tmp_path}"]
    child = subprocess.run(
        [sys.executable, "-m", "mypy", *options, *map(str, sources)],
        cwd=corpus_package.parent,
        env={**os.environ, "MYPYPATH": str(Path(penstock.__file__).parent.parent)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert child.stdout + child.stderr == f"Success: no issues found in {len(sources)} source files\n"


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


async def test_what_is_not_overridden_answers_unimplemented() -> None:
    service = echo_penstock.EchoBase()
    call: Any = None
    with pytest.raises(penstock.RpcError) as caught:
        await service.unary(Note(), call)
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
