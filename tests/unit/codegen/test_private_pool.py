"""Descriptors in a pool of one's own."""

import importlib
from pathlib import Path

import pytest
from google.protobuf import descriptor_pool

from penstock.codegen.errors import InputError
from penstock.codegen.generate import generate
from penstock.codegen.private_pool import use_pool
from tests.unit.codegen.protofiles import write_proto

POOL_MODULE = "from google.protobuf.descriptor_pool import DescriptorPool\nPOOL = DescriptorPool()\n"


def test_messages_and_what_they_import_lie_in_the_pool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_proto(tmp_path, "package penstock.test.pooled; message B {}", "pooled/b.proto")
    write_proto(
        tmp_path, 'package penstock.test.pooled; import "pooled/b.proto"; message A { B b = 1; }', "pooled/a.proto"
    )
    (tmp_path / "pool_of_test.py").write_text(POOL_MODULE)
    generate([tmp_path], pool="pool_of_test")
    monkeypatch.syspath_prepend(str(tmp_path))
    module = importlib.import_module("pooled.a_pb2")
    pool = importlib.import_module("pool_of_test").POOL
    assert module.DESCRIPTOR.pool is pool
    assert module.A(b=importlib.import_module("pooled.b_pb2").B()).HasField("b")
    with pytest.raises(KeyError):
        descriptor_pool.Default().FindMessageTypeByName("penstock.test.pooled.A")


def test_nothing_but_the_pool_changes() -> None:
    source = (
        "from google.protobuf import descriptor_pool as _descriptor_pool\nD = _descriptor_pool.Default().Add(b'')\n"
    )
    assert use_pool(source, "a.b") == "from a.b import POOL as _POOL\nD = _POOL.Add(b'')\n"


@pytest.mark.parametrize("name", ["a-b", "class.pool", "", "a..b"])
def test_what_cannot_be_imported_is_no_pool(name: str) -> None:
    with pytest.raises(InputError, match=r"hint: --pool package\.module"):
        use_pool("", name)
