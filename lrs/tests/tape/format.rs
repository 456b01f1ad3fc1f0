//! What may become a medium, which medium is there, and what others find on it.

use crate::rigged::{Reel, Rigged, expected, label};
use crate::volume::{Maker, entries, get, pattern, put, tag};
use dss::model::{ByteCount, Digests, Generation, MediumId, Revision};
use lrs::ldm::drive::{Drive, Partition};
use lrs::ldm::fs::ltfs::index::{Entry, File, Meta, Node, Times, walk};
use lrs::ldm::fs::ltfs::medium::{FORMAT, Shape, SharedDrive, format, mount, read_label};
use lrs::ldm::fs::ltfs::volume::{self as ltfs, Appender, Commit, Options, State};
use lrs::ldm::fs::{IndexStamp, ReadFrom};
use lrs::ldm::{Fault, Op};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

pub const STAMP: IndexStamp = IndexStamp {
    revision: Revision(9),
    event_head: None,
};

/// Runs the checker of no common code, if it is there.
pub fn judged(cartridge: &Path) {
    judged_with(cartridge, &[]);
}

/// The same with more to be checked.
pub fn judged_with(cartridge: &Path, more: &[&str]) {
    let folder = match std::env::var_os("RESPOOL_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/ltfs"),
    };
    let checker = folder.join("check_volume.py");
    if !checker.exists() {
        println!("not run: no checker");
        return;
    }
    let done = Command::new("python3")
        .arg(checker)
        .args(["--require-clean", "--require-mam"])
        .args(more)
        .arg(cartridge)
        .output();
    match done {
        Err(error) => println!("not run: python3: {error}"),
        Ok(done) => assert!(
            done.status.success(),
            "{}{}",
            String::from_utf8_lossy(&done.stdout),
            String::from_utf8_lossy(&done.stderr)
        ),
    }
}

/// A volume of somebody else on a blank tape.
fn foreign(folder: &Path) -> SharedDrive {
    for partition in 0..2 {
        std::fs::write(folder.join(format!("{partition}_0_E")), []).unwrap();
    }
    let mut drive = Rigged::open(folder, 64 << 20);
    let options = Options {
        serial: "XYZ001".to_owned(),
        barcode: "XYZ001L8".to_owned(),
        name: "holidays".to_owned(),
        pool: String::new(),
        volume: uuid::Uuid::from_u128(5),
        block_size: 4096,
        compression: false,
        creator: "other - Linux - other - Format".to_owned(),
        now: "2020-01-01T00:00:00.000000000Z".parse().unwrap(),
    };
    ltfs::format(&mut drive, &options).unwrap();
    Arc::new(Mutex::new(drive))
}

/// Other software adds a file and an index.
pub fn touched_by_others(reel: &mut Reel) {
    written_by_others(reel, b"theirs");
}

/// The same with a file of these bytes.
pub fn written_by_others(reel: &mut Reel, bytes: &[u8]) {
    let mut drive = Rigged::open(reel.folder(), reel.capacity);
    let mut mounted = ltfs::mount(&mut drive).unwrap();
    let mut appender = Appender::new(&mut drive, &mounted).unwrap();
    appender.begin();
    appender.write(&mut drive, bytes).unwrap();
    let extents = appender.finish().unwrap();
    let end = appender.flush(&mut drive).unwrap();
    let now = "2026-12-01T00:00:00.000000000Z".parse().unwrap();
    mounted.tree.root.contents.push(Entry::File(File {
        meta: Meta {
            name: "theirs.txt".to_owned(),
            times: Times::all(now),
            ..Meta::default()
        },
        length: bytes.len() as u64,
        extents,
        ..File::default()
    }));
    let what = Commit {
        expected_end: end,
        creator: "other - Linux - other - Unmount".to_owned(),
        now,
    };
    ltfs::commit(&mut drive, &mut mounted, &what).unwrap();
}

