//! A client and a server joined by two links.

use super::end::End;
use super::link::Link;
use super::rng::Rng;
use super::settings;
use penstock_core::{Settings, Side};
use std::time::{Duration, Instant};

/// Far more steps than any test needs: one that gets there would go on for ever.
const STEPS: usize = 20_000_000;

pub(crate) struct Pair {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) rng: Rng,
    up: Link,
    down: Link,
    checked: bool,
}

impl Pair {
    pub(crate) fn new(seed: u64) -> Self {
        Self::with(seed, |_| ())
    }

    /// A pair whose settings `change` touched.
    pub(crate) fn with(seed: u64, change: impl Fn(&mut Settings)) -> Self {
        let end = |side| {
            let mut settings = settings(side);
            change(&mut settings);
            End::new(settings)
        };
        Self {
            client: end(Side::Client),
            server: end(Side::Server),
            rng: Rng::new(seed),
            up: Link::new(),
            down: Link::new(),
            checked: false,
        }
    }

    /// Both sides see a connection window of 65,535 bytes.
    pub(crate) fn narrow(mut self) -> Self {
        (self.up, self.down) = (Link::narrow(true), Link::narrow(false));
        self
    }

    /// Past the exchange of SETTINGS.
    pub(crate) fn settled(mut self) -> Self {
        self.settle();
        self
    }

    /// Flushes and delivers a little, or by chance nothing.
    pub(crate) fn step(&mut self) {
        if self.rng.chance(70) {
            self.flush_client();
        }
        if self.rng.chance(70) {
            self.flush_server();
        }
        self.grant();
        if self.server.connection.unread() == 0
            && let Some(bytes) = self.up.deliver(&mut self.rng)
        {
            self.server.feed(bytes);
        }
        if self.client.connection.unread() == 0
            && let Some(bytes) = self.down.deliver(&mut self.rng)
        {
            self.client.feed(bytes);
        }
    }

    pub(crate) fn flush_client(&mut self) {
        self.client.flush(|bytes| self.up.push(bytes));
    }

    pub(crate) fn flush_server(&mut self) {
        self.server.flush(|bytes| self.down.push(bytes));
    }

    /// Steps until neither side has anything to do or to read.
    pub(crate) fn settle(&mut self) {
        self.settle_until(|_| false);
    }

    /// Steps until the condition holds. False: nothing is left to do and it does not.
    pub(crate) fn settle_until(&mut self, condition: impl Fn(&Self) -> bool) -> bool {
        for _ in 0..STEPS {
            if condition(self) {
                return true;
            }
            if self.is_quiet() {
                return false;
            }
            self.step();
        }
        panic!("the pair does not come to rest");
    }

    fn is_quiet(&self) -> bool {
        self.client.is_quiet() && self.server.is_quiet() && self.up.is_empty() && self.down.is_empty()
    }

    fn grant(&mut self) {
        if let Some(bytes) = self.up.take_grant() {
            self.down.grant(bytes);
        }
        if let Some(bytes) = self.down.take_grant() {
            self.up.grant(bytes);
        }
    }

    /// Nobody is connected any more: what was on the way is lost.
    pub(crate) fn cut(&mut self) {
        (self.up, self.down) = (Link::new(), Link::new());
        self.client.end_of_input();
        self.server.end_of_input();
        self.client.flush(|_| ());
        self.server.flush(|_| ());
    }

    /// The end of every test: nothing is left of any call.
    pub(crate) fn done(self) {
        Self::all_done(vec![self]);
    }

    /// The same for several, in the time of one.
    pub(crate) fn all_done(mut pairs: Vec<Self>) {
        for pair in &mut pairs {
            pair.checked = true;
            pair.settle();
            pair.client.assert_idle();
            pair.server.assert_idle();
        }
        // h2 remembers a stream it reset for a second, and looks at the clock only when something comes.
        let give_up = Instant::now() + Duration::from_secs(3);
        for mut pair in pairs {
            while pair.client.wired() + pair.server.wired() > 0 && Instant::now() < give_up {
                pair.client.ping();
                pair.server.ping();
                std::thread::yield_now();
            }
            assert_eq!((pair.client.wired(), pair.server.wired()), (0, 0), "streams h2 still holds: client, server");
        }
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        assert!(self.checked || std::thread::panicking(), "a test ends with done()");
    }
}
