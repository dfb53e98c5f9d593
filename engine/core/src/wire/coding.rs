//! `grpc-encoding`: how one message is compressed and expanded. No message shares anything with the one before.

use super::expander::{Expander, STEP_BYTES};
use flate2::{Compress, Compression, FlushCompress, Status};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::cell::RefCell;
use thiserror::Error;

/// Header of the coding of the messages that follow.
pub const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
/// Header of the codings the sender can expand.
pub const ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
/// What this library says in it.
pub const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,deflate,gzip");

const IDENTITY: &[u8] = b"identity";
/// The event loop waits meanwhile: a MiB of JSON takes 8 ms and becomes 147 kB; the default level, 6, takes 22 ms for 136.
const LEVEL: Compression = Compression::new(3);
/// zlib's largest window, which every peer can read.
const WINDOW_BITS: u8 = 15;

/// A compression other than none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Coding {
    /// RFC 1952.
    Gzip = 1,
    /// RFC 1950, the zlib format: what gRPC calls deflate.
    Deflate = 2,
}

/// The header names a coding this library has not.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("grpc-encoding {0:?} is not supported")]
pub struct Unsupported(pub HeaderValue);

/// Why a compressed message has no content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ExpandError {
    /// It is longer than the limit; expanding stopped there.
    #[error("a compressed message exceeds max_receive_message_bytes={0}")]
    TooLong(usize),
    /// It is not what the coding says.
    #[error("a message is no valid {0}")]
    Corrupt(&'static str),
}

impl Coding {
    /// As headers write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
        }
    }

    /// The coding of a header value; `None` for none, and for one this library has not.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        [Self::Gzip, Self::Deflate].into_iter().find(|coding| coding.name().as_bytes() == name)
    }

    /// The coding with this number.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        [Self::Gzip, Self::Deflate].into_iter().find(|coding| *coding as u8 == number)
    }

    /// Compresses one message.
    #[must_use]
    pub fn compress(self, payload: &[u8]) -> Vec<u8> {
        // Its tables are large: one for each thread and coding, made as new before each message.
        thread_local! {
            static GZIP: RefCell<Compress> = RefCell::new(Compress::new_gzip(LEVEL, WINDOW_BITS));
            static DEFLATE: RefCell<Compress> = RefCell::new(Compress::new(LEVEL, true));
        }
        let compressor = match self {
            Self::Gzip => &GZIP,
            Self::Deflate => &DEFLATE,
        };
        compressor.with_borrow_mut(|compressor| compress(compressor, payload))
    }

    /// Expands one message in one go; stops as soon as it is longer than `limit` bytes.
    ///
    /// Gzip may come in several members, one behind the other, as RFC 1952 section 2.2 allows; anything else behind the
    /// end is an error.
    ///
    /// # Errors
    /// [`ExpandError`].
    pub fn expand(self, payload: &[u8], limit: usize) -> Result<Vec<u8>, ExpandError> {
        let mut expander = Expander::new(self, payload, limit);
        let (mut whole, mut room) = (Vec::new(), vec![0; STEP_BYTES]);
        loop {
            let step = expander.step(&mut room)?;
            whole.extend_from_slice(&room[..step.written]);
            if step.is_last {
                return Ok(whole);
            }
        }
    }
}

fn compress(compressor: &mut Compress, payload: &[u8]) -> Vec<u8> {
    compressor.reset();
    // What cannot be made smaller grows a little.
    let mut compressed = Vec::with_capacity(payload.len() + payload.len() / 8 + 64);
    loop {
        let read = usize::try_from(compressor.total_in()).expect("the payload is in memory");
        let status = compressor.compress_vec(&payload[read..], &mut compressed, FlushCompress::Finish);
        match status.expect("compressing has no errors") {
            Status::StreamEnd => return compressed,
            Status::Ok | Status::BufError => compressed.reserve(payload.len() / 2 + 64),
        }
    }
}

/// The codings a peer can expand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Codings(u8);

impl Codings {
    /// What `grpc-accept-encoding` offers; nothing without it.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        if headers.get(ACCEPT_ENCODING).is_some_and(|value| *value == ACCEPTED) {
            return Self(1 << Coding::Gzip as u8 | 1 << Coding::Deflate as u8);
        }
        let values = headers.get_all(ACCEPT_ENCODING).into_iter();
        let names = values.flat_map(|value| value.as_bytes().split(|&c| c == b','));
        let offered = names.filter_map(|name| Coding::named(name.trim_ascii()));
        Self(offered.fold(0, |bits, coding| bits | 1 << coding as u8))
    }

    /// The peer can expand this one.
    #[must_use]
    pub fn contains(self, coding: Coding) -> bool {
        self.0 & 1 << coding as u8 != 0
    }
}

/// The coding of the messages behind these headers; `None` for identity.
///
/// # Errors
/// [`Unsupported`].
pub fn read(headers: &HeaderMap) -> Result<Option<Coding>, Unsupported> {
    match headers.get(ENCODING) {
        Some(value) if value.as_bytes() != IDENTITY => {
            Coding::named(value.as_bytes()).map(Some).ok_or_else(|| Unsupported(value.clone()))
        }
        _ => Ok(None),
    }
}

