//! Cartridges that cannot be written, or read, or are none: each is told for what it is, and nothing on it changes.

use super::promise::base;
use super::rig::{Rig, TAPE, To};
use super::travels::blocks;
use crate::reading::Digests;
use crate::writing::{BLOCK, append, empty, options, session, what};
use lrs::ldm::drive::{Drive, DriveFault, Position};
use lrs::ldm::fs::ltfs::Code;
use lrs::ldm::fs::ltfs::index::{Node, walk};
use lrs::ldm::fs::ltfs::volume::{
    Contents, LtfsError, LtfsResult, Mounted, ReadError, RecordReader, check, commit, format, mount,
};
use lrs::ldm::scsi::Sense;
use lrs::ldm::virt::cartridge::FolderCartridge;
use lrs::ldm::virt::{Card, Cartridge, Kind, Tab, Technology};
use lrs::ldm::{Blame, Disposition};
use std::collections::BTreeSet;

/// Tries to append, to commit and to format: everything that writes.
fn tries(tape: &mut dyn Drive, mounted: &Mounted) -> [LtfsError; 3] {
    let appended = append(tape, &mut mounted.clone(), "never", &[10, 5000]).map(drop);
    let end = mounted.data.end;
    let committed = commit(tape, &mut mounted.clone(), &what(end)).map(drop);
    let formatted = format(tape, &options()).map(drop);
    [appended, committed, formatted].map(|done: LtfsResult<()>| done.expect_err("it cannot be written"))
}

fn sense(error: &LtfsError) -> (u8, u8, u8) {
    match error {
        LtfsError::Drive(error) => match error.fault {
            DriveFault::Sense(sense) => (sense.key, sense.asc, sense.ascq),
            _ => panic!("{error}"),
        },
        _ => panic!("{error}"),
    }
}

/// Changes the card of the base's cartridge, and puts it into a drive that reads it and must not write it.
fn unwritable(change: impl FnOnce(&mut Card), expected: (u8, u8, u8)) {
    let (rig, mut promise) = base();
    let path = rig.path(TAPE);
    let mut card = FolderCartridge::open(&path, TAPE, Technology::Lto8)
        .unwrap()
        .card()
        .clone();
    change(&mut card);
    FolderCartridge::label(&path, &card).unwrap();
    let before = blocks(&path);
    let mut tape = rig.load(TAPE, 0);
    let mounted = promise.hold(&mut tape);
    for error in tries(&mut tape, &mounted) {
        assert_eq!(sense(&error), expected, "{error}");
        assert_eq!(
            (error.blame(), error.disposition()),
            (Blame::Operator, Disposition::MoveElsewhere)
        );
    }
    promise.hold(&mut tape);
    assert_eq!(blocks(&path), before);
}

#[test]
fn a_write_protected_volume_is_read_and_not_written() {
    unwritable(|card| card.tab = Tab::Protected, (7, 0x27, 0));
}

/// Nothing of a volume can be written on a cartridge of this kind: its index partition is written over.
#[test]
fn a_cartridge_that_is_written_once_is_read_and_not_written_over() {
    let (rig, mut promise) = base();
    let path = rig.path(TAPE);
    let card = Card::blank(TAPE, Technology::Lto8).of_kind(Kind::Worm);
    let partitions = Card::usual_sizes(&card, 2);
    FolderCartridge::label(&path, &Card { partitions, ..card }).unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mounted = promise.hold(&mut tape);
    let before = blocks(&path);
    let error = format(&mut tape, &options()).unwrap_err();
    assert_eq!(sense(&error), (7, 0x30, 0x0c), "{error}");
    assert_eq!(blocks(&path), before);
    // Data go behind the end, and so does their index; the index partition's stays what it was.
    let error = session_on(&mut tape, &mounted);
    assert_eq!(sense(&error), (7, 0x30, 0x0c), "{error}");
    let after = blocks(&path);
    let kept = before.iter().filter(|(name, _)| !name.ends_with('E'));
    for (name, bytes) in kept {
        assert_eq!(after.get(name), Some(bytes), "{name}");
    }
    let found = mount(&mut tape).unwrap();
    assert!(!found.state.is_clean());
    assert!(found.tree.head.generation >= mounted.tree.head.generation);
}

fn session_on(tape: &mut dyn Drive, mounted: &Mounted) -> LtfsError {
    let mut mounted = mounted.clone();
    append(tape, &mut mounted, "once", &[10])
        .and_then(|(end, _)| commit(tape, &mut mounted, &what(end)))
        .expect_err("an index partition is written over")
}

