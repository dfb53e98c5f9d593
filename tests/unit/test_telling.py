"""What the log says of ends."""

import logging

import pytest

from penstock import End, Status, StatusCode
from penstock._telling import tell_end, tell_failure
from tests.unit.memory import both_ends, settle

LOGGER = logging.getLogger("penstock.server")
GONE = Status(StatusCode.NOT_FOUND, "gone")

told_by_themselves = pytest.mark.parametrize(
    "end", [end for end in End if end is not End.FAILED], ids=lambda end: end.name
)


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "penstock")


def lines(caplog: pytest.LogCaptureFixture, *loggers: str) -> list[tuple[str, str]]:
    """Level and text of what the loggers said of ends."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name in loggers and " ended: " in record.getMessage()
    ]


@told_by_themselves
def test_an_end_is_told_with_method_peer_end_and_status_at_its_level(
    end: End, caplog: pytest.LogCaptureFixture
) -> None:
    tell_end(LOGGER, "/a.B/C from here", GONE, end, set())
    level = logging.getLevelName(end.level)
    assert lines(caplog, LOGGER.name) == [(level, f"/a.B/C from here ended: {end.name}, NOT_FOUND: gone")]


@told_by_themselves
def test_a_second_one_of_the_same_connection_is_told_at_debug(end: End, caplog: pytest.LogCaptureFixture) -> None:
    told: set[End] = set()
    for _ in range(3):
        tell_end(LOGGER, "/a.B/C from here", GONE, end, told)
    first, *others = [level for level, _ in lines(caplog, LOGGER.name)]
    assert first == logging.getLevelName(end.level)
    assert others == [first if end is End.KILLED else "DEBUG"] * 2


def test_a_status_without_message_is_its_code(caplog: pytest.LogCaptureFixture) -> None:
    tell_end(LOGGER, "/a.B/C from here", Status(StatusCode.OK), End.RETURNED, set())
    assert lines(caplog, LOGGER.name) == [("DEBUG", "/a.B/C from here ended: RETURNED, OK")]


def test_a_failure_is_told_when_it_happens_and_not_again_as_an_end(caplog: pytest.LogCaptureFixture) -> None:
    tell_failure("/a.B/C from here", None, ValueError("why"))
    tell_end(LOGGER, "/a.B/C from here", GONE, End.FAILED, set())
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == "/a.B/C from here ended: FAILED, UNKNOWN: the handler raised an exception"
    assert "ValueError: why" in caplog.text


def test_a_failure_after_the_end_is_told_as_that(caplog: pytest.LogCaptureFixture) -> None:
    tell_failure("/a.B/C from here", End.DEADLINE, ValueError("why"))
    assert "/a.B/C from here: the handler raised an exception after the end, DEADLINE" in caplog.text
    assert "ValueError: why" in caplog.text


async def test_both_sides_tell_of_a_call_once(caplog: pytest.LogCaptureFixture) -> None:
    async with both_ends() as ends:
        ends.client.cancel()
        await settle()
        path = ends.client.method
        for name, line in {
            "penstock.client": f"{path} to {ends.client.peer} ended: LEFT, CANCELLED: cancelled by this side",
            "penstock.server": f"{path} from {ends.server.peer} ended: PEER_CANCELLED, CANCELLED: "
            "the peer reset the stream: CANCEL",
        }.items():
            assert lines(caplog, name) == [("DEBUG", line)]


async def test_an_end_that_is_overruled_is_told_as_what_it_became(caplog: pytest.LogCaptureFixture) -> None:
    async with both_ends() as ends:
        ends.server._finish_ok()
        await settle()
        ends.client._overrule(Status(StatusCode.INTERNAL, "undecodable"), End.BROKEN)
        assert [(level, line.rpartition("ended: ")[2]) for level, line in lines(caplog, "penstock.client")] == [
            ("DEBUG", "RETURNED, OK"),
            ("WARNING", "BROKEN, INTERNAL: undecodable"),
        ]
