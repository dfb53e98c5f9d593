//! One direction of the wire: bytes on their way, delivered in pieces that know nothing of frames.

use super::frames::{DATA, PREFACE, Parser, WINDOW_UPDATE, window_update};
use super::rng::Rng;
use bytes::{Bytes, BytesMut};

/// The middle of a narrow wire gives the window back in steps of this.
const GRANT_BYTES: usize = 16 * 1024;

/// Bytes between two connections.
pub(crate) struct Link {
    on_the_way: BytesMut,
    narrow: Option<Narrow>,
}

/// Takes the windows a peer grants to the whole connection away, so that the other side has 65,535 bytes.
struct Narrow {
    preface: usize,
    parser: Parser,
    /// DATA that passed, for which the other direction owes a grant.
    passed: usize,
}

impl Link {
    pub(crate) fn new() -> Self {
        Self { on_the_way: BytesMut::new(), narrow: None }
    }

    /// A link whose far end may never have more than 65,535 bytes of DATA unacknowledged, on all streams together.
    pub(crate) fn narrow(from_client: bool) -> Self {
        let preface = if from_client { PREFACE.len() } else { 0 };
        Self { narrow: Some(Narrow { preface, parser: Parser::default(), passed: 0 }), ..Self::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        let Some(narrow) = self.narrow.as_mut() else {
            self.on_the_way.extend_from_slice(bytes);
            return;
        };
        let preface = narrow.preface.min(bytes.len());
        narrow.preface -= preface;
        self.on_the_way.extend_from_slice(&bytes[..preface]);
        narrow.parser.feed(&bytes[preface..]);
        for frame in narrow.parser.by_ref() {
            narrow.passed += if frame.kind == DATA { frame.payload.len() } else { 0 };
            if !(frame.kind == WINDOW_UPDATE && frame.stream == 0) {
                self.on_the_way.extend_from_slice(&frame.to_bytes());
            }
        }
    }

    /// What the other direction must grant for the DATA that passed here.
    pub(crate) fn take_grant(&mut self) -> Option<u32> {
        let narrow = self.narrow.as_mut()?;
        let due = narrow.passed >= GRANT_BYTES;
        due.then(|| u32::try_from(std::mem::take(&mut narrow.passed)).expect("a window fits"))
    }

    pub(crate) fn grant(&mut self, bytes: u32) {
        self.on_the_way.extend_from_slice(&window_update(0, bytes).to_bytes());
    }

    /// The next piece; nothing now and then, so that the two directions drift apart.
    pub(crate) fn deliver(&mut self, rng: &mut Rng) -> Option<Bytes> {
        if self.on_the_way.is_empty() || rng.chance(25) {
            return None;
        }
        let length = rng.piece().min(self.on_the_way.len());
        Some(self.on_the_way.split_to(length).freeze())
    }
}
