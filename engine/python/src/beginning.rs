//! A task that takes its first step at the end of the read that made it, not in the next turn of the loop.
//!
//! Python 3.12 has eager tasks, which begin before they are made known and in the middle of whatever makes them. Here a
//! task is made as always, by the loop and its task factory, but what it asks the loop to call soon is taken instead.

use crate::steps::{self, Step};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyTuple, PyType};

/// `loop.create_task`; within a read the first step comes at its end.
#[pyfunction]
#[pyo3(signature = (event_loop, coroutine, name, /))]
pub(crate) fn begin_task<'py>(
    event_loop: &Bound<'py, PyAny>,
    coroutine: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = event_loop.py();
    let keywords = PyDict::new(py);
    keywords.set_item(intern!(py, "name"), name)?;
    let create = || event_loop.call_method(intern!(py, "create_task"), (coroutine,), Some(&keywords));
    if !steps::are_gathered() {
        return create();
    }
    let call_soon = intern!(py, "call_soon");
    let attributes = event_loop.getattr(intern!(py, "__dict__")).and_then(|found| Ok(found.cast_into::<PyDict>()?));
    let Ok(attributes) = attributes else { return create() };
    let before = attributes.get_item(call_soon)?;
    let taking = Taking { event_loop: event_loop.clone().unbind(), call_soon: event_loop.getattr(call_soon)?.unbind() };
    attributes.set_item(call_soon, Py::new(py, taking)?)?;
    let task = create();
    match before {
        Some(before) => attributes.set_item(call_soon, before)?,
        None => attributes.del_item(call_soon)?,
    }
    task
}

/// Stands for `loop.call_soon` while a task is made.
#[pyclass(frozen, module = "penstock._engine")]
struct Taking {
    event_loop: Py<PyAny>,
    call_soon: Py<PyAny>,
}

#[pymethods]
impl Taking {
    #[pyo3(signature = (*call, context=None))]
    fn __call__(
        &self,
        py: Python<'_>,
        call: Bound<'_, PyTuple>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<Option<Py<PyAny>>> {
        if call.len() == 1 && is_step(&call.get_item(0)?) {
            let context = context.map_or_else(|| steps::current_context(py), Ok)?;
            let step = Step { event_loop: self.event_loop.clone_ref(py), call: call.unbind(), context };
            return steps::run_soon(py, step).map(|()| None);
        }
        // Of a finalizer, which may run at any time.
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), context)?;
        self.call_soon.call(py, call, Some(&keywords)).map(Some)
    }
}

/// It is how asyncio's tasks ask for their steps.
fn is_step(callback: &Bound<'_, PyAny>) -> bool {
    static KIND: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let (py, kind) = (callback.py(), callback.get_type());
    if let Some(known) = KIND.get(py) {
        return kind.is(known);
    }
    let is_step = kind.name().is_ok_and(|name| name == "TaskStepMethWrapper");
    if is_step {
        let _known = KIND.set(py, kind.unbind());
    }
    is_step
}
