"""How much does a task do that never has to wait, before others run?"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any, Never

import pytest

import penstock
from tests.e2e.support import Echo, connected, until, within_bound
from tests.protos.echo_pb2 import Note

pytestmark = pytest.mark.loops

BOUNDLESS = penstock.Limits(stream_window_bytes=2**31 - 1, send_buffer_bytes=2**30)
"""With these a sender never waits for its peer."""

MOST_STEPS_IN_A_TURN = 20_000
"""A slice is a millisecond and a step at least 0.1 us: 10,000 steps on any machine, and as many for a second slice."""

TOTAL = 60_000
"""Messages that wait for a receiver: many slices."""

NOTE = Note(text="more")


class Pace:
    """Counts the steps of a greedy task, and the most of them within one turn of the loop."""

    def __init__(self) -> None:
        self.steps = 0
        self.most = 0
        self._before = 0
        self._over = False
        self._loop = asyncio.get_running_loop()
        self._loop.call_soon(self._turn)

    def stop(self) -> None:
        """Count no more turns."""
        self._over = True

    def _turn(self) -> None:
        self.most = max(self.most, self.steps - self._before)
        self._before = self.steps
        if not self._over:
            self._loop.call_soon(self._turn)


class Endless:
    """A handler in every form that sends without end, and awaits nothing but its sends."""

    def __init__(self) -> None:
        self.pace = Pace()
        self.outcomes: list[str] = []

    async def send(self, _request: Note, stream: "penstock.ServerStream[Never, Note]") -> None:
        async def each() -> None:
            for note in self._notes():
                await stream.send(note)

        await self._until_told(each())

    async def send_many(self, _request: Note, stream: "penstock.ServerStream[Never, Note]") -> None:
        await self._until_told(stream.send_many(self._notes()))

    async def send_from(self, _request: Note, stream: "penstock.ServerStream[Never, Note]") -> None:
        await self._until_told(stream.send_from(self._notes()))

    async def generate(self, _request: Note, _stream: "penstock.ServerStream[Never, Note]") -> AsyncIterator[Note]:
        try:
            for note in self._notes():
                yield note
        finally:
            self.outcomes.append("closed")

    async def _until_told(self, sending: Any) -> None:
        try:
            await sending
        except penstock.RpcError as error:
            self.outcomes.append(error.code.name)
            raise

    def _notes(self) -> Iterator[Any]:
        while True:
            self.pace.steps += 1
            yield NOTE


@pytest.mark.parametrize("form", ["send", "send_many", "send_from", "generate"])
async def test_a_sender_that_never_waits_lets_its_neighbours_and_its_own_deadline_run(form: str) -> None:
    endless = Endless()
    service = Echo(server_stream=getattr(endless, form))
    async with connected(service, server_limits=BOUNDLESS, client_limits=BOUNDLESS) as pair:
        await pair.client.unary(Note())
        async with pair.client.server_stream(Note(), timeout=0.3) as stream:
            await until(lambda: endless.pace.steps)
            assert await within_bound(pair.client.unary(NOTE)) == NOTE
            assert not endless.outcomes, "the neighbour was answered only when the sender was over"
            await until(lambda: stream.status)
            assert stream.status is not None
            assert stream.status.code == penstock.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: endless.outcomes)
        endless.pace.stop()
        # Both sides watch the deadline; the client may be the first to tell.
        told = {"closed"} if form == "generate" else {"DEADLINE_EXCEEDED", "CANCELLED"}
        assert endless.outcomes[0] in told
        assert endless.pace.most <= MOST_STEPS_IN_A_TURN


async def test_a_client_that_never_waits_lets_others_run_too() -> None:
    async with connected(server_limits=BOUNDLESS, client_limits=BOUNDLESS) as pair:
        endless = Endless()
        async with pair.client.both_stream(timeout=0.2) as stream:
            with pytest.raises(penstock.DeadlineExceeded):
                await stream.send_many(endless._notes())
        endless.pace.stop()
        assert endless.pace.most <= MOST_STEPS_IN_A_TURN


async def test_senders_that_never_wait_end_in_the_order_of_their_deadlines() -> None:
    endless = Endless()
    ended = []
    async with connected(Echo(server_stream=endless.send), server_limits=BOUNDLESS, client_limits=BOUNDLESS) as pair:

        async def call(timeout: float) -> None:
            async with pair.client.server_stream(Note(), timeout=timeout) as stream:
                with pytest.raises(penstock.DeadlineExceeded):
                    async for _reply in stream:
                        pass
            ended.append(timeout)

        await within_bound(asyncio.gather(*(call(timeout) for timeout in (0.6, 0.1, 0.3))))
        await until(lambda: len(endless.outcomes) == 3)
        endless.pace.stop()
        assert ended == [0.1, 0.3, 0.6]


async def _take_all(stream: Any, form: str, pace: Pace) -> None:
    try:
        if form == "iterate":
            async for _note in stream:
                pace.steps += 1
        while form == "receive":
            await stream.receive()
            pace.steps += 1
        while form == "receive_many":
            pace.steps += len(await stream.receive_many(10))
    except penstock.EndOfStream:
        pass


@pytest.mark.parametrize("form", ["iterate", "receive", "receive_many"])
async def test_a_handler_for_whom_everything_is_there_lets_its_neighbours_run(form: str) -> None:
    begin, pace = asyncio.Event(), Pace()
    streams: list[Any] = []

    async def listen(stream: penstock.ServerStream[Note, Note]) -> None:
        streams.append(stream)
        await begin.wait()
        await _take_all(stream, form, pace)

    async with connected(Echo(both_stream=listen), server_limits=BOUNDLESS, client_limits=BOUNDLESS) as pair:
        async with pair.client.both_stream() as stream:
            await stream.send_many([NOTE] * TOTAL)
            await until(lambda: streams and streams[0]._held_bytes == TOTAL * (NOTE.ByteSize() + 5))
            await stream.end_sending()
            begin.set()
            await within_bound(pair.client.unary(Note()))
            assert pace.steps < TOTAL, "the neighbour was answered only when the receiver was over"
            await within_bound(stream.finish())
        pace.stop()
        assert pace.steps == TOTAL
        assert pace.most <= MOST_STEPS_IN_A_TURN


@pytest.mark.parametrize("form", ["iterate", "receive", "receive_many"])
async def test_a_client_for_whom_everything_is_there_lets_other_tasks_run(form: str) -> None:
    stay = asyncio.Event()

    async def feed(_request: Note, stream: penstock.ServerStream[Never, Any]) -> None:
        await stream.send_many([NOTE] * TOTAL)
        await stay.wait()

    async with connected(Echo(server_stream=feed), server_limits=BOUNDLESS, client_limits=BOUNDLESS) as pair:
        async with pair.client.server_stream(Note()) as stream:
            await until(lambda: stream._held_bytes == TOTAL * (NOTE.ByteSize() + 5))
            stay.set()
            pace = Pace()
            await within_bound(_take_all(stream, form, pace))
            pace.stop()
            assert pace.steps == TOTAL
            assert pace.most <= MOST_STEPS_IN_A_TURN
