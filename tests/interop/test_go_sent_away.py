"""What does grpc-go's client do with a call that we refuse, and with a connection that we end?"""

import asyncio
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import penstock
from examples.tutorial.programs import PROJECT, Program
from penstock import StatusCode
from tests.e2e.support import Echo, until, within_bound
from tests.interop.calls import BOUND_SECONDS
from tests.interop.programs import build_go
from tests.interop.test_admission import POLICY, Full

WORKERS = 4


async def started(*arguments: str) -> Program:
    """Run the program in tests/interop/go."""
    folder = await asyncio.to_thread(build_go, PROJECT / "tests/interop/go")
    return Program([str(folder / "interop"), *arguments])


async def last_line(program: Program) -> Any:
    """Wait for the end of the program, and give what it printed last."""
    exit_code = await asyncio.to_thread(program.wait_for_end, BOUND_SECONDS + 5)
    assert exit_code == 0, "\n".join(program.lines)
    return json.loads(program.lines[-1])


@asynccontextmanager
async def full(retry_after_seconds: float) -> AsyncIterator[tuple[Full, Program]]:
    """Give a full server, and grpc-go's client of it, which repeats what is refused."""
    held = Full(penstock.Admission(max_calls=1, retry_after_seconds=retry_after_seconds))
    async with held.server.listening("127.0.0.1:0") as address, penstock.Channel(address) as channel:
        holding = asyncio.ensure_future(_held(channel))
        await within_bound(held.began.wait())
        with await started("refused", address, json.dumps(POLICY)) as program:
            yield held, program
        held.may_end.set()
        await within_bound(holding)


async def _held(channel: penstock.Channel) -> None:
    async with channel.stream("/penstock.test.echo.Echo/Unary") as stream:
        await stream.send(b"")
        await stream.end_sending()
        await stream.receive()


@pytest.mark.wire("W48")
async def test_grpc_go_hears_the_code_the_limit_and_the_hint() -> None:
    async with full(math.inf) as (held, program):
        seen = await last_line(program)
        assert (seen["code"], seen["message"]) == (StatusCode.RESOURCE_EXHAUSTED, "max_calls=1 is reached")
        # Below 0 it is a request not to come again, and the policy of the client would have allowed it.
        assert seen["trailing"]["grpc-retry-pushback-ms"] == ["-1"]
        assert held.refused == 1


@pytest.mark.wire("W48")
async def test_grpc_go_comes_again_when_it_was_told_to() -> None:
    async with full(0.2) as (held, program):
        await until(lambda: held.refused)
        held.may_end.set()
        assert (await last_line(program))["code"] == StatusCode.OK


@pytest.mark.wire("W48")
async def test_grpc_go_gives_up_after_the_attempts_that_its_policy_allows() -> None:
    async with full(0) as (held, program):
        assert (await last_line(program))["code"] == StatusCode.RESOURCE_EXHAUSTED
        assert held.refused == 3


@pytest.mark.wire("W49")
async def test_grpc_go_takes_a_connection_above_the_limit_for_a_failure_and_pauses() -> None:
    held = Full(penstock.Admission(max_connections=1))
    async with held.server.listening("127.0.0.1:0") as address, penstock.Channel(address) as first:
        await first.ready()
        with await started("steady", address, "1", "1"):
            await until(lambda: held.refused)
            await first.close()
            # Let in after its pause: it was no hundred attempts until then.
            await until(lambda: held.server._core.connections)
            assert held.refused <= 5


@pytest.mark.wire("W34")
async def test_grpc_go_loses_no_call_to_the_age_of_its_connections() -> None:
    limits = penstock.Limits(max_connection_age_seconds=0.2)
    async with penstock.Server([Echo()], limits=limits).listening("127.0.0.1:0") as address:
        with await started("steady", address, "5", str(WORKERS)) as program:
            seen = await last_line(program)
        assert set(seen["codes"]) == {"0"}
        assert seen["connections"] >= 5
        # It stayed on the first connection until all others were made.
        assert (seen["stream"], seen["notes"] > 0) == (StatusCode.OK, True)


@pytest.mark.wire("W35")
async def test_grpc_go_goes_to_the_next_server_and_loses_no_call_to_the_one_that_stops() -> None:
    old, new = penstock.Server([Echo()]), penstock.Server([Echo()])
    async with old.listening("127.0.0.1:0") as address:
        with await started("steady", address, "2", str(WORKERS)) as program:
            await asyncio.to_thread(program.wait_until, lambda lines: len(lines) > 0)
            stopping = asyncio.ensure_future(old.stop(grace=BOUND_SECONDS))
            await until(lambda: not old._listeners)
            async with new.listening(address):
                seen = await last_line(program)
                report = await stopping
        assert set(seen["codes"]) == {"0"}
        assert (seen["stream"], seen["connections"]) == (StatusCode.OK, 2)
        assert (report.finished > 0, report.cancelled, report.stuck) == (True, (), ())