#[test]
fn a_cartridge_of_another_generation_is_not_loaded_and_comes_out_again() {
    for technology in [Technology::Lto9, Technology::Lto5] {
        let rig = Rig::new();
        rig.library.add(&Card::blank(TAPE, technology)).unwrap();
        let (mut tape, _, cartridge) = rig.try_load(TAPE, 0);
        let error = cartridge.unwrap_err();
        assert!(
            error.to_string().contains("takes no cartridges of this generation"),
            "{error}"
        );
        assert_eq!(
            (error.blame(), error.disposition()),
            (Blame::Operator, Disposition::MoveElsewhere)
        );
        // Nobody takes the refusal for bad labels, or for a tape of somebody else's.
        assert!(matches!(mount(&mut tape), Err(LtfsError::Drive(_))));
        tape.unload().unwrap();
        rig.carry(TAPE, To::Slot);
    }
}

#[test]
fn a_cleaning_cartridge_is_told_and_comes_out_again() {
    let rig = Rig::new();
    let card = Card::blank("CLN001L8", Technology::Lto8).of_kind(Kind::Cleaning);
    rig.library.add(&card).unwrap();
    let (mut tape, _, cartridge) = rig.try_load("CLN001L8", 0);
    let error = cartridge.unwrap_err();
    assert!(error.to_string().contains("a cleaning cartridge is in"), "{error}");
    assert_eq!(error.disposition(), Disposition::Stop);
    assert!(matches!(format(&mut tape, &options()), Err(LtfsError::Drive(_))));
    tape.unload().unwrap();
    rig.carry("CLN001L8", To::Slot);
}

#[test]
fn a_blank_cartridge_is_not_formatted_and_one_of_something_else_is_not_ltfs() {
    let rig = Rig::new();
    rig.library.blank(TAPE).unwrap();
    let mut tape = rig.load(TAPE, 0);
    assert_eq!(mount(&mut tape).unwrap_err(), LtfsError::Unformatted);
    tape.rewind().unwrap();
    tape.write(b"somebody's archive").unwrap();
    tape.write_filemarks(1).unwrap();
    tape.flush().unwrap();
    let before = blocks(&rig.path(TAPE));
    let error = mount(&mut tape).unwrap_err();
    assert!(matches!(error, LtfsError::NotLtfs(_)), "{error}");
    assert_eq!(blocks(&rig.path(TAPE)), before);
}

/// a block that cannot be read is blamed, not the drive nor the cartridge, and costs the files that lie in it. Every
/// block of the data is tried, and everything else is read.
#[test]
fn a_block_that_cannot_be_read_costs_the_files_in_it_and_no_other() {
    let (room, mut folder, mut written) = empty();
    let known = session(
        &mut folder,
        &mut written,
        "first",
        &[10, 9000, 10, 3000, 4096, 700, 20_000],
    );
    let data = 7..written.data.last.as_ref().unwrap().head.location.block - 1;
    assert!(data.end - data.start >= 9, "{data:?}");
    for block in data {
        let rig = Rig::new();
        rig.library.insert(room.path(), TAPE, Some(Technology::Lto8)).unwrap();
        // A record without its file is one that cannot be read (3/11/00).
        std::fs::remove_file(rig.path(TAPE).join(format!("1_{block}_R"))).unwrap();
        let mut tape = rig.load(TAPE, 0);
        let mounted = mount(&mut tape).unwrap();
        let mut digests = Digests::new(known.iter().cloned().collect());
        let findings = check(&mut tape, &mounted, Contents::Read(&mut digests)).unwrap();
        let lost: BTreeSet<String> = findings.iter().map(|finding| finding.at.clone()).collect();
        assert!(
            findings.iter().all(|finding| finding.code == Code::Unreadable),
            "{findings:?}"
        );
        let mut inside = BTreeSet::new();
        walk(&mounted.tree.root, |path, node| {
            if let Node::File(file) = node {
                let mut extents = file.extents.iter();
                if extents.any(|extent| (extent.block..extent.end_block(BLOCK as u32).unwrap()).contains(&block)) {
                    inside.insert(path.to_owned());
                }
            }
        });
        assert_eq!(lost, inside, "block {block}");
        assert_eq!(digests.seen.len(), known.len() - lost.len());
    }
}

#[test]
fn a_block_that_cannot_be_read_is_blamed_itself_and_the_next_one_read() {
    let (rig, _) = base();
    std::fs::remove_file(rig.path(TAPE).join("1_7_R")).unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mounted = mount(&mut tape).unwrap();
    let mut reader = RecordReader::new(&mounted.labels);
    for _ in 0..2 {
        let error = reader.record(&mut tape, Position::at(1, 7)).unwrap_err();
        let ReadError::Drive(error) = error else {
            panic!("{error}")
        };
        assert_eq!(
            error.fault,
            DriveFault::Sense(Sense {
                information: Some(BLOCK as i64),
                ..Sense::of(3, 0x11, 0)
            })
        );
        assert_eq!((error.blame(), error.disposition()), (Blame::Extent, Disposition::Skip));
    }
    assert!(!reader.record(&mut tape, Position::at(1, 8)).unwrap().is_empty());
}
