"""Our server with room for 10,000 streams on one connection: the default is 1,000."""

import penstock
from benchmarks.peers.penstock_aio.server import Bench
from benchmarks.programs import Own, serve
from benchmarks.work import announce, until_told

STREAMS = 10_000


async def main(own: Own | None) -> None:
    """Serve until told to stop."""
    # Calls beside so many streams need places too.
    limits = penstock.Limits(max_concurrent_streams=2 * STREAMS)
    admission = penstock.Admission(max_calls_per_connection=2 * STREAMS)
    tls = penstock.tls.server_context(own.certificate, own.key) if own else None
    server = penstock.Server([Bench()], limits=limits, admission=admission)
    async with server.listening("127.0.0.1:0", tls=tls) as address:
        announce(address)
        await until_told()


if __name__ == "__main__":
    serve(main)
