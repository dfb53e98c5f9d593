"""Is a call with interceptors gone when it is over, without waiting for a garbage collection?"""

import asyncio
import gc
import logging
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import penstock
from penstock import RpcError, StatusCode
from tests.e2e.around import around, call, every_kind, only_reply, serving, translating
from tests.e2e.support import until
from tests.e2e.test_client_interceptors import not_found, waits_for_ever
from tests.protos.echo_pb2 import Note


async def fails(*_arguments: Any) -> Any:
    raise LookupError("mine")


async def succeeds(*_arguments: Any) -> Any:
    return Note()


@asynccontextmanager
async def watching_itself(call: penstock.Call) -> AsyncIterator[None]:
    """Watch with functions that hold the call, as many will."""
    call.on_send(lambda _message: call)
    call.on_receive(lambda _message: call)
    yield


@pytest.fixture
def no_collections() -> Iterator[None]:
    """Switch garbage collections off."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


TRANSLATED = {
    "as it is": [],
    "translated": [translating(Exception, lambda: RpcError(StatusCode.ABORTED, "translated"))],
}


@every_kind
@pytest.mark.parametrize("handler", [succeeds, not_found, fails, waits_for_ever])
@pytest.mark.parametrize("inner", TRANSLATED.values(), ids=TRANSLATED.keys())
@pytest.mark.usefixtures("no_collections")
async def test_nothing_holds_a_call_and_its_interceptors_once_it_is_over(
    kind: str, handler: Callable[..., Any], inner: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "penstock.server")  # what is logged, pytest holds
    calls: list[weakref.ref[Any]] = []
    left: list[str] = []

    @asynccontextmanager
    async def remember(call: penstock.Call) -> AsyncIterator[None]:
        calls.append(weakref.ref(call))
        try:
            yield
        finally:
            left.append(call.method)

    interceptors = [remember, watching_itself, *inner]
    timeout = 0.02 if handler is waits_for_ever else None
    async with around(serving(kind, handler), client=interceptors, server=interceptors) as pair:
        for _ in range(2):
            with suppress(RpcError):
                await call(pair.client, kind, timeout=timeout)
        await pair.until_no_call_is_open()
        assert len(calls) == len(left) == 4
        await until(lambda: all(call() is None for call in calls), lambda: f"{sum(map(bool, calls))} are held")


def watch_itself(call: Any, calls: list[weakref.ref[Any]]) -> None:
    call.on_send(lambda _message: call)
    call.on_receive(lambda _message: call)
    calls.append(weakref.ref(call))


@every_kind
@pytest.mark.usefixtures("no_collections")
async def test_nothing_holds_a_call_that_is_watched_without_an_interceptor(kind: str) -> None:
    calls: list[weakref.ref[Any]] = []

    async def handler(*arguments: Any) -> Any:
        watch_itself(arguments[-1], calls)
        return only_reply(kind)

    async def use(client: Any) -> None:
        made = getattr(client, kind)(*([Note()] if kind in {"unary", "server_stream"} else []))
        watch_itself(made, calls)
        if kind == "unary":
            await made
            return
        async with made as stream:
            with suppress(penstock.EndOfStream):
                await (stream.receive() if kind == "server_stream" else stream.finish())

    async with around(serving(kind, handler)) as pair:
        for _ in range(2):
            await use(pair.client)
        await pair.until_no_call_is_open()
        assert len(calls) == 4
        await until(lambda: all(call() is None for call in calls), lambda: f"{sum(map(bool, calls))} are held")


@every_kind
async def test_each_interceptor_is_left_however_many_calls_are_cancelled_at_whatever_moment(kind: str) -> None:
    entered = left = 0

    @asynccontextmanager
    async def counting(_call: penstock.Call) -> AsyncIterator[None]:
        nonlocal entered, left
        entered += 1
        try:
            await asyncio.sleep(0)
            yield
        finally:
            left += 1
            await asyncio.sleep(0)

    interceptors = [counting, counting]
    async with around(client=interceptors, server=interceptors) as pair:
        for turns in range(40):
            task = asyncio.create_task(call(pair.client, kind))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        await pair.until_no_call_is_open()
        assert entered == left > 40
