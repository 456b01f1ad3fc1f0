//! Trees that say what cannot be, and records that are not as a tree says: each file is told and fails by itself.

use super::{drive, mounted, read_whole, retold, wanted};
use crate::writing::{BLOCK, append, bytes, empty, file, options, session, what};
use lrs::ldm::fs::Volume;
use lrs::ldm::fs::ltfs::PartitionId;
use lrs::ldm::fs::ltfs::foreign::{ForeignEntry, ForeignKind, ForeignState, survey};
use lrs::ldm::fs::ltfs::index::{Directory, Entry, Extent, File, Meta};
use lrs::ldm::fs::ltfs::volume::commit;
use lrs::ldm::{Blame, Disposition, Fault};
use std::collections::BTreeSet;
use std::path::Path;

/// An extent of the data partition.
fn at(file_offset: u64, block: u64, byte_offset: u64, bytes: u64) -> Extent {
    Extent {
        file_offset,
        partition: PartitionId::B,
        block,
        byte_offset,
        bytes,
    }
}

fn link(name: &str, target: &str) -> Entry {
    let Entry::File(one) = file(name, 0, Vec::new()) else {
        unreachable!("it makes files")
    };
    Entry::File(File {
        symlink: Some(target.to_owned()),
        ..one
    })
}

fn directory(name: &str, contents: Vec<Entry>) -> Entry {
    Entry::Directory(Directory {
        meta: Meta {
            name: name.to_owned(),
            ..Meta::default()
        },
        contents,
    })
}

/// A volume with a file of three records from block 7 on, and with these entries beside it.
fn volume(more: impl FnOnce(u64) -> Vec<Entry>) -> tempfile::TempDir {
    let (room, mut drive, mut mounted) = empty();
    let (end, _) = append(&mut drive, &mut mounted, "whole", &[3 * BLOCK]).unwrap();
    commit(&mut drive, &mut mounted, &what(end)).unwrap();
    drop(drive);
    retold(room.path(), |tree| tree.root.contents.extend(more(end + 1)));
    room
}

/// Paths that can be read, and those that cannot.
fn read(cartridge: &Path, entries: &[ForeignEntry]) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut volume = mounted(cartridge, options().volume);
    let files = entries.iter().filter_map(|entry| Some((entry, wanted(entry)?)));
    let mut by_outcome = (BTreeSet::new(), BTreeSet::new());
    for (entry, wanted) in files {
        match read_whole(&mut *volume, &wanted, 1000) {
            Ok(_) => by_outcome.0.insert(entry.path.clone()),
            Err(_) => by_outcome.1.insert(entry.path.clone()),
        };
    }
    by_outcome
}

fn paths(all: &[&str]) -> BTreeSet<String> {
    all.iter().map(|path| (*path).to_owned()).collect()
}

///
#[test]
fn places_that_cannot_be_are_told_and_not_read() {
    let alien = Extent {
        partition: PartitionId::new("c").unwrap(),
        ..at(0, 7, 0, 10)
    };
    let room = volume(|index| {
        vec![
            file("past the end", 10, vec![at(0, 1000, 0, 10)]),
            file("overlapping", 30, vec![at(0, 7, 0, 20), at(10, 8, 0, 20)]),
            file("in the label", 10, vec![at(0, 2, 0, 10)]),
            file("in an index", 10, vec![at(0, index, 0, 10)]),
            file("beside the record", 10, vec![at(0, 7, 5000, 10)]),
            file("longer than itself", 10, vec![at(0, 7, 0, 11)]),
            file("of nothing", 10, vec![at(0, 7, 0, 0)]),
            file("elsewhere", 10, vec![alien]),
            file("beyond numbers", 10, vec![at(0, u64::MAX, 4000, 10)]),
            file("sound", 10, vec![at(0, 7, 0, 10)]),
        ]
    });
    let surveyed = survey(&drive(room.path()), "made").unwrap();
    assert_eq!(surveyed.state, ForeignState::Whole);
    let lines = surveyed.damage;
    let entries: Vec<_> = surveyed.entries.collect();
    let damaged: BTreeSet<String> = entries
        .iter()
        .filter(|entry| entry.damaged.is_some())
        .map(|entry| entry.path.clone())
        .collect();
    let told = |path: &str| {
        lines
            .iter()
            .filter(|line| line.starts_with(&format!("{path}: ")))
            .count()
    };
    assert_eq!(damaged.len(), 9, "{lines:?}");
    assert_eq!(lines.len(), 9, "{lines:?}");
    assert!(damaged.iter().all(|path| told(path) == 1), "{lines:?}");
    let (whole, failed) = read(room.path(), &entries);
    assert_eq!(failed, damaged);
    assert_eq!(whole.len(), 2);
}

