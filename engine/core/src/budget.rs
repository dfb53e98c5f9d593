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

/// Bytes that connections, or calls, may keep together.
#[derive(Debug)]
pub struct Budget {
    limit: usize,
    used: AtomicUsize,
}

impl Budget {
    /// One for any number of them.
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

    /// Somebody kept `before` and keeps `now`. True: that grew, and all together are over the limit.
    fn change(&self, before: usize, now: usize) -> bool {
        let change = now.wrapping_sub(before);
        let used = self.used.fetch_add(change, Relaxed).wrapping_add(change);
        now > before && used > self.limit
    }
}

/// What one connection, or one call, keeps of the budgets that hold for it.
#[derive(Debug, Default)]
pub(crate) struct Share {
    budgets: Vec<Arc<Budget>>,
    charged: usize,
}

impl Share {
    pub(crate) fn of(budgets: Vec<Arc<Budget>>) -> Self {
        Self { budgets, charged: 0 }
    }

    /// Now it is `bytes`. True: it grew, and a budget is over its limit.
    pub(crate) fn charge(&mut self, bytes: usize) -> bool {
        let before = std::mem::replace(&mut self.charged, bytes);
        let mut over = false;
        for budget in &self.budgets {
            over |= budget.change(before, bytes);
        }
        over
    }

    fn is_of(&self, budget: &Arc<Budget>) -> bool {
        self.budgets.iter().any(|each| Arc::ptr_eq(each, budget))
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
    /// A budget of a call is over its limit, and nobody was told.
    over: bool,
}

impl Kept {
    /// A stream changed.
    pub(crate) fn follow<B: Body>(&mut self, stream: &mut Stream<B>) {
        self.forget(stream);
        stream.kept = Self { held: stream.held(), queued: stream.outbox.len(), over: false };
        self.held += stream.kept.held;
        self.queued += stream.kept.queued;
        self.charge(stream);
    }

    /// A stream has so much more to send. Once per message: cheaper than to follow.
    pub(crate) fn queue<B>(&mut self, stream: &mut Stream<B>, bytes: usize) {
        stream.kept.queued += bytes;
        self.queued += bytes;
        self.charge(stream);
    }

    fn charge<B>(&mut self, stream: &mut Stream<B>) {
        if let Some(share) = &mut stream.share {
            self.over |= share.charge(stream.kept.held + stream.kept.queued);
        }
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

    /// Has this connection share budgets with others; `OverBudget` tells when it grew while one was over its limit.
    pub fn share(&mut self, budgets: Vec<Arc<Budget>>) {
        self.share = Share::of(budgets);
    }

    /// The same for one of its calls.
    pub fn share_call(&mut self, id: u32, budgets: Vec<Arc<Budget>>) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.share = Some(Box::new(Share::of(budgets)));
            self.kept.follow(stream);
        }
    }

    /// Ends the call that keeps most, of all or of those that share a budget, and drops what it keeps. False: none keeps
    /// anything.
    pub fn shed(&mut self, of: Option<&Arc<Budget>>, why: &str) -> bool {
        let is_meant = |share: Option<&Share>| of.is_none_or(|of| share.is_some_and(|share| share.is_of(of)));
        let kept = |stream: &Stream<B>| {
            if is_meant(stream.share.as_deref()) { stream.held() + stream.outbox.len() } else { 0 }
        };
        self.shed_largest(kept, |_kept| why.to_owned())
    }

    fn shed_largest(&mut self, size: impl Fn(&Stream<B>) -> usize, why: impl Fn(usize) -> String) -> bool {
        let largest = self.streams.iter().map(|(&id, stream)| (size(stream), id)).max();
        let Some((bytes @ 1.., id)) = largest else { return false };
        let outcome = Outcome::new(Code::ResourceExhausted, why(bytes), Origin::Local, Cause::Limit);
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
        let why = |held| format!("memory is short, and this call holds most of it: {held} bytes that nobody took");
        while self.kept.held > self.settings.budget_bytes && self.shed_largest(Stream::held, why) {}
    }

    pub(crate) fn charge(&mut self) {
        let grown = self.share.charge(self.kept.held + self.kept.queued);
        if std::mem::take(&mut self.kept.over) || grown {
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
