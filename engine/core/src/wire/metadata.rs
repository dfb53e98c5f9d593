//! Metadata: headers the application may set, ASCII or, with a name ending in `-bin`, bytes.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use bytes::Bytes;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use thiserror::Error;

/// Sends without padding and takes both forms, as the specification asks.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Names gRPC or HTTP/2 use themselves; `grpc-*` and `:*` are reserved as well.
const RESERVED: [&str; 8] =
    ["te", "content-type", "user-agent", "host", "connection", "keep-alive", "transfer-encoding", "upgrade"];

/// Names of gRPC whose content is the application's, or that of a library above us; a proxy has to pass them on.
/// Source: gRPC statuscodes and A6 (retries), OpenCensus.
const OF_APPLICATIONS: [&str; 6] = [
    "grpc-status-details-bin",
    "grpc-retry-pushback-ms",
    "grpc-previous-rpc-attempts",
    "grpc-trace-bin",
    "grpc-tags-bin",
    "grpc-server-stats-bin",
];

/// One value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Printable ASCII.
    Text(String),
    /// What a peer sent in its place: HTTP allows any byte but control characters. It may be sent on as it is.
    Foreign(Vec<u8>),
    /// The bytes behind a `-bin` name.
    Binary(Vec<u8>),
}

/// Pairs in the order of the wire; a name may appear many times.
pub type Pairs = Vec<(String, Value)>;

/// Why a pair cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// Characters outside `0-9 a-z _ - .`, or nothing.
    #[error("metadata key {0:?} may only hold 0-9 a-z _ - .")]
    Key(String),
    /// A name of the protocol.
    #[error("metadata key {0:?} is reserved for gRPC and HTTP/2")]
    Reserved(String),
    /// A character outside 0x20-0x7E.
    #[error("the value of metadata key {0:?} must be printable ASCII; end the key in -bin to send bytes")]
    Text(String),
    /// More than the peer said it takes.
    #[error("headers of {size} bytes exceed the peer's limit of {limit}")]
    TooLarge {
        /// Names, values, and 32 bytes for each.
        size: usize,
        /// The peer's `SETTINGS_MAX_HEADER_LIST_SIZE`.
        limit: usize,
    },
    /// Bytes for a text key, or text for a `-bin` key.
    #[error("metadata key {0:?} takes bytes if it ends in -bin and str if not")]
    Kind(String),
}

fn is_binary(name: &str) -> bool {
    name.ends_with("-bin")
}

fn is_reserved(name: &str) -> bool {
    name.starts_with("grpc-") && !OF_APPLICATIONS.contains(&name) || RESERVED.contains(&name)
}

/// What gRPC allows in a name; HTTP/2 allows more.
fn is_key(name: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_digit() || c.is_ascii_lowercase() || matches!(c, b'_' | b'-' | b'.');
    !name.is_empty() && name.bytes().all(allowed)
}

fn is_text(value: &[u8]) -> bool {
    value.iter().all(|c| (0x20..=0x7e).contains(c))
}

fn checked_name(name: &str) -> Result<HeaderName, MetadataError> {
    if !is_key(name) {
        return Err(MetadataError::Key(name.to_owned()));
    }
    if is_reserved(name) {
        return Err(MetadataError::Reserved(name.to_owned()));
    }
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| MetadataError::Key(name.to_owned()))
}

fn checked_value(name: &str, value: &Value) -> Result<HeaderValue, MetadataError> {
    match value {
        Value::Binary(bytes) if is_binary(name) => {
            Ok(HeaderValue::from_maybe_shared(Bytes::from(BASE64.encode(bytes)))
                .expect("base64 holds only characters a header may hold"))
        }
        Value::Text(text) if !is_binary(name) => {
            if !is_text(text.as_bytes()) {
                return Err(MetadataError::Text(name.to_owned()));
            }
            trimmed(name, text.as_bytes())
        }
        Value::Foreign(bytes) if !is_binary(name) => trimmed(name, bytes),
        _ => Err(MetadataError::Kind(name.to_owned())),
    }
}

