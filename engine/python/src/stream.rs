//! The base class of every stream: the paths taken once per message, without a Python frame.

use crate::buffers::MessageBody;
use crate::codec::{Codec, Payload};
use crate::encoded::Encoded;
use crate::metadata;
use crate::receive::Receive;
use crate::shared::Shared;
use bytes::{Buf, Bytes};
use penstock_core::wire::prefix::PREFIX_BYTES;
use penstock_core::{Item, Payload as CorePayload, Pushed, Reason, Received, Reply};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Taken bytes are reported to the core in steps of this, or when a batch is empty.
const REPORT_BYTES: usize = 16 * 1024;

/// Messages taken from the core and not yet by the application.
#[derive(Default)]
struct Batch {
    packed: Bytes,
    rest: VecDeque<Item<MessageBody>>,
    /// Bytes the application took that the core does not know of.
    unreported: usize,
    /// The peer half-closed, or the call is over: nothing will come after this.
    last: bool,
}

/// What a look into the inbox found.
enum Found<'py> {
    Message(Bound<'py, PyAny>),
    Nothing,
    Last,
}

/// What becomes of a receive at its first step.
pub(crate) enum Tried<'py> {
    Message(Bound<'py, PyAny>),
    /// The time slice is spent: let others run first.
    Yield,
    Wait,
}

struct Link {
    shared: Arc<Shared>,
    id: u32,
}

/// The native half of a stream.
#[pyclass(subclass, frozen, weakref, generic, module = "penstock._engine")]
pub(crate) struct StreamBase {
    codec: Py<Codec>,
    link: OnceLock<Link>,
    batch: Mutex<Batch>,
    step: Mutex<Option<Py<Receive>>>,
    /// A receive is waiting.
    receiving: AtomicBool,
    /// The call is over, or its sending side is.
    closed: AtomicBool,
    /// The newest message was sent with `merge`.
    mergeable: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[pymethods]
impl StreamBase {
    #[new]
    #[pyo3(signature = (codec, *_args, **_kwargs))]
    fn new(codec: Py<Codec>, _args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            codec,
            link: OnceLock::new(),
            batch: Mutex::default(),
            step: Mutex::default(),
            receiving: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            mergeable: AtomicBool::new(false),
        }
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Receive>> {
        let py = slf.py();
        let kept = lock(&slf.get().step).take();
        let step = match kept {
            // Nobody else holds it, so the step before this one is over: no need to allocate one per message.
            Some(step) if reference_count(&step) == 1 && step.get().is_fresh() => step.into_bound(py),
            _ => Receive::make(slf, true)?,
        };
        // What stood there is dropped outside of the lock: it may run Python code.
        let _older = lock(&slf.get().step).replace(step.clone().unbind());
        Ok(step)
    }

    fn receive<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Receive>> {
        Receive::make(slf, false)
    }

