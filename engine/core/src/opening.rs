//! The first bytes of a peer: HTTP/2, or something that deserves a clear answer.

/// What a client must say first. Source: RFC 9113 section 3.4.
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const HTTP1_ANSWER: &[u8] =
    b"HTTP/1.1 505 HTTP Version Not Supported\r\nconnection: close\r\ncontent-type: text/plain\r\n\
content-length: 42\r\n\r\nThis port speaks gRPC over HTTP/2, only.\r\n";
/// A fatal alert, `protocol_version`: the client's TLS library then names the cause.
const TLS_ANSWER: &[u8] = &[0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46];

/// A peer that does not speak HTTP/2 in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    Tls,
    Http1,
    Unknown,
}

impl Foreign {
    /// For logs and errors.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Tls => "the peer speaks TLS, this connection is plaintext",
            Self::Http1 => "the peer speaks HTTP/1, not HTTP/2",
            Self::Unknown => "the peer does not speak HTTP/2",
        }
    }

    /// What a server says before it closes.
    pub(crate) fn answer(self) -> &'static [u8] {
        match self {
            Self::Tls => TLS_ANSWER,
            Self::Http1 => HTTP1_ANSWER,
            Self::Unknown => b"",
        }
    }
}

/// Judges a connection by its first bytes.
#[derive(Debug)]
pub(crate) enum Opening {
    /// Still within the client's preface.
    Preface(Vec<u8>),
    /// Still within the head of the server's first frame.
    FirstFrame(Vec<u8>),
    Done,
}

impl Opening {
    pub(crate) fn of_client() -> Self {
        Self::Preface(Vec::new())
    }

    pub(crate) fn of_server() -> Self {
        Self::FirstFrame(Vec::new())
    }

    /// The client's preface is not whole.
    pub(crate) fn awaits_client(&self) -> bool {
        matches!(self, Self::Preface(_))
    }

    /// Looks at the next bytes.
    ///
    /// # Errors
    /// What the peer speaks instead.
    pub(crate) fn check(&mut self, bytes: &[u8]) -> Result<(), Foreign> {
        let (seen, wanted) = match self {
            Self::Done => return Ok(()),
            Self::Preface(seen) => (seen, PREFACE.len()),
            Self::FirstFrame(seen) => (seen, 9),
        };
        let n = (wanted - seen.len()).min(bytes.len());
        seen.extend_from_slice(&bytes[..n]);
        let good = match self {
            Self::Preface(seen) => PREFACE.starts_with(seen),
            Self::FirstFrame(seen) => is_settings(seen),
            Self::Done => true,
        };
        let seen = self.seen();
        if !good {
            return Err(guess(seen));
        }
        if seen.len() == wanted {
            *self = Self::Done;
        }
        Ok(())
    }

    fn seen(&self) -> &[u8] {
        match self {
            Self::Preface(seen) | Self::FirstFrame(seen) => seen,
            Self::Done => &[],
        }
    }
}

/// A server begins with a SETTINGS frame on stream 0. Source: RFC 9113 section 3.4.
fn is_settings(head: &[u8]) -> bool {
    let is = |at: usize, allowed: fn(u8) -> bool| head.get(at).is_none_or(|&byte| allowed(byte));
    is(0, |b| b == 0) && is(3, |b| b == 4) && (5..9).all(|at| is(at, |b| b == 0))
}

fn guess(seen: &[u8]) -> Foreign {
    match seen {
        [0x15 | 0x16, 3, ..] | [0x15 | 0x16] => Foreign::Tls,
        _ if is_http1(seen) => Foreign::Http1,
        _ => Foreign::Unknown,
    }
}

/// The begin of a request line (method, space, target) or of a status line. Source: RFC 9112 sections 3 and 4.
fn is_http1(seen: &[u8]) -> bool {
    let word = seen.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    match &seen[word..] {
        [] | [b' '] => word > 0,
        [b' ', target, ..] => word > 0 && (matches!(target, b'/' | b'*' | b'h') || seen.starts_with(b"CONNECT ")),
        [b'/', ..] => seen.starts_with(b"HTTP"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(mut opening: Opening, bytes: &[u8], piece: usize) -> Result<(), Foreign> {
        bytes.chunks(piece).try_for_each(|part| opening.check(part))
    }

    #[test]
    fn http2_passes_however_it_is_cut() {
        let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 100];
        for piece in 1..30 {
            assert_eq!(verdict(Opening::of_client(), &[PREFACE.as_slice(), &[0; 40]].concat(), piece), Ok(()));
            assert_eq!(verdict(Opening::of_server(), &settings, piece), Ok(()));
        }
    }

    #[test]
    fn others_are_named() {
        let client = |bytes: &[u8]| verdict(Opening::of_client(), bytes, 100).unwrap_err();
        assert_eq!(client(b"GET / HTTP/1.1\r\n"), Foreign::Http1);
        for line in ["POST / HTTP/1.1\r\n", "POS", "POST ", "OPTIONS * HTTP", "GET http://", "CONNECT host:443"] {
            assert_eq!(client(line.as_bytes()), Foreign::Http1, "{line}");
        }
        for line in ["INVALID CONNECTION PREFACE\r\n", "SSH-2.0-OpenSSH_9.6\r\n", " / HTTP/1.1\r\n", "HELO/"] {
            assert_eq!(client(line.as_bytes()), Foreign::Unknown, "{line}");
        }
        assert_eq!(client(&[0x16, 3, 1, 0, 200]), Foreign::Tls);
        assert_eq!(client(b"\0\0garbage"), Foreign::Unknown);
        let server = |bytes: &[u8]| verdict(Opening::of_server(), bytes, 100).unwrap_err();
        assert_eq!(server(b"HTTP/1.1 400 Bad Request"), Foreign::Http1);
        assert_eq!(server(&[0x15, 3, 3, 0, 2]), Foreign::Tls);
        assert_eq!(server(b"\0\0\0\x06\0\0\0\0\0"), Foreign::Unknown);
    }

    #[test]
    fn the_http1_answer_counts_its_bytes() {
        let text = std::str::from_utf8(HTTP1_ANSWER).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }
}
