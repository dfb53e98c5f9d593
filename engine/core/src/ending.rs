//! How a connection ends: as planned, at once, because its socket did, or because the engine failed.

use crate::conduct::Abuse;
use crate::connection::{Connection, Phase};
use crate::event::{Closed, Event};
use crate::frames::{self, Parting};
use crate::intake::Intake;
use crate::item::Body;
use crate::opening::Foreign;
use crate::response;
use crate::role::Role;
use crate::settings::Side;
use bytes::Bytes;
use h2::Reason;
use std::panic::{AssertUnwindSafe, catch_unwind};

impl<B: Body> Connection<B> {
    /// The peer closed its side of the socket, or the socket broke.
    pub fn end_of_input(&mut self) {
        // There is no more to come that would have to wait.
        self.windows.forget_change();
        while self.step() {}
        if self.phase != Phase::Closed {
            self.io.lock().end_input();
            let failed = matches!(self.run(), Some(Err(_)));
            let clean = !failed && !self.lost && self.streams.is_empty();
            self.over(Closed { message: "the peer closed the connection".to_owned(), clean, foreign: false });
        }
    }

    /// Ends without breaking a call: a server sends GOAWAY, a client opens no more. `Closed` comes when all calls are done.
    ///
    /// A server waits for the peer's answer to a PING without end: bound it with a timer and
    /// [`Connection::finish_shutdown`].
    pub fn shut_down(&mut self) {
        self.role.shut_down();
        self.ready.wake_connection();
    }

    /// As [`Connection::shut_down`], and the GOAWAYs say why. A client's leaves after its last call.
    pub fn go_away(&mut self, reason: Reason, text: &str) {
        self.parting = Some(Parting::new(reason, text));
        self.shut_down();
    }

    /// A server that shuts down waits no longer for the answer to its PING: the peer had time to hear of it. Calls that
    /// are open go on; the GOAWAY with the last of them leaves as soon as what the peer is saying ends.
    ///
    /// h2 has no way to be told that, so it is shown the answer it waits for; it ignores the peer's when that comes.
    pub fn finish_shutdown(&mut self) {
        if self.role.is_shutting_down() {
            self.io.lock().insert(Bytes::from_static(&frames::SHUTDOWN_ACK));
            self.turn();
        }
    }

    /// Ends now: every call fails. The peer hears of it with a last GOAWAY, from a client only if there is something to
    /// say.
    pub fn abort(&mut self, message: &str, reason: Reason, text: &str) {
        if self.phase == Phase::Closed {
            return;
        }
        self.phase = Phase::Ending;
        // A frame of ours may not stand inside a header block: what h2 has begun to write it writes.
        self.io.lock().only_write();
        let says = match self.settings.side {
            Side::Server => matches!(self.role, Role::Server(..)),
            Side::Client => reason != Reason::NO_ERROR || !text.is_empty(),
        };
        if self.run().is_none() && says {
            let parting = Parting::new(reason, text).go_away(self.last_accepted);
            self.io.lock().output.extend_from_slice(&parting);
        }
        self.over(Closed { message: message.to_owned(), clean: false, foreign: false });
    }

    /// Ends the connection of a peer that does what it should not.
    pub(crate) fn cut(&mut self, abuse: Abuse) {
        // Once: what ends a connection is judged as well.
        if self.phase == Phase::Open {
            self.events.push(Event::Abuse(abuse, true));
            self.abort(abuse.text(), Reason::ENHANCE_YOUR_CALM, abuse.name());
        }
    }

    /// After a panic inside the engine: forgets h2, fails every call.
    pub fn poison(&mut self, message: &str) {
        // h2's lock may be poisoned; dropping a handle then panics once more.
        let role = std::mem::replace(&mut self.role, Role::Over);
        let handles = self.streams.values_mut().map(|stream| stream.let_go()).collect::<Vec<_>>();
        let _panic = catch_unwind(AssertUnwindSafe(|| drop(role)));
        for handle in handles {
            let _panic = catch_unwind(AssertUnwindSafe(|| drop(handle)));
        }
        self.over(Closed { message: message.to_owned(), clean: false, foreign: false });
    }

    pub(crate) fn refuse(&mut self, foreign: Foreign) {
        if self.settings.side == Side::Server {
            let mut pipe = self.io.lock();
            pipe.output.clear();
            pipe.output.extend_from_slice(foreign.answer());
        }
        self.role = Role::Over;
        self.over(Closed { message: foreign.message().to_owned(), clean: false, foreign: true });
    }

    pub(crate) fn over(&mut self, closed: Closed) {
        if std::mem::replace(&mut self.phase, Phase::Closed) == Phase::Closed {
            return;
        }
        let ids: Vec<u32> = self.streams.keys().copied().collect();
        for id in ids {
            self.end(id, response::lost(&closed.message));
        }
        self.role = Role::Over;
        self.intake = Intake::default();
        self.io.lock().forget_input();
        self.events.push(Event::Closed(closed));
    }
}
