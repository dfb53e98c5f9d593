//! Request heads: written by a client, judged by a server.

use crate::event::CallHead;
use crate::wire::coding::{self, ACCEPT_ENCODING, ACCEPTED, Coding, Codings};
use crate::wire::metadata::{self, MetadataError, Pairs};
use crate::wire::status::{self, Code};
use crate::wire::timeout;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http::{Method, Request, Response, StatusCode};
use std::time::Duration;
use thiserror::Error;

const TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
/// The subtype that we speak, and that `application/grpc` alone stands for.
pub(crate) const PROTOBUF: &[u8] = b"proto";
const LIBRARY: &str = concat!("grpc-python-penstock/", env!("CARGO_PKG_VERSION"));

/// A call to start.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// `/package.Service/Method`.
    pub path: &'a str,
    /// `:authority`.
    pub authority: &'a str,
    /// `https` rather than `http`.
    pub secure: bool,
    /// Time left, sent as `grpc-timeout`.
    pub timeout: Option<Duration>,
    /// How its messages are compressed.
    pub coding: Option<Coding>,
    /// Custom metadata.
    pub metadata: &'a Pairs,
}

/// What a client calls itself: the application's name, if it has one, before the library's.
///
/// `None`: the name holds what is not printable ASCII.
///
/// Source: gRPC PROTOCOL-HTTP2, "User Agents".
#[must_use]
pub fn user_agent(application: &str) -> Option<HeaderValue> {
    HeaderValue::from_str(format!("{application} {LIBRARY}").trim_start()).ok().filter(|name| name.to_str().is_ok())
}

/// Why a call could not be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The path or the authority is no URI.
    #[error("{0:?} cannot be part of a request")]
    Uri(String),
    /// A pair of metadata may not be sent.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The connection takes no new calls.
    #[error("{0}")]
    Connection(String),
}

impl Call<'_> {
    /// The request head. Source: gRPC PROTOCOL-HTTP2, "Requests".
    pub(crate) fn request(&self, user_agent: HeaderValue, target: &mut Target) -> Result<Request<()>, CallError> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.uri_mut() = target.of(self)?;
        let headers = request.headers_mut();
        headers.reserve(6 + self.metadata.len());
        if let Some(left) = self.timeout {
            // First: the specification wants it right behind the pseudo-headers.
            let value = HeaderValue::from_str(&timeout::write(left)).expect("digits and a letter");
            headers.insert(TIMEOUT, value);
        }
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
        coding::write(self.coding, headers);
        headers.insert(ACCEPT_ENCODING, ACCEPTED);
        headers.insert(header::USER_AGENT, user_agent);
        metadata::write(self.metadata, headers)?;
        Ok(request)
    }

    /// What the pseudo-headers add to the header list.
    pub(crate) fn pseudo_size(&self) -> usize {
        let names = ":method:scheme:authority:path".len() + 4 * 32;
        names + "POST".len() + "https".len() + self.authority.len() + self.path.len()
    }

    fn read_authority(&self) -> Result<Authority, CallError> {
        Authority::try_from(self.authority).map_err(|_| CallError::Uri(self.authority.to_owned()))
    }

    fn read_path(&self) -> Result<PathAndQuery, CallError> {
        if !self.path.is_ascii() || !self.path.starts_with('/') || self.path.contains(['?', '#']) {
            return Err(CallError::Uri(self.path.to_owned()));
        }
        PathAndQuery::try_from(self.path).map_err(|_| CallError::Uri(self.path.to_owned()))
    }
}

/// Where the last call of a connection went: the next one mostly goes there too, and need not be read again.
#[derive(Debug, Default)]
pub(crate) struct Target {
    authority: Option<Authority>,
    path: Option<PathAndQuery>,
}

impl Target {
    fn of(&mut self, call: &Call<'_>) -> Result<Uri, CallError> {
        if self.authority.as_ref().is_none_or(|known| known.as_str() != call.authority) {
            self.authority = Some(call.read_authority()?);
        }
        if self.path.as_ref().is_none_or(|known| known.as_str() != call.path) {
            self.path = Some(call.read_path()?);
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(if call.secure { Scheme::HTTPS } else { Scheme::HTTP });
        parts.authority.clone_from(&self.authority);
        parts.path_and_query.clone_from(&self.path);
        Uri::from_parts(parts).map_err(|_| CallError::Uri(call.path.to_owned()))
    }
}

/// A request that is answered here and never reaches the application.
#[derive(Debug)]
pub(crate) struct Refusal {
    http: StatusCode,
    status: Option<(Code, String)>,
}

impl Refusal {
    fn http(http: StatusCode) -> Self {
        Self { http, status: None }
    }

