"""Are conditions of a network checked when they are made?"""

import pytest

from penstock import UsageError
from penstock.testing.conditions import BLACK_HOLE, CLEAR, STOPPED, Conditions


def test_without_anything_they_are_clear() -> None:
    assert Conditions().are_clear
    assert CLEAR.are_clear
    assert not BLACK_HOLE.are_clear
    assert not STOPPED.are_clear
    assert not Conditions(latency_seconds=0.1).are_clear


@pytest.mark.parametrize("name", ["latency_seconds", "jitter_seconds", "bytes_per_second"])
@pytest.mark.parametrize("value", [-1, -0.001, float("nan"), "1", None, True])
def test_numbers_are_numbers_from_zero(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"{name} is a number from 0"):
        Conditions(**{name: value})  # type: ignore[arg-type] # what is refused


@pytest.mark.parametrize("name", ["black_hole", "stopped"])
@pytest.mark.parametrize("value", [1, "no", None])
def test_what_happens_or_not_is_true_or_false(name: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"^{name} is True or False, not {value!r}$"):
        Conditions(**{name: value})  # type: ignore[arg-type] # what is refused


def test_a_bandwidth_of_nothing_has_a_name_of_its_own() -> None:
    with pytest.raises(UsageError, match="stopped=True"):
        Conditions(bytes_per_second=0)
    assert Conditions(bytes_per_second=1).bytes_per_second == 1