/// Without white space at its ends, which gRPC lets us strip and strict peers refuse. Source: RFC 9113 section 8.2.1.
fn trimmed(name: &str, value: &[u8]) -> Result<HeaderValue, MetadataError> {
    HeaderValue::from_bytes(value.trim_ascii()).map_err(|_| MetadataError::Text(name.to_owned()))
}

/// Adds the application's pairs to `headers`.
///
/// # Errors
/// [`MetadataError`] names the first pair that may not be sent; `headers` may then hold those before it.
///
/// Source: gRPC PROTOCOL-HTTP2, "Custom-Metadata".
pub fn write(pairs: &Pairs, headers: &mut HeaderMap) -> Result<(), MetadataError> {
    for (name, value) in pairs {
        let header = checked_name(name)?;
        headers.append(header, checked_value(name, value)?);
    }
    Ok(())
}

/// Adds `grpc-status-details-bin`.
///
/// # Panics
/// Never: base64 holds only characters a header may hold.
pub fn write_details(details: &[u8], headers: &mut HeaderMap) {
    let value = HeaderValue::from_maybe_shared(Bytes::from(BASE64.encode(details))).expect("base64 is a header value");
    headers.insert(DETAILS, value);
}

/// The name that carries `google.rpc.Status`.
pub const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// The size of a header list as HTTP/2 counts it. Source: RFC 9113 section 6.5.2.
#[must_use]
pub fn list_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum()
}

/// A `-bin` value that is not base64.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the value of metadata key {0:?} is not base64")]
pub struct NotBase64(pub String);