    pub(crate) fn response(&self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = self.http;
        if let Some((code, message)) = &self.status {
            response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
            response.headers_mut().insert(ACCEPT_ENCODING, ACCEPTED);
            status::write(*code as u8, message, response.headers_mut());
        }
        response
    }
}

/// Judges an incoming request.
///
/// # Errors
/// [`Refusal`] for what is not a gRPC call: 405 for another method, 415 for another content type, and INTERNAL with
/// 400 for a timeout, metadata or hosts that cannot be read (as grpc-go does), UNIMPLEMENTED for a coding we have not
/// and, unless `any_subtype`, for messages that are not protobuf.
pub(crate) fn read(parts: &Parts, any_subtype: bool) -> Result<CallHead, Refusal> {
    if parts.method != Method::POST {
        return Err(Refusal::http(StatusCode::METHOD_NOT_ALLOWED));
    }
    let Some(subtype) = subtype(&parts.headers) else {
        return Err(Refusal::http(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    };
    if subtype != PROTOBUF && !any_subtype {
        let message = format!("messages are protobuf here, not {}", String::from_utf8_lossy(subtype));
        return Err(Refusal { http: StatusCode::OK, status: Some((Code::Unimplemented, message)) });
    }
    let coding = coding::read(&parts.headers)
        .map_err(|error| Refusal { http: StatusCode::OK, status: Some((Code::Unimplemented, error.to_string())) })?;
    let malformed =
        |message: String| Refusal { http: StatusCode::BAD_REQUEST, status: Some((Code::Internal, message)) };
    let timeout = match parts.headers.get(TIMEOUT) {
        None => None,
        Some(value) => Some(
            timeout::read(value.as_bytes()).ok_or_else(|| malformed(format!("malformed grpc-timeout {value:?}")))?,
        ),
    };
    let metadata = metadata::read(&parts.headers).map_err(|error| malformed(error.to_string()))?;
    let authority = authority(parts).ok_or_else(|| malformed("more than one host".to_owned()))?;
    Ok(CallHead {
        path: parts.uri.path_and_query().map_or_else(String::new, |path| path.as_str().to_owned()),
        authority,
        metadata,
        timeout,
        coding,
        accepts: Codings::read(&parts.headers),
    })
}

/// How messages are made bytes: what follows `+` in `application/grpc+subtype;parameters`, protobuf unless named.
/// `None`: it is not gRPC.
pub(crate) fn subtype(headers: &HeaderMap) -> Option<&[u8]> {
    match headers.get(header::CONTENT_TYPE)?.as_bytes().strip_prefix(b"application/grpc")? {
        [] | [b';', ..] => Some(PROTOBUF),
        [b'+', named @ ..] => named.split(|&byte| byte == b';').next().map(<[u8]>::trim_ascii_end),
        _ => None,
    }
}

/// `:authority`, or `host` in its place; `None` if there are several. Source: gRPC A41.
fn authority(parts: &Parts) -> Option<String> {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return None;
    }
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str().to_owned()),
        None => Some(host.map_or_else(String::new, |host| String::from_utf8_lossy(host.as_bytes()).into_owned())),
    }
}

