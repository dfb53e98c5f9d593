"""The loader of a peer written in Python: its command line; see README.md."""

import argparse
import asyncio
import json
import selectors
from dataclasses import asdict

from benchmarks.load import calls, trips
from benchmarks.load.clients import Connect
from benchmarks.load.lines import Beside, Trips

__all__ = ["main"]


def main(connect: Connect) -> None:
    """Do what the command line says, and print the line."""
    options = _parse()
    # An epoll loop rounds its timers up to a millisecond, which would be added to every latency.
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(selectors.SelectSelector())) as runner:
        line = runner.run(_measure(connect, options))
    print(json.dumps(asdict(line)), flush=True)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    sections = parser.add_subparsers(dest="section", required=True)
    for name in ("maximum", "steady", "beside"):
        section = sections.add_parser(name)
        section.add_argument("streams", type=int)
        if name != "beside":
            section.add_argument("connections", type=int)
        section.add_argument("seconds", type=float)
        if name == "steady":
            section.add_argument("rate", type=float)
        section.add_argument("--tls", metavar="CA")
    return parser.parse_args()


async def _measure(connect: Connect, options: argparse.Namespace) -> Trips | Beside:
    connections = 1 if options.section == "beside" else options.connections
    async with connect(options.address, connections, options.tls) as client:
        if options.section == "maximum":
            return await trips.maximum(client, options.streams, connections, options.seconds)
        if options.section == "steady":
            return await trips.steady(client, options.streams, connections, options.seconds, options.rate)
        return await calls.beside(client, options.streams, options.seconds)
