//! Rest for connections that are throttled.
//!
//! A small share of each turn is not enough: turns follow each other without a pause, so that the server stays busy, and
//! whoever feeds it too. So each throttled connection pays for what it took by not being read for a multiple of that
//! time. Its socket fills, the peer blocks, the processor is free. All of a thread pay together, or many connections
//! would have many times the share of one.

use std::cell::Cell;
use std::time::Duration;

/// Of the time of a thread all its throttled connections together have one in so many.
const PRICE: u64 = 8;
/// What comes of a call, or of its end, in Python after the reading: a task that begins, and ends.
const TOLD_NANOS: u64 = 15_000;
/// Less is no rest: loops count time in ms.
const LEAST_NANOS: u64 = 1_000_000;
/// Longer is none of its own business: a peer that sends one byte must not look silent for it.
const MOST_NANOS: u64 = 500_000_000;
/// Whoever was read so long ago is still there.
pub(crate) const THERE_NANOS: u64 = 1_000_000_000;

thread_local! {
    /// When all is paid for.
    static PAID_AT: Cell<u64> = const { Cell::new(0) };
}

/// A connection was read for so long, and told of so much: it should rest for so long.
pub(crate) fn rest_after(nanos: u64, told: u64, now: u64) -> Duration {
    let cost = nanos + TOLD_NANOS * told;
    let paid_at = PAID_AT.get().max(now) + PRICE * cost;
    PAID_AT.set(paid_at);
    match paid_at - now {
        ..LEAST_NANOS => Duration::ZERO,
        rest => Duration::from_nanos(rest.min(MOST_NANOS)),
    }
}
