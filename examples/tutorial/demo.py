"""Run the tutorial's programs, each in a process of its own, and show what both sides print."""

import argparse
import re
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from examples.tutorial.programs import Program, free_address, run_module

COUNT = 20
INTERVAL = ("--interval", "0.05")


@dataclass(frozen=True)
class Scene:
    """A server and a client, and what they have to print: regular expressions, in order, for whole lines."""

    title: str
    package: str
    port: int
    server_options: Sequence[str]
    client_options: Sequence[str]
    server_prints: Sequence[str]
    client_prints: Sequence[str]


PUSHED_BY_SERVER = [f'data:"count:{number} client data: 1"' for number in range(COUNT)]
PUSHED_BY_CLIENT = [f'data:" client data: {number}"' for number in range(COUNT)]
FROM_SERVER = ['data:"All Stream From Server"'] * (COUNT // 2)  # at least; it has a clock of its own
FROM_CLIENT = ['data:"All Stream From Client"'] * COUNT

SCENES = [
    Scene(
        title="The server pushes",
        package="server_push",
        port=50053,
        server_options=INTERVAL,
        client_options=(),
        server_prints=[],
        client_prints=[*PUSHED_BY_SERVER, "EOF", "take time :.*"],
    ),
    Scene(
        title="The client pushes, and waits for the answer",
        package="client_push",
        port=50054,
        server_options=(),
        client_options=INTERVAL,
        server_prints=[*PUSHED_BY_CLIENT, "EOF", "open calls: 0"],
        client_prints=[f'data:"received {COUNT}"'],
    ),
    Scene(
        title="The client pushes, and just leaves",
        package="client_push",
        port=50054,
        server_options=(),
        client_options=(*INTERVAL, "--leave"),
        server_prints=[*PUSHED_BY_CLIENT, "rpc error: code = CANCELLED .*", "open calls: 0"],
        client_prints=[],
    ),
    Scene(
        title="Both push, until the client leaves",
        package="both_push",
        port=50055,
        server_options=INTERVAL,
        client_options=(*INTERVAL, "--count", str(COUNT)),
        server_prints=[*FROM_CLIENT, "the client has left"],
        client_prints=FROM_SERVER,
    ),
]


def play(scene: Scene, address: str) -> bool:
    """Run both programs of a scene, show what they print, and say whether it is what they have to print."""
    print(f"\n=== {scene.title} ({address})", flush=True)
    try:
        server, client = run(scene, address)
    except (EOFError, TimeoutError) as error:
        print(f"!!! {error}")
        return False
    return show("server", server, scene.server_prints) & show("client", client, scene.client_prints)


def run(scene: Scene, address: str) -> tuple[Program, Program]:
    """Start the server, run the client to its end, and end the server when it has printed all it must."""
    with run_module(f"{scene.package}.server", "--address", address, *scene.server_options) as server:
        server.wait_until_listening(address)
        with run_module(f"{scene.package}.client", "--address", address, *scene.client_options) as client:
            client.wait_for_end()
        with suppress(EOFError, TimeoutError):  # what is missing is said beside what is not
            server.wait_until(lambda lines: missing(scene.server_prints, lines) is None)
        server.end()
    return server, client


def show(side: str, program: Program, patterns: Sequence[str]) -> bool:
    """Print the transcript of one side and what is wrong with it; return whether nothing is."""
    print(f"--- {side}", *program.lines or ["(prints nothing)"], sep="\n")
    lacking = missing(patterns, program.lines)
    if lacking is not None:
        print(f"!!! the {side} has not printed, in its place: {lacking}")
    if program.exit_code != 0:
        print(f"!!! the {side} has ended with exit code {program.exit_code}")
    return lacking is None and program.exit_code == 0


def missing(patterns: Sequence[str], lines: Sequence[str]) -> str | None:
    """Return the first of the patterns that no line matches, looking for each after the line of the one before."""
    rest = iter(lines)
    return next((pattern for pattern in patterns if not any(re.fullmatch(pattern, line) for line in rest)), None)


def main() -> int:
    """Play every scene; the exit code says whether all went as it must."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--free-ports", action="store_true", help="any ports instead of the tutorial's")
    options = parser.parse_args()
    complete = [play(scene, free_address(0 if options.free_ports else scene.port)) for scene in SCENES]
    print(f"\n{sum(complete)} of {len(SCENES)} scenes printed what they must.")
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())
