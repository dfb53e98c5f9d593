"""Comments of a .proto file as docstrings."""

import ast
from pathlib import Path

import pytest

from penstock.codegen.comments import Comments, docstring_lines
from tests.unit.codegen.protofiles import describe

ONE_RPC = "message M {} service S { %s rpc Get(M) returns (M);%s }"


def read_back(text: str, indent: str) -> str | None:
    """Give the docstring that Python reads from the lines made of a text."""
    lines = docstring_lines(text, indent + "    ")
    [definition] = ast.parse("\n".join(["class C:", "    x = 0", *_function(lines)])).body
    assert isinstance(definition, ast.ClassDef)
    function = definition.body[1]
    assert isinstance(function, ast.FunctionDef)
    return ast.get_docstring(function)


def _function(lines: object) -> list[str]:
    assert isinstance(lines, list)
    return ["    def f(self):", *lines]


@pytest.mark.parametrize(
    "text",
    [
        "plain",
        'ends with a quote"',
        '"begins with one',
        '"""',
        '""""""" seven',
        "backslash at the end \\",
        'backslash and quote \\"',
        "\\n \\N{DASH} \\u0041 \\x",
        "{braces} %s 'single' '''three'''",
        "first\nsecond",
        'first\n\n  indented\nlast"',
        'first\nsecond """',
        "服务端推送流",
        "nul \0, bell \a, escape \x1b[31m",
        "right-to-left \u202e override",
        "line separator \u2028 stays in its line",
        "astral \U000e0001 tag",
    ],
)
def test_a_docstring_says_exactly_the_text(text: str) -> None:
    assert read_back(text, "    ") == text


def test_what_hides_text_is_shown_by_its_number() -> None:
    assert docstring_lines("a\u202eb\0c", "") == ['"""a\\u202eb\\u0000c"""']


def test_leading_comment_is_preferred_to_trailing(tmp_path: Path) -> None:
    file = describe(tmp_path, ONE_RPC % ("\n// before\n", " // after\n"))
    assert Comments(file).method(0, 0) == "before"


def test_trailing_comment_stands_in_for_a_leading_one(tmp_path: Path) -> None:
    file = describe(tmp_path, ONE_RPC % ("", " // after\n"))
    assert Comments(file).method(0, 0) == "after"


def test_no_comment_is_an_empty_text(tmp_path: Path) -> None:
    comments = Comments(describe(tmp_path, ONE_RPC % ("", "")))
    assert (comments.service(0), comments.method(0, 0)) == ("", "")


@pytest.mark.parametrize(
    "comment",
    [
        "// one\n//   two\n",
        "//one\n//  two\n",
        "/* one\n *   two\n */",
        "/**\n * one\n *   two\n */",
        "// one\r\n//   two\r\n",
    ],
)
def test_the_form_of_the_comment_goes_and_its_indentation_stays(tmp_path: Path, comment: str) -> None:
    file = describe(tmp_path, f"message M {{}}\n{comment.rstrip()}\nservice S {{}}")
    assert Comments(file).service(0) == "one\n  two"


def test_a_star_on_one_line_goes(tmp_path: Path) -> None:
    assert Comments(describe(tmp_path, "/** one */\nservice S {}")).service(0) == "one"
