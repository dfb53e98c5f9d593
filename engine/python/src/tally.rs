//! What passed over a stream, as Python sees it: while it is open, and after its end for as long as the object lives.

use crate::clock;
use crate::stream::{StreamBase, lock};
use penstock_core::{Tally, Waits};
use std::sync::atomic::Ordering::Relaxed;

/// Messages in, bytes in, messages out, bytes out, idle in, idle out, held, queued, what that waits for.
pub(crate) type Row = (u64, u64, u64, u64, f64, f64, usize, usize, &'static str);

impl StreamBase {
    pub(crate) fn tally(&self) -> Row {
        let last = self.last_tally.get().map(|tally| **tally);
        let (held, unreported) = {
            let batch = lock(&self.batch);
            (batch.bytes(), batch.unreported)
        };
        match last.or_else(|| self.tally_of_core()) {
            // The core has forgotten it: what nobody took is here.
            Some(tally) if last.is_some() => row(&Tally { held, ..tally }),
            Some(tally) => row(&Tally { held: tally.held.saturating_sub(unreported), ..tally }),
            None => row(&Tally::default()),
        }
    }

    fn tally_of_core(&self) -> Option<Tally> {
        let link = self.link.get()?;
        let now = clock::told(clock::nanos());
        let paused = link.shared.paused.load(Relaxed);
        let mut tally = link.shared.with(|core| {
            core.tick(now);
            core.tally(link.id)
        })?;
        if paused && tally.queued > 0 && tally.waits == Waits::Nothing {
            tally.waits = Waits::Socket;
        }
        Some(tally)
    }

    /// The call is over.
    pub(crate) fn keep_tally(&self, tally: Option<Tally>) {
        // There is one end.
        let _kept_before = tally.map(|tally| self.last_tally.set(Box::new(Tally { queued: 0, ..tally })));
    }
}

fn row(tally: &Tally) -> Row {
    let waits = match tally.waits {
        Waits::Nothing => "",
        Waits::Window => "window",
        Waits::Connection => "connection",
        Waits::Socket => "socket",
    };
    (
        tally.messages_in,
        tally.bytes_in,
        tally.messages_out,
        tally.bytes_out,
        tally.idle_in.as_secs_f64(),
        tally.idle_out.as_secs_f64(),
        tally.held,
        tally.queued,
        waits,
    )
}
