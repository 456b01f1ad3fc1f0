//! What an erasure must find before it begins, and what it says meanwhile.

use super::super::rig::{Line, Rig, TAPE, Then, To, fails};
use super::bench::{Ledger, base, expected, mounted, next, shared};
use crate::writing::{file, what};
use lrs::ldm::Fault;
use lrs::ldm::drive::{Attribute, Drive, Partition};
use lrs::ldm::fs::ltfs::attributes;
use lrs::ldm::fs::ltfs::medium::{Erasing, SharedDrive, mount};
use lrs::ldm::fs::ltfs::volume::{self, Appender};
use lrs::ldm::fs::{EraseStep, Volume};
use std::collections::BTreeMap;
use std::path::Path;

const ROOM: u64 = 64 << 20;

fn erase(volume: &mut dyn Volume, ledger: &Ledger) -> Result<(), Fault> {
    let done = volume.erase(next(&ledger.label), &mut std::iter::empty(), &mut |_| {});
    done.map(drop).map_err(|error| error.fault)
}

fn refused(volume: &mut dyn Volume, ledger: &Ledger, words: &str) {
    let fault = erase(volume, ledger).unwrap_err();
    assert!(matches!(&fault, Fault::Unfit(why) if why.contains(words)), "{fault}");
}

/// Other software adds a file and an index to the medium in a slot.
fn touched_by_others(rig: &Rig) {
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = volume::mount(&mut tape).unwrap();
    let mut appender = Appender::new(&mut tape, &mounted).unwrap();
    appender.begin();
    appender.write(&mut tape, b"theirs").unwrap();
    let extents = appender.finish().unwrap();
    let end = appender.flush(&mut tape).unwrap();
    mounted.tree.root.contents.push(file("theirs.txt", 6, extents));
    volume::commit(&mut tape, &mut mounted, &what(end)).unwrap();
    tape.unload().unwrap();
    drop(tape);
    rig.carry(TAPE, To::Slot);
}

/// The blocks of a cartridge, as files.
fn blocks(rig: &Rig) -> BTreeMap<String, Vec<u8>> {
    super::super::travels::blocks(&rig.path(TAPE))
}

/// The number of the last filemark but one of a partition, behind which its last index begins.
fn last_index(folder: &Path, partition: u8) -> u64 {
    let begin = format!("{partition}_");
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut marks: Vec<u64> = names
        .filter_map(|name| {
            let name = name.into_string().unwrap();
            name.strip_prefix(&begin)?.strip_suffix("_F")?.parse().ok()
        })
        .collect();
    marks.sort_unstable();
    marks[marks.len() - 2] + 1
}

/// A bit in the middle of a record changes.
fn spoil(rig: &Rig, partition: u8, block: u64) {
    let path = rig.path(TAPE).join(format!("{partition}_{block}_R"));
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    // An opening bracket that belongs nowhere: no reader takes it for a text.
    bytes[middle] = b'<';
    bytes[middle + 1] = b'<';
    std::fs::write(path, bytes).unwrap();
}

/// I11: a file of others stops an erasure of a damaged medium as it does on a whole one, and where the index that would
/// name it cannot be read it may be there.
#[test]
fn a_damaged_medium_that_may_hold_files_of_others_is_not_erased() {
    for spoilt in [&[][..], &[1], &[0], &[0, 1]] {
        let (rig, ledger) = base(ROOM);
        touched_by_others(&rig);
        for partition in spoilt {
            spoil(&rig, *partition, last_index(&rig.path(TAPE), *partition));
        }
        let before = blocks(&rig);
        let (mut volume, ..) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
        refused(&mut *volume, &ledger, "not respool's, ");
        assert_eq!(blocks(&rig), before, "{spoilt:?}");
    }
}

