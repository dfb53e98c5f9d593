"""How a server stops: gently within its grace, then for good, with a report of what was open."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock.ends import End
from penstock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from penstock._server_connection import ServerConnection
    from penstock.server_calls import ServerStream

__all__ = ["OpenCall", "StopReport"]

ANSWER_SECONDS = 1.0
"""What a client without calls gets to answer a GOAWAY."""


STOPPING = (signal.SIGINT, signal.SIGTERM)
"""What `serve` stops at."""


@dataclass(frozen=True, slots=True)
class OpenCall:
    """A call that was still open when a server stopped."""

    method: str
    """`/package.Service/Method`."""
    peer: str
    """Address of the client."""


@dataclass(frozen=True, slots=True)
class StopReport:
    """How a server stopped."""

    finished: int
    """Calls that ended by themselves within the grace."""
    cancelled: tuple[OpenCall, ...]
    """Calls that had to be cancelled."""
    stuck: tuple[OpenCall, ...]
    """Of those, the ones whose handler ignored it and still runs."""

    def _after(self, hurried: StopReport) -> StopReport:
        """What this stop saw, when another one cut its grace short: calls that the other cancelled did not finish."""
        return StopReport(
            max(0, self.finished - len(hurried.cancelled)),
            self.cancelled + hurried.cancelled,
            self.stuck + hurried.stuck,
        )


async def end_calls(
    connections: Collection[ServerConnection],
    gone: Collection[ServerConnection],
    detached: Collection[ServerStream[Any, Any]],
    grace: float,
) -> StopReport:
    """Let calls end by themselves for `grace` seconds, then end them; the connections have said GOAWAY.

    Waits until: the handlers of all have ended, or are detached, those of clients that are gone included.
    """
    begun = {call for connection in (*connections, *gone) for call in connection.calls}
    await _wait_for_calls([*connections, *gone], grace)
    left = [call for connection in (*connections, *gone) for call in connection.calls]
    busy = {call._connection.until_finished() for call in left}
    for connection in list(connections):
        connection.end_calls("the server is shutting down")
    if busy:
        # Each call is released when its handler has ended, or when it is detached.
        await asyncio.wait(busy)
    return StopReport(
        finished=len(begun.difference(left)),
        cancelled=tuple(OpenCall(call.method, call.peer) for call in left),
        stuck=tuple(OpenCall(call.method, call.peer) for call in left if call in detached),
    )


async def _wait_for_calls(connections: list[ServerConnection], grace: float) -> None:
    if not connections or grace <= 0:
        return
    loop = asyncio.get_running_loop()
    end = loop.time() + grace
    await asyncio.wait([connection.finished for connection in connections], timeout=grace)
    # Without calls a connection ends by itself, as soon as the client has answered the GOAWAY.
    left = max(0.0, min(end - loop.time(), ANSWER_SECONDS))
    await asyncio.wait([connection.ended for connection in connections], timeout=left)
    # Calls that were under way to us when the GOAWAY was under way to the client are served as well.
    late = [connection.ended for connection in connections if connection.calls]
    if late:
        await asyncio.wait(late, timeout=max(0.0, end - loop.time()))


async def close_connections(connections: Collection[ServerConnection]) -> None:
    """Close all; a peer that reads nothing is given a second."""
    closing = list(connections)
    for connection in closing:
        connection.end_of_calls = End.DRAINED
        connection.engine.flush()  # the last statuses, if nothing had to be waited for
        connection.engine.abort("the server has stopped")
    if closing:
        await asyncio.wait([connection.ended for connection in closing], timeout=1.0)
    for connection in closing:
        if not connection.ended.done():
            connection.abort("the server has stopped")
            await asyncio.wait([connection.ended])  # not itself: others wait for it too when this is cancelled


_hearers: dict[asyncio.AbstractEventLoop, list[asyncio.Queue[signal.Signals]]] = {}
"""Who hears of signals: a loop has one handler for each, and may have several servers."""


@contextlib.contextmanager
def stop_signals(handle: bool) -> Iterator[asyncio.Queue[signal.Signals]]:
    """Give a queue that gets each SIGINT and SIGTERM while the block runs."""
    signalled: asyncio.Queue[signal.Signals] = asyncio.Queue()
    if not handle:
        yield signalled
        return
    if threading.current_thread() is not threading.main_thread():
        msg = "signals come to the main thread alone: say serve(..., handle_signals=False) here, and cancel it to stop"
        raise UsageError(msg)
    loop = asyncio.get_running_loop()
    hearers = _hearers.setdefault(loop, [])
    hearers.append(signalled)
    try:
        for number in STOPPING:
            loop.add_signal_handler(number, _tell, hearers, number)
        yield signalled
    finally:
        hearers.remove(signalled)
        if not hearers:
            del _hearers[loop]
            for number in STOPPING:
                loop.remove_signal_handler(number)


def _tell(hearers: list[asyncio.Queue[signal.Signals]], number: signal.Signals) -> None:
    for hearer in hearers:
        hearer.put_nowait(number)
