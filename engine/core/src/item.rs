//! Messages that came, as they wait for the application.

use crate::wire::coding::Coding;
use crate::wire::prefix::PREFIX_BYTES;
use bytes::Bytes;

/// The buffer of one large message, of a kind the embedder chooses (a Python `bytes`, a `Vec`).
pub trait Body: Sized + Send {
    /// A buffer of `length` bytes, or `None` if there is no memory for it.
    fn allocate(length: usize) -> Option<Self>;
    /// Copies `part` to offset `at`; `at + part.len()` is at most the length.
    fn fill(&mut self, at: usize, part: &[u8]);
}

impl Body for Vec<u8> {
    fn allocate(length: usize) -> Option<Self> {
        let mut buffer = Self::new();
        buffer.try_reserve_exact(length).ok()?;
        buffer.resize(length, 0);
        Some(buffer)
    }

    fn fill(&mut self, at: usize, part: &[u8]) {
        self[at..at + part.len()].copy_from_slice(part);
    }
}

/// Complete messages, in order.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<B> {
    /// One or more whole messages, each with its prefix.
    Packed {
        /// Prefix, payload, prefix, payload.
        messages: Bytes,
        /// How those with the compressed flag are to be expanded; `None` only if there are none.
        coding: Option<Coding>,
    },
    /// One message, without its prefix.
    Large {
        /// The payload.
        body: B,
        /// Its length in bytes, as it came.
        length: usize,
        /// How it is to be expanded.
        coding: Option<Coding>,
    },
}

impl<B> Item<B> {
    /// What it took on the wire.
    #[must_use]
    pub fn wire_bytes(&self) -> usize {
        match self {
            Self::Packed { messages, .. } => messages.len(),
            Self::Large { length, .. } => PREFIX_BYTES + length,
        }
    }
}
