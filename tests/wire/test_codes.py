"""Status codes that the library makes by itself, and those it never makes. Source: gRPC statuscodes.md."""

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import penstock
from penstock import StatusCode
from tests.e2e.support import Echo, connected, within_bound
from tests.protos.echo_pb2 import Note
from tests.wire.engine import REQUEST, RESPONSE, client
from tests.wire.frames import message
from tests.wire.sockets import client_of

ROOT = Path(__file__).parents[2]

OF_APPLICATIONS = (
    "INVALID_ARGUMENT",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "DATA_LOSS",
)


def codes_made_in_python() -> Iterator[str]:
    """Give the codes that the package makes something of: those that are an argument of a call."""
    for path in (ROOT / "src/penstock").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            for argument in [*node.args, *(word.value for word in node.keywords)] if isinstance(node, ast.Call) else []:
                if ast.unparse(argument).startswith("StatusCode."):
                    yield ast.unparse(argument).removeprefix("StatusCode.")


def codes_made_in_rust() -> Iterator[str]:
    """Give the codes that the engine names before the tests of each file."""
    for path in (ROOT / "engine").glob("*/src/**/*.rs"):
        code = path.read_text("utf-8").partition("#[cfg(test)]")[0]
        for name in re.findall(r"\bCode::(\w+)", code):
            yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).upper()


@pytest.mark.wire("W30")
def test_codes_that_belong_to_applications_are_made_nowhere() -> None:
    python, rust = set(codes_made_in_python()), set(codes_made_in_rust())
    assert {"INTERNAL", "UNAVAILABLE"} <= python & rust  # the search finds what is there
    assert not (python | rust) & set(OF_APPLICATIONS)


async def code_of(waiting: Any) -> StatusCode:
    with pytest.raises(penstock.RpcError) as caught:
        await within_bound(waiting)
    return caught.value.code


@pytest.mark.wire("W30")
async def test_an_exception_of_a_handler_is_unknown_and_its_text_stays_here(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(request: Note, call: penstock.ServerCall) -> Note:
        raise ValueError("a secret")

    async with connected(Echo(unary=fail)) as pair:
        with pytest.raises(penstock.RpcError) as caught:
            await pair.client.unary(Note())
        assert caught.value.code == StatusCode.UNKNOWN
        assert "secret" not in str(caught.value)
        assert caught.value.details == ()
    assert "a secret" in caplog.text
    caplog.clear()


@pytest.mark.wire("W30")
@pytest.mark.parametrize("requests", [0, 2])
async def test_another_number_of_messages_is_unimplemented(requests: int) -> None:
    async with connected() as pair, pair.channel.stream("/penstock.test.echo.Echo/Unary") as stream:
        await stream.send_many([b""] * requests)
        await stream.end_sending()
        assert await code_of(stream.receive()) == StatusCode.UNIMPLEMENTED


@pytest.mark.wire("W30")
@pytest.mark.parametrize("replies", [0, 2])
async def test_another_number_of_replies_is_unimplemented(replies: int) -> None:
    async def answer(stream: penstock.ServerStream[bytes, bytes]) -> None:
        await stream.send_many([b""] * replies)

    method = penstock.Method("/raw/unary", penstock.Kind.UNARY, bytes, bytes, penstock.RAW)
    async with connected(fallback=answer) as pair:
        assert await code_of(pair.channel.call_unary(method, b"")) == StatusCode.UNIMPLEMENTED


@pytest.mark.wire("W30")
async def test_a_message_that_cannot_be_parsed_is_internal_either_way() -> None:
    async def babble(stream: penstock.ServerStream[bytes, bytes]) -> None:
        await stream.send(b"\xff\xff")

    method = penstock.Method("/raw/unary", penstock.Kind.UNARY, Note, Note)
    async with connected(fallback=babble) as pair:
        async with pair.channel.stream("/penstock.test.echo.Echo/Unary") as stream:
            await stream.send(b"\xff\xff")
            await stream.end_sending()
            assert await code_of(stream.receive()) == StatusCode.INTERNAL
        assert await code_of(pair.channel.call_unary(method, Note())) == StatusCode.INTERNAL


@pytest.mark.wire("W30")
async def test_a_message_that_is_too_large_is_resource_exhausted_sent_or_received() -> None:
    large, small = Note(payload=bytes(1001)), penstock.Limits(max_send_message_bytes=1000)
    async with connected(client_limits=small) as pair:
        with pytest.raises(penstock.ResourceExhausted):
            await pair.client.unary(large)
    async with connected(server_limits=penstock.Limits(max_receive_message_bytes=1000)) as pair:
        assert await code_of(pair.client.unary(large)) == StatusCode.RESOURCE_EXHAUSTED
    async with connected(client_limits=penstock.Limits(max_receive_message_bytes=500)) as pair:
        assert await code_of(pair.client.unary(Note(payload=bytes(501)))) == StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.wire("W30")
async def test_a_call_that_outlasts_the_grace_of_a_server_that_stops_is_unavailable() -> None:
    entered = asyncio.Event()

    async def wait(stream: penstock.ServerStream[Note, Note]) -> None:
        entered.set()
        await stream.receive()

    server = penstock.Server([Echo(both_stream=wait)])
    async with client_of(server) as raw:
        path = (":path", "/penstock.test.echo.Echo/BothStream")
        raw.say(raw.frames.headers(1, [*REQUEST[:2], path, *REQUEST[3:]]))
        await within_bound(entered.wait())
        stopping = asyncio.ensure_future(server.stop(0))
        assert "\n  grpc-status: 14" in await raw.hear("Headers 1 END_STREAM")
        await raw.close()
        await within_bound(stopping)


@pytest.mark.wire("W28", "W30")
def test_a_coding_that_the_client_does_not_know_is_internal() -> None:
    engine = client()
    call = engine.open(only=b"q")
    engine.says()
    engine.hears(engine.peer.headers(1, [*RESPONSE, ("grpc-encoding", "br")]), engine.peer.data(1, message(b"x", 1)))
    assert call.told[-1].startswith("ended 13 ")
