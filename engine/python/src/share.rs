//! A connection's share of a turn of the loop.
//!
//! However much a peer sends, and however much work that is, others have their turn after this time. What was read and
//! not looked at waits in the core; the socket is read again when that is gone. So whoever floods a server gets the share
//! of one connection, and nobody is judged.

use crate::clock;
use crate::crowd;
use crate::shared::{Hooks, Shared};
use crate::throttle;
use penstock_core::Side;
use pyo3::intern;
use pyo3::prelude::*;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// What reading may take in a turn while no other connection has something to say; one that comes waits so long. For a
/// client always: 1,000 answers cut into pieces wake each caller twice, for its message and for the end (20 %).
const ALONE_NANOS: u64 = 5_000_000;
/// The same beside others. A turn costs 15 us of its own, so frames that nobody hears of pay a tenth for being cut up.
const SHARE_NANOS: u64 = 100_000;
/// What is told to Python gets time on top, up to a limit. 64 calls at once cost a fifth more in pieces of 12; but each of
/// them is a task that runs after the reading, and with 1 ms the calls of others waited 4 times as long.
const EVENT_NANOS: u64 = 10_000;
const MOST_NANOS: u64 = 150_000;
/// For a peer whose calls come to nothing: each is work for Python too, which comes after the reading.
const SMALL_NANOS: u64 = 50_000;

/// What reading may take.
struct Portion {
    nanos: u64,
    /// With what it tells.
    most: u64,
    /// It is paid for with rest.
    throttled: bool,
}

impl Shared {
    /// Has h2 read what waits, as long as the share lasts; the rest in the next turn, or after a rest.
    pub(crate) fn read_on(&self, py: Python<'_>, hooks: &Hooks) -> PyResult<()> {
        let began = clock::nanos();
        let before = self.spent.load(Relaxed);
        let portion = self.portion(began);
        let (mut spent, mut share, mut happened) = (before, portion.nanos, 0);
        while spent < share && !self.resting.load(Relaxed) {
            let more = self.with(|core| {
                let more = core.step();
                // Before anything else runs: it may read into the memory that what waits lies in.
                core.keep();
                more
            });
            self.slice.restart();
            happened += self.dispatch(py, hooks);
            if !more {
                break;
            }
            spent = before + (clock::nanos() - began);
            share = (portion.nanos + EVENT_NANOS * happened).min(portion.most);
        }
        self.spent.store(spent, Relaxed);
        let rest = if portion.throttled { self.rest(began, happened) } else { Duration::ZERO };
        let (unread, can_step, in_headers, pause) =
            self.with(|core| (core.keep(), core.can_step(), core.is_in_headers(), core.pause()));
        if in_headers != self.in_headers.swap(in_headers, Relaxed) {
            hooks.owner.call_method1(py, intern!(py, "_on_headers"), (in_headers,))?;
        }
        let pause = pause.max(rest);
        if !pause.is_zero() {
            hooks.owner.call_method1(py, intern!(py, "_on_pause"), (pause.as_secs_f64(),))?;
        }
        let resting = self.resting.load(Relaxed);
        let stops = resting || unread > 0 || spent >= share || !pause.is_zero();
        if stops != self.backlog.swap(stops, Relaxed) {
            let name = if stops { intern!(py, "_on_backlog") } else { intern!(py, "_on_backlog_gone") };
            hooks.owner.call_method0(py, name)?;
        }
        if happened > 0 || !resting && (can_step || stops && unread == 0 && pause.is_zero()) {
            // It comes after the tasks that were just woken: what they send leaves in the same turn of the loop.
            return self.schedule(py);
        }
        // A socket that takes no more tells when it does.
        if self.paused.load(Relaxed) { Ok(()) } else { self.schedule_if_needed(py) }
    }

    /// A throttled connection was read: what that costs the others it pays with rest.
    fn rest(&self, began: u64, told: u64) -> Duration {
        let now = clock::nanos();
        if self.resting.load(Relaxed) {
            return Duration::ZERO;
        }
        let rest = throttle::rest_after(now - began, told, now);
        self.resting.store(!rest.is_zero(), Relaxed);
        rest
    }

    /// What reading may take in this turn.
    fn portion(&self, now: u64) -> Portion {
        let (spoiling, piling, side) = self.with(|core| {
            core.tick(clock::told(now));
            (core.is_spoiling() || self.slowed.load(Relaxed), core.is_piling(), core.side())
        });
        let of_client = side == Side::Server;
        if of_client {
            crowd::read(self, now);
        }
        let alone_nanos = crowd::alone_nanos(self, now);
        let beside_others = of_client && alone_nanos < throttle::THERE_NANOS;
        let (nanos, most) = if spoiling {
            (SMALL_NANOS, SMALL_NANOS)
        } else if of_client && alone_nanos < crowd::BUSY_NANOS {
            (SHARE_NANOS, MOST_NANOS)
        } else {
            (ALONE_NANOS, ALONE_NANOS)
        };
        Portion { nanos, most, throttled: beside_others && (spoiling || piling) }
    }
}
