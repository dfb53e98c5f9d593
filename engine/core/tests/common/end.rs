//! One connection with its application: sends as room allows, takes what it reads, and writes down what it was told.

use super::{frames, settings};
use bytes::Bytes;
use penstock_core::wire::metadata::Pairs;
use penstock_core::wire::prefix::PREFIX_BYTES;
use penstock_core::{
    Abuse, CallHead, Closed, Connection, Event, GoAway, Item, Outcome, Payload, Pushed, Reason, Received, Reply,
    Settings, Side, Tally,
};
use std::collections::{BTreeMap, HashSet, VecDeque};

/// What one side knows of one call.
#[derive(Default)]
pub(crate) struct Call {
    pub(crate) head: Option<CallHead>,
    pub(crate) initial: Option<Pairs>,
    /// Messages taken, and those that came with the end.
    pub(crate) messages: Vec<Bytes>,
    pub(crate) half_closed: bool,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) tally: Option<Tally>,
    /// Takes messages as they come. Else they wait for [`End::read`].
    reads: bool,
    outgoing: VecDeque<Bytes>,
    then: Option<Then>,
}

#[derive(Clone)]
enum Then {
    HalfClose,
    Finish(Reply),
}

/// What an application reacts to.
pub(crate) enum Happening {
    Opened,
    Message(Bytes),
    HalfClosed,
    Ended,
}

type Reaction = Box<dyn FnMut(&mut End, u32, Happening)>;

pub(crate) struct End {
    pub(crate) connection: Connection<Vec<u8>>,
    pub(crate) calls: BTreeMap<u32, Call>,
    pub(crate) go_aways: Vec<GoAway>,
    pub(crate) abuses: Vec<(Abuse, bool)>,
    pub(crate) settings_seen: usize,
    pub(crate) pongs: usize,
    pub(crate) sheds: usize,
    pub(crate) over_budget: usize,
    pub(crate) closed: Option<Closed>,
    /// New calls read as messages come.
    pub(crate) reads: bool,
    /// Most events that ever waited at once.
    pub(crate) most_events: usize,
    side: Side,
    opened: HashSet<u32>,
    over: HashSet<u32>,
    /// Reset while a batch of events is being read, which may hold news of them.
    just_reset: HashSet<u32>,
    reaction: Option<Reaction>,
}

