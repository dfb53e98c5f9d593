//! Memory that crosses the seam without a copy: socket input, socket output, large messages.

use crate::heap;
use bytes::Bytes;
use penstock_core::{Body, Output, Part};
use pyo3::exceptions::PyBufferError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyMemoryView};
use std::cell::UnsafeCell;
use std::os::raw::c_int;
use std::sync::{Mutex, PoisonError};

/// What a socket is read into; one for all connections of a thread.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct ReadBuffer {
    bytes: Box<[UnsafeCell<u8>]>,
}

// SAFETY: the bytes are written by a socket read and read by `Connection.received`, both under the interpreter's lock
// and one after the other on the thread that owns the buffer.
unsafe impl Sync for ReadBuffer {}

#[pymethods]
impl ReadBuffer {
    #[new]
    fn new(size: usize) -> Self {
        Self { bytes: (0..size).map(|_| UnsafeCell::new(0)).collect() }
    }

    fn view<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyMemoryView>> {
        PyMemoryView::from(slf.as_any())
    }

    /// # Safety
    /// Called by the interpreter with a valid view.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().bytes;
        let start = UnsafeCell::raw_get(bytes.as_ptr());
        // SAFETY: the box lives as long as the object, which the view keeps alive; writable, which is what it is for.
        unsafe { fill(&slf, view, start, bytes.len(), false, flags) }
    }
}

impl ReadBuffer {
    /// The first `length` bytes, as long as the caller of [`penstock_core::Connection::feed`] needs them.
    pub(crate) fn filled(slf: &Bound<'_, Self>, length: usize) -> Bytes {
        let bytes = &slf.get().bytes;
        let start = UnsafeCell::raw_get(bytes.as_ptr());
        // SAFETY: `length` is bounded by the buffer; nobody writes while `feed` runs, and `feed` keeps no reference.
        let view = unsafe { std::slice::from_raw_parts(start, length.min(bytes.len())) };
        Bytes::from_owner(Filled { view, _owner: slf.clone().unbind() })
    }
}

struct Filled {
    view: &'static [u8],
    _owner: Py<ReadBuffer>,
}

impl AsRef<[u8]> for Filled {
    fn as_ref(&self) -> &[u8] {
        self.view
    }
}

/// Output on its way to a socket. Its memory is used again when the last view of it is gone.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Chunk {
    bytes: Vec<u8>,
}

/// Output up to this size is handed over as a copy, in a `bytes`.
const COPIED_BYTES: usize = 4 * 1024;
/// Buffers kept for the next output, and the largest worth keeping.
const KEPT_BUFFERS: usize = 8;
const KEPT_CAPACITY: usize = 1 << 20;

static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// An empty buffer, used before if one is at hand: fresh pages cost more than the copy into them.
pub(crate) fn spare() -> Vec<u8> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
}

fn give_back(mut bytes: Vec<u8>) {
    if (COPIED_BYTES..=KEPT_CAPACITY).contains(&bytes.capacity()) {
        let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
        if spare.len() < KEPT_BUFFERS {
            bytes.clear();
            spare.push(bytes);
        }
    }
}

/// What a transport's `write` takes.
pub(crate) fn output(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Bound<'_, PyAny>> {
    if bytes.len() <= COPIED_BYTES {
        let copy = PyBytes::new(py, &bytes);
        give_back(bytes);
        return Ok(copy.into_any());
    }
    let chunk = Bound::new(py, Chunk { bytes })?;
    Ok(PyMemoryView::from(chunk.as_any())?.into_any())
}

/// A large piece of a message on its way to a socket: it is written from where it lies.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Piece {
    bytes: Bytes,
}

/// The same as a list of what `writelines` takes.
pub(crate) fn pieces(py: Python<'_>, output: Output) -> PyResult<Bound<'_, PyList>> {
    let list = PyList::empty(py);
    for part in output.parts() {
        match part {
            Part::Small(bytes) => list.append(PyBytes::new(py, bytes))?,
            Part::Large(bytes) => {
                let piece = Bound::new(py, Piece { bytes: bytes.clone() })?;
                list.append(PyMemoryView::from(piece.as_any())?)?;
            }
        }
    }
    give_back(output.into_bytes());
    Ok(list)
}

#[pymethods]
impl Piece {
    /// # Safety
    /// Called by the interpreter with a valid view.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().bytes;
        // SAFETY: the bytes are never changed, and the view keeps their object alive; read-only.
        unsafe { fill(&slf, view, bytes.as_ptr().cast_mut(), bytes.len(), true, flags) }
    }
}

#[pymethods]
impl Chunk {
    /// # Safety
    /// Called by the interpreter with a valid view.
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        let bytes = &slf.get().bytes;
        // SAFETY: the vector is never changed, and the view keeps its object alive; read-only.
        unsafe { fill(&slf, view, bytes.as_ptr().cast_mut(), bytes.len(), true, flags) }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.bytes));
    }
}

/// # Safety
/// `view` is valid, and `start` points to `length` bytes that live as long as `owner`.
unsafe fn fill<T>(
    owner: &Bound<'_, T>,
    view: *mut ffi::Py_buffer,
    start: *mut u8,
    length: usize,
    read_only: bool,
    flags: c_int,
) -> PyResult<()> {
    let length = isize::try_from(length).map_err(|_| PyBufferError::new_err("too long"))?;
    // SAFETY: promised by the caller.
    let result =
        unsafe { ffi::PyBuffer_FillInfo(view, owner.as_ptr(), start.cast(), length, c_int::from(read_only), flags) };
    if result < 0 { Err(PyErr::fetch(owner.py())) } else { Ok(()) }
}

/// A large message, received into the `bytes` object the application gets.
pub(crate) struct MessageBody {
    object: Py<PyBytes>,
    start: *mut u8,
}

// SAFETY: `start` points into `object`, which nobody else has seen yet; it is filled under the interpreter's lock.
unsafe impl Send for MessageBody {}

impl MessageBody {
    pub(crate) fn into_bytes(self, py: Python<'_>) -> Bound<'_, PyBytes> {
        self.object.into_bound(py)
    }
}

impl Body for MessageBody {
    fn allocate(length: usize) -> Option<Self> {
        heap::expect(length);
        // Only `Connection.received` gets here, and Python called that.
        Python::attach(|py| {
            let size = isize::try_from(length).ok()?;
            // SAFETY: a null source makes a `bytes` of that size with its content left open, or fails.
            let object = unsafe { ffi::PyBytes_FromStringAndSize(std::ptr::null(), size) };
            if object.is_null() {
                let _memory_error = PyErr::take(py);
                return None;
            }
            // SAFETY: it is a new `bytes`, and its content starts where this says.
            let start = unsafe { ffi::PyBytes_AsString(object) }.cast::<u8>();
            // SAFETY: a new reference to an exact `bytes`.
            let object = unsafe { Bound::from_owned_ptr(py, object).cast_into_unchecked::<PyBytes>() };
            Some(Self { object: object.unbind(), start })
        })
    }

    fn fill(&mut self, at: usize, part: &[u8]) {
        // SAFETY: the caller promises `at + part.len() <= length`; nobody else sees the object before it is whole.
        unsafe { std::ptr::copy_nonoverlapping(part.as_ptr(), self.start.add(at), part.len()) };
    }
}
