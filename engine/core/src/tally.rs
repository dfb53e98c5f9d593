//! What passed over a stream, for people who look at it.

use crate::connection::Connection;
use crate::item::Body;
use crate::stream::{Sending, Stream};
use std::time::Duration;

/// What queued bytes wait for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Waits {
    /// Nothing is queued, or it leaves with the next flush.
    #[default]
    Nothing,
    /// The peer to open the window of the stream.
    Window,
    /// The peer to open the window of the connection.
    Connection,
    /// The socket to take what was written before.
    Socket,
}

/// What passed over a stream since it began. Bytes are those of messages on the wire, prefixes included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that came whole.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages that were queued.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Since the last message came, or the stream began.
    pub idle_in: Duration,
    /// Since the last message was queued, or the stream began.
    pub idle_out: Duration,
    /// Bytes that came and that the application has not taken.
    pub held: usize,
    /// Bytes that have not left.
    pub queued: usize,
    /// Why not.
    pub waits: Waits,
}

/// Messages and their bytes, one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
}

impl Passed {
    pub(crate) fn add(&mut self, messages: u64, bytes: usize) {
        self.messages += messages;
        self.bytes += bytes as u64;
    }
}

/// When messages passed, as the connection was told the time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    pub(crate) last_in: Duration,
    pub(crate) last_out: Duration,
}

impl<B: Body> Stream<B> {
    /// `waits`: what is queued waits for that, unless the stream knows better.
    pub(crate) fn tally(&self, now: Duration, waits: Waits) -> Tally {
        let (arrived, sent) = (self.inbox.arrived, self.outbox.passed());
        Tally {
            messages_in: arrived.messages,
            bytes_in: arrived.bytes,
            messages_out: sent.messages,
            bytes_out: sent.bytes,
            idle_in: now.saturating_sub(self.times.last_in),
            idle_out: now.saturating_sub(self.times.last_out),
            held: self.held(),
            queued: self.outbox.len(),
            waits: match self.sending {
                _ if self.outbox.is_empty() => Waits::Nothing,
                Sending::Window => Waits::Window,
                Sending::Idle | Sending::Queued => waits,
            },
        }
    }
}

impl<B: Body> Connection<B> {
    /// What passed over an open call, as of the last [`Connection::tick`].
    #[must_use]
    pub fn tally(&self, id: u32) -> Option<Tally> {
        let waits = self.schedule.waits(&self.io.lock());
        self.streams.get(&id).map(|stream| stream.tally(self.now, waits))
    }
}
