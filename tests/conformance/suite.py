"""connectconformance: installing it, generating what our programs need, running it, reading its result."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from penstock.codegen.generate import generate

Mode = Literal["server", "client"]
"""Which of our programs is under test."""

PROJECT = Path(__file__).parents[2]
HERE = Path(__file__).parent
MODULE = "connectrpc.com/conformance"
VERSION = "v1.0.5"
BUILD = PROJECT / "build/conformance" / VERSION
RUNNER = BUILD / "connectconformance"
GENERATED = BUILD / "python"
PROTOS = ("client_compat", "config", "server_compat", "service")


class MissingGoError(Exception):
    """There is no `go` on the PATH."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one run of the suite said in its end."""

    exit_code: int
    planned: int
    """Cases that fit the configuration."""
    run: int
    passed: int
    failed: int
    expected_failures: int

    @property
    def is_clean(self) -> bool:
        """Every case was run and passed."""
        return self.exit_code == 0 and self.planned == self.run == self.passed > 0

    def __str__(self) -> str:
        return (
            f"{self.run} run, {self.passed} passed, {self.failed} failed, "
            f"{self.expected_failures} known to fail, {self.planned - self.run} skipped"
        )


def prepare() -> None:
    """Install the suite, unless it is there, and generate the messages it speaks in.

    Both go to build/: the .proto files are not ours, so neither they nor what is made of them is kept here.

    Raises:
        MissingGoError: Go is not installed.
        subprocess.CalledProcessError: Go could not fetch or build the suite.
    """
    go = shutil.which("go")
    if go is None:
        raise MissingGoError
    if not RUNNER.exists():
        install = [go, "install", f"{MODULE}/cmd/{RUNNER.name}@{VERSION}"]
        subprocess.run(install, cwd=PROJECT, env={**os.environ, "GOBIN": str(BUILD)}, check=True)
    found = subprocess.run(
        [go, "mod", "download", "-json", f"{MODULE}@{VERSION}"], cwd=PROJECT, stdout=subprocess.PIPE, check=True
    )
    protos = Path(json.loads(found.stdout)["Dir"], "proto")
    paths = [protos / f"connectrpc/conformance/v1/{name}.proto" for name in PROTOS]
    generate(paths, out=GENERATED, proto_paths=[protos])


def run(mode: Mode, options: Sequence[str] = (), *, show: Callable[[str], object] = print) -> Report:
    """Run the cases of one mode; `prepare` was called before.

    Args:
        mode: Which of our programs is under test.
        options: More options of connectconformance, such as `--run PATTERN` or `--trace`.
        show: Called with each line it prints.
    """
    command = [
        *(RUNNER, "--mode", mode, "--conf", HERE / "config.yaml", "--known-failing", f"@{HERE / 'known_failing.txt'}"),
        *("-v", *options, "--", sys.executable, "-m", f"tests.conformance.{mode}"),
    ]
    search = os.pathsep.join(filter(None, (str(GENERATED), os.environ.get("PYTHONPATH"))))
    lines = []
    with subprocess.Popen(
        list(map(str, command)),
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": search},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as suite:
        assert suite.stdout is not None
        for line in suite.stdout:
            lines.append(line)
            show(line.rstrip("\n"))
    return read("".join(lines), suite.returncode)


def read(output: str, exit_code: int) -> Report:
    """Read the result out of what the suite printed."""

    def number(pattern: str) -> int:
        found = re.findall(pattern, output, re.MULTILINE)
        return int(found[-1]) if found else 0

    return Report(
        exit_code,
        planned=number(r"^Computed (\d+) test case permutation"),
        run=number(r"^Total cases: (\d+)"),
        passed=number(r"^(\d+) passed, \d+ failed"),
        failed=number(r"^\d+ passed, (\d+) failed"),
        expected_failures=number(r"^\(Another (\d+) failed as expected"),
    )
