"""Do the examples of docs/live.md do what the page says?"""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import penstock
from tests.e2e.support import TINY, Echo, connected, fill_up, until
from tests.protos.echo_pb2 import Note
from tests.unit.codegen.checkers import CHECKERS, Checker, check

PAGE = Path(__file__).parents[2] / "docs/live.md"
SERVICE = "/penstock.test.echo.Echo/"


def program() -> str:
    """Give the examples as one program."""
    return "\n\n".join(re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE))


@pytest.fixture
def page() -> SimpleNamespace:
    """Give what the examples define."""
    names: dict[str, Any] = {}
    exec(compile(program().replace("/shop.Orders/", SERVICE), PAGE, "exec"), names)
    return SimpleNamespace(**names)


@pytest.mark.parametrize("checker", CHECKERS)
@pytest.mark.timeout(120)
def test_the_examples_have_no_type_error(tmp_path: Path, checker: Checker) -> None:
    path = tmp_path / "page" / "examples.py"
    path.parent.mkdir()
    path.write_text(program(), "utf-8")
    assert list(check(checker, path.parent, [path])) == []


async def test_the_oldest_streams_come_first(page: SimpleNamespace) -> None:
    async with connected() as pair, pair.client.both_stream() as first, pair.client.both_stream() as second:
        for stream in (first, second):
            await stream.send(Note())
            await stream.receive()
        lines = page.oldest(pair.server, 1)
        assert len(lines) == 1
        assert f"{SERVICE}BothStream 127.0.0.1:" in lines[0]
        assert lines[0].endswith("s in 1 out 1 held 0 queued 0 waits for message")
        ids = sorted(stream.id for stream in pair.server.streams())
        assert lines[0].startswith(f"{ids[0]:>6} ")


async def test_a_slow_reader_is_found_and_killed(page: SimpleNamespace) -> None:
    async def push(stream: "penstock.ServerStream[Note, Note]") -> None:
        await fill_up(stream)
        await stream.send(Note(payload=bytes(512)))

    service = Echo(both_stream=push)
    async with (
        connected(service, server_limits=TINY, client_limits=TINY) as pair,
        pair.client.both_stream() as slow,
    ):
        await until(lambda: any(live.waits_for is penstock.Waiting.WINDOW for live in pair.server.streams()))
        found = [live async for live in page.slow_readers(pair.server)]
        assert [live.method for live in found] == [f"{SERVICE}BothStream"]
        assert page.kill(pair.server, found[0].id, "it does not read")
        assert not page.kill(pair.server, found[0].id, "it does not read")
        with pytest.raises(penstock.Cancelled, match="killed by the operator: it does not read"):
            while True:
                await slow.receive()
        assert pair.server._core.ends[penstock.End.KILLED] == 1


async def test_an_exporter_has_a_line_for_each_number(page: SimpleNamespace) -> None:
    async with connected() as pair:
        await pair.client.unary(Note())
        lines = page.prometheus(pair.server).splitlines()
        assert "penstock_calls_begun 1" in lines
        assert "penstock_calls_open 0" in lines
        assert 'penstock_ends{kind="returned"} 1' in lines
        assert 'penstock_ends{kind="killed"} 0' in lines
