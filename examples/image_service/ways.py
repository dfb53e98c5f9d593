"""The ways to have pictures improved: a call for each, or one stream for all."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import NamedTuple

import penstock
from examples.image_service.images_pb2 import Picture, Result
from examples.image_service.images_penstock import ImagesClient
from examples.image_service.pieces import cut, joined

CALL_TIMEOUT_SECONDS = 60
STREAM_TIMEOUT_SECONDS = 3600


class Improved(NamedTuple):
    """What came back for one picture."""

    path: Path
    """Where the picture was read."""
    data: bytes
    image_seconds: float
    problem: str
    """Why there is no data; empty when there is."""


Results = AsyncGenerator[Improved, None]


async def unary(client: ImagesClient, paths: Iterable[Path], together: int) -> Results:
    """Make a call for each picture, so many of them at once, and give the results in order."""
    calls: deque[asyncio.Task[Improved]] = deque()
    try:
        for path in paths:
            calls.append(asyncio.create_task(_call(client, path)))
            if len(calls) == together:
                yield await calls.popleft()
        while calls:
            yield await calls.popleft()
    finally:
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


async def stream(client: ImagesClient, paths: Iterable[Path], _together: int) -> Results:
    """Send all pictures on one stream, as fast as the server takes them; it answers in order."""
    sent: deque[Path] = deque()
    async with client.improve_all(timeout=STREAM_TIMEOUT_SECONDS) as call:
        sending = asyncio.create_task(_send_all(call, paths, sent))
        try:
            async with aclosing(joined(call)) as results:
                async for data, last in results:
                    yield Improved(sent.popleft(), data, last.image_seconds, last.problem)
            await sending
        except penstock.Cancelled:
            await sending  # a file that cannot be read has cancelled the call
            raise
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def lockstep(client: ImagesClient, paths: Iterable[Path], _together: int) -> Results:
    """Use one stream like calls: send a picture, wait for its result, send the next."""
    async with client.improve_all(timeout=STREAM_TIMEOUT_SECONDS) as call, aclosing(joined(call)) as results:
        for path in paths:
            await call.send_from(_messages(path))
            data, last = await anext(results)
            yield Improved(path, data, last.image_seconds, last.problem)
        await call.end_sending()


WAYS: Mapping[str, Callable[[ImagesClient, Iterable[Path], int], Results]] = {
    "unary": unary,
    "lockstep": lockstep,
    "stream": stream,
}


async def _call(client: ImagesClient, path: Path) -> Improved:
    try:
        result = await client.improve(_whole(path), timeout=CALL_TIMEOUT_SECONDS)
    except penstock.RpcError as error:
        if error.code is penstock.StatusCode.RESOURCE_EXHAUSTED:
            return Improved(path, b"", 0, f"{error.message} (a stream takes large pictures in pieces)")
        if error.code is penstock.StatusCode.INVALID_ARGUMENT:
            return Improved(path, b"", 0, error.message)
        raise
    return Improved(path, result.data, result.image_seconds, "")


async def _send_all(call: penstock.BothStreamCall[Picture, Result], paths: Iterable[Path], sent: deque[Path]) -> None:
    for path in paths:
        sent.append(path)
        await call.send_from(_messages(path))
    await call.end_sending()


def _whole(path: Path) -> Picture:
    return Picture(data=path.read_bytes())


def _messages(path: Path) -> Iterator[Picture]:
    for data, more in cut(path.read_bytes()):
        yield Picture(data=data, more=more)
