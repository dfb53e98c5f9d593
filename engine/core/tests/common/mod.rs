//! What the tests share: two connections joined by bytes, and a peer made of raw frames.
//!
//! Nothing here waits or runs by itself: [`Pair::settle`] moves bytes until nothing is left to do. Every [`End`] checks
//! the promises about events as they come, and must be left idle: [`Pair::done`], [`Scripted::done`].

// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code, unused_imports)]

mod end;
pub(crate) mod frames;
mod link;
mod pair;
mod rng;
mod scripted;

pub(crate) use end::{Call, End, Happening};
pub(crate) use pair::Pair;
pub(crate) use rng::Rng;
pub(crate) use scripted::Scripted;

use bytes::Bytes;
use penstock_core::{Reply, Settings, Side};

/// The window tests count with.
pub(crate) const WINDOW: usize = 64 * 1024;

/// Settings with a 64 KiB window and a 64 KiB send buffer.
pub(crate) fn settings(side: Side) -> Settings {
    Settings {
        side,
        stream_window_bytes: 64 * 1024,
        max_frame_bytes: 16 * 1024,
        max_concurrent_streams: 2000,
        max_header_list_bytes: 16 * 1024,
        max_receive_message_bytes: 4 << 20,
        budget_bytes: usize::MAX,
        send_buffer_bytes: 64 * 1024,
        coding: None,
        any_subtype: false,
        user_agent: penstock_core::user_agent("").unwrap(),
    }
}

/// Bytes that differ from place to place and from seed to seed.
pub(crate) fn pattern(seed: usize, length: usize) -> Bytes {
    (0..length).map(|at| ((at * 31) ^ (at >> 8) ^ (seed * 7)).to_le_bytes()[0]).collect()
}

/// OK without trailers.
pub(crate) fn ok() -> Reply {
    Reply::default()
}

/// A status with a message.
pub(crate) fn status(code: u8, message: &str) -> Reply {
    Reply { code, message: message.to_owned(), ..Reply::default() }
}

/// A server that sends back what it gets, and ends when its client does.
pub(crate) fn echo(server: &mut End, id: u32, what: Happening) {
    match what {
        Happening::Message(message) => server.send(id, message),
        Happening::HalfClosed => server.finish(id, ok()),
        Happening::Opened | Happening::Ended => {}
    }
}
