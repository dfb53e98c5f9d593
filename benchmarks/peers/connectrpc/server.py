"""The server: starts Envoy, in which the handlers run, as a process of its own."""

from pyvoy import PyvoyServer

from benchmarks.programs import Own, serve
from benchmarks.work import announce, until_told


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    tls = {"tls_cert": own.certificate, "tls_key": own.key, "tls_enable_http3": False} if own else {}
    app = "benchmarks.peers.connectrpc.application:app"
    async with PyvoyServer(app, **tls) as server:
        announce(f"127.0.0.1:{server.listener_port}")
        await until_told()


if __name__ == "__main__":
    serve(main)
