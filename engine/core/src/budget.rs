//! What the streams of a connection keep in memory, and what becomes of it when that is too much.
//!
//! How this works: the sums follow each stream as it changes, so nobody ever walks all of them to know. Smaller
//! windows (`windows.rs`) keep peers within the budget that heed them; when it is spent all the same, the stream with
//! most bytes that nobody took ends.

use crate::connection::{Connection, Phase};
use crate::event::{Cause, Event, Origin, Outcome};
use crate::item::Body;
use crate::settings::Settings;
use crate::stream::Stream;
use crate::wire::status::Code;
use h2::Reason;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Bytes that connections may keep together.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// One for any number of connections.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit, used: AtomicUsize::new(0) }
    }

    /// Bytes they may keep.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Bytes they keep, each as of its last turn.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used.load(Relaxed)
    }
}

/// One connection's part of a budget.
#[derive(Debug)]
pub(crate) struct Share {
    budget: Arc<Budget>,
    charged: usize,
}

impl Share {
    pub(crate) fn of(budget: Arc<Budget>) -> Self {
        Self { budget, charged: 0 }
    }

    /// Now it is `bytes`. True: it grew, and all together are over the limit.
    fn charge(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.charged, bytes);
        if bytes > before {
            let grown = bytes - before;
            return self.budget.used.fetch_add(grown, Relaxed) + grown > self.budget.limit;
        }
        self.budget.used.fetch_sub(before - bytes, Relaxed);
        false
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.charge(0);
    }
}

/// Queued on all streams of a connection, above which each may queue a quarter: 1,000 times 64 KiB is a lot to hold for
/// a client that opens no window.
const MUCH_QUEUED_BYTES: usize = 8 << 20;

/// What the open calls of a connection keep: received and not taken, and queued.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) held: usize,
    pub(crate) queued: usize,
}

impl Kept {
    /// A stream changed.
    pub(crate) fn follow<B: Body>(&mut self, stream: &mut Stream<B>) {
        self.forget(stream);
        stream.kept = Self { held: stream.held(), queued: stream.outbox.len() };
        self.held += stream.kept.held;
        self.queued += stream.kept.queued;
    }

    /// A stream has so much more to send. Once per message: cheaper than to follow.
    pub(crate) fn queue<B>(&mut self, stream: &mut Stream<B>, bytes: usize) {
        stream.kept.queued += bytes;
        self.queued += bytes;
    }

    /// What a stream may have queued before its sender waits: less where a thousand streams wait for windows.
    pub(crate) fn send_limit(&self, settings: &Settings) -> usize {
        let limit = settings.send_buffer_bytes;
        if self.queued < MUCH_QUEUED_BYTES { limit } else { (limit / 4).max(1) }
    }

    /// A stream is gone.
    pub(crate) fn forget<B>(&mut self, stream: &Stream<B>) {
        self.held -= stream.kept.held;
        self.queued -= stream.kept.queued;
    }
}

/// Below this nobody need care.
const LITTLE_BYTES: usize = 256 << 10;

/// Whether a connection holds more and more that nobody takes. One that holds much all the time, because a reader stopped,
/// does not.
#[derive(Debug, Default)]
pub(crate) struct Pile {
    /// The most it held since it held half of that.
    most: usize,
}

impl Pile {
    /// It holds so much now. True: that is more than ever, or about to be too much.
    fn grows(&mut self, held: usize, budget: usize) -> bool {
        let grows = held > self.most.max(LITTLE_BYTES);
        if grows || held < self.most / 2 {
            self.most = held;
        }
        grows || held > budget / 2
    }
}

impl<B: Body> Connection<B> {
    /// More and more comes that nobody takes: it need not be read fast. Asked once before each read.
    pub fn is_piling(&mut self) -> bool {
        self.phase != Phase::Closed && self.pile.grows(self.kept.held, self.settings.budget_bytes)
    }

    /// Bytes received on open calls and not taken.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.kept.held
    }

    /// Bytes queued on open calls.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.kept.queued
    }

    /// Has this connection share a budget; `OverBudget` tells when it grew beyond that.
    pub fn share(&mut self, budget: Arc<Budget>) {
        self.share = Some(Share::of(budget));
    }

    /// Ends the call with most bytes that nobody took, and drops them. False: no call has any.
    pub fn shed(&mut self) -> bool {
        let largest = self.streams.iter().max_by_key(|(_, stream)| stream.held());
        let Some((&id, held)) = largest.map(|(id, stream)| (id, stream.held())).filter(|&(_, held)| held > 0) else {
            return false;
        };
        let message = format!("memory is short, and this call holds most of it: {held} bytes that nobody took");
        let outcome = Outcome::new(Code::ResourceExhausted, message, Origin::Local, Cause::Limit);
        self.refuse_stream(id, &outcome, Reason::ENHANCE_YOUR_CALM);
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.inbox.clear();
        }
        self.events.push(Event::Shed(id));
        self.end(id, outcome);
        true
    }

    /// After a turn: what came may be too much.
    pub(crate) fn keep_within_budget(&mut self) {
        while self.kept.held > self.settings.budget_bytes && self.shed() {}
    }

    pub(crate) fn charge(&mut self) {
        let bytes = self.kept.held + self.kept.queued;
        if self.share.as_mut().is_some_and(|share| share.charge(bytes)) {
            self.events.push(Event::OverBudget);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: usize = 256 << 20;

    #[test]
    fn a_pile_grows_while_more_is_held_than_ever() {
        let mut pile = Pile::default();
        assert!(!pile.grows(LITTLE_BYTES, BUDGET), "nobody need care");
        assert!(pile.grows(LITTLE_BYTES + 1, BUDGET));
        assert!(!pile.grows(LITTLE_BYTES + 1, BUDGET));
        assert!(pile.grows(4 << 20, BUDGET));
        assert!(!pile.grows(3 << 20, BUDGET) && !pile.grows(4 << 20, BUDGET), "a reader that stopped, among others");
    }

    #[test]
    fn what_was_taken_is_forgotten() {
        let mut pile = Pile::default();
        assert!(pile.grows(4 << 20, BUDGET));
        assert!(!pile.grows(1 << 20, BUDGET));
        assert!(pile.grows(2 << 20, BUDGET));
    }

    #[test]
    fn half_of_the_budget_is_always_too_much() {
        let mut pile = Pile::default();
        assert!(pile.grows(BUDGET / 2 + 1, BUDGET));
        assert!(pile.grows(BUDGET / 2 + 1, BUDGET));
    }
}
