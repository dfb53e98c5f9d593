//! Framed messages of one stream that h2 has not seen yet.

use crate::chunk::Chunk;
use crate::tally::Passed;
use crate::wire::prefix::{self, PREFIX_BYTES};
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;

/// Payloads from this size are queued by reference.
const BY_REFERENCE_BYTES: usize = 16 * 1024;

/// One message to send, without its prefix.
#[derive(Debug)]
pub enum Payload<'a> {
    /// Copied into the queue.
    Borrowed(&'a [u8]),
    /// Kept by reference.
    Shared(Bytes),
    /// Compressed before, in the coding of the stream's head.
    Compressed(Bytes),
}

impl Payload<'_> {
    /// Whether a payload of this length should come as [`Payload::Shared`].
    #[must_use]
    pub fn is_large(length: usize) -> bool {
        length >= BY_REFERENCE_BYTES
    }

    fn is_copied(&self) -> bool {
        match self {
            Self::Borrowed(_) => true,
            Self::Shared(_) => false,
            Self::Compressed(bytes) => !Self::is_large(bytes.len()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Borrowed(bytes) => bytes.len(),
            Self::Shared(bytes) | Self::Compressed(bytes) => bytes.len(),
        }
    }
}

#[derive(Debug)]
enum Piece {
    Small(BytesMut),
    Large(Bytes),
}

#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pieces: VecDeque<Piece>,
    length: usize,
    /// Messages ever pushed; those that were replaced count once.
    messages: u64,
    /// Bytes ever pushed before the newest message, and ever taken: tell whether it began to leave.
    newest_start: u64,
    pushed: u64,
    taken: u64,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// All that was ever pushed.
    pub(crate) fn passed(&self) -> Passed {
        Passed { messages: self.messages, bytes: self.pushed }
    }

    /// Queues one message. Gives its bytes, with prefix.
    ///
    /// # Panics
    /// If the payload is 4 GiB or longer; callers check against their limit before.
    pub(crate) fn push(&mut self, payload: &Payload<'_>) -> usize {
        let length = u32::try_from(payload.len()).expect("limits are below 4 GiB");
        let framed = PREFIX_BYTES + payload.len();
        self.newest_start = self.pushed;
        self.pushed += framed as u64;
        self.length += framed;
        self.messages += 1;
        let is_copied = payload.is_copied();
        let small = self.last_small();
        // At once for both: a message that leaves alone costs one block of its size, and is frozen as it is.
        small.reserve(if is_copied { framed } else { PREFIX_BYTES });
        small.extend_from_slice(&prefix::write(matches!(payload, Payload::Compressed(_)), length));
        match payload {
            Payload::Borrowed(bytes) => small.extend_from_slice(bytes),
            Payload::Compressed(bytes) if is_copied => small.extend_from_slice(bytes),
            Payload::Shared(bytes) | Payload::Compressed(bytes) => self.pieces.push_back(Piece::Large(bytes.clone())),
        }
        framed
    }

    /// Puts `payload` in the place of the newest message if no byte of that has left. False if one has.
    pub(crate) fn replace_newest(&mut self, payload: &Payload<'_>) -> bool {
        if self.pushed == self.taken || self.taken > self.newest_start {
            return false;
        }
        let mut drop = usize::try_from(self.pushed - self.newest_start).expect("queued bytes fit a usize");
        self.length -= drop;
        self.pushed = self.newest_start;
        self.messages -= 1;
        while drop > 0 {
            match self.pieces.pop_back().expect("the newest message is queued") {
                Piece::Small(mut bytes) if bytes.len() > drop => {
                    bytes.truncate(bytes.len() - drop);
                    self.pieces.push_back(Piece::Small(bytes));
                    drop = 0;
                }
                Piece::Small(bytes) => drop -= bytes.len(),
                Piece::Large(bytes) => drop -= bytes.len(),
            }
        }
        self.push(payload);
        true
    }

    /// Takes up to `max` bytes.
    pub(crate) fn take(&mut self, max: usize) -> Chunk {
        let mut chunk = Chunk::default();
        while chunk.remaining() < max
            && let Some(piece) = self.pieces.front_mut()
        {
            let left = max - chunk.remaining();
            chunk.push(match piece {
                Piece::Small(bytes) if bytes.len() <= left => std::mem::take(bytes).freeze(),
                Piece::Small(bytes) => bytes.split_to(left).freeze(),
                Piece::Large(bytes) => bytes.split_to(left.min(bytes.len())),
            });
            if piece.is_spent() {
                self.pieces.pop_front();
            }
        }
        if self.pieces.is_empty() {
            // Idle streams are counted in bytes, and the next message finds a small block at once.
            self.pieces = VecDeque::new();
        }
        self.length -= chunk.remaining();
        self.taken += chunk.remaining() as u64;
        chunk
    }

    pub(crate) fn clear(&mut self) {
        self.pieces.clear();
        self.taken += self.length as u64;
        self.length = 0;
    }

    fn last_small(&mut self) -> &mut BytesMut {
        if !matches!(self.pieces.back(), Some(Piece::Small(_))) {
            self.pieces.push_back(Piece::Small(BytesMut::new()));
        }
        match self.pieces.back_mut() {
            Some(Piece::Small(bytes)) => bytes,
            _ => unreachable!("a small piece was just put there"),
        }
    }
}

