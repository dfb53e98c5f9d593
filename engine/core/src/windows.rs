//! How much streams may hold while nobody takes it: less, where many of them are filled.
//!
//! Every stream begins with the full window. When what a connection holds becomes much, SETTINGS_INITIAL_WINDOW_SIZE
//! goes down to each stream's share, and up again when it was taken: RFC 9113 section 6.9.2 has a sender take the
//! difference off every window it has, below zero too. So a stream that is read goes on, and the full ones wait; no call
//! has to end. A peer that does not answer such SETTINGS is read slowly, and cut off at last.

use crate::conduct::Abuse;
use crate::connection::{Connection, Phase};
use crate::item::Body;
use crate::settings::Settings;
use std::time::Duration;

/// What all streams may hold in their windows, as a part of the connection's budget: 16 MiB by default.
const BUDGET_PARTS: usize = 16;
/// So many full windows are never too much.
const FULL_WINDOWS: usize = 4;
/// Windows go down when this part of it is held, and up when it is half as much.
const MUCH_PARTS: usize = 4;
/// A stream keeps this: a frame.
const LEAST_BYTES: u32 = 16 * 1024;
/// Between two changes.
const CHANGE_PAUSE: Duration = Duration::from_secs(1);
/// What may be under way until the peer hears of smaller windows: more than the kernels of both ends keep.
const UNDER_WAY_BYTES: u64 = 16 << 20;
/// How fast a peer is read that has sent more than that, and not heard.
const DEAF_BYTES_PER_SECOND: u64 = 4 << 20;
/// After so long it is cut off.
const DEAF_TIME: Duration = Duration::from_secs(10);

/// What the peer was told of the windows of streams.
#[derive(Debug)]
pub(crate) struct Windows {
    full: u32,
    /// What holds now, or will when the peer has heard of it.
    pub(crate) size: u32,
    /// What all streams may hold.
    together: usize,
    /// SETTINGS ever sent.
    sent: u64,
    changed: Option<Change>,
    /// The peer has yet to answer the last change.
    awaits_answer: bool,
}

#[derive(Debug)]
struct Change {
    at: Duration,
    /// Bytes read by then.
    read: u64,
}

impl Windows {
    pub(crate) fn new(settings: &Settings) -> Self {
        let full = settings.stream_window_bytes;
        let together = (settings.budget_bytes / BUDGET_PARTS).max(FULL_WINDOWS * full as usize);
        Self { full, size: full, together, sent: 1, changed: None, awaits_answer: false }
    }

    /// The size that fits to what is held, if the peer is to be told.
    fn fitting(&self, held: usize, streams: usize, now: Duration) -> Option<u32> {
        let size = if self.is_much(held) {
            let share = u32::try_from(self.together / streams.max(1)).unwrap_or(u32::MAX);
            let share = 1 << (share | 1).ilog2();
            share.max(LEAST_BYTES).min(self.size)
        } else if self.size < self.full && held <= self.together / MUCH_PARTS / 2 {
            self.full
        } else {
            return None;
        };
        let due = || self.changed.as_ref().is_none_or(|change| now.saturating_sub(change.at) >= CHANGE_PAUSE);
        (size != self.size && due()).then_some(size)
    }

    fn is_much(&self, held: usize) -> bool {
        held >= self.together / MUCH_PARTS
    }

    fn change(&mut self, size: u32, now: Duration, read: u64) {
        self.size = size;
        self.sent += 1;
        self.changed = Some(Change { at: now, read });
        self.awaits_answer = true;
    }

    /// Nobody waits for an answer any more.
    pub(crate) fn forget_change(&mut self) {
        self.changed = None;
    }

    /// Of a peer with smaller windows that it has not heard of: since when, and what was read since beyond what may have
    /// been under way.
    fn unheard(&self, answers: u64, read: u64) -> Option<(Duration, u64)> {
        let change = self.changed.as_ref().filter(|_| self.size < self.full && answers < self.sent)?;
        let beyond = (read - change.read).checked_sub(UNDER_WAY_BYTES)?;
        Some((change.at, beyond))
    }
}

impl<B: Body> Connection<B> {
    /// What a stream may hold that the application has not taken, as the peer was told last.
    #[must_use]
    pub fn stream_window(&self) -> u32 {
        self.windows.size
    }

    /// Not zero: the socket should not be read for so long. The peer fills streams that nobody reads, and does not answer.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let Some((since, beyond)) = self.unheard() else { return Duration::ZERO };
        let due = Duration::from_millis(1000 * beyond / DEAF_BYTES_PER_SECOND);
        (since + due).saturating_sub(self.now)
    }

    fn unheard(&self) -> Option<(Duration, u64)> {
        if self.windows.changed.is_none() || !self.windows.is_much(self.kept.held) {
            return None;
        }
        let answers = self.io.lock().sniffer.seen.settings_answers;
        self.windows.unheard(answers, self.fed - self.intake.len())
    }

    /// The peer's windows are what was told now. A stream of a message larger than its window has given back all that
    /// came of it; if that was too little to be told before, the rest of the message would never come.
    fn heed_answer(&mut self) {
        if !self.windows.awaits_answer {
            return;
        }
        let io = self.io.lock();
        if io.unread() == 0 && io.sniffer.seen.settings_answers >= self.windows.sent {
            drop(io);
            self.windows.awaits_answer = false;
            self.streams.values_mut().for_each(|stream| stream.look_at_window());
            self.ready.wake_connection();
        }
    }

    /// After a turn: what is held may have become much, or little.
    pub(crate) fn fit_windows(&mut self) {
        if self.phase != Phase::Open {
            return;
        }
        if let Some(size) = self.windows.fitting(self.kept.held, self.streams.len(), self.now)
            // One at a time: not before the peer has answered the last.
            && self.role.set_window(size)
        {
            self.windows.change(size, self.now, self.fed - self.intake.len());
            self.streams.values_mut().for_each(|stream| stream.release_within(size));
            self.ready.wake_connection();
        }
        self.heed_answer();
        if self.unheard().is_some_and(|(since, _)| self.now.saturating_sub(since) >= DEAF_TIME) {
            self.cut(Abuse::SettingsTimeout);
        }
    }
}
