//! The sans-IO gRPC connection: bytes in, events out, bytes out. No socket, no thread, no runtime, no clock.
//!
//! - [`Connection`] drives h2 over a byte pipe and holds the streams
//! - [`wire`] is the pure part: prefixes, metadata, status, timeouts
//! - `sniffer` reads beside h2 what h2 hides; `schedule` decides whose DATA h2 gets next
//! - `inbox` and `outbox` are the two sides of a stream
//! - [`Event`] is what the embedder hears

#![forbid(unsafe_code)]

mod budget;
mod calls;
mod chunk;
mod conduct;
mod connection;
mod ending;
mod event;
mod frames;
mod inbox;
mod intake;
mod item;
mod leaving;
mod opening;
mod outbox;
mod output;
mod pipe;
mod ready;
mod request;
mod response;
mod role;
mod schedule;
mod sending;
mod service;
mod settings;
mod sniffer;
mod stream;
mod strikes;
mod tally;
mod windows;
pub mod wire;

pub use budget::Budget;
pub use calls::{Pushed, Received};
pub use conduct::Abuse;
pub use connection::{Connection, Counters};
pub use event::{CallHead, Cause, Closed, Event, Origin, Outcome, Reply};
pub use h2::Reason;
pub use item::{Body, Item};
pub use outbox::Payload;
pub use output::{Output, Part};
pub use request::{Call, CallError, user_agent};
pub use settings::{Settings, Side};
pub use sniffer::GoAway;
pub use tally::{Tally, Waits};