#[test]
fn others_find_an_ordinary_volume_with_readable_names() {
    let mut reel = Reel::formatted();
    judged(reel.folder());
    let mut volume = reel.mounted();
    let mut puts = Vec::new();
    for round in 0..3 {
        for number in 0..40 {
            let bytes = pattern(number * 977, round);
            puts.push(put(&mut *volume, &format!("run {round}/file {number}"), &bytes).unwrap());
        }
        volume.sync().unwrap();
    }
    let gone = puts.swap_remove(3);
    volume.delete(&gone.wanted(reel.label.generation)).unwrap();
    let bad = puts.swap_remove(4);
    volume
        .isolate(&bad.wanted(reel.label.generation), "digest mismatch")
        .unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
    let mut drive = Rigged::open(reel.folder(), reel.capacity);
    let mounted = ltfs::mount(&mut drive).unwrap();
    assert_eq!(
        (mounted.state, mounted.tree.root.meta.name.as_str()),
        (State::Clean, "TAP001L8")
    );
    let mut paths = Vec::new();
    walk(&mounted.tree.root, |path, node| {
        if let Node::File(_) = node {
            paths.push(path.to_owned());
        }
        assert_eq!(node.meta().xattrs, [], "{path}: these files had no attributes");
    });
    paths.sort();
    let mut expected: Vec<String> = puts.iter().map(|put| put.address.0.clone()).collect();
    expected.push(format!(".respool/isolated/{}", bad.tag.extent));
    expected.sort();
    assert_eq!(paths, expected);
    assert_eq!(expected[1], "run 0/file 0");
    // Small ones share records: 120 files of 2.3 MB take little more than their bytes.
    assert!(mounted.data.end < 220, "{}", mounted.data.end);
    let findings = ltfs::check(&mut drive, &mounted, ltfs::Contents::Unread).unwrap();
    assert_eq!(findings, []);
}

#[test]
fn a_commit_with_nothing_new_writes_nothing() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    put(&mut *volume, "one", b"1").unwrap();
    volume.commit_index(STAMP).unwrap();
    let end = reel.end();
    volume.commit_index(STAMP).unwrap();
    volume.sync().unwrap();
    drop(volume);
    let mut volume = reel.mounted();
    volume.commit_index(STAMP).unwrap();
    assert_eq!((reel.end(), volume.stamp()), (end, Some(STAMP)));
    let later = IndexStamp {
        revision: Revision(10),
        ..STAMP
    };
    volume.commit_index(later).unwrap();
    assert!(reel.end() > end);
}

#[test]
fn what_holds_anything_is_not_made_a_medium() {
    let room = tempfile::tempdir().unwrap();
    let drive = foreign(room.path());
    let shape = Shape::usual("XYZ001L8");
    let refused = format(&drive, &label(), &shape).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("holidays")),
        "{refused}"
    );
    let refused = read_label(&drive, "x").unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unlabelled(why) if why.contains("holidays")),
        "{refused}"
    );
    let refused = mount(&drive, expected(&label())).err().expect("it has no label");
    assert!(matches!(&refused.fault, Fault::Unlabelled(_)), "{refused}");

    let mut reel = Reel::formatted();
    let drive = reel.load();
    let refused = format(&drive, &label(), &shape).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("a medium already")),
        "{refused}"
    );
    assert_eq!(read_label(&drive, "x").unwrap(), reel.label);
    let wrong = lrs::ldm::fs::Label {
        format: "respool-dir-1".to_owned(),
        ..label()
    };
    assert!(format(&drive, &wrong, &shape).is_err());
    drop(reel.mounted());
}

