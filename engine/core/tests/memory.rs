//! Does a connection that lives long keep memory of calls that are over, and how much of those that are idle?
//!
//! Counts every byte the process allocates: the tests of this file do not run beside each other.

mod common;

use bytes::Bytes;
use common::{frames, pattern, settings};
use penstock_core::{Connection, Event, Payload, Pushed, Received, Side};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The system's allocator, with a count of the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

static ALONE: Mutex<()> = Mutex::new(());

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
    let _alone = ALONE.lock();
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
        assert!(connection.take_events().iter().any(|event| matches!(event, Event::Ended(..))));
        assert_eq!(connection.open_calls(), 1);
        if i == 1000 {
            early = IN_USE.load(Relaxed);
        }
    }
    let grown = IN_USE.load(Relaxed).saturating_sub(early);
    assert!(grown < 16 * 1024, "{grown} bytes are in use that were not after a thousand calls");
}

const IDLE: u32 = 10_000;
/// For each idle call, with what h2 has of it.
const IDLE_BYTES: usize = 1_300;

// The messages are larger than that: nothing of them, nor room for the next ones, may stay.
#[test]
fn an_idle_call_keeps_nothing_of_its_messages() {
    let _alone = ALONE.lock();
    let mut settings = settings(Side::Server);
    settings.max_concurrent_streams = IDLE;
    let mut connection = Connection::<Vec<u8>>::new(settings);
    connection.feed([frames::PREFACE, &frames::settings(&[]).to_bytes()].concat().into());
    connection.feed(frames::window_update(0, 1 << 30).to_bytes().into());
    let message = frames::message(&[7; 4_000]);
    let before = IN_USE.load(Relaxed);
    for id in (0..IDLE).map(|i| 2 * i + 1) {
        connection.feed(frames::request(id).to_bytes().into());
        connection.feed(frames::data(id, 0, message.clone()).to_bytes().into());
        let Received::Item(item) = connection.take(id) else { panic!("a message is there") };
        connection.took(id, item.wire_bytes());
        drop(item);
        assert_eq!(connection.push(id, &Payload::Borrowed(&[7; 4_000])), Pushed::Queued);
        connection.flush();
        assert!(connection.take_output(Vec::new()).len() > 4_000);
        assert!(!connection.await_message(id));
        connection.take_events();
    }
    let each = IN_USE.load(Relaxed).saturating_sub(before) / IDLE as usize;
    assert!(each < IDLE_BYTES, "{each} bytes for each idle call");
}

/// Bytes on each of these that nobody takes.
const UNTAKEN: usize = 256_000;
const FULL: u32 = 10;

// Messages of every size that shares buffers, in frames of several sizes.
#[test]
fn what_is_kept_is_what_is_counted() {
    let _alone = ALONE.lock();
    for (message, frame) in [(0, 16_000), (0, 50), (35, 16_000), (1_000, 1_005), (7_000, 5_000), (3, 64_000)] {
        let mut settings = settings(Side::Server);
        (settings.stream_window_bytes, settings.max_frame_bytes) = (1 << 20, 64 * 1024);
        let mut connection = Connection::<Vec<u8>>::new(settings);
        connection.feed([frames::PREFACE, &frames::settings(&[]).to_bytes()].concat().into());
        connection.feed(frames::settings_ack().to_bytes().into());
        for i in 0..FULL {
            connection.feed(frames::request(2 * i + 1).to_bytes().into());
        }
        connection.take_events();
        let framed = frames::message(&vec![7; message]);
        let bytes = framed.repeat(UNTAKEN / framed.len());
        let before = IN_USE.load(Relaxed);
        for part in bytes.chunks(frame) {
            // All streams grow together.
            for i in 0..FULL {
                connection.feed(frames::data(2 * i + 1, 0, part.to_vec()).to_bytes().into());
            }
        }
        let (kept, counted) = (IN_USE.load(Relaxed) - before, connection.held_bytes());
        assert_eq!(counted, FULL as usize * bytes.len());
        assert!(kept * 100 < counted * 115, "{kept} bytes are kept where {counted} are counted: {message} in {frame}");
    }
}
