//! Numbers that look random and are the same in every run.

/// SplitMix64.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let bound = u64::try_from(bound).expect("a bound fits");
        usize::try_from((word ^ (word >> 31)) % bound).expect("less than the bound")
    }

    /// True so many times in a hundred.
    pub(crate) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// The length of a piece: often a few bytes, often a frame or two, sometimes all there is.
    pub(crate) fn piece(&mut self) -> usize {
        match self.below(4) {
            0 => 1 + self.below(20),
            1 => 1 + self.below(2_000),
            2 => 1 + self.below(40_000),
            _ => 256 * 1024,
        }
    }
}
