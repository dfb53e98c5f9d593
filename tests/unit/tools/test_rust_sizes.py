from textwrap import dedent

import pytest

from tools.rust_sizes import bodies, strip


def measure(text: str) -> dict[str, int]:
    return {body.name: body.lines for body in bodies(dedent(text))}


def test_comments_and_blank_lines_are_no_code() -> None:
    text = """
        pub fn f<'a>(x: &'a str) -> Result<(), Error> {
            // why {
            /* and
               how } */

            work();
            Ok(())
        }
        fn g() { 1 }
        """
    assert measure(text) == {"f": 2, "g": 1}


@pytest.mark.parametrize(
    "line", ['"}"', '"\\"}"', "'}'", "b'}'", "'\\''", 'r"}"', 'r#""}"#', "'\\u{7d}'", "let x: &'static str = y;"]
)
def test_braces_in_texts_do_not_count(line: str) -> None:
    assert measure(f"fn f() {{\n{line}\nwork();\n}}\nfn g() {{\nwork();\n}}\n") == {"f": 2, "g": 1}


def test_a_declaration_has_no_body_and_an_array_type_does_not_end_one() -> None:
    assert measure(
        "trait A { fn f(&self, x: [u8; 4]) -> u8; }\nfn g(x: [u8; 4])\nwhere\n    A: B,\n{\nwork();\n}\n"
    ) == {"g": 1}


def test_inner_functions_count_on_their_own_and_for_the_outer() -> None:
    assert measure("fn f() {\nfn g() {\nwork();\n}\ng();\n}\n") == {"f": 4, "g": 1}


def test_lines_stay_where_they_are() -> None:
    assert strip('a /* x\ny */ b\n"c\nd"\n') == 'a \n b\n""\n""\n'


def test_a_function_is_found_on_its_line() -> None:
    (body,) = bodies("\n/* fn no() {\n} */\nfn f() {}\n")
    assert (body.name, body.line, body.lines) == ("f", 4, 0)
