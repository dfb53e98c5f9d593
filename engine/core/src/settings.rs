//! What a connection is told at its start, and how h2 is set up from it.

use crate::wire::coding::Coding;
use h2::{client, server};
use http::HeaderValue;

/// Which end of the connection this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opens streams.
    Client,
    /// Accepts streams.
    Server,
}

/// Settings of one connection. All sizes are bytes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which end this is.
    pub side: Side,
    /// Bytes a stream may hold that the application has not taken (plus one message).
    pub stream_window_bytes: u32,
    /// Largest frame we accept.
    pub max_frame_bytes: u32,
    /// Streams a peer may have open at once; only a server advertises it.
    pub max_concurrent_streams: u32,
    /// Largest header list we accept, names and values and 32 bytes each.
    pub max_header_list_bytes: u32,
    /// Largest message we accept.
    pub max_receive_message_bytes: usize,
    /// Bytes all streams together may hold that the application has not taken; above that the largest ends.
    pub budget_bytes: usize,
    /// Bytes a stream may have queued before a sender waits.
    pub send_buffer_bytes: usize,
    /// How a server compresses for clients that offer this coding.
    pub coding: Option<Coding>,
    /// A server takes calls whose messages are not protobuf: the application knows what they are.
    pub any_subtype: bool,
    /// What a client calls itself; [`crate::user_agent`] makes it.
    pub user_agent: HeaderValue,
}

/// The connection window: as large as HTTP/2 allows, or one stopped reader would stop all streams.
const CONNECTION_WINDOW_BYTES: u32 = (1 << 31) - 1;
/// Reset streams h2 remembers; its default of 50 turns late DATA of a cancelled stream into errors.
const REMEMBERED_RESETS: usize = 1000;
/// More calls than one step of the intake can open and cancel: h2 handles it before anything is accepted, and its default
/// of 20 ends connections of honest clients.
const RESETS_BEFORE_ACCEPT: usize = 1_000;
/// Above what a turn hands over (256 KiB), so that `capacity()` is the peer's window and nothing else.
const H2_SEND_BUFFER_BYTES: usize = 2 << 20;
/// Must cover one read of 256 KiB in 1-byte DATA frames, which h2 counts at 256 bytes each.
const DATA_FRAME_BUDGET: usize = 1 << 30;
/// h2 drops what exceeds its limit of trailers without a word. So a client gives it a larger one than it tells the peer,
/// and judges what came by itself.
const HEADER_SLACK: u32 = 16;

macro_rules! common {
    ($builder:ident, $settings:ident) => {
        $builder
            .initial_window_size($settings.stream_window_bytes)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size($settings.max_frame_bytes)
            .max_header_list_size($settings.max_header_list_bytes)
            .max_concurrent_reset_streams(REMEMBERED_RESETS)
            .max_send_buffer_size(H2_SEND_BUFFER_BYTES)
            .data_frame_budget(DATA_FRAME_BUDGET)
    };
}

impl Settings {
    pub(crate) fn client(&self) -> client::Builder {
        let mut builder = client::Builder::new();
        common!(builder, self)
            .enable_push(false)
            .max_local_error_reset_streams(None)
            .max_header_list_size(self.max_header_list_bytes.saturating_mul(HEADER_SLACK));
        builder
    }

    pub(crate) fn server(&self) -> server::Builder {
        let mut builder = server::Builder::new();
        common!(builder, self)
            .max_concurrent_streams(self.max_concurrent_streams)
            .max_pending_accept_reset_streams(RESETS_BEFORE_ACCEPT)
            // h2 counts these for the life of a connection; `conduct` has a rate for them.
            .max_local_error_reset_streams(None);
        builder
    }
}

const FRAME_HEAD_BYTES: usize = 9;
const SETTINGS: u8 = 4;
const MAX_HEADER_LIST_SIZE: [u8; 2] = [0, 6];

/// Writes the limit that peers are told into a client's first SETTINGS, which stand behind `preface` bytes of `output`.
pub(crate) fn tell_header_limit(output: &mut [u8], preface: usize, limit: u32) {
    let Some((head, rest)) = output.get_mut(preface..).and_then(|rest| rest.split_at_mut_checked(FRAME_HEAD_BYTES))
    else {
        return;
    };
    let length = usize::from(head[1]) << 8 | usize::from(head[2]);
    if head[3] == SETTINGS {
        for setting in rest.chunks_exact_mut(6).take(length / 6) {
            if setting[..2] == MAX_HEADER_LIST_SIZE {
                setting[2..].copy_from_slice(&limit.to_be_bytes());
            }
        }
    }
}
