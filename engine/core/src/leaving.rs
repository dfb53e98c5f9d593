//! What leaves: queued messages, as the schedule has them, frames of h2 and of ours.

use crate::connection::{Connection, Phase};
use crate::event::Outcome;
use crate::frames;
use crate::item::Body;
use crate::opening::PREFACE;
use crate::output::Output;
use crate::settings::{Side, tell_header_limit};

impl<B: Body> Connection<B> {
    /// Moves queued messages and h2's own frames to the output. True: there is some.
    pub fn flush(&mut self) -> bool {
        if self.is_silent() {
            return false;
        }
        // HEADERS of new calls first: until they are out h2 grants their DATA nothing.
        self.turn();
        let turn = self.schedule.turn(&mut self.streams, &self.io.lock());
        // Before h2 writes: the last call of a connection that shuts down may end it, and is over by then.
        for id in turn.finished {
            self.end(id, Outcome::ok());
        }
        if turn.handed {
            // All DATA handed over must leave h2 now, so that no reset finds any of it there.
            self.io.lock().hand_over(turn.pieces);
            self.turn();
            self.io.lock().end_hand_over();
        } else {
            self.turn();
        }
        if turn.sent {
            self.strikes.forgive();
            self.conduct.allow(self.io.lock().output.len());
        }
        for id in turn.served {
            self.tell_sender(id);
        }
        let mut pipe = self.io.lock();
        if self.phase != Phase::Closed {
            pipe.put_own();
        }
        !pipe.output.is_empty()
    }

    /// From now on large pieces of messages are referred to where the output has them, and not copied.
    pub fn refer(&mut self) {
        self.schedule.refers = true;
    }

    /// Takes the output in one piece; `empty` is a buffer to go on with.
    pub fn take_output(&mut self, empty: Vec<u8>) -> Vec<u8> {
        self.take_parts(empty).in_one()
    }

    /// Takes the output; `empty` is a buffer to go on with.
    pub fn take_parts(&mut self, empty: Vec<u8>) -> Output {
        let mut output = self.io.lock().take_output(empty);
        if std::mem::take(&mut self.tells_settings) {
            let limit = self.settings.max_header_list_bytes;
            output.change_start(|start| tell_header_limit(start, PREFACE.len(), limit));
        }
        if self.settings.side == Side::Server
            && let count @ 1.. = frames::made_resets(&output)
            && let Some(abuse) = self.conduct.made_to_reset(count, self.now)
        {
            self.cut(abuse);
        }
        if let Some(parting) = &self.parting {
            output.change(|output| {
                let start = if output.starts_with(PREFACE) { PREFACE.len() } else { 0 };
                parting.tell_in(output, start);
            });
        }
        self.sent += output.len() as u64;
        output
    }

    /// Bytes of output that wait to be taken.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.io.lock().output.len()
    }
}
