//! The h2 connection behind either end, and the one step that moves it.

use crate::chunk::Chunk;
use crate::pipe::Io;
use crate::settings::{Settings, Side};
use h2::{RecvStream, client, server};
use http::Request;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

pub(crate) type Accepted = (Request<RecvStream>, server::SendResponse<Chunk>);

/// What h2 is doing for us.
pub(crate) enum Role {
    /// The client's preface is awaited; with `true` the server shuts down as soon as it came.
    Handshake(Pin<Box<server::Handshake<Io, Chunk>>>, bool),
    /// With `true` it was told to shut down.
    Server(Box<server::Connection<Io, Chunk>>, bool),
    /// Without its `SendRequest` the connection ends when its streams do.
    Client(Box<client::Connection<Io, Chunk>>, Option<client::SendRequest<Chunk>>),
    Over,
}

impl Role {
    pub(crate) fn new(settings: &Settings, io: Io, cx: &mut Context<'_>) -> Self {
        match settings.side {
            Side::Server => Self::Handshake(Box::pin(settings.server().handshake(io)), false),
            Side::Client => {
                let mut handshake = Box::pin(settings.client().handshake(io));
                // It only writes the preface, and the pipe takes it at once.
                match handshake.as_mut().poll(cx) {
                    Poll::Ready(Ok((requests, connection))) => Self::Client(Box::new(connection), Some(requests)),
                    Poll::Ready(Err(_)) | Poll::Pending => Self::Over,
                }
            }
        }
    }

    /// Lets h2 read, write and accept until it can do no more. `Some`: the connection is over.
    pub(crate) fn drive(
        &mut self,
        cx: &mut Context<'_>,
        accepted: &mut Vec<Accepted>,
    ) -> Option<Result<(), h2::Error>> {
        if let Self::Handshake(handshake, shut_down) = self {
            match handshake.as_mut().poll(cx) {
                Poll::Pending => return None,
                Poll::Ready(Err(error)) => return Some(Err(error)),
                Poll::Ready(Ok(mut connection)) => {
                    if *shut_down {
                        connection.graceful_shutdown();
                    }
                    *self = Self::Server(Box::new(connection), *shut_down);
                }
            }
        }
        match self {
            Self::Server(connection, _) => loop {
                match connection.poll_accept(cx) {
                    Poll::Ready(Some(Ok(request))) => accepted.push(request),
                    Poll::Ready(Some(Err(error))) => return Some(Err(error)),
                    Poll::Ready(None) => return Some(Ok(())),
                    Poll::Pending => return None,
                }
            },
            Self::Client(connection, _) => match Pin::new(connection.as_mut()).poll(cx) {
                Poll::Ready(result) => Some(result),
                Poll::Pending => None,
            },
            Self::Handshake(..) | Self::Over => None,
        }
    }

    /// Ends without breaking a call: GOAWAY from a server, no more calls from a client.
    pub(crate) fn shut_down(&mut self) {
        match self {
            Self::Server(connection, shut_down) => {
                connection.graceful_shutdown();
                *shut_down = true;
            }
            Self::Client(_, requests) => *requests = None,
            Self::Handshake(_, shut_down) => *shut_down = true,
            Self::Over => {}
        }
    }

    /// Tells the peer how much the streams take from now on. False: not now, the peer has yet to answer.
    pub(crate) fn set_window(&mut self, bytes: u32) -> bool {
        match self {
            Self::Server(connection, _) => connection.set_initial_window_size(bytes).is_ok(),
            Self::Client(connection, _) => connection.set_initial_window_size(bytes).is_ok(),
            Self::Handshake(..) | Self::Over => false,
        }
    }

    /// A server that was told to shut down.
    pub(crate) fn is_shutting_down(&self) -> bool {
        matches!(self, Self::Server(_, true))
    }

    /// Calls the peer lets us have open. 0 on a server or after the end.
    pub(crate) fn max_calls(&self) -> usize {
        match self {
            Self::Client(_, Some(requests)) => requests.current_max_send_streams(),
            _ => 0,
        }
    }

    /// Streams h2 itself still holds.
    #[cfg(feature = "introspect")]
    pub(crate) fn wired(&self) -> usize {
        match self {
            Self::Server(connection, _) => connection.num_wired_streams(),
            Self::Client(_, Some(requests)) => requests.num_wired_streams(),
            _ => 0,
        }
    }
}
