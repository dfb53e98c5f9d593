"""Entering the interceptors of a call, and leaving them with its outcome. What is promised stands in `interceptors`."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from penstock._forms import check_arguments, check_interceptors, name_of
from penstock.errors import UsageError

if TYPE_CHECKING:
    from penstock.metadata import MetadataLike

Intercepting: TypeAlias = Callable[[Any], AbstractAsyncContextManager[object]]
"""An interceptor of either side."""

FORM = "write `@asynccontextmanager async def name(call): ... yield`"


@dataclass(frozen=True, slots=True)
class Around:
    """What a program put around every call of a channel, or of a server."""

    interceptors: tuple[Intercepting, ...]
    """The first is the outermost."""
    credentials: tuple[Callable[[Any], Awaitable[MetadataLike]], ...] = ()
    """Of a channel; the call's own come last."""
    authenticate: Callable[[Any], Awaitable[object]] | None = None
    """Of a server."""


class Inside:
    """The interceptors that one call is inside of."""

    __slots__ = ("_entered",)

    def __init__(self) -> None:
        self._entered: list[tuple[Intercepting, AbstractAsyncContextManager[object]]] = []

    def __bool__(self) -> bool:
        return bool(self._entered)

    async def enter(self, interceptor: Intercepting, call: object) -> None:
        """Enter the next one, inside of those before it. If it raises, those are entered, and to be left."""
        manager = interceptor(call)
        if not hasattr(manager, "__aenter__") or not hasattr(manager, "__aexit__"):
            raise _misuse(interceptor, f"gave no async context manager but {type(manager).__name__}: {FORM}")
        try:
            await manager.__aenter__()
        except RuntimeError as error:
            if str(error) == "generator didn't yield":
                raise _misuse(interceptor, "ended without a yield; to refuse a call, raise an RpcError") from error
            raise
        self._entered.append((interceptor, manager))

    async def leave_innermost(self, outcome: BaseException | None) -> BaseException | None:
        """Leave one with the outcome. Gives the outcome for the next one: the same, or what this one raised."""
        interceptor, manager = self._entered.pop()
        try:
            if outcome is None:
                await manager.__aexit__(None, None, None)
            else:
                await manager.__aexit__(type(outcome), outcome, outcome.__traceback__)
            return outcome
        except RuntimeError as error:
            if not str(error).startswith("generator didn't stop"):
                return error
            await _close(manager)
            misuse = _misuse(interceptor, "yields twice; it has one yield, and goes on when the call is over")
            misuse.__cause__ = outcome
            return misuse
        except BaseException as error:  # noqa: BLE001  # kept: the next one gets it, and the last is raised
            return outcome if outcome is not None and _is_alone_in(error, outcome) else error
        finally:
            # Left here, an error and the frames it remembers would keep each other until a garbage collection.
            del outcome, manager


def around_server(
    interceptors: Iterable[Intercepting], authenticate: Callable[[Any], Awaitable[object]] | None
) -> Around | None:
    """What is around every call of a server; `None` if nothing is.

    Raises:
        UsageError: One of them has the wrong form.
    """
    known = checked(interceptors)
    if authenticate is not None:
        check_awaitable(authenticate, "authenticate")
        check_arguments(authenticate, "authenticate", "call")
    return Around(known, authenticate=authenticate) if known or authenticate is not None else None


def checked(interceptors: Iterable[Intercepting]) -> tuple[Intercepting, ...]:
    """Look at their form, as far as it can be seen before a call.

    Raises:
        UsageError: It is no list, or one is no function of a call that gives an async context manager.
    """
    check_interceptors(interceptors)
    known = tuple(interceptors)
    for interceptor in known:
        if not callable(interceptor):
            raise _misuse(interceptor, f"is no function: {FORM}")
        if _is(inspect.isasyncgenfunction, interceptor) or _is(inspect.isgeneratorfunction, interceptor):
            raise _misuse(interceptor, f"is a plain generator: {FORM}")
        if _is(inspect.iscoroutinefunction, interceptor):
            raise _misuse(interceptor, f"is a coroutine function: {FORM}")
        check_arguments(interceptor, f"the interceptor {name_of(interceptor)}", "call")
    return known


def check_awaitable(function: Callable[..., Awaitable[object]], what: str) -> None:
    """Look at the form of what is awaited for each call.

    Raises:
        UsageError: It is no coroutine function, nor an object that may be called as one.
    """
    is_generator = _is(inspect.isgeneratorfunction, function) or _is(inspect.isasyncgenfunction, function)
    if is_generator or not callable(function):
        msg = f"{what} is `async def name(call)`, not {name_of(function)}"
        raise UsageError(msg)


async def awaited(function: Callable[[Any], Awaitable[Any]], call: object, what: str) -> Any:
    """Await what such a function gives for a call.

    Raises:
        UsageError: It gave something that cannot be awaited.
    """
    waiting = function(call)
    if not inspect.isawaitable(waiting):
        msg = f"{what} is `async def name(call)`, but {name_of(function)} returned {type(waiting).__name__}"
        raise UsageError(msg)
    return await waiting


def _is_alone_in(error: BaseException, outcome: BaseException) -> bool:
    """A `TaskGroup` puts what passes through it into a group, which says no more than that."""
    while error is not outcome and isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error is outcome


async def _close(manager: object) -> None:
    # Python 3.11 leaves the generator where it is; it ends here, in its own task.
    generator = getattr(manager, "gen", None)
    if generator is not None:
        await generator.aclose()


def _is(test: Callable[[object], bool], function: object) -> bool:
    return test(function) or test(getattr(type(function), "__call__", None))  # noqa: B004 - what it does when called


def _misuse(interceptor: object, what: str) -> UsageError:
    return UsageError(f"the interceptor {name_of(interceptor)} {what}")
