//! Whose DATA h2 gets next.
//!
//! How this works: queued bytes stay in our outboxes. A turn hands h2 portions, stream by stream in a circle, new
//! streams first, within the peer's connection window (which the sniffer counts) and the room for output; and all that
//! is handed over leaves h2 in the same turn. So h2 never waits on a window, every stream gets its share in bytes, and a
//! reset finds nothing of its stream inside h2.

use crate::item::Body;
use crate::pipe::{OUTPUT_LIMIT, Pipe};
use crate::stream::{Sending, Stream};
use crate::tally::Waits;
use bytes::Bytes;
use fnv::FnvHashMap;
use std::collections::VecDeque;

/// A stream's portion while others wait.
pub(crate) const QUANTUM_BYTES: usize = 16 * 1024;
/// Portions of new streams between two of old ones: those go first, and stop nobody.
const FRESH_IN_A_ROW: usize = 4;
/// The connection window before any WINDOW_UPDATE. Source: RFC 9113 section 6.9.2.
const INITIAL_WINDOW_BYTES: u64 = 65_535;

pub(crate) type Streams<B> = FnvHashMap<u32, Box<Stream<B>>>;

#[derive(Debug, Default)]
pub(crate) struct Schedule {
    /// Streams whose queue or end changed since the last turn.
    dirty: Vec<u32>,
    lines: Lines,
    /// The output may refer to large pieces: a turn tells of them.
    pub(crate) refers: bool,
    /// DATA bytes ever handed to h2: with the sniffer's count, the peer's connection window.
    handed: u64,
}

/// Where streams with queued bytes stand.
#[derive(Debug, Default)]
struct Lines {
    /// Streams that had less than one portion yet: a short call does not wait behind long ones.
    fresh: VecDeque<u32>,
    circle: VecDeque<u32>,
    /// Portions that went to fresh streams since one went to the circle.
    fresh_in_a_row: usize,
}

/// What a turn of the schedule did.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    /// DATA went to h2 and must leave it now.
    pub(crate) handed: bool,
    /// DATA or trailers did.
    pub(crate) sent: bool,
    /// Of what was handed over, the pieces that are large.
    pub(crate) pieces: Vec<Bytes>,
    /// Streams whose queue shrank.
    pub(crate) served: Vec<u32>,
    /// Server streams whose trailers are out.
    pub(crate) finished: Vec<u32>,
}

impl Schedule {
    /// The queue or the end of a stream changed.
    pub(crate) fn mark(&mut self, id: u32) {
        self.dirty.push(id);
    }

    /// A turn would find something to do.
    pub(crate) fn has_work(&self, pipe: &Pipe) -> bool {
        !self.dirty.is_empty() || !self.lines.is_empty() && self.window(pipe) > 0 && pipe.is_settled()
    }

    /// More streams wait than one write serves: who was served should fill up before the next one, and who came
    /// meanwhile should go before it.
    pub(crate) fn is_crowded(&self) -> bool {
        self.lines.len() > OUTPUT_LIMIT / QUANTUM_BYTES
    }

    /// The window of a stream grew, or may have.
    pub(crate) fn window_grew<B>(&mut self, id: u32, stream: &mut Stream<B>) {
        if stream.sending == Sending::Window {
            stream.sending = Sending::Queued;
            self.lines.of(stream).push_back(id);
        }
    }

    /// Hands over what windows and socket allow. `pipe` tells whether h2 has read all that the sniffer counted.
    pub(crate) fn turn<B: Body>(&mut self, streams: &mut Streams<B>, pipe: &Pipe) -> Turn {
        let mut turn = Turn::default();
        self.enqueue(streams, &mut turn);
        if !pipe.is_settled() {
            return turn;
        }
        let before = self.handed;
        let mut room = OUTPUT_LIMIT.saturating_sub(pipe.output.len());
        while room > 0
            && let window @ 1.. = self.window(pipe)
            && let Some(id) = self.lines.next()
        {
            let Some(stream) = streams.get_mut(&id) else { continue };
            let alone = self.lines.is_empty();
            let portion = if alone { usize::MAX } else { stream.portion };
            let pieces = self.refers.then_some(&mut turn.pieces);
            let handed = stream.hand_over(window.min(room).min(portion), pieces);
            room -= handed;
            self.handed += handed as u64;
            turn.served.push(id);
            stream.portion = QUANTUM_BYTES;
            match stream.sending {
                Sending::Queued if alone || handed == portion => self.lines.circle.push_back(id),
                Sending::Queued => {
                    // Window or room cut it short. It goes on where it stopped, or the same streams would always lose.
                    stream.portion = portion - handed;
                    self.lines.of(stream).push_front(id);
                }
                Sending::Window => {}
                Sending::Idle => turn.finish(id, stream),
            }
        }
        turn.handed = self.handed != before;
        turn.sent |= turn.handed;
        turn
    }

    fn enqueue<B: Body>(&mut self, streams: &mut Streams<B>, turn: &mut Turn) {
        self.lines.forget_dead(streams);
        for id in self.dirty.drain(..) {
            let Some(stream) = streams.get_mut(&id) else { continue };
            if stream.outbox.is_empty() {
                turn.finish(id, stream);
            } else if stream.sending == Sending::Idle {
                stream.sending = Sending::Queued;
                self.lines.of(stream).push_back(id);
            }
        }
    }

    /// What the next stream in line waits for.
    pub(crate) fn waits(&self, pipe: &Pipe) -> Waits {
        if self.window(pipe) == 0 {
            Waits::Connection
        } else if pipe.output.is_empty() && pipe.is_settled() {
            Waits::Nothing
        } else {
            Waits::Socket
        }
    }

    fn window(&self, pipe: &Pipe) -> usize {
        let granted = INITIAL_WINDOW_BYTES + pipe.sniffer.seen.connection_window;
        usize::try_from(granted.saturating_sub(self.handed)).unwrap_or(usize::MAX)
    }
}

impl Lines {
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> usize {
        self.fresh.len() + self.circle.len()
    }

    /// Whose portion is next.
    fn next(&mut self) -> Option<u32> {
        let circle_is_due = self.fresh_in_a_row >= FRESH_IN_A_ROW && !self.circle.is_empty();
        if !circle_is_due && let Some(id) = self.fresh.pop_front() {
            self.fresh_in_a_row += 1;
            return Some(id);
        }
        self.fresh_in_a_row = 0;
        self.circle.pop_front()
    }

    /// The line a stream belongs to.
    fn of<B>(&mut self, stream: &Stream<B>) -> &mut VecDeque<u32> {
        if stream.handed < QUANTUM_BYTES { &mut self.fresh } else { &mut self.circle }
    }

    /// Streams that ended in line leave it at the latest when they are most of it; a closed window moves nobody.
    fn forget_dead<B>(&mut self, streams: &Streams<B>) {
        if self.len() > 2 * streams.len() + 64 {
            self.fresh.retain(|id| streams.contains_key(id));
            self.circle.retain(|id| streams.contains_key(id));
        }
    }
}

impl Turn {
    /// An empty queue never waits in line: its end goes out at once.
    fn finish<B: Body>(&mut self, id: u32, stream: &mut Stream<B>) {
        if stream.finish_sending() {
            self.finished.push(id);
            self.sent = true;
        }
    }
}
