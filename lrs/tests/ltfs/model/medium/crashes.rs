//! Stops before every command: of a session that writes, syncs, takes away, commits and erases, and of an erasure that was
//! stopped before.

use super::super::cuts::Ending;
use super::super::rig::{Rig, TAPE, Then, To};
use super::bench::{Ledger, base, expected, mounted, next};
use crate::writing::judged;
use lrs::ldm::MediaResult;
use lrs::ldm::fs::Volume;
use lrs::ldm::fs::ltfs::medium::Erasing;
use std::collections::BTreeMap;

/// Enough for every index of these tests.
const ROOM: u64 = 64 << 20;

/// Writes, syncs, seals small things, deletes, isolates and commits, each followed by something that is not synced.
fn session(ledger: &mut Ledger, volume: &mut dyn Volume) -> MediaResult<()> {
    ledger.put(volume, &[10, 9000, 3000])?;
    ledger.sync(volume)?;
    ledger.delete(volume)?;
    ledger.put(volume, &[4096])?;
    ledger.sync(volume)?;
    ledger.isolate(volume)?;
    ledger.put(volume, &[77, 20_000])?;
    ledger.commit(volume, 6)?;
    ledger.put(volume, &[5])?;
    ledger.sync(volume)?;
    ledger.put(volume, &[6000])
}

/// The cartridge is carried into the other drive, whoever had it before; what it must hold is there, more can be written,
/// and all of that is found in the first drive.
fn survives(rig: &Rig, mut ledger: Ledger) {
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, drive, _) = mounted(rig, 1, expected(&ledger.label, Erasing::No));
    ledger.hold(&mut *volume);
    ledger.put(&mut *volume, &[5, 9000]).unwrap();
    ledger.sync(&mut *volume).unwrap();
    ledger.hold(&mut *volume);
    ledger.commit(&mut *volume, 9).unwrap();
    drop(volume);
    drive.lock().unwrap().unload().unwrap();
    drop(drive);
    rig.carry(TAPE, To::Slot);
    let (mut volume, ..) = mounted(rig, 0, expected(&ledger.label, Erasing::No));
    ledger.hold(&mut *volume);
}

/// E-06, E-15, E-16, I7: whatever a sync answered for is there after a stop anywhere, by index and by place, in the other
/// drive; what no sync was begun for is not.
#[test]
fn a_stop_before_any_command_of_a_session_loses_nothing_that_was_synced() {
    let (base, ledger) = base(ROOM);
    for ending in Ending::ALL {
        let mut points = 0;
        loop {
            let rig = Rig::copy(base.folder.path(), "");
            let mut ledger = ledger.copy();
            let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
            line.before(points, || Then::Silence);
            let done = session(&mut ledger, &mut *volume);
            drop((volume, drive));
            println!(
                "{ending:?} before command {points}: {:?}",
                done.as_ref().err().map(ToString::to_string)
            );
            survives(&ending.happen(rig), ledger);
            if done.is_ok() {
                break;
            }
            points += 1;
        }
        println!("{ending:?}: {points} crash points of a session");
        assert!(points > 80, "{points}");
    }
}

/// What an erasure that was stopped has left: the label that is there, if any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Left {
    /// The medium as it was.
    Old,
    /// An erased one.
    New,
    /// Nothing that can be read.
    Half,
}

/// Mounts a medium that the catalogue has *erasing*, in a drive, and says what is left of it: all of it, or nothing.
fn look(rig: &Rig, number: usize, ledger: &Ledger) -> (Box<dyn Volume>, Left) {
    let (mut volume, ..) = mounted(rig, number, expected(&ledger.label, Erasing::Begun));
    if volume.label().generation == ledger.label.generation {
        ledger.copy().hold(&mut *volume);
        return (volume, Left::Old);
    }
    let left = match volume.index() {
        Ok(mut entries) => {
            assert!(entries.next().is_none());
            Left::New
        }
        Err(_) => Left::Half,
    };
    (volume, left)
}

fn erase(volume: &mut dyn Volume, ledger: &Ledger) -> MediaResult<()> {
    let done = volume.erase(next(&ledger.label), &mut std::iter::empty(), &mut |_| {});
    done.map(|left| assert!(left.is_empty()))
}

