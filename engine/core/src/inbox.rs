//! Cuts received DATA into messages.
//!
//! How this works: small messages stay as they came, framed and packed one behind the other, and are cut out only when
//! the application takes them; so a thousand tiny messages cost their bytes, not a thousand objects. They are kept in
//! pieces, because a buffer that doubles leaves holes the next stream cannot use: 256 MiB on 1,000 streams were 420. A
//! large message gets one buffer of its announced length (after the limit was checked) and is filled as it arrives: one
//! copy. What came compressed is expanded only when the application takes it, piece by piece.

use crate::item::{Body, Item};
use crate::tally::Passed;
use crate::wire::coding::Coding;
use crate::wire::prefix::{self, PREFIX_BYTES, Prefix, PrefixError};
use bytes::Bytes;
use std::collections::VecDeque;
use thiserror::Error;

/// Messages from this size get a buffer of their own.
pub(crate) const LARGE_BYTES: usize = 8 * 1024;
/// Small messages share a buffer up to this, or one frame.
const PIECE_BYTES: usize = 16 * 1024;

/// Why a stream's DATA cannot be read on.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum InboxError {
    /// Flag or length of a prefix.
    #[error(transparent)]
    Prefix(#[from] PrefixError),
    /// A message is compressed, and nobody agreed on a coding.
    #[error("a message has the compressed flag, and no grpc-encoding was agreed on")]
    Compressed,
    /// No memory for a message within the limit.
    #[error("no memory for a message of {0} bytes")]
    Memory(usize),
    /// The stream ended inside a message.
    #[error("the stream ended inside a message")]
    Truncated,
}

#[derive(Debug)]
struct Filling<B> {
    body: B,
    filled: usize,
    prefix: Prefix,
}

/// The receiving side of one stream.
#[derive(Debug)]
pub(crate) struct Inbox<B> {
    limit: usize,
    /// How messages with the compressed flag are to be expanded.
    coding: Option<Coding>,
    items: VecDeque<Item<B>>,
    /// Framed messages; the first `complete` bytes are whole ones, what follows is the start of the next.
    packed: Vec<u8>,
    complete: usize,
    filling: Option<Filling<B>>,
    /// Bytes that wait, prefixes included, those of a part of a message too.
    bytes: usize,
    /// Messages that came whole.
    pub(crate) arrived: Passed,
}

