"""What penstock raises."""

import copy
import pickle
import re

import pytest
from google.protobuf.wrappers_pb2 import StringValue

import penstock
from penstock import Origin, RpcError, Status, StatusCode
from penstock.errors import message_too_large, outcome

OWN_CLASSES = {
    StatusCode.CANCELLED: penstock.Cancelled,
    StatusCode.DEADLINE_EXCEEDED: penstock.DeadlineExceeded,
    StatusCode.RESOURCE_EXHAUSTED: penstock.ResourceExhausted,
    StatusCode.UNAVAILABLE: penstock.Unavailable,
}
ERRORS = [code for code in StatusCode if code is not StatusCode.OK]


@pytest.mark.parametrize("code", ERRORS)
def test_the_code_chooses_the_class(code: StatusCode) -> None:
    error = RpcError(code, "text")
    assert type(error) is OWN_CLASSES.get(code, RpcError)
    assert (error.code, error.message) == (code, "text")


def test_a_plain_number_is_a_code() -> None:
    error = RpcError(14)  # type: ignore[arg-type]  # what a careless program passes
    assert isinstance(error, penstock.Unavailable)
    assert error.code is StatusCode.UNAVAILABLE


@pytest.mark.parametrize("code", ["NOT_FOUND", 17, None])
def test_what_is_no_code_is_a_mistake(code: object) -> None:
    text = f"code is a StatusCode such as StatusCode.NOT_FOUND, not {code!r}"
    with pytest.raises(penstock.UsageError, match=re.escape(text)) as caught:
        RpcError(code, "text")  # type: ignore[arg-type]  # what mypy refuses
    assert caught.value.__suppress_context__


def test_ok_is_no_error() -> None:
    with pytest.raises(penstock.UsageError, match="OK"):
        RpcError(StatusCode.OK)


def test_builtins_catch_what_they_stand_for() -> None:
    assert isinstance(RpcError(StatusCode.DEADLINE_EXCEEDED), TimeoutError)
    assert isinstance(RpcError(StatusCode.UNAVAILABLE), ConnectionError)
    assert not isinstance(RpcError(StatusCode.INTERNAL), OSError)


def test_a_mistake_of_the_program_is_no_outcome_of_a_call() -> None:
    for kind in (penstock.UsageError, penstock.BusyError, penstock.ClosedError):
        assert issubclass(kind, penstock.Error)
        assert not issubclass(kind, RpcError)


@pytest.mark.parametrize("code", ERRORS)
def test_the_text_is_the_code_and_the_message(code: StatusCode) -> None:
    assert str(RpcError(code, "no room")) == f"{code.name}: no room"
    assert str(RpcError(code)) == code.name


@pytest.mark.parametrize("code", ERRORS)
def test_an_error_can_be_copied_and_pickled(code: StatusCode) -> None:
    error = RpcError(code, "far away")
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(other) is type(error)
        assert (other.code, other.message) == (code, "far away")


def test_what_is_not_said_has_defaults() -> None:
    error = RpcError(StatusCode.ABORTED)
    assert (error.message, error.details, error.metadata.pairs()) == ("", (), [])
    assert error.origin is Origin.LOCAL
    assert not error.retryable


def test_the_status_of_an_error_has_its_details() -> None:
    detail = StringValue(value="why")
    error = RpcError(StatusCode.ABORTED, "again", details=[detail])
    assert error.status == Status(StatusCode.ABORTED, "again", (detail,))


def test_metadata_of_an_error_is_its_own_copy() -> None:
    given = penstock.Metadata({"k": "v"})
    error = RpcError(StatusCode.ABORTED, metadata=given)
    given.add("k", "w")
    assert error.metadata.pairs() == [("k", "v")]


def test_relay_keeps_what_the_client_may_see_and_becomes_local() -> None:
    detail = StringValue(value="why")
    error = RpcError(
        StatusCode.UNAVAILABLE, "down", details=[detail], metadata={"k": "v"}, origin=Origin.REMOTE, retryable=True
    )
    relayed = error.relay()
    assert relayed is not error
    assert type(relayed) is penstock.Unavailable
    assert (relayed.status, relayed.metadata) == (error.status, error.metadata)
    assert relayed.origin is Origin.LOCAL
    assert not relayed.retryable


def test_the_outcome_of_a_call_has_all_that_is_known_of_it_and_loses_its_mark_when_relayed() -> None:
    status = Status(StatusCode.UNAVAILABLE, "down", (StringValue(value="why"),))
    error = outcome(status, Origin.TRANSPORT, {"k": "v"}, retryable=True)
    assert type(error) is penstock.Unavailable
    assert (error.status, error.origin, error.retryable) == (status, Origin.TRANSPORT, True)
    assert error.metadata == {"k": "v"}
    assert error._outcome_of_call
    assert not error.relay()._outcome_of_call


def test_the_tree_in_the_module_names_every_class() -> None:
    from penstock import errors

    tree = errors.__doc__ or ""
    for name in set(errors.__all__) - {"Origin"}:
        assert f" {name}" in tree


def test_a_message_above_the_limit_is_resource_exhausted() -> None:
    error = message_too_large("message of 5 bytes exceeds max_send_message_bytes=4")
    assert isinstance(error, penstock.ResourceExhausted)
    assert error.message == "message of 5 bytes exceeds max_send_message_bytes=4"
