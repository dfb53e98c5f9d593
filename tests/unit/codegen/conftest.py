"""The corpus, generated once for all tests of this folder."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock.codegen.generate import generate
from tests.unit.codegen.protofiles import CORPUS


@pytest.fixture(scope="session")
def corpus_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder, importable as `generated_corpus`, with everything generated from the corpus."""
    parent = tmp_path_factory.mktemp("corpus")
    package = parent / "generated_corpus"
    generate([CORPUS], out=package)
    (package / "__init__.py").touch()
    sys.path.insert(0, str(parent))
    yield package
    sys.path.remove(str(parent))
