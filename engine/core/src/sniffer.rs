//! Reads frame heads beside h2 and keeps what h2 hides: the peer's connection window, GOAWAY text, PINGs, resets.
//!
//! It copies nothing but the small payloads it wants (7-12 ns a frame, measured) and never judges: h2 does that.

use crate::conduct::Idle;
use crate::frames::{self, GOAWAY, HEAD_BYTES, PING, PING_PAYLOAD, RST_STREAM};
use crate::wire::prefix::PREFIX_BYTES;
use h2::Reason;
use std::fmt;

/// Of a GOAWAY: 8 bytes and the text we keep; of SETTINGS: more than there are.
const KEPT_BYTES: usize = 8 + 512;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
const END_HEADERS: u8 = 4;
const MAX_HEADER_LIST_SIZE: u16 = 6;
/// Length and kind of DATA with nothing in it.
const EMPTY_DATA: [u8; 4] = [0, 0, 0, DATA];
/// DATA that is worth its frame.
const LARGE_DATA_BYTES: usize = 1024;

/// A GOAWAY of the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoAway {
    /// Streams above this id were not and will not be processed.
    pub last_stream_id: u32,
    /// The error code; `NO_ERROR` for a planned end.
    pub reason: Reason,
    /// Debug data, at most 512 bytes of it, made text.
    pub text: String,
}

impl fmt::Display for GoAway {
    /// For people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GOAWAY, code {}", u32::from(self.reason))?;
        let name = format!("{:?}", self.reason);
        if name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_' || byte.is_ascii_digit()) {
            write!(f, " ({name})")?;
        }
        if self.text.is_empty() { Ok(()) } else { write!(f, ", '{}'", self.text.escape_debug()) }
    }
}

/// What was seen since the last look, and counts since the beginning.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Sum of the peer's WINDOW_UPDATEs for the connection.
    pub(crate) connection_window: u64,
    /// Streams whose window grew.
    pub(crate) grown: Vec<u32>,
    /// A SETTINGS frame (not an ack) came: any window or limit may have changed.
    pub(crate) settings: bool,
    /// The largest header list the peer takes, if it said so.
    pub(crate) max_header_list: Option<u32>,
    /// The last one.
    pub(crate) go_away: Option<GoAway>,
    /// It came since the last look.
    pub(crate) go_away_is_new: bool,
    /// For [`crate::conduct::Conduct`].
    pub(crate) idle: Idle,
    pub(crate) frames: u64,
    pub(crate) pings: u64,
    /// Answers to PINGs of ours since the last look.
    pub(crate) pongs: u64,
    pub(crate) resets: u64,
    pub(crate) settings_frames: u64,
    /// Answers to SETTINGS of ours.
    pub(crate) settings_answers: u64,
}

/// Walks the bytes of one direction, in pieces of any size.
#[derive(Debug)]
pub(crate) struct Sniffer {
    skip: usize,
    want: usize,
    head: [u8; HEAD_BYTES],
    head_filled: usize,
    kept: Vec<u8>,
    kind: u8,
    flags: u8,
    stream: u32,
    /// A header block goes on in the next frame.
    in_headers: bool,
    /// What the frames cost so far, in frames that do little.
    work: u64,
    pub(crate) seen: Seen,
}

