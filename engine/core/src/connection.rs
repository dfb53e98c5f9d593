//! One connection: bytes in, events out, bytes out.
//!
//! How this works: [`Connection::feed`] (`intake.rs`) gives h2 the bytes and runs a *turn*: drive h2 if its waker fired, poll the
//! streams whose wakers fired, until nothing is ready. What came of it waits in `events`. [`Connection::flush`] first
//! lets the schedule hand DATA to h2, then runs a turn, then the output can be taken. Nothing here waits or calls back.

use crate::budget::{Kept, Pile, Share};
use crate::conduct::{Abuse, Conduct};
use crate::event::{Closed, Event};
use crate::frames::{self, Parting};
use crate::intake::Intake;
use crate::item::Body;
use crate::opening::{Opening, PREFACE};
use crate::pipe::Io;
use crate::ready::Ready;
use crate::request::Target;
use crate::response;
use crate::role::Role;
use crate::schedule::{Schedule, Streams};
use crate::settings::{Settings, Side};
use crate::strikes::Strikes;
use crate::windows::Windows;
use crate::wire::metadata::MetadataError;
use h2::Reason;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

/// Counts since the beginning of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counters {
    /// Bytes the peer sent.
    pub bytes: u64,
    /// Frames the peer sent.
    pub frames: u64,
    /// PINGs the peer sent.
    pub pings: u64,
    /// Those of them that came too early.
    pub strikes: u64,
    /// PINGs of ours.
    pub pings_sent: u64,
    /// RST_STREAMs the peer sent.
    pub resets: u64,
    /// SETTINGS the peer sent.
    pub settings: u64,
    /// Bytes for the peer, as far as they were taken.
    pub sent: u64,
}

/// A connection of either side. `B` is the kind of buffer large messages are received into.
pub struct Connection<B> {
    pub(crate) settings: Settings,
    pub(crate) role: Role,
    pub(crate) streams: Streams<B>,
    pub(crate) schedule: Schedule,
    pub(crate) ready: Arc<Ready>,
    pub(crate) events: Vec<Event<B>>,
    pub(crate) target: Target,
    pub(crate) io: Io,
    /// What the GOAWAYs of a planned end say.
    pub(crate) parting: Option<Parting>,
    /// The last call the peer opened.
    pub(crate) last_accepted: u32,
    pub(crate) strikes: Strikes,
    pub(crate) conduct: Conduct,
    pub(crate) windows: Windows,
    waker: Waker,
    pub(crate) opening: Opening,
    pub(crate) intake: Intake,
    pub(crate) kept: Kept,
    pub(crate) pile: Pile,
    pub(crate) share: Share,
    /// The time we were told.
    pub(crate) now: Duration,
    /// When the peer's last byte came.
    pub(crate) last_read: Option<Duration>,
    /// PINGs of ours without an answer.
    pings_out: u64,
    pings_sent: u64,
    /// The output has the first SETTINGS in it, as h2 wrote them.
    pub(crate) tells_settings: bool,
    /// Bytes the peer sent.
    pub(crate) fed: u64,
    /// Bytes of output that were taken.
    pub(crate) sent: u64,
    /// The peer takes no new calls.
    going_away: bool,
    /// A call ended because the connection did.
    pub(crate) lost: bool,
    pub(crate) phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// h2 is done with the connection, or was told to be.
    Ending,
    /// `Closed` was said.
    Closed,
}

