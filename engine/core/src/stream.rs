//! One call: its two h2 halves, its inbox and outbox, and what its application waits for.

use crate::budget::{Kept, Share};
use crate::chunk::Chunk;
use crate::event::{Cause, Origin, Outcome};
use crate::inbox::{Inbox, InboxError};
use crate::item::Body;
use crate::outbox::Outbox;
use crate::ready::{Ready, StreamNote};
use crate::response;
use crate::schedule::QUANTUM_BYTES;
use crate::settings::{Settings, Side};
use crate::tally::Times;
use crate::wire::coding::{Coding, Codings};
use crate::wire::metadata::Pairs;
use crate::wire::prefix::PrefixError;
use crate::wire::status::Code;
use h2::{Reason, RecvStream, SendStream, client, server};
use http::HeaderMap;
use std::future::Future;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

/// What keeps queued bytes from leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Nothing is queued.
    Idle,
    /// Waits for its turn: the connection's window or the socket.
    Queued,
    /// Waits for the peer to open the stream's window.
    Window,
}

/// How the sending side ends once its queue is empty.
#[derive(Debug)]
pub(crate) enum End {
    HalfClose,
    Trailers(Box<HeaderMap>),
}

/// What a stream has of h2.
pub(crate) type Handles = (
    Option<client::ResponseFuture>,
    Option<server::SendResponse<Chunk>>,
    Option<RecvStream>,
    Option<SendStream<Chunk>>,
);

pub(crate) struct Stream<B> {
    side: Side,
    pub(crate) note: Arc<StreamNote>,
    waker: Waker,
    pub(crate) response: Option<client::ResponseFuture>,
    pub(crate) respond: Option<server::SendResponse<Chunk>>,
    pub(crate) receive: Option<RecvStream>,
    pub(crate) send: Option<SendStream<Chunk>>,
    pub(crate) inbox: Inbox<B>,
    pub(crate) outbox: Outbox,
    pub(crate) sending: Sending,
    pub(crate) end: Option<End>,
    /// How messages to the peer are compressed.
    pub(crate) coding: Option<Coding>,
    /// What the peer can expand.
    pub(crate) accepts: Codings,
    /// Bytes ever handed to h2: a stream that had none goes first.
    pub(crate) handed: usize,
    /// What is left of its portion of the schedule.
    pub(crate) portion: usize,
    pub(crate) times: Times,
    /// What the connection counts for it.
    pub(crate) kept: Kept,
    /// Budgets that hold for calls like this one.
    pub(crate) share: Option<Box<Share>>,
    /// Received bytes that the application was given and is not done with.
    pub(crate) lent: usize,
    /// What a message has become that is partly expanded.
    pub(crate) expanded: usize,
    /// Received bytes whose window was not given back yet.
    held: usize,
    /// Of those, what the application has taken.
    taken: usize,
    /// What was given back before the application took it.
    early: usize,
    /// Window is given back in steps of this.
    release_step: usize,
    /// The peer sent all it will.
    pub(crate) half_closed: bool,
    /// Largest header list we take.
    max_header_list: usize,
    pub(crate) receiver_waits: bool,
    pub(crate) sender_waits: bool,
}

impl<B: Body> Stream<B> {
    /// `window`: what the peer was told last.
    pub(crate) fn new(id: u32, ready: &Arc<Ready>, settings: &Settings, window: u32) -> Self {
        let note = StreamNote::new(id, ready);
        Self {
            side: settings.side,
            waker: Waker::from(note.clone()),
            note,
            response: None,
            respond: None,
            receive: None,
            send: None,
            inbox: Inbox::new(settings.max_receive_message_bytes),
            outbox: Outbox::default(),
            sending: Sending::Idle,
            end: None,
            coding: None,
            accepts: Codings::default(),
            handed: 0,
            portion: QUANTUM_BYTES,
            times: Times::default(),
            kept: Kept::default(),
            share: None,
            lent: 0,
            expanded: 0,
            held: 0,
            taken: 0,
            early: 0,
            release_step: release_step(window),
            half_closed: false,
            max_header_list: settings.max_header_list_bytes as usize,
            receiver_waits: false,
            sender_waits: false,
        }
    }

    /// Parts with h2.
    pub(crate) fn let_go(&mut self) -> Handles {
        (self.response.take(), self.respond.take(), self.receive.take(), self.send.take())
    }

    /// Reads all h2 has for this stream. `Break`: the call is over. `responded` gets the metadata of a response that began,
    /// also if it ended at once.
    ///
    /// `ending`: the connection is over, which h2 reports to a sending half as if the peer had reset it.
    pub(crate) fn poll(&mut self, ending: bool, responded: &mut Option<Pairs>) -> ControlFlow<Outcome> {
        self.note.clear();
        let waker = self.waker.clone();
        let mut cx = Context::from_waker(&waker);
        *responded = self.poll_response(&mut cx)?;
        if self.receive.is_some() {
            self.poll_data(&mut cx)?;
        }
        if self.receive.is_none() && self.response.is_none() {
            // No half is left that would be told of a RST_STREAM: ask for it.
            self.poll_reset(&mut cx, ending)?;
        }
        ControlFlow::Continue(())
    }

