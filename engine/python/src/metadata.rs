//! Metadata as Python sees it: a list of `(key, str | bytes)`.

use penstock_core::wire::metadata::{Pairs, Value};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

/// Reads `[(key, str | bytes), ...]`; `None` is nothing.
pub(crate) fn from_python(pairs: Option<&Bound<'_, PyList>>) -> PyResult<Pairs> {
    let Some(pairs) = pairs else { return Ok(Pairs::new()) };
    pairs
        .iter()
        .map(|pair| {
            let (key, value): (String, Bound<'_, PyAny>) = pair.extract()?;
            let value = match value.cast::<PyBytes>() {
                Ok(bytes) => Value::Binary(bytes.as_bytes().to_vec()),
                Err(_) => Value::Text(value.extract()?),
            };
            Ok((key, value))
        })
        .collect()
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
