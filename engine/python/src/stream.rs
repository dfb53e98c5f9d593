//! The base class of every stream: the paths taken once per message, without a Python frame.

use crate::batch::Batch;
use crate::birth::Birth;
use crate::codec::{Codec, Payload};
use crate::done::done;
use crate::metadata;
use crate::paths::Found;
use crate::receive::{Receive, reference_count};
use crate::shared::Link;
use crate::tally::Row;
use crate::watch::Watchers;
use penstock_core::wire::coding::Coding;
use penstock_core::{Pushed, Reason, Reply, Tally};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The native half of a stream.
#[pyclass(subclass, frozen, weakref, generic, module = "penstock._engine")]
pub(crate) struct StreamBase {
    pub(crate) codec: Py<Codec>,
    pub(crate) link: OnceLock<Link>,
    birth: Birth,
    pub(crate) batch: Mutex<Batch>,
    /// Kept from one `__anext__` to the next.
    pub(crate) step: Mutex<Option<Py<Receive>>>,
    /// The message `_take_only` found, until it knows that nothing follows.
    pub(crate) only: Mutex<Option<Py<PyAny>>>,
    /// What passed over it, once it is over.
    pub(crate) last_tally: OnceLock<Box<Tally>>,
    /// A receive is waiting.
    pub(crate) receiving: AtomicBool,
    /// The call is over.
    pub(crate) over: AtomicBool,
    /// The call is over, or its sending side is.
    pub(crate) closed: AtomicBool,
    /// The newest message was sent with `merge`.
    pub(crate) mergeable: AtomicBool,
    /// Number of the coding that messages are compressed with; 0 for none.
    pub(crate) coding: AtomicU8,
    /// The message taken last came compressed.
    pub(crate) last_expanded: AtomicBool,
    /// Number of the coding that the peer named; 0 for none.
    pub(crate) peer_coding: AtomicU8,
    /// Who sees each message that is sent, and each that is received.
    pub(crate) sent: Watchers,
    pub(crate) received: Watchers,
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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
            birth: Birth::now(),
            batch: Mutex::default(),
            step: Mutex::default(),
            only: Mutex::default(),
            last_tally: OnceLock::new(),
            receiving: AtomicBool::new(false),
            over: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            mergeable: AtomicBool::new(false),
            coding: AtomicU8::new(0),
            last_expanded: AtomicBool::new(false),
            peer_coding: AtomicU8::new(0),
            sent: Watchers::default(),
            received: Watchers::default(),
        }
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Receive>> {
        if let Some(step) = &*lock(&slf.get().step)
            && reference_count(step) == 1
            && step.get().is_fresh()
        {
            // Nobody else holds it, so the step before this one is over: no need to allocate one per message.
            return Ok(step.bind(slf.py()).clone());
        }
        let step = Receive::make(slf, true)?;
        // Not beyond the end: stream and step would keep each other alive until a garbage collection.
        if !slf.get().over.load(Relaxed) {
            // What stood there is dropped outside of the lock: it may run Python code.
            let _older = lock(&slf.get().step).replace(step.clone().unbind());
        }
        Ok(step)
    }

    fn receive<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, Receive>> {
        Receive::make(slf, false)
    }

    #[pyo3(signature = (message, *, merge=None, compress=true))]
    fn send<'py>(
        slf: &Bound<'py, Self>,
        message: &Bound<'py, PyAny>,
        merge: Option<Bound<'py, PyAny>>,
        compress: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        let (py, stream) = (slf.py(), slf.get());
        stream.tell_of_sending(message, true)?;
        if let Some(merge) = merge {
            return slf.call_method1(intern!(py, "_send_merging"), (message, merge, compress));
        }
        let payload = stream.encode(message, compress)?;
        if stream.push(py, &payload)? != Pushed::Queued {
            return slf.call_method1(intern!(py, "_send_waiting"), (payload.into_object(),));
        }
        if stream.slice_is_spent() {
            return slf.call_method0(intern!(py, "_yield"));
        }
        done(py)
    }

    fn on_send(&self, watcher: &Bound<'_, PyAny>) -> PyResult<()> {
        self.sent.add(watcher)
    }

    fn on_receive(&self, watcher: &Bound<'_, PyAny>) -> PyResult<()> {
        self.received.add(watcher)
    }

    /// Nobody watches any more.
    fn _unwatch(&self, py: Python<'_>) -> PyResult<()> {
        self.sent.forget(py)?;
        self.received.forget(py)
    }

    /// The take that raised last did so because who watches raised. Asking again says no.
    fn _watcher_failed(&self) -> bool {
        self.received.failed.swap(false, Relaxed)
    }

    /// Tells who watches of a message that was encoded before it could be sent.
    fn _tell_of_sending(&self, message: &Bound<'_, PyAny>) -> PyResult<()> {
        self.tell_of_sending(message, true)
    }

    /// Tells who watches, and encodes; `waits`: the message will wait if there is no room.
    fn _accept<'py>(&self, message: &Bound<'py, PyAny>, compress: bool, waits: bool) -> PyResult<Bound<'py, PyAny>> {
        self.tell_of_sending(message, waits)?;
        self.encode(message, compress).map(Payload::into_object)
    }

    /// Encodes, for the slow paths.
    #[pyo3(signature = (message, compress=true))]
    fn _encode<'py>(&self, message: &Bound<'py, PyAny>, compress: bool) -> PyResult<Bound<'py, PyAny>> {
        self.encode(message, compress).map(Payload::into_object)
    }

    /// How messages to the peer are compressed. A client says so before the call begins, a server before it sends
    /// anything; what the client did not offer is as good as `None`. False: it is too late.
    fn _compress_with(&self, name: Option<&str>) -> bool {
        let coding = name.and_then(|name| Coding::named(name.as_bytes()));
        let Some(link) = self.link.get() else {
            self.compress_with(coding);
            return true;
        };
        let (in_time, in_force) = link.shared.with(|core| (core.compress_with(link.id, coding), core.coding(link.id)));
        self.compress_with(in_force);
        in_time
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

    /// What is wrong with a message is told by the next `_take`: those before it are not lost.
    fn _take_many<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        self.take_many(py, most)
    }

    /// The one message of a side that sends one, once it is sure that nothing follows. `None`: not yet, or (`_is_last`)
    /// there is none. `MANY`: there is more than one.
    fn _take_only<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.take_only(py)
    }

    /// A message has to be expanded further, with `_expand_on`, before it can be taken.
    #[getter]
    fn _is_expanding(&self) -> bool {
        self.is_expanding()
    }

    /// Expands it further, in so many steps or 50 us for each. What is wrong with it is told by the next `_take`.
    fn _expand_on(&self, py: Python<'_>, steps: usize) -> PyResult<()> {
        self.expand_on(py, steps)
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

    /// The peer has not half-closed, and the call is not over.
    #[getter]
    fn _peer_may_send(&self) -> bool {
        self.link.get().is_some_and(|link| link.shared.with(|core| core.peer_may_send(link.id)))
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
        sent.map_err(|error| metadata::to_error(py, &error))
    }

    /// Server: sends the one reply and ends the call with OK. False: there was no room; nothing was done.
    fn _reply(
        &self,
        py: Python<'_>,
        message: &Bound<'_, PyAny>,
        trailers: Option<&Bound<'_, PyList>>,
    ) -> PyResult<bool> {
        self.tell_of_sending(message, true)?;
        let payload = self.encode(message, true)?;
        let reply = Reply { trailers: metadata::from_python(trailers)?, ..Reply::default() };
        if self.push(py, &payload)? == Pushed::Full {
            return Ok(false);
        }
        self.finish(py, &reply, false)?;
        Ok(true)
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
        self.finish(py, &reply, discard)
    }

    /// Ends the call here and towards the peer, with RST_STREAM. Messages nobody took are dropped.
    fn _reset(&self, py: Python<'_>, reason: u32) -> PyResult<()> {
        self.end(Vec::new());
        self.drop_untaken();
        let Some(link) = self.link.get() else { return Ok(()) };
        self.keep_tally(link.shared.with(|core| core.reset(link.id, Reason::from(reason))));
        drop(link.shared.remove_stream(link.id));
        link.shared.schedule(py)
    }

    /// Names the call in this process.
    #[getter]
    fn id(&self) -> u64 {
        self.birth.number
    }

    #[getter]
    fn _age_seconds(&self) -> f64 {
        self.birth.age()
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
        self.tally().6
    }

    /// What passed over it: see the stub.
    fn _tally(&self) -> Row {
        self.tally()
    }

    /// The message taken last came compressed.
    #[getter]
    fn _came_compressed(&self) -> bool {
        self.last_expanded.load(Relaxed)
    }

    /// The coding that the peer named.
    #[getter]
    fn _peer_coding(&self) -> Option<&'static str> {
        Coding::numbered(self.peer_coding.load(Relaxed)).map(Coding::name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.codec)?;
        self.sent.traverse(&visit)?;
        self.received.traverse(&visit)?;
        if let Ok(only) = self.only.try_lock() {
            visit.call(&*only)?;
        }
        if let Ok(batch) = self.batch.try_lock() {
            visit.call(&batch.failure)?;
        }
        match self.step.try_lock() {
            Ok(step) => visit.call(&*step),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let step = lock(&self.step).take();
        let only = lock(&self.only).take();
        let failure = lock(&self.batch).failure.take();
        drop((step, only, failure));
    }
}