#[test]
fn a_path_that_leads_to_more_than_one_file_leads_to_none() {
    let inside = || vec![file("inner", 10, vec![at(0, 7, 0, 10)])];
    let room = volume(|_| {
        vec![
            file("cafe\u{301}", 10, vec![at(0, 7, 0, 10)]),
            file("caf\u{e9}", 10, vec![at(0, 8, 0, 10)]),
            file("decomposed e\u{301}", 10, vec![at(0, 7, 5, 10)]),
            directory("..", inside()),
            directory("a/b", inside()),
            directory("fine", inside()),
            file("c/d", 10, vec![at(0, 7, 0, 10)]),
            link("link", "../decomposed: é"),
        ]
    });
    let surveyed = survey(&drive(room.path()), "made").unwrap();
    let entries: Vec<_> = surveyed.entries.collect();
    let of = |wanted: fn(&ForeignEntry) -> bool| -> Vec<&str> {
        let found = entries.iter().filter(|entry| wanted(entry));
        found.map(|entry| entry.path.as_str()).collect()
    };
    let damaged = of(|entry| entry.damaged.is_some());
    assert_eq!(
        damaged,
        ["..", "../inner", "a/b", "a/b/inner", "c/d", "caf\u{e9}", "caf\u{e9}"]
    );
    assert_eq!(surveyed.damage.len(), 6, "{:?}", surveyed.damage);
    assert_eq!(of(|entry| matches!(entry.kind, ForeignKind::Symlink { .. })), ["link"]);
    let mut volume = mounted(room.path(), options().volume);
    let mut answer = |path: &str, place: Option<u64>| {
        let has = |entry: &&ForeignEntry| match &entry.kind {
            ForeignKind::File { span, .. } => place.is_none_or(|block| span.0[0].start_block == block),
            ForeignKind::Directory | ForeignKind::Symlink { .. } => false,
        };
        let entry = entries.iter().filter(|entry| entry.path == path).find(has).unwrap();
        let mut wanted = wanted(entry).unwrap();
        if place.is_none() {
            wanted.span = None;
        }
        read_whole(&mut *volume, &wanted, 64)
    };
    let content = bytes(0, 3 * BLOCK);
    assert!(matches!(
        answer("caf\u{e9}", None).unwrap_err().fault,
        Fault::Damaged(_)
    ));
    // Where the place is known it says which of them is meant.
    assert_eq!(answer("caf\u{e9}", Some(8)).unwrap(), content[BLOCK..BLOCK + 10]);
    assert_eq!(answer("caf\u{e9}", Some(7)).unwrap(), content[..10]);
    assert_eq!(answer("decomposed \u{e9}", None).unwrap(), content[5..15]);
    assert_eq!(answer("fine/inner", None).unwrap(), content[..10]);
    assert!(answer("c/d", None).is_err());
}

