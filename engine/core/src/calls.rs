//! What the application does with the calls of a connection.

use crate::connection::Connection;
use crate::event::{Outcome, Reply};
use crate::item::{Body, Item};
use crate::outbox::Payload;
use crate::request::{Call, CallError, response_head};
use crate::response::HTTP_STATUS_SIZE;
use crate::role::Role;
use crate::stream::{End, Stream};
use crate::tally::{Tally, Waits};
use crate::wire::coding::Coding;
use crate::wire::metadata::{self, MetadataError, Pairs, list_size};
use crate::wire::status::{self, Code};
use h2::Reason;
use http::HeaderMap;

/// What a receiver finds.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<B> {
    /// Messages.
    Item(Item<B>),
    /// Nothing yet.
    Nothing,
    /// The peer half-closed, and all before that was taken.
    HalfClosed,
    /// The call is over.
    Gone,
}

/// What became of a message to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is queued, whole.
    Queued,
    /// The queue is full; nothing was queued.
    Full,
    /// The sending side has ended, or the call is over.
    Gone,
}

/// What else stands in front of a status that comes without a response head.
const HEAD_SIZE: usize = HTTP_STATUS_SIZE + "content-typeapplication/grpc".len() + 32;
/// What is kept of a status message that is too long for the peer.
const SHORT_MESSAGE_BYTES: usize = 1024;

/// Trailers in the place of those the peer would not take: an error stays what it is, without what came with it; an OK
/// without its metadata would be a lie.
fn shortened(reply: &Reply, error: &MetadataError) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if reply.code == Code::Ok as u8 {
        status::write(Code::ResourceExhausted as u8, &format!("trailing {error}"), &mut trailers);
    } else {
        let end = reply.message.floor_char_boundary(SHORT_MESSAGE_BYTES);
        status::write(reply.code, &reply.message[..end], &mut trailers);
    }
    trailers
}

impl<B: Body> Connection<B> {
    /// Client: starts a call; its HEADERS leave with the next flush.
    ///
    /// The caller keeps [`Connection::open_calls`] below [`Connection::max_calls`].
    ///
    /// # Errors
    /// [`CallError`]; nothing was sent.
    pub fn open(&mut self, call: &Call<'_>) -> Result<u32, CallError> {
        let request = call.request(self.settings.user_agent.clone(), &mut self.target)?;
        self.check_headers(list_size(request.headers()) + call.pseudo_size())?;
        let Role::Client(_, Some(requests)) = &self.role else {
            return Err(CallError::Connection("the connection takes no new calls".to_owned()));
        };
        // The rule of one request that waits is per handle: a clone for each.
        let (response, send) =
            requests.clone().send_request(request, false).map_err(|error| CallError::Connection(error.to_string()))?;
        let id = u32::from(send.stream_id());
        let mut stream = Stream::new(id, &self.ready, &self.settings, self.windows.size);
        stream.response = Some(response);
        stream.send = Some(send);
        stream.coding = call.coding;
        (stream.times.last_in, stream.times.last_out) = (self.now, self.now);
        self.streams.insert(id, Box::new(stream));
        self.ready.wake_connection();
        // The first poll registers its waker.
        self.service(id);
        Ok(id)
    }

    /// Server: sends initial metadata. False: it was sent before, or the call is over.
    ///
    /// # Errors
    /// [`MetadataError`]; nothing was sent.
    pub fn respond(&mut self, id: u32, metadata: &Pairs) -> Result<bool, MetadataError> {
        if !metadata.is_empty() {
            let head = response_head(metadata, self.streams.get(&id).and_then(|stream| stream.coding))?;
            self.check_headers(list_size(head.headers()) + HTTP_STATUS_SIZE)?;
        }
        let Some(stream) = self.streams.get_mut(&id) else { return Ok(false) };
        self.strikes.forgive();
        stream.respond(metadata)
    }

    /// How messages to the peer are compressed.
    #[must_use]
    pub fn coding(&self, id: u32) -> Option<Coding> {
        self.streams.get(&id).and_then(|stream| stream.coding)
    }

    /// How the peer compresses its messages, as far as it has said.
    #[must_use]
    pub fn peer_coding(&self, id: u32) -> Option<Coding> {
        self.streams.get(&id).and_then(|stream| stream.inbox.coding())
    }

    /// Server: compresses the messages of a call with `coding`, if the client offered that, else not at all. False: the
    /// response head is out, or the call is over; nothing changed.
    pub fn compress_with(&mut self, id: u32, coding: Option<Coding>) -> bool {
        self.streams.get_mut(&id).is_some_and(|stream| stream.compress_with(coding))
    }

