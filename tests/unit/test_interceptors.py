"""What an interceptor may be, under both type checkers. What they do: tests/e2e/test_*_interceptors.py."""

from pathlib import Path

import pytest

from tests.unit.codegen.checkers import CHECKERS, Checker, check

pytestmark = pytest.mark.timeout(120)

PROGRAM = """
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import penstock
from penstock import Call, CallOptions, Channel, ClientCall, Credentials, Interceptor, MetadataLike, Server
from penstock import ServerCall, ServerStream, UnaryCall


@asynccontextmanager
async def either(call: Call) -> AsyncGenerator[None, None]:
    method: str = call.method
    call.metadata["key"] = method
    call.on_send(print)
    call.on_receive(lambda message: print(message))
    peer: str | None = call.peer
    left: float | None = call.time_remaining
    yield
    if call.status is not None and call.trailing_metadata is not None:
        print(call.status.code, call.trailing_metadata.get("key"), peer, left)


@asynccontextmanager
async def of_a_client(call: ClientCall[Any, Any]) -> AsyncGenerator[int, None]:
    yield 1
    print(await call.initial_metadata())


@asynccontextmanager
async def of_a_server(call: ServerCall) -> AsyncGenerator[None, None]:
    await call.send_initial_metadata({"who": str(call.identity)})
    yield
    call.trailing_metadata["key"] = "value"


class Tracing:
    def __init__(self, call: Call) -> None:
        self.call = call

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, *outcome: object) -> None: ...


def configured(name: str) -> Interceptor:
    @asynccontextmanager
    async def named(call: Call) -> AsyncGenerator[None, None]:
        print(name, call.method)
        yield

    return named


async def token(call: ClientCall[Any, Any]) -> MetadataLike:
    return {"authorization": call.method}


async def who(call: ServerCall) -> str:
    return call.peer


async def handler(stream: ServerStream[bytes, bytes]) -> None:
    async for message in stream:
        await stream.send(message)


def looks_like_a_context_manager(call: Call) -> AbstractAsyncContextManager[None]:
    return either(call)


for_both: list[Interceptor] = [either, Tracing, configured("a"), looks_like_a_context_manager]
per_call: Credentials = token
Channel("localhost:1", interceptors=for_both, credentials=per_call)
Channel("localhost:1", interceptors=[of_a_client, either], credentials=token)
Server([], interceptors=for_both, authenticate=who)
Server([], interceptors=[of_a_server, either], fallback=handler)
CallOptions(credentials=per_call)


def kinds(unary: UnaryCall[bytes], stream: ServerStream[bytes, str]) -> list[Call]:
    unary.on_receive(lambda reply: reply.decode())
    stream.on_send(lambda reply: str(reply).upper())
    stream.on_receive(lambda request: request.hex())
    return [unary, stream]


async def plain(call: Call) -> AsyncGenerator[None, None]:
    yield


async def returns_nothing(call: Call) -> None: ...


Channel("localhost:1", interceptors=[of_a_server])  # wrong
Server([], interceptors=[of_a_client])  # wrong
Channel("localhost:1", interceptors=[plain])  # wrong
Server([], interceptors=[returns_nothing])  # wrong
Channel("localhost:1", credentials=returns_nothing)  # wrong
Server([], authenticate=print)  # wrong
penstock.Server([], interceptors=either)  # wrong
"""


@pytest.mark.parametrize("checker", CHECKERS)
def test_one_interceptor_fits_both_sides_and_what_does_not_fit_is_found(tmp_path: Path, checker: Checker) -> None:
    path = tmp_path / "typed" / "program.py"
    path.parent.mkdir()
    path.write_text(PROGRAM, "utf-8")
    lines = PROGRAM.splitlines()
    mistakes = [("program.py", number) for number, line in enumerate(lines, 1) if line.endswith("# wrong")]
    assert len(mistakes) == 7
    assert check(checker, path.parent, [path]) == mistakes
