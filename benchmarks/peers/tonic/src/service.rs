//! The handlers of `bench.proto`.

use std::iter::{RepeatN, repeat_n};

use bytes::Bytes;
use tokio_stream::adapters::Map;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Iter, StreamExt, iter};
use tonic::{Response, Status, Streaming};

use crate::bench::bench_server::Bench;
use crate::bench::{Reply, Request};
use crate::subscribers::Subscribers;
use crate::work::TEXT;

type Replies<T> = Result<Response<T>, Status>;

/// Answers without state, but for those who subscribed.
#[derive(Debug, Default)]
pub struct Service {
    subscribers: Subscribers,
}

#[tonic::async_trait]
impl Bench for Service {
    type ServerStreamStream = Iter<RepeatN<Result<Reply, Status>>>;
    type BothStreamStream = Map<Streaming<Request>, fn(Result<Request, Status>) -> Result<Reply, Status>>;
    type SubscribeStream = Map<ReceiverStream<Reply>, fn(Reply) -> Result<Reply, Status>>;

    async fn unary(&self, request: tonic::Request<Request>) -> Replies<Reply> {
        Ok(Response::new(echo(request.into_inner())))
    }

    async fn server_stream(&self, request: tonic::Request<Request>) -> Replies<Self::ServerStreamStream> {
        let Request { text, count, blob_bytes, .. } = request.into_inner();
        let reply = match blob_bytes {
            0 => Reply { text, ..Reply::default() },
            size => Reply { blob: Bytes::from(vec![0; size as usize]), ..Reply::default() },
        };
        Ok(Response::new(iter(repeat_n(Ok(reply), count as usize))))
    }

    async fn client_stream(&self, request: tonic::Request<Streaming<Request>>) -> Replies<Reply> {
        let mut requests = request.into_inner();
        let mut count = 0;
        while let Some(request) = requests.message().await? {
            if request.text != TEXT && request.blob.is_empty() {
                return Err(Status::invalid_argument(format!("{:?} came, not {TEXT:?}", request.text)));
            }
            count += 1;
        }
        Ok(Response::new(Reply { count, ..Reply::default() }))
    }

    async fn both_stream(&self, request: tonic::Request<Streaming<Request>>) -> Replies<Self::BothStreamStream> {
        Ok(Response::new(request.into_inner().map(|request| request.map(echo))))
    }

    async fn subscribe(&self, _: tonic::Request<Request>) -> Replies<Self::SubscribeStream> {
        Ok(Response::new(ReceiverStream::new(self.subscribers.add()).map(Ok)))
    }

    async fn publish(&self, request: tonic::Request<Request>) -> Replies<Reply> {
        let Request { text, count, .. } = request.into_inner();
        let reply = Reply { text, ..Reply::default() };
        let subscribers = self.subscribers.publish(&reply, count).await;
        let count = u32::try_from(subscribers).unwrap_or(u32::MAX);
        Ok(Response::new(Reply { count, ..Reply::default() }))
    }
}

fn echo(request: Request) -> Reply {
    Reply { text: request.text, blob: request.blob, count: 0 }
}
