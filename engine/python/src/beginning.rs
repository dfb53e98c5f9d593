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
    attributes.set_item(call_soon, Py::new(py, Taking { event_loop: event_loop.clone().unbind() })?)?;
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
}

#[pymethods]
impl Taking {
    #[pyo3(signature = (callback, *arguments, context=None))]
    fn __call__<'py>(
        &self,
        py: Python<'py>,
        callback: &Bound<'py, PyAny>,
        arguments: &Bound<'py, PyTuple>,
        context: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let event_loop = self.event_loop.bind(py);
        if arguments.is_empty() && is_step(callback) {
            let context = context.map_or_else(|| steps::current_context(py), |context| Ok(context.clone().unbind()))?;
            let callback = callback.clone().unbind();
            let step = Step { event_loop: event_loop.clone().unbind(), callback, argument: None, context };
            return steps::run_soon(py, step).map(|()| None);
        }
        // Of a finalizer, which may run at any time.
        let arguments = [&[event_loop.clone(), callback.clone()][..], &arguments.iter().collect::<Vec<_>>()].concat();
        let keywords = PyDict::new(py);
        keywords.set_item(intern!(py, "context"), context)?;
        let call_soon = event_loop.get_type().getattr(intern!(py, "call_soon"))?;
        call_soon.call(PyTuple::new(py, arguments)?, Some(&keywords)).map(Some)
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
