"""The client in Go, built when it is needed."""

import shutil
import subprocess

from examples.tutorial.programs import PROJECT

MODULE = PROJECT / "examples/image_service/go"


def is_installed() -> bool:
    """Say whether there is a `go` to build it with."""
    return shutil.which("go") is not None


def build() -> str:
    """Build it, unless it is fresh, and give the program.

    Raises:
        CalledProcessError: It cannot be built; go has said why.
    """
    subprocess.run(["go", "build", "-buildvcs=false", "-o", "bin/", "./..."], cwd=MODULE, check=True)
    return str(MODULE / "bin/image_client")