/// Reads what the application may see: everything but names of the protocol, and names that gRPC does not allow.
///
/// What it reads, `write` takes: an application may send back what it got.
///
/// # Errors
/// [`NotBase64`] for the first `-bin` value that cannot be decoded.
pub fn read(headers: &HeaderMap) -> Result<Pairs, NotBase64> {
    let mut pairs = Pairs::new();
    for (name, value) in headers {
        let text = name.as_str();
        if is_reserved(text) || !is_key(text) {
            continue;
        }
        if is_binary(text) {
            // Several values of one name may come joined by commas, which base64 does not use.
            for part in value.as_bytes().split(|&c| c == b',') {
                let bytes = BASE64.decode(part.trim_ascii()).map_err(|_| NotBase64(text.to_owned()))?;
                pairs.push((text.to_owned(), Value::Binary(bytes)));
            }
        } else {
            let value = match value.to_str() {
                Ok(ascii) if is_text(ascii.as_bytes()) => Value::Text(ascii.to_owned()),
                _ => Value::Foreign(value.as_bytes().to_vec()),
            };
            pairs.push((text.to_owned(), value));
        }
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, value: &str) -> (String, Value) {
        (name.to_owned(), Value::Text(value.to_owned()))
    }

    fn binary(name: &str, value: &[u8]) -> (String, Value) {
        (name.to_owned(), Value::Binary(value.to_vec()))
    }

    // W13
    #[test]
    fn pairs_come_back_in_order() {
        let pairs = vec![text("a", "1"), text("a", "2"), binary("b-bin", &[0, 255, 7]), binary("c-bin", &[])];
        let mut headers = HeaderMap::new();
        write(&pairs, &mut headers).unwrap();
        assert_eq!(read(&headers).unwrap(), pairs);
    }

    // W13
    #[test]
    fn binary_is_sent_unpadded_and_taken_either_way() {
        let mut headers = HeaderMap::new();
        write(&vec![binary("k-bin", b"a")], &mut headers).unwrap();
        assert_eq!(headers["k-bin"], "YQ");
        headers.insert("k-bin", HeaderValue::from_static("YQ==,Yg, Yw=="));
        let expected = vec![binary("k-bin", b"a"), binary("k-bin", b"b"), binary("k-bin", b"c")];
        assert_eq!(read(&headers).unwrap(), expected);
    }

    // W11
    #[test]
    fn what_may_not_be_sent_is_named() {
        let mut headers = HeaderMap::new();
        let mut try_one = |pair| write(&vec![pair], &mut headers).unwrap_err();
        assert_eq!(try_one(text("Upper", "x")), MetadataError::Key("Upper".into()));
        assert_eq!(try_one(text("", "x")), MetadataError::Key(String::new()));
        assert_eq!(try_one(text(":path", "x")), MetadataError::Key(":path".into()));
        assert_eq!(try_one(text("grpc-status", "0")), MetadataError::Reserved("grpc-status".into()));
        assert_eq!(try_one(text("te", "x")), MetadataError::Reserved("te".into()));
        assert_eq!(try_one(text("k", "ü")), MetadataError::Text("k".into()));
        assert_eq!(try_one(text("k", "a\nb")), MetadataError::Text("k".into()));
        assert_eq!(try_one(text("k-bin", "x")), MetadataError::Kind("k-bin".into()));
        assert_eq!(try_one(binary("k", b"x")), MetadataError::Kind("k".into()));
    }

    // W12
    #[test]
    fn what_http_allows_and_grpc_does_not_is_read_and_may_be_sent_on() {
        let mut headers = HeaderMap::new();
        for value in [&b"caf\xe9"[..], b"a\tb", b"\xff"] {
            headers.append("k", HeaderValue::from_bytes(value).unwrap());
        }
        let pairs = read(&headers).unwrap();
        assert_eq!(pairs[0], ("k".to_owned(), Value::Foreign(b"caf\xe9".to_vec())));
        let mut again = HeaderMap::new();
        write(&pairs, &mut again).unwrap();
        assert_eq!(again, headers);
        let control = vec![("k".to_owned(), Value::Foreign(b"a\nb".to_vec()))];
        assert_eq!(write(&control, &mut again).unwrap_err(), MetadataError::Text("k".into()));
        let binary = vec![("k-bin".to_owned(), Value::Foreign(b"YQ".to_vec()))];
        assert_eq!(write(&binary, &mut again).unwrap_err(), MetadataError::Kind("k-bin".into()));
    }

    #[test]
    fn names_that_grpc_does_not_allow_are_not_read() {
        let mut headers = HeaderMap::new();
        for name in ["a!b", "a~", "good.name_0"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("v"));
        }
        assert_eq!(read(&headers).unwrap(), vec![text("good.name_0", "v")]);
    }

    // W12
    #[test]
    fn white_space_at_the_ends_is_not_sent() {
        let mut headers = HeaderMap::new();
        write(&vec![text("k", "  a  b "), text("blank", "   ")], &mut headers).unwrap();
        assert_eq!((headers["k"].as_bytes(), headers["blank"].as_bytes()), (&b"a  b"[..], &b""[..]));
    }

    #[test]
    fn names_of_grpc_that_belong_to_applications_pass_both_ways() {
        let pairs = vec![
            binary("grpc-status-details-bin", &[8, 5]),
            text("grpc-retry-pushback-ms", "100"),
            text("grpc-previous-rpc-attempts", "1"),
            binary("grpc-trace-bin", &[0, 1]),
        ];
        let mut headers = HeaderMap::new();
        write(&pairs, &mut headers).unwrap();
        for name in ["grpc-status", "grpc-message", "grpc-timeout", "grpc-encoding", "grpc-anything"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("0"));
        }
        assert_eq!(read(&headers).unwrap(), pairs);
    }

    // W13
    #[test]
    fn bad_base64_is_an_error() {
        let mut headers = HeaderMap::new();
        headers.insert("k-bin", HeaderValue::from_static("%%%"));
        assert_eq!(read(&headers).unwrap_err(), NotBase64("k-bin".into()));
    }
}