/// Ends an erasure in the other drive than the one before, writes a generation of its own, and finds that.
fn is_ended(rig: &Rig, ledger: &Ledger) -> Left {
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, left) = look(rig, 1, ledger);
    erase(&mut *volume, ledger).unwrap();
    // Whoever does not know that it came to its end does it again.
    erase(&mut *volume, ledger).unwrap();
    let mut after = Ledger::of(&next(&ledger.label));
    after.put(&mut *volume, &[7, 5000]).unwrap();
    after.sync(&mut *volume).unwrap();
    after.commit(&mut *volume, 20).unwrap();
    drop(volume);
    rig.out(TAPE, 1, To::Slot);
    let (mut volume, ..) = mounted(rig, 0, expected(&after.label, Erasing::No));
    after.hold(&mut *volume);
    left
}

/// an erasure that is stopped before any command is ended by the next one.
#[test]
fn a_stop_before_any_command_of_an_erasure_leaves_one_that_can_be_ended() {
    let (base, ledger) = base(ROOM);
    for ending in Ending::ALL {
        let (mut seen, mut points) = (BTreeMap::new(), 0);
        loop {
            let rig = Rig::copy(base.folder.path(), "");
            let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
            line.before(points, || Then::Silence);
            let done = erase(&mut *volume, &ledger);
            drop((volume, drive));
            println!("{ending:?} before command {points}");
            let rig = ending.happen(rig);
            let left = is_ended(&rig, &ledger);
            *seen.entry(left).or_insert(0) += 1;
            if done.is_ok() {
                judged(&rig.path(TAPE));
                break;
            }
            points += 1;
        }
        println!("{ending:?}: {points} crash points of an erasure; found {seen:?}");
        assert!(points > 60 && seen.len() == 3, "{points} {seen:?}");
    }
}

/// How many commands an erasure of the medium in a slot takes.
fn commands(base: &Rig, ledger: &Ledger) -> usize {
    let rig = Rig::copy(base.folder.path(), "");
    let (mut volume, _, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
    line.listen();
    erase(&mut *volume, ledger).unwrap();
    line.heard().len()
}

/// stopped where the label is on one partition alone, and then before any command of the call that would end it, or
/// of the call after that one. What crashes leave behind an index is no extent.
#[test]
fn an_erasure_that_is_stopped_twice_is_ended_by_the_third_call() {
    let (base, ledger) = base(ROOM);
    let whole = commands(&base, &ledger);
    let mut points = 0;
    for ending in [Ending::Power, Ending::Host] {
        for first in (whole - 60..whole - 48).step_by(4) {
            for second in 0.. {
                let mut rig = Rig::copy(base.folder.path(), "");
                let mut done = false;
                for (round, at) in [first, second, second + 1].into_iter().enumerate() {
                    let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
                    line.before(at, || Then::Silence);
                    done = erase(&mut *volume, &ledger).is_ok();
                    println!("{ending:?}, call {round} before command {at}: {done}");
                    drop((volume, drive));
                    rig = ending.happen(rig);
                    rig.out(TAPE, 0, To::Slot);
                }
                rig.carry(TAPE, To::Drive(0));
                is_ended(&rig, &ledger);
                if done {
                    break;
                }
                points += 1;
            }
        }
    }
    println!("{points} crash points of repeated erasures");
    assert!(points > 40, "{points}");
}

/// stopped again and again, at places that a seed chooses, and ended in the end.
#[test]
fn an_erasure_that_is_stopped_many_times_is_ended_by_the_next() {
    let (base, ledger) = base(ROOM);
    for seed in 0..40_u64 {
        println!("seed {seed}");
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut dice = |most: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % most
        };
        let mut rig = Rig::copy(base.folder.path(), "");
        for round in 0..4 {
            let (mut volume, drive, line) = match round {
                0 => mounted(&rig, 0, expected(&ledger.label, Erasing::Begun)),
                _ => {
                    rig.out(TAPE, 0, To::Slot);
                    mounted(&rig, 0, expected(&ledger.label, Erasing::Begun))
                }
            };
            // Near the end there are the indexes, where the label is half there.
            let at = usize::try_from(dice(90)).unwrap();
            line.before(at, || Then::Silence);
            let done = erase(&mut *volume, &ledger);
            println!("round {round} before command {at}: {}", done.is_ok());
            drop((volume, drive));
            rig = Ending::ALL[usize::try_from(dice(3)).unwrap()].happen(rig);
        }
        is_ended(&rig, &ledger);
    }
}
