"""Getting a connection, and getting one again."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from penstock import ChannelState, Limits, Origin, RpcError, Server, ServerStream, StatusCode
from penstock._address import Address
from penstock._client_connection import ClientConnection
from penstock._connector import GROWTH, JITTER, Connector
from tests.unit.memory import PEER_NAME, MemoryChannel, settle

REFUSED = "connection refused"
QUICK = Limits(reconnect_initial_seconds=0.001)


async def nothing(stream: ServerStream[bytes, bytes]) -> None:
    """A handler."""


class MemoryConnector(Connector):
    """Connects to a server of the same loop; `failures` are what the next attempts raise instead."""

    def __init__(self, server: Server, limits: Limits) -> None:
        self.channel = MemoryChannel(server)
        super().__init__(Address(*PEER_NAME), limits, "memory:1", dial=self.channel._dial)
        self.failures = self.channel.failures
        self.links = self.channel.links


@asynccontextmanager
async def connecting(*failures: Exception, limits: Limits = QUICK) -> AsyncIterator[MemoryConnector]:
    """Give a connector whose first attempts fail."""
    server = Server([], fallback=nothing)
    connector = MemoryConnector(server, limits)
    connector.failures.extend(failures)
    yield connector
    await connector.close()
    await server.stop(0)


def refused(times: int = 1) -> list[Exception]:
    return [ConnectionRefusedError(REFUSED) for _ in range(times)]


async def failure_of(connector: MemoryConnector) -> RpcError:
    with pytest.raises(RpcError) as caught:
        await connector.connection(wait_for_ready=False)
    return caught.value


class Never(MemoryConnector):
    """Its attempts have no end; only cancellation reaches them."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(Server([], fallback=nothing), limits)
        self.cancelled = 0

    async def _connect(self) -> ClientConnection:
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled += 1
        raise AssertionError


async def test_nothing_is_connected_before_somebody_asks() -> None:
    async with connecting() as connector:
        await settle()
        assert (connector.links, connector.current(), connector.state) == ([], None, ChannelState.IDLE)


async def test_all_who_ask_share_one_connection() -> None:
    async with connecting() as connector:
        asked = [connector.connection(wait_for_ready=ready) for ready in (False, True, False)]
        found = await asyncio.gather(*asked)
        assert set(found) == {connector.current()}
        assert len(connector.links) == 1
        assert connector.state is ChannelState.READY


async def test_who_asks_learns_why_an_attempt_failed() -> None:
    async with connecting(*refused()) as connector:
        error = await failure_of(connector)
        assert str(error) == f"UNAVAILABLE: cannot connect to memory:1: {REFUSED}"
        assert (error.origin, error.retryable) == (Origin.TRANSPORT, True)
        assert connector.state is ChannelState.TRANSIENT_FAILURE


async def test_until_the_next_attempt_those_who_do_not_wait_fail_at_once() -> None:
    async with connecting(*refused(), limits=Limits(reconnect_initial_seconds=60)) as connector:
        await failure_of(connector)
        error = await failure_of(connector)
        assert error.code is StatusCode.UNAVAILABLE
        assert connector.links == []


async def test_those_who_wait_for_ready_sit_out_failed_attempts() -> None:
    async with connecting(*refused(3)) as connector:
        connection = await connector.connection(wait_for_ready=True)
        assert connection is connector.current()
        assert connector.failures == []


async def test_a_new_connection_is_made_when_the_old_one_is_gone() -> None:
    async with connecting() as connector:
        old = await connector.connection(wait_for_ready=False)
        connector.links[0][0].lose(None)
        assert (connector.current(), connector.state) == (None, ChannelState.IDLE)
        new = await connector.connection(wait_for_ready=False)
        assert new is not old
        assert connector.connections == {new}


async def test_a_connection_that_drains_is_kept_until_it_ends_but_not_used() -> None:
    async with connecting() as connector:
        old = await connector.connection(wait_for_ready=False)
        old.draining.set()
        new = await connector.connection(wait_for_ready=False)
        assert new is not old
        assert connector.connections == {old, new}


@pytest.mark.parametrize("failures", [0, 1, 5, 20, 1000])
async def test_pauses_grow_up_to_a_bound_and_are_spread(failures: int) -> None:
    limits = Limits(reconnect_initial_seconds=1, reconnect_max_seconds=120)
    async with connecting(limits=limits) as connector:
        expected = min(120.0, GROWTH ** min(failures, 64))
        pauses = []
        for _ in range(50):
            connector._failures = failures
            before = connector.loop.time()
            connector._note_failure("why")
            pauses.append(connector._retry_at - before)
        assert min(pauses) >= expected * (1 - JITTER) - 1e-3
        assert max(pauses) <= expected * (1 + JITTER) + 0.1
        assert max(pauses) - min(pauses) > expected * JITTER / 2


async def test_after_a_success_pauses_begin_anew() -> None:
    async with connecting(*refused(2)) as connector:
        await connector.connection(wait_for_ready=True)
        assert (connector._failures, connector._retry_at) == (0, 0.0)


async def test_an_attempt_that_takes_too_long_is_given_up() -> None:
    connector = Never(Limits(connect_timeout_seconds=0.001))
    error = await failure_of(connector)
    assert error.message == "cannot connect to memory:1: no answer within 0.001 s"
    assert connector.cancelled == 1
    await connector.close()


async def test_who_is_cancelled_leaves_the_attempt_to_others() -> None:
    connector = Never(QUICK)
    asking = [asyncio.create_task(connector.connection(wait_for_ready=False)) for _ in range(2)]
    await settle()
    assert connector.state is ChannelState.CONNECTING
    asking[0].cancel()
    await settle()
    assert (asking[0].cancelled(), asking[1].done(), connector.cancelled) == (True, False, 0)
    await connector.close()
    with pytest.raises(RpcError, match="CANCELLED: the channel is closed"):
        await asking[1]
    assert connector.cancelled == 1


async def test_a_mistake_in_an_attempt_is_logged_and_told_to_whoever_asks(caplog: pytest.LogCaptureFixture) -> None:
    async with connecting(ValueError("no such thing")) as connector:
        error = await failure_of(connector)
        assert error.message == "cannot connect to memory:1: no such thing"
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.getMessage() == "connecting to memory:1 failed"
    assert record.exc_info is not None


async def test_closing_closes_every_connection_and_refuses_new_ones() -> None:
    async with connecting() as connector:
        connection = await connector.connection(wait_for_ready=False)
        await connector.close()
        assert connection.ended.done()
        assert connector.connections == set()
        assert connector.state is ChannelState.SHUTDOWN
        with pytest.raises(RpcError, match="CANCELLED: the channel is closed"):
            await connector.connection(wait_for_ready=True)


async def test_closing_again_is_harmless() -> None:
    async with connecting() as connector:
        await connector.close()
        await connector.close()
        assert connector.state is ChannelState.SHUTDOWN


async def test_closing_does_not_wait_for_a_peer_that_reads_nothing() -> None:
    async with connecting() as connector:
        connection = await connector.connection(wait_for_ready=False)
        near, _far = connector.links[0]
        near.hold()
        await connector.close()
        assert connection.ended.done()
