//! HTTP/2 frames, written and read by hand. Source: RFC 9113 section 4.1 and 6.

use bytes::{Bytes, BytesMut};

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;

/// On DATA and HEADERS.
pub(crate) const END_STREAM: u8 = 1;
pub(crate) const CONTINUATION: u8 = 9;

/// On SETTINGS and PING.
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;

pub(crate) const MAX_CONCURRENT_STREAMS: u16 = 3;
pub(crate) const INITIAL_WINDOW_SIZE: u16 = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Bytes,
}

impl Frame {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame is short");
        let mut bytes = length.to_be_bytes()[1..].to_vec();
        bytes.extend([self.kind, self.flags]);
        bytes.extend(self.stream.to_be_bytes());
        bytes.extend(&self.payload);
        bytes
    }

    /// The `u32` at an offset of the payload.
    pub(crate) fn word(&self, at: usize) -> u32 {
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    pub(crate) fn is_last(&self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl Into<Bytes>) -> Frame {
    Frame { kind, flags, stream, payload: payload.into() }
}

pub(crate) fn settings(pairs: &[(u16, u32)]) -> Frame {
    let mut payload = Vec::new();
    for (name, value) in pairs {
        payload.extend(name.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(SETTINGS, 0, 0, payload)
}

pub(crate) fn settings_ack() -> Frame {
    frame(SETTINGS, ACK, 0, Bytes::new())
}

/// A header block without compression: literals that are not indexed. Source: RFC 7541 section 6.2.2.
pub(crate) fn headers(stream: u32, flags: u8, pairs: &[(&str, &str)]) -> Frame {
    let mut block = Vec::new();
    for (name, value) in pairs {
        block.push(0);
        for text in [name, value] {
            assert!(text.len() < 127, "longer needs an integer of several bytes");
            block.push(u8::try_from(text.len()).expect("just compared"));
            block.extend(text.bytes());
        }
    }
    frame(HEADERS, flags | END_HEADERS, stream, block)
}

/// The head of a call to `/a.B/C`.
pub(crate) const REQUEST: [(&str, &str); 6] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/a.B/C"),
    (":authority", "test"),
    ("te", "trailers"),
    ("content-type", "application/grpc"),
];

pub(crate) fn request(stream: u32) -> Frame {
    headers(stream, 0, &REQUEST)
}

/// The head of a good response.
pub(crate) fn response(stream: u32) -> Frame {
    headers(stream, 0, &[(":status", "200"), ("content-type", "application/grpc")])
}

/// Trailers with a status.
pub(crate) fn trailers(stream: u32, status: &str) -> Frame {
    headers(stream, END_STREAM, &[("grpc-status", status)])
}

pub(crate) fn data(stream: u32, flags: u8, payload: impl Into<Bytes>) -> Frame {
    frame(DATA, flags, stream, payload)
}

/// DATA whose padding counts against the windows too.
pub(crate) fn padded_data(stream: u32, payload: &[u8], padding: u8) -> Frame {
    let mut bytes = vec![padding];
    bytes.extend(payload);
    bytes.resize(bytes.len() + usize::from(padding), 0);
    frame(DATA, PADDED, stream, bytes)
}

pub(crate) fn rst_stream(stream: u32, code: u32) -> Frame {
    frame(RST_STREAM, 0, stream, code.to_be_bytes().to_vec())
}

pub(crate) fn ping(flags: u8, payload: [u8; 8]) -> Frame {
    frame(PING, flags, 0, payload.to_vec())
}

pub(crate) fn go_away(last_stream: u32, code: u32, text: &str) -> Frame {
    let mut payload = last_stream.to_be_bytes().to_vec();
    payload.extend(code.to_be_bytes());
    payload.extend(text.bytes());
    frame(GOAWAY, 0, 0, payload)
}

pub(crate) fn window_update(stream: u32, bytes: u32) -> Frame {
    frame(WINDOW_UPDATE, 0, stream, bytes.to_be_bytes().to_vec())
}

/// The reason of the RST_STREAM of a stream among frames.
pub(crate) fn reset_reason(frames: &[Frame], stream: u32) -> Option<u32> {
    frames.iter().find(|frame| frame.kind == RST_STREAM && frame.stream == stream).map(|frame| frame.word(0))
}

/// One gRPC message with its prefix.
pub(crate) fn message(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a message is short");
    [&[0], &length.to_be_bytes()[..], payload].concat()
}

/// Cuts bytes into whole frames.
#[derive(Default)]
pub(crate) struct Parser {
    bytes: BytesMut,
}

impl Parser {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Every byte belonged to a whole frame.
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

impl Iterator for Parser {
    type Item = Frame;

    fn next(&mut self) -> Option<Frame> {
        let head: [u8; 9] = *self.bytes.first_chunk()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        if self.bytes.len() < 9 + length {
            return None;
        }
        let payload = self.bytes.split_to(9 + length).freeze().slice(9..);
        let stream = u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]);
        Some(frame(head[3], head[4], stream, payload))
    }
}
