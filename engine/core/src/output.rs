//! What is to be written: bytes, and between them large pieces of messages that nobody copies.

use crate::frames::{self, HEAD_BYTES};
use bytes::Bytes;

/// Pieces from this size are written from where they lie. One costs two objects in Python and a place in a system call.
pub(crate) const BY_REFERENCE_BYTES: usize = 8 * 1024;

/// Output of a connection, in order.
#[derive(Debug, Default)]
pub struct Output {
    bytes: Vec<u8>,
    /// Each stands before the byte of that number.
    large: Vec<(usize, Bytes)>,
    large_bytes: usize,
    /// What may be referred to.
    known: Vec<Bytes>,
}

/// A part of it.
#[derive(Debug)]
pub enum Part<'a> {
    /// Bytes to be copied.
    Small(&'a [u8]),
    /// Bytes that stay where they are.
    Large(&'a Bytes),
}

impl Output {
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// Bytes in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.large_bytes
    }

    /// Nothing is to be written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of it that were not copied.
    #[must_use]
    pub fn large_bytes(&self) -> usize {
        self.large_bytes
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// What comes next is made of these.
    pub(crate) fn expect(&mut self, pieces: Vec<Bytes>) {
        self.known = pieces;
    }

    /// Adds what h2 writes; a part of one of those pieces is referred to.
    pub(crate) fn write(&mut self, slice: &[u8]) {
        match self.known.iter().find(|piece| slice.len() >= BY_REFERENCE_BYTES && contains(piece, slice)) {
            Some(piece) => {
                self.large_bytes += slice.len();
                self.large.push((self.bytes.len(), piece.slice_ref(slice)));
            }
            None => self.bytes.extend_from_slice(slice),
        }
    }

    /// The parts, in order.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let mut start = 0;
        let before_large = self.large.iter().flat_map(move |(at, piece)| {
            let small = &self.bytes[std::mem::replace(&mut start, *at)..*at];
            [Part::Small(small), Part::Large(piece)]
        });
        let end = self.large.last().map_or(0, |(at, _)| *at);
        before_large
            .chain([Part::Small(&self.bytes[end..])])
            .filter(|part| !matches!(part, Part::Small(small) if small.is_empty()))
    }

    /// All of it in a row, for who can write only that.
    #[must_use]
    pub fn in_one(self) -> Vec<u8> {
        if self.large.is_empty() {
            return self.bytes;
        }
        let mut all = Vec::with_capacity(self.len());
        for part in self.parts() {
            match part {
                Part::Small(bytes) => all.extend_from_slice(bytes),
                Part::Large(bytes) => all.extend_from_slice(bytes),
            }
        }
        all
    }

    /// What is not referred to, to be used again.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Lets `change` work on all of it.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = std::mem::take(self).in_one();
        change(&mut bytes);
        self.bytes = bytes;
    }

    /// Lets `change` work on the beginning, up to the first piece.
    pub(crate) fn change_start(&mut self, change: impl FnOnce(&mut [u8])) {
        let end = self.large.first().map_or(self.bytes.len(), |(at, _)| *at);
        change(&mut self.bytes[..end]);
    }

    /// Calls `see` with head and payload of the whole frames it is made of; of DATA only what was copied.
    pub(crate) fn each_frame(&self, mut see: impl FnMut([u8; HEAD_BYTES], &[u8])) {
        let mut large = self.large.iter().peekable();
        let mut at = 0;
        while let Some(head) = self.bytes.get(at..).and_then(|rest| rest.first_chunk::<HEAD_BYTES>()) {
            let start = at + HEAD_BYTES;
            let mut end = start + frames::length(*head);
            while let Some((_, piece)) = large.next_if(|(at, _)| *at < end) {
                end -= piece.len();
            }
            see(*head, self.bytes.get(start..end).unwrap_or_default());
            at = end;
        }
    }
}

fn contains(piece: &Bytes, slice: &[u8]) -> bool {
    let (outer, inner) = (piece.as_ptr_range(), slice.as_ptr_range());
    outer.start <= inner.start && inner.end <= outer.end
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, 0, 0, 0, 0, 1], payload].concat()
    }

    /// Frames as h2 writes them: heads and the beginnings of messages in pieces of their own.
    fn output(message: &Bytes) -> (Output, Vec<u8>) {
        let mut output = Output::of(Vec::new());
        output.expect(vec![Bytes::from_static(b"another"), message.clone()]);
        let head = &frame(0, &vec![0; 100_005])[..9];
        let slices = [&frame(6, b"12345678")[..], head, b"\0\0\x01\x86\xa0", message, &frame(3, &[0, 0, 0, 8])];
        for slice in slices {
            output.write(slice);
        }
        (output, slices.concat())
    }

    #[test]
    fn what_was_expected_is_referred_to_and_the_rest_copied() {
        let message = Bytes::from(vec![7; 100_000]);
        let (output, whole) = output(&message);
        assert_eq!((output.len(), output.large_bytes()), (whole.len(), message.len()));
        let parts: Vec<_> = output.parts().collect();
        assert!(matches!(parts[..], [Part::Small(_), Part::Large(large), Part::Small(_)]
            if large.as_ptr() == message.as_ptr()));
        assert_eq!(output.in_one(), whole);
    }

    #[test]
    fn bytes_like_those_but_elsewhere_are_copied() {
        let message = Bytes::from(vec![7; 100_000]);
        let mut output = Output::default();
        output.expect(vec![message.clone()]);
        output.write(&message[..BY_REFERENCE_BYTES - 1]);
        output.write(&vec![7; 100_000]);
        assert_eq!(output.large_bytes(), 0);
        output.write(&message[5..5 + BY_REFERENCE_BYTES]);
        assert_eq!(output.large_bytes(), BY_REFERENCE_BYTES);
    }

    #[test]
    fn frames_behind_a_large_piece_are_seen() {
        let message = Bytes::from(vec![7; 100_000]);
        let (output, _) = output(&message);
        let mut seen = Vec::new();
        output.each_frame(|head, payload| seen.push((head[3], payload.to_vec())));
        let expected = [(6, b"12345678".to_vec()), (0, b"\0\0\x01\x86\xa0".to_vec()), (3, vec![0, 0, 0, 8])];
        assert_eq!(seen, expected);
    }

    #[test]
    fn all_of_it_can_be_changed() {
        let message = Bytes::from(vec![7; 100_000]);
        let (mut output, whole) = output(&message);
        output.change_start(|start| start[9] = b'x');
        output.change(|bytes| bytes.push(1));
        let mut expected = whole;
        expected[9] = b'x';
        expected.push(1);
        assert_eq!(output.in_one(), expected);
    }
}
