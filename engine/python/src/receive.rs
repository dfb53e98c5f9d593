//! The awaitable of one receive: gives a message that is there at once, else follows Python's waiting coroutine.

use crate::awaitable;
use crate::paths::Tried;
use crate::stream::StreamBase;
use pyo3::PyTraverseError;
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};
use std::os::raw::c_int;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One receive. Takes nothing before it is awaited, and nothing when it is cancelled; asyncio takes it for a coroutine.
#[pyclass(subclass, frozen, module = "penstock._engine")]
pub(crate) struct Receive {
    stream: Py<StreamBase>,
    /// Within `async for`, where the end is `StopAsyncIteration`.
    iterating: bool,
    waiting: Mutex<Option<Py<PyAny>>>,
    /// There is something in `waiting`: who has its message at once, as most do, takes no lock to see that (8 ns each).
    waits: AtomicBool,
}

enum Step<'py> {
    Yield(Bound<'py, PyAny>),
    Return(Bound<'py, PyAny>),
}

#[pymethods]
impl Receive {
    #[new]
    fn new(stream: Py<StreamBase>, iterating: bool) -> Self {
        Self { stream, iterating, waiting: Mutex::new(None), waits: AtomicBool::new(false) }
    }

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().step(slf.py(), None)?.into_result()
    }

    fn send<'py>(slf: &Bound<'py, Self>, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().step(slf.py(), Some(value))?.into_result()
    }

    #[pyo3(signature = (*exception))]
    fn throw<'py>(slf: &Bound<'py, Self>, exception: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Some(waiting) = slf.get().take_waiting() else {
            // `throw(error)`, or the older `throw(type, error, traceback)`.
            let value = exception.get_item(1).ok().filter(|value| !value.is_none());
            return Err(PyErr::from_value(value.map_or_else(|| exception.get_item(0), Ok)?));
        };
        let yielded = waiting.bind(py).call_method1(intern!(py, "throw"), exception.clone())?;
        slf.get().wait_for(waiting);
        Ok(yielded)
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        match slf.get().take_waiting() {
            Some(waiting) => waiting.call_method0(slf.py(), intern!(slf.py(), "close")).map(drop),
            None => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)?;
        match self.waiting.try_lock() {
            Ok(waiting) => visit.call(&*waiting),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        drop(self.take_waiting());
    }
}

impl Receive {
    pub(crate) fn make<'py>(stream: &Bound<'py, StreamBase>, iterating: bool) -> PyResult<Bound<'py, Self>> {
        let class = CLASS.get(stream.py()).expect("made with the module");
        Ok(class.bind(stream.py()).call1((stream, iterating))?.cast_into::<Self>()?)
    }

    /// It can serve once more: nothing is waiting in it.
    pub(crate) fn is_fresh(&self) -> bool {
        !self.waits.load(Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait_for(&self, waiting: Py<PyAny>) {
        *self.waiting() = Some(waiting);
        self.waits.store(true, Relaxed);
    }

    fn take_waiting(&self) -> Option<Py<PyAny>> {
        if self.is_fresh() {
            return None;
        }
        self.waits.store(false, Relaxed);
        self.waiting().take()
    }

    fn step<'py>(&self, py: Python<'py>, value: Option<&Bound<'py, PyAny>>) -> PyResult<Step<'py>> {
        let waiting = if let Some(waiting) = self.take_waiting() {
            waiting.into_bound(py)
        } else {
            let stream = self.stream.bind(py);
            match stream.get().try_receive(py) {
                Ok(Tried::Message(message)) => return Ok(Step::Return(message)),
                Ok(Tried::Wait) => stream.call_method1(intern!(py, "_receive_waiting"), (self.iterating,))?,
                Ok(Tried::Yield) => stream.call_method1(intern!(py, "_receive_yielding"), (self.iterating,))?,
                Err(error) => stream.call_method1(intern!(py, "_receive_failed"), (error.into_value(py),))?,
            }
        };
        let step = send_into(&waiting, value)?;
        if let Step::Yield(_) = step {
            self.wait_for(waiting.unbind());
        }
        Ok(step)
    }
}

impl<'py> Step<'py> {
    /// As the iterator protocol wants it: a return value is an exception.
    fn into_result(self) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Yield(value) => Ok(value),
            Self::Return(value) => Err(PyStopIteration::new_err((value.unbind(),))),
        }
    }
}

pub(crate) fn reference_count<T>(object: &Py<T>) -> isize {
    // SAFETY: the object is alive, we hold a reference.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}

fn send_into<'py>(coroutine: &Bound<'py, PyAny>, value: Option<&Bound<'py, PyAny>>) -> PyResult<Step<'py>> {
    let py = coroutine.py();
    let none = py.None();
    let value = value.map_or(none.as_ptr(), Bound::as_ptr);
    let mut result = std::ptr::null_mut();
    // SAFETY: both pointers are borrowed from live references; `result` receives a new reference unless it fails.
    let outcome = unsafe { ffi::PyIter_Send(coroutine.as_ptr(), value, &raw mut result) };
    match outcome {
        // SAFETY: the call succeeded, `result` is ours.
        ffi::PySendResult::PYGEN_NEXT => Ok(Step::Yield(unsafe { Bound::from_owned_ptr(py, result) })),
        // SAFETY: as above.
        ffi::PySendResult::PYGEN_RETURN => Ok(Step::Return(unsafe { Bound::from_owned_ptr(py, result) })),
        ffi::PySendResult::PYGEN_ERROR => Err(PyErr::fetch(py)),
    }
}

static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();

pub(crate) fn register(py: Python<'_>) -> PyResult<()> {
    CLASS.get_or_try_init(py, || awaitable::class::<Receive>(py, c"penstock._engine.ReceiveStep", am_send)).map(drop)
}

/// # Safety
/// Called by the interpreter with an instance of `ReceiveStep`, a value, and room for the result.
unsafe extern "C" fn am_send(
    this: *mut ffi::PyObject,
    value: *mut ffi::PyObject,
    result: *mut *mut ffi::PyObject,
) -> c_int {
    // SAFETY: the interpreter holds its lock while it calls.
    let py = unsafe { Python::assume_attached() };
    // SAFETY: borrowed references from the interpreter, of the type the slot belongs to.
    let (this, value) = unsafe {
        (Bound::from_borrowed_ptr(py, this).cast_into_unchecked::<Receive>(), Bound::from_borrowed_ptr(py, value))
    };
    let (object, outcome) = match this.get().step(py, Some(&value)) {
        Ok(Step::Yield(object)) => (object.into_ptr(), ffi::PySendResult::PYGEN_NEXT),
        Ok(Step::Return(object)) => (object.into_ptr(), ffi::PySendResult::PYGEN_RETURN),
        Err(error) => {
            error.restore(py);
            (std::ptr::null_mut(), ffi::PySendResult::PYGEN_ERROR)
        }
    };
    // SAFETY: the interpreter gave room for one pointer.
    unsafe { *result = object };
    outcome as c_int
}
