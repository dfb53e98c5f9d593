//! A message that was compressed for one call.

use bytes::Bytes;
use pyo3::prelude::*;

/// What Python keeps of it while it waits for room.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Compressed {
    payload: Bytes,
}

impl Compressed {
    pub(crate) fn new(payload: Bytes) -> Self {
        Self { payload }
    }

    pub(crate) fn payload(&self) -> &Bytes {
        &self.payload
    }
}
