//! How often tests kill, and where.

use std::collections::BTreeSet;

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// How many kills, and where: from `MILLWRIGHT_SEED` and `MILLWRIGHT_KILLS`, as
/// `tests/long` sets them.
pub struct Plan {
    pub seed: u64,
    pub dice: StdRng,
    pub kills: usize,
}

impl Plan {
    /// So many kills, unless it is said how many.
    pub fn new(kills: u64) -> Self {
        let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok());
        let seed = number("MILLWRIGHT_SEED").unwrap_or(20_240_229);
        let kills = number("MILLWRIGHT_KILLS").unwrap_or(kills);
        println!("{kills} kills from seed {seed}");
        let dice = StdRng::seed_from_u64(seed);
        Self { seed, dice, kills: usize::try_from(kills).unwrap() }
    }

    /// `kills` places between 1 and `end`, in order.
    pub fn places(&mut self, end: usize) -> BTreeSet<usize> {
        (0..self.kills).map(|_| self.dice.random_range(1..end)).collect()
    }
}
