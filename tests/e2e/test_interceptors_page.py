"""Do the examples of docs/interceptors.md do what the page says?"""

import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import penstock
from penstock import RpcError, StatusCode
from tests.certificates import CLIENT_NAME, Certificates
from tests.e2e.around import around
from tests.e2e.support import Echo
from tests.protos.echo_pb2 import Note
from tests.unit.codegen.checkers import CHECKERS, Checker, check

PAGE = Path(__file__).parents[2] / "docs/interceptors.md"


def program() -> str:
    """Give the examples as one program."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))


@pytest.fixture
def page() -> SimpleNamespace:
    """Give what the examples define."""
    names: dict[str, Any] = {}
    exec(compile(program(), PAGE, "exec"), names)
    return SimpleNamespace(**names)


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.timeout(120)
def test_the_examples_have_no_type_error(tmp_path: Path, checker: Checker) -> None:
    path = tmp_path / "page" / "examples.py"
    path.parent.mkdir()
    path.write_text(program(), "utf-8")
    findings: Sequence[Any] = check(checker, path.parent, [path])
    assert findings == []


async def test_timing_and_counting_see_each_call_on_both_sides(page: SimpleNamespace) -> None:
    both = [page.timing, page.counting]
    async with around(client=both, server=both) as pair:
        await pair.client.unary(Note())
        path = pair.client_method("unary").path
        async with pair.client.server_stream(Note(number=3)) as stream:
            assert len([note async for note in stream]) == 3
    assert [(method, code) for method, code, _ in page.durations[:2]] == [(path, "OK")] * 2
    assert all(duration > 0 for _, _, duration in page.durations)
    assert page.counts[:2] == [(path, 1, 1)] * 2
    assert sorted(counted[1:] for counted in page.counts[2:]) == [(1, 3), (3, 1)]


async def test_a_trace_goes_on_in_the_server_and_in_the_calls_of_its_handler(page: SimpleNamespace) -> None:
    traces: list[str] = []

    async def last(request: Note, call: penstock.ServerCall) -> Note:
        del call
        traces.append(page.trace.get())
        return request

    async with around(Echo(unary=last), client=[page.tracing_client], server=[page.tracing_server]) as inner:

        async def first(request: Note, call: penstock.ServerCall) -> Note:
            traces.append(str(call.metadata["x-trace"]))
            return await inner.client.unary(request)

        async with around(Echo(unary=first), client=[page.tracing_client], server=[page.tracing_server]) as outer:
            await outer.client.unary(Note())
    assert len(traces[0]) == 16
    assert traces[0] == traces[1]


@pytest.mark.parametrize(
    ("kind", "text", "answer"),
    [
        (KeyError, "room", "NOT_FOUND: no 'room'"),
        (ValueError, "not a number", "INVALID_ARGUMENT: not a number"),
        (OSError, "disk", "UNKNOWN: the handler raised an exception"),
    ],
)
async def test_errors_are_translated_in_one_place(
    page: SimpleNamespace, kind: type[Exception], text: str, answer: str
) -> None:
    async def handler(request: Note, call: penstock.ServerCall) -> Note:
        raise kind(text)

    async with around(Echo(unary=handler), server=[page.translating]) as pair:
        with pytest.raises(RpcError) as caught:
            await pair.client.unary(Note())
    assert str(caught.value) == answer


async def test_calls_above_the_limit_are_refused(page: SimpleNamespace) -> None:
    async with around(server=[page.at_most(1)]) as pair:
        async with pair.client.both_stream() as stream:
            await stream.send(Note())
            await stream.receive()
            with pytest.raises(penstock.ResourceExhausted, match="1 calls are open"):
                await pair.client.unary(Note())
            await stream.finish()
        await pair.until_no_call_is_open()
        await pair.client.unary(Note())


async def test_a_token_names_the_caller(page: SimpleNamespace) -> None:
    identities: list[Any] = []

    async def handler(request: Note, call: penstock.ServerCall) -> Note:
        identities.append(call.identity)
        return request

    service = Echo(unary=handler)
    async with around(service, authenticate=page.who, server=[page.only_alice], credentials=page.bearer) as pair:
        await pair.client.unary(Note())
    async with around(service, authenticate=page.who) as pair:
        with pytest.raises(RpcError, match="UNAUTHENTICATED: no valid token"):
            await pair.client.unary(Note())
    async with around(service, server=[page.only_alice]) as pair:
        with pytest.raises(RpcError, match="PERMISSION_DENIED"):
            await pair.client.unary(Note())
    assert identities == ["alice"]


async def test_a_certificate_names_the_caller(page: SimpleNamespace, certificates: Certificates) -> None:
    identities: list[Any] = []

    async def handler(request: Note, call: penstock.ServerCall) -> Note:
        identities.append(call.identity)
        return request

    service = Echo(unary=handler)
    async with around(service, authenticate=page.certified, tls=certificates) as pair:
        await pair.client.unary(Note())
    async with around(service, authenticate=page.certified) as pair:
        with pytest.raises(RpcError, match="UNAUTHENTICATED: no certificate"):
            await pair.client.unary(Note())
    assert identities == [CLIENT_NAME]


async def test_a_fallback_shows_methods_that_nobody_serves(page: SimpleNamespace) -> None:
    async with around(server=[page.timing], fallback=page.unknown) as pair:
        async with pair.channel.stream("/a.B/C") as stream:
            with pytest.raises(RpcError, match=r"UNIMPLEMENTED: unknown method /a\.B/C"):
                await stream.finish()
        assert [seen[:2] for seen in page.durations] == [("/a.B/C", StatusCode.UNIMPLEMENTED.name)]
