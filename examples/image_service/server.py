"""Serve the image service with Penstock, until Ctrl+C."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

import penstock
from examples.image_service import command_line, service
from examples.image_service.images_pb2 import Picture, Result
from examples.image_service.images_penstock import ImagesBase
from examples.image_service.pieces import PiecesError
from examples.image_service.work import NotAPictureError
from examples.image_service.workers import Workers


class Images(ImagesBase):
    """Improves pictures in threads; the event loop goes on moving bytes."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    async def improve(self, request: Picture, _call: penstock.ServerCall) -> Result:
        try:
            return await service.improve(request, self.workers)
        except NotAPictureError as error:
            raise penstock.RpcError(penstock.StatusCode.INVALID_ARGUMENT, str(error)) from None

    async def improve_all(self, stream: penstock.ServerStream[Picture, Result]) -> AsyncGenerator[Result, None]:
        try:
            async with aclosing(service.improve_all(stream, self.workers)) as results:
                async for result in results:
                    yield result
        except PiecesError as error:
            raise penstock.RpcError(penstock.StatusCode.INVALID_ARGUMENT, str(error)) from None


def main() -> None:
    """Read the command line, and serve."""
    options = command_line.of_server(__doc__)
    server = penstock.Server([Images(Workers(options.workers))])
    command_line.run(server.serve(options.address))


if __name__ == "__main__":
    main()
