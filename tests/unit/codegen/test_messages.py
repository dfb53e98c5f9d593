"""How generated code names a message."""

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from penstock.codegen.messages import MessageNames, index_messages


def file(name: str, package: str, *messages: str) -> FileDescriptorProto:
    """Give a file with messages; `A.B` nests."""
    result = FileDescriptorProto(name=name, package=package)
    for path in messages:
        scope = result.message_type
        for part in path.split("."):
            message = scope.add(name=part)
            scope = message.nested_type
    return result


def names(own: str, *files: FileDescriptorProto, relative: bool = False) -> MessageNames:
    """Give the names of a file among others."""
    return MessageNames(own, index_messages(files), {one.name for one in files} if relative else ())


def statements(found: MessageNames) -> list[str]:
    """Give the imports that a file needs."""
    return [one.statement() for one in found.imports()]


def test_own_messages_stand_under_the_plain_name_of_their_module() -> None:
    found = names("a/b.proto", file("a/b.proto", "p.q", "Outer.Inner"))
    assert found.annotation(".p.q.Outer.Inner") == "b_pb2.Outer.Inner"
    assert found.expression(".p.q.Outer.Inner") == "b_pb2.Outer.Inner"
    assert statements(found) == ["from a import b_pb2"]


def test_messages_of_other_files_stand_under_protocs_alias() -> None:
    found = names("b.proto", file("b.proto", ""), file("a/b.proto", "", "M"))
    assert found.annotation(".M") == "a_dot_b__pb2.M"
    assert statements(found) == ["from a import b_pb2 as a_dot_b__pb2"]


def test_the_plain_name_gives_way_to_an_alias_that_reads_the_same() -> None:
    found = names("a_.proto", file("a_.proto", "x", "M"), file("a.proto", "y", "M"))
    assert found.annotation(".x.M") == "a____pb2.M"
    assert found.annotation(".y.M") == "a__pb2.M"
    assert found.variables() == {"a____pb2", "a__pb2"}


def test_only_what_is_mentioned_is_imported() -> None:
    found = names("b.proto", file("b.proto", "", "B"), file("a.proto", "", "A"))
    found.expression(".B")
    assert statements(found) == ["import b_pb2"]


def test_relative_imports_are_for_the_files_named() -> None:
    own, well_known = file("b.proto", "", "B"), file("google/protobuf/empty.proto", "google.protobuf", "Empty")
    found = MessageNames("b.proto", index_messages([own, well_known]), {"b.proto"})
    found.expression(".B")
    found.expression(".google.protobuf.Empty")
    assert statements(found) == [
        "from google.protobuf import empty_pb2 as google_dot_protobuf_dot_empty__pb2",
        "from . import b_pb2",
    ]


@pytest.mark.parametrize(
    ("message", "expression"),
    [
        ("None", 'getattr(b_pb2, "None")'),
        ("Outer.class", 'getattr(b_pb2.Outer, "class")'),
        ("def.Inner", 'getattr(b_pb2, "def").Inner'),
    ],
)
def test_a_keyword_in_the_name_leaves_the_type_open(message: str, expression: str) -> None:
    found = names("b.proto", file("b.proto", "", message))
    assert found.annotation(f".{message}") == "Any"
    assert found.expression(f".{message}") == expression


def test_a_keyword_in_the_module_leaves_the_type_open() -> None:
    found = names("b.proto", file("b.proto", ""), file("class/a.proto", "", "M"), relative=True)
    assert found.annotation(".M") == "Any"
    assert found.expression(".M") == "class_dot_a__pb2.M"
    assert statements(found) == ['class_dot_a__pb2 = importlib.import_module(".class.a_pb2", __package__)']


def test_a_digit_at_the_front_of_a_module_is_no_variable() -> None:
    found = names("1st.proto", file("1st.proto", "", "M"))
    assert found.expression(".M") == "_1st_pb2.M"
