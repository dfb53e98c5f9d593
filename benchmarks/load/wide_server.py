"""Our server with room for 10,000 streams on one connection: the default is 1,000."""

import asyncio

import penstock
from benchmarks.peers.penstock_aio.server import Bench
from benchmarks.work import announce, until_told

STREAMS = 10_000


async def main() -> None:
    """Serve until told to stop."""
    # Calls beside so many streams need places too.
    limits = penstock.Limits(max_concurrent_streams=2 * STREAMS)
    admission = penstock.Admission(max_calls_per_connection=2 * STREAMS)
    async with penstock.Server([Bench()], limits=limits, admission=admission).listening("127.0.0.1:0") as address:
        announce(address)
        await until_told()


if __name__ == "__main__":
    asyncio.run(main())
