//! What tasks do next, in the callback of the loop that brought what they wait for.
//!
//! A task that is woken the usual way runs in the next turn of the loop, and what it sends leaves in the one after that:
//! three times around, each with a call of the system, for one answer. So a read first gathers who is woken by it, runs
//! their steps when all that came has been looked at, and then writes what they sent. Only where no task is running: a
//! task cannot begin a step within that of another.

use crate::shared::Shared;
use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple};
use std::cell::{Cell, RefCell};
use std::sync::Arc;

thread_local! {
    static STEPS: Steps = const { Steps::new() };
}

/// A callback as `loop.call_soon` takes it.
pub(crate) struct Step {
    pub(crate) event_loop: Py<PyAny>,
    /// The callback, and what it is called with.
    pub(crate) call: Py<PyTuple>,
    pub(crate) context: Py<PyAny>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The loop runs something else.
    Away,
    /// Bytes are looked at: steps are gathered.
    Reading,
    /// The steps run: what they send waits for their end, who is woken now waits for the next turn.
    Stepping,
}

/// One for each thread, and so for each loop.
struct Steps {
    phase: Cell<Phase>,
    gathered: RefCell<Vec<Step>>,
    unwritten: RefCell<Vec<Arc<Shared>>>,
}

impl Steps {
    const fn new() -> Self {
        Self { phase: Cell::new(Phase::Away), gathered: RefCell::new(Vec::new()), unwritten: RefCell::new(Vec::new()) }
    }
}

/// Reads, and then runs the steps of who was woken by it.
pub(crate) fn around(py: Python<'_>, read: impl FnOnce() -> PyResult<()>) -> PyResult<()> {
    // Also after a panic: what is gathered would otherwise wait for ever.
    let _end = begin(py).then(|| End(py));
    read()
}

struct End<'py>(Python<'py>);

impl Drop for End<'_> {
    fn drop(&mut self) {
        end(self.0);
    }
}

/// Reading begins. False: within another read, or within a task; then nothing is gathered for this one.
#[pyfunction]
#[pyo3(name = "reading_begins")]
pub(crate) fn begin(py: Python<'_>) -> bool {
    let free = STEPS.with(|steps| steps.phase.get() == Phase::Away) && no_task_runs(py);
    if free {
        STEPS.with(|steps| steps.phase.set(Phase::Reading));
    }
    free
}

/// All that came was looked at.
#[pyfunction]
#[pyo3(name = "reading_ends")]
pub(crate) fn end(py: Python<'_>) {
    let gathered = STEPS.with(|steps| {
        steps.phase.set(Phase::Stepping);
        steps.gathered.take()
    });
    if !gathered.is_empty() {
        crate::slice::Slice::of_thread().restart();
    }
    for step in gathered {
        step.run(py);
    }
    let unwritten = STEPS.with(|steps| {
        steps.phase.set(Phase::Away);
        steps.unwritten.take()
    });
    for connection in unwritten {
        if let Err(error) = connection.write_after_reading(py) {
            error.write_unraisable(py, None);
        }
    }
}

/// This is the child of a fork: the read that was under way, if there was one, is its parent's.
#[pyfunction]
#[pyo3(name = "reading_is_forgotten")]
pub(crate) fn forget() {
    let (gathered, unwritten) = STEPS.with(|steps| {
        steps.phase.set(Phase::Away);
        (steps.gathered.take(), steps.unwritten.take())
    });
    drop((gathered, unwritten));
}

/// Steps are gathered now.
pub(crate) fn are_gathered() -> bool {
    STEPS.with(|steps| steps.phase.get() == Phase::Reading)
}

/// Has a step run at the end of the read, or else in the next turn of the loop.
pub(crate) fn run_soon(py: Python<'_>, step: Step) -> PyResult<()> {
    if are_gathered() {
        STEPS.with(|steps| steps.gathered.borrow_mut().push(step));
        return Ok(());
    }
    step.run_later(py)
}

/// Has a connection write at the end of the steps. False: there are none now.
pub(crate) fn write_soon(connection: impl FnOnce() -> Option<Arc<Shared>>) -> bool {
    let among = STEPS.with(|steps| steps.phase.get() != Phase::Away);
    among
        && connection().is_some_and(|connection| {
            STEPS.with(|steps| steps.unwritten.borrow_mut().push(connection));
            true
        })
}

impl Step {
    fn run(self, py: Python<'_>) {
        let Err(error) = self.context.call_method1(py, intern!(py, "run"), self.call.bind(py)) else { return };
        let told = if error.is_instance_of::<PySystemExit>(py) || error.is_instance_of::<PyKeyboardInterrupt>(py) {
            self.raise_later(py, error)
        } else {
            // A task keeps all else that its step raises: this is of the context, which is entered already.
            self.run_later(py)
        };
        if let Err(error) = told {
            error.write_unraisable(py, Some(self.call.bind(py)));
        }
    }

    pub(crate) fn run_later(&self, py: Python<'_>) -> PyResult<()> {
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), &self.context)?;
        let call_soon = self.event_loop.getattr(py, intern!(py, "call_soon"))?;
        call_soon.call(py, self.call.bind(py), Some(&keywords)).map(drop)
    }

    /// What ends the loop has to be raised where the loop expects it: the callback of a transport is no such place.
    fn raise_later(&self, py: Python<'_>, error: PyErr) -> PyResult<()> {
        let raising = Py::new(py, Raising(error.into_value(py).into_any()))?;
        self.event_loop.call_method1(py, intern!(py, "call_soon"), (raising,)).map(drop)
    }
}

/// Raises what it was given.
#[pyclass(frozen, module = "penstock._engine")]
struct Raising(Py<PyAny>);

#[pymethods]
impl Raising {
    fn __call__(&self, py: Python<'_>) -> PyResult<()> {
        Err(PyErr::from_value(self.0.bind(py).clone()))
    }
}

/// A copy of the context there is.
pub(crate) fn current_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static COPY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(COPY.import(py, "contextvars", "copy_context")?.call0()?.unbind())
}

/// No task is in its step, and a loop runs.
fn no_task_runs(py: Python<'_>) -> bool {
    static CURRENT_TASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let current_task = CURRENT_TASK.import(py, "asyncio", "current_task");
    // Without a loop it raises.
    current_task.and_then(PyAnyMethods::call0).is_ok_and(|task| task.is_none())
}
