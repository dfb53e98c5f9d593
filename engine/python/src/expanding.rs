//! What a stream does with messages that came compressed.

use crate::expansion::{Begun, excess};
use crate::paths::{Found, REPORT_BYTES};
use crate::shared::Link;
use crate::stream::{StreamBase, lock};
use penstock_core::Side;
use penstock_core::wire::coding::Coding;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use std::sync::atomic::Ordering::Relaxed;

/// A server has so much native expanding of what is far more than came before Python looks at it.
const OVERLOOKED_BYTES: usize = 1 << 20;

impl StreamBase {
    /// What this client's messages became is too much to go on without a look at it.
    pub(crate) fn is_excessive(&self) -> bool {
        let excess = |link: &Link| link.shared.excess.load(Relaxed);
        self.peer_coding.load(Relaxed) != 0 && self.link.get().is_some_and(|link| excess(link) >= OVERLOOKED_BYTES)
    }

    /// A message has to be expanded further before it can be taken.
    pub(crate) fn is_expanding(&self) -> bool {
        lock(&self.batch).expansion.as_ref().is_some_and(|expansion| !expansion.is_whole())
    }

    /// What is wrong with it is told by the next take.
    pub(crate) fn expand_on(&self, py: Python<'_>, steps: usize) -> PyResult<()> {
        let Some(mut expansion) = lock(&self.batch).expansion.take() else { return Ok(()) };
        self.look_next();
        let before = expansion.excess();
        let bytes = match expansion.go_on(py, steps) {
            Ok(()) => {
                self.count_excess(expansion.excess() - before);
                let bytes = expansion.bytes();
                lock(&self.batch).expansion = Some(expansion);
                bytes
            }
            Err(error) => {
                lock(&self.batch).failure = Some(error.into_value(py));
                0
            }
        };
        self.tell_of_expanded(py, bytes)
    }

    pub(crate) fn take_compressed<'py>(&self, bytes: Bound<'py, PyBytes>, coding: Coding) -> PyResult<Found<'py>> {
        let py = bytes.py();
        self.last_expanded.store(true, Relaxed);
        self.look_next();
        let wire_bytes = bytes.as_bytes().len();
        match self.codec.get().expand(bytes, coding) {
            Ok(Begun::Whole(bytes)) => {
                self.count_excess(excess(wire_bytes, bytes.as_bytes().len()));
                self.report_due(py, REPORT_BYTES)?;
                self.give(bytes)
            }
            Ok(Begun::Part(expansion)) => {
                let bytes = expansion.bytes();
                self.count_excess(expansion.excess());
                lock(&self.batch).expansion = Some(expansion);
                self.tell_of_expanded(py, bytes)?;
                Ok(Found::Nothing)
            }
            Err(error) => {
                self.report_due(py, REPORT_BYTES)?;
                Err(error)
            }
        }
    }

    /// The message that was expanded step by step, if it is whole.
    pub(crate) fn take_expanded<'py>(&self, py: Python<'py>) -> PyResult<Found<'py>> {
        let whole = {
            let mut batch = lock(&self.batch);
            let whole = batch.expansion.as_mut().and_then(|expansion| expansion.whole(py));
            batch.expansion.take_if(|_| whole.is_some());
            whole
        };
        let Some(bytes) = whole else { return Ok(Found::Nothing) };
        self.look_next();
        self.tell_of_expanded(py, 0)?;
        self.report_due(py, REPORT_BYTES)?;
        self.give(bytes)
    }

    /// A client's own server may send it what it likes.
    fn count_excess(&self, bytes: usize) {
        if bytes > 0
            && let Some(link) = self.link.get()
            && link.shared.with(|core| core.side()) == Side::Server
        {
            link.shared.excess.fetch_add(bytes, Relaxed);
        }
    }

    /// What it has become counts as held.
    fn tell_of_expanded(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        let Some(link) = self.link.get() else { return Ok(()) };
        let has_news = link.shared.with(|core| core.expanded(link.id, bytes));
        if has_news { link.shared.schedule(py) } else { Ok(()) }
    }
}
