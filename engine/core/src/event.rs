//! What a connection tells its embedder.

use crate::conduct::Abuse;
use crate::item::Item;
use crate::sniffer::GoAway;
use crate::tally::Tally;
use crate::wire::coding::{Coding, Codings};
use crate::wire::metadata::Pairs;
use crate::wire::status::Code;
use std::time::Duration;

/// Who decided how a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This side.
    Local,
    /// The peer, with a status or a reset.
    Remote,
    /// The connection.
    Transport,
}

/// What ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A status went over the wire.
    Status,
    /// The peer reset the stream.
    Reset,
    /// The peer broke a rule of gRPC or of HTTP/2.
    Broken,
    /// What the peer sent is above one of our limits.
    Limit,
    /// The connection ended under it.
    Lost,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The status code.
    pub code: u8,
    /// The status message.
    pub message: String,
    /// Trailing metadata, `grpc-status-details-bin` included.
    pub trailers: Pairs,
    /// Who decided it.
    pub origin: Origin,
    /// What ended it.
    pub cause: Cause,
    /// The peer's application surely never saw the call: it may be repeated.
    pub unprocessed: bool,
}

impl Outcome {
    pub(crate) fn new(code: Code, message: impl Into<String>, origin: Origin, cause: Cause) -> Self {
        Self { code: code as u8, message: message.into(), trailers: Pairs::new(), origin, cause, unprocessed: false }
    }

    pub(crate) fn ok() -> Self {
        Self::new(Code::Ok, "", Origin::Local, Cause::Status)
    }
}

/// The head of an incoming call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallHead {
    /// `/package.Service/Method`.
    pub path: String,
    /// `:authority`.
    pub authority: String,
    /// Custom metadata.
    pub metadata: Pairs,
    /// `grpc-timeout`.
    pub timeout: Option<Duration>,
    /// How the client compresses.
    pub coding: Option<Coding>,
    /// What the client can expand.
    pub accepts: Codings,
}

/// A status to end a call with, on a server.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// The status code.
    pub code: u8,
    /// The status message, any text.
    pub message: String,
    /// Serialized `google.rpc.Status`, or nothing.
    pub details: Vec<u8>,
    /// Custom trailing metadata.
    pub trailers: Pairs,
}

/// The end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// What to tell a person.
    pub message: String,
    /// It ended as planned: all streams done, no error.
    pub clean: bool,
    /// The peer does not speak HTTP/2 at all.
    pub foreign: bool,
}

/// Something the embedder should act on. Streams are named by their HTTP/2 id.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<B> {
    /// Server: a call came.
    Opened(u32, CallHead),
    /// Client: the response began; its initial metadata, and how its messages are compressed.
    Responded(u32, Pairs, Option<Coding>),
    /// A waiting receiver has something: a message, or the peer's half-close.
    Readable(u32),
    /// A waiting sender has room again.
    Writable(u32),
    /// Messages of a call that were taken and not used are to be dropped: memory is short. `Ended` follows.
    Shed(u32),
    /// The call is over on the wire, whatever ended it, and forgotten here. With it come the messages nobody took, and
    /// what passed over it.
    Ended(u32, Outcome, Vec<Item<B>>, Tally),
    /// Connections that share a budget are over it, and this one has grown.
    OverBudget,
    /// The peer's SETTINGS changed; a client should look at `max_calls` again.
    Settings,
    /// The peer answered a PING of ours, or several.
    Pong,
    /// The peer will take no new calls.
    GoAway(GoAway),
    /// Server: the client does what it should not. True: its connection ends for it; else its share is small from now on.
    Abuse(Abuse, bool),
    /// The connection is over; write what is left and close the socket. Comes once, and last.
    Closed(Closed),
}
