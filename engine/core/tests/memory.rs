//! Does a connection that lives long keep memory of calls that are over?
//!
//! Counts every byte the process allocates: the tests of this file must not run beside each other, so there is one.

mod common;

use bytes::Bytes;
use common::{frames, pattern, settings};
use penstock_core::{Connection, Event, Payload, Pushed, Side};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, with a count of the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Relaxed);
        // SAFETY: promised by the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: promised by the caller.
        unsafe { System.dealloc(start, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const CALLS: u32 = if cfg!(debug_assertions) { 20_000 } else { 200_000 };

#[test]
fn calls_cancelled_behind_a_closed_window_leave_nothing() {
    let mut connection = Connection::<Vec<u8>>::new(settings(Side::Server));
    let opening = [frames::settings(&[]).to_bytes(), frames::settings_ack().to_bytes()].concat();
    connection.feed([frames::PREFACE, &opening].concat().into());
    let call = |connection: &mut Connection<Vec<u8>>, id, payload: &Payload<'_>| {
        connection.feed(frames::request(id).to_bytes().into());
        assert!(connection.take_events().iter().any(|event| matches!(event, Event::Opened(..))));
        assert_eq!(connection.push(id, payload), Pushed::Queued);
        connection.flush();
        connection.take_output(Vec::new())
    };
    // The first call uses the connection's window up, for good.
    let large: Bytes = pattern(0, 100_000);
    assert!(call(&mut connection, 1, &Payload::Shared(large)).len() > 65_535);
    let mut early = 0;
    for i in 1..=CALLS {
        let id = 2 * i + 1;
        call(&mut connection, id, &Payload::Borrowed(b"waits for ever"));
        connection.feed(frames::rst_stream(id, 8).to_bytes().into());
        assert!(matches!(connection.take_events()[..], [Event::Ended(..)]));
        assert_eq!(connection.open_calls(), 1);
        if i == 1000 {
            early = IN_USE.load(Relaxed);
        }
    }
    let grown = IN_USE.load(Relaxed).saturating_sub(early);
    assert!(grown < 16 * 1024, "{grown} bytes are in use that were not after a thousand calls");
}
