"""Python names for the names of a .proto file."""

import keyword

import pytest

from penstock.codegen.names import constant_name, method_name, snake_case


@pytest.mark.parametrize(
    ("rpc_name", "expected"),
    [
        ("Get", "get"),
        ("ServerStream", "server_stream"),
        ("GetUrl", "get_url"),
        ("GetURL", "get_url"),
        ("GetURLOf", "get_url_of"),
        ("HTTPServer", "http_server"),
        ("GetV2Item", "get_v2_item"),
        ("already_snake_case", "already_snake_case"),
        ("Mixed_Case", "mixed_case"),
        ("lowerCamel", "lower_camel"),
        ("X", "x"),
    ],
)
def test_words_become_lower_case_with_underscores(rpc_name: str, expected: str) -> None:
    assert snake_case(rpc_name) == expected


@pytest.mark.parametrize("word", [word for word in keyword.kwlist if word.islower()])
def test_keywords_get_a_trailing_underscore(word: str) -> None:
    assert method_name(word.capitalize(), ()) == f"{word}_"


def test_words_that_are_keywords_only_in_capitals_stay() -> None:
    assert method_name("None", ()) == "none"


def test_soft_keywords_stay() -> None:
    assert method_name("Match", ()) == "match"


def test_reserved_names_get_a_trailing_underscore() -> None:
    assert method_name("Penstock", {"penstock"}) == "penstock_"


@pytest.mark.parametrize(
    ("rpc_name", "expected"), [("_Get", "get"), ("__init__", "init__"), ("_1st", "rpc_1st"), ("__", "rpc_")]
)
def test_leading_underscores_go(rpc_name: str, expected: str) -> None:
    assert method_name(rpc_name, ()) == expected


def test_constants_are_private_capitals() -> None:
    assert constant_name("both_stream") == "_BOTH_STREAM"
    assert constant_name("echo", "import_") == "_ECHO_IMPORT"
