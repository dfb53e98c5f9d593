"""The programs that are compared.

A new peer is a folder here with an entry in PEERS, in any language. Its server is called as

    SERVER [--tls CERTIFICATE KEY]

prints one line, `{"address": "127.0.0.1:PORT"}`, and ends when its standard input does. Its client is called as

    CLIENT ADDRESS LEAST_SECONDS SCENARIO... [--tls CA]

and prints one line for each of these scenarios, a `benchmarks.sample.Sample` as JSON. It finds the process of the
server in the environment, BENCH_SERVER_PID, and measures as `benchmarks.measure` does; over TLS it calls the server
"localhost". A message that is wrong ends it with another code than 0. Its holder, if it has one, takes the address, the
server's process and a number of streams; it prints a `benchmarks.holding.Cost`. Its loader and its starter, if it has
them, do what `benchmarks/load/README.md` says.
"""

import sys
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.scenarios import SCENARIOS

__all__ = ["FOLDER", "OURS", "PEERS", "Peer"]

FOLDER = Path(__file__).parents[2]
"""Where all commands run."""

APART = FOLDER / "build" / "benchmarks" / "python"
"""An environment for packages that only the benchmarks need."""

BUT_BROADCAST = [scenario.name for scenario in SCENARIOS if not scenario.name.startswith("broadcast")]
PLAIN = [name for name in BUT_BROADCAST if not name.startswith("raw_")]


@dataclass(frozen=True)
class Peer:
    """Something that speaks gRPC on both ends; or less than that, as a limit that we are held against."""

    name: str
    title: str
    server: Sequence[str]
    """The command; it runs in the folder that holds `benchmarks`."""
    client: Sequence[str]
    """The command, without its arguments."""
    holder: Sequence[str] = ()
    """The command of a client that holds streams open, without its arguments; see `benchmarks.idle`. Empty: none."""
    loader: Sequence[str] = ()
    """The command of a client that measures under load, without its arguments; see `benchmarks/load`. Empty: none."""
    starter: Sequence[str] = ()
    """The command of a fresh process that exchanges one message, see there. Empty: none."""
    packages: Sequence[str] = ()
    """Python packages whose versions matter for the figures."""
    made_of: Mapping[str, str] = field(default_factory=dict)
    """Versions of what else does."""
    scenarios: Collection[str] | None = None
    """The names of those it does; `None`: all."""
    usual: bool = True
    """Whether it is measured without being asked for."""
    grpc: bool = True
    """Whether its programs understand those of other peers."""
    tls: bool = True
    """Whether it does them over TLS too."""
    make: str = ""
    """The target that makes its programs, `make` and this; empty: they are there from the start."""
    made: Path | None = None
    """What that target makes last: the peer is there when this is."""

    @property
    def why_missing(self) -> str:
        """Say what has to be done before it can run; empty: nothing."""
        return f"not built: make {self.make}" if self.made is not None and not self.made.exists() else ""

    def does(self, scenario: str) -> bool:
        """Say whether it has this one."""
        return self.scenarios is None or scenario in self.scenarios


def _python(
    name: str, title: str, *packages: str, scenarios: Collection[str] | None = None, python: str = sys.executable
) -> Peer:
    """Give a peer with those programs that its folder has."""
    folder = Path(__file__).parent / name

    def program(part: str) -> Sequence[str]:
        return [python, "-m", f"{__name__}.{name}.{part}"] if (folder / f"{part}.py").exists() else []

    # Without its package, which imports what that program may not need.
    starter = [python, str(folder / "starter.py")] if (folder / "starter.py").exists() else []
    server, client, holder, loader = map(program, ("server", "client", "holder", "loader"))
    return Peer(name, title, server, client, holder, loader, starter, packages, scenarios=scenarios)


def _apart(name: str, title: str, package: str, scenarios: Collection[str] | None = None) -> Peer:
    """Give one whose package is installed beside those of development."""
    peer = _python(name, title, scenarios=scenarios, python=str(APART / "bin" / "python"))
    made_of = {package: _locked(package)}
    return replace(peer, made_of=made_of, usual=False, make="bench-peers", made=APART / ".requirements")