impl<B: Body> Connection<B> {
    /// A connection that has its first bytes ready to be flushed.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let (preface, opening) = match settings.side {
            Side::Server => (PREFACE.len(), Opening::of_client()),
            Side::Client => (0, Opening::of_server()),
        };
        let tells_settings = settings.side == Side::Client;
        let io = Io::new(preface);
        let ready = Arc::<Ready>::default();
        let waker = ready.connection_waker();
        let role = Role::new(&settings, io.clone(), &mut Context::from_waker(&waker));
        ready.wake_connection();
        Self {
            windows: Windows::new(&settings),
            settings,
            role,
            streams: Streams::default(),
            schedule: Schedule::default(),
            ready,
            events: Vec::new(),
            target: Target::default(),
            io,
            parting: None,
            last_accepted: 0,
            strikes: Strikes::default(),
            conduct: Conduct::default(),
            waker,
            opening,
            kept: Kept::default(),
            pile: Pile::default(),
            share: Share::default(),
            intake: Intake::default(),
            now: Duration::ZERO,
            last_read: None,
            pings_out: 0,
            pings_sent: 0,
            tells_settings,
            fed: 0,
            sent: 0,
            going_away: false,
            lost: false,
            phase: Phase::Open,
        }
    }

    /// Tells the time, from any beginning: there is no clock in here. Comes before what happened then.
    pub fn tick(&mut self, now: Duration) {
        self.now = now;
    }

    /// Something waits that a flush would act on, or output that it made before.
    #[must_use]
    pub fn has_work(&self) -> bool {
        if self.is_silent() {
            return false;
        }
        let pipe = self.io.lock();
        !pipe.output.is_empty()
            || self.phase != Phase::Closed && (self.ready.is_set() || pipe.has_own() || self.schedule.has_work(&pipe))
    }

    /// So many streams have something to send that the next write should wait for a turn of the loop.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.schedule.is_crowded()
    }

    /// Takes what happened, in order.
    pub fn take_events(&mut self) -> Vec<Event<B>> {
        self.charge();
        std::mem::take(&mut self.events)
    }

    /// Asks whether the peer is there; `Pong` tells that it is.
    pub fn ping(&mut self) {
        if self.phase != Phase::Closed {
            self.io.lock().add_own(&frames::OWN_PING);
            self.pings_out += 1;
            self.pings_sent += 1;
        }
    }

    /// Ends the connection of a peer that sends PINGs too often: sooner than `least` after one another, or than two hours
    /// while no call is open, unless `without_calls` allows it then too.
    pub fn set_ping_policy(&mut self, least: Duration, without_calls: bool) {
        self.strikes.set_policy(least, without_calls);
    }

    /// When the peer's last byte came, as [`Connection::tick`] told it.
    #[must_use]
    pub fn last_read(&self) -> Option<Duration> {
        self.last_read
    }

    /// Which end this is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.settings.side
    }

    /// Calls that are open.
    #[must_use]
    pub fn open_calls(&self) -> usize {
        self.streams.len()
    }

    /// Calls the peer lets a client have open at once; 0 if it takes no more.
    #[must_use]
    pub fn max_calls(&self) -> usize {
        if self.going_away { 0 } else { self.role.max_calls() }
    }

    /// Refuses headers the peer would not take: h2 would send them, and the peer might end the connection.
    pub(crate) fn check_headers(&self, size: usize) -> Result<(), MetadataError> {
        match self.io.lock().sniffer.seen.max_header_list {
            Some(limit) if size > limit as usize => Err(MetadataError::TooLarge { size, limit: limit as usize }),
            _ => Ok(()),
        }
    }

    /// Counts since the beginning.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let pipe = self.io.lock();
        let seen = &pipe.sniffer.seen;
        Counters {
            bytes: self.fed,
            frames: seen.frames,
            pings: seen.pings,
            strikes: self.strikes.in_all,
            pings_sent: self.pings_sent,
            resets: seen.resets,
            settings: seen.settings_frames,
            sent: self.sent,
        }
    }

    /// Streams h2 itself still holds: 0 when no call is open, or something leaks.
    #[cfg(feature = "introspect")]
    #[must_use]
    pub fn wired(&self) -> usize {
        self.role.wired()
    }

    /// A server says nothing before it knows that the client speaks HTTP/2: others get an answer in their own language.
    pub(crate) fn is_silent(&self) -> bool {
        self.phase == Phase::Open && self.opening.awaits_client()
    }

    pub(crate) fn turn(&mut self) {
        let (message, clean) = match self.run() {
            None => {
                self.fit_windows();
                return self.keep_within_budget();
            }
            Some(Ok(())) => ("the connection ended".to_owned(), !self.lost && self.streams.is_empty()),
            Some(Err(error)) => {
                if self.settings.side == Side::Server && error.is_go_away() && error.is_library() {
                    self.events.push(Event::Abuse(Abuse::ProtocolError, true));
                }
                (response::broken(&error), false)
            }
        };
        self.over(Closed { message, clean, foreign: false });
    }

    /// Moves h2 and the streams until nothing is ready. `Some`: h2 is done with the connection.
    pub(crate) fn run(&mut self) -> Option<Result<(), h2::Error>> {
        let waker = self.waker.clone();
        let mut over = None;
        loop {
            let (connection, ids) = self.ready.take();
            if !connection && ids.is_empty() {
                break;
            }
            if connection {
                let mut accepted = Vec::new();
                if let Some(result) = self.role.drive(&mut Context::from_waker(&waker), &mut accepted) {
                    over = over.or(Some(result));
                    self.phase = Phase::Ending;
                }
                for call in accepted {
                    self.accept(call);
                }
            }
            for id in ids {
                self.service(id);
            }
        }
        self.heed_sniffer();
        over
    }

    /// Acts on what h2 does not tell.
    fn heed_sniffer(&mut self) {
        let (grown, settings, go_away, asked, pongs, idle) = {
            let mut pipe = self.io.lock();
            let seen = &mut pipe.sniffer.seen;
            let (grown, settings) = (std::mem::take(&mut seen.grown), std::mem::take(&mut seen.settings));
            let (pongs, idle) = (std::mem::take(&mut seen.pongs), std::mem::take(&mut seen.idle));
            let go_away = if std::mem::take(&mut seen.go_away_is_new) { seen.go_away.clone() } else { None };
            (grown, settings, go_away, seen.pings, pongs, idle)
        };
        for id in grown {
            if let Some(stream) = self.streams.get_mut(&id) {
                self.schedule.window_grew(id, stream);
            }
        }
        if settings {
            // INITIAL_WINDOW_SIZE may have changed for every stream.
            self.streams.iter_mut().for_each(|(&id, stream)| self.schedule.window_grew(id, stream));
            self.events.push(Event::Settings);
        }
        if let Some(go_away) = go_away {
            self.going_away = true;
            let ours = go_away.last_stream_id == 0 || go_away.last_stream_id % 2 == 1;
            self.events.push(Event::GoAway(go_away));
            if self.settings.side == Side::Client && !ours {
                // Source: RFC 9113 section 6.8: the id is one of a stream that we opened.
                self.abort("the peer sent GOAWAY with the id of no stream of ours", Reason::NO_ERROR, "");
            }
        }
        if pongs > 0 && self.pings_out > 0 {
            self.pings_out -= pongs.min(self.pings_out);
            self.events.push(Event::Pong);
        }
        if self.strikes.judge(asked, self.now, self.streams.is_empty()) {
            self.cut(Abuse::TooManyPings);
        }
        if self.settings.side == Side::Server
            && let Some(abuse) = self.conduct.judge(idle, self.now)
        {
            self.cut(abuse);
        }
    }
}
