"""The server: the handlers of `benchmarks.peers.grpcio_aio`, as they are."""

import pygrpc_native.aio

from benchmarks.peers.grpcio_aio.options import OPTIONS
from benchmarks.peers.grpcio_aio.server import add_handlers
from benchmarks.programs import Own, serve
from benchmarks.work import announce, until_told


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    assert own is None, "it has no TLS"
    server = pygrpc_native.aio.server(options=OPTIONS)
    add_handlers(server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    announce(f"127.0.0.1:{port}")
    await until_told()
    await server.stop(None)


if __name__ == "__main__":
    serve(main)