#[test]
fn holes_are_zeros_wherever_they_are() {
    let room = volume(|_| {
        vec![
            file("holes", 12_000, vec![at(100, 7, 3, 50), at(5000, 8, 4000, 200)]),
            file("nothing else", 9000, Vec::new()),
        ]
    });
    let entries: Vec<_> = survey(&drive(room.path()), "made").unwrap().entries.collect();
    let mut volume = mounted(room.path(), options().volume);
    let content = bytes(0, 3 * BLOCK);
    let mut holes = vec![0; 12_000];
    holes[100..150].copy_from_slice(&content[3..53]);
    holes[5000..5200].copy_from_slice(&content[BLOCK + 4000..BLOCK + 4200]);
    for (path, known) in [("holes", holes), ("nothing else", vec![0; 9000])] {
        let entry = entries.iter().find(|entry| entry.path == path).unwrap();
        assert!(matches!(entry.kind, ForeignKind::File { holes: true, .. }));
        for piece in [7, 100, 4096, 20_000] {
            let wanted = wanted(entry).unwrap();
            assert_eq!(
                read_whole(&mut *volume, &wanted, piece).unwrap(),
                known,
                "{path} by {piece}"
            );
        }
    }
}

/// whatever lies where a record should be, the bytes behind it are not moved forward, and others are read.
#[test]
fn a_record_that_is_none_or_of_another_length_costs_its_files() {
    let spoil: [fn(&Path); 4] = [
        |record| std::fs::write(record, vec![1; BLOCK - 1]).unwrap(),
        |record| std::fs::write(record, vec![1; BLOCK + 1]).unwrap(),
        |record| std::fs::remove_file(record).unwrap(),
        |record| {
            std::fs::remove_file(record).unwrap();
            std::fs::write(record.with_file_name("1_8_F"), []).unwrap();
        },
    ];
    for (number, spoil) in spoil.iter().enumerate() {
        let (room, mut tape, mut volume) = empty();
        session(&mut tape, &mut volume, "d", &[3 * BLOCK, 20]);
        let entries: Vec<_> = survey(&drive(room.path()), "made").unwrap().entries.collect();
        spoil(&room.path().join("1_8_R"));
        let mut volume: Box<dyn Volume> = mounted(room.path(), options().volume);
        let files: Vec<_> = entries.iter().filter_map(wanted).collect();
        let error = read_whole(&mut *volume, &files[0], BLOCK).unwrap_err();
        assert_eq!(
            (error.blame(), error.disposition()),
            (Blame::Extent, Disposition::Skip),
            "{number}: {error}"
        );
        assert_eq!(
            read_whole(&mut *volume, &files[1], BLOCK).unwrap(),
            bytes(1, 20),
            "{number}"
        );
        // What lies behind can still be read by who asks for it.
        let handle = volume.open(&files[0], lrs::ldm::fs::ReadFrom::Medium).unwrap();
        volume.seek(handle, 2 * BLOCK as u64).unwrap();
        let mut rest = vec![0; BLOCK];
        assert_eq!(volume.read(handle, &mut rest).unwrap(), BLOCK, "{number}");
        assert_eq!(rest, bytes(0, 3 * BLOCK)[2 * BLOCK..], "{number}");
    }
}

#[test]
fn a_tree_where_everything_is_wrong_says_so_in_bounded_words() {
    let room = volume(|_| {
        let name = |number: usize| format!("{number}");
        (0..1500)
            .map(|number| file(&name(number), 10, vec![at(0, 1, 0, 10)]))
            .collect()
    });
    let surveyed = survey(&drive(room.path()), "made").unwrap();
    assert_eq!(surveyed.damage.len(), 1001);
    assert_eq!(surveyed.damage.last().unwrap(), "and 500 paths more");
    assert_eq!(surveyed.entries.filter(|entry| entry.damaged.is_some()).count(), 1500);
}

#[test]
fn nothing_of_a_tree_without_damage_is_told_to_be_damaged() {
    let room = volume(|_| vec![directory("d", vec![link("l", "nowhere")])]);
    let surveyed = survey(&drive(room.path()), "made").unwrap();
    assert_eq!(surveyed.damage, [""; 0]);
    let entries: Vec<_> = surveyed.entries.collect();
    let names: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(names, [".", "d", "d/l", "whole", &entries[4].path]);
    assert_eq!(
        read(room.path(), &entries),
        (paths(&["d/l", &entries[4].path]), paths(&[]))
    );
}
