//! Response heads, trailers and errors, judged by a client: everything becomes one [`Outcome`].

use crate::event::{Cause, Origin, Outcome};
use crate::request::{PROTOBUF, subtype};
use crate::wire::coding::{self, Coding};
use crate::wire::metadata::{self, Pairs, list_size};
use crate::wire::status::{self, Code};
use h2::Reason;
use http::response::Parts;
use http::{HeaderMap, HeaderValue};
use std::io::ErrorKind;

/// What `:status` adds to a header list.
pub(crate) const HTTP_STATUS_SIZE: usize = ":status200".len() + 32;

/// Judges the head of a response. `last`: nothing follows it. `limit`: the largest header list we take.
///
/// # Errors
/// The outcome, when the head decides it: Trailers-Only, or not a gRPC response.
pub(crate) fn head(parts: &Parts, last: bool, limit: usize) -> Result<(Pairs, Option<Coding>), Outcome> {
    let http = parts.status.as_u16();
    if last && parts.headers.contains_key(status::STATUS) {
        return Err(trailers(Some(&parts.headers), limit));
    }
    if http != 200 {
        let message = format!("the peer answered with HTTP status {http} and no grpc-status");
        return Err(broken_rule(status::from_http(http), message));
    }
    let subtype = subtype(&parts.headers);
    if subtype != Some(PROTOBUF) {
        // To `application/grpc`, which we say, no other subtype is an answer.
        let (code, what) = if subtype.is_some() { (Code::Internal, "protobuf") } else { (Code::Unknown, "gRPC") };
        let kind = parts.headers.get(http::header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
        let kind = String::from_utf8_lossy(kind);
        let message = format!("the peer answered with content-type {kind:?}, which is not {what}");
        return Err(broken_rule(code, message));
    }
    if last {
        return Err(trailers(Some(&parts.headers), limit));
    }
    let size = list_size(&parts.headers) + HTTP_STATUS_SIZE;
    if size > limit {
        return Err(too_large(size, limit));
    }
    let internal = |text: String| broken_rule(Code::Internal, text);
    let coding = coding::read(&parts.headers).map_err(|error| internal(error.to_string()))?;
    let pairs = metadata::read(&parts.headers).map_err(|error| internal(error.to_string()))?;
    Ok((pairs, coding))
}

/// Judges trailers, or their absence: an end that lacks all of gRPC's trailers is what a proxy or a crash makes of a
/// stream, so it is INTERNAL, as grpc-go and grpc-java have it; trailers that only lack the status are UNKNOWN.
///
/// Of those that are larger than we take an error stays what it is, without what came with it; an OK without its
/// metadata would be a lie.
pub(crate) fn trailers(headers: Option<&HeaderMap>, limit: usize) -> Outcome {
    let Some(headers) = headers else {
        return broken_rule(Code::Internal, "the peer ended the call without trailers");
    };
    let Some((code, message)) = status::read(headers) else {
        return broken_rule(Code::Unknown, "the peer ended the call without grpc-status");
    };
    let size = list_size(headers);
    if size > limit && code == Code::Ok as u8 {
        return too_large(size, limit);
    }
    let said = |trailers: Pairs| Outcome {
        code,
        message,
        trailers,
        origin: Origin::Remote,
        cause: Cause::Status,
        unprocessed: false,
    };
    if size > limit {
        return said(Pairs::new());
    }
    match metadata::read(headers) {
        Ok(trailers) => said(trailers),
        Err(error) => broken_rule(Code::Internal, error.to_string()),
    }
}

/// The peer's answer is none that gRPC knows.
fn broken_rule(code: Code, message: impl Into<String>) -> Outcome {
    Outcome::new(code, message, Origin::Remote, Cause::Broken)
}

fn too_large(size: usize, limit: usize) -> Outcome {
    let message = format!("headers of {size} bytes exceed max_metadata_bytes={limit}");
    Outcome::new(Code::ResourceExhausted, message, Origin::Local, Cause::Limit)
}

/// Judges an error h2 reports for a stream.
pub(crate) fn error(error: &h2::Error) -> Outcome {
    let reason = error.reason();
    if error.is_io() {
        return lost(&broken(error));
    }
    if error.is_go_away() && error.is_remote() {
        return Outcome { unprocessed: true, ..lost("the peer closed the connection before it took the call") };
    }
    if error.is_go_away() && !error.is_library() {
        return lost("this side ended the connection");
    }
    if error.is_reset() && error.is_remote() {
        return reset(reason.unwrap_or(Reason::INTERNAL_ERROR));
    }
    let origin = if error.is_remote() { Origin::Remote } else { Origin::Transport };
    Outcome::new(Code::Internal, format!("HTTP/2 error: {error}"), origin, Cause::Broken)
}

/// Why a connection broke. Of a peer that is gone h2 says "stream closed because of a broken pipe".
pub(crate) fn broken(error: &h2::Error) -> String {
    match error.get_io() {
        Some(io) if io.kind() == ErrorKind::BrokenPipe => "connection lost: the peer closed it".to_owned(),
        _ if error.is_go_away() && error.is_remote() => "connection lost: the peer ended it".to_owned(),
        _ => format!("connection lost: {error}"),
    }
}

/// The outcome of a call whose connection ended under it.
pub(crate) fn lost(message: &str) -> Outcome {
    Outcome::new(Code::Unavailable, message, Origin::Transport, Cause::Lost)
}

/// Judges a RST_STREAM of the peer.
pub(crate) fn reset(reason: Reason) -> Outcome {
    let code = from_reset(reason);
    let message = format!("the peer reset the stream: {reason:?}");
    let unprocessed = reason == Reason::REFUSED_STREAM;
    Outcome { unprocessed, ..Outcome::new(code, message, Origin::Remote, Cause::Reset) }
}

/// The code for a stream the peer reset. Source: gRPC PROTOCOL-HTTP2, "Errors".
fn from_reset(reason: Reason) -> Code {
    match reason {
        Reason::REFUSED_STREAM => Code::Unavailable,
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        _ => Code::Internal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;

    fn judged(
        http: u16,
        headers: &[(&'static str, &'static str)],
        last: bool,
    ) -> Result<(Pairs, Option<Coding>), Outcome> {
        let mut response = Response::builder().status(http);
        for &(name, value) in headers {
            response = response.header(name, HeaderValue::from_static(value));
        }
        head(&response.body(()).unwrap().into_parts().0, last, 1000)
    }

    const GRPC: (&str, &str) = ("content-type", "application/grpc");

    #[test]
    fn a_good_head_gives_its_metadata() {
        for (name, coding) in [("identity", None), ("gzip", Some(Coding::Gzip))] {
            let (pairs, found) = judged(200, &[GRPC, ("k", "v"), ("grpc-encoding", name)], false).unwrap();
            assert_eq!((pairs.len(), found), (1, coding));
        }
    }

    #[test]
    fn a_coding_nobody_offered_is_an_internal_error() {
        let outcome = judged(200, &[GRPC, ("grpc-encoding", "br")], false).unwrap_err();
        assert_eq!(outcome.code, Code::Internal as u8);
    }

    // W18
    #[test]
    fn trailers_only_is_the_outcome_whatever_the_http_status() {
        for http in [200, 400, 503] {
            let outcome = judged(http, &[GRPC, ("grpc-status", "5"), ("grpc-message", "no%20room")], true).unwrap_err();
            assert_eq!((outcome.code, outcome.message.as_str()), (5, "no room"));
            assert_eq!(outcome.cause, Cause::Status);
        }
    }

    #[test]
    fn other_responses_are_judged_by_http_status_or_content_type() {
        assert_eq!(judged(503, &[], false).unwrap_err().code, Code::Unavailable as u8);
        assert_eq!(judged(404, &[GRPC], true).unwrap_err().code, Code::Unimplemented as u8);
        assert_eq!(judged(200, &[("content-type", "text/html")], false).unwrap_err().code, Code::Unknown as u8);
        let json = ("content-type", "application/grpc+json");
        assert_eq!(judged(200, &[json], false).unwrap_err().code, Code::Internal as u8);
        assert_eq!(judged(200, &[GRPC], true).unwrap_err().code, Code::Unknown as u8);
    }

    // W17
    #[test]
    fn a_missing_status_is_never_ok() {
        for (headers, code) in [(None, Code::Internal), (Some(&HeaderMap::new()), Code::Unknown)] {
            let outcome = trailers(headers, 1000);
            assert_eq!((outcome.code, outcome.cause), (code as u8, Cause::Broken));
        }
    }

    // W14
    #[test]
    fn of_trailers_above_the_limit_only_an_error_is_left() {
        let of_size = |status: &'static str, size: usize| {
            let mut headers = HeaderMap::new();
            headers.insert(status::STATUS, HeaderValue::from_static(status));
            let rest = size - list_size(&headers) - "k".len() - 32;
            headers.insert("k", HeaderValue::from_str(&"x".repeat(rest)).unwrap());
            trailers(Some(&headers), 1000)
        };
        for (size, code, pairs) in [(999, 0, 1), (1000, 0, 1), (1001, Code::ResourceExhausted as u8, 0)] {
            let outcome = of_size("0", size);
            assert_eq!((outcome.code, outcome.trailers.len()), (code, pairs), "{size}");
        }
        let outcome = of_size("5", 1001);
        assert_eq!((outcome.code, outcome.trailers.len()), (5, 0));
    }

    // W23
    #[test]
    fn resets_map_as_the_specification_says() {
        let cases = [
            (Reason::NO_ERROR, Code::Internal),
            (Reason::PROTOCOL_ERROR, Code::Internal),
            (Reason::INTERNAL_ERROR, Code::Internal),
            (Reason::FLOW_CONTROL_ERROR, Code::Internal),
            (Reason::SETTINGS_TIMEOUT, Code::Internal),
            (Reason::STREAM_CLOSED, Code::Internal),
            (Reason::FRAME_SIZE_ERROR, Code::Internal),
            (Reason::COMPRESSION_ERROR, Code::Internal),
            (Reason::CONNECT_ERROR, Code::Internal),
            (Reason::REFUSED_STREAM, Code::Unavailable),
            (Reason::CANCEL, Code::Cancelled),
            (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
            (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
        ];
        for (reason, code) in cases {
            assert_eq!(from_reset(reason), code);
        }
    }

    // W23
    #[test]
    fn a_refused_stream_may_be_repeated_and_a_cancelled_one_not() {
        assert!(reset(Reason::REFUSED_STREAM).unprocessed);
        assert!(!reset(Reason::CANCEL).unprocessed);
    }
}