impl Piece {
    fn is_spent(&self) -> bool {
        match self {
            Self::Small(bytes) => bytes.is_empty(),
            Self::Large(bytes) => bytes.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(outbox: &mut Outbox, max: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !outbox.is_empty() {
            let mut chunk = outbox.take(max);
            assert!((1..=max).contains(&chunk.remaining()));
            all.extend(chunk.copy_to_bytes(chunk.remaining()));
        }
        all
    }

    fn shared(byte: u8, length: usize) -> Payload<'static> {
        Payload::Shared(Bytes::from(vec![byte; length]))
    }

    #[test]
    fn messages_leave_in_order_with_their_prefixes() {
        for max in [1, 3, 7, 100_000] {
            let mut outbox = Outbox::default();
            outbox.push(&Payload::Borrowed(b"ab"));
            outbox.push(&shared(b'x', 20_000));
            outbox.push(&Payload::Borrowed(b""));
            outbox.push(&Payload::Compressed(Bytes::from_static(b"c")));
            outbox.push(&Payload::Compressed(Bytes::from(vec![b'y'; 20_000])));
            assert_eq!(outbox.len(), 7 + 20_005 + 5 + 6 + 20_005);
            let mut expected = b"\0\0\0\0\x02ab\0\0\0\x4e\x20".to_vec();
            expected.extend(vec![b'x'; 20_000]);
            expected.extend(b"\0\0\0\0\0\x01\0\0\0\x01c\x01\0\0\x4e\x20");
            expected.extend(vec![b'y'; 20_000]);
            assert_eq!(all(&mut outbox, max), expected);
            assert!(outbox.is_empty());
        }
    }

    #[test]
    fn the_newest_message_is_replaced_until_it_begins_to_leave() {
        let mut outbox = Outbox::default();
        assert!(!outbox.replace_newest(&Payload::Borrowed(b"none")));
        outbox.push(&Payload::Borrowed(b"a"));
        outbox.push(&Payload::Borrowed(b"b"));
        assert!(outbox.replace_newest(&Payload::Borrowed(b"BB")));
        assert!(outbox.replace_newest(&shared(b'x', 3)));
        assert!(outbox.replace_newest(&Payload::Borrowed(b"c")));
        assert_eq!(outbox.len(), 12);
        assert_eq!(outbox.take(7).remaining(), 6 + 1);
        assert!(!outbox.replace_newest(&Payload::Borrowed(b"d")));
        assert_eq!(all(&mut outbox, 100), b"\0\0\0\x01c");
    }
    #[test]
    fn nothing_of_a_replaced_message_is_left() {
        let (small, empty) = (Payload::Borrowed(b"old"), Payload::Borrowed(b""));
        for first in [None, Some(&small), Some(&shared(b'x', 20_000))] {
            for newest in [&small, &empty, &shared(b'y', 20_000)] {
                let (mut outbox, mut expected) = (Outbox::default(), Outbox::default());
                if let Some(payload) = first {
                    outbox.push(payload);
                    expected.push(payload);
                }
                outbox.push(newest);
                assert!(outbox.replace_newest(&Payload::Borrowed(b"newer")));
                expected.push(&Payload::Borrowed(b"newer"));
                assert_eq!(outbox.len(), expected.len());
                assert_eq!(all(&mut outbox, 1000), all(&mut expected, 1000));
            }
        }
    }
}