impl Sniffer {
    /// `preface` bytes come before the first frame: 24 from a client, none from a server.
    pub(crate) fn new(preface: usize) -> Self {
        Self {
            skip: preface,
            want: 0,
            head: [0; HEAD_BYTES],
            head_filled: 0,
            kept: Vec::new(),
            kind: 0,
            flags: 0,
            stream: 0,
            in_headers: false,
            work: 0,
            seen: Seen::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn eat(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// As far as these bytes go, a DATA frame begins here with nothing in it: no byte, no padding, no end.
    pub(crate) fn may_be_empty_data(&self, bytes: &[u8]) -> bool {
        let start = bytes.len().min(EMPTY_DATA.len());
        start > 0
            && bytes[..start] == EMPTY_DATA[..start]
            && bytes.get(EMPTY_DATA.len()).is_none_or(|flags| flags & (END_STREAM | PADDED) == 0)
            && self.is_at_edge()
    }

    /// The stream of such a frame.
    pub(crate) fn empty_data(&self, bytes: &[u8]) -> Option<u32> {
        let head = bytes.first_chunk::<HEAD_BYTES>().filter(|_| self.may_be_empty_data(bytes))?;
        Some(u32::from_be_bytes([head[5] & 0x7f, head[6], head[7], head[8]]))
    }

    /// Eats frames until so much work is in them, the last one whole, or up to an empty DATA; returns the bytes eaten.
    pub(crate) fn eat_some(&mut self, bytes: &[u8], work: u64) -> usize {
        let most = self.work + work;
        let mut eaten = 0;
        while eaten < bytes.len() && (self.work < most || !self.is_between_frames()) {
            if eaten > 0 && self.may_be_empty_data(&bytes[eaten..]) {
                break;
            }
            eaten += self.step(&bytes[eaten..]);
        }
        eaten
    }

    /// Eats up to where another frame could stand; returns how much that was.
    pub(crate) fn eat_to_edge(&mut self, bytes: &[u8]) -> usize {
        let mut eaten = 0;
        while eaten < bytes.len() && !self.is_at_edge() {
            eaten += self.step(&bytes[eaten..]);
        }
        eaten
    }

    /// Between two frames, and outside of a header block.
    pub(crate) fn is_at_edge(&self) -> bool {
        self.is_between_frames() && !self.in_headers
    }

    /// A header block has begun and did not end.
    pub(crate) fn is_in_headers(&self) -> bool {
        self.in_headers || matches!(self.kind, HEADERS | CONTINUATION) && !self.is_between_frames()
    }

    fn is_between_frames(&self) -> bool {
        self.want == 0 && self.skip == 0 && self.head_filled == 0
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.want > 0 {
            self.keep(bytes)
        } else if self.skip > 0 {
            let n = self.skip.min(bytes.len());
            self.skip -= n;
            n
        } else {
            self.gather_head(bytes)
        }
    }

    fn keep(&mut self, bytes: &[u8]) -> usize {
        let n = self.want.min(bytes.len());
        self.kept.extend_from_slice(&bytes[..n]);
        self.want -= n;
        if self.want == 0 {
            self.finish();
        }
        n
    }

    fn gather_head(&mut self, bytes: &[u8]) -> usize {
        let n = (HEAD_BYTES - self.head_filled).min(bytes.len());
        self.head[self.head_filled..self.head_filled + n].copy_from_slice(&bytes[..n]);
        self.head_filled += n;
        if self.head_filled == HEAD_BYTES {
            self.head_filled = 0;
            self.start();
        }
        n
    }

    /// A frame begins. Source: RFC 9113 section 4.1.
    fn start(&mut self) {
        let h = self.head;
        let length = frames::length(h);
        (self.kind, self.flags) = (h[3], h[4]);
        self.stream = u32::from_be_bytes([h[5] & 0x7f, h[6], h[7], h[8]]);
        self.seen.frames += 1;
        self.work += work(self.kind, length);
        self.count_idle(length);
        if self.kind == SETTINGS && self.flags & ACK == 0 {
            self.seen.settings = true;
            self.seen.settings_frames += 1;
        } else if self.kind == SETTINGS {
            self.seen.settings_answers += 1;
        }
        if matches!(self.kind, HEADERS | PUSH_PROMISE | CONTINUATION) {
            self.in_headers = self.flags & END_HEADERS == 0;
        }
        let wanted = matches!(self.kind, RST_STREAM | SETTINGS | PING | GOAWAY | WINDOW_UPDATE);
        self.want = if wanted { length.min(KEPT_BYTES) } else { 0 };
        self.skip = length - self.want;
        self.kept.clear();
    }

    fn count_idle(&mut self, length: usize) {
        let idle = &mut self.seen.idle;
        match self.kind {
            DATA if self.flags & END_STREAM == 0 && length < PREFIX_BYTES => idle.data += 1,
            DATA if length < LARGE_DATA_BYTES => {}
            DATA | HEADERS => idle.useful += 1,
            SETTINGS if self.flags & ACK == 0 => idle.settings += 1,
            _ => idle.control += 1,
        }
    }

    fn finish(&mut self) {
        let word = |at: usize| {
            let part = self.kept.get(at..at + 4)?;
            Some(u32::from_be_bytes([part[0], part[1], part[2], part[3]]))
        };
        match self.kind {
            RST_STREAM => self.seen.resets += 1,
            SETTINGS => {
                // Source: RFC 9113 section 6.5.1.
                for setting in self.kept.chunks_exact(6) {
                    if setting[..2] == MAX_HEADER_LIST_SIZE.to_be_bytes() {
                        let value = [setting[2], setting[3], setting[4], setting[5]];
                        self.seen.max_header_list = Some(u32::from_be_bytes(value));
                    }
                }
            }
            PING if self.flags & ACK == 0 => self.seen.pings += 1,
            PING if self.kept == PING_PAYLOAD => self.seen.pongs += 1,
            WINDOW_UPDATE => match word(0) {
                Some(grown) if self.stream == 0 => self.seen.connection_window += u64::from(grown & 0x7fff_ffff),
                Some(_) => self.seen.grown.push(self.stream),
                None => {}
            },
            GOAWAY => {
                if let (Some(last), Some(code)) = (word(0), word(4)) {
                    self.seen.go_away = Some(GoAway {
                        last_stream_id: last & 0x7fff_ffff,
                        reason: Reason::from(code),
                        text: String::from_utf8_lossy(&self.kept[8..]).into_owned(),
                    });
                    self.seen.go_away_is_new = true;
                }
            }
            _ => {}
        }
    }
}

/// What a frame costs, in frames that do little (0.3 us): enough to cut what was read into steps of like length. A call
/// costs 5 us in Python too, a field of its head 0.3 us and perhaps one byte; SETTINGS are looked at by all streams.
fn work(kind: u8, length: usize) -> u64 {
    match kind {
        HEADERS => 16 + length as u64,
        CONTINUATION => 1 + length as u64,
        SETTINGS => 32,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
        bytes
    }

    fn sample() -> Vec<u8> {
        let mut go_away = 7u32.to_be_bytes().to_vec();
        go_away.extend(11u32.to_be_bytes());
        go_away.extend(b"too_many_pings");
        [
            frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 9, 0, 6, 0, 0, 1, 2]),
            frame(SETTINGS, ACK, 0, &[]),
            frame(0, 0, 1, &[9; 300]),
            frame(WINDOW_UPDATE, 0, 0, &1000u32.to_be_bytes()),
            frame(WINDOW_UPDATE, 0, 5, &20u32.to_be_bytes()),
            frame(PING, 0, 0, &[1; 8]),
            frame(PING, ACK, 0, &[1; 8]),
            frame(PING, ACK, 0, &PING_PAYLOAD),
            frame(RST_STREAM, 0, 3, &8u32.to_be_bytes()),
            frame(GOAWAY, 0, 0, &go_away),
            frame(0, 1, 1, &[]),
        ]
        .concat()
    }

    #[test]
    fn every_way_to_cut_the_bytes_sees_the_same() {
        for piece in 1..40 {
            let mut sniffer = Sniffer::new(0);
            for part in sample().chunks(piece) {
                sniffer.eat(part);
            }
            let seen = &sniffer.seen;
            assert_eq!((seen.frames, seen.connection_window, seen.pings, seen.resets), (11, 1000, 1, 1));
            assert_eq!(seen.grown, [5]);
            assert_eq!((seen.settings, seen.settings_frames, seen.settings_answers, seen.pongs), (true, 1, 1, 1));
            assert_eq!(seen.max_header_list, Some(258));
            let go_away = seen.go_away.clone().unwrap();
            assert_eq!((go_away.last_stream_id, go_away.reason), (7, Reason::ENHANCE_YOUR_CALM));
            assert_eq!(go_away.text, "too_many_pings");
        }
    }

    #[test]
    fn the_preface_is_skipped_and_long_text_is_cut() {
        let mut sniffer = Sniffer::new(24);
        sniffer.eat(&[b'x'; 24]);
        sniffer.eat(&frame(GOAWAY, 0, 0, &[b'y'; 9000]));
        sniffer.eat(&frame(PING, 0, 0, &[0; 8]));
        assert_eq!(sniffer.seen.go_away.unwrap().text.len(), 512);
        assert_eq!(sniffer.seen.pings, 1);
    }

    #[test]
    fn an_edge_is_where_another_frame_could_stand() {
        let frames = [
            frame(SETTINGS, 0, 0, &[]),
            frame(HEADERS, 0, 1, &[1; 20]),
            frame(CONTINUATION, 0, 1, &[2; 3]),
            frame(CONTINUATION, END_HEADERS, 1, &[]),
            frame(PING, 0, 0, &[3; 8]),
            frame(0, 0, 1, &[4; 30]),
        ];
        let whole = 3 + frames[0].len();
        let block = whole + frames[1].len() + frames[2].len() + frames[3].len();
        let edges = [3, whole, block, block + 17, block + 17 + 39];
        let bytes = [&[0; 3][..], &frames.concat()].concat();
        for cut in 0..bytes.len() {
            let mut sniffer = Sniffer::new(3);
            sniffer.eat(&bytes[..cut]);
            let next = cut + sniffer.eat_to_edge(&bytes[cut..]);
            assert_eq!(Some(&next), edges.iter().find(|&&edge| edge >= cut), "cut at {cut}");
            assert!(sniffer.is_at_edge());
        }
    }
}
