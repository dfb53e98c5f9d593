//! Which call it is, and since when.

use crate::clock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Given to each call when its object is made: an integer and a time, where Python would keep two objects.
pub(crate) struct Birth {
    /// Names the call in this process; from 1.
    pub(crate) number: u64,
    began_nanos: u64,
}

impl Birth {
    pub(crate) fn now() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self { number: NEXT.fetch_add(1, Relaxed), began_nanos: clock::told_nanos() }
    }

    /// Seconds since then, on the clock of connections.
    pub(crate) fn age(&self) -> f64 {
        Duration::from_nanos(clock::told_nanos().saturating_sub(self.began_nanos)).as_secs_f64()
    }
}
