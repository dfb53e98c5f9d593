"""Settings of admission: what is taken and what is refused."""

import ast
import dataclasses
import inspect
import itertools
import math
import re
from typing import Any

import pytest

from penstock import Admission, UsageError, admission

NAMES = [field.name for field in dataclasses.fields(Admission)]
OF_METHODS = [name for name in NAMES if name.endswith("_per_method")]
COUNTS = [name for name in NAMES if name.startswith("max_") and name not in OF_METHODS]


def with_value(name: str, value: Any) -> Admission:
    return Admission(**{name: value})


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_one_or_more_and_ends_where_the_engine_does(name: str) -> None:
    for value in (1, 2, 2**40, 2**63 - 1):
        assert getattr(with_value(name, value), name) == value
    for value in (0, -1):
        with pytest.raises(UsageError, match=rf"^{name} must be above 0, not {value}$"):
            with_value(name, value)
    with pytest.raises(UsageError, match=rf"^{name} must be below 2\*\*63, not {2**63}$"):
        with_value(name, 2**63)


@pytest.mark.parametrize("name", COUNTS)
def test_a_count_is_a_whole_number(name: str) -> None:
    for value in (1.0, math.inf, "1", None, True):
        with pytest.raises(UsageError, match=rf"^{name} is a whole number, not {re.escape(repr(value))}$"):
            with_value(name, value)


@pytest.mark.parametrize("name", COUNTS)
def test_a_default_does_not_surprise(name: str) -> None:
    least = 100 if name == "max_health_calls" else 10_000
    assert getattr(Admission(), name) >= least


def test_the_unary_share_is_a_part_and_not_all() -> None:
    for value in (0, 0.5, 0.99):
        assert Admission(unary_share=value).unary_share == value
    for value in (-0.01, 1, 1.5, math.nan):
        with pytest.raises(UsageError, match=rf"^unary_share must be from 0 to below 1, not {value}$"):
            Admission(unary_share=value)


def test_the_time_of_the_hint_fits_into_32_bits_of_milliseconds_or_is_never() -> None:
    for value in (0, 0.001, 1_400_000, math.inf):
        assert Admission(retry_after_seconds=value).retry_after_seconds == value
    for value in (-1, 1_400_001, -math.inf, math.nan):
        with pytest.raises(UsageError, match=r"^retry_after_seconds must be from 0 to 1.4e\+06, or math.inf, not "):
            Admission(retry_after_seconds=value)


@pytest.mark.parametrize("name", ["unary_share", "retry_after_seconds"])
def test_a_number_is_no_text(name: str) -> None:
    for value in ("1", None, False):
        with pytest.raises(UsageError, match=rf"^{name} is a number, not {value!r}$"):
            with_value(name, value)


@pytest.mark.parametrize("name", OF_METHODS)
def test_limits_of_methods_are_paths_of_methods_or_services(name: str) -> None:
    given = {"/a.B/C": 1, "/a.B/": 2}
    settings = with_value(name, given)
    given.clear()
    assert getattr(settings, name) == {"/a.B/C": 1, "/a.B/": 2}
    for path in ("a.B/C", "/a.B", "/a.B/C/D", "//C", "", 1):
        with pytest.raises(UsageError, match=rf"^{name} has '/package.Service/.*, not {path!r}$"):
            with_value(name, {path: 1})
    with pytest.raises(UsageError, match=rf"^{name} is a mapping of paths to whole numbers, not 5$"):
        with_value(name, 5)
    with pytest.raises(UsageError, match=rf"^{name}\['/a.B/C'\] must be above 0, not 0$"):
        with_value(name, {"/a.B/C": 0})


def test_settings_are_frozen_named_and_can_be_compared() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Admission().max_calls = 1  # type: ignore[misc]  # what a program must not do
    with pytest.raises(TypeError):
        Admission(1)  # type: ignore[call-arg]  # what a program must not do
    assert len({Admission(), Admission(max_calls_per_method={"/a.B/C": 1}), Admission(max_calls=1)}) == 3


def test_every_setting_says_what_it_counts() -> None:
    tree = ast.parse(inspect.getsource(admission))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef))
    for field, text in itertools.zip_longest(body, body[1:]):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(text, ast.Expr), ast.unparse(field)
