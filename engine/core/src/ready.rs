//! Wakers that write down what became ready, so that a turn touches only that: O(ready), not O(streams).

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// What became ready since the last look.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    streams: Mutex<Vec<u32>>,
    connection: AtomicBool,
}

impl Ready {
    /// Asks for a drive of the connection. Needed by hand after calls for which h2 wakes nobody.
    pub(crate) fn wake_connection(&self) {
        self.connection.store(true, Relaxed);
    }

    /// Something is ready.
    pub(crate) fn is_set(&self) -> bool {
        self.connection.load(Relaxed) || !self.streams.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes the flag of the connection and the ids of the streams.
    pub(crate) fn take(&self) -> (bool, Vec<u32>) {
        let streams = std::mem::take(&mut *self.streams.lock().unwrap_or_else(PoisonError::into_inner));
        (self.connection.swap(false, Relaxed), streams)
    }

    /// A waker for the connection itself.
    pub(crate) fn connection_waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::new(ConnectionNote(self.clone())))
    }
}

struct ConnectionNote(Arc<Ready>);

impl Wake for ConnectionNote {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.wake_connection();
    }
}

/// The waker of one stream: puts its id on the list once, until [`StreamNote::clear`].
#[derive(Debug)]
pub(crate) struct StreamNote {
    id: u32,
    queued: AtomicBool,
    ready: Arc<Ready>,
}

impl StreamNote {
    pub(crate) fn new(id: u32, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { id, queued: AtomicBool::new(false), ready: ready.clone() })
    }

    /// Must come *before* the stream is polled, or a wake between the two is lost.
    pub(crate) fn clear(&self) {
        self.queued.store(false, Relaxed);
    }
}

impl Wake for StreamNote {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Relaxed) {
            self.ready.streams.lock().unwrap_or_else(PoisonError::into_inner).push(self.id);
        }
    }
}
