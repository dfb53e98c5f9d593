//! Messages on their way from the core to the application, cut out one by one.

use crate::buffers::MessageBody;
use crate::expansion::Expansion;
use bytes::{Buf, Bytes};
use penstock_core::Item;
use penstock_core::wire::coding::Coding;
use penstock_core::wire::prefix::PREFIX_BYTES;
use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::collections::VecDeque;

/// Messages taken from the core and not yet by the application.
#[derive(Default)]
pub(crate) struct Batch {
    packed: Bytes,
    /// How those of `packed` that have the compressed flag are expanded.
    coding: Option<Coding>,
    rest: VecDeque<Item<MessageBody>>,
    /// The message before those, which takes longer to expand than others should wait.
    pub(crate) expansion: Option<Box<Expansion>>,
    /// Bytes the application took that the core does not know of.
    pub(crate) unreported: usize,
    /// The peer half-closed, or the call is over: nothing will come after this.
    pub(crate) last: bool,
    /// Nothing more is wanted.
    dropped: bool,
    /// What is wrong with the message behind those that `receive_many` gave.
    pub(crate) failure: Option<Py<PyBaseException>>,
}

impl Batch {
    pub(crate) fn load(&mut self, item: Item<MessageBody>) {
        match item {
            Item::Packed { messages, coding } => (self.packed, self.coding) = (messages, coding),
            large @ Item::Large { .. } => self.rest.push_front(large),
        }
    }

    /// Cuts the next message out. Makes a `bytes`, which no garbage collection follows: a lock may be held.
    pub(crate) fn cut<'py>(&mut self, py: Python<'py>) -> Option<(Bound<'py, PyBytes>, Option<Coding>)> {
        if let Some(head) = self.packed.first_chunk::<PREFIX_BYTES>() {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let end = PREFIX_BYTES + length;
            let message = PyBytes::new(py, &self.packed[PREFIX_BYTES..end]);
            let coding = if head[0] == 0 { None } else { self.coding };
            self.packed.advance(end);
            if self.packed.is_empty() {
                self.packed = Bytes::new(); // its memory is not kept while nothing comes
            }
            self.unreported += end;
            return Some((message, coding));
        }
        match self.rest.pop_front() {
            Some(Item::Large { body, length, coding }) => {
                self.unreported += PREFIX_BYTES + length;
                Some((body.into_bytes(py), coding))
            }
            Some(packed @ Item::Packed { .. }) => {
                self.load(packed);
                self.cut(py)
            }
            None => None,
        }
    }

    /// Takes the bytes that the core should hear of, if there are so many; or if nothing is left: who took all there is may
    /// do something else for long, and holds nothing meanwhile.
    pub(crate) fn due(&mut self, least: usize) -> usize {
        if self.unreported >= least || self.packed.is_empty() && self.rest.is_empty() {
            std::mem::take(&mut self.unreported)
        } else {
            0
        }
    }

    /// Bytes that nobody took.
    pub(crate) fn bytes(&self) -> usize {
        let expanded = self.expansion.as_ref().map_or(0, |expansion| expansion.bytes());
        self.packed.len() + self.rest.iter().map(Item::wire_bytes).sum::<usize>() + expanded
    }

    /// Nothing more is wanted.
    pub(crate) fn drop_all(&mut self) -> Self {
        std::mem::replace(self, Self { last: true, dropped: true, ..Self::default() })
    }

    /// The last messages of a call that is over.
    pub(crate) fn append(&mut self, untaken: Vec<Item<MessageBody>>) {
        if !self.dropped {
            self.rest.extend(untaken);
        }
    }

    /// Makes the next of those messages ready to be cut. False: there are none.
    pub(crate) fn load_rest(&mut self) -> bool {
        match self.rest.pop_front() {
            Some(item) => {
                self.load(item);
                true
            }
            None => false,
        }
    }
}
