"""Is a script read as it is meant, and are mistakes in it told with their line?"""

import pytest

from penstock import UsageError
from penstock.testing.transcript import Line, Step, error_name, error_number, steps_of


def test_a_script_is_read_line_by_line() -> None:
    steps = steps_of("""
        # a remark
        < HEADERS 1 :path=/a.B/C te=trailers   # another
        < DATA 1 END_STREAM message=0a026869

        > HEADERS 1 END_STREAM :status=200 'grpc-message=no such = room'
        > RST_STREAM 1 CANCEL
        > WINDOW_UPDATE 0 +1000
        > SETTINGS MAX_FRAME_SIZE=16384 INITIAL_WINDOW_SIZE=0
        < SETTINGS ACK
        > GOAWAY last=1 ENHANCE_YOUR_CALM text=too_many_pings
        > RAW 00ff
        ~ 0.5
        < CLOSE
    """)
    end, ack = frozenset({"END_STREAM"}), frozenset({"ACK"})
    assert steps == [
        Step("<", Line("HEADERS", 1, fields=((":path", "/a.B/C"), ("te", "trailers")))),
        Step("<", Line("DATA", 1, end, (("message", "0a026869"),))),
        Step(">", Line("HEADERS", 1, end, ((":status", "200"), ("grpc-message", "no such = room")))),
        Step(">", Line("RST_STREAM", 1, fields=(("error", "CANCEL"),))),
        Step(">", Line("WINDOW_UPDATE", 0, fields=(("increment", "1000"),))),
        Step(">", Line("SETTINGS", fields=(("MAX_FRAME_SIZE", "16384"), ("INITIAL_WINDOW_SIZE", "0")))),
        Step("<", Line("SETTINGS", 0, ack)),
        Step(">", Line("GOAWAY", fields=(("last", "1"), ("error", "ENHANCE_YOUR_CALM"), ("text", "too_many_pings")))),
        Step(">", Line("RAW", fields=(("bytes", "00ff"),))),
        Step("~", pause_seconds=0.5),
        Step("<", Line("CLOSE")),
    ]


def test_what_is_written_can_be_read_again() -> None:
    script = """\
< HEADERS 1 END_STREAM :status=200 'grpc-message=no room'
> DATA 3 message=0a
> RST_STREAM 3 CANCEL
> GOAWAY last=3 NO_ERROR text=bye
~ 0.5
< PING ACK data=0000000000000001"""
    steps = steps_of(script)
    assert "\n".join(map(str, steps)) == script
    assert steps_of("\n".join(map(str, steps))) == steps


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("HEADERS 1", "a line begins with"),
        ("<", "a line begins with"),
        ("~ 1 2", "a line begins with"),
        ("~ soon", "could not convert"),
        ("< HEADER 1", "HEADER is none of"),
        ("< HEADERS :path=/a", "needs the number of a stream"),
        ("> DATA 1 END", "'END' is no name=value"),
        ("> RST_STREAM 1 CANCELLED", "CANCELLED is no error code"),
        ("> SETTINGS WINDOW=1", "WINDOW is no setting"),
        ("> DATA 1 'message=", "No closing quotation"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, told: str) -> None:
    with pytest.raises(UsageError, match="line 2 of the script") as caught:
        steps_of(f"< CLOSE\n  {text}")
    assert repr(text) in str(caught.value)
    assert told in str(caught.value)


def line(text: str) -> Line:
    return steps_of(f"< {text}")[0].line


@pytest.mark.parametrize(
    ("expected", "seen", "fits"),
    [
        ("HEADERS 1 :path=/a", "HEADERS 1 :method=POST :path=/a te=trailers", True),
        ("HEADERS 1", "HEADERS 1 :path=/a", True),
        ("HEADERS 1 :path=/a", "HEADERS 1 :path=/b", False),
        ("HEADERS 1", "HEADERS 3", False),
        ("HEADERS 1", "HEADERS 1 END_STREAM", False),
        ("HEADERS 1 END_STREAM", "HEADERS 1", False),
        ("HEADERS 1", "DATA 1", False),
        ("PING ACK", "PING ACK data=00", True),
        ("PING", "PING ACK data=00", False),
    ],
)
def test_what_comes_fits_if_it_has_the_fields_that_are_named(expected: str, seen: str, fits: bool) -> None:
    assert line(expected).fits(line(seen)) is fits


def test_a_payload_may_be_named_in_another_way_than_it_is_shown() -> None:
    seen = Line("DATA", 1, fields=(("message", "0a"),), unshown=(("bytes", "00000000010a"), ("length", "6")))
    for way, fits in (("message=0a", True), ("bytes=00000000010a", True), ("length=6", True), ("length=5", False)):
        assert line(f"DATA 1 {way}").fits(seen) is fits


def test_errors_have_names_or_numbers() -> None:
    assert (error_name(8), error_name(99)) == ("CANCEL", "99")
    assert (error_number("CANCEL"), error_number("99")) == (8, 99)


def test_a_field_that_is_missing_is_told() -> None:
    assert Line("PING").value("data", "00") == "00"
    with pytest.raises(UsageError, match="RST_STREAM needs error="):
        Line("RST_STREAM", 1).value("error")
