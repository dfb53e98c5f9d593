"""`grpc-timeout`: what is written, what is read, and what is refused."""

import pytest

from tests.wire.engine import REQUEST, client, server
from tests.wire.frames import head

HOUR = 3600.0


@pytest.mark.wire("W8")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1H", HOUR),
        ("2M", 120.0),
        ("3S", 3.0),
        ("4m", 0.004),
        ("5u", 0.000005),
        ("6n", 0.000000006),
        ("0S", 0.0),
        ("00000001S", 1.0),
        ("99999999H", 99_999_999 * HOUR),
    ],
)
def test_one_to_eight_digits_and_a_unit_are_read(text: str, seconds: float) -> None:
    engine = server()
    engine.hears(engine.peer.headers(1, [*REQUEST, ("grpc-timeout", text)], end=True))
    assert engine.told[-1] == f"opened 1 /a.B/C host:1 None {seconds}"


@pytest.mark.wire("W8")
@pytest.mark.parametrize(
    "text", ["123456789S", "1", "", "S", "-1S", "+1S", " 1S", "1 S", "1s", "1h", "1.5S", "S1", "1SS", "0x1S", "\xb2S"]
)
def test_anything_else_is_an_internal_error_and_no_call(text: str) -> None:
    engine = server()
    (said,) = engine.hears(engine.peer.headers(1, [*REQUEST, ("grpc-timeout", text)], end=True))
    assert said.startswith(head("Headers 1 END_STREAM", ":status: 400", "content-type: application/grpc"))
    assert "\n  grpc-status: 13\n  grpc-message: malformed grpc-timeout " in said
    assert engine.told == ["settings"]


def written(seconds: float | None) -> str | None:
    engine = client()
    engine.open(timeout_seconds=seconds)
    (said,) = engine.says()
    values = [line.removeprefix("grpc-timeout: ") for line in said.split("\n  ") if line.startswith("grpc-timeout")]
    assert len(values) <= 1
    return values[0] if values else None


@pytest.mark.wire("W9")
@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0n"),
        (0.000000001, "1n"),
        (0.099999999, "99999999n"),
        (0.1000000009, "100001u"),
        (1.0, "1000000u"),
        (99.999999, "99999999u"),
        (100.0, "100000m"),
        (100_000.0, "100000S"),
        (99_999_999.5, "1666667M"),
        (100_000_000.0, "1666667M"),
        (99_999_999 * HOUR, "99999999H"),
        (99_999_999 * HOUR + 1, "99999999H"),
        (float(2**62), "99999999H"),
    ],
)
def test_a_timeout_is_written_in_eight_digits_and_rounded_up(seconds: float, text: str) -> None:
    assert written(seconds) == text


@pytest.mark.wire("W9")
def test_no_timeout_is_not_written_and_read_as_none() -> None:
    assert written(None) is None
    engine = server()
    engine.hears(engine.peer.headers(1, REQUEST, end=True))
    assert engine.told[-1] == "opened 1 /a.B/C host:1 None None"
