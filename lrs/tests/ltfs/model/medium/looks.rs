//! What is read of a medium, and how much of it: syncs that say they are done, questions after each, and stored bytes that
//! look like an index.

use super::super::cuts::Ending;
use super::super::rig::{Rig, TAPE, Then, To, fails};
use super::bench::{BLOCK, base, expected, mounted, stamp};
use super::puts::{entries, get, pattern, put, synced};
use lrs::ldm::Fault;
use lrs::ldm::fs::Wanted;
use lrs::ldm::fs::ltfs::medium::Erasing;
use lrs::ldm::fs::ltfs::volume::mount;

const ROOM: u64 = 64 << 20;

const READ: u8 = 0x08;
const WRITE: u8 = 0x0a;
const FILEMARKS: u8 = 0x10;

fn reads(heard: &[Vec<u8>]) -> usize {
    heard.iter().filter(|cdb| cdb[0] == READ).count()
}

/// Reads of so many syncs, each of one extent and with a question for it.
fn asked(syncs: usize) -> usize {
    let (rig, ledger) = base(ROOM);
    let (mut volume, _, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
    line.listen();
    for number in 0..syncs {
        let put = put(&mut *volume, &format!("asked/{number}"), &pattern(100, 1)).unwrap();
        volume.sync().unwrap();
        assert!(volume.lookup(put.tag.extent).unwrap().is_some());
        let before = reads(&line.heard());
        assert!(volume.lookup(put.tag.extent).unwrap().is_some());
        assert_eq!(reads(&line.heard()), before, "it was read back already");
    }
    reads(&line.heard())
}

/// A question after each sync reads what that sync wrote: its lines and its seal, however many there were before.
#[test]
fn a_question_after_each_sync_costs_as_much_as_the_sync() {
    let (few, many) = (asked(10), asked(60));
    println!("10 syncs: {few} reads; 60 syncs: {many} reads");
    assert_eq!((few, many), (10 * 2, 60 * 2));
}

/// I7: what is answered was read from the tape: all of it once after an index was committed, and then what was synced since.
#[test]
fn an_index_is_read_from_the_tape_once_and_what_follows_it_once() {
    let (rig, mut ledger) = base(ROOM);
    let (mut volume, _, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
    ledger.put(&mut *volume, &[100, 20_000]).unwrap();
    ledger.commit(&mut *volume, 7).unwrap();
    line.listen();
    assert_eq!(entries(&mut *volume).len(), 6);
    let first = reads(&line.heard());
    assert!(first > 4, "labels, and the indexes of both partitions: {first}");
    assert_eq!(entries(&mut *volume).len(), 6);
    assert_eq!(reads(&line.heard()), first);
    for count in 1..4 {
        ledger.put(&mut *volume, &[count]).unwrap();
        ledger.sync(&mut *volume).unwrap();
    }
    assert_eq!(entries(&mut *volume).len(), 9);
    assert_eq!(reads(&line.heard()), first + 3 * 2);
}

/// One record of what a sync wrote reads otherwise: nothing of it is answered any more.
#[test]
fn a_log_that_reads_otherwise_than_it_was_written_is_found_out() {
    for back in [1, 2] {
        let (rig, ledger) = base(ROOM);
        let (mut volume, ..) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
        let put = put(&mut *volume, "one", &pattern(100, 1)).unwrap();
        volume.sync().unwrap();
        let record = rig.path(TAPE).join(format!("1_{}_R", end(&rig) - back));
        let mut bytes = std::fs::read(&record).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&record, bytes).unwrap();
        let failed = volume.lookup(put.tag.extent).unwrap_err();
        assert!(
            matches!(&failed.fault, Fault::Damaged(why) if why.contains("otherwise than it was written")),
            "{failed}"
        );
        assert!(volume.index().is_err() && volume.commit_index(stamp(9)).is_err());
    }
}

/// The block behind the last one of the data partition.
fn end(rig: &Rig) -> u64 {
    let names = std::fs::read_dir(rig.path(TAPE)).unwrap();
    let end = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .find_map(|name| Some(name.strip_prefix("1_")?.strip_suffix("_E")?.parse().unwrap()));
    end.expect("a tape has an end of data")
}

/// E-06, M-durable: the last thing a sync asks for, behind the bytes, the lines that name them and the seal, is a synchronous
/// write of everything; what it then answers for is read by its place alone, with no index and no log that names it.
#[test]
fn a_sync_ends_with_a_synchronous_write_and_its_places_are_enough() {
    let (rig, mut ledger) = base(ROOM);
    let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
    let puts: Vec<_> = [7, 9000, 0, 50_000]
        .iter()
        .map(|length| put(&mut *volume, &format!("placed/{length}"), &pattern(*length, 3)).unwrap())
        .collect();
    line.listen();
    let receipt = volume.sync().unwrap();
    let heard = line.heard();
    let last = heard
        .iter()
        .rposition(|cdb| cdb[0] == WRITE)
        .expect("the seal is written");
    assert!(
        heard[..last].iter().any(|cdb| cdb[0] == WRITE),
        "and the lines before it"
    );
    let flush = |cdb: &Vec<u8>| cdb[0] == FILEMARKS && cdb[1] & 1 == 0 && cdb[2..5] == [0, 0, 0];
    assert!(heard[last..].iter().any(flush), "{heard:?}");
    rig.library.power_cut();
    drop((volume, drive));
    let known: Vec<(Wanted, Vec<u8>)> = puts
        .into_iter()
        .map(|put| {
            let (mut wanted, bytes) = (put.wanted(ledger.label.generation), put.bytes.clone());
            let synced = synced(&ledger.label, put, &receipt).expect("it is covered");
            wanted.span = synced.span().cloned();
            (wanted, bytes)
        })
        .collect();
    // The seal turns bad: the index names none of them.
    std::fs::write(rig.path(TAPE).join(format!("1_{}_R", end(&rig) - 1)), [0; 100]).unwrap();
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, ..) = mounted(&rig, 1, expected(&ledger.label, Erasing::No));
    ledger.hold(&mut *volume);
    for (wanted, bytes) in known {
        assert!(get(&mut *volume, &wanted).unwrap() == bytes, "{}", wanted.oid);
        let unplaced = Wanted { span: None, ..wanted };
        assert_eq!(get(&mut *volume, &unplaced).unwrap_err().fault, Fault::Absent);
    }
}

