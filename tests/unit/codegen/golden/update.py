"""Writes the golden files again: `python -m tests.unit.codegen.golden.update`, then read the difference."""

import tempfile
from pathlib import Path

from penstock.codegen.generate import generate
from tests.unit.codegen.protofiles import CORPUS, GOLDEN


def main() -> None:
    """Generate from the corpus and keep the service files."""
    with tempfile.TemporaryDirectory() as folder:
        for path in generate([CORPUS], out=Path(folder)).paths:
            if path.name.endswith("_penstock.py"):
                golden = GOLDEN / f"{path.relative_to(folder)}.txt"
                golden.parent.mkdir(parents=True, exist_ok=True)
                golden.write_text(path.read_text("utf-8"), "utf-8")


if __name__ == "__main__":
    main()
