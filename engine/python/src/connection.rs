//! The connection as the asyncio transport sees it.

use crate::budget::{self, Budget};
use crate::buffers::ReadBuffer;
use crate::clock;
use crate::codec::usage_error;
use crate::crowd;
use crate::metadata;
use crate::shared::{Hooks, Shared};
use crate::steps;
use crate::stream::StreamBase;
use bytes::Bytes;
use penstock_core::wire::coding::Coding;
use penstock_core::{Call, CallError, Connection as Core, Reason, Settings, Side};
use pyo3::exceptions::PyConnectionError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyMemoryView};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

static LIVE: AtomicUsize = AtomicUsize::new(0);

/// Connections whose memory is still held, in the whole process.
#[pyfunction]
pub(crate) fn live_connections() -> usize {
    LIVE.load(Relaxed)
}

struct Counted;

impl Counted {
    fn new() -> Self {
        LIVE.fetch_add(1, Relaxed);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        LIVE.fetch_sub(1, Relaxed);
    }
}

/// One HTTP/2 connection.
#[pyclass(frozen, module = "penstock._engine")]
pub(crate) struct Connection {
    shared: Arc<Shared>,
    read_buffer: Py<ReadBuffer>,
    read_view: Py<PyMemoryView>,
    made: Duration,
    _counted: Counted,
}