/// The other side of it: a medium whose log is damaged, and whose last index is respool's, holds none.
#[test]
fn a_medium_with_a_damaged_log_is_erased() {
    let (rig, mut ledger) = base(ROOM);
    let (mut volume, drive, _) = mounted(&rig, 0, expected(&ledger.label, Erasing::No));
    ledger.put(&mut *volume, &[5000]).unwrap();
    ledger.sync(&mut *volume).unwrap();
    ledger.put(&mut *volume, &[5000]).unwrap();
    ledger.sync(&mut *volume).unwrap();
    drop((volume, drive));
    rig.out(TAPE, 0, To::Slot);
    // The last record but one is the lines of the second sync.
    let end = blocks(&rig).keys().filter(|name| name.starts_with("1_")).count() as u64 - 1;
    spoil(&rig, 1, end - 2);
    let (mut volume, ..) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
    assert!(matches!(
        volume.index().err().map(|error| error.fault),
        Some(Fault::Damaged(_))
    ));
    erase(&mut *volume, &ledger).unwrap();
}

fn name_in_memory(drive: &SharedDrive) -> String {
    let attribute = drive.lock().unwrap().attribute(Partition(0), attributes::VOLUME_NAME);
    let value = attribute.unwrap().expect("a name").value;
    String::from_utf8(value).unwrap().trim_end_matches('\0').to_owned()
}

/// The medium in a slot is erased up to where its label is there and the mark still is.
fn left_marked(rig: &Rig, ledger: &Ledger) {
    let (mut volume, drive, line) = mounted(rig, 0, expected(&ledger.label, Erasing::Begun));
    // The mark is taken away by the last attribute that is written.
    let written = {
        line.listen();
        let trial = Rig::copy(rig.folder.path(), "");
        trial.out(TAPE, 0, To::Slot);
        let (mut volume, _, line) = mounted(&trial, 0, expected(&ledger.label, Erasing::Begun));
        line.listen();
        erase(&mut *volume, ledger).unwrap();
        let heard = line.heard();
        heard
            .iter()
            .rposition(|cdb| cdb[0] == 0x8d)
            .expect("attributes are written")
    };
    line.before(written, || Then::Silence);
    erase(&mut *volume, ledger).unwrap_err();
    drop((volume, drive));
    rig.out(TAPE, 0, To::Slot);
}

/// A mark that was left although the label is there is no word on the next erasure: it is not believed, and whoever writes
/// takes it away.
#[test]
fn a_mark_that_an_erasure_left_is_not_believed_by_the_next_and_is_taken_away() {
    let (rig, ledger) = base(ROOM);
    left_marked(&rig, &ledger);
    let after = Ledger::of(&next(&ledger.label));
    // Both labels are lost, and the catalogue has begun another erasure: nothing says that it touched this tape.
    let damaged = Rig::copy(rig.folder.path(), "");
    for partition in 0..2 {
        spoil(&damaged, partition, 2);
    }
    let drive = shared(damaged.load(TAPE, 0));
    assert!(name_in_memory(&drive).contains("erasing for generation 1 "));
    let refused = mount(&drive, expected(&after.label, Erasing::Begun))
        .err()
        .expect("no label is there");
    assert!(matches!(refused.fault, Fault::Damaged(_)), "{refused}");
    // The one that is under way is known by it.
    drop(drive);
    damaged.out(TAPE, 0, To::Slot);
    let (volume, ..) = mounted(&damaged, 0, expected(&ledger.label, Erasing::Begun));
    assert_eq!(volume.label().generation, after.label.generation);

    for writes in [Writes::Data, Writes::Erasure] {
        let rig = Rig::copy(rig.folder.path(), "");
        let mut after = after.copy();
        let (mut volume, drive, _) = mounted(&rig, 0, expected(&after.label, Erasing::No));
        assert!(name_in_memory(&drive).contains("erasing"), "a mount writes nothing");
        match writes {
            Writes::Data => after.put(&mut *volume, &[100]).unwrap(),
            Writes::Erasure => erase(&mut *volume, &ledger).unwrap(),
        }
        assert_eq!(name_in_memory(&drive), TAPE);
    }
}

/// Who takes a mark away.
#[derive(Clone, Copy)]
enum Writes {
    Data,
    Erasure,
}

/// From now on the drive knows no attributes.
fn without_memory(line: &Line) {
    line.stand_in(|cdb| [0x8c, 0x8d].contains(&cdb[0]).then(|| fails((5, 0x20, 0))));
}

