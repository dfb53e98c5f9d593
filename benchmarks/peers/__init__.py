"""The programs that are compared.

A new peer is a folder here with an entry in PEERS. Its server prints one line, `{"address": "127.0.0.1:PORT"}`, and
ends when its standard input does. Its client takes that address, the least seconds of a measurement and names of
scenarios; it prints one line for each of these, a `benchmarks.scenarios.Sample` as JSON. Its holder takes the address,
the server's process and a number of streams; it prints a `benchmarks.holding.Cost`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["OURS", "PEERS", "Peer"]


@dataclass(frozen=True)
class Peer:
    """Something that speaks gRPC on both ends."""

    name: str
    title: str
    server: Sequence[str]
    """The command; it runs in the folder that holds `benchmarks`."""
    client: Sequence[str]
    """The command, without its arguments."""
    holder: Sequence[str]
    """The command of a client that holds streams open, without its arguments; see `benchmarks.idle`."""
    packages: Sequence[str]
    """Python packages whose versions matter for the figures."""


def _python(name: str, title: str, *packages: str) -> Peer:
    program = [sys.executable, "-m"]
    module = f"{__name__}.{name}"
    server, client, holder = ([*program, f"{module}.{part}"] for part in ("server", "client", "holder"))
    return Peer(name, title, server, client, holder, packages)


OURS = "penstock_aio"
"""What the others are compared with."""

PEERS: Sequence[Peer] = [
    _python(OURS, "penstock", "penstock", "protobuf"),
    _python("grpcio_aio", "grpcio aio", "grpcio", "protobuf"),
]

FOLDER = Path(__file__).parents[2]
"""Where all of their commands run."""
