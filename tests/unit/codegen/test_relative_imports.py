"""Package-relative imports in what protoc wrote."""

import pytest

from penstock.codegen.relative_imports import make_relative

MODULES = {"a_pb2", "x.b_pb2", "x.y.c_pb2", "class.d_pb2"}


@pytest.mark.parametrize(
    ("module", "line", "expected"),
    [
        ("m_pb2", "import a_pb2 as a__pb2", "from . import a_pb2 as a__pb2"),
        ("m_pb2", "from x import b_pb2 as x_dot_b__pb2", "from .x import b_pb2 as x_dot_b__pb2"),
        ("x.m_pb2", "from x import b_pb2 as _b_pb2", "from . import b_pb2 as _b_pb2"),
        ("x.y.m_pb2", "import a_pb2 as a__pb2", "from ... import a_pb2 as a__pb2"),
        ("m_pb2", "from a_pb2 import *", "from .a_pb2 import *"),
        ("x.m_pb2", "from x.y.c_pb2 import *", "from .y.c_pb2 import *"),
        ("m_pb2", "from x.b_pb2 import B as B", "from .x.b_pb2 import B as B"),
        (
            "x.m_pb2",
            "d = importlib.import_module('class.d_pb2')",
            'd = importlib.import_module("..class.d_pb2", __package__)',
        ),
    ],
)
def test_imports_of_modules_that_lie_together(module: str, line: str, expected: str) -> None:
    assert make_relative(f"before\n{line}\nafter\n", module, MODULES) == f"before\n{expected}\nafter\n"


@pytest.mark.parametrize(
    "line",
    [
        "from google.protobuf import empty_pb2 as google_dot_protobuf_dot_empty__pb2",
        "from google.protobuf.empty_pb2 import *",
        "from typing import ClassVar as _ClassVar, Optional as _Optional",
        "import other_pb2 as other__pb2",
        "import grpc",
        "    import a_pb2 as a__pb2",
        "# import a_pb2 as a__pb2",
    ],
)
def test_everything_else_stays(line: str) -> None:
    assert make_relative(f"{line}\n", "m_pb2", MODULES) == f"{line}\n"


def test_message_classes_say_the_module_they_are_in() -> None:
    line = "_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, 'x.m_pb2', _globals)"
    expected = "_builder.BuildTopDescriptorsAndMessages(DESCRIPTOR, __name__, _globals)"
    assert make_relative(line, "x.m_pb2", ()) == expected
