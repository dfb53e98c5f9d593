//! The handlers of the service of bytes.

use std::iter::{RepeatN, repeat_n};

use bytes::Bytes;
use tokio_stream::{Iter, iter};
use tonic::{Request, Response, Status, Streaming};

use crate::raw::raw_server::Raw;
use crate::work::TEXT;

/// Answers without state.
#[derive(Debug, Default)]
pub struct RawService;

#[tonic::async_trait]
impl Raw for RawService {
    type ServerStreamStream = Iter<RepeatN<Result<Bytes, Status>>>;

    async fn server_stream(&self, request: Request<Bytes>) -> Result<Response<Self::ServerStreamStream>, Status> {
        let count = str::from_utf8(request.get_ref()).ok().and_then(|count| count.parse().ok());
        let count = count.ok_or_else(|| Status::invalid_argument("the request is no count"))?;
        let message = Bytes::from_static(TEXT.as_bytes());
        Ok(Response::new(iter(repeat_n(Ok(message), count))))
    }

    async fn client_stream(&self, request: Request<Streaming<Bytes>>) -> Result<Response<Bytes>, Status> {
        let mut requests = request.into_inner();
        let mut count = 0_u64;
        while let Some(message) = requests.message().await? {
            if message != TEXT.as_bytes() {
                return Err(Status::invalid_argument(format!("{message:?} came, not {TEXT:?}")));
            }
            count += 1;
        }
        Ok(Response::new(Bytes::from(count.to_string())))
    }
}
