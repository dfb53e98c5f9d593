"""grpcio's asyncio server: handlers that are async generators."""

import asyncio
from collections.abc import AsyncIterator

import grpc

from benchmarks.tokens.load import METHOD, piece
from benchmarks.tokens.pacing import Queues, pace
from benchmarks.work import announce, until_told
from examples.tokens.tokens_pb2 import Piece, Prompt

Context = grpc.aio.ServicerContext[Prompt, Piece]


async def main() -> None:
    """Serve until told to stop."""
    queues = Queues(pace())
    working = asyncio.create_task(queues.run())

    async def generate(request: Prompt, context: Context) -> AsyncIterator[Piece]:
        del request, context
        with queues.queue() as queue:
            while True:
                await queue.get()
                yield piece()

    _, service, method = METHOD.split("/")
    handler = grpc.unary_stream_rpc_method_handler(
        generate, request_deserializer=Prompt.FromString, response_serializer=Piece.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {method: handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(f"127.0.0.1:{port}")
    await until_told()
    working.cancel()
    await server.stop(None)


if __name__ == "__main__":
    asyncio.run(main())
