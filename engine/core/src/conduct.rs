//! What a peer does that costs work and is of no use: a rate for each kind, and what follows.
//!
//! Limits that count for the life of a connection end connections that live long; a rate does not. Two kinds of abuse end
//! a connection: frames that do nothing, and frames that make a server reset calls. Calls that come to nothing, reset by
//! the peer or refused, only make the connection's share of the loop small: a client may cancel as much as it likes.

use std::time::Duration;

/// Frames that do nothing: a burst, and so many a second on top of what [`Conduct::allow`] grants. A flood of millions a
/// second is found after some ms. Honest peers stay below a tenth.
const IDLE: Rate = Rate { burst: 10_000, per_second: 1_000 };
/// Resets that the peer made us send: each costs a call. Honest peers cause next to none, but for late DATA of calls that a
/// server ends early ([`Conduct::ended_early`]).
const MADE_RESETS: Rate = Rate { burst: 1_000, per_second: 100 };
/// Frames of a call that may be under way when a server ends it early: a window of 1 MiB in frames of 16 KiB.
const LATE_FRAMES: i64 = 64;
/// Credit is for what is under way, not for later.
const MOST_CREDIT: i64 = 100_000;
/// For each frame of ours and KiB in it the peer may send WINDOW_UPDATEs for call and connection, and a PING to measure.
const IDLE_PER_FRAME: i64 = 4;
/// A call may bring a reset, a priority, its windows.
const IDLE_PER_CALL: i64 = 4;
/// SETTINGS are looked at by every stream.
const IDLE_PER_SETTINGS: i64 = 10;
/// Calls in a second that came to nothing, from which on it matters that they are most of all calls.
const MANY_SPOILED: u32 = 256;

/// What was abused; names are those of counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abuse {
    /// Control frames without need.
    ControlFlood,
    /// PINGs sooner after one another than allowed. Source: gRFC A8.
    TooManyPings,
    /// DATA frames with nothing in them, or next to nothing.
    DataFlood,
    /// Frames that made this side reset calls.
    MadeResets,
    /// Most calls are reset by the peer that opened them.
    RapidReset,
    /// Most calls are refused, because of what is in them.
    RefusedCalls,
    /// SETTINGS were not answered, and what they forbid went on. Source: RFC 9113 section 6.5.3.
    SettingsTimeout,
    /// A rule of HTTP/2 was broken, or a limit that ends a connection.
    ProtocolError,
}

impl Abuse {
    /// The name of its counter.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ControlFlood => "control_flood",
            Self::TooManyPings => "too_many_pings",
            Self::DataFlood => "data_flood",
            Self::MadeResets => "made_resets",
            Self::RapidReset => "rapid_reset",
            Self::RefusedCalls => "refused_calls",
            Self::SettingsTimeout => "settings_timeout",
            Self::ProtocolError => "protocol_error",
        }
    }

    /// What to tell a person.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::ControlFlood => "the peer floods with control frames",
            Self::TooManyPings => "the peer sent PINGs too often",
            Self::DataFlood => "the peer floods with DATA frames that carry nothing",
            Self::MadeResets => "the peer makes us reset its calls",
            Self::RapidReset => "the peer resets most of the calls it opens",
            Self::RefusedCalls => "most of the peer's calls have to be refused",
            Self::SettingsTimeout => "the peer fills calls that nobody reads, and does not answer SETTINGS",
            Self::ProtocolError => "the peer broke a rule of HTTP/2",
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Rate {
    burst: i64,
    per_second: i64,
}

/// A bucket that leaks.
#[derive(Debug, Default)]
struct Bucket {
    filled: i64,
    leaked_at: Duration,
}

impl Bucket {
    /// True: it runs over.
    fn pour(&mut self, amount: i64, now: Duration, rate: Rate) -> bool {
        let millis = now.saturating_sub(self.leaked_at).as_millis();
        let leaks = i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(rate.per_second) / 1000;
        if leaks > 0 {
            self.leaked_at = now;
            self.filled = self.filled.min((self.filled - leaks).max(0));
        }
        self.filled += amount;
        self.filled > rate.burst
    }

    fn credit(&mut self, amount: i64) {
        self.filled = (self.filled - amount).max(-MOST_CREDIT);
    }
}

/// Frames since the last look that may be of no use.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Idle {
    /// PING, WINDOW_UPDATE, PRIORITY, RST_STREAM and what we do not know.
    pub(crate) control: u32,
    pub(crate) settings: u32,
    /// DATA that ends nothing and has no room for the prefix of a message.
    pub(crate) data: u32,
    /// HEADERS and large DATA: what comes with these is allowed.
    pub(crate) useful: u32,
}

