//! Expands one message step by step, so that others have their turn in between.

use super::coding::{Coding, ExpandError};
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use std::io::{self, BufRead, ErrorKind, Read};

/// What a step writes at most: 20 us for zeros, 130 for text.
pub const STEP_BYTES: usize = 64 * 1024;
/// What it reads at most: text is expanded by a third more slowly in steps of 4 KiB.
const STEP_READ_BYTES: usize = 32 * 1024;
/// The same after a step that wrote little: blocks may be empty, and take 93 ns for each of their bytes.
const POOR_STEP_READ_BYTES: usize = 4 * 1024;

/// What a step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes written.
    pub written: usize,
    /// Bytes read.
    pub read: usize,
    /// That was all.
    pub is_last: bool,
}

impl Step {
    /// It took time and gave next to nothing.
    #[must_use]
    pub fn is_poor(&self) -> bool {
        self.written < self.read / 4
    }
}

/// One compressed message, and how far it is expanded.
#[derive(Debug)]
pub struct Expander<P> {
    decoder: Decoder<P>,
    limit: usize,
    written: usize,
    /// What the next step reads at most.
    portion: usize,
}

#[derive(Debug)]
enum Decoder<P> {
    /// Of several members, as RFC 1952 section 2.2 allows.
    Gzip(MultiGzDecoder<Portioned<P>>),
    Deflate(ZlibDecoder<Portioned<P>>),
}

impl<P: AsRef<[u8]>> Expander<P> {
    /// Expands `payload`, to `limit` bytes at most.
    #[must_use]
    pub fn new(coding: Coding, payload: P, limit: usize) -> Self {
        let payload = Portioned { payload, at: 0, portion: 0 };
        let decoder = match coding {
            Coding::Gzip => Decoder::Gzip(MultiGzDecoder::new(payload)),
            Coding::Deflate => Decoder::Deflate(ZlibDecoder::new(payload)),
        };
        Self { decoder, limit, written: 0, portion: STEP_READ_BYTES }
    }

    /// Expands into `room`, which has some, until it is full or a portion of the payload is read.
    ///
    /// # Errors
    /// [`ExpandError`]; nothing follows then.
    pub fn step(&mut self, room: &mut [u8]) -> Result<Step, ExpandError> {
        let portion = self.portion;
        self.payload().portion = portion;
        let before = self.payload().at;
        // One byte beyond the limit shows that there are more.
        let most = room.len().min(STEP_BYTES).min((self.limit - self.written).saturating_add(1));
        let mut written = 0;
        let is_last = loop {
            if written == most {
                break false;
            }
            match self.read(&mut room[written..most]) {
                Ok(0) => break true,
                Ok(some) => written += some,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break false,
                Err(_) => return Err(self.corrupt()),
            }
        };
        self.written += written;
        if self.written > self.limit {
            return Err(ExpandError::TooLong(self.limit));
        }
        if is_last && !self.payload().rest().is_empty() {
            return Err(self.corrupt());
        }
        let step = Step { written, read: self.payload().at - before, is_last };
        self.portion = if step.is_poor() { POOR_STEP_READ_BYTES } else { STEP_READ_BYTES };
        Ok(step)
    }

    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.read(room),
            Decoder::Deflate(decoder) => decoder.read(room),
        }
    }

    fn payload(&mut self) -> &mut Portioned<P> {
        match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.get_mut(),
            Decoder::Deflate(decoder) => decoder.get_mut(),
        }
    }

    fn corrupt(&self) -> ExpandError {
        let coding = match self.decoder {
            Decoder::Gzip(_) => Coding::Gzip,
            Decoder::Deflate(_) => Coding::Deflate,
        };
        ExpandError::Corrupt(coding.name())
    }
}

/// A payload that says `WouldBlock` when its portion is read: the decoders keep their state and go on after it.
#[derive(Debug)]
struct Portioned<P> {
    payload: P,
    at: usize,
    portion: usize,
}

