"""What the servers do with a picture: what is Penstock's and what is grpcio's is in their own files."""

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
    return result(await workers.begin(request.data))


async def improve_all(requests: AsyncIterable[Picture], workers: Workers) -> AsyncGenerator[Result, None]:
    """Answer each picture, in order.

    Raises:
        PiecesError: What came makes no picture.
    """
    async with aclosing(workers.in_order(joined(requests))) as outcomes:
        async for outcome in outcomes:
            for message in results(outcome):
                yield message


def result(outcome: Outcome) -> Result:
    """Give the one message that says what became of a picture.

    Raises:
        NotAPictureError: It was none.
    """
    if isinstance(outcome, NotAPictureError):
        raise outcome
    return Result(data=outcome.data, image_seconds=outcome.image_seconds)


def results(outcome: Outcome) -> Iterator[Result]:
    """Give the messages that say what became of a picture."""
    if isinstance(outcome, NotAPictureError):
        yield Result(problem=str(outcome))
        return
    for data, more in cut(outcome.data):
        yield Result(data=data, more=more, image_seconds=0 if more else outcome.image_seconds)