/// A tape is blank where all of it is.
#[test]
fn a_partition_that_is_empty_makes_no_blank_tape() {
    let blank = || {
        let room = tempfile::tempdir().unwrap();
        for partition in 0..2 {
            std::fs::write(room.path().join(format!("{partition}_0_E")), []).unwrap();
        }
        room
    };
    let tried = |room: &Path, label: &lrs::ldm::fs::Label| {
        let drive: SharedDrive = Arc::new(Mutex::new(Rigged::open(room, 64 << 20)));
        format(&drive, label, &Shape::usual("XYZ001L8"))
    };
    let label = label();
    // Somebody's data, and a first partition that was cut off at its beginning.
    let room = blank();
    std::fs::rename(room.path().join("1_0_E"), room.path().join("1_1_E")).unwrap();
    std::fs::write(room.path().join("1_0_R"), b"theirs").unwrap();
    let refused = tried(room.path(), &label).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("the data of p1 end at block 1")),
        "{refused}"
    );
    assert_eq!(std::fs::read(room.path().join("1_0_R")).unwrap(), b"theirs");
    // A cartridge that says that it is something, on a tape that says nothing.
    let attributes = [
        (0, lrs::ldm::fs::ltfs::attributes::medium_id(MediumId::fresh().0)),
        (0, lrs::ldm::fs::ltfs::attributes::binary(0x080c, vec![1; 70])),
        (1, lrs::ldm::fs::ltfs::attributes::binary(0x080c, vec![1; 70])),
    ];
    for (partition, attribute) in attributes {
        let room = blank();
        Rigged::open(room.path(), 64 << 20)
            .set_attribute(Partition(partition), &attribute)
            .unwrap();
        let refused = tried(room.path(), &label).unwrap_err();
        assert!(
            matches!(&refused.fault, Fault::Unfit(why) if why.contains("the cartridge's memory")),
            "{refused}"
        );
    }
    // Its own name it may have: a format of the same medium was cut off.
    let room = blank();
    let own = lrs::ldm::fs::ltfs::attributes::medium_id(label.medium.0);
    Rigged::open(room.path(), 64 << 20)
        .set_attribute(Partition(0), &own)
        .unwrap();
    tried(room.path(), &label).unwrap();
}

/// A drive that fails while a tape is looked at is no reason to format it, even one that is marked.
#[test]
fn a_drive_that_fails_makes_no_blank_tape() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    put(&mut *volume, "kept", b"1").unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    let marked = lrs::ldm::fs::ltfs::attributes::text(0x0803, "respool: erasing TAP001L8");
    for sense in [(4, 0x44, 0), (0xb, 0x4b, 0), (6, 0x29, 0)] {
        let drive = reel.load();
        drive.lock().unwrap().set_attribute(Partition(0), &marked).unwrap();
        // Once where the ends of data are asked for, and once where the labels are read.
        for after in [0, 1, 2] {
            reel.plan(|plan| plan.glitch = Some((after, sense)));
            let failed = format(&drive, &reel.label, &Shape::usual("TAP001L8")).unwrap_err();
            assert!(matches!(failed.fault, Fault::Drive(_)), "{after}: {failed}");
        }
    }
    assert_eq!(entries(&mut *reel.mounted()).len(), 1);
}

#[test]
fn another_medium_or_generation_is_told() {
    let mut reel = Reel::formatted();
    let drive = reel.load();
    let mut other = reel.label.clone();
    other.medium = MediumId::fresh();
    let refused = mount(&drive, expected(&other)).err().expect("another medium");
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    let mut later = reel.label.clone();
    later.generation = Generation(5);
    let refused = mount(&drive, expected(&later)).err().expect("another generation");
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    let mut volume = reel.mounted();
    let mut next = reel.label.clone();
    next.generation = Generation(1);
    volume.erase(next, &mut std::iter::empty(), &mut |_| {}).unwrap();
    drop(volume);
    let mut early = expected(&reel.label);
    early.generations = vec![Generation(0)];
    let refused = mount(&reel.load(), early).err().expect("it was erased since");
    assert!(
        matches!(
            refused.fault,
            Fault::ErasedSince {
                found: Generation(1),
                ..
            }
        ),
        "{refused}"
    );
}