/// A drive that keeps no memory of cartridges: the label says which medium it is, and it is read and written; only an
/// erasure, which could not be told from a foreign tape when it is cut off, is left to another drive.
#[test]
fn a_medium_is_known_by_its_label_where_the_drive_has_no_memory() {
    let (rig, mut ledger) = base(ROOM);
    let (tape, line, cartridge) = rig.try_load(TAPE, 0);
    cartridge.unwrap();
    without_memory(&line);
    let drive = shared(tape);
    let mut other = expected(&ledger.label, Erasing::No);
    other.medium = dss::model::MediumId::fresh();
    let refused = mount(&drive, other).err().expect("it is another one");
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    let mut volume = mount(&drive, expected(&ledger.label, Erasing::No)).unwrap();
    ledger.hold(&mut *volume);
    ledger.put(&mut *volume, &[9000]).unwrap();
    ledger.sync(&mut *volume).unwrap();
    ledger.commit(&mut *volume, 7).unwrap();
    ledger.hold(&mut *volume);
    let before = blocks(&rig);
    refused_by_memory(&mut *volume, &ledger);
    assert_eq!(blocks(&rig), before);
    drop((volume, drive));
    rig.out(TAPE, 0, To::Slot);
    let (mut volume, ..) = mounted(&rig, 1, expected(&ledger.label, Erasing::No));
    ledger.hold(&mut *volume);
}

fn refused_by_memory(volume: &mut dyn Volume, ledger: &Ledger) {
    refused(volume, ledger, "no memory of the cartridge");
}

/// Whoever is told of a step may ask the drive, or whoever does may wait for somebody else who asks it.
#[test]
fn the_drive_is_nobodys_while_an_erasure_tells_of_a_step() {
    let (rig, ledger) = base(ROOM);
    let (mut volume, drive, _) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
    let mut told = Vec::new();
    let done = volume.erase(next(&ledger.label), &mut std::iter::empty(), &mut |step| {
        told.push((step, drive.try_lock().is_ok()));
    });
    done.unwrap();
    assert_eq!(told, [(EraseStep::Middle, true), (EraseStep::BeforeLabel, true)]);
}

/// X-32, twice stopped where the label is there and the index partition is not: what two crashes leave are no extents.
#[test]
fn an_erasure_that_was_stopped_twice_at_its_end_is_ended() {
    let (rig, ledger) = base(ROOM);
    let mut rounds = 0;
    // The power goes before the last flush of the erasure, and of every commit that makes up for it.
    for _ in 0..4 {
        let (mut volume, drive, line) = mounted(&rig, 0, expected(&ledger.label, Erasing::Begun));
        let marks = stops_at_marks(&rig, &ledger);
        line.before(marks, || Then::Silence);
        if erase(&mut *volume, &ledger).is_err() {
            rounds += 1;
        }
        drop((volume, drive));
        rig.library.power_cut();
        rig.out(TAPE, 0, To::Slot);
    }
    assert!(rounds >= 3, "{rounds}");
    let (mut volume, ..) = mounted(&rig, 1, expected(&ledger.label, Erasing::Begun));
    erase(&mut *volume, &ledger).unwrap();
    assert_eq!(volume.label().generation, next(&ledger.label).generation);
}

/// The last flush of an erasure from here: before it the data partition's index is on the tape, and the other one's is not.
fn stops_at_marks(rig: &Rig, ledger: &Ledger) -> usize {
    let trial = Rig::copy(rig.folder.path(), "");
    trial.out(TAPE, 0, To::Slot);
    let (mut volume, _, line) = mounted(&trial, 0, expected(&ledger.label, Erasing::Begun));
    line.listen();
    erase(&mut *volume, ledger).unwrap();
    let heard = line.heard();
    heard
        .iter()
        .rposition(|cdb| cdb[0] == 0x10)
        .expect("filemarks are written")
}

/// An attribute with an absurd value is no mark.
#[test]
fn a_memory_of_others_is_no_mark() {
    let (rig, ledger) = base(ROOM);
    let drive = shared(rig.load(TAPE, 0));
    for text in [
        "respool: erasing",
        "respool: erasing for generation 99 of X",
        "\u{fffd}",
    ] {
        let attribute: Attribute = attributes::text(attributes::VOLUME_NAME, text);
        drive.lock().unwrap().set_attribute(Partition(0), &attribute).unwrap();
        drive.lock().unwrap().take_up();
        let mut volume = mount(&drive, expected(&ledger.label, Erasing::Begun)).unwrap();
        ledger.copy().hold(&mut *volume);
    }
}
