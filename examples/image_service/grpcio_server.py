"""Serve the same with grpcio, until Ctrl+C: with its asyncio API, so that all but this file is shared."""

from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from typing import Any

import grpc

from examples.image_service import command_line, service
from examples.image_service.images_pb2 import Picture, Result
from examples.image_service.pieces import PiecesError
from examples.image_service.work import NotAPictureError
from examples.image_service.workers import Workers

OPTIONS = [("grpc.so_reuseport", 0)]
"""Without this a second server takes the same port, and half of the calls."""

Context = grpc.aio.ServicerContext[Picture, Result]


class Images:
    """Improves pictures in threads; grpcio has threads of its own that move bytes."""

    def __init__(self, workers: Workers) -> None:
        self.workers = workers

    async def improve(self, request: Picture, context: Context) -> Result:
        try:
            return await service.improve(request, self.workers)
        except NotAPictureError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))

    async def improve_all(self, requests: AsyncIterable[Picture], context: Context) -> AsyncGenerator[Result, None]:
        try:
            async with aclosing(service.improve_all(requests, self.workers)) as results:
                async for result in results:
                    yield result
        except PiecesError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))


def methods(images: Any) -> grpc.GenericRpcHandler:
    """Register the handlers, as generated code does."""
    read, write = Picture.FromString, Result.SerializeToString
    return grpc.method_handlers_generic_handler(
        "penstock.examples.images.Images",
        {
            "Improve": grpc.unary_unary_rpc_method_handler(images.improve, read, write),
            "ImproveAll": grpc.stream_stream_rpc_method_handler(images.improve_all, read, write),
        },
    )


def listen(server: grpc.Server | grpc.aio.Server, address: str) -> None:
    """Listen on an address, and say so.

    Raises:
        OSError: It cannot be listened on.
    """
    try:
        port = server.add_insecure_port(address)
    except RuntimeError as error:
        raise OSError(f"cannot listen on {address}: {error}") from error
    print(f"listening on {address.rpartition(':')[0]}:{port}", flush=True)


async def serve(address: str, workers: Workers) -> None:
    """Serve until cancelled.

    Raises:
        OSError: The address cannot be listened on.
    """
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers([methods(Images(workers))])
    listen(server, address)
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Read the command line, and serve."""
    options = command_line.of_server(__doc__)
    command_line.run(serve(options.address, Workers(options.workers)))


if __name__ == "__main__":
    main()