/// A synchronous write that fails is never answered as done, nor tried again into success.
#[test]
fn a_sync_whose_last_write_fails_is_none() {
    let (rig, mut ledger) = base(ROOM);
    let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
    ledger.put(&mut *volume, &[9000]).unwrap();
    line.stand_in(|cdb| (cdb[0] == FILEMARKS).then(|| fails((3, 0x0c, 0))));
    assert!(matches!(volume.sync().unwrap_err().fault, Fault::Drive(_)));
    line.stand_in(|_| None);
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
    rig.library.power_cut();
    drop((volume, drive));
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, ..) = mounted(&rig, 1, expected(&ledger.label, Erasing::No));
    ledger.hold(&mut *volume);
}

/// What somebody stores.
#[derive(Clone, Copy, Debug)]
enum Stored {
    /// The volume's last index as it is.
    Copy,
    /// One that says it lies where it does lie, or would lie if nothing were before it, and is a later one.
    Forgery(u64),
}

/// Bytes that look like an index of the medium in a slot.
fn lookalike(rig: &Rig, stored: Stored) -> Vec<u8> {
    let mut tape = rig.load(TAPE, 1);
    let mounted = mount(&mut tape).unwrap();
    drop(tape);
    rig.out(TAPE, 1, To::Slot);
    let last = mounted.data.last.expect("it has an index");
    let (from, head) = (last.head.location.block, last.head);
    let mut bytes = Vec::new();
    for block in from..from + last.records {
        bytes.extend(std::fs::read(rig.path(TAPE).join(format!("1_{block}_R"))).unwrap());
    }
    let Stored::Forgery(further) = stored else { return bytes };
    let text = String::from_utf8(bytes).unwrap();
    let (old, new) = (head.generation, head.generation + 7);
    let text = text.replace(
        &format!("<generationnumber>{old}<"),
        &format!("<generationnumber>{new}<"),
    );
    let place = last.end + further;
    let text = text.replacen(
        &format!("<startblock>{from}</startblock>"),
        &format!("<startblock>{place}</startblock>"),
        1,
    );
    text.into_bytes()
}

