//! The time slice of a loop turn: who never has to wait still lets others run about every millisecond.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

const SLICE_NANOS: u64 = 1_000_000;
/// The clock (25 ns) is read so often that about four looks fall into a slice, at least each so many steps.
const LOOKS: u64 = 4;
const MOST_STEPS: u64 = 64;

/// Steps are counted with plain loads and stores: the interpreter's lock orders them.
#[derive(Debug)]
pub(crate) struct Slice {
    epoch: Instant,
    started: AtomicU64,
    looked: AtomicU64,
    planned: AtomicU32,
    left: AtomicU32,
}

impl Slice {
    pub(crate) fn new() -> Self {
        Self {
            epoch: Instant::now(),
            started: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            planned: AtomicU32::new(1),
            left: AtomicU32::new(1),
        }
    }

    /// The loop came round.
    pub(crate) fn restart(&self) {
        let now = self.now();
        self.started.store(now, Relaxed);
        self.looked.store(now, Relaxed);
    }

    /// One step that did not wait. True: it should, once.
    pub(crate) fn is_spent(&self) -> bool {
        let left = self.left.load(Relaxed);
        if left > 1 {
            self.left.store(left - 1, Relaxed);
            return false;
        }
        self.look()
    }

    #[cold]
    fn look(&self) -> bool {
        let now = self.now();
        let steps = u64::from(self.planned.load(Relaxed));
        let nanos_per_step = now.saturating_sub(self.looked.load(Relaxed)).div_ceil(steps).max(1);
        let next = (SLICE_NANOS / LOOKS / nanos_per_step).clamp(1, MOST_STEPS);
        let next = u32::try_from(next).expect("at most MOST_STEPS");
        self.looked.store(now, Relaxed);
        self.planned.store(next, Relaxed);
        self.left.store(next, Relaxed);
        let spent = now.saturating_sub(self.started.load(Relaxed)) >= SLICE_NANOS;
        if spent {
            self.started.store(now, Relaxed);
        }
        spent
    }

    fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}
