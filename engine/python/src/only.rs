//! The message of a side that sends exactly one, kept until it is sure that nothing follows.

use crate::paths::Found;
use crate::stream::{StreamBase, lock};
use pyo3::prelude::*;

impl StreamBase {
    pub(crate) fn take_only<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            match self.take(py)? {
                Found::Message(message) => {
                    let earlier = lock(&self.only).replace(message.unbind());
                    if earlier.is_some() {
                        return many(py).map(Some);
                    }
                }
                Found::Nothing => return Ok(None),
                Found::Last => return Ok(lock(&self.only).take().map(|message| message.into_bound(py))),
            }
        }
    }
}

/// What `_take_only` says when there is more than one message.
pub(crate) fn many(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static MANY: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
    let object = || Ok::<_, PyErr>(py.import("builtins")?.getattr("object")?.call0()?.unbind());
    Ok(MANY.get_or_try_init(py, object)?.bind(py).clone())
}
