//! All chance of a simulation, from one seed.

/// SplitMix64: the same seed, the same numbers, on every machine.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Seeds that differ in one bit give unrelated numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// Yes in so many of four cases.
    pub fn quarters(&mut self, of_four: usize) -> bool {
        self.below(4) < of_four
    }
}

/// A seed for one of many uses.
pub fn mix(seed: u64, use_number: u64) -> u64 {
    Chance::new(seed ^ use_number.wrapping_mul(0xd6e8_feb8_6659_fd93)).next()
}
