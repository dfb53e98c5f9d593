//! How often a peer may ask whether we are there. Source: gRFC A8, "Server Enforcement".

use std::time::Duration;

/// Pings that come too early before the connection ends with the next one.
const MOST_STRIKES: u32 = 2;
/// Between two PINGs while no call is open, where such PINGs are not wanted.
const IDLE_PERMIT: Duration = Duration::from_hours(2);

/// What a peer is allowed.
#[derive(Clone, Copy, Debug)]
struct Policy {
    /// Between two PINGs.
    least: Duration,
    /// PINGs may come as often while no call is open.
    without_calls: bool,
}

/// The PINGs of a peer, judged. Without a policy it may send what it likes.
#[derive(Debug, Default)]
pub(crate) struct Strikes {
    policy: Option<Policy>,
    /// PINGs that were judged.
    judged: u64,
    /// When the last one came that was no strike.
    last_good: Option<Duration>,
    /// PINGs that came too early, and were not forgiven.
    early: u32,
    /// PINGs that came too early.
    pub(crate) in_all: u64,
}

impl Strikes {
    pub(crate) fn set_policy(&mut self, least: Duration, without_calls: bool) {
        self.policy = Some(Policy { least, without_calls });
    }

    /// Judges the PINGs that came since the last look, `pings` in all. True: that was one too many.
    pub(crate) fn judge(&mut self, pings: u64, now: Duration, idle: bool) -> bool {
        let new = pings - std::mem::replace(&mut self.judged, pings);
        let Some(policy) = self.policy else { return false };
        let least = if idle && !policy.without_calls { policy.least.max(IDLE_PERMIT) } else { policy.least };
        for _ in 0..new {
            if self.last_good.is_none_or(|last| now.saturating_sub(last) >= least) {
                self.last_good = Some(now);
                continue;
            }
            self.early += 1;
            self.in_all += 1;
            if self.early > MOST_STRIKES {
                return true;
            }
        }
        false
    }

    /// We sent HEADERS or DATA: the peer has reason to ask whether they arrive.
    pub(crate) fn forgive(&mut self) {
        (self.early, self.last_good) = (0, None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUSY: bool = false;
    const IDLE: bool = true;

    fn strikes(least_seconds: u64, without_calls: bool) -> Strikes {
        let mut strikes = Strikes::default();
        strikes.set_policy(Duration::from_secs(least_seconds), without_calls);
        strikes
    }

    /// The second at which one PING each was one too many.
    fn struck_out(strikes: &mut Strikes, idle: bool, seconds: impl IntoIterator<Item = u64>) -> Option<u64> {
        let before = strikes.judged;
        let mut times = (before + 1..).zip(seconds);
        times.find(|&(n, at)| strikes.judge(n, Duration::from_secs(at), idle)).map(|(_, at)| at)
    }

    // W33
    #[test]
    fn the_third_ping_that_comes_too_early_is_one_too_many() {
        assert_eq!(struck_out(&mut strikes(10, true), BUSY, [100, 101, 102, 103]), Some(103));
        assert_eq!(struck_out(&mut strikes(10, true), BUSY, [100, 109, 110, 119, 129]), None, "two are no harm");
        assert_eq!(struck_out(&mut strikes(10, true), BUSY, [100, 109, 110, 119, 120, 129]), Some(129));
        assert!(strikes(10, true).judge(4, Duration::ZERO, BUSY), "all at once");
        assert!(!strikes(10, true).judge(3, Duration::ZERO, BUSY));
    }

    // W33
    #[test]
    fn an_idle_peer_may_ask_every_two_hours_where_it_should_not_ask_at_all() {
        let hours = [0, 7200, 14_400, 21_600, 28_800];
        assert_eq!(struck_out(&mut strikes(10, false), IDLE, hours), None);
        assert_eq!(struck_out(&mut strikes(10, false), IDLE, [0, 7199, 7199, 7199]), Some(7199));
        assert_eq!(struck_out(&mut strikes(10, true), IDLE, [0, 10, 20, 30, 40]), None);
        assert_eq!(struck_out(&mut strikes(10, false), BUSY, [0, 10, 20, 30, 40]), None);
        // A policy that is stricter stays so.
        assert_eq!(struck_out(&mut strikes(10_000, false), IDLE, [0, 7200, 7200, 7200]), Some(7200));
    }

    // W33
    #[test]
    fn what_we_send_forgives() {
        let mut pinged = strikes(10, true);
        for round in 0..5 {
            let start = round * 3;
            assert_eq!(struck_out(&mut pinged, BUSY, [start, start + 1, start + 2]), None, "round {round}");
            pinged.forgive();
        }
    }

    #[test]
    fn without_a_policy_nothing_is_a_strike() {
        let mut pinged = Strikes::default();
        assert!(!pinged.judge(1000, Duration::ZERO, IDLE));
        // What came before the policy does not count.
        pinged.set_policy(Duration::MAX, true);
        assert!(!pinged.judge(1003, Duration::ZERO, IDLE));
        assert!(pinged.judge(1004, Duration::ZERO, IDLE));
    }
}
