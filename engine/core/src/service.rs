//! One stream's share of a turn: it is accepted, polled, and at last ended.

use crate::connection::{Connection, Phase};
use crate::event::{Cause, Event, Origin, Outcome};
use crate::item::Body;
use crate::request;
use crate::role::Accepted;
use crate::settings::Side;
use crate::stream::Stream;
use crate::tally::Waits;
use crate::wire::status::Code;
use h2::Reason;
use std::ops::ControlFlow;

impl<B: Body> Connection<B> {
    pub(crate) fn accept(&mut self, (request, mut respond): Accepted) {
        let (parts, receive) = request.into_parts();
        let id = u32::from(receive.stream_id());
        self.last_accepted = self.last_accepted.max(id);
        self.conduct.opened(self.now);
        match request::read(&parts, self.settings.any_subtype) {
            Err(refusal) => {
                // It fails only if the peer has reset the stream, which then wants no answer.
                let _reset = respond.send_response(refusal.response(), true);
                self.spoiled(false);
            }
            Ok(head) => {
                let mut stream = Stream::new(id, &self.ready, &self.settings, self.windows.size);
                (stream.times.last_in, stream.times.last_out) = (self.now, self.now);
                stream.respond = Some(respond);
                stream.receive = Some(receive);
                stream.inbox.expect(head.coding);
                stream.accepts = head.accepts;
                stream.compress_with(self.settings.coding);
                self.streams.insert(id, Box::new(stream));
                self.events.push(Event::Opened(id, head));
                self.service(id);
            }
        }
    }

    pub(crate) fn service(&mut self, id: u32) {
        let Some(stream) = self.streams.get_mut(&id) else { return };
        // It may have left h2's queue of streams to open.
        self.schedule.window_grew(id, stream);
        let mut responded = None;
        let arrived = stream.inbox.arrived.messages;
        let polled = stream.poll(self.phase == Phase::Ending, &mut responded);
        if stream.inbox.arrived.messages != arrived {
            stream.times.last_in = self.now;
        }
        self.kept.follow(stream);
        let coding = stream.inbox.coding();
        self.events.extend(responded.map(|pairs| Event::Responded(id, pairs, coding)));
        match polled {
            ControlFlow::Break(outcome) => self.end_with(id, outcome),
            ControlFlow::Continue(()) => {
                if stream.receiver_waits && stream.is_readable() {
                    stream.receiver_waits = false;
                    self.events.push(Event::Readable(id));
                }
            }
        }
    }

    /// A call is over because of what the peer or the connection did, or because we refuse what it sent.
    fn end_with(&mut self, id: u32, outcome: Outcome) {
        if outcome.origin == Origin::Local {
            self.refuse_stream(id, &outcome, Reason::CANCEL);
        }
        self.end(id, outcome);
    }

    pub(crate) fn tell_sender(&mut self, id: u32) {
        let limit = self.kept.send_limit(&self.settings);
        let Some(stream) = self.streams.get_mut(&id) else { return };
        self.kept.follow(stream);
        if stream.sender_waits && stream.outbox.len() <= limit / 2 {
            stream.sender_waits = false;
            self.events.push(Event::Writable(id));
        }
    }

    pub(crate) fn end(&mut self, id: u32, mut outcome: Outcome) {
        // Dropping its halves cancels towards the peer what is still open.
        let Some(mut stream) = self.streams.remove(&id) else { return };
        self.kept.forget(&stream);
        let tally = stream.tally(self.now, Waits::Nothing);
        if self.settings.side == Side::Client
            && outcome.origin == Origin::Remote
            && let Some(send) = stream.send.as_mut()
        {
            // The peer answered before it had all: it is told that no more will come, and that nothing is wrong.
            send.send_reset(Reason::NO_ERROR);
        }
        self.lost |= outcome.origin == Origin::Transport && !outcome.unprocessed;
        if self.settings.side == Side::Server && outcome.origin == Origin::Transport {
            // For a handler a lost connection is the same as a client that left.
            outcome.code = Code::Cancelled as u8;
        }
        if outcome.cause == Cause::Lost
            && let Some(said) = &self.io.lock().sniffer.seen.go_away
        {
            outcome.message = format!("{}; the peer had sent {said}", outcome.message);
        }
        // Nobody saw a call that is over so soon: it costs a tenth of what a handler does that is cancelled at once.
        let unseen = outcome.cause == Cause::Reset
            && self.events.pop_if(|event| matches!(event, Event::Opened(last, _) if *last == id)).is_some();
        self.learn(&stream, &outcome);
        if unseen {
            return;
        }
        let untaken = std::iter::from_fn(|| stream.inbox.take()).collect();
        self.events.push(Event::Ended(id, outcome, untaken, tally));
    }

    /// How a call of the peer ended says something of the peer.
    fn learn(&mut self, stream: &Stream<B>, outcome: &Outcome) {
        if self.settings.side == Side::Client {
            return;
        }
        match (outcome.origin, outcome.cause) {
            (Origin::Remote, Cause::Reset) => self.spoiled(true),
            (Origin::Local, Cause::Limit | Cause::Broken) => self.spoiled(false),
            _ => {}
        }
        if outcome.origin == Origin::Local && !stream.half_closed {
            self.conduct.ended_early();
        }
    }

    fn spoiled(&mut self, by_reset: bool) {
        let abuse = self.conduct.spoiled(by_reset, self.now);
        self.events.extend(abuse.map(|abuse| Event::Abuse(abuse, false)));
    }
}
