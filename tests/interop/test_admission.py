"""What do clients of gRPC do with a call, or a connection, that we refuse?"""

import asyncio
import itertools
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest

import penstock
from tests.e2e.support import Echo, until
from tests.protos import echo_pb2_grpc
from tests.protos.echo_pb2 import Note

POLICY = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 3,
                # So long that only what the server asks for instead lets a call come again in time.
                "initialBackoff": "300s",
                "maxBackoff": "300s",
                "backoffMultiplier": 1,
                "retryableStatusCodes": ["RESOURCE_EXHAUSTED"],
            },
        }
    ]
}


class Full:
    """A server that is full until the test lets its one call end."""

    def __init__(self, admission: penstock.Admission) -> None:
        self.may_end = asyncio.Event()
        self.began = asyncio.Event()
        self.server = penstock.Server([Echo(unary=self._unary)], admission=admission)

    @property
    def refused(self) -> int:
        return self.server._core.gatekeeper.refused.total()

    async def _unary(self, request: Note, call: penstock.ServerCall) -> Note:
        del call
        self.began.set()
        await self.may_end.wait()
        return request


@asynccontextmanager
async def full(retry_after_seconds: float) -> AsyncIterator[tuple[Full, Any]]:
    """Give a full server, and grpcio's client of it, which repeats what is refused."""
    held = Full(penstock.Admission(max_calls=1, retry_after_seconds=retry_after_seconds))
    options = [("grpc.service_config", json.dumps(POLICY)), ("grpc.enable_retries", 1)]
    async with (
        held.server.listening("127.0.0.1:0") as address,
        grpc.aio.insecure_channel(address, options=options) as channel,
    ):
        stub: Any = echo_pb2_grpc.EchoStub(channel)
        holding = stub.Unary(Note())
        await held.began.wait()
        yield held, stub
        held.may_end.set()
        await holding


@pytest.mark.wire("W48")
async def test_grpcio_hears_the_code_the_limit_and_the_hint() -> None:
    async with full(math.inf) as (held, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Unary(Note(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert caught.value.details() == "max_calls=1 is reached"
        # Below 0 it is a request not to come again, and the policy of the client would have allowed it.
        assert dict(caught.value.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
        assert held.refused == 1


def flood(address: str, method: str) -> grpc.RpcError:
    """Send until the call ends, with the client for threads: of the other one a write that fails hides the status."""
    with grpc.insecure_channel(address) as channel:
        call = getattr(echo_pb2_grpc.EchoStub(channel), method)
        endless = itertools.repeat(Note(payload=bytes(1000)))
        with pytest.raises(grpc.RpcError) as caught:
            if method == "ClientStream":
                call(endless, timeout=10)
            else:
                list(call(endless, timeout=10))
        return caught.value


@pytest.mark.wire("W48")
@pytest.mark.parametrize("method", ["ClientStream", "BothStream"])
async def test_grpcio_hears_it_too_while_it_sends(method: str) -> None:
    async with full(math.inf) as (held, _):
        for _ in range(10):
            error: Any = await asyncio.to_thread(flood, held.server.addresses[0], method)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert error.details() == "max_calls=1 is reached"
            assert dict(error.trailing_metadata())["grpc-retry-pushback-ms"] == "-1"
        assert held.refused == 10


@pytest.mark.wire("W48")
async def test_grpcio_comes_again_when_it_was_told_to() -> None:
    async with full(0.01) as (held, stub):
        again = stub.Unary(Note(number=5), timeout=10)
        await until(lambda: held.refused)
        held.may_end.set()
        assert (await again).number == 5


@pytest.mark.wire("W48")
async def test_grpcio_gives_up_after_the_attempts_that_its_policy_allows() -> None:
    async with full(0) as (held, stub):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Unary(Note(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert held.refused == 3


@pytest.mark.wire("W49")
async def test_grpcio_takes_a_connection_above_the_limit_for_a_failure_and_pauses() -> None:
    held = Full(penstock.Admission(max_connections=1))
    async with (
        held.server.listening("127.0.0.1:0") as address,
        penstock.Channel(address) as first,
        grpc.aio.insecure_channel(address) as channel,
    ):
        await first.ready()
        stub: Any = echo_pb2_grpc.EchoStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.Unary(Note(), timeout=10)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        # A second before the next attempt; on this machine a hundred would fit into it.
        assert held.refused <= 5
