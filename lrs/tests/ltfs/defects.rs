//! Planted defects: each is found for what it is, and what is worse than a finding stops the mount by its name.

use crate::folder_drive::FolderDrive;
use crate::reading::Digests;
use crate::writing::{empty, judged, session, what};
use lrs::ldm::fs::ltfs::Code;
use lrs::ldm::fs::ltfs::volume::{Appender, Contents, LtfsError, Memory, State, Why, check, commit, mount};
use std::fs;
use std::path::Path;

/// A volume with one session, in its folder.
fn volume() -> tempfile::TempDir {
    let (room, mut drive, mut mounted) = empty();
    session(&mut drive, &mut mounted, "first", &[10, 9000, 10]);
    room
}

fn edit(room: &Path, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(room.join(name)).unwrap();
    change(&mut bytes);
    fs::write(room.join(name), bytes).unwrap();
}

/// Replaces text by text of the same length, the n-th time that it occurs.
fn replace(room: &Path, name: &str, from: &str, to: &str, which: usize) {
    assert_eq!(from.len(), to.len());
    edit(room, name, |bytes| {
        let starts = bytes
            .windows(from.len())
            .enumerate()
            .filter(|(_, window)| *window == from.as_bytes());
        let at = starts.map(|(at, _)| at).nth(which).expect("it is there");
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    });
}

/// The codes that a check finds, each once.
fn codes(room: &Path) -> Vec<Code> {
    let mut drive = FolderDrive::open(room);
    let mounted = mount(&mut drive).unwrap();
    let mut codes: Vec<_> = check(&mut drive, &mounted, Contents::Unread)
        .unwrap()
        .into_iter()
        .map(|finding| finding.code)
        .collect();
    codes.sort();
    codes.dedup();
    codes
}

/// The session's index on the data partition: three data records and the filemark before it.
const ON_DATA: &str = "1_11_R";
const ON_INDEX: &str = "0_5_R";

#[test]
fn a_whole_volume_has_none() {
    assert_eq!(codes(volume().path()), []);
}

#[test]
fn a_wrong_vol1_is_found_and_nothing_is_appended() {
    for (name, at) in [("0_0_R", 79), ("1_0_R", 4), ("1_0_R", 0), ("0_0_R", 24)] {
        let room = volume();
        edit(room.path(), name, |bytes| bytes[at] = b'?');
        assert_eq!(codes(room.path()), [Code::Vol1], "{name} {at}");
        let mut drive = FolderDrive::open(room.path());
        let mounted = mount(&mut drive).unwrap();
        assert!(matches!(
            Appender::new(&mut drive, &mounted),
            Err(LtfsError::NotWritable(_))
        ));
    }
}

#[test]
fn one_damaged_label_leaves_the_volume_readable() {
    for name in ["0_2_R", "1_2_R"] {
        let room = volume();
        edit(room.path(), name, |bytes| bytes.truncate(100));
        assert_eq!(codes(room.path()), [Code::Label]);
    }
    let room = volume();
    edit(room.path(), "0_2_R", |bytes| bytes.truncate(100));
    edit(room.path(), "1_2_R", |bytes| bytes.truncate(100));
    let error = mount(&mut FolderDrive::open(room.path())).unwrap_err();
    assert!(matches!(error, LtfsError::LabelDamaged(_)), "{error}");
}

#[test]
fn what_is_not_our_business_is_refused_by_name() {
    let refusal = |change: &dyn Fn(&Path)| {
        let room = volume();
        change(room.path());
        mount(&mut FolderDrive::open(room.path())).unwrap_err()
    };
    let newer = refusal(&|room| {
        replace(room, "0_2_R", "2.4.0", "3.0.0", 0);
        replace(room, "1_2_R", "2.4.0", "3.0.0", 0);
    });
    assert_eq!(newer, LtfsError::Newer("3.0.0".to_owned()));
    let sizes = refusal(&|room| replace(room, "1_2_R", "<blocksize>4096", "<blocksize>8192", 0));
    assert_eq!(sizes, LtfsError::LabelsDisagree("blocksize"));
    let foreign = refusal(&|room| {
        for name in ["0_0_R", "0_2_R", "1_0_R", "1_2_R"] {
            edit(room, name, |bytes| bytes.fill(b'x'));
        }
    });
    assert!(matches!(foreign, LtfsError::NotLtfs(_)), "{foreign}");
    let room = tempfile::tempdir().unwrap();
    for name in ["0_0_E", "1_0_E"] {
        fs::write(room.path().join(name), []).unwrap();
    }
    let blank = mount(&mut FolderDrive::open(room.path())).unwrap_err();
    assert_eq!(blank, LtfsError::Unformatted);
}

