//! A connection whose peer is the test itself: it says frames and reads those that come.

use super::end::End;
use super::frames::{self, END_STREAM, Frame, PREFACE, Parser};
use super::rng::Rng;
use bytes::Bytes;
use penstock_core::{Settings, Side};

pub(crate) struct Scripted {
    pub(crate) end: End,
    parser: Parser,
    heard: Vec<Frame>,
    rng: Rng,
    checked: bool,
}

impl Scripted {
    /// A server that has read a client's preface and an empty SETTINGS.
    pub(crate) fn server(seed: u64) -> Self {
        let mut scripted = Self::new(seed, super::settings(Side::Server));
        scripted.say_bytes(PREFACE);
        scripted.say(&[frames::settings(&[]), frames::settings_ack()]);
        scripted
    }

    /// A client that has read an empty SETTINGS.
    pub(crate) fn client(seed: u64) -> Self {
        let mut scripted = Self::new(seed, super::settings(Side::Client));
        scripted.say(&[frames::settings(&[]), frames::settings_ack()]);
        scripted
    }

    /// Before the first byte.
    pub(crate) fn new(seed: u64, settings: Settings) -> Self {
        let end = End::new(settings);
        Self { end, parser: Parser::default(), heard: Vec::new(), rng: Rng::new(seed), checked: false }
    }

    /// Says frames, cut anywhere.
    pub(crate) fn say(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
        self.say_bytes(&bytes);
    }

    pub(crate) fn say_bytes(&mut self, bytes: &[u8]) {
        let mut rest = Bytes::copy_from_slice(bytes);
        while !rest.is_empty() {
            let piece = rest.split_to(self.rng.piece().min(rest.len()));
            self.end.feed(piece);
            self.flush();
        }
    }

    /// One read, and no look at what it answers.
    pub(crate) fn say_at_once(&mut self, frames: &[Frame]) {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::to_bytes).collect();
        self.end.feed(bytes.into());
    }

    /// The frames that came since the last look.
    pub(crate) fn heard(&mut self) -> Vec<Frame> {
        self.flush();
        std::mem::take(&mut self.heard)
    }

    pub(crate) fn flush(&mut self) {
        for _ in 0..10_000 {
            let mut output = Vec::new();
            self.end.flush(|bytes| output.extend_from_slice(bytes));
            let preface = if output.starts_with(PREFACE) { PREFACE.len() } else { 0 };
            self.parser.feed(&output[preface..]);
            self.heard.extend(self.parser.by_ref());
            if self.end.is_quiet() {
                return;
            }
        }
        panic!("the connection always has work");
    }

    /// The server still serves: a call on stream `id` is answered.
    pub(crate) fn assert_serves(&mut self, id: u32) {
        self.say(&[frames::request(id), frames::data(id, END_STREAM, frames::message(b"hello"))]);
        assert_eq!(self.end.messages(id), ["hello"]);
        self.end.answer(id, "hello yourself");
        let heard = self.heard();
        assert!(heard.iter().any(|frame| frame.stream == id && frame.kind == frames::DATA));
        assert!(heard.iter().any(|frame| frame.stream == id && frame.is_last()));
    }

    /// The end of every test: nothing is left of any call.
    pub(crate) fn done(mut self) {
        self.checked = true;
        self.flush();
        self.end.assert_idle();
        assert!(self.parser.is_empty(), "the output ends inside a frame");
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        assert!(self.checked || std::thread::panicking(), "a test ends with done()");
    }
}
