"""Is an argument of the kind it has to be?"""

import asyncio
import math
from typing import Any

import pytest

from penstock import Compression, UsageError
from penstock._arguments import check_compression, check_flag, check_grace, check_here, check_kind, is_number


class Small(int):
    """A kind of number."""


@pytest.mark.parametrize("given", [None, 5, Small(5)])
def test_what_is_left_out_or_of_the_kind_is_taken(given: int | None) -> None:
    check_kind(given, int, "a number is one of 1, 2, 3")


@pytest.mark.parametrize("given", ["", "5", {}, 0.5])
def test_what_is_of_another_kind_is_shown_even_if_it_is_empty(given: Any) -> None:
    with pytest.raises(UsageError) as caught:
        check_kind(given, int, "a number is one of 1, 2, 3")
    assert str(caught.value) == f"a number is one of 1, 2, 3, not {given!r}"


@pytest.mark.parametrize("given", [0, 1, None, "no", ""])
def test_a_flag_is_true_or_false_and_nothing_that_counts_as_one(given: object) -> None:
    check_flag("loud", True)
    check_flag("loud", False)
    with pytest.raises(UsageError) as caught:
        check_flag("loud", given)
    assert str(caught.value) == f"loud is True or False, not {given!r}"


def test_a_flag_is_no_number() -> None:
    assert [is_number(given) for given in (0, -1.5, math.inf, True, False, "1", None, 1j)] == [True] * 3 + [False] * 5


@pytest.mark.parametrize("given", [-1, math.nan, -math.inf, "30", None, True])
def test_a_grace_is_a_number_of_seconds(given: object) -> None:
    for fit in (0, 0.5, 30, math.inf):
        check_grace(fit)
    with pytest.raises(UsageError) as caught:
        check_grace(given)
    assert str(caught.value) == f"grace is a number of seconds, 0 or more, not {given!r}"


async def test_what_belongs_to_a_loop_is_called_there_or_when_that_runs_no_more() -> None:
    here = asyncio.get_running_loop()
    check_here(here, "thing.stop()")

    async def elsewhere() -> str:
        with pytest.raises(UsageError) as caught:
            check_here(here, "thing.stop()")
        return str(caught.value)

    assert "asyncio.run_coroutine_threadsafe(thing.stop(), " in await asyncio.to_thread(
        lambda: asyncio.run(elsewhere())
    )
    over = asyncio.new_event_loop()
    check_here(over, "thing.stop()")
    over.close()


def test_a_compression_is_a_member_and_not_its_name() -> None:
    check_compression(Compression.GZIP)
    with pytest.raises(UsageError) as caught:
        check_compression("gzip")
    assert str(caught.value) == "compression is penstock.Compression.GZIP or another of its members, not 'gzip'"
