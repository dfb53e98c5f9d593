"""Programs that run our plugin: grpcio-tools' protoc, protoc itself, buf."""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from examples.tutorial.programs import PROJECT

ProgramName = Literal["grpc_tools", "protoc", "buf"]
PROGRAMS: Sequence[ProgramName] = ("grpc_tools", "protoc", "buf")

PLUGIN = Path(sys.executable).parent / "protoc-gen-penstock"
PROTOC = PROJECT / "build/generators/protoc/bin/protoc"
BUF = PROJECT / "build/generators/buf/node_modules/.bin/buf"


def generate(program: ProgramName, folder: Path, out: Path, option: str = "") -> subprocess.CompletedProcess[str]:
    """Generate service files, and nothing else, from every .proto of a folder; `out` exists."""
    if program == "buf":
        template = f"{{version: v2, plugins: [{{local: {PLUGIN}, out: {out}, opt: [{option}]}}]}}"
        return run([str(installed(BUF)), "generate", str(folder), "--template", template], out.parent)
    command = [sys.executable, "-m", "grpc_tools.protoc"] if program == "grpc_tools" else [str(installed(PROTOC))]
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.proto"))
    options = [f"--plugin=protoc-gen-penstock={PLUGIN}", f"--penstock_out={out}"]
    if option:
        options.append(f"--penstock_opt={option}")
    return run([*command, *options, f"--proto_path={folder}", *names], out.parent)


def run(command: Sequence[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    """Run a program; it finds our plugin, its runtime for Python and protoc on the PATH, and keeps no cache at home."""
    folders = [str(PLUGIN.parent), str(PROTOC.parent), os.environ.get("PATH", "")]
    environment = {**os.environ, "PATH": os.pathsep.join(folders), "BUF_CACHE_DIR": str(scratch / "buf-cache")}
    return subprocess.run(command, cwd=scratch, env=environment, capture_output=True, check=False, text=True)


@functools.cache
def installed(program: Path) -> Path:
    """Give the path of buf or protoc, after `make` has installed it or found that it is there."""
    needed = "npm" if program == BUF else "make"
    absent = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    if shutil.which("make") is None or shutil.which(needed) is None:
        absent(f"needs {program.name}, which make installs with {needed}, and there is none on the PATH")
    made = subprocess.run(
        ["make", "--silent", "generators", f"PYTHON={sys.executable}"],
        cwd=PROJECT,
        capture_output=True,
        check=False,
        text=True,
    )
    if made.returncode != 0:
        absent(f"needs {program.name}, and `make generators` failed:\n{made.stdout}{made.stderr}")
    return program
