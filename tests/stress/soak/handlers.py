"""The handlers: coroutines, async generators, and sync ones in threads. Each does what the plan of its call says."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any, ClassVar, Never

import penstock
from penstock import RpcError, Service, StatusCode
from tests.protos.echo_pb2 import Note
from tests.protos.echo_penstock import EchoBase
from tests.stress.soak.lines import MOST_BYTES
from tests.stress.soak.plan import Plan
from tests.stress.soak.watch import Watch

Act = Callable[[Plan, "penstock.ServerStream[Any, Any]", penstock.Server], Awaitable[object]]

IDLE_SECONDS = 0.03
FLOOD = Note(payload=bytes(4000))
GARBAGE = b"\xff"


def methods(form: str) -> dict[str, penstock.Method[Any, Any]]:
    """Give the four kinds of the echo service, in the name of a service here."""
    renamed = {
        name: replace(method, path=method.path.replace("penstock.test.echo.Echo", f"penstock.soak.{form}"))
        for name, method in EchoBase.METHODS.items()
    }
    return {**renamed, "full": replace(renamed["both_stream"], path=f"/penstock.soak.{form}/Full")}


class Coroutines(Service):
    """Handlers that send."""

    METHODS: ClassVar = methods("Coroutines")

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    async def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        with self.watch.serving(call) as plan:
            await self.act(plan, call)
            return request

    async def server_stream(self, request: Note, stream: "penstock.ServerStream[Never, Note]") -> None:
        with self.watch.serving(stream) as plan:
            for _ in range(plan.replies):
                await stream.send(request)
            await self.act(plan, stream)

    async def client_stream(self, stream: "penstock.ServerStream[Note, Never]") -> Note:
        with self.watch.serving(stream) as plan:
            count = 0
            async for _ in self.requests(plan, stream):
                count += 1
            await self.act(plan, stream)
            return Note(number=count)

    async def both_stream(self, stream: "penstock.ServerStream[Note, Note]") -> None:
        with self.watch.serving(stream) as plan:
            async with aclosing(self.requests(plan, stream)) as requests:
                async for note in requests:
                    await stream.send(note)
            await self.act(plan, stream)

    async def full(self, stream: "penstock.ServerStream[Note, Note]") -> None:
        await self.both_stream(stream)

    async def requests(self, plan: Plan, stream: "penstock.ServerStream[Note, Any]") -> AsyncGenerator[Note]:
        """Give what is received before the plan says to act."""
        if plan.way.handler == "first_message":
            stream.set_message_timeouts(first_message_timeout_seconds=IDLE_SECONDS)
        if plan.way.handler == "wait_silently":
            return
        count = 0
        async for note in stream:
            yield note
            count += 1
            if count == plan.notes and plan.way.handler != "return":
                return

    async def act(self, plan: Plan, stream: "penstock.ServerStream[Any, Any]") -> None:
        """Do what the plan says."""
        await ACTS[plan.way.handler](plan, stream, self.watch.server)


class Generators(Coroutines):
    """Handlers that yield, where there are many replies."""

    METHODS: ClassVar = methods("Generators")

    async def server_stream(  # type: ignore[override]  # the other form of the same
        self, request: Note, stream: "penstock.ServerStream[Never, Note]"
    ) -> AsyncIterator[Note]:
        with self.watch.serving(stream) as plan:
            for _ in range(plan.replies):
                yield request
            while plan.floods:
                yield FLOOD
            await self.act(plan, stream)

    async def both_stream(  # type: ignore[override]  # as above
        self, stream: "penstock.ServerStream[Note, Note]"
    ) -> AsyncIterator[Note]:
        with self.watch.serving(stream) as plan:
            async with aclosing(self.requests(plan, stream)) as requests:
                async for note in requests:
                    yield note
            while plan.floods:
                yield FLOOD
            await self.act(plan, stream)

    async def full(self, stream: "penstock.ServerStream[Note, Note]") -> None:
        await Coroutines.both_stream(self, stream)


class Threads(Service):
    """Sync handlers: each step is a job for a thread."""

    METHODS: ClassVar = {name: each for name, each in methods("Threads").items() if each.kind.one_request}

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def unary(self, request: Note, call: penstock.ServerCall) -> Note:
        with self.watch.serving(call) as plan:
            _act_in_a_thread(plan)
            return request

    def server_stream(self, request: Note, stream: "penstock.ServerStream[Never, Note]") -> Iterator[Note]:
        with self.watch.serving(stream) as plan:
            for _ in range(plan.replies):
                yield request
            while plan.floods:
                yield FLOOD
            _act_in_a_thread(plan)


def _act_in_a_thread(plan: Plan) -> None:
    if plan.way.handler == "refuse":
        raise RpcError(StatusCode.NOT_FOUND, "no such room")
    if plan.way.handler == "fail":
        msg = "nobody expected it"
        raise ValueError(msg)


async def _return(plan: Plan, stream: Any, server: penstock.Server) -> None:
    """Nothing is left to do."""


async def _refuse(plan: Plan, stream: Any, server: penstock.Server) -> None:
    _act_in_a_thread(plan)


async def _hang(plan: Plan, stream: Any, server: penstock.Server) -> None:
    if plan.floods:
        await _flood(plan, stream, server)
    if plan.place == "receive" and not plan.kind.one_request:
        async for _ in stream:
            pass
    await asyncio.get_running_loop().create_future()


async def _read(plan: Plan, stream: Any, server: penstock.Server) -> None:
    async for _ in stream:
        pass


async def _flood(plan: Plan, stream: Any, server: penstock.Server) -> None:
    while True:
        await stream.send(FLOOD)


async def _cancel(plan: Plan, stream: Any, server: penstock.Server) -> None:
    stream.cancel()


async def _cancel_task(plan: Plan, stream: Any, server: penstock.Server) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await _hang(plan, stream, server)


async def _kill(plan: Plan, stream: Any, server: penstock.Server) -> None:
    (live,) = [live for live in server.streams(peer=stream.peer) if live.id == stream.id]
    live.kill("the soak says so")
    await _hang(plan, stream, server)


async def _receive_idle(plan: Plan, stream: Any, server: penstock.Server) -> None:
    stream.set_message_timeouts(receive_idle_timeout_seconds=IDLE_SECONDS)
    await _hang(plan, stream, server)


async def _send_idle(plan: Plan, stream: Any, server: penstock.Server) -> None:
    stream.set_message_timeouts(send_idle_timeout_seconds=IDLE_SECONDS)
    await _hang(plan, stream, server)


async def _reply_too_much(plan: Plan, stream: Any, server: penstock.Server) -> None:
    await stream.send(Note(payload=bytes(MOST_BYTES + 1)))
    await _hang(plan, stream, server)


async def _reply_garbage(plan: Plan, stream: Any, server: penstock.Server) -> None:
    await stream._send_waiting(GARBAGE)
    await _hang(plan, stream, server)


ACTS: dict[str, Act] = {
    "return": _return,
    "break_out": _return,
    "refuse": _refuse,
    "fail": _refuse,
    "hang": _hang,
    "read": _read,
    "first_message": _hang,
    "wait_silently": _hang,
    "flood": _flood,
    "cancel": _cancel,
    "cancel_task": _cancel_task,
    "kill": _kill,
    "receive_idle": _receive_idle,
    "send_idle": _send_idle,
    "reply_too_much": _reply_too_much,
    "reply_garbage": _reply_garbage,
}
