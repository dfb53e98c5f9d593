//! A message on its way from what came to what it says, as far as it has come.
//!
//! How this works: it is expanded into chunks, since its length shows only at the end, and then moved into the `bytes`
//! that the application gets; each of these steps takes about 100 us at most.

use crate::buffers::MessageBody;
use crate::clock;
use crate::codec::too_large;
use penstock_core::Body;
use penstock_core::wire::coding::{Coding, ExpandError};
use penstock_core::wire::expander::{Expander, STEP_BYTES};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;
use std::cell::RefCell;
use std::collections::VecDeque;

/// What is expanded without a look at others, if it does not fill one chunk: noise of 64 KiB takes so many.
const STEPS_AT_ONCE: usize = 3;
/// What a step is planned with. So many take longer for text: then fewer are taken.
const STEP_NANOS: u64 = 50_000;
/// What is moved in one step: as much work as expanding half of it.
const MOVED_CHUNKS: usize = 2;

/// Zeros become a thousand times what came, text ten times at most; small messages may all be alike.
const USUAL_RATIO: usize = 100;
const USUAL_BYTES: usize = 16 * 1024;
/// A byte that becomes nothing, in a step of such bytes, takes as long as so many that become something.
const POOR_BYTES: usize = 100;

thread_local! {
    /// Where messages begin: most end there, too.
    static ROOM: RefCell<Box<[u8]>> = RefCell::new(vec![0; STEP_BYTES].into());
}

/// A message that is not whole yet.
pub(crate) struct Expansion {
    /// `None`: there is nothing left to expand.
    expander: Option<Expander<PyBackedBytes>>,
    chunks: VecDeque<Chunk>,
    /// Bytes that came.
    wire_bytes: usize,
    /// Bytes expanded.
    written: usize,
    /// Bytes that became next to nothing.
    poor: usize,
    /// What they are moved to, and how many are there.
    body: Option<(MessageBody, usize)>,
}

#[derive(Default)]
struct Chunk {
    bytes: Vec<u8>,
    filled: usize,
}

/// What the first steps come to.
pub(crate) enum Begun<'py> {
    Whole(Bound<'py, PyBytes>),
    Part(Box<Expansion>),
}

impl Expansion {
    /// Expands `bytes`, to `limit` bytes at most, as far as may be done at once.
    pub(crate) fn begin(bytes: Bound<'_, PyBytes>, coding: Coding, limit: usize) -> PyResult<Begun<'_>> {
        let (py, wire_bytes) = (bytes.py(), bytes.as_bytes().len());
        let mut expander = Expander::new(coding, PyBackedBytes::from(bytes), limit);
        ROOM.with_borrow_mut(|room| {
            let (mut filled, mut poor) = (0, 0);
            for _ in 0..STEPS_AT_ONCE {
                let step = expander.step(&mut room[filled..]).map_err(|error| to_python(py, &error))?;
                filled += step.written;
                if step.is_last {
                    return Ok(Begun::Whole(PyBytes::new(py, &room[..filled])));
                }
                poor += if step.is_poor() { step.read } else { 0 };
                if filled == room.len() || poor > 0 {
                    break;
                }
            }
            let mut bytes = vec![0; STEP_BYTES];
            bytes[..filled].copy_from_slice(&room[..filled]);
            let chunks = VecDeque::from([Chunk { bytes, filled }]);
            Ok(Begun::Part(Box::new(Self {
                expander: Some(expander),
                chunks,
                wire_bytes,
                written: filled,
                poor,
                body: None,
            })))
        })
    }

    /// Takes so many steps, or what fits into their time.
    pub(crate) fn go_on(&mut self, py: Python<'_>, steps: usize) -> PyResult<()> {
        let until = clock::nanos() + STEP_NANOS * steps as u64;
        for step in 0..steps {
            if step > 0 && clock::nanos() >= until {
                break;
            }
            if self.expander.is_some() {
                self.expand(py)?;
            } else if !self.chunks.is_empty() {
                self.move_some();
            }
        }
        Ok(())
    }

    /// The bytes, once all are there.
    pub(crate) fn whole<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.body.take_if(|(_, moved)| *moved == self.written).map(|(body, _)| body.into_bytes(py))
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.body.as_ref().is_some_and(|(_, moved)| *moved == self.written)
    }

    /// Bytes it has become.
    pub(crate) fn bytes(&self) -> usize {
        self.written
    }

    /// Bytes of those that no usual message has.
    pub(crate) fn excess(&self) -> usize {
        excess(self.wire_bytes, self.written) + POOR_BYTES * self.poor
    }

    fn expand(&mut self, py: Python<'_>) -> PyResult<()> {
        let Some(expander) = self.expander.as_mut() else { return Ok(()) };
        if self.chunks.back().is_none_or(|chunk| chunk.filled == chunk.bytes.len()) {
            self.chunks.push_back(Chunk { bytes: vec![0; STEP_BYTES], filled: 0 });
        }
        let chunk = self.chunks.back_mut().expect("there is one");
        let step = expander.step(&mut chunk.bytes[chunk.filled..]).map_err(|error| to_python(py, &error))?;
        chunk.filled += step.written;
        self.written += step.written;
        self.poor += if step.is_poor() { step.read } else { 0 };
        if step.is_last {
            self.expander = None;
            let body = MessageBody::allocate(self.written);
            self.body = Some((body.ok_or_else(|| PyMemoryError::new_err("no memory for a message"))?, 0));
        }
        Ok(())
    }

    fn move_some(&mut self) {
        let Some((body, moved)) = self.body.as_mut() else { return };
        for chunk in self.chunks.drain(..MOVED_CHUNKS.min(self.chunks.len())) {
            body.fill(*moved, &chunk.bytes[..chunk.filled]);
            *moved += chunk.filled;
        }
    }
}

/// How much more it became than usual messages do.
pub(crate) fn excess(wire_bytes: usize, bytes: usize) -> usize {
    bytes.saturating_sub(USUAL_RATIO.saturating_mul(wire_bytes).saturating_add(USUAL_BYTES))
}

fn to_python(py: Python<'_>, error: &ExpandError) -> PyErr {
    match error {
        ExpandError::TooLong(_) => too_large(py, &error.to_string()),
        ExpandError::Corrupt(_) => PyValueError::new_err(error.to_string()),
    }
}
