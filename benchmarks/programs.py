"""How programs of peers that are written in Python start: what their command line has in common, and their loop."""

import argparse
import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Own", "add_loop", "run_on", "serve", "server_options"]

LOOPS = ("asyncio", "uvloop")


@dataclass(frozen=True)
class Own:
    """What a server shows over TLS, in PEM."""

    certificate: Path
    """With the chain behind it."""
    key: Path


def serve(main: Callable[[Own | None], Coroutine[Any, Any, None]]) -> None:
    """Run a server as the command line says: see `benchmarks.peers`."""
    options = server_options()
    run_on(options.loop, main(options.own))


def server_options() -> argparse.Namespace:
    """Read the command line of a server: `own`, what it shows over TLS, else `None`; and its `loop`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--tls", nargs=2, type=Path, metavar=("CERTIFICATE", "KEY"))
    add_loop(parser)
    options = parser.parse_args()
    options.own = Own(*options.tls) if options.tls else None
    return options


def add_loop(parser: argparse.ArgumentParser) -> None:
    """Let the command line choose the event loop."""
    parser.add_argument("--loop", choices=LOOPS, default=LOOPS[0])


def run_on(loop: str, main: Coroutine[Any, Any, None]) -> None:
    """Run this on an event loop of that kind."""
    factory = None
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main)