#[test]
fn what_other_software_wrote_to_is_read_and_not_written() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let ours = put(&mut *volume, "ours", &pattern(100_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    touched_by_others(&mut reel);
    let mut volume = reel.mounted();
    assert_eq!(volume.stamp(), Some(STAMP));
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(
        get(&mut *volume, &ours.wanted(reel.label.generation)).unwrap(),
        ours.bytes
    );
    let refused = put(&mut *volume, "more", b"1").unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("other software")),
        "{refused}"
    );
    // Their file is nobody's to destroy.
    let mut next = reel.label.clone();
    next.generation = Generation(1);
    let refused = volume.erase(next, &mut std::iter::empty(), &mut |_| {}).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("theirs.txt")),
        "{refused}"
    );
    drop(volume);
    assert_eq!(entries(&mut *reel.mounted()).len(), 1);
}

#[test]
fn a_renamed_file_is_a_stranger_and_its_bytes_are_where_the_catalogue_says() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let ours = put(&mut *volume, "ours", &pattern(50_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    let span = volume.lookup(ours.tag.extent).unwrap().unwrap().span;
    drop(volume);
    let mut drive = Rigged::open(reel.folder(), reel.capacity);
    let mut mounted = ltfs::mount(&mut drive).unwrap();
    for entry in &mut mounted.tree.root.contents {
        if let Entry::File(file) = entry {
            file.meta.name = "renamed".to_owned();
        }
    }
    let what = Commit {
        expected_end: mounted.data.end,
        creator: "other - Linux - other - Unmount".to_owned(),
        now: mounted.tree.head.update_time,
    };
    ltfs::commit(&mut drive, &mut mounted, &what).unwrap();
    let mut volume = reel.mounted();
    assert!(entries(&mut *volume).is_empty());
    assert_eq!(volume.strangers().unwrap()[0].0, "renamed");
    let mut wanted = ours.wanted(reel.label.generation);
    assert_eq!(volume.open(&wanted, ReadFrom::Medium).unwrap_err().fault, Fault::Absent);
    wanted.span = span;
    assert_eq!(get(&mut *volume, &wanted).unwrap(), ours.bytes);
}

#[test]
fn metadata_that_no_index_takes_is_refused_and_harms_no_other_extent() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let good = put(&mut *volume, "good", b"1").unwrap();
    let mut large = tag("large", 1);
    large
        .header
        .metadata
        .user
        .insert("note".to_owned(), "x".repeat(17 << 20));
    let address = volume.reserve(&large).unwrap();
    let end = reel.end();
    let refused = volume.create(large, &address).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unrepresentable(why) if why.contains("the notes of a tape take"))
            && refused.op == Op::Write,
        "{refused}"
    );
    assert_eq!(reel.end(), end, "no byte of it was written");
    let mut odd = tag("odd", 1);
    odd.header
        .metadata
        .user
        .insert("note".to_owned(), "\u{1}<&>\u{ffff}\r\n".to_owned());
    let address = volume.reserve(&odd).unwrap();
    let handle = volume.create(odd.clone(), &address).unwrap().unwrap();
    volume.write(handle, b"3").unwrap();
    volume.finish(handle, Digests::of(b"3")).unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
    let mut volume = reel.mounted();
    assert_eq!(entries(&mut *volume).len(), 2);
    assert_eq!(volume.lookup(odd.extent).unwrap().unwrap().tag, odd);
    assert!(volume.lookup(good.tag.extent).unwrap().is_some());
}

#[test]
fn a_blank_tape_of_another_size_becomes_a_medium() {
    let mut reel = Reel::new();
    reel.block_size = 1 << 20;
    let label = reel.fresh(ByteCount(100 << 20));
    assert_eq!(label.format, FORMAT);
    let mut volume = reel.mounted();
    let put = put(&mut *volume, "one", &pattern(3_000_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
    assert_eq!(
        get(&mut *reel.mounted(), &put.wanted(label.generation)).unwrap(),
        put.bytes
    );
    assert_eq!(reel.load().lock().unwrap().record_max(), 1 << 20);
}
