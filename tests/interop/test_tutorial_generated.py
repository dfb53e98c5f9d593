"""The committed code of the tutorial is what its .proto files give today."""

from pathlib import Path

from examples.tutorial.programs import PROJECT
from penstock.codegen.generate import generate

TUTORIAL = PROJECT / "examples/tutorial"


def test_generated_python_is_fresh(tmp_path: Path) -> None:
    written = generate(sorted(TUTORIAL.glob("*.proto")), out=tmp_path, proto_paths=[TUTORIAL])
    assert len(written.paths) == 9
    for path in written.paths:
        assert path.read_text() == (TUTORIAL / path.name).read_text(), path.name
