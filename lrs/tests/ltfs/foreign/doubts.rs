//! Indexes that are lost. An older tree is never taken for the last one without a word.

use super::{GENERATION, drive, expected, mounted, read_whole, wanted};
use crate::fixtures::{Fixture, folder, unpack};
use crate::folder_drive::FolderDrive;
use crate::model::rig::{Rig, TAPE};
use crate::writing::{append, bytes, empty, options, session};
use dss::model::Generation;
use lrs::ldm::Fault;
use lrs::ldm::drive::{Drive, Partition};
use lrs::ldm::fs::Label;
use lrs::ldm::fs::ltfs::foreign::{ForeignEntry, ForeignState, ForeignSurvey, mount, survey};
use lrs::ldm::fs::ltfs::label::PartitionId;
use lrs::ldm::fs::ltfs::medium::SharedDrive;
use lrs::ldm::virt::Technology;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

fn fixture(name: &str) -> Option<Fixture> {
    let found = folder().map(|folder| unpack(&folder, name));
    if found.is_none() {
        println!("not run: no fixtures");
    }
    found
}

fn uuid(fixture: &Fixture) -> Uuid {
    fixture.manifest["volume"]["uuid"].as_str().unwrap().parse().unwrap()
}

/// The index that begins in this record is one no more.
fn spoil(fixture: &Fixture, record: &str) {
    let path = fixture.cartridge.join(record);
    let mut bytes = std::fs::read(&path).unwrap();
    let begin = bytes.windows(2).position(|window| window == b"</").expect("a document");
    bytes[begin] = b'>';
    std::fs::write(path, bytes).unwrap();
}

fn survey_of(fixture: &Fixture) -> ForeignSurvey {
    survey(&drive(&fixture.cartridge), fixture.name()).unwrap()
}

/// Tries to erase a volume all of whose files are known.
fn erase(fixture: &Fixture) -> Fault {
    let surveyed = survey(&drive(&fixture.cartridge), "x");
    let known: Vec<_> = surveyed.map_or_else(
        |_| Vec::new(),
        |found| found.entries.filter_map(|one| wanted(&one)).collect(),
    );
    let mut volume = mounted(&fixture.cartridge, uuid(fixture));
    let label = Label {
        generation: Generation(GENERATION.0 + 1),
        ..volume.label().clone()
    };
    volume
        .erase(label, &mut known.into_iter(), &mut |step| panic!("{step:?}"))
        .unwrap_err()
        .fault
}

#[test]
fn when_both_last_indexes_are_lost_it_is_told_what_could_be_gone_back_to() {
    let (Some(whole), Some(broken)) = (fixture("fragmented"), fixture("fragmented-badxml")) else {
        return;
    };
    let before: Vec<ForeignEntry> = survey_of(&whole).entries.collect();
    spoil(&broken, "1_822_R");
    let refused = survey(&drive(&broken.cartridge), "FRG").unwrap_err();
    let Fault::Damaged(words) = &refused.fault else {
        panic!("{refused}")
    };
    println!("{refused}");
    assert!(
        words.contains("the index at a:5") && words.contains("the index at b:822"),
        "{words}"
    );
    let generations = broken.manifest["generations"].as_array().unwrap();
    let earlier = generations.iter().filter(|one| one["generation"].as_u64() < Some(10));
    let mut count = 0;
    for one in earlier {
        let place = format!("{}:{}", one["partition"].as_str().unwrap(), one["startblock"]);
        let told =
            |words: &str| words.contains(&format!("generation {} of", one["generation"])) && words.contains(&place);
        assert!(told(words), "{one}: {words}");
        count += 1;
    }
    assert!(count >= 7);
    // What the catalogue knows of it is still read, if it lies where it did; a path alone proves nothing.
    let mut volume = mounted(&broken.cartridge, uuid(&broken));
    let mut read = 0;
    for mut one in before.iter().filter_map(wanted) {
        read += usize::from(read_whole(&mut *volume, &one, 4096).is_ok());
        one.span = None;
        assert!(read_whole(&mut *volume, &one, 4096).is_err());
    }
    assert!(read > 100, "{read}");
    assert!(matches!(erase(&broken), Fault::Unfit(_)));
    // And when there is no index at all.
    for one in generations {
        spoil(&broken, &format!("1_{}_R", one["startblock"]));
    }
    let refused = survey(&drive(&broken.cartridge), "FRG").unwrap_err();
    assert!(matches!(refused.fault, Fault::Damaged(_)), "{refused}");
    assert!(refused.to_string().contains("no valid index"), "{refused}");
}

