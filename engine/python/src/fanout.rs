//! Messages for many streams, in one crossing into the engine. Nothing here waits.

use crate::encoded::Encoded;
use crate::stream::StreamBase;
use penstock_core::Pushed;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// Queues `encoded` on each stream; returns those that had no room or are over.
#[pyfunction]
pub(crate) fn broadcast<'py>(
    streams: &Bound<'py, PyAny>,
    encoded: &Bound<'py, Encoded>,
) -> PyResult<Bound<'py, PyList>> {
    let left_out = PyList::empty(streams.py());
    for stream in streams.try_iter()? {
        let stream = stream?.cast_into::<StreamBase>()?;
        if !queue(&stream, encoded.as_any())? {
            left_out.append(stream)?;
        }
    }
    Ok(left_out)
}

/// Queues on each stream the message of its pair; returns the streams that had no room, are over, or raised one of
/// `refusals`.
#[pyfunction]
pub(crate) fn send_each<'py>(
    pairs: &Bound<'py, PyAny>,
    refusals: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyList>> {
    let left_out = PyList::empty(pairs.py());
    for pair in pairs.try_iter()? {
        let (stream, message) = pair?.extract::<(Bound<'py, StreamBase>, Bound<'py, PyAny>)>()?;
        let queued = match queue(&stream, &message) {
            Err(error) if error.matches(pairs.py(), refusals)? => false,
            queued => queued?,
        };
        if !queued {
            left_out.append(stream)?;
        }
    }
    Ok(left_out)
}

/// False: there was no room, or the stream is over.
fn queue(stream: &Bound<'_, StreamBase>, message: &Bound<'_, PyAny>) -> PyResult<bool> {
    let base = stream.get();
    base.tell_of_sending(message, false)?;
    let payload = base.encode(message, true)?;
    Ok(base.push(stream.py(), &payload)? == Pushed::Queued)
}
