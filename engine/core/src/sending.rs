//! The sending half of a stream: messages and the end go to h2 in the portions the schedule allows.

use crate::chunk::Chunk;
use crate::item::Body;
use crate::output::BY_REFERENCE_BYTES;
use crate::request::response_head;
use crate::stream::{End, Sending, Stream};
use crate::wire::coding::Coding;
use crate::wire::metadata::{MetadataError, Pairs};
use bytes::Bytes;
use h2::Reason;
use http::HeaderMap;
use std::task::{Context, Waker};

impl<B: Body> Stream<B> {
    /// Sends the response head, unless it is out. False: it was.
    pub(crate) fn respond(&mut self, metadata: &Pairs) -> Result<bool, MetadataError> {
        if self.respond.is_none() {
            return Ok(false);
        }
        let head = response_head(metadata, self.coding)?;
        if let Some(mut respond) = self.respond.take() {
            // An error means that the stream was reset: its waker tells.
            self.send = respond.send_response(head, false).ok();
            if self.receive.is_none() {
                // Only the sending half can be told of a reset from here on, and it is new: poll it once.
                self.wake();
            }
        }
        Ok(true)
    }

    /// Server: how messages are compressed, within what the client offered. False: the response head is out.
    pub(crate) fn compress_with(&mut self, coding: Option<Coding>) -> bool {
        if self.respond.is_none() {
            return false;
        }
        self.coding = coding.filter(|&coding| self.accepts.contains(coding));
        true
    }

    /// Hands h2 at most `max` bytes; returns how many, and puts those that are large into `pieces`.
    ///
    /// h2 must never be left waiting for a window: what waits there and is reset leaks in h2 0.4.20. So a wish that was
    /// not granted in full is taken back at once.
    pub(crate) fn hand_over(&mut self, max: usize, pieces: Option<&mut Vec<Bytes>>) -> usize {
        let Some(send) = self.send.as_mut() else {
            self.drop_queue();
            return 0;
        };
        let wanted = self.outbox.len().min(max);
        send.reserve_capacity(wanted);
        let granted = send.capacity().min(wanted);
        if granted > 0 {
            let chunk = self.outbox.take(granted);
            if let Some(pieces) = pieces {
                pieces.extend(chunk.pieces().filter(|piece| piece.len() >= BY_REFERENCE_BYTES).cloned());
            }
            let last = self.outbox.is_empty() && matches!(self.end, Some(End::HalfClose));
            if send.send_data(chunk, last).is_err() {
                self.drop_queue();
                return granted;
            }
            if last {
                self.end = None;
                self.send = None;
            }
        }
        self.handed += granted;
        self.sending = if self.outbox.is_empty() {
            Sending::Idle
        } else if granted == wanted {
            Sending::Queued
        } else {
            self.take_back_wish();
            Sending::Window
        };
        granted
    }

    /// Ends the sending side if that is asked for and nothing is queued. True: a server's call is over.
    pub(crate) fn finish_sending(&mut self) -> bool {
        if !self.outbox.is_empty() {
            return false;
        }
        match self.end.take() {
            None => false,
            Some(End::HalfClose) => {
                if let Some(mut send) = self.send.take() {
                    // An error means that the stream is reset: its waker tells.
                    let _reset = send.send_data(Chunk::default(), true);
                }
                false
            }
            Some(End::Trailers(trailers)) => {
                self.send_trailers(*trailers);
                true
            }
        }
    }

    /// Cancels both halves towards the peer.
    pub(crate) fn reset(mut self, reason: Reason) {
        if let Some(send) = self.send.as_mut() {
            send.send_reset(reason);
        } else if let Some(respond) = self.respond.as_mut() {
            respond.send_reset(reason);
        }
        // With only the receiving half left, dropping it makes h2 send RST_STREAM(CANCEL).
    }

    /// Bytes that wait are not sent any more.
    pub(crate) fn drop_queue(&mut self) {
        self.outbox.clear();
        self.sending = Sending::Idle;
    }

    fn send_trailers(&mut self, trailers: HeaderMap) {
        if let Some(mut respond) = self.respond.take() {
            // Nothing was sent: Trailers-Only, one HEADERS frame with END_STREAM.
            let mut head = response_head(&Pairs::new(), None).expect("no metadata, no error");
            head.headers_mut().extend(trailers);
            let _reset = respond.send_response(head, true);
        } else if let Some(mut send) = self.send.take() {
            let _reset = send.send_trailers(trailers);
        }
        // The receiving half goes with the stream; h2 then tells a client that still sends RST_STREAM(NO_ERROR).
    }

    fn take_back_wish(&mut self) {
        let waker = Waker::from(self.note.clone());
        if let Some(send) = self.send.as_mut() {
            send.reserve_capacity(0);
            // Registers for a reset; the poll of the stream judges it.
            if send.poll_reset(&mut Context::from_waker(&waker)).is_ready() {
                waker.wake();
            }
        }
    }

    fn wake(&self) {
        std::task::Wake::wake_by_ref(&self.note);
    }
}
