from pathlib import Path

from benchmarks.peers import FOLDER
from penstock.codegen.generate import generate

BENCHMARKS = FOLDER / "benchmarks"


def test_generated_python_is_fresh(tmp_path: Path) -> None:
    written = generate([BENCHMARKS / "bench.proto"], out=tmp_path, grpc=True)
    assert len(written.paths) == 4
    for path in written.paths:
        assert path.read_text() == (BENCHMARKS / path.name).read_text(), path.name