    fn poll_response(&mut self, cx: &mut Context<'_>) -> ControlFlow<Outcome, Option<Pairs>> {
        let Some(future) = self.response.as_mut() else { return ControlFlow::Continue(None) };
        let parts = match Pin::new(future).poll(cx) {
            Poll::Pending => return ControlFlow::Continue(None),
            Poll::Ready(Err(error)) => return ControlFlow::Break(response::error(&error)),
            Poll::Ready(Ok(response)) => {
                self.response = None;
                let (parts, body) = response.into_parts();
                self.receive = Some(body);
                parts
            }
        };
        let last = self.receive.as_ref().is_some_and(RecvStream::is_end_stream);
        match response::head(&parts, last, self.max_header_list) {
            Ok((pairs, coding)) => {
                self.inbox.expect(coding);
                ControlFlow::Continue(Some(pairs))
            }
            Err(outcome) => ControlFlow::Break(outcome),
        }
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> ControlFlow<Outcome> {
        while let Some(receive) = self.receive.as_mut() {
            match receive.poll_data(cx) {
                Poll::Pending => break,
                Poll::Ready(Some(Err(error))) => return ControlFlow::Break(response::error(&error)),
                Poll::Ready(Some(Ok(data))) => {
                    self.held += data.len();
                    if let Err(error) = self.inbox.read(&data) {
                        return ControlFlow::Break(refused(&error));
                    }
                }
                Poll::Ready(None) => match receive.poll_trailers(cx) {
                    Poll::Pending => break,
                    Poll::Ready(Err(error)) => return ControlFlow::Break(response::error(&error)),
                    Poll::Ready(Ok(trailers)) => return self.peer_ended(trailers.as_ref()),
                },
            }
        }
        self.release_for_waiting_receiver();
        ControlFlow::Continue(())
    }

    /// END_STREAM came. For a client that is the end of the call, for a server the half-close.
    fn peer_ended(&mut self, trailers: Option<&HeaderMap>) -> ControlFlow<Outcome> {
        self.release(self.held);
        self.receive = None;
        let whole = self.inbox.end();
        if self.side == Side::Server {
            self.half_closed = true;
            return match whole {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => ControlFlow::Break(refused(&error)),
            };
        }
        let outcome = response::trailers(trailers, self.max_header_list);
        match whole {
            Err(error) if outcome.code == Code::Ok as u8 => ControlFlow::Break(refused(&error)),
            _ => ControlFlow::Break(outcome),
        }
    }

    fn poll_reset(&mut self, cx: &mut Context<'_>, ending: bool) -> ControlFlow<Outcome> {
        let polled = match (self.respond.as_mut(), self.send.as_mut()) {
            (Some(respond), _) => respond.poll_reset(cx),
            (None, Some(send)) => send.poll_reset(cx),
            (None, None) => return ControlFlow::Continue(()),
        };
        match polled {
            Poll::Pending => ControlFlow::Continue(()),
            // No connection ends with this reason: the peer cancelled the call just before it parted.
            Poll::Ready(Ok(reason)) if ending && reason != Reason::CANCEL => {
                ControlFlow::Break(response::lost("the connection ended"))
            }
            Poll::Ready(Ok(reason)) => ControlFlow::Break(response::reset(reason)),
            Poll::Ready(Err(error)) => ControlFlow::Break(response::error(&error)),
        }
    }

    /// The receiver found nothing: give back the window of a message that is not whole yet, or one larger than the
    /// window would never arrive. Bounded by the message limit, which its prefix has passed.
    pub(crate) fn release_for_waiting_receiver(&mut self) {
        if self.receiver_waits && !self.inbox.has_message() {
            self.early += self.held - self.taken.min(self.held);
            self.release(self.held);
        }
    }

    /// The application took messages of `bytes` in all, prefixes included.
    pub(crate) fn took(&mut self, bytes: usize) {
        self.lent -= bytes.min(self.lent);
        // What was given back early comes first in the stream, and must not be given back twice.
        let early = bytes.min(self.early);
        self.early -= early;
        self.taken += bytes - early;
        if self.taken >= self.release_step {
            self.release(self.taken);
        }
    }

    /// The window has another size now: it is given back in steps that fit.
    pub(crate) fn release_within(&mut self, window: u32) {
        self.release_step = release_step(window);
        if self.taken >= self.release_step {
            self.release(self.taken);
        }
    }

    /// The peer has heard of a smaller window: what was given back before may have to be told now, and h2 looks at that
    /// only when it is given something.
    pub(crate) fn look_at_window(&mut self) {
        if let Some(receive) = self.receive.as_mut() {
            let _closed = receive.flow_control().release_capacity(0);
        }
    }

    fn release(&mut self, bytes: usize) {
        // Whatever the application says it took: never more than is held.
        let bytes = bytes.min(self.held);
        self.taken = 0;
        if bytes == 0 {
            return;
        }
        self.held -= bytes;
        if let Some(receive) = self.receive.as_mut() {
            // It fails only for a stream that is closed already, whose window h2 has given back itself.
            let _closed = receive.flow_control().release_capacity(bytes);
        }
    }

    /// Bytes received that the application has not taken, and what one of its messages has become.
    pub(crate) fn held(&self) -> usize {
        self.inbox.bytes() + self.lent + self.expanded
    }

    /// The receiver that waits can go on.
    pub(crate) fn is_readable(&self) -> bool {
        self.inbox.has_message() || self.half_closed
    }
}

/// A quarter: seldom, and before the peer has to wait.
fn release_step(window: u32) -> usize {
    (window / 4).max(1) as usize
}

/// What reading the peer's messages ends with when they break a rule or a limit.
fn refused(error: &InboxError) -> Outcome {
    let (code, cause) = match error {
        InboxError::Prefix(PrefixError::TooLong { .. }) | InboxError::Memory(_) => {
            (Code::ResourceExhausted, Cause::Limit)
        }
        InboxError::Prefix(PrefixError::Flag(_)) | InboxError::Compressed | InboxError::Truncated => {
            (Code::Internal, Cause::Broken)
        }
    };
    Outcome::new(code, error.to_string(), Origin::Local, cause)
}
