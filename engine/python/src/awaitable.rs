//! Classes of awaitables with slots of C, for what is awaited once per message.

use pyo3::PyTypeInfo;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};
use std::ffi::{CStr, c_int, c_void};

/// Gives what an await evaluates to without raising `StopIteration`.
pub(crate) type Send = unsafe extern "C" fn(*mut ffi::PyObject, *mut ffi::PyObject, *mut *mut ffi::PyObject) -> c_int;

/// Makes a subclass of `Base`, an iterator, with `am_send`, for which pyo3 has no name; and with an `am_await` that is
/// CPython's own for an object that is its own iterator: through pyo3's it costs 10 ns more.
pub(crate) fn class<Base: PyTypeInfo>(py: Python<'_>, name: &'static CStr, am_send: Send) -> PyResult<Py<PyType>> {
    let bases = PyTuple::new(py, [py.get_type::<Base>()])?;
    let mut slots = [
        ffi::PyType_Slot { slot: ffi::Py_am_await, pfunc: ffi::PyObject_SelfIter as *mut c_void },
        ffi::PyType_Slot { slot: ffi::Py_am_send, pfunc: am_send as *mut c_void },
        ffi::PyType_Slot { slot: 0, pfunc: std::ptr::null_mut() },
    ];
    let mut spec = ffi::PyType_Spec {
        name: name.as_ptr(),
        basicsize: 0,
        itemsize: 0,
        flags: u32::try_from(ffi::Py_TPFLAGS_DEFAULT).expect("flags fit"),
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: name and slots outlive the call, the slot list ends with a zero, the size is inherited from the base.
    let class = unsafe { ffi::PyType_FromSpecWithBases(&raw mut spec, bases.as_ptr()) };
    // SAFETY: a new reference or an error.
    let class = unsafe { Bound::from_owned_ptr_or_err(py, class) }?;
    Ok(class.cast_into::<PyType>()?.unbind())
}