/// The response head every call begins with.
pub(crate) fn response_head(pairs: &Pairs, coding: Option<Coding>) -> Result<Response<()>, MetadataError> {
    let mut response = Response::new(());
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    coding::write(coding, response.headers_mut());
    metadata::write(pairs, response.headers_mut())?;
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::coding::ENCODING;
    use crate::wire::metadata::Value;

    fn request(change: impl FnOnce(&mut Request<()>)) -> Result<CallHead, Refusal> {
        let metadata = vec![("k".to_owned(), Value::Text("v".to_owned()))];
        let call = Call {
            path: "/a.B/C",
            authority: "host:1",
            secure: false,
            timeout: Some(Duration::from_millis(5)),
            coding: Some(Coding::Gzip),
            metadata: &metadata,
        };
        let mut request = call.request(user_agent("").unwrap(), &mut Target::default()).unwrap();
        change(&mut request);
        read(&request.into_parts().0, false)
    }

    #[test]
    fn a_call_is_read_as_written() {
        let head = request(|_| ()).unwrap();
        assert_eq!((head.path.as_str(), head.authority.as_str()), ("/a.B/C", "host:1"));
        assert_eq!(head.timeout, Some(Duration::from_millis(5)));
        assert_eq!(head.coding, Some(Coding::Gzip));
        assert!(head.accepts.contains(Coding::Gzip) && head.accepts.contains(Coding::Deflate));
        assert_eq!(head.metadata, vec![("k".to_owned(), Value::Text("v".to_owned()))]);
    }

    #[test]
    fn what_is_no_call_is_refused() {
        let status = |refusal: Refusal| refusal.response().status().as_u16();
        assert_eq!(status(request(|r| *r.method_mut() = Method::GET).unwrap_err()), 405);
        for text in ["application/json", "application/grpcx", "application/grpc-web", ""] {
            let value = HeaderValue::from_static(text);
            let refusal = request(|r| drop(r.headers_mut().insert(header::CONTENT_TYPE, value))).unwrap_err();
            assert_eq!(status(refusal), 415, "{text}");
        }
        for text in ["application/grpc+proto", "application/grpc;x=y", "application/grpc+proto ;x=y"] {
            let value = HeaderValue::from_static(text);
            request(|r| drop(r.headers_mut().insert(header::CONTENT_TYPE, value))).unwrap();
        }
    }

    #[test]
    fn a_subtype_that_is_not_protobuf_is_unimplemented_unless_any_is_taken() {
        for text in ["application/grpc+json", "application/grpc+", "application/grpc+json;x=proto"] {
            let mut parts = Request::new(()).into_parts().0;
            parts.method = Method::POST;
            parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(text));
            let response = read(&parts, false).unwrap_err().response();
            assert_eq!(response.status(), 200);
            assert_eq!(status::read(response.headers()).unwrap().0, Code::Unimplemented as u8, "{text}");
            read(&parts, true).unwrap();
        }
    }

    #[test]
    fn a_coding_nobody_offered_is_unimplemented_and_says_what_is_taken() {
        let with =
            |name| move |r: &mut Request<()>| drop(r.headers_mut().insert(ENCODING, HeaderValue::from_static(name)));
        let refusal = request(with("br")).unwrap_err();
        let response = refusal.response();
        assert_eq!(response.headers()[ACCEPT_ENCODING], "identity,deflate,gzip");
        assert_eq!(status::read(response.headers()).unwrap().0, Code::Unimplemented as u8);
        assert_eq!(request(with("identity")).unwrap().coding, None);
    }

    // W4
    #[test]
    fn a_host_stands_in_for_a_missing_authority_and_several_are_an_error() {
        let host = |name: &'static str| HeaderValue::from_static(name);
        let head = request(|r| {
            *r.uri_mut() = Uri::from_static("/a.B/C");
            r.headers_mut().insert(header::HOST, host("one"));
        });
        assert_eq!(head.unwrap().authority, "one");
        assert_eq!(request(|r| drop(r.headers_mut().insert(header::HOST, host("two")))).unwrap().authority, "host:1");
        let refusal = request(|r| {
            r.headers_mut().append(header::HOST, host("one"));
            r.headers_mut().append(header::HOST, host("one"));
        });
        assert_eq!(refusal.unwrap_err().response().status(), 400);
    }

    // W47
    #[test]
    fn an_application_stands_before_the_library() {
        assert_eq!(user_agent("").unwrap(), LIBRARY);
        assert_eq!(user_agent("my-app/1.2").unwrap(), format!("my-app/1.2 {LIBRARY}"));
        assert_eq!(user_agent("a\nb"), None);
        assert_eq!(user_agent("ü"), None);
    }

    #[test]
    fn a_malformed_timeout_is_an_internal_error() {
        let refusal = request(|r| drop(r.headers_mut().insert(TIMEOUT, HeaderValue::from_static("5")))).unwrap_err();
        let response = refusal.response();
        assert_eq!(response.status(), 400);
        assert_eq!(status::read(response.headers()).unwrap().0, Code::Internal as u8);
    }
}
