//! Calls that end with their connection: told together, for there may be thousands, and all end in the same way.

use crate::shared::Hooks;
use crate::stream::StreamBase;
use penstock_core::{Cause, Origin, Outcome};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyList;

/// Those of one look at the events that nobody was told of yet.
#[derive(Default)]
pub(crate) struct Lost {
    outcome: Option<Outcome>,
    streams: Vec<Py<StreamBase>>,
}

impl Lost {
    /// The call ended with its connection.
    pub(crate) fn is(outcome: &Outcome) -> bool {
        outcome.origin == Origin::Transport
    }

    /// It ended in the same way as those here, if there are any.
    pub(crate) fn fits(&self, outcome: &Outcome) -> bool {
        self.outcome.as_ref().is_none_or(|kept| kept == outcome)
    }

    pub(crate) fn add(&mut self, stream: Py<StreamBase>, outcome: Outcome) {
        self.outcome = Some(outcome);
        self.streams.push(stream);
    }

    /// Tells of them, in order, and forgets them.
    pub(crate) fn tell(&mut self, py: Python<'_>, hooks: &Hooks) -> PyResult<()> {
        let Some(outcome) = self.outcome.take() else { return Ok(()) };
        let streams = PyList::new(py, std::mem::take(&mut self.streams))?;
        let arguments = (streams, outcome.code, outcome.message, cause(py, outcome.cause), outcome.unprocessed);
        hooks.owner.call_method1(py, intern!(py, "_on_calls_lost"), arguments).map(drop)
    }
}

/// What ended a call, for Python.
pub(crate) fn cause(py: Python<'_>, cause: Cause) -> &Bound<'_, pyo3::types::PyString> {
    match cause {
        Cause::Status => intern!(py, "status"),
        Cause::Reset => intern!(py, "reset"),
        Cause::Broken => intern!(py, "broken"),
        Cause::Limit => intern!(py, "limit"),
        Cause::Lost => intern!(py, "lost"),
    }
}
