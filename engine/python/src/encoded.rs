//! A message encoded once, for many streams.

use bytes::Bytes;
use penstock_core::wire::coding::Coding;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyType};
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
