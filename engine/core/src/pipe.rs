//! The byte pipe h2 believes to be a socket: what was fed, and what waits to be written.

use crate::frames::HEAD_BYTES;
use crate::output::Output;
use crate::sniffer::Sniffer;
use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Collected output above which h2 is told to wait: bounds one write, and what acks can pile up to.
pub(crate) const OUTPUT_LIMIT: usize = 256 * 1024;

#[derive(Debug)]
pub(crate) struct Pipe {
    input: VecDeque<Bytes>,
    end_of_input: bool,
    /// Less than the head of a frame, which may be one that h2 need not see.
    begun: Vec<u8>,
    /// Frames to be read as if the peer had said them, where there is room between two of its own.
    inserted: Option<Bytes>,
    pub(crate) output: Output,
    /// Frames of ours that wait to be put among those of h2.
    own: Vec<u8>,
    output_limit: usize,
    read_waker: Option<Waker>,
    write_waker: Option<Waker>,
    pub(crate) sniffer: Sniffer,
}

impl Pipe {
    /// Gives h2 the first frames of `bytes`, about as many as are `work`; the rest stays there.
    ///
    /// `takes_data` tells of a stream whether DATA may come on it. Empty ones are dropped then: h2 counts them for the life
    /// of a connection, and ends it at the 101st. They are seen all the same, and a flood of them is found by its rate.
    pub(crate) fn feed(&mut self, bytes: &mut Bytes, work: u64, takes_data: impl Fn(u32) -> bool) {
        if !self.begun.is_empty() {
            *bytes = [&std::mem::take(&mut self.begun)[..], bytes].concat().into();
        }
        if let Some(inserted) = self.inserted.take() {
            let before = bytes.split_to(self.sniffer.eat_to_edge(bytes));
            // Only the newest piece may refer to the caller's buffer.
            self.input.push_back(Bytes::copy_from_slice(&before));
            self.insert(inserted);
        } else {
            self.drop_empty_data(bytes, work, takes_data);
        }
        if bytes.len() < HEAD_BYTES && self.sniffer.may_be_empty_data(bytes) {
            self.begun = std::mem::take(bytes).to_vec();
        }
        if !bytes.is_empty() {
            // To h2 an empty read would be the end of the socket.
            let eaten = self.sniffer.eat_some(bytes, work);
            self.input.push_back(bytes.split_to(eaten));
        }
        self.wake_reader();
    }

    fn drop_empty_data(&mut self, bytes: &mut Bytes, most: u64, takes_data: impl Fn(u32) -> bool) {
        for _ in 0..most {
            if !self.sniffer.empty_data(bytes).is_some_and(&takes_data) {
                break;
            }
            self.sniffer.eat_some(&bytes.split_to(HEAD_BYTES), 1);
        }
    }

    /// What was held back is not any more.
    fn give_begun(&mut self) {
        if !self.begun.is_empty() {
            self.sniffer.eat_some(&self.begun, 1);
            self.input.push_back(std::mem::take(&mut self.begun).into());
            self.wake_reader();
        }
    }

    /// Has h2 read a frame that the peer did not send.
    pub(crate) fn insert(&mut self, frame: Bytes) {
        self.give_begun();
        if self.sniffer.is_at_edge() {
            self.input.push_back(frame);
            self.wake_reader();
        } else {
            self.inserted = Some(frame);
        }
    }

    /// Queues a frame of ours.
    pub(crate) fn add_own(&mut self, frame: &[u8]) {
        self.own.extend_from_slice(frame);
    }

    pub(crate) fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Puts our frames behind those of h2, after a turn. h2 hands over whole frames, and all it has, unless it was told to
    /// wait: only then it may be within a header block.
    pub(crate) fn put_own(&mut self) {
        if self.write_waker.is_none() {
            self.output.extend_from_slice(&self.own);
            self.own.clear();
        }
    }

    /// From now on h2 reads nothing and writes all it has.
    pub(crate) fn only_write(&mut self) {
        self.forget_input();
        self.output_limit = usize::MAX;
        self.wake_writer();
    }

    pub(crate) fn end_input(&mut self) {
        self.end_of_input = true;
        self.give_begun();
        self.wake_reader();
    }

    /// Nobody will read it any more.
    pub(crate) fn forget_input(&mut self) {
        self.input.clear();
        self.begun.clear();
    }

    /// Copies what h2 left unread, so that the caller's buffer is free again. Returns the bytes kept.
    pub(crate) fn keep_unread(&mut self) -> usize {
        // Only the newest piece can lie in the caller's buffer; older ones were copied before.
        if let Some(newest) = self.input.back_mut() {
            *newest = Bytes::copy_from_slice(newest);
        }
        self.unread()
    }

    /// Bytes fed that h2 has not read.
    pub(crate) fn unread(&self) -> usize {
        self.input.iter().map(Bytes::len).sum()
    }

    /// h2 read all that was fed and nothing stops it from writing: our ledgers then equal its own.
    pub(crate) fn is_settled(&self) -> bool {
        self.read_waker.is_some() && self.write_waker.is_none()
    }

    /// For the turn after a hand-over: everything handed over must leave h2. These `pieces` of it are not copied.
    pub(crate) fn hand_over(&mut self, pieces: Vec<Bytes>) {
        self.output_limit = usize::MAX;
        self.output.expect(pieces);
    }

    pub(crate) fn end_hand_over(&mut self) {
        self.output_limit = OUTPUT_LIMIT;
        self.output.expect(Vec::new());
    }

    /// Takes the output and puts `empty` in its place.
    pub(crate) fn take_output(&mut self, empty: Vec<u8>) -> Output {
        self.wake_writer();
        std::mem::replace(&mut self.output, Output::of(empty))
    }

    fn wake_writer(&mut self) {
        if let Some(waker) = self.write_waker.take() {
            waker.wake();
        }
    }

    fn wake_reader(&mut self) {
        if let Some(waker) = self.read_waker.take() {
            waker.wake();
        }
    }

    fn read(&mut self, cx: &Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.input.is_empty() && !self.end_of_input {
            self.read_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        while buffer.remaining() > 0
            && let Some(first) = self.input.front_mut()
        {
            let n = first.len().min(buffer.remaining());
            buffer.put_slice(&first[..n]);
            first.advance(n);
            if first.is_empty() {
                self.input.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }

    fn write(&mut self, cx: &Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.output.len() >= self.output_limit {
            self.write_waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = self.output.len();
        for slice in slices {
            self.output.write(slice);
        }
        Poll::Ready(Ok(self.output.len() - before))
    }
}

/// A handle to the pipe: one is h2's, one is ours.
#[derive(Clone, Debug)]
pub(crate) struct Io(Arc<Mutex<Pipe>>);

impl Io {
    pub(crate) fn new(preface: usize) -> Self {
        Self(Arc::new(Mutex::new(Pipe {
            input: VecDeque::new(),
            end_of_input: false,
            begun: Vec::new(),
            inserted: None,
            output: Output::default(),
            own: Vec::new(),
            output_limit: OUTPUT_LIMIT,
            read_waker: None,
            write_waker: None,
            sniffer: Sniffer::new(preface),
        })))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Pipe> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.lock().read(cx, buffer)
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.lock().write(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.lock().write(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
