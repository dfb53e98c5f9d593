//! What a stream does for each message, under whatever name Python calls it.

use crate::batch::Batch;
use crate::buffers::MessageBody;
use crate::codec::Payload;
use crate::metadata;
use crate::shared::{Link, Shared};
use crate::stream::{StreamBase, lock};
use penstock_core::wire::coding::Coding;
use penstock_core::{Item, Pushed, Received, Reply};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Taken bytes are reported to the core in steps of this, or when a batch is empty.
pub(crate) const REPORT_BYTES: usize = 16 * 1024;

/// What a look into the inbox found.
pub(crate) enum Found<'py> {
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

impl StreamBase {
    /// Checks, encodes and, where the call has a coding and `compress` does not forbid it, compresses.
    pub(crate) fn encode<'py>(&self, message: &Bound<'py, PyAny>, compress: bool) -> PyResult<Payload<'py>> {
        let payload = self.codec.get().encode(message)?;
        match Coding::numbered(self.coding.load(Relaxed)) {
            Some(coding) if compress => {
                self.look_next();
                payload.compressed(coding)
            }
            _ => Ok(payload),
        }
    }

    /// How messages to the peer are compressed from now on.
    pub(crate) fn compress_with(&self, coding: Option<Coding>) {
        self.coding.store(coding.map_or(0, |coding| coding as u8), Relaxed);
    }

    pub(crate) fn peer_compresses_with(&self, coding: Option<Coding>) {
        self.peer_coding.store(coding.map_or(0, |coding| coding as u8), Relaxed);
    }

    pub(crate) fn link(&self, shared: Arc<Shared>, id: u32) {
        // A stream carries one call in its life; Python's side sees to that.
        let _linked_before = self.link.set(Link { shared, id });
    }

    /// Tells who watches of a message before it is encoded. One for which there is no room is told of if its send waits.
    pub(crate) fn tell_of_sending(&self, message: &Bound<'_, PyAny>, waits: bool) -> PyResult<()> {
        if !self.sent.are_there() || self.closed.load(Relaxed) {
            return Ok(());
        }
        let has_room = |link: &Link| link.shared.with(|core| core.has_room(link.id));
        if waits || self.link.get().is_some_and(has_room) { self.sent.tell(message) } else { Ok(()) }
    }

    pub(crate) fn push(&self, py: Python<'_>, payload: &Payload<'_>) -> PyResult<Pushed> {
        let Some(link) = self.link.get().filter(|_| !self.closed.load(Relaxed)) else { return Ok(Pushed::Gone) };
        link.shared.tell_time_once();
        let pushed = payload.for_core(|core_payload| link.shared.with(|core| core.push(link.id, core_payload)));
        if pushed == Pushed::Queued {
            self.mergeable.store(false, Relaxed);
            link.shared.schedule(py)?;
        }
        Ok(pushed)
    }

    /// Client: sends the one request of a call and half-closes; a receiver waits from here on.
    pub(crate) fn send_only(&self, py: Python<'_>, payload: &Bound<'_, PyAny>) -> PyResult<()> {
        self.push(py, &Payload::from_object(payload)?)?;
        self.closed.store(true, Relaxed);
        let Some(link) = self.link.get() else { return Ok(()) };
        link.shared.with(|core| {
            core.half_close(link.id);
            core.await_message(link.id)
        });
        link.shared.schedule(py)
    }

    pub(crate) fn finish(&self, py: Python<'_>, reply: &Reply, discard: bool) -> PyResult<()> {
        let Some(link) = self.link.get() else { return Ok(()) };
        let finished = link.shared.with(|core| core.finish(link.id, reply, discard));
        finished.map_err(|error| metadata::to_error(py, &error))?;
        self.closed.store(true, Relaxed);
        if discard {
            self.drop_untaken();
        }
        link.shared.schedule(py)
    }

    /// Messages nobody took are not wanted any more.
    pub(crate) fn drop_untaken(&self) {
        let untaken = lock(&self.batch).drop_all();
        drop(untaken);
    }

    /// What a receive finds that need not wait.
    pub(crate) fn try_receive<'py>(&self, py: Python<'py>) -> PyResult<Tried<'py>> {
        if self.receiving.load(Relaxed) {
            return Ok(Tried::Wait);
        }
        if self.slice_is_spent() {
            return Ok(Tried::Yield);
        }
        if self.is_excessive() {
            return Ok(Tried::Wait);
        }
        Ok(match self.take(py)? {
            Found::Message(message) => Tried::Message(message),
            Found::Nothing | Found::Last => Tried::Wait,
        })
    }

    /// The call is over; `untaken` are its last messages.
    pub(crate) fn end(&self, untaken: Vec<Item<MessageBody>>) {
        self.closed.store(true, Relaxed);
        self.over.store(true, Relaxed);
        lock(&self.batch).append(untaken);
        let step = lock(&self.step).take();
        drop(step);
    }

    pub(crate) fn slice_is_spent(&self) -> bool {
        self.link.get().is_some_and(|link| link.shared.slice.is_spent())
    }

    /// What it is doing may take as long as a thousand steps.
    pub(crate) fn look_next(&self) {
        if let Some(link) = self.link.get() {
            link.shared.slice.look_next();
        }
    }

    /// Expanding has filled the time slice: to expand more would hold up others, and memory with it.
    fn has_expanded_enough(&self) -> bool {
        self.last_expanded.load(Relaxed) && self.link.get().is_some_and(|link| link.shared.slice.is_over())
    }

    pub(crate) fn take<'py>(&self, py: Python<'py>) -> PyResult<Found<'py>> {
        let found = {
            let mut batch = lock(&self.batch);
            if let Some(failure) = batch.failure.take() {
                return Err(PyErr::from_value(failure.into_bound(py).into_any()));
            }
            if batch.expansion.is_some() {
                drop(batch);
                return self.take_expanded(py);
            }
            loop {
                if let Some((message, coding)) = batch.cut(py) {
                    // One that is expanded step by step is done with when it is whole.
                    break Ok((message, coding, if coding.is_none() { batch.due(REPORT_BYTES) } else { 0 }));
                }
                if let Err(found) = self.refill(&mut batch) {
                    break Err(found);
                }
            }
        };
        match found {
            Ok((bytes, Some(coding), _)) => self.take_compressed(bytes, coding),
            Ok((bytes, None, due)) => {
                self.last_expanded.store(false, Relaxed);
                if due > 0 {
                    self.report(py, due)?;
                }
                self.give(bytes)
            }
            Err(last) => {
                self.report_due(py, 1)?;
                Ok(if last { Found::Last } else { Found::Nothing })
            }
        }
    }

    /// Decodes a message, and tells who watches.
    pub(crate) fn give<'py>(&self, bytes: Bound<'py, PyBytes>) -> PyResult<Found<'py>> {
        let message = self.codec.get().decode(bytes)?;
        self.received.tell(&message)?;
        Ok(Found::Message(message))
    }

    pub(crate) fn take_many<'py>(&self, py: Python<'py>, most: usize) -> PyResult<Bound<'py, PyList>> {
        let messages = PyList::empty(py);
        while messages.len() < most && !self.has_expanded_enough() {
            match self.take(py) {
                Ok(Found::Message(message)) => messages.append(message)?,
                Ok(Found::Nothing | Found::Last) => break,
                Err(error) => {
                    lock(&self.batch).failure = Some(error.into_value(py));
                    break;
                }
            }
        }
        Ok(messages)
    }

    /// Gets the next messages from the core. `Err(last)`: there are none, or never again.
    fn refill(&self, batch: &mut Batch) -> Result<(), bool> {
        if batch.load_rest() {
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

    /// Tells the core what was taken, if there are at least so many bytes.
    pub(crate) fn report_due(&self, py: Python<'_>, least: usize) -> PyResult<()> {
        let due = lock(&self.batch).due(least);
        if due > 0 { self.report(py, due) } else { Ok(()) }
    }

    /// Tells the core what was taken, so that the window opens again.
    fn report(&self, py: Python<'_>, bytes: usize) -> PyResult<()> {
        let Some(link) = self.link.get() else { return Ok(()) };
        link.shared.with(|core| core.took(link.id, bytes));
        link.shared.schedule_if_needed(py)
    }
}