/// A stored copy of an index, or a forged one, is the first thing behind an index, and the commit that would close its run
/// of records with a filemark is stopped before every command: it is no index, and no damage either.
#[test]
fn stored_bytes_that_look_like_an_index_are_neither_one_nor_damage() {
    for stored in [Stored::Copy, Stored::Forgery(0), Stored::Forgery(1)] {
        for synced in [Synced::Before, Synced::Never] {
            for ending in [Ending::Power, Ending::Host] {
                let mut points = 0;
                loop {
                    let (rig, mut ledger) = base(ROOM);
                    let bytes = lookalike(&rig, stored);
                    let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
                    ledger.put_bytes(&mut *volume, &bytes).unwrap();
                    let (mut volume, drive, line) = match synced {
                        Synced::Before => {
                            ledger.sync(&mut *volume).unwrap();
                            (volume, drive, line)
                        }
                        // Its bytes are on the tape, and the commit is that of the next mount.
                        Synced::Never => {
                            drop((volume, drive, line));
                            rig.out(TAPE, 0, To::Slot);
                            let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
                            ledger.hold(&mut *volume);
                            (volume, drive, line)
                        }
                    };
                    line.before(points, || Then::Silence);
                    let done = ledger.commit(&mut *volume, 8);
                    drop((volume, drive));
                    let rig = ending.happen(rig);
                    println!("{stored:?} {synced:?} {ending:?} before command {points}");
                    rig.out(TAPE, 0, To::Slot);
                    let (mut volume, ..) = mounted(&rig, 1, expected(&ledger.label, Erasing::No));
                    ledger.hold(&mut *volume);
                    ledger.put(&mut *volume, &[10]).unwrap();
                    ledger.commit(&mut *volume, 9).unwrap();
                    ledger.hold(&mut *volume);
                    if done.is_ok() {
                        break;
                    }
                    points += 1;
                }
                assert!(points > 15, "{points}");
            }
        }
    }
}

/// Whether the bytes are an extent when the commit begins.
#[derive(Clone, Copy, Debug)]
enum Synced {
    Before,
    Never,
}

/// Two commits are torn, one behind the other: the filemark that begins the second closes what the first has left.
#[test]
fn what_torn_commits_leave_is_no_damage() {
    let (base, mut ledger) = base(ROOM);
    // An index of many records, so that most stops are in the middle of it.
    let (mut volume, drive, _) = mounted(&base, 0, expected(&ledger.label, Erasing::No));
    ledger.put(&mut *volume, &[3; 40]).unwrap();
    ledger.sync(&mut *volume).unwrap();
    drop((volume, drive));
    base.out(TAPE, 0, To::Slot);
    let mut torn = 0;
    for first in (4..40).step_by(3) {
        for second in [8, 9, 10, 11] {
            let rig = Rig::copy(base.folder.path(), "");
            let mut ledger = ledger.copy();
            for at in [first, second, second] {
                let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
                ledger.hold(&mut *volume);
                line.before(at, || Then::Silence);
                torn += usize::from(ledger.commit(&mut *volume, 8).is_err());
                drop((volume, drive));
                // What the drive has in its buffer it writes out.
                rig.out(TAPE, 0, To::Slot);
            }
            let (mut volume, ..) = mounted(&rig, 1, expected(&ledger.label, Erasing::No));
            ledger.hold(&mut *volume);
            ledger.put(&mut *volume, &[BLOCK]).unwrap();
            ledger.commit(&mut *volume, 9).unwrap();
            ledger.hold(&mut *volume);
        }
    }
    assert!(torn > 60, "{torn}");
}