    #[pyo3(signature = (message, *, merge=None))]
    fn send<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
        merge: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, stream) = (slf.py(), slf.get());
        if let Some(merge) = merge {
            return slf.call_method1(intern!(py, "_send_merging"), (message, merge));
        }
        let payload = stream.codec.get().encode(message)?;
        if stream.push(py, &payload)? != Pushed::Queued {
            return slf.call_method1(intern!(py, "_send_waiting"), (payload.into_object(),));
        }
        if stream.slice_is_spent() {
            return slf.call_method0(intern!(py, "_yield"));
        }
        done(py)
    }

    /// Encodes, for the slow paths.
    fn _encode<'py>(&self, message: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.codec.get().encode(message).map(Payload::into_object)
    }

    /// Queues what `_encode` gave. 0: queued, 1: no room, 2: the sending side is closed.
    fn _push(&self, py: Python<'_>, payload: &Bound<'_, PyAny>) -> PyResult<u8> {
        Ok(match self.push(py, &Payload::from_object(payload)?)? {
            Pushed::Queued => 0,
            Pushed::Full => 1,
            Pushed::Gone => 2,
        })
    }

    /// The message pushed last may be replaced by one it was merged into.
    fn _mark_mergeable(&self) {
        self.mergeable.store(true, Relaxed);
    }

    /// False: the newest message has begun to leave, or was not sent with `merge`.
    fn _replace_newest(&self, payload: &Bound<'_, PyAny>) -> PyResult<bool> {
        if !self.mergeable.load(Relaxed) {
            return Ok(false);
        }
        let payload = Payload::from_object(payload)?;
        let Some(link) = self.link.get() else { return Ok(false) };
        Ok(payload.for_core(|core_payload| link.shared.with(|core| core.replace_newest(link.id, core_payload))))
    }

    /// False: there is no need to wait, the call is over.
    fn _await_room(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(link) = self.link.get() else { return Ok(false) };
        let waits = link.shared.with(|core| core.await_room(link.id));
        link.shared.schedule(py)?;
        Ok(waits)
    }

    /// A message, or `None`: nothing is there (`_is_last`: and nothing will be).
    fn _take<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(match self.take(py)? {
            Found::Message(message) => Some(message),
            Found::Nothing | Found::Last => None,
        })
    }

    fn _take_many<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let messages = PyList::empty(py);
        while messages.len() < most
            && let Found::Message(message) = self.take(py)?
        {
            messages.append(message)?;
        }
        Ok(messages)
    }

    #[getter]
    fn _is_last(&self) -> bool {
        lock(&self.batch).last
    }

    /// True: there is no need to wait.
    fn _await_message(&self, py: Python<'_>) -> PyResult<bool> {
        let Some(link) = self.link.get() else { return Ok(true) };
        let ready = link.shared.with(|core| core.await_message(link.id));
        link.shared.schedule_if_needed(py)?;
        Ok(ready)
    }

    #[getter]
    fn _receiving(&self) -> bool {
        self.receiving.load(Relaxed)
    }

    #[setter(_receiving)]
    fn set_receiving(&self, receiving: bool) {
        self.receiving.store(receiving, Relaxed);
    }

    /// Client: half-closes after what is queued.
    fn _half_close(&self, py: Python<'_>) -> PyResult<()> {
        self.closed.store(true, Relaxed);
        let Some(link) = self.link.get() else { return Ok(()) };
        link.shared.with(|core| core.half_close(link.id));
        link.shared.schedule(py)
    }

    /// Server: sends initial metadata. False: it was sent.
    fn _respond(&self, py: Python<'_>, pairs: Option<&Bound<'_, PyList>>) -> PyResult<bool> {
        let pairs = metadata::from_python(pairs)?;
        let Some(link) = self.link.get() else { return Ok(false) };
        let sent = link.shared.with(|core| core.respond(link.id, &pairs));
        link.shared.schedule(py)?;
        sent.map_err(|error| crate::codec::usage_error(py, &error.to_string()))
    }

    /// Server: ends the call with a status, after what is queued or (`discard`) without it.
    #[pyo3(signature = (code, message, details, trailers, discard, /))]
    fn _finish(
        &self,
        py: Python<'_>,
        code: u8,
        message: &str,
        details: Option<&[u8]>,
        trailers: Option<&Bound<'_, PyList>>,
        discard: bool,
    ) -> PyResult<()> {
        let details = details.unwrap_or_default().to_vec();
        let reply = Reply { code, message: message.to_owned(), details, trailers: metadata::from_python(trailers)? };
        let Some(link) = self.link.get() else { return Ok(()) };
        let finished = link.shared.with(|core| core.finish(link.id, &reply, discard));
        finished.map_err(|error| crate::codec::usage_error(py, &error.to_string()))?;
        self.closed.store(true, Relaxed);
        link.shared.schedule(py)
    }

    /// Ends the call here and towards the peer, with RST_STREAM. Messages nobody took are dropped.
    fn _reset(&self, py: Python<'_>, reason: u32) -> PyResult<()> {
        self.end(Vec::new());
        *lock(&self.batch) = Batch { last: true, ..Batch::default() };
        let Some(link) = self.link.get() else { return Ok(()) };
        link.shared.with(|core| core.reset(link.id, Reason::from(reason)));
        drop(link.shared.remove_stream(link.id));
        link.shared.schedule(py)
    }

    /// HTTP/2 stream id; 0 before the call is on the wire.
    #[getter]
    fn _id(&self) -> u32 {
        self.link.get().map_or(0, |link| link.id)
    }

    /// Bytes queued for sending.
    #[getter]
    fn _queued_bytes(&self) -> usize {
        self.link.get().map_or(0, |link| link.shared.with(|core| core.queued(link.id)))
    }

    /// Bytes received and not taken.
    #[getter]
    fn _held_bytes(&self) -> usize {
        self.link.get().map_or(0, |link| link.shared.with(|core| core.held(link.id)))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.codec)?;
        match self.step.try_lock() {
            Ok(step) => visit.call(&*step),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let step = lock(&self.step).take();
        drop(step);
    }
}

impl StreamBase {
    pub(crate) fn codec(&self) -> &Codec {
        self.codec.get()
    }

    pub(crate) fn link(&self, shared: Arc<Shared>, id: u32) {
        // A stream carries one call in its life; Python's side sees to that.
        let _linked_before = self.link.set(Link { shared, id });
    }

    pub(crate) fn push(&self, py: Python<'_>, payload: &Payload<'_>) -> PyResult<Pushed> {
        let Some(link) = self.link.get().filter(|_| !self.closed.load(Relaxed)) else { return Ok(Pushed::Gone) };
        let pushed = payload.for_core(|core_payload| link.shared.with(|core| core.push(link.id, core_payload)));
        if pushed == Pushed::Queued {
            self.mergeable.store(false, Relaxed);
            link.shared.schedule(py)?;
        }
        Ok(pushed)
    }

