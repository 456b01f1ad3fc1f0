//! A tape that ends at any record or filemark, for good: what was synced is read, by index and by place, and the index
//! before is there where the next one found no room.

use super::super::cuts::Ending;
use super::super::rig::{Line, Rig, TAPE, To, fails};
use super::bench::{Ledger, base, expected, mounted};
use lrs::ldm::fs::Volume;
use lrs::ldm::fs::ltfs::medium::Erasing;
use lrs::ldm::{Fault, MediaResult};

const ROOM: u64 = 64 << 20;

/// From the command of this number on that would write a record or a filemark, the tape has no room for it (D/00/02). What
/// the drive has taken before it writes out.
fn full_from(line: &Line, number: usize) {
    let mut before = number;
    line.stand_in(move |cdb| {
        let writes = cdb[0] == 0x0a || cdb[0] == 0x10 && cdb[2..5] != [0, 0, 0];
        if !writes {
            return None;
        }
        match before.checked_sub(1) {
            Some(left) => {
                before = left;
                None
            }
            None => Some(fails((0xd, 0, 2))),
        }
    });
}

/// Writes, syncs and commits until the tape takes no more. Answers whether it came to its end before.
fn fill(ledger: &mut Ledger, volume: &mut dyn Volume) -> MediaResult<bool> {
    for lengths in [&[10, 9000, 3000][..], &[4096], &[20_000, 77]] {
        for length in lengths {
            if !ledger.offer_one(volume, *length)? {
                return Ok(true);
            }
        }
        ledger.sync(volume)?;
        ledger.delete(volume)?;
    }
    ledger.commit(volume, 6)?;
    Ok(!ledger.offer_one(volume, 5000)?)
}

/// an end at every record and filemark of a session, in a commit too. Then again with a tape that has no room left
/// at all for the next who mounts it.
#[test]
fn an_end_at_any_record_loses_nothing_that_was_synced() {
    let (base, ledger) = base(ROOM);
    for ending in [Ending::Power, Ending::Host] {
        let (mut ends, mut closed) = (0, 0);
        loop {
            let rig = Rig::copy(base.folder.path(), "");
            let mut ledger = ledger.copy();
            let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
            full_from(&line, ends);
            let done = fill(&mut ledger, &mut *volume);
            println!("{ending:?}: room for {ends} records: {done:?}");
            if let Err(error) = &done {
                assert!(matches!(error.fault, Fault::NoSpace | Fault::NeedsReopen), "{error}");
            }
            // Whoever is told of the end closes the tape, as far as it goes.
            let after = ledger.commit(&mut *volume, 7);
            closed += usize::from(after.is_ok());
            drop((volume, drive));
            let rig = ending.happen(rig);
            rig.out(TAPE, 0, To::Slot);
            is_read_and_closed(&rig, ledger);
            if done.is_ok_and(|ended| !ended) {
                break;
            }
            ends += 1;
        }
        println!("{ending:?}: {ends} ends, {closed} of them closed by an index");
        assert!(ends > 25, "{ends}");
    }
}

/// On a full tape and then on one that has room again: what must be there is, and a commit that finds no room says so.
fn is_read_and_closed(rig: &Rig, mut ledger: Ledger) {
    let (mut volume, drive, line) = mounted(rig, 1, expected(&ledger.label, Erasing::No));
    full_from(&line, 0);
    ledger.hold(&mut *volume);
    if let Err(error) = ledger.commit(&mut *volume, 8) {
        assert_eq!(error.fault, Fault::NoSpace);
    }
    drop((volume, drive));
    rig.out(TAPE, 1, To::Slot);
    let (mut volume, ..) = mounted(rig, 0, expected(&ledger.label, Erasing::No));
    ledger.hold(&mut *volume);
    ledger.commit(&mut *volume, 9).unwrap();
    ledger.hold(&mut *volume);
}
