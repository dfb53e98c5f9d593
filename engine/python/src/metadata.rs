//! Metadata as Python sees it: a list of `(key, str | bytes)`.

use crate::codec::{too_large, usage_error};
use penstock_core::wire::metadata::{MetadataError, Pairs, Value};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple, PyType};

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
            let Ok(text) = value.extract::<String>() else {
                return Err(to_error(pair.py(), &MetadataError::Kind(key)));
            };
            if !value.is_exact_instance_of::<PyString>() && value.is_instance(foreign_text(pair.py())?)? {
                let latin = text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect();
                return Ok((key, Value::Foreign(latin)));
            }
            Ok((key, Value::Text(text)))
        })
        .collect()
}

/// The class of text that only HTTP allows.
fn foreign_text(py: Python<'_>) -> PyResult<&Bound<'_, PyType>> {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    CLASS.import(py, "penstock.metadata", "ForeignText")
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
    let mut before: Option<(&str, &Value, Bound<'_, PyTuple>)> = None;
    for (key, value) in &pairs {
        if let Some((last_key, last_value, tuple)) = &before
            && (*last_key, *last_value) == (key, value)
        {
            // On the wire a field that is repeated is one byte: it must not become a hundred here.
            list.append(tuple)?;
            continue;
        }
        let made = match value {
            Value::Text(text) => PyString::new(py, text).into_any(),
            Value::Foreign(bytes) => {
                let latin: String = bytes.iter().copied().map(char::from).collect();
                foreign_text(py)?.call1((latin,))?
            }
            Value::Binary(bytes) => PyBytes::new(py, bytes).into_any(),
        };
        let tuple = PyTuple::new(py, [PyString::new(py, key).into_any(), made])?;
        list.append(&tuple)?;
        before = Some((key, value, tuple));
    }
    Ok(Some(list))
}