#[test]
fn wrong_memory_of_the_cartridge_is_found() {
    let room = volume();
    edit(room.path(), "attr_0_80b", |bytes| bytes[5] = b'9');
    assert_eq!(codes(room.path()), [Code::Attribute]);
    let room = volume();
    edit(room.path(), "attr_1_80c", |bytes| bytes[5 + 16] += 1);
    assert_eq!(codes(room.path()), [Code::Coherency], "a generation that is not there");
    let room = volume();
    edit(room.path(), "attr_1_80c", |bytes| bytes[5 + 40] ^= 1);
    assert_eq!(codes(room.path()), [Code::Coherency], "another volume");
}

#[test]
fn a_stale_or_missing_memory_costs_nothing_but_the_way_back() {
    let room = volume();
    edit(room.path(), "attr_0_9", |bytes| bytes[8] += 1);
    fs::remove_file(room.path().join("attr_1_80c")).unwrap();
    assert_eq!(codes(room.path()), []);
    let mounted = mount(&mut FolderDrive::open(room.path())).unwrap();
    assert!(matches!(
        (&mounted.index.memory, &mounted.data.memory),
        (Memory::Stale(_), Memory::Absent)
    ));
    assert_eq!((mounted.state, mounted.tree.head.generation), (State::Clean, 2));
}

#[test]
fn copies_of_a_generation_that_differ_are_found() {
    let room = volume();
    replace(room.path(), ON_DATA, "<length>10<", "<length>11<", 0);
    assert_eq!(codes(room.path()), [Code::IndexDiffer]);
}

#[test]
fn a_wrong_back_pointer_is_found() {
    let room = volume();
    replace(room.path(), ON_DATA, "<startblock>5<", "<startblock>7<", 0);
    assert_eq!(codes(room.path()), [Code::BackPointer]);
}

#[test]
fn an_extent_past_the_end_and_one_in_an_index_are_found() {
    let from = "<startblock>7</startblock>\n";
    for to in ["<startblock>5</startblock>\n", "<startblock>99</startblock>"] {
        let room = volume();
        for name in [ON_DATA, ON_INDEX] {
            replace(room.path(), name, from, to, 0);
        }
        assert_eq!(codes(room.path()), [Code::Extent], "{to}");
    }
    // What reaches past the end is not carried into another generation.
    let room = volume();
    let mut drive = FolderDrive::open(room.path());
    let mut mounted = mount(&mut drive).unwrap();
    for name in [ON_DATA, ON_INDEX] {
        replace(room.path(), name, from, "<startblock>99</startblock>", 0);
    }
    let end = mounted.data.end;
    mounted.tree = mount(&mut drive).unwrap().tree;
    let refused = commit(&mut drive, &mut mounted, &what(end));
    assert!(matches!(refused, Err(LtfsError::Refused(_))), "{refused:?}");
}

#[test]
fn a_stop_between_both_indexes_is_recovered_by_a_commit() {
    let (room, mut drive, mut mounted) = empty();
    let old: Vec<_> = ["0_5_R", "attr_0_80c"]
        .map(|name| (name, fs::read(room.path().join(name)).unwrap()))
        .into();
    session(&mut drive, &mut mounted, "first", &[10]);
    for number in 6..20 {
        for letter in ["R", "F", "E"] {
            let _ = fs::remove_file(room.path().join(format!("0_{number}_{letter}")));
        }
    }
    for (name, bytes) in old {
        fs::write(room.path().join(name), bytes).unwrap();
    }
    fs::write(room.path().join("0_6_F"), []).unwrap();
    fs::write(room.path().join("0_7_E"), []).unwrap();
    let mut drive = FolderDrive::open(room.path());
    let mut found = mount(&mut drive).unwrap();
    assert_eq!(
        (found.state, &found.tree.root),
        (State::DataPartitionNewer, &mounted.tree.root)
    );
    assert!(matches!(
        Appender::new(&mut drive, &found),
        Err(LtfsError::NotWritable(_))
    ));
    let end = found.data.end;
    commit(&mut drive, &mut found, &what(end)).unwrap();
    judged(room.path());
}

