"""What there is of Penstock in this process."""

from __future__ import annotations

import asyncio
import gc
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import penstock
from penstock import _engine, _transport
from penstock._client_call import ClientCall
from penstock._client_connection import ClientConnection
from penstock._life import MADE, WITHDRAWN
from penstock._loop_end import Sentinel
from penstock._server_connection import ServerConnection
from penstock.channel import Channel
from penstock.server import Server
from penstock.testing import origins

PACKAGE = str(Path(penstock.__file__).parent)


class Baseline:
    """What there was before, and is not looked for.

    Args:
        everything: There was nothing. Else what there is now was there before, and so were the channels and servers
            that nobody saw being made.
    """

    def __init__(self, *, everything: bool) -> None:
        self.everything = everything
        self.transports = set() if everything else set(_transport.live_transports())
        self.engine_connections = 0 if everything else _engine.live_connections()
        self.tasks = set() if everything else set(tasks())
        self._made = WeakSet() if everything else WeakSet(origins.made_at)

    def had(self, thing: object) -> bool:
        """It was there before: a channel, a server, a call, a generator."""
        return not self.everything and (thing is None or thing not in origins.made_at or thing in self._made)


def find(before: Baseline, *, all_tasks: bool = False) -> list[str]:
    """Tell what there is that there was not before, a line for each; unreachable objects may be among it.

    Args:
        before: What is not looked for.
        all_tasks: Tasks that are not Penstock's as well.
    """
    found: list[str] = []
    calls = {call for call in origins.known(ClientCall) if not before.had(call) and _goes_on(call)}
    transports = [each for each in _transport.live_transports() if each not in before.transports]
    for each in transports:
        owner = _owner(each)
        if not before.had(owner):
            found += _of_transport(each, owner)
            calls |= each.calls if isinstance(each, ClientConnection) else set()
    found += [f"call {call.method} to {call._channel._address}{origins.where(call)}" for call in calls]
    for server in origins.known(Server):
        if server._listeners and not before.had(server):
            found.append(f"server that listens on {', '.join(server.addresses)}{origins.where(server)}")
    found += [
        f"task {_of_task(task)}" for task in tasks() if task not in before.tasks and (all_tasks or _is_ours(task))
    ]
    found += [f"open generator of {origins.made_at[each]}" for each in _generators() if not before.had(each)]
    lost = _lost_in_engine(before.engine_connections + len(transports))
    return found + ([f"connections in the engine that nobody holds: {lost}"] if lost > 0 else [])


def are_open(before: Baseline) -> bool:
    """There is a connection that is looked for."""
    return any(each not in before.transports and not before.had(_owner(each)) for each in _transport.live_transports())


def tasks() -> list[asyncio.Task[Any]]:
    """Give the unfinished tasks of the running loop; none outside of a loop.

    Without the one that asks, and without those of servers that listen: the servers are told of.
    """
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        return []
    others = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
    return [task for task in others if getattr(task.get_coro(), "cr_code", None) is not Sentinel.CODE]


def _owner(transport: _transport.Transport) -> Server | Channel | None:
    if isinstance(transport, ServerConnection):
        return next((server for server in origins.known(Server) if server._core is transport._core), None)
    for channel in origins.known(Channel):
        if channel._connector is not None and transport in channel._connector.connections:
            found: Channel = channel
            return found
    return None


def _of_transport(transport: _transport.Transport, owner: Server | Channel | None) -> Iterator[str]:
    if isinstance(transport, ServerConnection):
        yield f"server's connection from {transport.peer}; the server{origins.where(owner)}"
        yield from (f"  call {call.method} on it" for call in transport.calls)
    else:
        yield f"client's connection to {transport.peer}; the channel{origins.where(owner)}"


def _goes_on(call: ClientCall[Any, Any]) -> bool:
    return call.end is None and call._life is not MADE and call._life is not WITHDRAWN


def _lost_in_engine(expected: int) -> int:
    lost = _engine.live_connections() - expected
    if lost > 0:
        # Closed ones live as long as a program holds a call or a channel of theirs: no leak of ours.
        closed = [thing for thing in gc.get_objects() if isinstance(thing, _transport.Transport)]
        lost -= len(closed) - len(_transport.live_transports())
    return lost


def _of_task(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return f"{task.get_name()!r} of {getattr(coroutine, '__qualname__', coroutine)}{origins.waits_at(coroutine)}"


def _is_ours(task: asyncio.Task[Any]) -> bool:
    code = getattr(task.get_coro(), "cr_code", None)
    return code is not None and code.co_filename.startswith(PACKAGE)


def _generators() -> Iterator[object]:
    for thing in origins.known(types.AsyncGeneratorType):
        if thing.ag_frame is not None:
            yield thing
    for thing in origins.known(types.GeneratorType):
        if thing.gi_frame is not None:
            yield thing
