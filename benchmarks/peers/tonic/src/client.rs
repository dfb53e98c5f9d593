//! The work of the scenarios, over one connection: each method checks every message.

use std::iter::repeat_n;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, iter};
use tonic::Streaming;
use tonic::transport::Channel;

use crate::bench::bench_client::BenchClient;
use crate::bench::{Reply, Request};
use crate::raw::raw_client::RawClient;
use crate::work::{CONCURRENT_CALLS, Failure, SUBSCRIBERS, TEXT, asking, check};

type Requests = ReceiverStream<Request>;

/// What a stream carries in each message.
#[derive(Clone, Copy, Debug)]
pub enum Payload {
    /// The text that all peers use.
    Text,
    /// So many bytes of zeros.
    Blob(u32),
}

/// One peer's client. A clone uses the same connection.
#[derive(Clone, Debug)]
pub struct Client {
    bench: BenchClient<Channel>,
    raw: RawClient<Channel>,
}

impl Client {
    /// Use this connection.
    #[must_use]
    pub fn new(channel: Channel) -> Self {
        Self { bench: BenchClient::new(channel.clone()), raw: RawClient::new(channel) }
    }

    /// Make calls one after another; gives what each took.
    ///
    /// # Errors
    ///
    /// A call failed, or a message is wrong; this is so for all of them.
    pub async fn unary(&mut self, count: usize) -> Result<Vec<Duration>, Failure> {
        let mut latencies = Vec::with_capacity(count);
        for _ in 0..count {
            let started = Instant::now();
            let reply = self.bench.unary(asking(text())).await?.into_inner();
            latencies.push(started.elapsed());
            check("reply", reply.text.as_str(), TEXT)?;
        }
        Ok(latencies)
    }

    /// Make calls, as many tasks at once as all peers have.
    pub async fn unary_at_once(&mut self, count: usize) -> Result<(), Failure> {
        let mut callers = JoinSet::new();
        for number in 0..CONCURRENT_CALLS {
            let calls = count / CONCURRENT_CALLS + usize::from(number < count % CONCURRENT_CALLS);
            let mut client = self.clone();
            callers.spawn(async move { client.unary(calls).await });
        }
        while let Some(done) = callers.join_next().await {
            done??;
        }
        Ok(())
    }

    /// Receive messages on one stream.
    pub async fn server_stream(&mut self, count: usize, payload: Payload) -> Result<(), Failure> {
        let request = match payload {
            Payload::Text => Request { count: u32::try_from(count)?, ..text() },
            Payload::Blob(blob_bytes) => Request { count: u32::try_from(count)?, blob_bytes, ..Request::default() },
        };
        let replies = self.bench.server_stream(asking(request)).await?.into_inner();
        check("replies", receive_all(replies, payload).await?, count)
    }

    /// Send messages on one stream.
    pub async fn client_stream(&mut self, count: usize, payload: Payload) -> Result<(), Failure> {
        let reply = self.bench.client_stream(asking(requests(count, payload))).await?.into_inner();
        check("requests", reply.count as usize, count)
    }

    /// Send messages on one stream without waiting, and receive each back meanwhile.
    pub async fn both_stream(&mut self, count: usize, payload: Payload) -> Result<(), Failure> {
        let replies = self.bench.both_stream(asking(requests(count, payload))).await?.into_inner();
        check("replies", receive_all(replies, payload).await?, count)
    }

    /// Send a text on one stream and wait for it; gives what each round trip took.
    pub async fn ping_pong(&mut self, count: usize) -> Result<Vec<Duration>, Failure> {
        let mut latencies = Vec::with_capacity(count);
        let mut started = Instant::now();
        let (sender, mut replies) = self.begin(asking).await?;
        loop {
            let reply = replies.message().await?.ok_or("the stream ended")?;
            latencies.push(started.elapsed());
            check("reply", reply.text.as_str(), TEXT)?;
            if latencies.len() == count {
                break;
            }
            started = Instant::now();
            sender.send(text()).await?;
        }
        drop(sender);
        check("after the last reply", replies.message().await?, None)?;
        Ok(latencies)
    }

