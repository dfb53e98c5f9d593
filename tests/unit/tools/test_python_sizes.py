import ast
from textwrap import dedent

from tools.python_sizes import bodies


def measure(text: str) -> dict[str, int]:
    text = dedent(text)
    return {body.name: body.lines for body in bodies(ast.parse(text), text.splitlines())}


def test_docstring_comments_and_blank_lines_are_no_code() -> None:
    text = '''
        def f():
            """One.

            Two.
            """
            # why

            work()
            return 1
        '''
    assert measure(text) == {"f": 2}


def test_a_body_of_a_docstring_is_empty() -> None:
    assert measure('def f():\n    """Does nothing."""\n') == {"f": 0}


def test_names_carry_their_class_and_outer_function() -> None:
    text = """
        class A:
            async def f(self):
                def inner():
                    work()
                inner()
        """
    assert measure(text) == {"A.f": 3, "A.f.inner": 1}


def test_a_function_under_a_condition_is_measured() -> None:
    assert measure("if x:\n    def f():\n        work()\n") == {"f": 1}
