//! Errands in any order under faults in any order; then the faults stop, and everything is put away. One seed is one run.

use super::support::{Rig, all_there, expected, fault, formatted};
use crate::volume::put;
use lrs::ldm::fs::Volume;
use lrs::ldm::library::BayState;
use lrs::ldm::virt::Technology;

/// SplitMix64 (Steele, Lea and Flood 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % sides as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len())]
    }
}

const BAYS: [&str; 2] = ["drv0", "drv1"];

fn faults(dice: &mut Dice) -> String {
    let mut plan = String::new();
    for _ in 0..dice.roll(4) {
        let (place, op, error) = match dice.roll(5) {
            0 => (
                "library = 'lib0'",
                dice.of(&["load", "unload"]),
                dice.of(&["4/15/01", "4/83/00", "5/3b/0e"]),
            ),
            1 => ("drive = 'drv0'", "load", dice.of(&["4/53/00", "3/52/00", "4/44/00"])),
            2 => ("drive = 'drv1'", "unload", dice.of(&["4/53/00", "eio"])),
            3 => ("medium = 'RSP001L9'", dice.of(&["sync", "locate"]), "eio"),
            _ => ("drive = 'drv1'", "read", "6/29/00"),
        };
        plan += &fault(place, op, error, 1 + dice.roll(3) as u64);
        plan += &format!("nth = {}\n", 1 + dice.roll(6));
    }
    plan
}

/// How many extents a volume has; None: its index could not be read.
fn count(volume: &mut dyn Volume) -> Option<usize> {
    let entries: Result<Vec<_>, _> = volume.index().ok()?.collect();
    Some(entries.ok()?.len())
}

/// Answers how many errands were done, how many failed, and how many extents are durable.
fn run(seed: u64) -> [usize; 3] {
    let mut dice = Dice(seed);
    let rig = Rig::new(Technology::Lto9);
    let barcodes: Vec<String> = (0..4).map(|number| format!("RSP00{number}L9")).collect();
    let label = formatted(&rig.library, "RSP001L9");
    let mut synced = 0;
    let (mut done, mut failed) = (0, 0);
    let mut note = |is_ok: bool| *(if is_ok { &mut done } else { &mut failed }) += 1;
    let mut rig = rig.again(&faults(&mut dice), |_| {});
    for _ in 0..12 {
        let (bay, barcode) = (dice.of(&BAYS), &barcodes[dice.roll(4)]);
        let library = &rig.library;
        match dice.roll(6) {
            0 | 1 => note(library.put_in(bay, barcode).is_ok()),
            2 => note(library.take_out(bay).is_ok()),
            3 => {
                if let Ok(mut volume) = library.mount(bay, "RSP001L9", expected(&label)) {
                    // A fault may strike here, too.
                    let Some(number) = count(&mut *volume) else { continue };
                    assert!(number >= synced, "seed {seed}: {number} of {synced}");
                    let written = put(&mut *volume, &format!("o{number}"), b"1").is_ok();
                    synced += usize::from(written && volume.sync().is_ok());
                }
            }
            4 => note(library.unmount(bay).is_ok()),
            _ => {
                let again = faults(&mut dice);
                rig = rig.again(&again, |_| {});
            }
        }
        all_there(&rig.library, &barcodes);
        for bay in BAYS {
            rig.library.drive_status(bay).unwrap();
        }
    }
    // In this process, or in the next one.
    if dice.roll(2) == 0 {
        rig = rig.again("", |_| {});
    }
    let library = &rig.library;
    for bay in BAYS {
        // Each fault fires a few times at most.
        let mut left = 12;
        while library.unmount(bay).is_err() || library.take_out(bay).is_err() {
            left -= 1;
            assert!(left > 0, "seed {seed}: {:?}", library.take_out(bay));
        }
        assert!(
            library
                .bays()
                .iter()
                .any(|view| view.name == bay && view.state == BayState::Free)
        );
    }
    let inventory = library.inventory().unwrap();
    assert_eq!(inventory.free_slots().len(), 2, "seed {seed}");
    all_there(library, &barcodes);
    let mut left = 40;
    let mut volume = loop {
        match library.mount("drv0", "RSP001L9", expected(&label)) {
            Ok(volume) => break volume,
            Err(error) => {
                left -= 1;
                assert!(left > 0, "seed {seed}: {error}");
            }
        }
    };
    assert!(count(&mut *volume).unwrap() >= synced, "seed {seed}");
    [done, failed, synced]
}

#[test]
fn whatever_fails_every_cartridge_is_put_away_in_the_end() {
    let mut sums = [0; 3];
    for seed in 0..200 {
        let counts = run(seed);
        sums = [0, 1, 2].map(|at| sums[at] + counts[at]);
    }
    let [done, failed, synced] = sums;
    println!("{done} errands done, {failed} failed, {synced} extents durable");
    assert!(done > 300 && failed > 100 && synced > 20);
}
