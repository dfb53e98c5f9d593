"""A proxy that reads and changes one method, and forwards the others as bytes."""

import argparse
from functools import partial
from typing import Never

import penstock
from examples.proxy import command_line
from examples.proxy.forwarding import forward
from examples.tutorial.server_stream_pb2 import ServerStreamReq, ServerStreamResp
from examples.tutorial.server_stream_penstock import ServerStreamServerBase, ServerStreamServerClient


class Shouting(ServerStreamServerBase):
    """Passes each line on in capitals."""

    def __init__(self, channel: penstock.Channel) -> None:
        self._onward = ServerStreamServerClient(channel)

    async def server_stream(
        self, request: ServerStreamReq, stream: penstock.ServerStream[Never, ServerStreamResp]
    ) -> None:
        try:
            async with self._onward.server_stream(request, metadata=stream.metadata) as lines:
                async for line in lines:
                    await stream.send(ServerStreamResp(data=line.data.upper()))
        except penstock.RpcError as error:
            raise error.relay() from error


async def run(options: argparse.Namespace) -> None:
    """Serve until Ctrl+C."""
    tls, tls_onward = command_line.contexts(options)
    plaintext = options.plaintext
    async with penstock.Channel(options.to, tls=tls_onward, plaintext=plaintext and tls_onward is None) as channel:
        server = penstock.Server([Shouting(channel)], fallback=partial(forward, channel=channel))
        await server.serve(options.listen, tls=tls, plaintext=plaintext and tls is None)


def main() -> None:
    """Read the command line, and run."""
    command_line.start(command_line.common("examples.proxy.typed", __doc__), run)


if __name__ == "__main__":
    main()
