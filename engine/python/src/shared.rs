//! What a connection shares with its streams: the core behind its lock, and the hooks into the loop.

use crate::buffers::{self, MessageBody};
use crate::clock;
use crate::lost::{self, Lost};
use crate::metadata;
use crate::slice::Slice;
use crate::steps;
use crate::stream::StreamBase;
use fnv::FnvHashMap;
use penstock_core::{Closed, Connection as Core, Event, Item, Origin, Outcome, Output, Tally};
use pyo3::intern;
use pyo3::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Python's side of a connection; gone once its socket is.
pub(crate) struct Hooks {
    /// `loop.call_soon`.
    pub(crate) call_soon: Py<PyAny>,
    /// The connection's own `flush`.
    pub(crate) flush: Py<PyAny>,
    /// `transport.write`.
    pub(crate) write: Py<PyAny>,
    /// The same for a list of pieces, if they need not be joined.
    pub(crate) write_pieces: Option<Py<PyAny>>,
    /// Hears what concerns the connection as a whole.
    pub(crate) owner: Py<PyAny>,
}

impl Hooks {
    fn send(&self, py: Python<'_>, output: Output) -> PyResult<()> {
        match &self.write_pieces {
            Some(write) if output.large_bytes() > 0 => write.call1(py, (buffers::pieces(py, output)?,)),
            _ => self.write.call1(py, (buffers::output(py, output.in_one())?,)),
        }?;
        Ok(())
    }
}

pub(crate) struct Shared {
    this: Weak<Self>,
    core: Mutex<Core<MessageBody>>,
    hooks: Mutex<Option<Arc<Hooks>>>,
    streams: Mutex<FnvHashMap<u32, Py<StreamBase>>>,
    /// A flush is waiting in the loop.
    scheduled: AtomicBool,
    /// The socket takes no more for now.
    pub(crate) paused: AtomicBool,
    /// Not all that was read was looked at, and reading the socket was stopped.
    pub(crate) backlog: AtomicBool,
    /// It is throttled, and nothing is looked at until the owner's timer says so.
    pub(crate) resting: AtomicBool,
    /// The peer has begun a header block and did not end it.
    pub(crate) in_headers: AtomicBool,
    /// Nanoseconds of this turn of the loop that reading took.
    pub(crate) spent: AtomicU64,
    /// Bytes its messages became that are far more than came, since they were last asked for.
    pub(crate) excess: AtomicUsize,
    /// Python saw that it makes too much work.
    pub(crate) slowed: AtomicBool,
    pub(crate) slice: Arc<Slice>,
}

