"""Settings: what is taken and what is refused."""

import ast
import dataclasses
import inspect
import itertools
import re
from typing import Any

import pytest

from penstock import CallOptions, Limits, UsageError, limits

# Name, least and most that is taken.
RANGES = [
    ("send_buffer_bytes", 1, 2**63 - 1),
    ("connection_buffer_bytes", 1, 2**63 - 1),
    ("max_metadata_bytes", 1, 2**32 - 1),
    ("max_frame_bytes", 16 * 1024, 2**24 - 1),
    ("stream_window_bytes", 1, 2**31 - 1),
    ("max_receive_message_bytes", 1, 2**32 - 1),
    ("max_send_message_bytes", 1, 2**32 - 1),
    ("max_concurrent_streams", 1, 2**32 - 1),
]
NAMES = [field.name for field in dataclasses.fields(Limits)]


def with_value(name: str, value: Any) -> Limits:
    return Limits(**{name: value})


@pytest.mark.parametrize(("name", "least", "most"), RANGES)
def test_the_ends_of_a_range_are_taken(name: str, least: int, most: int) -> None:
    for value in (least, least + 1, most - 1, most):
        assert getattr(with_value(name, value), name) == value


@pytest.mark.parametrize(("name", "least", "most"), RANGES)
def test_one_beyond_a_range_is_refused_by_name_and_value(name: str, least: int, most: int) -> None:
    for value in (least - 1, most + 1):
        with pytest.raises(UsageError, match=rf"{name} must be .*, not {value}$"):
            with_value(name, value)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_zero_or_below(name: str) -> None:
    for value in (0, -1):
        with pytest.raises(UsageError, match=rf"{name} must be above 0, not {value}"):
            with_value(name, value)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_no_number(name: str) -> None:
    for value in ("4MB", None, [1], True):
        with pytest.raises(UsageError, match=rf"^{name} is a (whole )?number of [a-z]+, not {re.escape(repr(value))}$"):
            with_value(name, value)
    with pytest.raises(UsageError, match=r"(above 0|whole number of [a-z]+), not nan$"):
        with_value(name, float("nan"))


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith("_seconds")])
def test_what_is_counted_is_a_whole_number(name: str) -> None:
    unit = name.rpartition("_")[2]
    with pytest.raises(UsageError) as caught:
        with_value(name, 1e6)
    assert str(caught.value) == f"{name} is a whole number of {unit}, not 1000000.0"


def test_a_fraction_of_a_second_is_taken() -> None:
    assert Limits(connect_timeout_seconds=0.01).connect_timeout_seconds == 0.01


def test_settings_are_frozen_and_named() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Limits().max_frame_bytes = 1  # type: ignore[misc]  # what a program must not do
    with pytest.raises(TypeError):
        Limits(1)  # type: ignore[call-arg]  # what a program must not do


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_setting_carries_its_unit(name: str) -> None:
    assert name.endswith(("_bytes", "_seconds", "_streams", "_threads", "_calls"))


@pytest.mark.parametrize("kind", [Limits, CallOptions])
def test_every_setting_says_what_it_costs_or_prevents(kind: type[Any]) -> None:
    tree = ast.parse(inspect.getsource(limits))
    body = next(node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == kind.__name__)
    for field, text in itertools.zip_longest(body, body[1:]):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(text, ast.Expr), ast.unparse(field)


def test_a_call_inherits_its_deadline_unless_told_otherwise() -> None:
    assert CallOptions().inherit_deadline
    assert not CallOptions(inherit_deadline=False).inherit_deadline
    wrong: Any
    for wrong in ("no", None):
        with pytest.raises(UsageError, match=rf"^inherit_deadline is True or False, not {wrong!r}$"):
            CallOptions(inherit_deadline=wrong)


def test_a_calls_compression_is_a_member_and_not_its_name() -> None:
    compression: Any = "gzip"
    with pytest.raises(UsageError, match=r"^compression is penstock.Compression.GZIP or .*, not 'gzip'$"):
        CallOptions(compression=compression)
