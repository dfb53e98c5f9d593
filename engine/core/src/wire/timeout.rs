//! `grpc-timeout`: one to eight ASCII digits and a unit.

use std::time::Duration;

const LARGEST: u128 = 99_999_999;
/// Unit letter and its length in nanoseconds, smallest first.
const UNITS: [(u8, u128); 6] = [
    (b'n', 1),
    (b'u', 1_000),
    (b'm', 1_000_000),
    (b'S', 1_000_000_000),
    (b'M', 60_000_000_000),
    (b'H', 3_600_000_000_000),
];

/// Reads a header value; `None` for anything the specification does not allow.
///
/// Source: gRPC PROTOCOL-HTTP2, "Timeout".
#[must_use]
pub fn read(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let count = digits.iter().fold(0u128, |sum, digit| sum * 10 + u128::from(digit - b'0'));
    let (_, nanos) = UNITS.iter().find(|(letter, _)| letter == unit)?;
    let nanos = count * nanos;
    let seconds = u64::try_from(nanos / 1_000_000_000).ok()?;
    let rest = u32::try_from(nanos % 1_000_000_000).ok()?;
    Some(Duration::new(seconds, rest))
}

/// Writes `timeout` in the smallest unit that fits eight digits, rounded up so that no peer gives up early.
///
/// Longer than 99999999 hours is written as that.
#[must_use]
pub fn write(timeout: Duration) -> String {
    let nanos = timeout.as_nanos();
    for (letter, unit) in UNITS {
        let count = nanos.div_ceil(unit);
        if count <= LARGEST {
            return format!("{count}{}", char::from(letter));
        }
    }
    format!("{LARGEST}H")
}

#[cfg(test)]
mod tests {
    use super::*;

    // W8
    #[test]
    fn each_unit_is_read() {
        let cases = [
            ("1H", 3_600_000_000_000u128),
            ("2M", 120_000_000_000),
            ("3S", 3_000_000_000),
            ("4m", 4_000_000),
            ("5u", 5_000),
            ("6n", 6),
            ("00000000n", 0),
            ("99999999H", 99_999_999 * 3_600_000_000_000),
        ];
        for (text, nanos) in cases {
            assert_eq!(read(text.as_bytes()).unwrap().as_nanos(), nanos, "{text}");
        }
    }

    // W8
    #[test]
    fn what_the_specification_does_not_allow_is_refused() {
        for text in ["", "S", "123456789S", "-1S", "+1S", " 1S", "1 S", "1s", "1", "1.5S", "S1"] {
            assert_eq!(read(text.as_bytes()), None, "{text:?}");
        }
    }

    // W9
    #[test]
    fn writing_rounds_up_and_keeps_eight_digits() {
        assert_eq!(write(Duration::ZERO), "0n");
        assert_eq!(write(Duration::from_nanos(99_999_999)), "99999999n");
        assert_eq!(write(Duration::from_nanos(100_000_001)), "100001u");
        assert_eq!(write(Duration::from_mins(1)), "60000000u");
        assert_eq!(write(Duration::from_hours(24 * 365)), "31536000S");
        assert_eq!(write(Duration::MAX), "99999999H");
    }

    // W9
    #[test]
    fn a_written_timeout_is_never_shorter() {
        for nanos in [1, 99_999_999, 100_000_001, 123_456_789_012_345, 9_876_543_210_987_654_321] {
            let timeout = Duration::from_nanos(nanos);
            assert!(read(write(timeout).as_bytes()).unwrap() >= timeout);
        }
    }
}