/// Says how the messages behind these headers are compressed.
pub fn write(coding: Option<Coding>, headers: &mut HeaderMap) {
    if let Some(coding) = coding {
        headers.insert(ENCODING, HeaderValue::from_static(coding.name()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Coding; 2] = [Coding::Gzip, Coding::Deflate];

    /// Bytes no compressor makes smaller.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        };
        (0..length).map(|_| next()).collect()
    }

    #[test]
    fn what_is_compressed_comes_back() {
        for coding in BOTH {
            for payload in [vec![], vec![7], vec![0; 314_159], noise(100_000), b"abc".repeat(1000)] {
                let compressed = coding.compress(&payload);
                assert_eq!(coding.expand(&compressed, payload.len()), Ok(payload));
            }
        }
    }

    // W27
    #[test]
    fn each_message_is_compressed_as_if_it_were_the_first() {
        for coding in BOTH {
            let payload = b"a message like the one before".repeat(10);
            let first = coding.compress(&payload);
            assert_eq!(coding.compress(&payload), first);
            assert!(first.len() < 60);
        }
    }

    #[test]
    fn the_formats_are_those_of_the_specification() {
        assert_eq!(Coding::Gzip.compress(b"x")[..3], [0x1f, 0x8b, 8], "RFC 1952 section 2.3.1");
        let zlib = Coding::Deflate.compress(b"x");
        assert_eq!(zlib[0] & 0x0f, 8, "RFC 1950 section 2.2");
        assert_eq!((u16::from(zlib[0]) << 8 | u16::from(zlib[1])) % 31, 0, "RFC 1950 section 2.2");
    }

    // W28
    #[test]
    fn expanding_stops_at_the_limit() {
        for coding in BOTH {
            let bomb = coding.compress(&vec![0; 1 << 20]);
            assert!(bomb.len() < 10_000);
            assert_eq!(coding.expand(&bomb, (1 << 20) - 1), Err(ExpandError::TooLong((1 << 20) - 1)));
            assert_eq!(coding.expand(&bomb, 1000), Err(ExpandError::TooLong(1000)));
            assert_eq!(coding.expand(&bomb, 1 << 20).map(|all| all.len()), Ok(1 << 20));
            assert_eq!(coding.expand(&coding.compress(b""), 0), Ok(vec![]));
        }
    }

    // W28, W29
    #[test]
    fn what_is_cut_changed_or_followed_by_more_is_corrupt() {
        for coding in BOTH {
            let whole = coding.compress(b"some text, some text");
            let corrupt = Err(ExpandError::Corrupt(coding.name()));
            for cut in 0..whole.len() {
                assert_eq!(coding.expand(&whole[..cut], 1000), corrupt, "cut at {cut}");
            }
            let mut wrong_sum = whole.clone();
            let middle = whole.len() - 5;
            wrong_sum[middle] ^= 0xff;
            assert_eq!(coding.expand(&wrong_sum, 1000), corrupt);
            for garbage in [&b"x"[..], b"\0", &[0x1f, 0x8b]] {
                assert_eq!(coding.expand(&[&whole, garbage].concat(), 1000), corrupt, "{garbage:?}");
            }
            assert_eq!(coding.expand(b"some text, some text", 1000), corrupt);
        }
    }

    // W29
    #[test]
    fn gzip_may_come_in_several_members() {
        let members = [Coding::Gzip.compress(b"one, "), Coding::Gzip.compress(b"two")].concat();
        assert_eq!(Coding::Gzip.expand(&members, 8), Ok(b"one, two".to_vec()));
        assert_eq!(Coding::Gzip.expand(&members, 7), Err(ExpandError::TooLong(7)));
        let streams = [Coding::Deflate.compress(b"one, "), Coding::Deflate.compress(b"two")].concat();
        assert_eq!(Coding::Deflate.expand(&streams, 100), Err(ExpandError::Corrupt("deflate")));
    }

    // W27
    #[test]
    fn headers_name_codings() {
        let with =
            |name: HeaderName, value: &'static str| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
        assert_eq!(read(&HeaderMap::new()), Ok(None));
        assert_eq!(read(&with(ENCODING, "identity")), Ok(None));
        assert_eq!(read(&with(ENCODING, "gzip")), Ok(Some(Coding::Gzip)));
        assert_eq!(read(&with(ENCODING, "deflate")), Ok(Some(Coding::Deflate)));
        for text in ["br", "gzip,deflate", "GZIP", ""] {
            assert!(read(&with(ENCODING, text)).is_err(), "{text:?}");
        }
        for (text, gzip, deflate) in
            [("identity,deflate, gzip", true, true), ("br , gzip", true, false), ("identity", false, false)]
        {
            let offered = Codings::read(&with(ACCEPT_ENCODING, text));
            assert_eq!(
                (offered.contains(Coding::Gzip), offered.contains(Coding::Deflate)),
                (gzip, deflate),
                "{text:?}"
            );
        }
        assert_eq!(Codings::read(&HeaderMap::new()), Codings::default());
        let mut headers = HeaderMap::new();
        write(None, &mut headers);
        assert!(headers.is_empty());
        write(Some(Coding::Deflate), &mut headers);
        assert_eq!(headers[ENCODING], "deflate");
    }
}
