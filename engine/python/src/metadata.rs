//! Metadata as Python sees it: a list of `(key, str | bytes)`.

use crate::codec::{too_large, usage_error};
use penstock_core::wire::metadata::{MetadataError, Pairs, Value};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

/// Reads `[(key, str | bytes), ...]`; `None` is nothing.
pub(crate) fn from_python(pairs: Option<&Bound<'_, PyList>>) -> PyResult<Pairs> {
    let Some(pairs) = pairs else { return Ok(Pairs::new()) };
    pairs
        .iter()
        .map(|pair| {
            let (key, value): (String, Bound<'_, PyAny>) = pair.extract()?;
            if let Ok(bytes) = value.cast::<PyBytes>() {
                return Ok((key, Value::Binary(bytes.as_bytes().to_vec())));
            }
            match value.extract() {
                Ok(text) => Ok((key, Value::Text(text))),
                Err(_) => Err(to_error(pair.py(), &MetadataError::Kind(key))),
            }
        })
        .collect()
}

/// What a program hears when its metadata cannot be sent.
pub(crate) fn to_error(py: Python<'_>, error: &MetadataError) -> PyErr {
    match error {
        MetadataError::TooLarge { .. } => too_large(py, &error.to_string()),
        _ => usage_error(py, &error.to_string()),
    }
}

/// `None` when there are no pairs, which is nearly always.
pub(crate) fn to_python(py: Python<'_>, pairs: Pairs) -> PyResult<Option<Bound<'_, PyList>>> {
    if pairs.is_empty() {
        return Ok(None);
    }
    let list = PyList::empty(py);
    for (key, value) in pairs {
        let value = match value {
            Value::Text(text) => PyString::new(py, &text).into_any(),
            Value::Binary(bytes) => PyBytes::new(py, &bytes).into_any(),
        };
        list.append(PyTuple::new(py, [PyString::new(py, &key).into_any(), value])?)?;
    }
    Ok(Some(list))
}
