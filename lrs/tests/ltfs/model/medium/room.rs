//! Room that is promised: what is begun is ended, and what is synced is committed, on both partitions, until nothing more
//! is begun.

use super::super::rig::{TAPE, To};
use super::bench::{Ledger, expected, formatted, label, mounted, stamp};
use super::puts::tag;
use dss::model::{ByteCount, Digests};
use lrs::ldm::fs::ltfs::medium::Erasing;

/// An eighth of it is the index partition, which a drive tells in whole megabytes.
const SMALL: u64 = 20_000_000;

struct Dice(u64);

impl Dice {
    fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most
    }
}

/// Fills a medium with extents up to this size, with a sync after some and a commit after fewer, until none is begun any
/// more. Answers how many there are, and how many bytes of them.
fn filled(seed: u64, longest: u64) -> (usize, u64) {
    let label = label();
    let rig = formatted(SMALL, &label);
    let mut ledger = Ledger::of(&label);
    let (mut volume, drive, _) = mounted(&rig, 0, expected(&label, Erasing::No));
    let mut dice = Dice::of(seed);
    let mut count = 0;
    loop {
        let length = dice.below(longest + 1) as usize;
        let free = volume.space().unwrap().free;
        let taken = ledger.offer_one(&mut *volume, length).unwrap();
        assert!(
            taken || free < ByteCount(length as u64),
            "seed {seed}: {free:?} were promised"
        );
        if !taken {
            break;
        }
        count += 1;
        match dice.below(40) {
            0 => ledger.commit(&mut *volume, 5).unwrap(),
            1..5 => ledger.sync(&mut *volume).unwrap(),
            _ => {}
        }
    }
    ledger.sync(&mut *volume).unwrap();
    let room = volume.space().unwrap();
    ledger.commit(&mut *volume, 6).unwrap();
    println!("seed {seed}: {count} extents up to {longest} bytes, then {room:?}");
    drop((volume, drive));
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, ..) = mounted(&rig, 1, expected(&label, Erasing::No));
    ledger.hold(&mut *volume);
    // Once more, as after a crash that came after the data partition's index.
    ledger.commit(&mut *volume, 7).unwrap();
    (count, room.used.0)
}

/// many small extents fill the index partition long before the tape.
#[test]
fn small_extents_leave_room_for_the_index_of_the_index_partition() {
    for seed in 1..3 {
        let (count, _) = filled(seed, 50);
        assert!(count > 600 && count < 5000, "{count}");
    }
}

/// large ones fill the tape, and the log and both indexes still fit.
#[test]
fn large_extents_leave_room_for_the_log_and_the_indexes() {
    for (seed, longest) in [(3, 60_000), (4, 400_000), (5, 3_000_000)] {
        let (count, bytes) = filled(seed, longest);
        // And no room is wasted but for one extent, the coarse word of the drive, and what log and indexes took.
        let least = SMALL / 8 * 7 - 2_500_000 - longest - count as u64 * 7000;
        assert!(bytes > least, "{bytes} of {least}");
    }
}

/// paths that were given before a commit and are written behind it bring their directories into the next index.
#[test]
fn x15_directories_of_paths_given_before_a_commit_leave_room_for_the_index_behind_it() {
    // An index partition takes the directories of two such paths, and not those of sixty.
    for (given, most) in [(2, 2), (60, 6)] {
        let label = label();
        let rig = formatted(SMALL, &label);
        let (mut volume, drive, _) = mounted(&rig, 0, expected(&label, Erasing::No));
        let deep = |number| tag(&format!("{number}/{}f", "d/".repeat(300)), 1);
        let reserved: Vec<_> = (0..given)
            .map(deep)
            .map(|tag| (volume.reserve(&tag).unwrap(), tag))
            .collect();
        volume.commit_index(stamp(5)).unwrap();
        let mut taken = 0;
        for (address, tag) in reserved {
            let Some(handle) = volume.create(tag, &address).unwrap() else {
                continue;
            };
            volume.write(handle, b"1").unwrap();
            volume.finish(handle, Digests::of(b"1")).unwrap();
            taken += 1;
        }
        volume.commit_index(stamp(6)).unwrap();
        assert!(taken <= most && (given > most || taken == given), "{taken} of {given}");
        drop((volume, drive));
    }
}

/// What was synced since the last index counts before it is in one, also for whoever mounts the tape anew.
#[test]
fn what_is_in_the_log_alone_takes_its_room_in_the_next_index() {
    let label = label();
    let rig = formatted(SMALL, &label);
    let mut ledger = Ledger::of(&label);
    let (mut volume, drive, _) = mounted(&rig, 0, expected(&label, Erasing::No));
    // One window, never committed.
    while ledger.offer_one(&mut *volume, 1).unwrap() {}
    ledger.sync(&mut *volume).unwrap();
    assert_eq!(volume.space().unwrap().free, ByteCount(0));
    drop((volume, drive));
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, ..) = mounted(&rig, 1, expected(&label, Erasing::No));
    ledger.hold(&mut *volume);
    assert_eq!(volume.space().unwrap().free, ByteCount(0));
    assert!(!ledger.offer_one(&mut *volume, 1).unwrap());
    ledger.commit(&mut *volume, 7).unwrap();
}
