//! What a task awaits until the engine has news for it: a future, to asyncio, whose end the task hears without a turn of
//! the loop in between (`steps.rs`).

use crate::steps::{self, Step};
use pyo3::PyTraverseError;
use pyo3::exceptions::asyncio::{CancelledError, InvalidStateError};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Default)]
enum State {
    #[default]
    Pending,
    Done,
    /// With the message that says why.
    Cancelled(Option<Py<PyAny>>),
}

/// What asyncio gives, and in which context to call it.
type Callback = (Py<PyAny>, Py<PyAny>);

/// One, as a rule: what a task adds. Who watches the task may have added another before.
#[derive(Default)]
struct Callbacks {
    first: Option<Callback>,
    more: Vec<Callback>,
}

/// For one task, and one wait. Its value is always `None`.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Waiter {
    event_loop: Py<PyAny>,
    state: Mutex<State>,
    callbacks: Mutex<Callbacks>,
    blocking: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl Waiter {
    #[new]
    fn new(event_loop: Py<PyAny>) -> Self {
        Self { event_loop, state: Mutex::default(), callbacks: Mutex::default(), blocking: AtomicBool::new(false) }
    }

    fn done(&self) -> bool {
        !matches!(*lock(&self.state), State::Pending)
    }

    fn cancelled(&self) -> bool {
        matches!(*lock(&self.state), State::Cancelled(_))
    }

    /// Who awaits it goes on; nothing, if that happened before.
    #[pyo3(signature = (none, /))]
    fn set_result(slf: &Bound<'_, Self>, none: &Bound<'_, PyAny>) -> PyResult<()> {
        debug_assert!(none.is_none(), "it has no other value");
        if !slf.get().end(State::Done) {
            return Ok(());
        }
        Self::take_steps(slf).try_for_each(|step| steps::run_soon(slf.py(), step?))
    }

    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let ends = slf.get().end(State::Cancelled(msg));
        if ends {
            // Whoever cancels may be the loop itself, or the task: as with any future.
            Self::take_steps(slf).try_for_each(|step| step?.run_later(slf.py()))?;
        }
        Ok(ends)
    }

    fn result(&self, py: Python<'_>) -> PyResult<()> {
        match &*lock(&self.state) {
            State::Done => Ok(()),
            State::Pending => Err(InvalidStateError::new_err("nothing has come yet")),
            State::Cancelled(None) => Err(CancelledError::new_err(())),
            State::Cancelled(Some(message)) => Err(CancelledError::new_err((message.clone_ref(py),))),
        }
    }

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Option<Py<Self>>> {
        if slf.get().done() {
            return slf.get().result(slf.py()).map(|()| None);
        }
        slf.get().blocking.store(true, Relaxed);
        Ok(Some(slf.clone().unbind()))
    }

    // What asyncio asks of a future.

    #[getter]
    fn _asyncio_future_blocking(&self) -> bool {
        self.blocking.load(Relaxed)
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&self, blocking: bool) {
        self.blocking.store(blocking, Relaxed);
    }

    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    #[pyo3(signature = (callback, /, *, context=None))]
    fn add_done_callback(slf: &Bound<'_, Self>, callback: Py<PyAny>, context: Option<Py<PyAny>>) -> PyResult<()> {
        let context = context.map_or_else(|| steps::current_context(slf.py()), Ok)?;
        let mut callbacks = lock(&slf.get().callbacks);
        match callbacks.first {
            None => callbacks.first = Some((callback, context)),
            Some(_) => callbacks.more.push((callback, context)),
        }
        drop(callbacks);
        if !slf.get().done() {
            return Ok(());
        }
        Self::take_steps(slf).try_for_each(|step| step?.run_later(slf.py()))
    }

    /// How many there were.
    #[pyo3(signature = (callback, /))]
    fn remove_done_callback(slf: &Bound<'_, Self>, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        // Not under the lock: comparing runs Python code.
        let Callbacks { first, more } = std::mem::take(&mut *lock(&slf.get().callbacks));
        let (mut kept, mut removed) = (Vec::new(), 0);
        for (each, context) in first.into_iter().chain(more) {
            if callback.eq(&each)? {
                removed += 1;
            } else {
                kept.push((each, context));
            }
        }
        let mut kept = kept.into_iter();
        *lock(&slf.get().callbacks) = Callbacks { first: kept.next(), more: kept.collect() };
        Ok(removed)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        if let Ok(callbacks) = self.callbacks.try_lock() {
            for (callback, context) in callbacks.first.iter().chain(&callbacks.more) {
                visit.call(callback)?;
                visit.call(context)?;
            }
        }
        match self.state.try_lock() {
            Ok(state) => match &*state {
                State::Cancelled(message) => visit.call(message),
                State::Pending | State::Done => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let callbacks = std::mem::take(&mut *lock(&self.callbacks));
        drop(callbacks);
    }
}

impl Waiter {
    /// False: it had ended.
    fn end(&self, how: State) -> bool {
        let mut state = lock(&self.state);
        let ends = matches!(*state, State::Pending);
        if ends {
            *state = how;
        }
        ends
    }

    fn take_steps(slf: &Bound<'_, Self>) -> impl Iterator<Item = PyResult<Step>> {
        let Callbacks { first, more } = std::mem::take(&mut *lock(&slf.get().callbacks));
        first.into_iter().chain(more).map(move |(callback, context)| {
            let event_loop = slf.get().event_loop.clone_ref(slf.py());
            let call = (callback, slf).into_pyobject(slf.py())?.unbind();
            Ok(Step { event_loop, call, context })
        })
    }
}