impl<B: Body> Inbox<B> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            coding: None,
            items: VecDeque::new(),
            packed: Vec::new(),
            complete: 0,
            filling: None,
            bytes: 0,
            arrived: Passed::default(),
        }
    }

    /// The peer said how it compresses.
    pub(crate) fn expect(&mut self, coding: Option<Coding>) {
        self.coding = coding;
    }

    /// How the peer compresses.
    pub(crate) fn coding(&self) -> Option<Coding> {
        self.coding
    }

    /// A whole message is waiting.
    pub(crate) fn has_message(&self) -> bool {
        self.complete > 0 || !self.items.is_empty()
    }

    /// A part of a message is waiting for its rest.
    pub(crate) fn has_fragment(&self) -> bool {
        self.packed.len() > self.complete || self.filling.is_some()
    }

    /// Bytes that wait, prefixes included, those of a part of a message too.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Drops what waits.
    pub(crate) fn clear(&mut self) {
        self.items = VecDeque::new();
        self.packed = Vec::new();
        self.filling = None;
        (self.complete, self.bytes) = (0, 0);
    }

    /// Takes the oldest messages.
    pub(crate) fn take(&mut self) -> Option<Item<B>> {
        let item = self.items.pop_front().or_else(|| self.take_packed())?;
        self.bytes -= item.wire_bytes();
        Some(item)
    }

    fn take_packed(&mut self) -> Option<Item<B>> {
        if self.complete == 0 {
            return None;
        }
        // The start of the next message moves on: it would keep the whole buffer as long as the stream.
        let rest = self.packed[self.complete..].to_vec();
        let mut messages = std::mem::replace(&mut self.packed, rest);
        messages.truncate(std::mem::take(&mut self.complete));
        Some(Item::Packed { messages: Bytes::from(messages), coding: self.coding })
    }

    /// Reads one DATA payload.
    ///
    /// # Errors
    /// [`InboxError`]; what was complete before the error can still be taken.
    pub(crate) fn read(&mut self, mut data: &[u8]) -> Result<(), InboxError> {
        self.bytes += data.len();
        while !data.is_empty() {
            let used = if self.filling.is_some() {
                self.fill(data)
            } else if self.packed.len() > self.complete {
                self.continue_message(data)?
            } else {
                self.scan(data)?
            };
            data = &data[used..];
        }
        Ok(())
    }

    /// The stream ended: there must be nothing half read.
    pub(crate) fn end(&self) -> Result<(), InboxError> {
        if self.has_fragment() { Err(InboxError::Truncated) } else { Ok(()) }
    }

    /// At a message boundary: keeps all whole small messages at once, then starts on what is left.
    fn scan(&mut self, data: &[u8]) -> Result<usize, InboxError> {
        let (mut end, mut count) = (0, 0);
        let mut large = None;
        while let Some(head) = data[end..].first_chunk::<PREFIX_BYTES>() {
            let prefix = match self.read_prefix(*head) {
                Ok(prefix) => prefix,
                Err(error) => {
                    self.keep_whole(&data[..end], count);
                    return Err(error);
                }
            };
            if prefix.length >= LARGE_BYTES {
                large = Some(prefix);
                break;
            }
            if data.len() - end < PREFIX_BYTES + prefix.length {
                break;
            }
            end += PREFIX_BYTES + prefix.length;
            count += 1;
        }
        self.keep_whole(&data[..end], count);
        if let Some(prefix) = large {
            self.start_filling(prefix)?;
            return Ok(end + PREFIX_BYTES);
        }
        self.bound_piece(data.len() - end);
        self.packed.extend_from_slice(&data[end..]);
        Ok(data.len())
    }

    /// At a message boundary: so many bytes more go to another piece if they do not fit into this one.
    fn bound_piece(&mut self, more: usize) {
        if self.complete > 0 && self.complete + more > PIECE_BYTES {
            // Nobody takes them as they come: what is kept is what is counted.
            self.packed.shrink_to_fit();
            let full = self.take_packed();
            self.items.extend(full);
        }
    }

    fn keep_whole(&mut self, messages: &[u8], count: u64) {
        self.bound_piece(messages.len());
        self.packed.extend_from_slice(messages);
        self.complete += messages.len();
        self.arrived.add(count, messages.len());
    }

    /// Inside the prefix or the payload of a small message.
    fn continue_message(&mut self, data: &[u8]) -> Result<usize, InboxError> {
        let have = self.packed.len() - self.complete;
        let Some(head) = self.packed[self.complete..].first_chunk::<PREFIX_BYTES>() else {
            let used = (PREFIX_BYTES - have).min(data.len());
            self.packed.extend_from_slice(&data[..used]);
            return self.check_prefix().map(|()| used);
        };
        let whole = PREFIX_BYTES + self.read_prefix(*head)?.length;
        let used = (whole - have).min(data.len());
        self.packed.extend_from_slice(&data[..used]);
        if have + used == whole {
            self.complete += whole;
            self.arrived.add(1, whole);
        }
        Ok(used)
    }

    /// The prefix may just have become whole.
    fn check_prefix(&mut self) -> Result<(), InboxError> {
        let Some(head) = self.packed[self.complete..].first_chunk::<PREFIX_BYTES>() else { return Ok(()) };
        let prefix = self.read_prefix(*head)?;
        if prefix.length >= LARGE_BYTES {
            self.packed.truncate(self.complete);
            return self.start_filling(prefix);
        }
        if prefix.length == 0 {
            self.complete += PREFIX_BYTES;
            self.arrived.add(1, PREFIX_BYTES);
        }
        Ok(())
    }

    fn read_prefix(&self, head: [u8; PREFIX_BYTES]) -> Result<Prefix, InboxError> {
        let prefix = prefix::read(head, self.limit)?;
        if prefix.compressed && self.coding.is_none() { Err(InboxError::Compressed) } else { Ok(prefix) }
    }

    fn start_filling(&mut self, prefix: Prefix) -> Result<(), InboxError> {
        let body = B::allocate(prefix.length).ok_or(InboxError::Memory(prefix.length))?;
        if let Some(packed) = self.take_packed() {
            self.items.push_back(packed);
        }
        self.filling = Some(Filling { body, filled: 0, prefix });
        Ok(())
    }

    fn fill(&mut self, data: &[u8]) -> usize {
        let filling = self.filling.as_mut().expect("read() looked");
        let used = (filling.prefix.length - filling.filled).min(data.len());
        filling.body.fill(filling.filled, &data[..used]);
        filling.filled += used;
        if filling.filled == filling.prefix.length
            && let Some(Filling { body, prefix, .. }) = self.filling.take()
        {
            self.arrived.add(1, PREFIX_BYTES + prefix.length);
            let coding = self.coding.filter(|_| prefix.compressed);
            self.items.push_back(Item::Large { body, length: prefix.length, coding });
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn framed(sizes: &[usize]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (i, &size) in sizes.iter().enumerate() {
            bytes.extend(prefix::write(false, u32::try_from(size).unwrap()));
            bytes.extend(std::iter::repeat_n(u8::try_from(i % 256).unwrap(), size));
        }
        bytes
    }

    fn drain(inbox: &mut Inbox<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        while let Some(item) = inbox.take() {
            match item {
                Item::Large { body, .. } => messages.push(body),
                Item::Packed { messages: mut packed, .. } => {
                    while !packed.is_empty() {
                        let head = packed.split_to(PREFIX_BYTES);
                        let length = u32::from_be_bytes(head[1..].try_into().unwrap()) as usize;
                        messages.push(packed.split_to(length).to_vec());
                    }
                }
            }
        }
        messages
    }

    #[test]
    fn every_way_to_cut_the_bytes_gives_the_same_messages() {
        let sizes = [0, 1, 5, LARGE_BYTES - 1, LARGE_BYTES, 0, 0, LARGE_BYTES + 1, 300, 7];
        let bytes = framed(&sizes);
        for piece in (1..70).chain([4096, LARGE_BYTES + 5, bytes.len()]) {
            let mut inbox = Inbox::<Vec<u8>>::new(1 << 20);
            let mut messages = Vec::new();
            for part in bytes.chunks(piece) {
                inbox.read(part).unwrap();
                messages.extend(drain(&mut inbox));
            }
            let expected: Vec<_> = sizes.iter().enumerate().map(|(i, &n)| vec![u8::try_from(i).unwrap(); n]).collect();
            assert_eq!(messages, expected, "pieces of {piece}");
            assert_eq!(inbox.arrived, Passed { messages: 10, bytes: bytes.len() as u64 }, "pieces of {piece}");
            assert_eq!(inbox.bytes(), 0);
            inbox.end().unwrap();
        }
    }

    #[test]
    fn order_holds_when_nothing_is_taken_in_between() {
        let sizes = [3, LARGE_BYTES, 4, 5, LARGE_BYTES * 2, 6];
        let mut inbox = Inbox::<Vec<u8>>::new(1 << 20);
        for part in framed(&sizes).chunks(1000) {
            inbox.read(part).unwrap();
        }
        assert_eq!(drain(&mut inbox).iter().map(Vec::len).collect::<Vec<_>>(), sizes);
    }

    #[test]
    fn a_message_above_the_limit_fails_at_its_prefix_and_leaves_those_before() {
        for piece in [1, 3, 1000] {
            let mut inbox = Inbox::<Vec<u8>>::new(100);
            let bytes = [framed(&[7, 100]), prefix::write(false, 101).to_vec()].concat();
            let result = bytes.chunks(piece).try_for_each(|part| inbox.read(part));
            let expected = PrefixError::TooLong { length: 101, limit: 100 };
            assert_eq!(result, Err(InboxError::Prefix(expected)));
            assert_eq!(drain(&mut inbox).len(), 2);
        }
    }

    #[test]
    fn a_compressed_message_is_refused_wherever_it_is_cut() {
        for piece in [1, 3, 1000] {
            let mut inbox = Inbox::<Vec<u8>>::new(100);
            let bytes = [framed(&[7]), vec![1, 0, 0, 0, 3, 9, 9, 9]].concat();
            let result = bytes.chunks(piece).try_for_each(|part| inbox.read(part));
            assert_eq!(result, Err(InboxError::Compressed));
            assert_eq!(drain(&mut inbox).len(), 1);
        }
    }

    #[test]
    fn compressed_messages_keep_their_coding_and_their_place() {
        let whole = |compressed: bool, payload: &[u8]| {
            let prefix = prefix::write(compressed, u32::try_from(payload.len()).unwrap());
            [&prefix[..], payload].concat()
        };
        let (coding, large) = (Some(Coding::Gzip), vec![7; LARGE_BYTES]);
        let small = [whole(false, b"a"), whole(true, b"bc"), whole(true, b"")].concat();
        let bytes = [&small[..], &whole(true, &large), &whole(false, &large), &whole(true, b"d")].concat();
        for piece in (1..60).chain([bytes.len()]) {
            let mut inbox = Inbox::<Vec<u8>>::new(1 << 20);
            inbox.expect(coding);
            bytes.chunks(piece).for_each(|part| inbox.read(part).unwrap());
            // Small ones cost what they took on the way, with the flag as without: no object for each.
            let expected = [
                Item::Packed { messages: Bytes::from(small.clone()), coding },
                Item::Large { body: large.clone(), length: LARGE_BYTES, coding },
                Item::Large { body: large.clone(), length: LARGE_BYTES, coding: None },
                Item::Packed { messages: Bytes::from(whole(true, b"d")), coding },
            ];
            assert_eq!(std::iter::from_fn(|| inbox.take()).collect::<Vec<_>>(), expected, "pieces of {piece}");
            inbox.end().unwrap();
        }
    }

    #[test]
    fn an_end_inside_a_message_is_an_error() {
        let bytes = framed(&[10]);
        for cut in 1..bytes.len() {
            let mut inbox = Inbox::<Vec<u8>>::new(100);
            inbox.read(&bytes[..cut]).unwrap();
            assert!(inbox.has_fragment() && !inbox.has_message());
            assert_eq!(inbox.end(), Err(InboxError::Truncated));
        }
    }
}
