//! Several lives of one cartridge with stops at places that a seed chooses, in sessions and in recoveries.

use super::cuts::Ending;
use super::promise::{Judge, base};
use super::rig::{Rig, TAPE, Then, To};
use lrs::ldm::drive::Drive;

/// Numbers from a seed (SplitMix64; Steele, Lea and Flood 2014).
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % most as u64) as usize
    }

    fn lengths(&mut self) -> Vec<usize> {
        let most = [50, 5000, 4097, 30_000][self.below(4)];
        (0..1 + self.below(12)).map(|_| self.below(most)).collect()
    }
}

/// Ten lives from a seed. Each begins with whatever the one before left, in one of both drives.
fn lives(seed: u64) -> usize {
    let mut chance = Chance(seed);
    let (base, mut promise) = base();
    let mut rig = Rig::copy(base.folder.path(), "");
    rig.carry(TAPE, To::Drive(0));
    let mut stops = 0;
    for life in 0..10 {
        let number = life % 2;
        let (mut tape, line) = rig.wired(number);
        tape.load().unwrap();
        let mut mounted = promise.hold(&mut tape);
        line.before(chance.below(90), || Then::Silence);
        let lengths = chance.lengths();
        let done = promise
            .recover(&rig, &mut tape, &mut mounted)
            .and_then(|()| promise.session(&mut tape, &mut mounted, &format!("life {life}"), &lengths));
        stops += usize::from(done.is_err());
        drop(tape);
        let ending = Ending::ALL[chance.below(3)];
        rig = ending.happen(rig);
        rig.out(TAPE, number, To::Drive(1 - number));
    }
    promise.survives(&rig, 0, Judge::Asked);
    stops
}

#[test]
fn lives_end_anywhere_and_what_was_promised_is_there_in_the_next() {
    let seeds = match std::env::var("SIM_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (1..=12).collect(),
    };
    for seed in seeds {
        println!("seed {seed}");
        println!("seed {seed}: {} of 10 lives were stopped", lives(seed));
    }
}
