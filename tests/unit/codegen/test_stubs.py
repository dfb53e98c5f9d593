"""Stubs that protoc wrote, made whole for strict type checkers."""

from penstock.codegen.stubs import complete_stub


def test_a_mapping_that_stands_for_a_message_has_field_names_as_keys() -> None:
    line = "def __init__(self, a: _Optional[_Union[A, _Mapping]] = ..., b: _Iterable[_Union[B, _Mapping]] = ...): ..."
    assert complete_stub(line) == line.replace("_Mapping", "_Mapping[str, object]")


def test_other_mappings_stay() -> None:
    text = "from collections.abc import Iterable as _Iterable, Mapping as _Mapping\nm: _Mapping[str, int]\n"
    assert complete_stub(text) == text


def test_modules_that_nothing_names_are_not_imported() -> None:
    text = (
        "import a_pb2 as _a_pb2\n"
        "from google.protobuf import empty_pb2 as _empty_pb2\n"
        "from google.protobuf import any_pb2 as _any_pb2\n"
        "from . import b_pb2 as _b_pb2\n"
        "from b_pb2 import B as B\n"
        "x: _any_pb2.Any\n"
        "y: _a_pb2.A\n"
    )
    assert complete_stub(text) == (
        "import a_pb2 as _a_pb2\n"
        "from google.protobuf import any_pb2 as _any_pb2\n"
        "from b_pb2 import B as B\n"
        "x: _any_pb2.Any\n"
        "y: _a_pb2.A\n"
    )


def test_what_it_says_of_extensions_is_put_right() -> None:
    text = (
        "from google.protobuf.internal import python_message as _python_message\n"
        "from typing import ClassVar as _ClassVar, Optional as _Optional\n"
        "NUMBER_FIELD_NUMBER: _ClassVar[int]\n"
        "class M(_message.Message):\n"
        "    Extensions: _python_message._ExtensionDict\n"
        "    TEXT_FIELD_NUMBER: _ClassVar[int]\n"
    )
    assert complete_stub(text) == (
        "from typing import Any as _Any, ClassVar as _ClassVar, Optional as _Optional\n"
        "NUMBER_FIELD_NUMBER: int\n"
        "class M(_message.Message):\n"
        "    Extensions: _Any\n"
        "    TEXT_FIELD_NUMBER: _ClassVar[int]\n"
    )
