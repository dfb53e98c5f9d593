"""The example that streams tokens: both of its servers, its client, and `make demo-tokens`."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from dataclasses import replace as replaced

import pytest

import penstock
from examples.tokens.demo import LAST, told
from examples.tokens.model import WORDS, Model
from examples.tokens.server import LIMITS, STYLES
from examples.tokens.tokens_pb2 import Prompt
from examples.tokens.tokens_penstock import ModelClient
from examples.tutorial.programs import Program
from penstock.testing import MemoryChannel, connected
from tests.e2e.support import until, within_bound

NEVER_SECONDS = 3600.0
"""Longer than any test."""

ANSWER = "".join(WORDS[number % len(WORDS)] + " " for number in range(200))

SMALL = penstock.Limits(stream_window_bytes=64)


@dataclass
class Served:
    """A model, and a client of its server."""

    model: Model
    channel: MemoryChannel
    client: ModelClient


@pytest.fixture(params=STYLES)
def style(request: pytest.FixtureRequest) -> str:
    """Name one server after the other."""
    return str(request.param)


@asynccontextmanager
async def serving(
    style: str, *, step_seconds: float = 0, heartbeat_seconds: float = NEVER_SECONDS
) -> AsyncIterator[Served]:
    model = Model(step_seconds)
    service = STYLES[style](model, heartbeat_seconds)
    working = asyncio.create_task(service.run())
    try:
        async with connected(service, limits=SMALL, server_limits=LIMITS) as channel:
            yield Served(model, channel, ModelClient(channel))
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert working.cancelled()


async def test_an_answer_comes_token_by_token(style: str) -> None:
    async with serving(style) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=20)) as stream:
            pieces = [piece async for piece in stream]
    assert [piece.text for piece in pieces] == [word + " " for word in ANSWER.split()[:20]]
    assert {piece.tokens for piece in pieces} == {1}


async def test_an_answer_of_no_tokens_ends_at_once(style: str) -> None:
    async with serving(style, step_seconds=NEVER_SECONDS) as served:
        async with served.client.generate(Prompt(text="hello")) as stream:
            assert [piece async for piece in stream] == []


async def test_a_client_that_leaves_before_its_first_token_costs_the_model_nothing_more(style: str) -> None:
    async with serving(style, step_seconds=NEVER_SECONDS, heartbeat_seconds=0.001) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=20)) as stream:
            assert (await within_bound(stream.receive())).tokens == 0
            assert served.model.live == 1
        await until(lambda: served.model.live == 0)


async def test_a_client_that_leaves_in_the_middle_costs_the_model_nothing_more(style: str) -> None:
    async with serving(style) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=2**32 - 1)) as stream:
            for word in WORDS:
                assert (await within_bound(stream.receive())).text == word + " "
        await until(lambda: served.model.live == 0)


async def test_a_slow_client_loses_nothing_and_its_tokens_are_merged(style: str) -> None:
    async with serving(style) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=200)) as stream:
            pieces = [await stream.receive()]
            await until(lambda: served.model.live == 0)  # all were made, while it took no more
            pieces += [piece async for piece in stream]
    assert "".join(piece.text for piece in pieces) == ANSWER
    assert sum(piece.tokens for piece in pieces) == 200
    assert len(pieces) < 20


async def test_a_slow_client_holds_up_nobody(style: str) -> None:
    async with serving(style) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=2**32 - 1)) as slow:
            await slow.receive()
            async with served.client.generate(Prompt(text="hello", max_tokens=200)) as stream:
                assert "".join([piece.text async for piece in stream]) == ANSWER


async def test_heartbeats_come_while_no_step_is_done(style: str) -> None:
    async with serving(style, step_seconds=NEVER_SECONDS, heartbeat_seconds=0.001) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=20)) as stream:
            for _ in range(3):
                assert not (await within_bound(stream.receive())).text


async def test_a_server_that_stops_finishes_its_answers(style: str) -> None:
    async with serving(style) as served:
        async with served.client.generate(Prompt(text="hello", max_tokens=200)) as stream:
            text = (await stream.receive()).text
            stopping = asyncio.create_task(served.channel.server.stop(grace=10))
            text += "".join([piece.text async for piece in stream])
            report = await within_bound(stopping)
    assert text == ANSWER
    assert (report.finished, report.cancelled) == (1, ())


@pytest.mark.timeout(60)  # fourteen processes
def test_the_demo_plays_every_scene() -> None:
    with Program([sys.executable, "-m", "examples.tokens.demo"]) as demo:
        assert demo.wait_for_end(timeout_seconds=50) == 0
    assert [line for line in demo.lines if line.startswith("!!!")] == []
    assert demo.lines[-1] == "2 of 2 servers did what they must."
    assert sum(line.startswith("32 tokens in ") for line in demo.lines) == 4


def test_a_scene_without_its_text_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with Program([sys.executable, "-c", "print('32 tokens in 32 pieces')"]) as program:
        program.wait_for_end()
    assert not told("step", LAST, program)
    assert "!!! the client has not printed, in its place: (A penstock" in capsys.readouterr().out
    assert told("step", replaced(LAST, prints=LAST.prints[1:]), program)