def _locked(package: str) -> str:
    """Give the version that is installed there."""
    for line in (Path(__file__).parent / "requirements.lock").read_text("utf-8").splitlines():
        if line.startswith(f"{package}=="):
            return line.removeprefix(f"{package}==").rstrip(" \\")
    raise KeyError(package)


def _on_uvloop(peer: Peer) -> Peer:
    """Let the same programs run on another loop."""
    server, client = ([*program, "--loop", "uvloop"] for program in (peer.server, peer.client))
    packages = [*peer.packages, "uvloop"]
    name, title = f"{peer.name}_uvloop", f"{peer.title} on uvloop"
    return Peer(name, title, server, client, packages=packages, scenarios=peer.scenarios, usual=False)


def _grpc_go() -> Peer:
    programs = FOLDER / "build/benchmarks/grpc_go"
    parts = ("server", "client", "holder", "loader", "starter")
    server, client, holder, loader, starter = ([str(programs / part)] for part in parts)
    required = (Path(__file__).parent / "grpc_go/go.mod").read_text("utf-8").split()
    version = required[required.index("google.golang.org/grpc") + 1]
    return Peer(
        "grpc_go",
        "grpc-go",
        *(server, client, holder, loader, starter),
        made_of={"grpc-go": version},
        make="grpc-go-peer",
        made=programs / "starter",
    )


def _on_one_processor(peer: Peer) -> Peer:
    """Let Go's programs run as ours do: unary calls wait less then, and streams more."""
    server, client = (["env", "GOMAXPROCS=1", *program] for program in (peer.server, peer.client))
    name, title = f"{peer.name}_one", f"{peer.title}, GOMAXPROCS=1"
    return replace(
        peer, name=name, title=title, server=server, client=client, holder=(), loader=(), starter=(), usual=False
    )


def _tonic() -> Peer:
    programs = FOLDER / "build/benchmarks/tonic/release"
    server, client, holder = ([str(programs / part)] for part in ("server", "client", "holder"))
    locked = tomllib.loads((Path(__file__).parent / "tonic/Cargo.lock").read_text("utf-8"))
    versions = {package["name"]: package["version"] for package in locked["package"]}
    return Peer(
        "tonic",
        "tonic",
        *(server, client, holder),
        made_of={name: versions[name] for name in ("tonic", "rustls")},
        make="tonic-peer",
        made=programs / "server",
    )


def _echo(name: str, title: str) -> Peer:
    return replace(_python(name, title, "protobuf", scenarios={"ping_pong", "unary"}), grpc=False)


OURS = "penstock_aio"
"""What the others are compared with."""

_PENSTOCK = _python(OURS, "penstock", "penstock", "protobuf")
_GRPC_GO = _grpc_go()
_GRPCIO = _python("grpcio_aio", "grpcio aio", "grpcio", "protobuf")
_BARE_ENGINE = _python("bare_engine", "bare engine", "penstock", "protobuf")

PEERS: Sequence[Peer] = [
    _PENSTOCK,
    _GRPCIO,
    _GRPC_GO,
    _tonic(),
    _BARE_ENGINE,
    _echo("raw_asyncio", "raw asyncio"),
    _echo("raw_protocol", "raw asyncio, Protocol"),
    _on_uvloop(_PENSTOCK),
    _on_uvloop(_GRPCIO),
    _on_uvloop(_BARE_ENGINE),
    _on_one_processor(_GRPC_GO),
    replace(_python("grpcio_sync", "grpcio sync", "grpcio", "protobuf", scenarios=BUT_BROADCAST), usual=False),
    _apart("grpclib", "grpclib", "grpclib", PLAIN),
    _apart("connectrpc", "connectrpc", "connectrpc", PLAIN),
    replace(_apart("pygrpc_native", "pygrpc-native", "pygrpc-native"), client=_GRPCIO.client, tls=False),
]
"""In the order of the table."""
