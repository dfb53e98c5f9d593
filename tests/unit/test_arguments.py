"""Is an argument of the kind it has to be?"""

from typing import Any

import pytest

from penstock import Compression, UsageError
from penstock._arguments import check_compression, check_kind


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


def test_a_compression_is_a_member_and_not_its_name() -> None:
    check_compression(Compression.GZIP)
    with pytest.raises(UsageError) as caught:
        check_compression("gzip")
    assert str(caught.value) == "compression is penstock.Compression.GZIP or another of its members, not 'gzip'"
