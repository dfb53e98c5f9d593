"""The tutorial's programs in both languages, as child processes."""

import functools
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from examples.tutorial.programs import PROJECT, Program, run_module

Language = Literal["go", "penstock"]
Push = Literal["server_push", "client_push", "both_push"]

GO_MODULE = PROJECT / "examples/tutorial/go"
GO_NAMES = {"server_push": "server_stream", "client_push": "client_stream", "both_push": "all_stream"}

INTERVAL_SECONDS = 0.01


@contextmanager
def serving(language: Language, push: Push, address: str) -> Iterator[Program]:
    """Run a server that listens."""
    if language == "go":
        server = _start_go(f"{GO_NAMES[push]}_server", address)
    elif push == "client_push":  # only who sends has a pace
        server = run_module("client_push.server", "--address", address)
    else:
        server = run_module(f"{push}.server", "--address", address, "--interval", str(INTERVAL_SECONDS))
    with server:
        server.wait_until_listening(address)
        yield server


def start_client(language: Language, push: Push, address: str, *options: str) -> Program:
    """Start a client; the options are for ours, the Go client has none."""
    if language == "go":
        return _start_go(f"{GO_NAMES[push]}_client", address)
    if push != "server_push":
        options = ("--interval", str(INTERVAL_SECONDS), *options)
    return run_module(f"{push}.client", "--address", address, *options)


def quoted(lines: Sequence[str]) -> list[str]:
    """Take the texts out of printed messages; how much white space there is protobuf-go varies on purpose."""
    return [found[1] for line in lines if (found := re.fullmatch(r'data:\s*"(.*)"\s*', line))]


def _start_go(name: str, address: str) -> Program:
    environment = {"ADDRESS": address, "INTERVAL_MS": str(round(INTERVAL_SECONDS * 1000))}
    return Program([str(build_go(GO_MODULE) / name)], environment)


def find_go(purpose: str) -> str:
    """Give the path of `go`, or skip the test; with CI=true, fail it."""
    go = shutil.which("go")
    if go is None:
        absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        absent(f"needs Go to build {purpose}, and there is no `go` on the PATH")
    return go


@functools.cache
def build_go(module: Path) -> Path:
    """Build the programs of a Go module, or skip the test; go itself knows which of them are still fresh.

    Returns:
        The folder they are in.
    """
    go = find_go(str(module.relative_to(PROJECT)))
    folder = module / "bin"
    built = subprocess.run(
        [go, "build", "-buildvcs=false", "-o", f"{folder}{os.sep}", "./..."],
        cwd=module,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode != 0:
        pytest.fail(f"go build in {module}:\n{built.stdout}{built.stderr}")
    return folder