impl End {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            side: settings.side,
            connection: Connection::new(settings),
            calls: BTreeMap::new(),
            go_aways: Vec::new(),
            abuses: Vec::new(),
            settings_seen: 0,
            pongs: 0,
            sheds: 0,
            over_budget: 0,
            closed: None,
            reads: true,
            most_events: 0,
            opened: HashSet::new(),
            over: HashSet::new(),
            just_reset: HashSet::new(),
            reaction: None,
        }
    }

    pub(crate) fn of(side: Side) -> Self {
        Self::new(settings(side))
    }

    /// What this side does by itself.
    pub(crate) fn react(&mut self, reaction: impl FnMut(&mut Self, u32, Happening) + 'static) {
        self.reaction = Some(Box::new(reaction));
    }

    /// Client: starts a call.
    pub(crate) fn open(&mut self) -> u32 {
        let metadata = &Pairs::new();
        self.open_call(&penstock_core::Call {
            path: "/a.B/C",
            authority: "test",
            secure: false,
            timeout: None,
            coding: None,
            metadata,
        })
    }

    pub(crate) fn open_call(&mut self, call: &penstock_core::Call<'_>) -> u32 {
        let id = self.connection.open(call).expect("the connection takes calls");
        self.begin(id, None);
        id
    }

    /// Client: a call with one message, half-closed.
    pub(crate) fn ask(&mut self, message: impl Into<Bytes>) -> u32 {
        let id = self.open();
        self.send(id, message);
        self.half_close(id);
        id
    }

    /// Sends as room allows.
    pub(crate) fn send(&mut self, id: u32, message: impl Into<Bytes>) {
        self.call_mut(id).outgoing.push_back(message.into());
        self.pump(id);
    }

    pub(crate) fn send_all(&mut self, id: u32, messages: impl IntoIterator<Item = Bytes>) {
        self.call_mut(id).outgoing.extend(messages);
        self.pump(id);
    }

    /// Half-closes after what is being sent.
    pub(crate) fn half_close(&mut self, id: u32) {
        self.call_mut(id).then = Some(Then::HalfClose);
        self.pump(id);
    }

    /// Ends the call after what is being sent.
    pub(crate) fn finish(&mut self, id: u32, reply: Reply) {
        self.call_mut(id).then = Some(Then::Finish(reply));
        self.pump(id);
    }

    /// Server: answers with one message and OK.
    pub(crate) fn answer(&mut self, id: u32, message: impl Into<Bytes>) {
        self.send(id, message);
        self.finish(id, Reply::default());
    }

    pub(crate) fn reset(&mut self, id: u32) {
        self.connection.reset(id, Reason::CANCEL);
        self.over.insert(id);
        self.just_reset.insert(id);
    }

    /// Messages stay where they are from now on.
    pub(crate) fn stop_reading(&mut self, id: u32) {
        self.call_mut(id).reads = false;
    }

    /// Takes what is there and waits for more.
    pub(crate) fn read(&mut self, id: u32) {
        self.call_mut(id).reads = true;
        while self.take_all(id) && self.connection.await_message(id) {}
    }

    /// Takes what is there and waits for nothing. True: more may come.
    pub(crate) fn take_all(&mut self, id: u32) -> bool {
        loop {
            match self.connection.take(id) {
                Received::Item(item) => self.took(id, item),
                Received::HalfClosed => {
                    if !std::mem::replace(&mut self.call_mut(id).half_closed, true) {
                        self.happened(id, Happening::HalfClosed);
                    }
                    return false;
                }
                Received::Nothing => return true,
                Received::Gone => return false,
            }
        }
    }

    pub(crate) fn call(&self, id: u32) -> &Call {
        self.calls.get(&id).unwrap_or_else(|| panic!("{:?}: call {id} is unknown", self.side))
    }

    pub(crate) fn messages(&self, id: u32) -> &[Bytes] {
        &self.call(id).messages
    }

    pub(crate) fn outcome(&self, id: u32) -> &Outcome {
        let outcome = self.call(id).outcome.as_ref();
        outcome.unwrap_or_else(|| panic!("{:?}: call {id} has not ended", self.side))
    }

    /// The status code of a call that ended.
    pub(crate) fn code(&self, id: u32) -> u8 {
        self.outcome(id).code
    }

    /// The last call that was opened.
    pub(crate) fn newest(&self) -> u32 {
        *self.calls.last_key_value().expect("a call").0
    }

    /// Forgets what is known of a call, that a hundred thousand fit into memory.
    pub(crate) fn forget(&mut self, id: u32) {
        self.calls.remove(&id);
    }

    pub(crate) fn is_over(&self, id: u32) -> bool {
        self.over.contains(&id)
    }

    /// Calls that were opened, on either side.
    pub(crate) fn opened(&self) -> usize {
        self.opened.len()
    }

    /// One flush, if there is a reason for one. The output goes to `write`.
    pub(crate) fn flush(&mut self, mut write: impl FnMut(&[u8])) {
        if self.connection.has_work() {
            let some = self.connection.flush();
            assert_eq!(some, self.connection.output_len() > 0, "flush tells whether there is output");
        }
        if self.connection.output_len() > 0 {
            write(&self.connection.take_output(Vec::new()));
        }
        while self.connection.step() {}
        self.absorb();
    }

    pub(crate) fn feed(&mut self, bytes: Bytes) {
        let unread = self.connection.feed(bytes);
        assert_eq!(unread, self.connection.unread());
        self.absorb();
    }

    pub(crate) fn end_of_input(&mut self) {
        self.connection.end_of_input();
        self.absorb();
    }

    pub(crate) fn abort(&mut self, message: &str) {
        self.connection.abort(message, Reason::NO_ERROR, "");
        self.absorb();
    }

    /// A PING comes, and its answer goes nowhere: it makes h2 look at its clock.
    pub(crate) fn ping(&mut self) {
        if self.closed.is_none() {
            self.feed(frames::ping(0, [7; 8]).to_bytes().into());
            self.flush(|_| ());
        }
    }

    /// Nothing to do without news from outside.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.connection.has_work() && self.connection.output_len() == 0
    }

    /// What happened, judged and written down.
    pub(crate) fn absorb(&mut self) {
        loop {
            let events = self.connection.take_events();
            if events.is_empty() {
                return;
            }
            self.just_reset.clear();
            self.most_events = self.most_events.max(events.len());
            for event in events {
                assert!(self.closed.is_none(), "{:?}: {event:?} after Closed", self.side);
                self.heard(event);
            }
        }
    }

    fn heard(&mut self, event: Event<Vec<u8>>) {
        match event {
            Event::Responded(id, ..) | Event::Readable(id) | Event::Writable(id) | Event::Ended(id, ..)
                if self.just_reset.contains(&id) => {}
            Event::Opened(id, head) => {
                self.begin(id, Some(head));
                self.happened(id, Happening::Opened);
                if !self.over.contains(&id) && self.calls.get(&id).is_some_and(|call| call.reads) {
                    self.read(id);
                }
            }
            Event::Responded(id, pairs, _) => {
                self.assert_live(id, "Responded");
                let before = self.call_mut(id).initial.replace(pairs);
                assert_eq!(before, None, "call {id} responded twice");
            }
            Event::Readable(id) => {
                self.assert_live(id, "Readable");
                if self.call(id).reads {
                    self.read(id);
                }
            }
            Event::Writable(id) => {
                self.assert_live(id, "Writable");
                self.pump(id);
            }
            Event::Shed(_) => self.sheds += 1,
            Event::OverBudget => self.over_budget += 1,
            Event::Ended(id, outcome, untaken, tally) => {
                self.assert_live(id, "Ended");
                for item in untaken {
                    for message in unpack(item).0 {
                        self.received(id, message);
                    }
                }
                self.over.insert(id);
                let call = self.call_mut(id);
                call.outcome = Some(outcome);
                call.tally = Some(tally);
                call.outgoing.clear();
                self.happened(id, Happening::Ended);
            }
            Event::Settings => self.settings_seen += 1,
            Event::Pong => self.pongs += 1,
            Event::Abuse(abuse, cut) => self.abuses.push((abuse, cut)),
            Event::GoAway(go_away) => self.go_aways.push(go_away),
            Event::Closed(closed) => self.closed = Some(closed),
        }
    }

    fn begin(&mut self, id: u32, head: Option<CallHead>) {
        assert!(self.opened.insert(id), "{:?}: call {id} opened twice", self.side);
        self.calls.insert(id, Call { head, reads: self.reads, ..Call::default() });
        if self.side == Side::Client && self.reads {
            self.read(id);
        }
    }

    fn assert_live(&self, id: u32, event: &str) {
        assert!(self.opened.contains(&id), "{:?}: {event} of call {id}, which was never opened", self.side);
        assert!(!self.over.contains(&id), "{:?}: {event} of call {id}, which is over", self.side);
    }

    fn call_mut(&mut self, id: u32) -> &mut Call {
        self.calls.get_mut(&id).expect("a call that was opened and not forgotten")
    }

    fn pump(&mut self, id: u32) {
        while !self.over.contains(&id)
            && let Some(call) = self.calls.get_mut(&id)
        {
            let Some(message) = call.outgoing.front().cloned() else {
                match call.then.take() {
                    Some(Then::HalfClose) => self.connection.half_close(id),
                    Some(Then::Finish(reply)) => {
                        self.connection.finish(id, &reply, false).expect("good metadata");
                    }
                    None => {}
                }
                return;
            };
            let payload = if Payload::is_large(message.len()) {
                Payload::Shared(message.clone())
            } else {
                Payload::Borrowed(&message)
            };
            match self.connection.push(id, &payload) {
                Pushed::Queued => drop(call.outgoing.pop_front()),
                Pushed::Gone => return call.outgoing.clear(),
                Pushed::Full => {
                    assert!(self.connection.await_room(id), "a full call is not over");
                    return;
                }
            }
        }
    }

    fn took(&mut self, id: u32, item: Item<Vec<u8>>) {
        let (messages, bytes) = unpack(item);
        self.connection.took(id, bytes);
        for message in messages {
            self.received(id, message);
        }
    }

    fn received(&mut self, id: u32, message: Bytes) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.messages.push(message.clone());
        self.happened(id, Happening::Message(message));
    }

    fn happened(&mut self, id: u32, what: Happening) {
        if let Some(mut reaction) = self.reaction.take() {
            reaction(self, id, what);
            self.reaction = Some(reaction);
        }
    }

    /// Every call has ended once and nothing stays behind.
    pub(crate) fn assert_idle(&self) {
        let side = self.side;
        let open: Vec<_> = self.opened.difference(&self.over).take(5).collect();
        assert!(open.is_empty(), "{side:?}: no end was heard of calls {open:?}");
        assert_eq!(self.connection.open_calls(), 0, "{side:?}: open calls");
        let kept = (self.connection.held_bytes(), self.connection.queued_bytes());
        assert_eq!(kept, (0, 0), "{side:?}: bytes held, bytes queued");
        assert!(!self.connection.has_work(), "{side:?}: has work");
        assert_eq!((self.connection.unread(), self.connection.output_len()), (0, 0), "{side:?}: unread, output");
    }

    /// Streams h2 holds; unknown without the feature.
    pub(crate) fn wired(&self) -> usize {
        #[cfg(feature = "introspect")]
        let count = Connection::wired;
        #[cfg(not(feature = "introspect"))]
        let count = |_: &Connection<Vec<u8>>| 0;
        count(&self.connection)
    }
}

/// The messages of an item, and the bytes they took on the wire.
fn unpack(item: Item<Vec<u8>>) -> (Vec<Bytes>, usize) {
    match item {
        Item::Large { body, length, .. } => {
            assert_eq!(body.len(), length);
            (vec![body.into()], PREFIX_BYTES + length)
        }
        Item::Packed { messages: mut bytes, .. } => {
            let total = bytes.len();
            let mut messages = Vec::new();
            while !bytes.is_empty() {
                let head = bytes.split_to(PREFIX_BYTES);
                let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]) as usize;
                messages.push(bytes.split_to(length));
            }
            (messages, total)
        }
    }
}
