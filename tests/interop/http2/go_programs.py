"""The Go programs of these tests: h2spec and h2specd, and grpc-go's client for the negative cases.

They are built under build/, once for each state of go/ and of this file.

The two suites speak plain HTTP: GET requests, responses without a content type. A gRPC server answers 405 to the
former and a gRPC client gives up on the latter, so that many cases would test nothing. Therefore the two functions that
make the heads of their messages are edited before the build, as EDITS says; the cases themselves stay as they are.
"""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from examples.tutorial.programs import PROJECT
from tests.interop.programs import find_go

MODULE = Path(__file__).with_name("go")
PACKAGES = (
    "github.com/summerwind/h2spec/cmd/h2spec",
    "github.com/summerwind/h2spec/cmd/h2specd",
    "google.golang.org/grpc/interop/http2",
)
EDITED = Path("vendor/github.com/summerwind/h2spec/spec")
EDITS = (
    ("util.go", '(":method", "GET"),', '(":method", "POST"),'),
    ("util.go", '(":authority", authority),', '(":authority", authority), HeaderField("te", "trailers"), GRPC,'),
    ("util.go", 'HeaderField("access-control-allow-origin", "*"),', "GRPC,"),
    ("util.go", "\nvar (", '\nvar GRPC = HeaderField("content-type", "application/grpc")\n\nvar ('),
    # A case may take as long as its steps: the machine may have other work.
    ("specd.go", "time.Duration(3) * time.Second", "time.Minute"),
    # A reset is a close as well; today's Go wraps this error.
    ("connection.go", "if opErr.Err == syscall.ECONNRESET {", "if errors.Is(err, syscall.ECONNRESET) {"),
)
"""File, what stands in it once, what takes its place."""


@functools.cache
def build() -> Path:
    """Build the programs, or skip the test.

    Returns:
        The folder they are in.
    """
    go = find_go("the HTTP/2 suites")
    sources = [Path(__file__), MODULE / "go.mod", MODULE / "go.sum"]
    state = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    built = PROJECT / "build" / f"http2-{state[:12]}"
    if not built.exists():
        making = built.with_name(f"{built.name}.{os.getpid()}")
        making.mkdir(parents=True)
        for source in sources[1:]:
            shutil.copy(source, making)
        _run(making, go, "mod", "vendor")
        for file, old, new in EDITS:
            _edit(making / EDITED / file, old, new)
        _run(making, go, "build", "-buildvcs=false", "-o", f"bin{os.sep}", *PACKAGES)
        # Whoever finds the folder finds it whole.
        making.rename(built)
    return built / "bin"


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert text.count(old) == 1, f"{old} is not in {file} once"
    file.write_text(text.replace(old, new))


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)} in {folder}:\n{done.stdout}{done.stderr}")
