"""Each peer's client against each peer's server: they all speak the same."""

from collections.abc import Collection, Iterator, Sequence
from itertools import product
from statistics import median

from benchmarks.peers import Peer
from benchmarks.report import Samples, aligned, short
from benchmarks.scenarios import SCENARIOS, Scenario

__all__ = ["crossed", "matrix"]


def crossed(peers: Sequence[Peer]) -> Sequence[Peer]:
    """Give a peer for each client and each server of these that speak gRPC, those of the same peer too."""
    speaking = [peer for peer in peers if peer.grpc]
    return [_pair(client, server) for client, server in product(speaking, repeat=2)]


def _pair(client: Peer, server: Peer) -> Peer:
    return Peer(
        _between(client.name, server.name),
        f"{client.title} calls {server.title}",
        server.server,
        client.client,
        packages=sorted({*client.packages, *server.packages}),
        made_of={**client.made_of, **server.made_of},
        scenarios=[one.name for one in SCENARIOS if client.does(one.name) and server.does(one.name)],
    )


def _between(client: str, server: str) -> str:
    return f"{client} calls {server}"


def matrix(scenarios: Sequence[Scenario], peers: Sequence[Peer], samples: Samples, failed: Collection[str]) -> str:
    """Give a paragraph for each scenario, medians of its first row: a line for a client, a column for a server.

    Args:
        scenarios: Those that were run.
        peers: What `crossed` was given.
        samples: Of what it gave.
        failed: Those pairs that have no samples because they failed.
    """
    speaking = [peer for peer in peers if peer.grpc]
    lines: list[Sequence[str]] = [["client, below server:", *[peer.title for peer in speaking]]]
    for scenario in scenarios:
        row = scenario.rows[0]
        lines += [[], [f"{row.title}: {row.unit}, {row.better.value} is better"]]
        for client in speaking:
            lines.append([f"  {client.title}", *_line(scenario, client, speaking, samples, failed)])
    return aligned(lines)


def _line(
    scenario: Scenario, client: Peer, servers: Sequence[Peer], samples: Samples, failed: Collection[str]
) -> Iterator[str]:
    for server in servers:
        name = _between(client.name, server.name)
        found = samples.get((name, scenario.name))
        if found:
            yield short(median(map(scenario.rows[0].value, found)))
        else:
            yield "failed" if name in failed else "-"
