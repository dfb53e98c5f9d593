//! What h2 gets to send at once: queued bytes of one stream, in the pieces they are kept in.
//!
//! With a frame for each piece, a message of 16 KiB took two: its prefix had one of its own.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Pieces that leave one behind the other.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    /// Empty only if nothing is left.
    first: Bytes,
    rest: VecDeque<Bytes>,
    length: usize,
}

impl Chunk {
    /// Adds a piece.
    pub(crate) fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
            return;
        }
        self.length += piece.len();
        if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest.push_back(piece);
        }
    }

    /// Its pieces.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).filter(|first| !first.is_empty()).chain(&self.rest)
    }
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        self.length
    }

    fn chunk(&self) -> &[u8] {
        &self.first
    }

    fn chunks_vectored<'a>(&'a self, slices: &mut [IoSlice<'a>]) -> usize {
        let mut count = 0;
        for (slice, piece) in slices.iter_mut().zip(self.pieces()) {
            *slice = IoSlice::new(piece);
            count += 1;
        }
        count
    }

    fn advance(&mut self, mut count: usize) {
        self.length -= count;
        while count >= self.first.len() && count > 0 {
            count -= self.first.len();
            self.first = self.rest.pop_front().unwrap_or_default();
        }
        self.first.advance(count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIECES: [&[u8]; 4] = [b"a", b"bcd", b"efghij", b"k"];

    fn chunk() -> Chunk {
        let mut chunk = Chunk::default();
        PIECES.map(Bytes::from_static).into_iter().for_each(|piece| chunk.push(piece));
        chunk
    }

    #[test]
    fn it_reads_as_its_pieces_in_a_row() {
        let whole = PIECES.concat();
        for start in 0..=whole.len() {
            for step in 1..=whole.len() {
                let mut chunk = chunk();
                chunk.advance(start);
                let mut read = Vec::new();
                while chunk.has_remaining() {
                    let part = step.min(chunk.chunk().len());
                    read.extend_from_slice(&chunk.chunk()[..part]);
                    chunk.advance(part);
                }
                assert_eq!(read, whole[start..]);
            }
        }
    }

    #[test]
    fn its_slices_are_what_is_left_of_the_pieces() {
        let mut chunk = chunk();
        chunk.advance(2);
        let mut slices = [IoSlice::new(b""); 8];
        let count = chunk.chunks_vectored(&mut slices);
        let slices: Vec<_> = slices[..count].iter().map(|slice| slice.to_vec()).collect();
        assert_eq!(slices, [&b"cd"[..], b"efghij", b"k"]);
        assert_eq!(chunk.chunks_vectored(&mut [IoSlice::new(b"")]), 1);
        chunk.advance(9);
        assert_eq!((chunk.remaining(), chunk.chunks_vectored(&mut [IoSlice::new(b"")])), (0, 0));
    }
}