/// Calls of one second.
#[derive(Debug, Default)]
struct Calls {
    since: Duration,
    opened: u32,
    reset: u32,
    refused: u32,
}

/// The conduct of the client of a server.
#[derive(Debug, Default)]
pub(crate) struct Conduct {
    idle: Bucket,
    made_resets: Bucket,
    idle_data: u64,
    idle_control: u64,
    calls: Calls,
    /// Most calls of this second, or of the one before, came to nothing.
    spoiling: bool,
    told: bool,
}

impl Conduct {
    /// Judges what was seen since the last look.
    pub(crate) fn judge(&mut self, seen: Idle, now: Duration) -> Option<Abuse> {
        let control = i64::from(seen.control) + IDLE_PER_SETTINGS * i64::from(seen.settings);
        let data = i64::from(seen.data);
        self.idle.credit(IDLE_PER_CALL * i64::from(seen.useful));
        self.idle_control += control.unsigned_abs();
        self.idle_data += data.unsigned_abs();
        if !self.idle.pour(control + data, now, IDLE) {
            return None;
        }
        Some(if self.idle_data > self.idle_control { Abuse::DataFlood } else { Abuse::ControlFlood })
    }

    /// We sent bytes the peer asked for: it answers with frames that do nothing else.
    pub(crate) fn allow(&mut self, bytes: usize) {
        self.idle.credit(IDLE_PER_FRAME * (1 + i64::try_from(bytes / 1024).unwrap_or(MOST_CREDIT)));
    }

    /// A call ended before the peer had said all: frames of it may still come, each to be answered with a reset.
    pub(crate) fn ended_early(&mut self) {
        self.made_resets.credit(LATE_FRAMES);
    }

    /// h2 reset calls because of what the peer sent.
    pub(crate) fn made_to_reset(&mut self, count: usize, now: Duration) -> Option<Abuse> {
        let over = self.made_resets.pour(i64::try_from(count).unwrap_or(i64::MAX / 2), now, MADE_RESETS);
        over.then_some(Abuse::MadeResets)
    }

    pub(crate) fn opened(&mut self, now: Duration) {
        self.begin_second(now);
        self.calls.opened += 1;
    }

    /// A call came to nothing. `Some`, once: so do most.
    pub(crate) fn spoiled(&mut self, by_reset: bool, now: Duration) -> Option<Abuse> {
        self.begin_second(now);
        let count = if by_reset { &mut self.calls.reset } else { &mut self.calls.refused };
        *count += 1;
        self.spoiling |= self.calls.are_spoiled();
        let first = self.spoiling && !self.told;
        self.told |= first;
        let abuse = if self.calls.reset >= self.calls.refused { Abuse::RapidReset } else { Abuse::RefusedCalls };
        first.then_some(abuse)
    }

    fn begin_second(&mut self, now: Duration) {
        if now.saturating_sub(self.calls.since) >= Duration::from_secs(1) {
            self.spoiling = self.calls.are_spoiled();
            self.calls = Calls { since: now, ..Calls::default() };
        }
    }

    /// Its share of the loop should be small: so are the calls that we reset, on the way to their limit.
    pub(crate) fn is_spoiling(&self) -> bool {
        self.spoiling || self.made_resets.filled >= i64::from(MANY_SPOILED)
    }
}

