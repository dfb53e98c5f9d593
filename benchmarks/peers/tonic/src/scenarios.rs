//! What is measured: the names in `benchmarks/scenarios.py`, and the work behind each.

use std::time::Duration;

use tonic::Streaming;

use crate::bench::Reply;
use crate::client::{Client, Payload};
use crate::work::{CONCURRENT_CALLS, Failure, SUBSCRIBERS};

const KIB: u32 = 1024;

impl Payload {
    fn first_count(self) -> usize {
        match self {
            Self::Blob(size) if size > 64 * KIB => 64,
            Self::Blob(size) if size > 16 * KIB => 512,
            Self::Blob(size) if size > KIB => 1_000,
            _ => 2_000,
        }
    }
}

/// What one unit of a scenario is.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// A call.
    Unary,
    /// A call, many at once.
    UnaryAtOnce,
    /// A message there and back.
    PingPong,
    /// A message from the server.
    ServerStream(Payload),
    /// A message to the server.
    ClientStream(Payload),
    /// A message each way.
    BothStream(Payload),
    /// Bytes from the server.
    RawServerStream,
    /// Bytes to the server.
    RawClientStream,
    /// A message that one of many streams got.
    Broadcast,
}

impl Work {
    /// Give the work of a scenario.
    ///
    /// # Errors
    ///
    /// There is none of that name.
    pub fn named(name: &str) -> Result<Self, Failure> {
        let (kind, payload) = match name.rsplit_once('_') {
            Some((kind, "1kib")) => (kind, Payload::Blob(KIB)),
            Some((kind, "16kib")) => (kind, Payload::Blob(16 * KIB)),
            Some((kind @ "blobs", "64kib")) => (kind, Payload::Blob(64 * KIB)),
            Some((kind @ "blobs", "1mib")) => (kind, Payload::Blob(1024 * KIB)),
            _ => (name, Payload::Text),
        };
        Ok(match (kind, payload) {
            ("unary", Payload::Text) => Self::Unary,
            ("unary_64", Payload::Text) => Self::UnaryAtOnce,
            ("ping_pong", Payload::Text) => Self::PingPong,
            ("server_stream", _) | ("blobs", Payload::Blob(_)) => Self::ServerStream(payload),
            ("client_stream", _) => Self::ClientStream(payload),
            ("both_stream", _) => Self::BothStream(payload),
            ("raw_server_stream", Payload::Text) => Self::RawServerStream,
            ("raw_client_stream", Payload::Text) => Self::RawClientStream,
            ("broadcast_1000", Payload::Text) => Self::Broadcast,
            _ => return Err(format!("there is no scenario {name:?}").into()),
        })
    }

    /// Units of the first run, which only warms up.
    #[must_use]
    pub fn first_count(self) -> usize {
        match self {
            Self::Unary => 300,
            Self::UnaryAtOnce => 20 * CONCURRENT_CALLS,
            Self::PingPong => 500,
            Self::ServerStream(payload) | Self::ClientStream(payload) | Self::BothStream(payload) => {
                payload.first_count()
            }
            Self::RawServerStream | Self::RawClientStream => 2_000,
            Self::Broadcast => 10 * SUBSCRIBERS,
        }
    }

    /// Units come in groups of so many.
    #[must_use]
    pub fn group(self) -> usize {
        match self {
            Self::Broadcast => SUBSCRIBERS,
            _ => 1,
        }
    }
}

/// A client with what stays open from one run to the next.
#[derive(Debug)]
pub struct Bench {
    client: Client,
    subscriptions: Vec<Streaming<Reply>>,
}

impl Bench {
    /// Use this client.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client, subscriptions: Vec::new() }
    }

    /// Do what work needs before its time is taken.
    ///
    /// # Errors
    ///
    /// A call failed.
    pub async fn prepare(&mut self, work: Work) -> Result<(), Failure> {
        // One scenario's streams are none of the next one's business.
        self.subscriptions.clear();
        if matches!(work, Work::Broadcast) {
            self.subscriptions = self.client.subscribe().await?;
        }
        Ok(())
    }

    /// Do work so many times; gives what each took, where latency counts.
    ///
    /// # Errors
    ///
    /// A call failed, or a message is wrong.
    pub async fn run(&mut self, work: Work, count: usize) -> Result<Vec<Duration>, Failure> {
        let client = &mut self.client;
        match work {
            Work::Unary => return client.unary(count).await,
            Work::PingPong => return client.ping_pong(count).await,
            Work::UnaryAtOnce => client.unary_at_once(count).await?,
            Work::ServerStream(payload) => client.server_stream(count, payload).await?,
            Work::ClientStream(payload) => client.client_stream(count, payload).await?,
            Work::BothStream(payload) => client.both_stream(count, payload).await?,
            Work::RawServerStream => client.raw_server_stream(count).await?,
            Work::RawClientStream => client.raw_client_stream(count).await?,
            Work::Broadcast => {
                let streams = std::mem::take(&mut self.subscriptions);
                self.subscriptions = client.broadcast(count / SUBSCRIBERS, streams).await?;
            }
        }
        Ok(Vec::new())
    }
}
