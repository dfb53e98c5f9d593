"""The tutorial's third server in Go, built with a count of its goroutines; and the same server, mended."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from examples.tutorial.programs import PROJECT

OURS = PROJECT / "examples/leak/go"
TUTORIAL = PROJECT / "examples/tutorial/go"
PACKAGE = "all_stream_server"
BUILD = PROJECT / "build/leak"


def is_installed() -> bool:
    """Say whether there is a `go` to build them with."""
    return shutil.which("go") is not None


def as_printed() -> Path:
    """Build the tutorial's server, and give the program."""
    return _build("as_printed", {"goroutines.go": "goroutines.go"})


def mended() -> Path:
    """Build it with its errors returned, and give the program."""
    return _build("mended", {"goroutines.go": "goroutines.go", "main.go": "mended.go"})


def _build(name: str, overlay: Mapping[str, str]) -> Path:
    """Build the tutorial's package with files of ours laid over it; nothing in its folder changes.

    Raises:
        CalledProcessError: It cannot be built; go has said why.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    replace = {str(TUTORIAL / PACKAGE / theirs): str(OURS / ours) for theirs, ours in overlay.items()}
    listing = BUILD / f"{name}.json"
    listing.write_text(json.dumps({"Replace": replace}))
    program = BUILD / name
    subprocess.run(
        ["go", "build", "-buildvcs=false", "-overlay", str(listing), "-o", str(program), f"./{PACKAGE}"],
        cwd=TUTORIAL,
        check=True,
    )
    return program