    /// Open a stream and send its first text: a server may have nothing to say before.
    async fn begin(
        &mut self,
        ask: impl FnOnce(Requests) -> tonic::Request<Requests>,
    ) -> Result<(mpsc::Sender<Request>, Streaming<Reply>), Failure> {
        let (sender, requests) = mpsc::channel(1);
        sender.send(text()).await?;
        let replies = self.bench.both_stream(ask(ReceiverStream::new(requests))).await?.into_inner();
        Ok((sender, replies))
    }

    /// Open a stream without a deadline and exchange one message; what it gives waits for the next, which never comes.
    pub async fn hold(&mut self) -> Result<impl Future<Output = Result<(), Failure>> + Send + 'static, Failure> {
        let (sender, mut replies) = self.begin(tonic::Request::new).await?;
        let reply = replies.message().await?.ok_or("the stream ended")?;
        check("reply", reply.text.as_str(), TEXT)?;
        Ok(async move {
            replies.message().await?;
            drop(sender);
            Ok(())
        })
    }

    /// Receive bytes on one stream.
    pub async fn raw_server_stream(&mut self, count: usize) -> Result<(), Failure> {
        let request = asking(Bytes::from(count.to_string()));
        let mut replies = self.raw.server_stream(request).await?.into_inner();
        let mut received = 0;
        while let Some(message) = replies.message().await? {
            if message != TEXT.as_bytes() {
                check("reply", &message[..], TEXT.as_bytes())?;
            }
            received += 1;
        }
        check("replies", received, count)
    }

    /// Send bytes on one stream.
    pub async fn raw_client_stream(&mut self, count: usize) -> Result<(), Failure> {
        let message = Bytes::from_static(TEXT.as_bytes());
        let reply = self.raw.client_stream(asking(iter(repeat_n(message, count)))).await?.into_inner();
        check("requests", str::from_utf8(&reply)?, &count.to_string())
    }

    /// Open the streams that get what is published.
    pub async fn subscribe(&mut self) -> Result<Vec<Streaming<Reply>>, Failure> {
        let mut streams = Vec::with_capacity(SUBSCRIBERS);
        for _ in 0..SUBSCRIBERS {
            let mut replies = self.bench.subscribe(asking(Request::default())).await?.into_inner();
            check("first reply", replies.message().await?, Some(Reply::default()))?;
            streams.push(replies);
        }
        Ok(streams)
    }

    /// Publish texts and wait until every one of the streams got all; gives the streams back.
    pub async fn broadcast(
        &mut self,
        count: usize,
        streams: Vec<Streaming<Reply>>,
    ) -> Result<Vec<Streaming<Reply>>, Failure> {
        let mut receivers: JoinSet<_> = streams.into_iter().map(|stream| receive_some(stream, count)).collect();
        let request = Request { count: u32::try_from(count)?, ..text() };
        let subscribers = self.bench.publish(asking(request)).await?.into_inner().count;
        check("subscribers", subscribers as usize, SUBSCRIBERS)?;
        let mut streams = Vec::with_capacity(SUBSCRIBERS);
        while let Some(done) = receivers.join_next().await {
            streams.push(done??);
        }
        Ok(streams)
    }
}

fn text() -> Request {
    Request { text: TEXT.to_owned(), ..Request::default() }
}

fn requests(count: usize, payload: Payload) -> impl Stream<Item = Request> {
    let request = match payload {
        Payload::Text => text(),
        Payload::Blob(size) => Request { blob: Bytes::from(vec![0; size as usize]), ..Request::default() },
    };
    iter(repeat_n(request, count))
}

async fn receive_all(mut replies: Streaming<Reply>, payload: Payload) -> Result<usize, Failure> {
    let mut received = 0;
    while let Some(reply) = replies.message().await? {
        match payload {
            Payload::Text => check("reply", reply.text.as_str(), TEXT)?,
            Payload::Blob(size) => check("bytes of a blob", reply.blob.len(), size as usize)?,
        }
        received += 1;
    }
    Ok(received)
}

async fn receive_some(mut replies: Streaming<Reply>, count: usize) -> Result<Streaming<Reply>, Failure> {
    for _ in 0..count {
        let reply = replies.message().await?.ok_or("the stream ended")?;
        check("reply", reply.text.as_str(), TEXT)?;
    }
    Ok(replies)
}