#[pymethods]
impl Connection {
    #[new]
    #[pyo3(signature = (*, client, read_buffer, stream_window_bytes, max_frame_bytes, max_concurrent_streams,
                        max_header_list_bytes, max_receive_message_bytes, send_buffer_bytes, coding,
                        any_subtype=false, user_agent="", connection_budget_bytes=usize::MAX))]
    #[expect(clippy::too_many_arguments, reason = "keywords of one call in Python, one struct in Rust")]
    fn new(
        client: bool,
        read_buffer: Bound<'_, ReadBuffer>,
        stream_window_bytes: u32,
        max_frame_bytes: u32,
        max_concurrent_streams: u32,
        max_header_list_bytes: u32,
        max_receive_message_bytes: usize,
        send_buffer_bytes: usize,
        coding: Option<&str>,
        any_subtype: bool,
        user_agent: &str,
        connection_budget_bytes: usize,
    ) -> PyResult<Self> {
        let Some(user_agent) = penstock_core::user_agent(user_agent) else {
            let text = format!("user_agent is printable ASCII, not {user_agent:?}");
            return Err(usage_error(read_buffer.py(), &text));
        };
        let settings = Settings {
            side: if client { Side::Client } else { Side::Server },
            stream_window_bytes,
            max_frame_bytes,
            max_concurrent_streams,
            max_header_list_bytes,
            max_receive_message_bytes,
            budget_bytes: connection_budget_bytes,
            send_buffer_bytes,
            coding: coding.and_then(|name| Coding::named(name.as_bytes())),
            any_subtype,
            user_agent,
        };
        let read_view = PyMemoryView::from(read_buffer.as_any())?.unbind();
        let shared = Shared::new(Core::new(settings));
        let made = clock::told(clock::nanos());
        Ok(Self { shared, read_buffer: read_buffer.unbind(), read_view, made, _counted: Counted::new() })
    }

    /// Ties the connection to its socket and loop.
    #[pyo3(signature = (call_soon, write, owner, write_pieces=None))]
    fn attach(
        slf: &Bound<'_, Self>,
        call_soon: Py<PyAny>,
        write: Py<PyAny>,
        owner: Py<PyAny>,
        write_pieces: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let flush = slf.getattr("flush")?.unbind();
        slf.get().shared.attach(Hooks { call_soon, flush, write, write_pieces, owner });
        slf.get().shared.flush(slf.py())
    }

    /// The socket is gone.
    fn detach(&self) {
        self.shared.detach();
    }

    fn get_buffer(&self, py: Python<'_>, _size_hint: isize) -> Py<PyMemoryView> {
        self.read_view.clone_ref(py)
    }

    /// Reads `length` bytes from the read buffer.
    fn buffer_updated(&self, py: Python<'_>, length: usize) -> PyResult<()> {
        let bytes = ReadBuffer::filled(self.read_buffer.bind(py), length);
        let now = clock::told(clock::nanos());
        self.shared.with(|core| {
            core.tick(now);
            core.receive(bytes.clone());
        });
        drop(bytes);
        let Some(hooks) = self.shared.hooks() else {
            self.shared.with(|core| core.feed(Bytes::new()));
            return Ok(());
        };
        steps::around(py, || self.shared.read_on(py, &hooks))
    }

    fn end_of_input(&self, py: Python<'_>) {
        self.shared.with(Core::end_of_input);
        self.dispatch(py);
    }

    /// Writes all the socket takes.
    fn flush(&self, py: Python<'_>) -> PyResult<()> {
        steps::around(py, || self.shared.flush(py))
    }

    fn pause(&self) {
        self.shared.paused.store(true, Relaxed);
    }

    fn resume(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.paused.store(false, Relaxed);
        self.shared.flush(py)
    }

    /// The time that `_on_pause` told is over: reads on.
    fn end_rest(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.resting.store(false, Relaxed);
        self.shared.flush(py)
    }

    /// Client: starts a call on `stream`; its head leaves with the next flush. With `only`, that is its one message,
    /// the sending side ends behind it, and a receiver waits.
    #[pyo3(signature = (stream, path, authority, secure, timeout, metadata, only, /))]
    #[expect(clippy::too_many_arguments, reason = "one crossing of the seam for a call")]
    fn open(
        &self,
        stream: &Bound<'_, StreamBase>,
        path: &str,
        authority: &str,
        secure: bool,
        timeout: Option<f64>,
        metadata: Option<&Bound<'_, PyList>>,
        only: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let py = stream.py();
        let metadata = &metadata::from_python(metadata)?;
        let timeout = timeout.map(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or(Duration::MAX));
        let coding = Coding::numbered(stream.get().coding.load(Relaxed));
        let call = Call { path, authority, secure, timeout, coding, metadata };
        let id = self.shared.with(|core| core.open(&call)).map_err(|error| match &error {
            CallError::Connection(text) => PyConnectionError::new_err(text.clone()),
            CallError::Metadata(error) => metadata::to_error(py, error),
            CallError::Uri(_) => usage_error(py, &error.to_string()),
        })?;
        stream.get().link(self.shared.clone(), id);
        self.shared.add_stream(id, stream.clone().unbind());
        match only {
            Some(payload) => stream.get().send_only(py, payload),
            None => self.shared.schedule(py),
        }
    }

    /// Server: gives the call `id` its stream.
    fn adopt(&self, stream: &Bound<'_, StreamBase>, id: u32) {
        stream.get().link(self.shared.clone(), id);
        let (coding, of_peer) = self.shared.with(|core| (core.coding(id), core.peer_coding(id)));
        stream.get().compress_with(coding);
        stream.get().peer_compresses_with(of_peer);
        self.shared.add_stream(id, stream.clone().unbind());
    }

    fn shut_down(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.with(Core::shut_down);
        self.shared.schedule(py)
    }

    #[pyo3(signature = (code, text, /))]
    fn go_away(&self, py: Python<'_>, code: u32, text: &str) -> PyResult<()> {
        self.shared.with(|core| core.go_away(Reason::from(code), text));
        self.shared.schedule(py)
    }

    fn finish_shutdown(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.with(Core::finish_shutdown);
        self.shared.schedule(py)?;
        self.dispatch(py);
        Ok(())
    }

    fn ping(&self, py: Python<'_>) -> PyResult<()> {
        self.shared.with(Core::ping);
        self.shared.schedule(py)
    }

    fn set_ping_policy(&self, min_seconds: f64, without_calls: bool) {
        let least = Duration::try_from_secs_f64(min_seconds.max(0.0)).unwrap_or(Duration::MAX);
        self.shared.with(|core| core.set_ping_policy(least, without_calls));
    }

    #[pyo3(signature = (message, code=0, text=""))]
    fn abort(&self, py: Python<'_>, message: &str, code: u32, text: &str) -> PyResult<()> {
        self.shared.with(|core| core.abort(message, Reason::from(code), text));
        self.shared.schedule(py)?;
        self.dispatch(py);
        Ok(())
    }

    /// Has it share budgets with other connections.
    fn share(&self, budgets: Vec<PyRef<'_, Budget>>) {
        self.shared.with(|core| core.share(budget::cores(&budgets)));
    }

    /// Has its call `id` share budgets with other calls.
    fn share_call(&self, id: u32, budgets: Vec<PyRef<'_, Budget>>) {
        self.shared.with(|core| core.share_call(id, budget::cores(&budgets)));
    }

    /// Ends the call that keeps most, of all or of those that share `budget`. False: none keeps anything.
    fn shed(&self, py: Python<'_>, budget: Option<PyRef<'_, Budget>>, why: &str) -> PyResult<bool> {
        let found = self.shared.with(|core| core.shed(budget.as_ref().map(|budget| &budget.core), why));
        self.shared.schedule(py)?;
        self.dispatch(py);
        Ok(found)
    }

    /// Other connections of this loop were read of late.
    #[getter]
    fn is_beside_others(&self) -> bool {
        crowd::is_beside_others(&self.shared)
    }

    /// Server: bytes its messages became that are far more than came, since this was last called.
    fn take_excess(&self) -> usize {
        self.shared.excess.swap(0, Relaxed)
    }

    /// Has it read as if its calls came to nothing, or (`false`) as others.
    fn slow_down(&self, slowed: bool) {
        self.shared.slowed.store(slowed, Relaxed);
    }

    #[getter]
    fn held_bytes(&self) -> usize {
        self.shared.with(|core| core.held_bytes())
    }

    #[getter]
    fn stream_window_bytes(&self) -> u32 {
        self.shared.with(|core| core.stream_window())
    }

    #[getter]
    fn queued_bytes(&self) -> usize {
        self.shared.with(|core| core.queued_bytes())
    }

    #[getter]
    fn open_calls(&self) -> usize {
        self.shared.with(|core| core.open_calls())
    }

    #[getter]
    fn max_calls(&self) -> usize {
        self.shared.with(|core| core.max_calls())
    }

    #[getter]
    fn unread(&self) -> usize {
        self.shared.with(|core| core.unread())
    }

    #[getter]
    fn last_read_at(&self) -> f64 {
        self.shared.with(|core| core.last_read()).unwrap_or(self.made).as_secs_f64()
    }

    #[getter]
    fn pings_received(&self) -> u64 {
        self.shared.with(|core| core.counters().pings)
    }

    #[getter]
    fn ping_strikes(&self) -> u64 {
        self.shared.with(|core| core.counters().strikes)
    }

    #[getter]
    fn pings_sent(&self) -> u64 {
        self.shared.with(|core| core.counters().pings_sent)
    }

    #[getter]
    fn resets_received(&self) -> u64 {
        self.shared.with(|core| core.counters().resets)
    }

    #[getter]
    fn settings_received(&self) -> u64 {
        self.shared.with(|core| core.counters().settings)
    }

    #[getter]
    fn bytes_received(&self) -> u64 {
        self.shared.with(|core| core.counters().bytes)
    }

    #[getter]
    fn bytes_sent(&self) -> u64 {
        self.shared.with(|core| core.counters().sent)
    }

    #[getter]
    fn frames_received(&self) -> u64 {
        self.shared.with(|core| core.counters().frames)
    }
}

impl Connection {
    fn dispatch(&self, py: Python<'_>) {
        if let Some(hooks) = self.shared.hooks() {
            self.shared.dispatch(py, &hooks);
        }
    }
}
