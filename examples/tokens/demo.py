"""Let clients of every kind ask the model, of both servers, and show what comes.

The first is shown as its tokens come. Those after it ask at the same time, and are shown when all are done.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from examples.tokens.server import STYLES
from examples.tutorial.demo import show
from examples.tutorial.programs import PROJECT, Program, free_address

LONG_PROMPT = "Tell me once more, and at length, what a penstock is and what it is good for. " * 12
"""It takes the model some steps to read."""

SERVER_OPTIONS = ("--step", "0.02", "--heartbeat", "0.1")


@dataclass(frozen=True)
class Scene:
    """A client, and what it has to print: regular expressions, in order, for whole lines."""

    title: str
    options: Sequence[str]
    prints: Sequence[str]


WORDS = r"(A penstock is the gated pipe .* does work\. )+"

SCENES = [
    Scene(
        "a client that leaves before its first token",
        (LONG_PROMPT, "--leave-after", "0"),
        [r"\.", "left", "0 tokens in 0 pieces, none; 1 heartbeats"],
    ),
    Scene(
        "a client that leaves in the middle",
        ("--max-tokens", "1000", "--leave-after", "5"),
        ["A penstock is the gated .*", "left", r"\d+ tokens in \d+ pieces, .*"],
    ),
    Scene(
        "a client that is slow: what it could not take yet comes merged, and nothing is lost",
        ("--max-tokens", "96", "--slow", "0.05"),
        [r"(A penstock is the gated pipe \S.*? does work\. ){6}", r"96 tokens in [1-6]?\d pieces, .*"],
    ),
]

LAST = Scene("a client whose server is told to stop in the middle: its answer is finished", (), [WORDS, "32 tokens .*"])


def play(style: str) -> bool:
    """Show one server with all of its clients; return whether all printed what they must."""
    address = free_address()
    command = [sys.executable, "-m", "examples.tokens.server", "--address", address, "--by", style, *SERVER_OPTIONS]
    with Program(command) as server:
        server.wait_until_listening(address)
        print(f"\n=== by {style}: a client that prints tokens as they come, after heartbeats (dots)", flush=True)
        done = [subprocess.run([*client(address), LONG_PROMPT], cwd=PROJECT, check=False).returncode == 0]
        asking = [Program([*client(address), *scene.options]) for scene in SCENES]
        for scene, program in zip(SCENES, asking, strict=True):
            with program:
                program.wait_for_end()
            done.append(told(style, scene, program))
        with Program(client(address)) as program:
            before = len(server.lines)
            server.wait_until(lambda lines: any("begun" in line for line in lines[before:]))
            server.end(signal.SIGTERM)
            program.wait_for_end()
        done.append(told(style, LAST, program))
    print(f"\n=== by {style}: and the server", flush=True)
    ends = [
        "listening .*",
        "dropped after 0 of 32 tokens",
        "finished after 96 of 96 tokens",
        "stopped: 1 .*, 0 cut off",
    ]
    return all([*done, show("server", server, ends)])


def client(address: str) -> list[str]:
    """Give the command of a client."""
    return [sys.executable, "-m", "examples.tokens.client", "--address", address]


def told(style: str, scene: Scene, program: Program) -> bool:
    """Show what a client printed, and return whether it is what it must."""
    print(f"\n=== by {style}: {scene.title}")
    return show("client", program, scene.prints)


def main() -> int:
    """Play all with each server; the exit code says whether all went as it must."""
    complete = [play(style) for style in STYLES]
    print(f"\n{sum(complete)} of {len(complete)} servers did what they must.")
    return 0 if all(complete) else 1


if __name__ == "__main__":
    sys.exit(main())