    /// What a receive finds that need not wait.
    pub(crate) fn try_receive<'py>(&self, py: Python<'py>) -> PyResult<Tried<'py>> {
        if self.receiving.load(Relaxed) {
            return Ok(Tried::Wait);
        }
        if self.slice_is_spent() {
            return Ok(Tried::Yield);
        }
        Ok(match self.take(py)? {
            Found::Message(message) => Tried::Message(message),
            Found::Nothing | Found::Last => Tried::Wait,
        })
    }

    /// The call is over; `untaken` are its last messages.
    pub(crate) fn end(&self, untaken: Vec<Item<MessageBody>>) {
        self.closed.store(true, Relaxed);
        lock(&self.batch).rest.extend(untaken);
    }

    fn slice_is_spent(&self) -> bool {
        self.link.get().is_some_and(|link| link.shared.slice.is_spent())
    }

    fn take<'py>(&self, py: Python<'py>) -> PyResult<Found<'py>> {
        let found = {
            let mut batch = lock(&self.batch);
            loop {
                if let Some(message) = batch.cut(py) {
                    break Ok(message);
                }
                if let Err(found) = self.refill(&mut batch) {
                    break Err(found);
                }
            }
        };
        match found {
            Ok(bytes) => {
                self.report(py, REPORT_BYTES)?;
                self.codec.get().decode(bytes).map(Found::Message)
            }
            Err(last) => {
                self.report(py, 1)?;
                Ok(if last { Found::Last } else { Found::Nothing })
            }
        }
    }

    /// Gets the next messages from the core. `Err(last)`: there are none, or never again.
    fn refill(&self, batch: &mut Batch) -> Result<(), bool> {
        if let Some(item) = batch.rest.pop_front() {
            batch.load(item);
            return Ok(());
        }
        if batch.last {
            return Err(true);
        }
        let Some(link) = self.link.get() else { return Err(false) };
        match link.shared.with(|core| core.take(link.id)) {
            Received::Item(item) => {
                batch.load(item);
                Ok(())
            }
            Received::Nothing => Err(false),
            Received::HalfClosed | Received::Gone => {
                batch.last = true;
                Err(true)
            }
        }
    }

    /// Tells the core what was taken, so that the window opens again.
    fn report(&self, py: Python<'_>, least: usize) -> PyResult<()> {
        let bytes = {
            let mut batch = lock(&self.batch);
            if batch.unreported < least {
                return Ok(());
            }
            std::mem::take(&mut batch.unreported)
        };
        let Some(link) = self.link.get() else { return Ok(()) };
        link.shared.with(|core| core.took(link.id, bytes));
        link.shared.schedule_if_needed(py)
    }
}

impl Batch {
    fn load(&mut self, item: Item<MessageBody>) {
        match item {
            Item::Packed(bytes) => self.packed = bytes,
            large @ Item::Large { .. } => self.rest.push_front(large),
        }
    }

    /// Cuts the next message out. Makes a `bytes`, which no garbage collection follows: a lock may be held.
    fn cut<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        if let Some(head) = self.packed.first_chunk::<PREFIX_BYTES>() {
            let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
            let end = PREFIX_BYTES + length;
            let message = PyBytes::new(py, &self.packed[PREFIX_BYTES..end]);
            self.packed.advance(end);
            self.unreported += end;
            return Some(message);
        }
        match self.rest.pop_front() {
            Some(Item::Large { body, length, .. }) => {
                self.unreported += PREFIX_BYTES + length;
                Some(body.into_bytes(py))
            }
            Some(Item::Packed(bytes)) => {
                self.packed = bytes;
                self.cut(py)
            }
            None => None,
        }
    }
}

impl<'py> Payload<'py> {
    /// What Python keeps of it while it waits for room.
    fn into_object(self) -> Bound<'py, PyAny> {
        match self {
            Self::Bytes(bytes) => bytes.into_any(),
            Self::Encoded(encoded) => encoded.into_any(),
        }
    }

    fn from_object(object: &Bound<'py, PyAny>) -> PyResult<Self> {
        match object.cast::<PyBytes>() {
            Ok(bytes) => Ok(Self::Bytes(bytes.clone())),
            Err(_) => Ok(Self::Encoded(object.cast::<Encoded>()?.clone())),
        }
    }

    fn for_core<T>(&self, push: impl Fn(&CorePayload<'_>) -> T) -> T {
        match self {
            Self::Bytes(bytes) if CorePayload::is_large(bytes.as_bytes().len()) => {
                push(&CorePayload::Shared(Bytes::from_owner(PyBackedBytes::from(bytes.clone()))))
            }
            Self::Bytes(bytes) => push(&CorePayload::Borrowed(bytes.as_bytes())),
            Self::Encoded(encoded) if CorePayload::is_large(encoded.get().len()) => {
                push(&CorePayload::Shared(encoded.get().payload().clone()))
            }
            Self::Encoded(encoded) => push(&CorePayload::Borrowed(encoded.get().payload())),
        }
    }
}

fn reference_count<T>(object: &Py<T>) -> isize {
    // SAFETY: the object is alive, we hold a reference.
    unsafe { pyo3::ffi::Py_REFCNT(object.as_ptr()) }
}

fn done(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static DONE: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
    let done = DONE.get_or_try_init(py, || Ok::<_, PyErr>(Py::new(py, crate::done::Done)?.into_any()))?;
    Ok(done.bind(py).clone())
}