#[test]
fn a_stop_inside_the_index_partition_is_recovered_by_a_commit() {
    for kept in [4, 5, 6] {
        let room = volume();
        let mut drive = FolderDrive::open(room.path());
        let whole = mount(&mut drive).unwrap();
        for number in kept..=whole.index.end {
            for letter in ["R", "F", "E"] {
                let _ = fs::remove_file(room.path().join(format!("0_{number}_{letter}")));
            }
        }
        fs::write(room.path().join(format!("0_{kept}_E")), []).unwrap();
        let mut drive = FolderDrive::open(room.path());
        let mut found = mount(&mut drive).unwrap();
        assert_eq!(
            (found.state, &found.tree.root),
            (State::Incomplete, &whole.tree.root),
            "{kept}"
        );
        let end = found.data.end;
        commit(&mut drive, &mut found, &what(end)).unwrap();
        assert_eq!(mount(&mut drive).unwrap().state, State::Clean);
        judged(room.path());
    }
}

#[test]
fn a_stored_copy_of_an_index_is_not_taken_for_one() {
    use lrs::ldm::drive::{Drive, Partition};
    let room = volume();
    let copy = fs::read(room.path().join("1_5_R")).unwrap();
    let mut drive = FolderDrive::open(room.path());
    let whole = mount(&mut drive).unwrap();
    drive.locate_end(Partition(1)).unwrap();
    drive.write_filemarks(1).unwrap();
    drive.write(&copy).unwrap();
    drive.write_filemarks(1).unwrap();
    let found = mount(&mut drive).unwrap();
    assert_eq!(found.tree, whole.tree);
    assert!(!found.state.is_clean());
    assert!(matches!(found.data.unproven[0].why, Why::Elsewhere(_)));
}

/// Records that cannot be read, one after the other: a drive that failed to read one is sent to a place before the next
/// . Of the files only those are lost that lie in it.
#[test]
fn a_record_that_cannot_be_read_costs_what_is_in_it_and_nothing_else() {
    let (whole, mut drive, mut mounted) = empty();
    let known = session(&mut drive, &mut mounted, "first", &[10, 9000, 10, 3000, 5000]);
    let records: Vec<_> = fs::read_dir(whole.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with("_R"))
        .collect();
    for record in &records {
        let bytes = fs::read(whole.path().join(record)).unwrap();
        fs::remove_file(whole.path().join(record)).unwrap();
        let mut drive = FolderDrive::open(whole.path());
        let found = mount(&mut drive).unwrap();
        let mut digests = Digests::new(known.iter().cloned().collect());
        let findings = check(&mut drive, &found, Contents::Read(&mut digests)).unwrap();
        assert!(!findings.is_empty(), "{record}");
        for finding in &findings {
            assert!(!finding.what.contains("must be asked for"), "{record}: {finding}");
        }
        let block: Option<u64> = record
            .strip_prefix("1_")
            .and_then(|rest| rest[..rest.len() - 2].parse().ok());
        let lost = findings
            .iter()
            .filter(|finding| finding.code == Code::Unreadable)
            .count();
        let inside = block.map_or(0, |block| holders(&mounted, block));
        assert_eq!((lost, digests.seen.len()), (inside, known.len() - inside), "{record}");
        fs::write(whole.path().join(record), bytes).unwrap();
    }
    assert!(records.len() > 10, "{records:?}");
}

/// How many files have bytes in a record of the data partition.
fn holders(mounted: &lrs::ldm::fs::ltfs::volume::Mounted, block: u64) -> usize {
    use lrs::ldm::fs::ltfs::index::{Node, walk};
    let count = std::cell::Cell::new(0);
    walk(&mounted.tree.root, |_, node| {
        if let Node::File(file) = node {
            let here = |extent: &&lrs::ldm::fs::ltfs::index::Extent| {
                (extent.block..extent.end_block(4096).unwrap()).contains(&block)
            };
            count.set(count.get() + usize::from(file.extents.iter().any(|extent| here(&extent))));
        }
    });
    count.get()
}
