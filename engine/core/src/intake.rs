//! How much of what was read h2 gets at once.
//!
//! A read of 256 KiB may be 15,000 frames, and half a second of work. So it is fed in *steps* that end at the edge of a
//! frame, and the embedder, which has a clock, stops when the connection had its share of a turn of the loop. What is
//! left waits here; the peer waits in its socket.

use crate::connection::{Connection, Phase};
use crate::item::Body;
use crate::settings::Side;
use bytes::Bytes;

/// The work of a step, in frames that do little: about 30 us. A look at the clock and at the events between two steps costs
/// a half.
pub(crate) const STEP_WORK: u64 = 128;

/// What was read and not fed.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    bytes: Bytes,
    /// They lie in memory of the caller.
    borrowed: bool,
}

impl Intake {
    fn add(&mut self, bytes: Bytes) {
        if self.bytes.is_empty() {
            (self.bytes, self.borrowed) = (bytes, true);
        } else {
            (self.bytes, self.borrowed) = (Bytes::from([self.bytes.as_ref(), bytes.as_ref()].concat()), false);
        }
    }

    /// Bytes that wait.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn keep(&mut self) -> usize {
        if std::mem::take(&mut self.borrowed) && !self.bytes.is_empty() {
            self.bytes = Bytes::copy_from_slice(&self.bytes);
        }
        self.bytes.len()
    }
}

impl<B: Body> Connection<B> {
    /// Takes what was read. [`Connection::step`] has h2 read it, [`Connection::keep`] frees the memory of `bytes`.
    pub fn receive(&mut self, bytes: Bytes) {
        if self.phase == Phase::Closed || bytes.is_empty() {
            // To h2 an empty read would be the end of the socket.
            return;
        }
        self.fed += bytes.len() as u64;
        self.last_read = Some(self.now);
        match self.opening.check(&bytes) {
            Ok(()) => self.intake.add(bytes),
            Err(foreign) => self.refuse(foreign),
        }
    }

    /// Has h2 read the next frames. True: more can be read.
    pub fn step(&mut self) -> bool {
        if !self.can_step() {
            return false;
        }
        if self.settings.side == Side::Client && self.ready.is_set() {
            // The HEADERS of calls that were just opened stand before what h2 answers: a server that says GOAWAY takes
            // the answer to its PING for a promise that no more calls are under way.
            self.turn();
            if !self.can_step() {
                return false;
            }
        }
        // What waited was not heard before: a peer is not silent while there is some.
        self.last_read = Some(self.now);
        let streams = &self.streams;
        let takes_data = |id| streams.get(&id).is_some_and(|stream| stream.receive.is_some());
        self.io.lock().feed(&mut self.intake.bytes, STEP_WORK, takes_data);
        self.turn();
        self.can_step()
    }

    /// Something waits for a step, and h2 would read it.
    #[must_use]
    pub fn can_step(&self) -> bool {
        self.phase != Phase::Closed
            && !self.intake.bytes.is_empty()
            && self.io.lock().unread() == 0
            && self.pause().is_zero()
    }

    /// Copies what waits, if it lies in memory of the caller; returns how much that is, as [`Connection::unread`].
    pub fn keep(&mut self) -> usize {
        self.intake.keep() + self.io.lock().keep_unread()
    }

    /// The peer has begun a header block and does not end it.
    #[must_use]
    pub fn is_in_headers(&self) -> bool {
        self.phase == Phase::Open && self.intake.bytes.is_empty() && self.io.lock().sniffer.is_in_headers()
    }

    /// Most of the peer's calls come to nothing: its share of the loop should be small.
    #[must_use]
    pub fn is_spoiling(&self) -> bool {
        self.phase != Phase::Closed && self.conduct.is_spoiling()
    }

    /// Reads `bytes`, however long that takes. When it returns nothing refers to their memory any more.
    ///
    /// Returns bytes that h2 would not read yet, because the peer does not read our answers: stop reading the socket
    /// until a flush brings this to 0 ([`Connection::unread`]).
    pub fn feed(&mut self, bytes: Bytes) -> usize {
        self.receive(bytes);
        while self.step() {}
        self.keep()
    }

    /// Bytes received that h2 has not read.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.intake.bytes.len() + self.io.lock().unread()
    }
}
