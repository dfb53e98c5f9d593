//! The time slice of a task: who never has to wait still lets others run.
//!
//! One for each thread, and so for each loop: a turn of the loop that is full of such tasks takes about a millisecond,
//! whatever their number and their connections.

use crate::clock;
use pyo3::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};

/// What all tasks of a turn together may take before others run.
const TURN_NANOS: u64 = 1_000_000;
/// What each gets at least: switching tasks costs a tenth of it.
const LEAST_NANOS: u64 = 50_000;
/// The clock (25 ns) is read so often that about four looks fall into a slice, at least each so many steps.
const LOOKS: u64 = 4;
const MOST_STEPS: u64 = 64;

thread_local! {
    static SLICE: Arc<Slice> = Arc::new(Slice::new());
}

/// Steps are counted with plain loads and stores: only the thread of the loop takes them.
#[derive(Debug)]
pub(crate) struct Slice {
    started: AtomicU64,
    looked: AtomicU64,
    planned: AtomicU32,
    left: AtomicU32,
    /// What a task gets in this turn.
    share: AtomicU64,
    /// Slices spent in this turn.
    spent: AtomicU32,
    /// The loop will tell of the end of this turn.
    awaits_turn: AtomicBool,
}

impl Slice {
    fn new() -> Self {
        Self {
            started: AtomicU64::new(0),
            looked: AtomicU64::new(0),
            planned: AtomicU32::new(1),
            left: AtomicU32::new(1),
            share: AtomicU64::new(TURN_NANOS),
            spent: AtomicU32::new(0),
            awaits_turn: AtomicBool::new(false),
        }
    }

    /// That of this thread.
    pub(crate) fn of_thread() -> Arc<Self> {
        SLICE.with(Arc::clone)
    }

    /// A task begins or goes on after others ran.
    pub(crate) fn restart(&self) {
        self.restart_at(clock::nanos());
    }

    /// The same for who has looked at the clock.
    pub(crate) fn restart_at(&self, now: u64) {
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

    /// The next step looks at the clock: this one may have taken long, whatever those before it took.
    pub(crate) fn look_next(&self) {
        self.left.store(1, Relaxed);
    }

    /// The next look will find the slice spent.
    pub(crate) fn is_over(&self) -> bool {
        clock::nanos().saturating_sub(self.started.load(Relaxed)) >= self.share.load(Relaxed)
    }

    #[cold]
    fn look(&self) -> bool {
        let (now, share) = (clock::nanos(), self.share.load(Relaxed));
        let steps = u64::from(self.planned.load(Relaxed));
        let nanos_per_step = now.saturating_sub(self.looked.load(Relaxed)).div_ceil(steps).max(1);
        let next = (share / LOOKS / nanos_per_step).clamp(1, MOST_STEPS);
        let next = u32::try_from(next).expect("at most MOST_STEPS");
        self.looked.store(now, Relaxed);
        self.planned.store(next, Relaxed);
        self.left.store(next, Relaxed);
        let spent = now.saturating_sub(self.started.load(Relaxed)) >= share;
        if spent {
            self.started.store(now, Relaxed);
            self.spent.store(self.spent.load(Relaxed) + 1, Relaxed);
        }
        spent
    }

    fn turn_over(&self) {
        let spent = u64::from(self.spent.swap(0, Relaxed)).max(1);
        self.share.store((TURN_NANOS / spent).max(LEAST_NANOS), Relaxed);
        self.awaits_turn.store(false, Relaxed);
    }
}

/// A task lets others run. True: it is the first of its turn, and the loop should call `turn_over` in the next one.
#[pyfunction]
pub(crate) fn turn_begins() -> bool {
    SLICE.with(|slice| !slice.awaits_turn.swap(true, Relaxed))
}

/// The loop came round: its next turn is shared by as many tasks as spent their slice in this one.
#[pyfunction]
pub(crate) fn turn_over() {
    SLICE.with(|slice| slice.turn_over());
}

/// A task goes on after it let others run.
#[pyfunction]
pub(crate) fn slice_begins() {
    SLICE.with(|slice| slice.restart());
}