/// Where a call is.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) id: u32,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(core: Core<MessageBody>) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            core: Mutex::new(core),
            hooks: Mutex::new(None),
            streams: Mutex::default(),
            scheduled: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            backlog: AtomicBool::new(false),
            resting: AtomicBool::new(false),
            in_headers: AtomicBool::new(false),
            spent: AtomicU64::new(0),
            excess: AtomicUsize::new(0),
            slowed: AtomicBool::new(false),
            slice: Slice::of_thread(),
        })
    }

    /// Uses the core. A panic in it ends this connection, and nothing else.
    pub(crate) fn with<T>(&self, use_core: impl Fn(&mut Core<MessageBody>) -> T) -> T {
        let mut core = lock(&self.core);
        match catch_unwind(AssertUnwindSafe(|| use_core(&mut core))) {
            Ok(value) => value,
            Err(_panic) => {
                core.poison("the engine failed; please report the panic printed above");
                // On a connection that is over every call has an answer that touches h2 no more.
                use_core(&mut core)
            }
        }
    }

    pub(crate) fn attach(&self, hooks: Hooks) {
        if hooks.write_pieces.is_some() {
            self.with(Core::refer);
        }
        *lock(&self.hooks) = Some(Arc::new(hooks));
    }

    /// The socket is gone: drops what ties this to the loop.
    pub(crate) fn detach(&self) {
        let hooks = lock(&self.hooks).take();
        let streams = std::mem::take(&mut *lock(&self.streams));
        drop((hooks, streams));
    }

    pub(crate) fn hooks(&self) -> Option<Arc<Hooks>> {
        lock(&self.hooks).clone()
    }

    pub(crate) fn add_stream(&self, id: u32, stream: Py<StreamBase>) {
        lock(&self.streams).insert(id, stream);
    }

    pub(crate) fn remove_stream(&self, id: u32) -> Option<Py<StreamBase>> {
        lock(&self.streams).remove(&id)
    }

    fn stream<'py>(&self, py: Python<'py>, id: u32) -> Option<Bound<'py, StreamBase>> {
        lock(&self.streams).get(&id).map(|stream| stream.bind(py).clone())
    }

    /// Has it flush once, after what the loop is about to run, or the steps at the end of a read.
    pub(crate) fn schedule(&self, py: Python<'_>) -> PyResult<()> {
        if !self.scheduled.swap(true, Relaxed) && !steps::write_soon(|| self.this.upgrade()) {
            return self.call_flush(py);
        }
        Ok(())
    }

    /// Has the loop flush in its next turn, whatever goes on in this one.
    fn schedule_turn(&self, py: Python<'_>) -> PyResult<()> {
        if self.scheduled.swap(true, Relaxed) { Ok(()) } else { self.call_flush(py) }
    }

    fn call_flush(&self, py: Python<'_>) -> PyResult<()> {
        match self.hooks() {
            Some(hooks) => hooks.call_soon.call1(py, (&hooks.flush,)).map(drop),
            None => Ok(()),
        }
    }

    /// Tells the core the time before the first message of a turn; later ones share it.
    pub(crate) fn tell_time_once(&self) {
        if !self.scheduled.load(Relaxed) {
            let now = clock::told(clock::nanos());
            self.with(|core| core.tick(now));
        }
    }

    pub(crate) fn schedule_if_needed(&self, py: Python<'_>) -> PyResult<()> {
        if self.with(|core| core.has_work()) { self.schedule(py) } else { Ok(()) }
    }

    /// Writes all the socket takes, and reads on what waits.
    pub(crate) fn flush(&self, py: Python<'_>) -> PyResult<()> {
        let Some(hooks) = self.write(py)? else { return Ok(()) };
        self.spent.store(0, Relaxed);
        if self.backlog.load(Relaxed) && !self.resting.load(Relaxed) { self.read_on(py, &hooks) } else { Ok(()) }
    }

    /// The steps that a read led to are done. What still waits to be looked at has its next share in the next turn.
    pub(crate) fn write_after_reading(&self, py: Python<'_>) -> PyResult<()> {
        let written = self.write(py);
        if !self.backlog.load(Relaxed) {
            self.spent.store(0, Relaxed);
        } else if !self.resting.load(Relaxed) {
            self.schedule_turn(py)?;
        }
        written.map(drop)
    }

    fn write(&self, py: Python<'_>) -> PyResult<Option<Arc<Hooks>>> {
        self.scheduled.store(false, Relaxed);
        let nanos = clock::nanos();
        self.slice.restart_at(nanos);
        let now = clock::told(nanos);
        let Some(hooks) = self.hooks() else { return Ok(None) };
        while !self.paused.load(Relaxed) {
            let output = self.with(|core| {
                core.tick(now);
                core.flush().then(|| core.take_parts(buffers::spare()))
            });
            let Some(output) = output else { break };
            hooks.send(py, output)?;
            let (more, crowded) = self.with(|core| (core.has_work(), core.is_crowded()));
            if !more {
                break;
            }
            if crowded {
                // A call that came meanwhile would wait until the socket is full, and then for all who were served and
                // fill up again: beside 1,000 busy streams a turn took 27 ms of CPU like that, and takes 3.
                self.schedule_turn(py)?;
                break;
            }
        }
        self.dispatch(py, &hooks);
        Ok(Some(hooks))
    }

    /// Tells Python what happened. One failing listener does not keep the news from the others.
    /// Returns how much did.
    pub(crate) fn dispatch(&self, py: Python<'_>, hooks: &Hooks) -> u64 {
        let events = self.with(Core::take_events);
        let happened = events.len() as u64;
        let complain = |told: PyResult<()>| {
            if let Err(error) = told {
                error.write_unraisable(py, Some(hooks.owner.bind(py)));
            }
        };
        let mut lost = Lost::default();
        for event in events {
            match event {
                Event::Ended(id, outcome, untaken, tally) if Lost::is(&outcome) => {
                    if !lost.fits(&outcome) {
                        complain(lost.tell(py, hooks));
                    }
                    if let Some(stream) = self.end_stream(id, untaken, tally) {
                        lost.add(stream, outcome);
                    }
                }
                event => {
                    complain(lost.tell(py, hooks));
                    complain(self.tell(py, hooks, event));
                }
            }
        }
        complain(lost.tell(py, hooks));
        happened
    }

    fn tell(&self, py: Python<'_>, hooks: &Hooks, event: Event<MessageBody>) -> PyResult<()> {
        let owner = hooks.owner.bind(py);
        match event {
            Event::Readable(id) => self.tell_stream(py, id, intern!(py, "_on_readable"), ()),
            Event::Writable(id) => self.tell_stream(py, id, intern!(py, "_on_writable"), ()),
            Event::Responded(id, pairs, coding) => {
                let Some(stream) = self.stream(py, id) else { return Ok(()) };
                stream.get().peer_compresses_with(coding);
                let pairs = metadata::to_python(py, pairs)?;
                stream.call_method1(intern!(py, "_on_responded"), (pairs,)).map(drop)
            }
            Event::Shed(id) => {
                if let Some(stream) = self.stream(py, id) {
                    stream.get().drop_untaken();
                }
                Ok(())
            }
            Event::Ended(id, outcome, untaken, tally) => self.tell_of_end(py, id, outcome, untaken, tally),
            Event::Opened(id, head) => {
                let pairs = metadata::to_python(py, head.metadata)?;
                let timeout = head.timeout.map(|timeout| timeout.as_secs_f64());
                let arguments = (id, head.path, head.authority, pairs, timeout);
                owner.call_method1(intern!(py, "_on_opened"), arguments).map(drop)
            }
            Event::Settings => owner.call_method0(intern!(py, "_on_settings")).map(drop),
            Event::OverBudget => owner.call_method0(intern!(py, "_on_over_budget")).map(drop),
            Event::Pong => owner.call_method0(intern!(py, "_on_pong")).map(drop),
            Event::Abuse(abuse, cut) => {
                owner.call_method1(intern!(py, "_on_abuse"), (abuse.name(), abuse.text(), cut)).map(drop)
            }
            Event::GoAway(go_away) => {
                let arguments = (u32::from(go_away.reason), go_away.text);
                owner.call_method1(intern!(py, "_on_go_away"), arguments).map(drop)
            }
            Event::Closed(Closed { message, clean, foreign }) => {
                owner.call_method1(intern!(py, "_on_closed"), (message, clean, foreign)).map(drop)
            }
        }
    }

    fn tell_of_end(
        &self,
        py: Python<'_>,
        id: u32,
        outcome: Outcome,
        untaken: Vec<Item<MessageBody>>,
        tally: Tally,
    ) -> PyResult<()> {
        let Some(stream) = self.end_stream(id, untaken, tally) else { return Ok(()) };
        let trailers = metadata::to_python(py, outcome.trailers)?;
        let origin = match outcome.origin {
            Origin::Local => intern!(py, "local"),
            Origin::Remote => intern!(py, "remote"),
            Origin::Transport => intern!(py, "transport"),
        };
        let arguments =
            (outcome.code, outcome.message, trailers, origin, lost::cause(py, outcome.cause), outcome.unprocessed);
        stream.call_method1(py, intern!(py, "_on_ended"), arguments).map(drop)
    }

    /// The call is over: its stream keeps what is left of it, and is forgotten here.
    fn end_stream(&self, id: u32, untaken: Vec<Item<MessageBody>>, tally: Tally) -> Option<Py<StreamBase>> {
        let stream = self.remove_stream(id)?;
        stream.get().keep_tally(Some(tally));
        stream.get().end(untaken);
        Some(stream)
    }

    fn tell_stream<'py, A: pyo3::call::PyCallArgs<'py>>(
        &self,
        py: Python<'py>,
        id: u32,
        method: &Bound<'py, pyo3::types::PyString>,
        arguments: A,
    ) -> PyResult<()> {
        match self.stream(py, id) {
            Some(stream) => stream.call_method1(method, arguments).map(drop),
            None => Ok(()),
        }
    }
}