impl<P: AsRef<[u8]>> Portioned<P> {
    fn rest(&self) -> &[u8] {
        &self.payload.as_ref()[self.at..]
    }
}

impl<P: AsRef<[u8]>> BufRead for Portioned<P> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        let portion = self.portion;
        let rest = self.rest();
        if portion == 0 && !rest.is_empty() {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(&rest[..portion.min(rest.len())])
    }

    fn consume(&mut self, bytes: usize) {
        self.at += bytes;
        self.portion -= bytes;
    }
}

impl<P: AsRef<[u8]>> Read for Portioned<P> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut portion = self.fill_buf()?;
        let read = portion.read(room)?;
        self.consume(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Coding; 2] = [Coding::Gzip, Coding::Deflate];

    /// All steps of a message; what each wrote.
    fn steps(coding: Coding, payload: &[u8], limit: usize) -> Result<(Vec<u8>, Vec<usize>), ExpandError> {
        let mut expander = Expander::new(coding, payload, limit);
        let (mut whole, mut sizes, mut room) = (Vec::new(), Vec::new(), vec![0; 2 * STEP_BYTES]);
        loop {
            let step = expander.step(&mut room)?;
            whole.extend_from_slice(&room[..step.written]);
            sizes.push(step.written);
            if step.is_last {
                return Ok((whole, sizes));
            }
        }
    }

    /// Bytes of which little can be saved.
    fn noise() -> Vec<u8> {
        (0..40_000u32).flat_map(|i| i.wrapping_mul(2_654_435_761).to_le_bytes()).collect()
    }

    // W28
    #[test]
    fn a_step_writes_no_more_than_it_may_whatever_room_there_is() {
        for coding in BOTH {
            let zeros = vec![0; 1 << 20];
            let (whole, sizes) = steps(coding, &coding.compress(&zeros), zeros.len()).unwrap();
            assert_eq!(whole, zeros);
            assert_eq!(sizes.iter().max(), Some(&STEP_BYTES));
            assert!((16..=18).contains(&sizes.len()), "{sizes:?}");
        }
    }

    // W28
    #[test]
    fn a_step_reads_no_more_than_a_portion() {
        for coding in BOTH {
            let text = noise();
            let compressed = coding.compress(&text);
            let (whole, sizes) = steps(coding, &compressed, text.len()).unwrap();
            assert_eq!(whole, text);
            assert!(sizes.len() > compressed.len() / STEP_READ_BYTES, "{}", sizes.len());
        }
    }

    /// 65,000 empty blocks: nothing is written for a quarter of a MiB.
    #[test]
    fn a_step_that_writes_nothing_ends_too() {
        let mut payload = vec![0x78, 0x01];
        payload.extend([0, 0, 0, 0xff, 0xff].repeat(65_000));
        payload.extend([1, 0, 0, 0xff, 0xff, 0, 0, 0, 1]);
        let (whole, sizes) = steps(Coding::Deflate, &payload, 10).unwrap();
        assert_eq!(whole, b"");
        assert!(sizes.len() > payload.len() / POOR_STEP_READ_BYTES - 10, "{}", sizes.len());
    }

    // W29
    #[test]
    fn heads_and_ends_of_members_may_lie_across_steps() {
        // A name in the head, longer than a portion.
        let mut named = Coding::Gzip.compress(b"named, ");
        named[3] |= 8;
        named.splice(10..10, [b"n".repeat(STEP_READ_BYTES), vec![0]].concat());
        let noise = noise();
        for padding in 0..80 {
            let first = vec![padding; 5];
            let noise = &noise[usize::from(padding)..STEP_READ_BYTES];
            let members = [Coding::Gzip.compress(&first), Coding::Gzip.compress(noise), named.clone()].concat();
            let expected = [&first[..], noise, b"named, "].concat();
            let (whole, sizes) = steps(Coding::Gzip, &members, expected.len()).unwrap();
            assert_eq!(whole, expected);
            assert!(sizes.len() >= 2, "{sizes:?}");
        }
    }
}
