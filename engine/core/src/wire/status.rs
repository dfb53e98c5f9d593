//! The outcome of a call: `grpc-status`, `grpc-message`, and the codes that stand in where a peer gave none.

use http::header::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode, utf8_percent_encode};

/// Header of the status code.
pub const STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// Header of the percent-encoded message.
pub const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Everything outside 0x20-0x7E, and `%` itself. (Non-ASCII bytes are always encoded.)
const ENCODED: &AsciiSet = &CONTROLS.add(b'%');

/// Status codes of gRPC. Source: gRPC statuscodes.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are the specification's own")]
pub enum Code {
    Ok = 0,
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Aborted = 10,
    OutOfRange = 11,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    DataLoss = 15,
    Unauthenticated = 16,
}

/// Writes code and message; an empty message is left out.
///
/// # Panics
/// Never: digits and percent-encoded text are header values.
pub fn write(code: u8, message: &str, headers: &mut HeaderMap) {
    headers.insert(STATUS, HeaderValue::from(u16::from(code)));
    if !message.is_empty() {
        let text = utf8_percent_encode(message, ENCODED).to_string();
        headers.insert(MESSAGE, HeaderValue::from_str(&text).expect("percent-encoded text is a header value"));
    }
}

/// Reads code and message, if a `grpc-status` is there.
///
/// A code that is no number, or is unknown, is UNKNOWN; a message that is not percent-encoded well is shown as it is.
///
/// Source: gRPC PROTOCOL-HTTP2, "Responses".
#[must_use]
pub fn read(headers: &HeaderMap) -> Option<(u8, String)> {
    let value = headers.get(STATUS)?;
    let code = value
        .to_str()
        .ok()
        .filter(|text| !text.starts_with('+'))
        .and_then(|text| text.parse::<u8>().ok())
        .filter(|&code| code <= 16);
    let message = headers
        .get(MESSAGE)
        .map_or_else(String::new, |value| percent_decode(value.as_bytes()).decode_utf8_lossy().into_owned());
    Some(match code {
        Some(code) => (code, message),
        None => (Code::Unknown as u8, format!("unknown grpc-status {value:?}: {message}")),
    })
}

/// The code for a response without `grpc-status`. Source: gRPC http-grpc-status-mapping.md.
#[must_use]
pub fn from_http(status: u16) -> Code {
    match status {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(message: &str) -> String {
        let mut headers = HeaderMap::new();
        write(2, message, &mut headers);
        read(&headers).unwrap().1
    }

    // W19
    #[test]
    fn any_message_comes_back() {
        for message in ["", "plain", "50 %", "\t\n☺ and 😈\r\n", "schön", "%41"] {
            assert_eq!(round_trip(message), message);
        }
    }

    // W19
    #[test]
    fn the_wire_form_is_upper_case_percent() {
        let mut headers = HeaderMap::new();
        write(5, "a é%~", &mut headers);
        assert_eq!(headers[MESSAGE], "a %C3%A9%25~");
        assert_eq!(headers[STATUS], "5");
    }

    // W19
    #[test]
    fn broken_percent_is_kept_as_it_is() {
        for text in ["%", "%G1", "100%"] {
            let mut headers = HeaderMap::new();
            headers.insert(STATUS, HeaderValue::from_static("3"));
            headers.insert(MESSAGE, HeaderValue::from_str(text).unwrap());
            assert_eq!(read(&headers), Some((3, text.to_owned())));
        }
    }

    // W17
    #[test]
    fn codes_that_are_none_are_unknown() {
        for text in ["17", "-1", "x", "", "999"] {
            let mut headers = HeaderMap::new();
            headers.insert(STATUS, HeaderValue::from_str(text).unwrap());
            assert_eq!(read(&headers).unwrap().0, Code::Unknown as u8, "{text}");
        }
        assert_eq!(read(&HeaderMap::new()), None);
    }
}
