//! Which clients are busy beside one, on the thread of their loop.

use crate::clock;
use crate::shared::Shared;
use std::cell::Cell;

/// So long a client counts as busy after it was read.
pub(crate) const BUSY_NANOS: u64 = 5_000_000;

thread_local! {
    /// Which client was read last, when that was, and when the last other one was.
    static READ: Cell<(usize, u64, u64)> = const { Cell::new((0, 0, 0)) };
}

/// A client is read.
pub(crate) fn read(connection: &Shared, now: u64) {
    let number = std::ptr::from_ref(connection).addr();
    let (last, read_at, other_at) = READ.get();
    READ.set((number, now, if last == number { other_at } else { read_at }));
}

/// Another client than this one was read of late: what this one has done takes time from it.
pub(crate) fn is_beside_others(connection: &Shared) -> bool {
    alone_nanos(connection, clock::nanos()) < BUSY_NANOS
}

/// How long no other client was read; since the clock began, if none ever was.
pub(crate) fn alone_nanos(connection: &Shared, now: u64) -> u64 {
    let (last, read_at, other_at) = READ.get();
    let others = if last == std::ptr::from_ref(connection).addr() { other_at } else { read_at };
    if others == 0 { u64::MAX } else { now.saturating_sub(others) }
}
