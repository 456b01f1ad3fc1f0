//! When a job gives way to somebody more urgent, and when it insists. Pure; kept by the engine over all grants of one
//! run.
//!
//! An extent that would keep others waiting for more than a minute is abandoned when its job gives way, and begun anew
//! under the next grant. Were that always so, a disk whose dock is wanted all the time would never be rid of a very large
//! extent. The bound: of [`YIELDS_MAX`] grants in a row that brought nothing, the next one keeps its media until one
//! extent is settled, and one only. So an extent is begun at most `YIELDS_MAX + 1` times for the sake of others, and
//! others wait at most for one extent.

/// So many grants in a row are given back without anything settled; the next one is kept until one extent is.
pub const YIELDS_MAX: u32 = 3;

/// How the job's turns went so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Turns {
    settled_in_turn: u64,
    fruitless: u32,
}

impl Turns {
    /// A grant begins.
    pub fn granted(&mut self) {
        self.settled_in_turn = 0;
    }

    /// So many extents were swapped, skipped or found gone.
    pub fn settled(&mut self, extents: u64) {
        self.settled_in_turn += extents;
        if extents > 0 {
            self.fruitless = 0;
        }
    }

    /// The grant ends because somebody else waits.
    pub fn gave_way(&mut self) {
        if self.settled_in_turn == 0 {
            self.fruitless += 1;
        }
    }

    /// Whether the next extent is copied to its end whoever waits. A window begun so holds one extent.
    pub fn insists(&self) -> bool {
        self.fruitless >= YIELDS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_gives_way_again_and_again_insists_on_one_extent_and_gives_way_again() {
        let mut turns = Turns::default();
        for _ in 0..YIELDS_MAX {
            assert!(!turns.insists());
            turns.granted();
            turns.gave_way();
        }
        turns.granted();
        assert!(turns.insists());
        turns.settled(1);
        assert!(!turns.insists(), "one extent, and others have their turn");
    }

    #[test]
    fn a_turn_that_brought_something_begins_the_count_anew() {
        let mut turns = Turns::default();
        for _ in 0..10 * YIELDS_MAX {
            turns.granted();
            turns.gave_way();
            turns.granted();
            turns.settled(1);
            turns.gave_way();
            assert!(!turns.insists());
        }
    }
}
