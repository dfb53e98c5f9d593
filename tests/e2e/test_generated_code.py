"""Every method of every generated service, called over a socket: the corpus has the names that go wrong elsewhere."""

import importlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from google.protobuf.message import Message

import penstock
from penstock.codegen.generate import generate
from tests.unit.codegen.protofiles import CORPUS

Service: TypeAlias = tuple[type[penstock.Service], type[Any]]
"""Base and client."""


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[Service]]:
    """Give everything that is generated from the corpus."""
    parent = tmp_path_factory.mktemp("called")
    generated = generate([CORPUS], out=parent / "called_corpus")
    sys.path.insert(0, str(parent))
    try:
        yield [found for path in generated.paths if path.match("*_penstock.py") for found in read(path, parent)]
    finally:
        sys.path.remove(str(parent))


def read(path: Path, parent: Path) -> Iterator[Service]:
    """Give the services of a module."""
    names = vars(importlib.import_module(".".join(path.relative_to(parent).with_suffix("").parts)))
    for name, base in names.items():
        if name.endswith("Base"):
            yield base, names[name.removesuffix("Base") + "Client"]


def implemented(base: type[penstock.Service], *, by_generators: bool) -> penstock.Service:
    """Give a service whose handlers all answer with one empty message."""

    def handler(method: penstock.Method[Any, Any]) -> object:
        async def replies_once(self: penstock.Service, *arguments: Any) -> Any:
            return filled(method.reply_type)

        async def sends(self: penstock.Service, *arguments: Any) -> None:
            await arguments[-1].send(filled(method.reply_type))

        async def yields(self: penstock.Service, *arguments: Any) -> Any:
            yield filled(method.reply_type)

        if method.kind.one_reply:
            return replies_once
        return yields if by_generators else sends

    handlers = {name: handler(method) for name, method in base.METHODS.items()}
    service: penstock.Service = type(f"Implemented{base.__name__}", (base,), handlers)()
    return service


def filled(message_type: type[Any]) -> Message:
    """Give a message that can be sent: its required fields are there."""
    message: Message = message_type()
    for field in message.DESCRIPTOR.fields:
        if field.is_required:
            setattr(message, field.name, "x")
    return message


async def call(client: object, name: str, method: penstock.Method[Any, Any]) -> Sequence[Message]:
    """Call a method of any kind; give the replies."""
    caller: Any = getattr(client, name)
    request = filled(method.request_type)
    if method.kind is penstock.Kind.UNARY:
        return [await caller(request, timeout=10)]
    if method.kind is penstock.Kind.SERVER_STREAM:
        async with caller(request, timeout=10) as stream:
            return [reply async for reply in stream]
    async with caller(timeout=10) as stream:
        await stream.send(request)
        if method.kind is penstock.Kind.CLIENT_STREAM:
            return [await stream.finish()]
        await stream.end_sending()
        return [reply async for reply in stream]


@pytest.mark.parametrize("by_generators", [False, True])
async def test_every_method_reaches_its_handler(services: Sequence[Service], by_generators: bool) -> None:
    server = penstock.Server([implemented(base, by_generators=by_generators) for base, _ in services])
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        kinds = set()
        for base, client in services:
            for name, method in base.METHODS.items():
                assert await call(client(channel), name, method) == [filled(method.reply_type)], method.path
                kinds.add(method.kind)
    assert kinds == set(penstock.Kind)


async def test_a_method_that_nobody_implemented_answers_unimplemented(services: Sequence[Service]) -> None:
    server = penstock.Server([base() for base, _ in services])
    async with server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        kinds = set()
        for base, client in services:
            for name, method in base.METHODS.items():
                with pytest.raises(penstock.RpcError) as caught:
                    await call(client(channel), name, method)
                assert caught.value.code is penstock.StatusCode.UNIMPLEMENTED
                assert caught.value.message == f"{method.path} is not implemented"
                kinds.add(method.kind)
    assert kinds == set(penstock.Kind)


def test_each_method_of_the_proto_has_one_name_and_one_constant(services: Sequence[Service]) -> None:
    for base, client in services:
        constants = [
            value for value in vars(sys.modules[base.__module__]).values() if isinstance(value, penstock.Method)
        ]
        assert len({method.path for method in constants}) == len(constants)
        for name, method in base.METHODS.items():
            assert [constant is method for constant in constants].count(True) == 1
            assert name in vars(base)
            assert name in vars(client)
