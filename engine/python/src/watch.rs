//! Functions of the program that see the messages of a call pass by.

use crate::codec::{call_with_one, usage_error};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyList;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Who watches one direction of a call. Most calls have nobody: then a message costs one look.
#[derive(Default)]
pub(crate) struct Watchers {
    functions: OnceLock<Py<PyList>>,
    /// One of them raised; Python asks, because then it was not the message that could not be decoded.
    pub(crate) failed: AtomicBool,
}

impl Watchers {
    pub(crate) fn add(&self, function: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = function.py();
        if !function.is_callable() {
            return Err(usage_error(py, &format!("what watches is a function of one message, not {function:?}")));
        }
        if is_coroutine_function(function)? {
            let text = format!("what watches is a plain function, and nobody would await {function:?}");
            return Err(usage_error(py, &text));
        }
        let functions = self.functions.get_or_init(|| PyList::empty(py).unbind());
        functions.bind(py).append(function)
    }

    /// They hold what the program put into them, often the call itself.
    pub(crate) fn forget(&self, py: Python<'_>) -> PyResult<()> {
        let Some(functions) = self.functions.get().map(|functions| functions.bind(py)) else { return Ok(()) };
        functions.del_slice(0, functions.len())
    }

    pub(crate) fn are_there(&self) -> bool {
        self.functions.get().is_some()
    }

    /// Calls each with the message, in the order they came; the first that raises is the last.
    pub(crate) fn tell(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        let Some(functions) = self.functions.get() else { return Ok(()) };
        for function in functions.bind(message.py()) {
            if let Err(error) = call_with_one(&function, message) {
                self.failed.store(true, Relaxed);
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.functions.get().map_or(Ok(()), |functions| visit.call(functions))
    }
}

/// Or an object that is called as one.
fn is_coroutine_function(function: &Bound<'_, PyAny>) -> PyResult<bool> {
    let py = function.py();
    let test = py.import("inspect")?.getattr("iscoroutinefunction")?;
    let when_called = function.get_type().getattr("__call__")?;
    Ok(test.call1((function,))?.is_truthy()? || test.call1((when_called,))?.is_truthy()?)
}