impl Calls {
    /// A client that leaves resets what it has had open for hours: only as many count as it opened in this second.
    fn are_spoiled(&self) -> bool {
        let spoiled = (self.reset + self.refused).min(self.opened);
        spoiled >= MANY_SPOILED && 2 * u64::from(spoiled) >= u64::from(self.opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::from_secs(1000);

    fn pings(count: u32) -> Idle {
        Idle { control: count, ..Idle::default() }
    }

    #[test]
    fn a_burst_is_no_flood_and_one_more_frame_is() {
        let mut conduct = Conduct::default();
        assert_eq!(conduct.judge(pings(10_000), START), None);
        assert_eq!(conduct.judge(pings(1), START), Some(Abuse::ControlFlood));
    }

    #[test]
    fn the_rate_may_go_on_for_ever() {
        let mut conduct = Conduct::default();
        for second in 0..100_000 {
            assert_eq!(conduct.judge(pings(1000), START + Duration::from_secs(second)), None, "second {second}");
        }
        let mut faster = Conduct::default();
        let cut = (0..100).find(|&second| faster.judge(pings(2000), START + Duration::from_secs(second)).is_some());
        assert_eq!(cut, Some(9), "1,000 a second too many, and a burst of 10,000");
    }

    #[test]
    fn time_in_small_steps_leaks_as_much() {
        let mut conduct = Conduct::default();
        assert_eq!(conduct.judge(pings(10_000), START), None);
        for micros in 0..10_000 {
            assert_eq!(conduct.judge(Idle::default(), START + Duration::from_micros(micros)), None);
        }
        assert_eq!(conduct.judge(pings(10), START + Duration::from_millis(10)), None);
        assert_eq!(conduct.judge(pings(1), START + Duration::from_millis(10)), Some(Abuse::ControlFlood));
    }

    #[test]
    fn what_we_send_may_be_answered() {
        let mut conduct = Conduct::default();
        for _ in 0..1000 {
            conduct.allow(16 * 1024);
            assert_eq!(conduct.judge(pings(2 + 16), START), None);
        }
        // But not be saved up.
        conduct.allow(usize::MAX);
        assert_eq!(conduct.judge(pings(110_000), START), None);
        assert_eq!(conduct.judge(pings(1), START), Some(Abuse::ControlFlood));
    }

    #[test]
    fn settings_count_for_more_and_data_has_a_name_of_its_own() {
        let settings = Idle { settings: 1001, ..Idle::default() };
        assert_eq!(Conduct::default().judge(settings, START), Some(Abuse::ControlFlood));
        let data = Idle { data: 10_001, ..Idle::default() };
        assert_eq!(Conduct::default().judge(data, START), Some(Abuse::DataFlood));
    }

    #[test]
    fn resets_we_are_made_to_send_have_a_rate_and_late_frames_are_none() {
        let mut conduct = Conduct::default();
        for _ in 0..100_000 {
            conduct.ended_early();
            assert_eq!(conduct.made_to_reset(2, START), None);
        }
        let mut made = Conduct::default();
        assert_eq!(made.made_to_reset(255, START), None);
        assert!(!made.is_spoiling());
        assert_eq!(made.made_to_reset(745, START), None);
        assert!(made.is_spoiling(), "read slowly until then");
        assert_eq!(made.made_to_reset(1, START), Some(Abuse::MadeResets));
        assert_eq!(made.made_to_reset(0, START + Duration::from_secs(1)), None);
    }

    #[test]
    fn calls_that_come_to_nothing_are_told_once_and_forgotten_after_a_good_second() {
        let mut conduct = Conduct::default();
        let mut told = Vec::new();
        for _ in 0..1000 {
            conduct.opened(START);
            told.extend(conduct.spoiled(true, START));
        }
        assert_eq!(told, [Abuse::RapidReset]);
        assert!(conduct.is_spoiling());
        conduct.opened(START + Duration::from_secs(1));
        assert!(conduct.is_spoiling(), "the second before counts");
        conduct.opened(START + Duration::from_secs(2));
        assert!(!conduct.is_spoiling());
    }

    #[test]
    fn a_client_that_leaves_may_reset_all_it_has_had_open() {
        let mut conduct = Conduct::default();
        for _ in 0..1000 {
            conduct.opened(START);
        }
        for later in [Duration::from_secs(1), Duration::from_secs(1), Duration::from_hours(1)] {
            let then = START + later;
            assert!((0..333).all(|_| conduct.spoiled(true, then).is_none()));
        }
        assert!(!conduct.is_spoiling());
        // Nor because it opens a few beside them.
        let then = START + Duration::from_hours(2);
        (0..255).for_each(|_| conduct.opened(then));
        assert!((0..1000).all(|_| conduct.spoiled(true, then).is_none()));
        conduct.opened(then);
        assert_eq!(conduct.spoiled(true, then), Some(Abuse::RapidReset));
    }

    #[test]
    fn a_few_calls_or_a_part_of_them_may_come_to_nothing() {
        let (mut few, mut part) = (Conduct::default(), Conduct::default());
        for n in 0..1000 {
            part.opened(START);
            if n < 255 {
                few.opened(START);
                assert_eq!(few.spoiled(false, START), None);
            }
            if n >= 502 {
                assert_eq!(part.spoiled(false, START), None);
            }
        }
        assert!(!few.is_spoiling() && !part.is_spoiling());
        few.opened(START);
        assert_eq!(few.spoiled(false, START), Some(Abuse::RefusedCalls));
    }
}
