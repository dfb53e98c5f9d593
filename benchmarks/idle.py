"""What streams cost that do nothing: memory of both sides, and what calls among them wait.

Each stream exchanges one message each way; then a task of the client and a handler of the server wait for the next one.
They share as many connections as `STREAMS_PER_CONNECTION` makes necessary. The unary calls go over one of their own.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.holding import Cost
from benchmarks.peers import FOLDER, PEERS, Peer
from benchmarks.processes import Failed, address_of, said_by_client

__all__ = ["HOLDERS", "MOST_BYTES", "cost_of", "main"]

STREAMS = (10_000, 50_000)
ROUNDS = 3

MOST_BYTES = 8 * 1024
"""What we promise: of a stream, both sides together."""

MOST_SLOWER = 2.0
"""What we promise: a call among them, beside one on an empty server."""

CLIENT_SECONDS = 600.0

HOLDERS = [peer for peer in PEERS if peer.holder and not peer.why_missing]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description="What idle streams cost.")
    parser.add_argument("--streams", nargs="+", type=int, default=STREAMS, help="how many (default: 10000 50000)")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often (default: {ROUNDS})")
    parser.add_argument(
        "--peers", nargs="+", metavar="PEER", choices=[peer.name for peer in HOLDERS], help="%(choices)s"
    )
    options = parser.parse_args(arguments)
    print(f"promised: at most {MOST_BYTES / 1024:g} KiB, and {MOST_SLOWER:g}x; medians of {options.rounds} rounds")
    print("peer          streams  client KiB  server KiB  together  unary empty us  among us   ratio")
    try:
        for streams in options.streams:
            _compare(streams, options.rounds, [peer for peer in HOLDERS if peer.name in (options.peers or [peer.name])])
    except Failed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _compare(streams: int, rounds: int, peers: Sequence[Peer]) -> None:
    costs: dict[str, list[Cost]] = {peer.name: [] for peer in peers}
    for _ in range(rounds):
        for peer in peers:
            costs[peer.name].append(cost_of(peer, streams))
    for peer in peers:
        print(_row(peer, costs[peer.name]), flush=True)


def _row(peer: Peer, rounds: Sequence[Cost]) -> str:
    client = statistics.median(cost.client_bytes for cost in rounds) / 1024
    server = statistics.median(cost.server_bytes for cost in rounds) / 1024
    together = statistics.median(cost.client_bytes + cost.server_bytes for cost in rounds) / 1024
    empty = statistics.median(cost.empty_us for cost in rounds)
    among = statistics.median(cost.among_us for cost in rounds)
    ratio = statistics.median(cost.among_us / cost.empty_us for cost in rounds)
    memory = f"{rounds[0].streams:>7}  {client:10.2f}  {server:10.2f}  {together:8.2f}"
    return f"{peer.title:<12}  {memory}  {empty:14.0f}  {among:8.0f}  {ratio:6.2f}"


def cost_of(peer: Peer, streams: int) -> Cost:
    """Measure once, with a server and a client of its own.

    Raises:
        Failed: One of them failed or took too long; neither runs any more.
    """
    server = subprocess.Popen(peer.server, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        command = [*peer.holder, address_of(peer.title, server), str(server.pid), str(streams)]
        said = said_by_client(peer.title, command, CLIENT_SECONDS)
    finally:
        server.kill()
        server.communicate()
    return Cost(**json.loads(said))


if __name__ == "__main__":
    sys.exit(main())
