"""What the client does with a call: some messages, then what ends it, unless the handler does."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import penstock
from penstock import CallOptions, Kind, RpcError, StatusCode
from tests.protos.echo_pb2 import Note
from tests.stress.soak.handlers import GARBAGE, IDLE_SECONDS, methods
from tests.stress.soak.lines import MOST_BYTES
from tests.stress.soak.plan import Chance, Plan

MOST_TURNS = 20
LOOK_SECONDS = 0.02

METHODS = {
    form: {method.kind: method for method in methods(form).values() if not method.path.endswith("Full")}
    for form in ("Coroutines", "Generators", "Threads")
}


class LeftError(Exception):
    """What a program raises in its block."""


async def _no_credentials(call: penstock.ClientCall[Any, Any]) -> dict[str, str]:
    raise RpcError(StatusCode.PERMISSION_DENIED, "no")


def options(plan: Plan, chance: Chance) -> dict[str, Any]:
    """What the call is made with."""
    settings: dict[str, Any] = {"metadata": plan.metadata(), "wait_for_ready": chance.random.random() < 0.9}
    program = plan.way.program
    if program == "deadline":
        settings["timeout"] = chance.pause_seconds()
    elif program in {"first_message", "receive_idle", "send_idle"}:
        seconds: Any = {f"{program}_timeout_seconds": IDLE_SECONDS}
        settings["options"] = CallOptions(**seconds)
    elif program == "lack_credentials":
        settings["options"] = CallOptions(credentials=_no_credentials)
    return settings


def make(channel: penstock.Channel, plan: Plan, chance: Chance) -> Any:
    """Make the call; it has not begun."""
    given = options(plan, chance)
    method = METHODS[plan.form][plan.kind]
    if plan.kind is Kind.BOTH_STREAM:
        return channel.call_both_stream(method, **given)
    if plan.kind is Kind.CLIENT_STREAM:
        return channel.call_client_stream(method, **given)
    request = Note(payload=bytes(plan.note_bytes))
    if plan.kind is Kind.SERVER_STREAM:
        return channel.call_server_stream(method, request, **given)
    return channel.call_unary(method, request, **given)


async def use(call: Any, plan: Plan) -> None:
    """Go through a call of any kind, from its begin to its end."""
    if plan.kind is Kind.UNARY:
        await call
        return
    async with call:
        await _begin(call, plan)
        await INSIDE.get(plan.way.program, _wait)(call, plan)


async def _begin(call: Any, plan: Plan) -> None:
    """Send and receive what goes well."""
    if plan.kind.one_request or plan.way.program == "keep_silent":
        return
    note = Note(payload=bytes(plan.note_bytes))
    for _ in range(plan.notes):
        await call.send(note)
        if plan.kind is Kind.BOTH_STREAM and plan.way.handler != "wait_silently":
            await call.receive()


async def _finish(call: Any, plan: Plan) -> None:
    if plan.kind is not Kind.SERVER_STREAM:
        await call.finish()
        return
    count = 0
    async for _ in call:
        count += 1
    assert count == plan.notes, f"{count} replies, not {plan.notes}"


async def _wait(call: Any, plan: Plan) -> None:
    """Wait for what the server does, and do not half-close."""
    if plan.kind is Kind.CLIENT_STREAM:
        await call.initial_metadata()  # raises how the call ended
        return
    async for _ in call:
        pass


async def _send_on(call: Any, plan: Plan) -> None:
    """Send until nobody listens any more."""
    with suppress(penstock.EndOfStream):
        while True:
            await call.send(Note())
    await call.finish()


async def _break_out(call: Any, plan: Plan) -> None:
    if plan.kind is Kind.SERVER_STREAM or plan.floods:
        async for _ in call:
            break


async def _leave(call: Any, plan: Plan) -> None:
    """At once."""


async def _raise_inside(call: Any, plan: Plan) -> None:
    raise LeftError


async def _stall(call: Any, plan: Plan) -> None:
    """Take nothing until it has ended, and then what had come."""
    while call.end is None:  # noqa: ASYNC110 - see below
        await asyncio.sleep(LOOK_SECONDS)  # real time: who does not receive is not told
    async for _ in call:
        pass


async def _send_too_much(call: Any, plan: Plan) -> None:
    await call.send(Note(payload=bytes(MOST_BYTES + 1)))
    await _wait(call, plan)


async def _send_garbage(call: Any, plan: Plan) -> None:
    await call._send_waiting(GARBAGE)
    await _wait(call, plan)


INSIDE: dict[str, Callable[[Any, Plan], Awaitable[None]]] = {
    "finish": _finish,
    "cancel_anywhere": _finish,
    "send_on": _send_on,
    "break_out": _break_out,
    "leave": _leave,
    "raise_inside": _raise_inside,
    "stall": _stall,
    "send_too_much": _send_too_much,
    "send_garbage": _send_garbage,
}

# Beside the task that uses the call.


async def _task_cancelled(task: asyncio.Task[None], call: Any, plan: Plan, chance: Chance) -> None:
    await _some_turns(task, chance)
    task.cancel()


async def _cancelled(task: asyncio.Task[None], call: Any, plan: Plan, chance: Chance) -> None:
    await _some_turns(task, chance)
    call.cancel()


async def _killed(task: asyncio.Task[None], call: Any, plan: Plan, chance: Chance) -> None:
    await _some_turns(task, chance)
    while not task.done():
        for live in call._channel.streams():
            if live.id == call.id:
                live.kill("the soak says so")
                return
        await asyncio.sleep(0)


async def _some_turns(task: asyncio.Task[None], chance: Chance) -> None:
    """By turns of the loop, not by time: some of them fall before the call is on the wire."""
    for _ in range(chance.random.randrange(MOST_TURNS)):
        await asyncio.sleep(0)


BESIDE: dict[str, Callable[[asyncio.Task[None], Any, Plan, Chance], Awaitable[None]]] = {
    "cancel_task": _task_cancelled,
    "cancel_anywhere": _task_cancelled,
    "cancel": _cancelled,
    "kill": _killed,
}


async def run(call: Any, plan: Plan, chance: Chance) -> None:
    """Make the call to its end.

    Raises:
        Exception: What no program should get.
    """
    beside = BESIDE.get(plan.way.program)
    if beside is None:
        with suppress(RpcError, LeftError, penstock.EndOfStream):  # its end is judged
            await use(call, plan)
        return
    task = asyncio.ensure_future(use(call, plan))
    await beside(task, call, plan, chance)
    await asyncio.wait([task])
    if not task.cancelled():
        with suppress(RpcError, penstock.EndOfStream):
            task.result()
