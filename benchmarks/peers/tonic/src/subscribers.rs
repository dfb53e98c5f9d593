//! The streams that get what is published.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::bench::Reply;

/// Messages that wait for one stream. With fewer, less goes into one frame.
const QUEUED: usize = 64;

/// Everybody who listens.
#[derive(Debug, Default)]
pub struct Subscribers {
    streams: Mutex<Vec<Sender<Reply>>>,
}

impl Subscribers {
    /// Give a new stream its messages; the first one is empty, and there at once.
    pub fn add(&self) -> Receiver<Reply> {
        let (sender, receiver) = mpsc::channel(QUEUED);
        sender.try_send(Reply::default()).expect("a new queue has room and its receiver");
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| !stream.is_closed());
        streams.push(sender);
        receiver
    }

    /// Hand the reply over to all of them, so many times; waits for those that have no room. Gives their number.
    pub async fn publish(&self, reply: &Reply, times: u32) -> usize {
        let streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for _ in 0..times {
            for stream in &streams {
                // One that has gone needs nothing.
                stream.send(reply.clone()).await.ok();
            }
        }
        streams.iter().filter(|stream| !stream.is_closed()).count()
    }
}
