"""What both servers do with a picture: what is Penstock's and what is grpcio's is in their own files."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing

from examples.image_service.images_pb2 import Picture, Result
from examples.image_service.pieces import cut, joined
from examples.image_service.work import NotAPictureError
from examples.image_service.workers import Outcome, Workers


async def improve(request: Picture, workers: Workers) -> Result:
    """Answer one picture.

    Raises:
        NotAPictureError: It is none.
    """
    outcome = await workers.begin(request.data)
    if isinstance(outcome, NotAPictureError):
        raise outcome
    return Result(data=outcome.data, image_seconds=outcome.image_seconds)


async def improve_all(requests: AsyncIterable[Picture], workers: Workers) -> AsyncGenerator[Result, None]:
    """Answer each picture, in order.

    Raises:
        PiecesError: What came makes no picture.
    """
    async with aclosing(workers.in_order(joined(requests))) as outcomes:
        async for outcome in outcomes:
            for result in _results(outcome):
                yield result


def _results(outcome: Outcome) -> Iterator[Result]:
    if isinstance(outcome, NotAPictureError):
        yield Result(problem=str(outcome))
        return
    for data, more in cut(outcome.data):
        yield Result(data=data, more=more, image_seconds=0 if more else outcome.image_seconds)
