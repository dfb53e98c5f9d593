"""Running a handler: one coroutine for each kind of method, and what its end means for the call."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from penstock._deadline import INHERITED
from penstock._ending import OK, close_here
from penstock._forms import check_arguments, check_handler, check_services, is_sync, name_of
from penstock._interception import Inside, awaited
from penstock._sync_handlers import SyncStream, in_a_thread
from penstock.codec import PROTOBUF
from penstock.ends import End
from penstock.errors import RpcError, UsageError
from penstock.live import Waiting
from penstock.method import Kind, Method, raw_method, server_codec
from penstock.server_calls import FAILED, ServerStream
from penstock.service import Service
from penstock.status import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from penstock import _engine
    from penstock._interception import Around
    from penstock.limits import Limits

CANCELLED = Status(StatusCode.CANCELLED, "the handler was cancelled")


@dataclass(frozen=True, slots=True)
class Route:
    """A method and what serves it."""

    path: str
    """`*` for the fallback."""
    codec: _engine.Codec
    kind: Kind
    handler: Callable[..., Any]
    is_coroutine_function: bool
    is_protobuf: bool
    """Its messages are google.protobuf's, and no peer may say that they are anything else."""
    around: Around | None
    stream: type[ServerStream[Any, Any]]
    """What its handler sees of a call."""

    async def run(self, call: ServerStream[Any, Any]) -> None:
        """Serve one call, in its own task. Every exception becomes a status, but cancellation goes on."""
        if call._deadline is not None:
            INHERITED.set(call._deadline.when)
        try:
            if self.around is not None:
                await self._serve_inside(call, self.around)
            elif self.kind.one_reply:
                await call._finish_with_reply(await self._one_reply(call))
            else:
                await self._many_replies(call)
                call._finish_ok()
        except asyncio.CancelledError:
            call._finish_with(CANCELLED, End.TASK_CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - whatever a handler raises ends its call, not the server
            self._end_with(call, error)

    async def _serve_inside(self, call: ServerStream[Any, Any], around: Around) -> None:
        """The same inside of the interceptors. They are left before the status goes out, and a reply goes with it."""
        if around.authenticate is not None:
            call._outside = Waiting.AUTHENTICATE
            call.identity = await awaited(around.authenticate, call, "authenticate")
            call._check_going()
        inside, payload = Inside(), None
        outcome: BaseException | None = None
        try:
            call._outside = Waiting.INTERCEPTOR
            try:
                for interceptor in around.interceptors:
                    await inside.enter(interceptor, call)
                    call._check_going()
                call._outside = None
                if self.kind.one_reply:
                    reply = await self._one_reply(call)
                    if call._status is None:  # else the handler cancelled the call, and returned
                        payload = call._accept(reply, True, True)
                else:
                    await self._many_replies(call)
            except BaseException as error:  # noqa: BLE001  # kept: raised below, unless an interceptor raises another
                outcome = error
            call._outside = Waiting.INTERCEPTOR
            while inside:
                call._expected = _expected(call, outcome)
                outcome = await inside.leave_innermost(outcome)
            if outcome is not None:
                raise outcome
        finally:
            # Left here, it and the frames it remembers would keep each other until a garbage collection.
            del outcome
        call._outside = None
        if payload is None:
            call._finish_ok()
        else:
            await call._finish_with_payload(payload)

    async def _one_reply(self, call: ServerStream[Any, Any]) -> Any:
        if self.kind.one_request:
            result = self.handler(await call._receive_only(), call)
        else:
            result = self.handler(call)
        if not self.is_coroutine_function and not isinstance(result, Awaitable):
            raise TypeError(_wrong_result(self.handler, result))
        return await result

    async def _many_replies(self, call: ServerStream[Any, Any]) -> None:
        if self.kind.one_request:
            result = self.handler(await call._receive_only(), call)
        else:
            result = self.handler(call)
        if isinstance(result, AsyncIterator):
            await _send_all(result, call)
        elif isinstance(result, Awaitable):
            returned = await result
            if isinstance(returned, AsyncIterator):
                await _send_all(returned, call)
            elif returned is not None:
                raise TypeError(_lost_reply(self.handler, returned, call.method))
        else:
            raise TypeError(_wrong_result(self.handler, result))

    def _end_with(self, call: ServerStream[Any, Any], error: Exception) -> None:
        _look_at_deadline(call)
        known = _rpc_error(error)
        if known is not None and not known._outcome_of_call:
            call._finish_with(known.status, End.RAISED, known.metadata)
        elif known is None or call._status is None:
            call._finish_failed(error)
        # Otherwise it is how its own call ended, and the log has said so.


def _expected(call: ServerStream[Any, Any], outcome: BaseException | None) -> Status:
    """What the client will be told, if nothing changes the outcome."""
    if outcome is None:
        return OK
    _look_at_deadline(call)
    if isinstance(outcome, asyncio.CancelledError):
        return CANCELLED
    known = _rpc_error(outcome)
    return FAILED if known is None or known._outcome_of_call else known.status


def _look_at_deadline(call: ServerStream[Any, Any]) -> None:
    # What failed for want of time, a call that inherited the deadline, may fail a moment before its timer.
    if call._deadline is not None and call._deadline.is_over():
        call._on_expired()


async def _send_all(replies: AsyncIterator[Any], call: ServerStream[Any, Any]) -> None:
    try:
        async for reply in replies:
            await call.send(reply)
    finally:
        await close_here(replies)


def _rpc_error(error: BaseException) -> RpcError | None:
    """The status an exception carries: its own, or that of the only one in its group."""
    if isinstance(error, RpcError):
        return error
    if isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        return _rpc_error(error.exceptions[0])
    return None


def routes(services: Iterable[Service], limits: Limits, around: Around | None = None) -> dict[str, Route]:
    """Path → route, for all methods.

    Raises:
        UsageError: It is no list of services, a handler is missing or has the wrong form, or two have the same path.
    """
    check_services(services)
    table: dict[str, Route] = {}
    for service in services:
        # A service of a .proto may have no methods (yet); one by hand that says nothing was forgotten.
        if not isinstance(service, Service) or service.METHODS is Service.METHODS:  # type: ignore[redundant-expr]  # not all check types
            what = f"the class {service.__name__}" if isinstance(service, type) else f"a {type(service).__name__}"
            msg = f"{what} is no service with METHODS: pass objects of generated bases, or of Service"
            raise UsageError(msg)
        for name, method in service.METHODS.items():
            handler = check_handler(service, name, method)
            if method.path in table:
                msg = f"{method.path} is served twice"
                raise UsageError(msg)
            table[method.path] = _route(method, limits, handler, around)
    return table


def fallback_route(handler: Callable[..., Any], limits: Limits, around: Around | None = None) -> Route:
    """The route of calls no method fits: a many → many handler of bytes.

    Raises:
        UsageError: The handler has the wrong form.
    """
    if not callable(handler) or inspect.isgeneratorfunction(handler):  # type: ignore[redundant-expr]  # as above
        msg = f"fallback is `async def handler(stream)`, not {handler!r}"
        raise UsageError(msg)
    check_arguments(handler, "fallback", "stream")
    return _route(raw_method("*"), limits, handler, around)


def _route(method: Method[Any, Any], limits: Limits, handler: Callable[..., Any], around: Around | None) -> Route:
    codec = server_codec(method, limits)
    stream: type[ServerStream[Any, Any]] = ServerStream
    if method.kind.one_request and is_sync(handler):
        handler, stream = in_a_thread(handler, codec, one_reply=method.kind.one_reply), SyncStream
    return Route(
        method.path,
        codec,
        method.kind,
        handler,
        inspect.iscoroutinefunction(handler),
        method.codec is PROTOBUF,
        around,
        stream,
    )


def _wrong_result(handler: Callable[..., Any], result: object) -> str:
    return f"{name_of(handler)} returned {type(result).__name__}; handlers of many requests are `async def`"


def _lost_reply(handler: Callable[..., Any], returned: object, path: str) -> str:
    what = f"{name_of(handler)} returned {type(returned).__name__}"
    return f"{what}, but {path} has many replies: yield it, or await stream.send(...)"
