//! A message encoded once, for many streams.

use crate::codec::Payload;
use crate::stream::StreamBase;
use bytes::Bytes;
use penstock_core::Pushed;
use penstock_core::wire::coding::Coding;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList, PyType};
use std::sync::OnceLock;

/// The bytes of a message and its type. Every `send` takes it in the place of the message.
#[pyclass(frozen, generic, module = "penstock._engine")]
pub(crate) struct Encoded {
    payload: Bytes,
    gzip: OnceLock<Bytes>,
    deflate: OnceLock<Bytes>,
    message_type: Py<PyType>,
}

#[pymethods]
impl Encoded {
    #[new]
    fn new(payload: Bound<'_, PyBytes>, message_type: Py<PyType>) -> Self {
        let payload = Bytes::from_owner(PyBackedBytes::from(payload));
        Self { payload, gzip: OnceLock::new(), deflate: OnceLock::new(), message_type }
    }

    fn __len__(&self) -> usize {
        self.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.payload)
    }
}

impl Encoded {
    pub(crate) fn len(&self) -> usize {
        self.payload.len()
    }

    pub(crate) fn message_type<'py>(&self, py: Python<'py>) -> Bound<'py, PyType> {
        self.message_type.bind(py).clone()
    }

    pub(crate) fn payload(&self) -> &Bytes {
        &self.payload
    }

    /// The payload in this coding, made when the first stream wants it.
    pub(crate) fn compressed(&self, coding: Coding) -> &Bytes {
        let made = match coding {
            Coding::Gzip => &self.gzip,
            Coding::Deflate => &self.deflate,
        };
        made.get_or_init(|| Bytes::from(coding.compress(&self.payload)))
    }
}

/// Queues `encoded` on each stream, without waiting; returns those that had no room or are over.
#[pyfunction]
pub(crate) fn broadcast<'py>(
    streams: &Bound<'py, PyAny>,
    encoded: &Bound<'py, Encoded>,
) -> PyResult<Bound<'py, PyList>> {
    let left_out = PyList::empty(streams.py());
    let message = encoded.as_any();
    for stream in streams.try_iter()? {
        let stream = stream?.cast_into::<StreamBase>()?;
        let base = stream.get();
        base.tell_of_sending(message, false)?;
        let payload: Payload<'_> = base.encode(message, true)?;
        if base.push(stream.py(), &payload)? != Pushed::Queued {
            left_out.append(stream)?;
        }
    }
    Ok(left_out)
}
