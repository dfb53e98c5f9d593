"""Where Python code stands: of a task that waits, of a thread that works. For people."""

from __future__ import annotations

import gc
import inspect
import sys
import traceback
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Iterator
    from types import FrameType

NOWHERE = "  (nowhere in Python)\n"

DEEPEST = 100
"""Frames shown at most, the innermost."""


def of_task(task: asyncio.Task[Any]) -> str:
    """Where a task waits, the innermost frame last, as in a traceback. `Task.get_stack` knows the outermost only."""
    return _format(_waiting_frames(task.get_coro()))


def of_thread(thread: int | None) -> str:
    """Where a thread is now, the innermost frame last."""
    frame = None if thread is None else sys._current_frames().get(thread)
    frames = [] if frame is None else [frame for frame, _line in traceback.walk_stack(frame)]
    return _format(reversed(frames))


def _format(frames: Iterable[FrameType]) -> str:
    shown = [(frame, frame.f_lineno) for frame in deque(frames, DEEPEST)]
    return "".join(traceback.StackSummary.extract(iter(shown)).format()) or NOWHERE


def _waiting_frames(awaitable: object) -> Iterator[FrameType]:
    seen: set[int] = set()
    while awaitable is not None and id(awaitable) not in seen:
        seen.add(id(awaitable))
        if inspect.iscoroutine(awaitable):
            frame, awaitable = awaitable.cr_frame, awaitable.cr_await
        elif inspect.isgenerator(awaitable):
            frame, awaitable = awaitable.gi_frame, awaitable.gi_yieldfrom
        elif inspect.isasyncgen(awaitable):
            frame, awaitable = awaitable.ag_frame, awaitable.ag_await
        else:
            # A step of an async generator, for one, shows what it is a step of to the garbage collector only.
            frame, awaitable = None, _held_by(awaitable)
        if frame is not None:
            yield frame


def _held_by(awaitable: object) -> object:
    if type(awaitable).__module__ != "builtins":
        return None
    tests = (inspect.iscoroutine, inspect.isgenerator, inspect.isasyncgen)
    return next((held for held in gc.get_referents(awaitable) if any(test(held) for test in tests)), None)
