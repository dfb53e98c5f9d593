"""Modules that protoc writes, and the statements that import them."""

import pytest

from penstock.codegen.modules import Import, module_alias, module_name, needs_importlib, relative_package


@pytest.mark.parametrize(
    ("proto_path", "expected"),
    [
        ("echo.proto", "echo_pb2"),
        ("a/b-c.proto", "a.b_c_pb2"),
        ("folder-name/base.v1.proto", "folder_name.base.v1_pb2"),
    ],
)
def test_module_of_a_proto_file(proto_path: str, expected: str) -> None:
    assert module_name(proto_path) == expected


def test_alias_keeps_modules_apart() -> None:
    assert module_alias("a.b_c_pb2") == "a_dot_b__c__pb2"
    assert module_alias("a_dot_b_pb2") != module_alias("a.b_pb2")


@pytest.mark.parametrize(
    ("module", "expected"), [("1st_pb2", "_1st__pb2"), ("a b_pb2", "a_b__pb2"), ("a.b+c_pb2", "a_dot_b_c__pb2")]
)
def test_alias_is_a_name_whatever_the_module_is_called(module: str, expected: str) -> None:
    assert module_alias(module) == expected


@pytest.mark.parametrize(
    ("module", "expected"), [("a.b_pb2", False), ("class.b_pb2", True), ("1st_pb2", True), ("match.b_pb2", False)]
)
def test_modules_that_no_statement_can_name(module: str, expected: bool) -> None:
    assert needs_importlib(module) is expected


@pytest.mark.parametrize(
    ("package", "importer", "expected"),
    [
        ("", "", "."),
        ("a", "", ".a"),
        ("", "a", ".."),
        ("a", "a", "."),
        ("a.b", "a.c", "..b"),
        ("a.b", "a", ".b"),
        ("x.y", "a.b", "...x.y"),
    ],
)
def test_package_seen_from_another(package: str, importer: str, expected: str) -> None:
    assert relative_package(package, importer) == expected


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (Import("a_pb2", "a_pb2"), "import a_pb2"),
        (Import("a_pb2", "a__pb2"), "import a_pb2 as a__pb2"),
        (Import("x.a_pb2", "a_pb2"), "from x import a_pb2"),
        (Import("x.a_pb2", "x_dot_a__pb2"), "from x import a_pb2 as x_dot_a__pb2"),
        (Import("a_pb2", "a_pb2", ""), "from . import a_pb2"),
        (Import("x.a_pb2", "a_pb2", "x"), "from . import a_pb2"),
        (Import("x.a_pb2", "a_pb2", "y"), "from ..x import a_pb2"),
        (Import("class.a_pb2", "a"), 'a = importlib.import_module("class.a_pb2")'),
        (Import("1st_pb2", "a"), 'a = importlib.import_module("1st_pb2")'),
        (Import("class.a_pb2", "a", "x"), 'a = importlib.import_module("..class.a_pb2", __package__)'),
        (Import("class.a_pb2", "a", "class"), 'a = importlib.import_module(".a_pb2", __package__)'),
    ],
)
def test_statement(one: Import, expected: str) -> None:
    assert one.statement() == expected


def test_full_names_come_first_then_the_furthest_package() -> None:
    here, below, above = Import("a.m_pb2", "m", "a"), Import("a.b.m_pb2", "m", "a"), Import("z.m_pb2", "m", "a")
    absolute = Import("z.m_pb2", "m")
    assert sorted([below, here, above, absolute], key=Import.sort_key) == [absolute, above, here, below]