    /// Queues one message, if less than the limit is queued.
    ///
    /// # Panics
    /// If the payload is 4 GiB or longer.
    pub fn push(&mut self, id: u32, payload: &Payload<'_>) -> Pushed {
        let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.end.is_none()) else { return Pushed::Gone };
        if stream.outbox.len() >= self.kept.send_limit(&self.settings) {
            return Pushed::Full;
        }
        if stream.respond.is_some() {
            stream.respond(&Pairs::new()).expect("no metadata, no error");
        } else if stream.send.is_none() {
            return Pushed::Gone;
        }
        if stream.outbox.is_empty() {
            self.schedule.mark(id);
        }
        let grown = stream.outbox.push(payload);
        self.kept.queue(stream, grown);
        stream.times.last_out = self.now;
        Pushed::Queued
    }

    /// Puts a message in the place of the newest one, if no byte of that has left.
    pub fn replace_newest(&mut self, id: u32, payload: &Payload<'_>) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        let replaced = stream.outbox.replace_newest(payload);
        if replaced {
            stream.times.last_out = self.now;
            self.kept.follow(stream);
        }
        replaced
    }

    /// Less than the limit is queued: `push` has room for one more message.
    #[must_use]
    pub fn has_room(&self, id: u32) -> bool {
        self.queued(id) < self.kept.send_limit(&self.settings)
    }

    /// Bytes queued for sending.
    #[must_use]
    pub fn queued(&self, id: u32) -> usize {
        self.streams.get(&id).map_or(0, |stream| stream.outbox.len())
    }

    /// The peer has not half-closed, and the call is not over.
    #[must_use]
    pub fn peer_may_send(&self, id: u32) -> bool {
        self.streams.get(&id).is_some_and(|stream| !stream.half_closed)
    }

    /// Bytes received and not taken.
    #[must_use]
    pub fn held(&self, id: u32) -> usize {
        self.streams.get(&id).map_or(0, |stream| stream.held())
    }

    /// A sender waits: `Writable` tells when half of the limit is free. False: the call is over.
    pub fn await_room(&mut self, id: u32) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return false };
        stream.sender_waits = true;
        // There may be room already: no flush would tell.
        self.tell_sender(id);
        true
    }

    /// Client: ends the sending side after what is queued.
    pub fn half_close(&mut self, id: u32) {
        if let Some(stream) = self.streams.get_mut(&id).filter(|stream| stream.send.is_some()) {
            stream.end = Some(End::HalfClose);
            self.schedule.mark(id);
        }
    }

    /// Server: ends the call after what is queued, or at once without it (`discard`). `Ended` tells when it is out.
    ///
    /// # Errors
    /// [`MetadataError`]; the call goes on.
    pub fn finish(&mut self, id: u32, reply: &Reply, discard: bool) -> Result<(), MetadataError> {
        let mut trailers = HeaderMap::with_capacity(2 + reply.trailers.len());
        status::write(reply.code, &reply.message, &mut trailers);
        if !reply.details.is_empty() {
            metadata::write_details(&reply.details, &mut trailers);
        }
        metadata::write(&reply.trailers, &mut trailers)?;
        if let Err(error) = self.check_headers(list_size(&trailers) + HEAD_SIZE) {
            trailers = shortened(reply, &error);
        }
        if let Some(stream) = self.streams.get_mut(&id) {
            if discard {
                stream.drop_queue();
                self.kept.follow(stream);
            }
            stream.end = Some(End::Trailers(Box::new(trailers)));
            self.schedule.mark(id);
        }
        Ok(())
    }

    /// Ends a call towards the peer with RST_STREAM. No event follows; what passed over it is told here.
    pub fn reset(&mut self, id: u32, reason: Reason) -> Option<Tally> {
        let stream = self.streams.remove(&id)?;
        self.kept.forget(&stream);
        self.conduct.ended_early();
        let tally = stream.tally(self.now, Waits::Nothing);
        stream.reset(reason);
        Some(tally)
    }

    /// Takes the oldest messages.
    pub fn take(&mut self, id: u32) -> Received<B> {
        let Some(stream) = self.streams.get_mut(&id) else { return Received::Gone };
        match stream.inbox.take() {
            Some(item) => {
                stream.lent += item.wire_bytes();
                Received::Item(item)
            }
            None if stream.half_closed => Received::HalfClosed,
            None => Received::Nothing,
        }
    }

    /// The application is done with messages of `bytes` in all, prefixes included: their window may be given back.
    pub fn took(&mut self, id: u32, bytes: usize) {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.took(bytes);
            self.kept.follow(stream);
            // No turn need follow.
            self.charge();
        }
    }

    /// A message that the application is about to take is expanded so far; 0: it took it. True: there are events.
    pub fn expanded(&mut self, id: u32, bytes: usize) -> bool {
        if let Some(stream) = self.streams.get_mut(&id) {
            stream.expanded = bytes;
            self.kept.follow(stream);
            self.keep_within_budget();
            self.charge();
        }
        !self.events.is_empty()
    }

    /// A receiver waits. True: it need not, something is there. `Readable` tells otherwise.
    pub fn await_message(&mut self, id: u32) -> bool {
        let Some(stream) = self.streams.get_mut(&id) else { return true };
        if stream.is_readable() {
            return true;
        }
        stream.receiver_waits = true;
        stream.release_for_waiting_receiver();
        false
    }

    /// Tells the peer why its call is refused (a client can only give a `reason`), before `Ended` tells the application.
    pub(crate) fn refuse_stream(&mut self, id: u32, outcome: &Outcome, reason: Reason) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        if matches!(self.role, Role::Server(..)) {
            let mut trailers = HeaderMap::new();
            status::write(outcome.code, &outcome.message, &mut trailers);
            stream.drop_queue();
            stream.end = Some(End::Trailers(Box::new(trailers)));
            stream.finish_sending();
            self.strikes.forgive();
        } else if let Some(send) = stream.send.as_mut() {
            send.send_reset(reason);
        }
    }
}
