//! The awaitable of what is done already: one object for all, nothing to allocate.

use crate::awaitable;
use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use std::ffi::c_int;

/// Awaiting it gives `None` at once. It is a coroutine to asyncio, so that `create_task` takes it too.
#[pyclass(subclass, frozen, module = "penstock._engine")]
pub(crate) struct Done;

#[pymethods]
impl Done {
    #[new]
    fn new() -> Self {
        Self
    }

    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    #[expect(clippy::unused_self, reason = "the iterator protocol")]
    fn __next__(&self) -> Option<Py<PyAny>> {
        None
    }

    #[expect(clippy::unused_self, reason = "the coroutine protocol")]
    fn send(&self, _value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        Err(PyStopIteration::new_err(()))
    }

    #[pyo3(signature = (kind, value=None, traceback=None))]
    #[expect(clippy::unused_self, reason = "the coroutine protocol")]
    fn throw(
        &self,
        kind: Bound<'_, PyAny>,
        value: Option<Bound<'_, PyAny>>,
        traceback: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        drop(traceback);
        Err(PyErr::from_value(value.unwrap_or(kind)))
    }

    #[expect(clippy::unused_self, reason = "the coroutine protocol")]
    fn close(&self) {}
}

/// The one object.
pub(crate) fn done(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static DONE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let make = || awaitable::class::<Done>(py, c"penstock._engine.DoneStep", am_send)?.call0(py);
    Ok(DONE.get_or_try_init(py, make)?.bind(py).clone())
}

/// # Safety
/// Called by the interpreter, with room for the result.
unsafe extern "C" fn am_send(_: *mut ffi::PyObject, _: *mut ffi::PyObject, result: *mut *mut ffi::PyObject) -> c_int {
    // SAFETY: `None` is always there, and the interpreter gave room for one pointer.
    unsafe {
        ffi::Py_INCREF(ffi::Py_None());
        *result = ffi::Py_None();
    }
    ffi::PySendResult::PYGEN_RETURN as c_int
}
