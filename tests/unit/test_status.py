"""Status codes, and the outcome they are part of."""

import dataclasses

import grpc
import pytest

from penstock import Status, StatusCode


def test_codes_have_the_numbers_of_the_specification() -> None:
    assert {code.name: code.value for code in StatusCode} == {code.name: code.value[0] for code in grpc.StatusCode}


def test_a_code_is_a_number() -> None:
    assert StatusCode(5) is StatusCode.NOT_FOUND
    assert [StatusCode.NOT_FOUND] == [5]


def test_a_number_above_the_last_code_is_none() -> None:
    assert StatusCode(16) is StatusCode.UNAUTHENTICATED
    with pytest.raises(ValueError, match="17"):
        StatusCode(17)


def test_a_status_needs_only_a_code() -> None:
    assert Status(StatusCode.OK) == Status(StatusCode.OK, "", ())


def test_a_status_does_not_change() -> None:
    status = Status(StatusCode.ABORTED, "again")
    with pytest.raises(dataclasses.FrozenInstanceError):
        status.message = "other"  # type: ignore[misc]  # what a program must not do
