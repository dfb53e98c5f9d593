//! How the messages of one method become bytes and back, on one side.

use crate::compressed::Compressed;
use crate::encoded::Encoded;
use crate::expansion::{Begun, Expansion};
use crate::heap;
use bytes::Bytes;
use penstock_core::Payload as CorePayload;
use penstock_core::wire::coding::Coding;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyType};

/// The two directions of one method, seen from one side. Shared by all its calls.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Codec {
    /// What `send` takes; nothing else gets to `encode`.
    #[pyo3(get)]
    send_type: Py<PyType>,
    /// `message -> bytes`, or `None` for raw bytes.
    #[pyo3(get)]
    encode: Option<Py<PyAny>>,
    /// `bytes -> message`, or `None` for raw bytes.
    decode: Option<Py<PyAny>>,
    max_send_bytes: usize,
    /// What a compressed message may be once it is expanded.
    max_receive_bytes: usize,
}

#[pymethods]
impl Codec {
    #[new]
    fn new(
        send_type: Py<PyType>,
        encode: Option<Py<PyAny>>,
        decode: Option<Py<PyAny>>,
        max_send_bytes: usize,
        max_receive_bytes: usize,
    ) -> Self {
        Self { send_type, encode, decode, max_send_bytes, max_receive_bytes }
    }
}

/// A message as bytes.
pub(crate) enum Payload<'py> {
    Bytes(Bound<'py, PyBytes>),
    Encoded(Bound<'py, Encoded>),
    Compressed(Bound<'py, Compressed>),
}

impl Payload<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.as_bytes().len(),
            Self::Encoded(encoded) => encoded.get().len(),
            Self::Compressed(compressed) => compressed.get().payload().len(),
        }
    }
}

impl<'py> Payload<'py> {
    /// What Python keeps of it while it waits for room.
    pub(crate) fn into_object(self) -> Bound<'py, PyAny> {
        match self {
            Self::Bytes(bytes) => bytes.into_any(),
            Self::Encoded(encoded) => encoded.into_any(),
            Self::Compressed(compressed) => compressed.into_any(),
        }
    }

    pub(crate) fn from_object(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.clone()));
        }
        match object.cast::<Compressed>() {
            Ok(compressed) => Ok(Self::Compressed(compressed.clone())),
            Err(_) => Ok(Self::Encoded(object.cast::<Encoded>()?.clone())),
        }
    }

    /// The same, compressed. What is encoded once is compressed once.
    pub(crate) fn compressed(self, coding: Coding) -> PyResult<Self> {
        let (py, payload) = match &self {
            Self::Bytes(bytes) => (bytes.py(), Bytes::from(coding.compress(bytes.as_bytes()))),
            Self::Encoded(encoded) => (encoded.py(), encoded.get().compressed(coding).clone()),
            Self::Compressed(_) => return Ok(self),
        };
        Bound::new(py, Compressed::new(payload)).map(Self::Compressed)
    }

    pub(crate) fn for_core<T>(&self, push: impl Fn(&CorePayload<'_>) -> T) -> T {
        match self {
            Self::Bytes(bytes) if CorePayload::is_large(bytes.as_bytes().len()) => {
                heap::expect(bytes.as_bytes().len());
                push(&CorePayload::Shared(Bytes::from_owner(PyBackedBytes::from(bytes.clone()))))
            }
            Self::Bytes(bytes) => push(&CorePayload::Borrowed(bytes.as_bytes())),
            Self::Encoded(encoded) if CorePayload::is_large(encoded.get().len()) => {
                push(&CorePayload::Shared(encoded.get().payload().clone()))
            }
            Self::Encoded(encoded) => push(&CorePayload::Borrowed(encoded.get().payload())),
            Self::Compressed(compressed) => push(&CorePayload::Compressed(compressed.get().payload().clone())),
        }
    }
}

impl Codec {
    /// Checks type and size and encodes.
    pub(crate) fn encode<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Payload<'py>> {
        let py = message.py();
        let payload = if message.get_type().as_ptr() == self.send_type.as_ptr() {
            self.encode_checked(message)?
        } else if let Ok(encoded) = message.cast::<Encoded>() {
            self.check_encoded(encoded)?;
            Payload::Encoded(encoded.clone())
        } else if message.is_instance(self.send_type.bind(py))? {
            self.encode_checked(message)?
        } else {
            return Err(self.wrong_type(&message.get_type()));
        };
        if payload.len() > self.max_send_bytes {
            return Err(self.too_large(py, payload.len()));
        }
        Ok(payload)
    }

    pub(crate) fn decode<'py>(&self, bytes: Bound<'py, PyBytes>) -> PyResult<Bound<'py, PyAny>> {
        match &self.decode {
            None => Ok(bytes.into_any()),
            Some(decode) => call_with_one(decode.bind(bytes.py()), bytes.as_any()),
        }
    }

    /// Undoes the compression of a received message, as far as may be done at once.
    pub(crate) fn expand<'py>(&self, bytes: Bound<'py, PyBytes>, coding: Coding) -> PyResult<Begun<'py>> {
        Expansion::begin(bytes, coding, self.max_receive_bytes)
    }

    fn encode_checked<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Payload<'py>> {
        let bytes = match &self.encode {
            None => message.clone(),
            Some(encode) => call_with_one(encode.bind(message.py()), message)?,
        };
        Ok(Payload::Bytes(bytes.cast_into::<PyBytes>()?))
    }

    fn check_encoded(&self, encoded: &Bound<'_, Encoded>) -> PyResult<()> {
        let kind = encoded.get().message_type(encoded.py());
        if kind.is_subclass(self.send_type.bind(encoded.py()))? { Ok(()) } else { Err(self.wrong_type(&kind)) }
    }

    fn wrong_type(&self, kind: &Bound<'_, PyType>) -> PyErr {
        let py = kind.py();
        let name = |kind: &Bound<'_, PyType>| kind.name().map_or_else(|_| "?".to_owned(), |name| name.to_string());
        usage_error(py, &format!("this call sends {}, not {}", name(self.send_type.bind(py)), name(kind)))
    }

    fn too_large(&self, py: Python<'_>, length: usize) -> PyErr {
        let limit = self.max_send_bytes;
        let text = format!("message of {length} bytes exceeds max_send_message_bytes={limit}");
        too_large(py, &text)
    }
}

/// RESOURCE_EXHAUSTED: a limit of this side, or of the peer.
pub(crate) fn too_large(py: Python<'_>, text: &str) -> PyErr {
    error_of(py, "message_too_large", text)
}

pub(crate) fn usage_error(py: Python<'_>, text: &str) -> PyErr {
    error_of(py, "UsageError", text)
}

/// Errors are Python's: the classes and makers of `penstock.errors`.
fn error_of(py: Python<'_>, maker: &str, text: &str) -> PyErr {
    let made = py.import("penstock.errors").and_then(|errors| errors.getattr(maker)?.call1((text,)));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// One positional argument, without a tuple around it.
pub(crate) fn call_with_one<'py>(
    callable: &Bound<'py, PyAny>,
    argument: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: both are borrowed references held by their `Bound`s; a null pointer ends the list of arguments.
    unsafe {
        let end = std::ptr::null_mut::<ffi::PyObject>();
        let result = ffi::PyObject_CallFunctionObjArgs(callable.as_ptr(), argument.as_ptr(), end);
        Bound::from_owned_ptr_or_err(callable.py(), result)
    }
}
