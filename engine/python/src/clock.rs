//! The time connections are told: that of `time.monotonic()`, or what a test holds it at.

use pyo3::prelude::*;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Nanoseconds the time is held at.
static HELD: AtomicU64 = AtomicU64::new(RUNS);
const RUNS: u64 = u64::MAX;

/// An instant, and what `time.monotonic()` said then.
static START: OnceLock<(Instant, Duration)> = OnceLock::new();

/// With the module: later reads need no Python.
pub(crate) fn start(py: Python<'_>) -> PyResult<()> {
    let seconds: f64 = py.import("time")?.call_method0("monotonic")?.extract()?;
    START.get_or_init(|| (Instant::now(), Duration::try_from_secs_f64(seconds).unwrap_or_default()));
    Ok(())
}

/// Nanoseconds of the clock itself, which nobody holds.
pub(crate) fn nanos() -> u64 {
    let (instant, then) = START.get().expect("started with the module");
    u64::try_from((instant.elapsed() + *then).as_nanos()).unwrap_or(RUNS - 1)
}

/// The time to tell when the clock says `nanos`.
pub(crate) fn told(nanos: u64) -> Duration {
    let held = HELD.load(Relaxed);
    Duration::from_nanos(if held == RUNS { nanos } else { held })
}

/// Nanoseconds to tell now.
pub(crate) fn told_nanos() -> u64 {
    let held = HELD.load(Relaxed);
    if held == RUNS { nanos() } else { held }
}

/// Seconds on the clock of connections.
#[pyfunction]
pub(crate) fn now() -> f64 {
    told(nanos()).as_secs_f64()
}

/// For tests: what `now` says until the next call; `None` lets the clock run.
#[pyfunction]
pub(crate) fn hold_time(seconds: Option<f64>) {
    let nanos = |seconds: f64| Duration::try_from_secs_f64(seconds).unwrap_or_default().as_nanos();
    let held = seconds.map_or(RUNS, |seconds| u64::try_from(nanos(seconds)).unwrap_or(RUNS - 1));
    HELD.store(held, Relaxed);
}