#[test]
fn a_later_index_that_cannot_be_read_is_a_doubt() {
    let Some(fixture) = fixture("unclean-dp-newer") else {
        return;
    };
    assert_eq!(fixture.manifest["current_index"]["startblock"], 35);
    spoil(&fixture, "1_35_R");
    for memory in ["kept", "gone"] {
        if memory == "gone" {
            std::fs::remove_file(fixture.cartridge.join("attr_1_80c")).unwrap();
        }
        let found = survey_of(&fixture);
        assert!(
            matches!(found.state, ForeignState::Doubtful(_)),
            "{memory}: {}",
            found.state
        );
        assert_eq!(found.generation, 2);
        assert_eq!(found.unindexed_tail.map(|tail| tail.0 > 23 && tail.1 <= 35), Some(true));
        let told = |words: &str| found.damage.iter().any(|line| line.contains(words));
        assert!(told("b:35") && told("files may be missing"), "{:?}", found.damage);
        assert!(matches!(erase(&fixture), Fault::Unfit(_)));
    }
}

#[test]
fn a_lost_index_of_the_index_partition_is_a_doubt_unless_the_memory_knows_it() {
    let Some(fixture) = fixture("fragmented-badxml") else {
        return;
    };
    assert_eq!(survey_of(&fixture).state, ForeignState::OneIndex(PartitionId::A));
    std::fs::remove_file(fixture.cartridge.join("attr_0_80c")).unwrap();
    let found = survey_of(&fixture);
    assert!(matches!(found.state, ForeignState::Doubtful(_)), "{}", found.state);
    assert!(matches!(erase(&fixture), Fault::Unfit(_)));
}

#[test]
fn an_index_that_the_memory_names_and_the_tape_has_not_is_a_doubt() {
    let Some(fixture) = fixture("ip-newer") else { return };
    assert_eq!(survey_of(&fixture).state, ForeignState::Whole);
    let path = fixture.cartridge.join("attr_0_80c");
    let mut raw = std::fs::read(&path).unwrap();
    // Five bytes of header, then length, change reference, and the last byte of the generation.
    assert_eq!(raw[5 + 16], 3);
    raw[5 + 16] = 4;
    std::fs::write(path, raw).unwrap();
    let found = survey_of(&fixture);
    assert!(
        matches!(&found.state, ForeignState::Doubtful(why) if why.contains("generation 4")),
        "{}",
        found.state
    );
}

/// What a power cut while a tape was written leaves.
#[test]
fn an_end_of_data_that_is_lost_is_a_doubt() {
    let (room, mut tape, mut volume) = empty();
    session(&mut tape, &mut volume, "d", &[10]);
    drop(tape);
    let rig = Rig::new();
    rig.library.insert(room.path(), TAPE, Some(Technology::Lto8)).unwrap();
    std::fs::remove_file(rig.path(TAPE).join("1_11_E")).unwrap();
    let tape: SharedDrive = Arc::new(Mutex::new(rig.load(TAPE, 0)));
    let found = survey(&tape, TAPE).unwrap();
    assert!(
        matches!(&found.state, ForeignState::Doubtful(why) if why.contains("end of data")),
        "{}",
        found.state
    );
    let mut volume = mount(&tape, expected(options().volume)).unwrap();
    let files: Vec<_> = found.entries.filter_map(|entry| wanted(&entry)).collect();
    assert_eq!(read_whole(&mut *volume, &files[0], 64).unwrap(), bytes(0, 10));
}

#[test]
fn a_copy_of_an_index_among_the_data_is_a_file_like_any_other() {
    let (room, mut tape, mut volume) = empty();
    session(&mut tape, &mut volume, "d", &[10]);
    append(&mut tape, &mut volume, "more", &[5000]).unwrap();
    let copy = std::fs::read(room.path().join("0_5_R")).unwrap();
    tape.locate_end(Partition(1)).unwrap();
    tape.write_filemarks(1).unwrap();
    tape.write(&copy).unwrap();
    tape.write_filemarks(1).unwrap();
    let end = tape.locate_end(Partition(1)).unwrap().block;
    drop(tape);
    let found = survey(&drive(room.path()), "made").unwrap();
    assert_eq!(found.state, ForeignState::Tail);
    assert_eq!(found.damage, [""; 0]);
    assert_eq!(
        found.unindexed_tail.map(|tail| tail.1),
        Some(end - 1),
        "behind the copy"
    );
    assert!(mount(&drive(room.path()), expected(options().volume)).is_ok());
}

#[test]
fn a_tape_that_is_no_volume_is_none() {
    let room = tempfile::tempdir().unwrap();
    for partition in 0..2 {
        std::fs::write(room.path().join(format!("{partition}_0_E")), []).unwrap();
    }
    let refused = survey(&drive(room.path()), "blank").unwrap_err();
    assert!(matches!(refused.fault, Fault::Unlabelled(_)), "{refused}");
    let mut tape = FolderDrive::open(room.path());
    tape.rewind().unwrap();
    tape.write(b"somebody's archive").unwrap();
    drop(tape);
    let refused = survey(&drive(room.path()), "other").unwrap_err();
    assert!(matches!(refused.fault, Fault::Unlabelled(_)), "{refused}");
}
