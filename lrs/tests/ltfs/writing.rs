//! Volumes that are written here: what was written is read back, and a checker of no common code finds nothing wrong.

use crate::fixtures::folder;
use crate::folder_drive::FolderDrive;
use crate::reading::{Digests, tree};
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::Accepted;
use lrs::ldm::fs::ltfs::index::{Directory, Entry, Extent, File, Meta, Times, Xattr, XattrValue};
use lrs::ldm::fs::ltfs::volume::{
    Appender, Commit, Contents, LtfsError, LtfsResult, Mounted, Options, State, check, commit, format, generations,
    mount,
};
use lrs::ldm::fs::ltfs::{PartitionId, Time};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

pub const BLOCK: usize = 4096;

fn now() -> Time {
    "2026-11-20T10:21:26.224782323Z".parse().unwrap()
}

pub fn options() -> Options {
    Options {
        serial: "RSP001".to_owned(),
        barcode: "RSP001L8".to_owned(),
        name: "Ours: <1> & é".to_owned(),
        pool: "archive".to_owned(),
        volume: uuid::Uuid::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef),
        block_size: u32::try_from(BLOCK).unwrap(),
        compression: false,
        creator: "respool - Linux - test - Format".to_owned(),
        now: now(),
    }
}

pub fn what(expected_end: u64) -> Commit {
    Commit {
        expected_end,
        creator: "respool - Linux - test - Commit".to_owned(),
        now: now(),
    }
}

/// Bytes that differ from place to place and from file to file.
pub fn bytes(seed: usize, length: usize) -> Vec<u8> {
    (0..length)
        .map(|at| u8::try_from((at * 31 + at / 251 + seed * 17) % 256).unwrap())
        .collect()
}

fn meta(name: &str) -> Meta {
    Meta {
        name: name.to_owned(),
        times: Times::all(now()),
        ..Meta::default()
    }
}

pub fn file(name: &str, length: usize, extents: Vec<Extent>) -> Entry {
    Entry::File(File {
        meta: Meta {
            xattrs: vec![
                Xattr {
                    key: "user:key/1".to_owned(),
                    value: XattrValue::of(&bytes(length, 200)),
                },
                Xattr {
                    key: "text".to_owned(),
                    value: XattrValue::of(b" a\r\nb\t"),
                },
            ],
            ..meta(name)
        },
        length: length as u64,
        extents,
        ..File::default()
    })
}

/// Runs the checker of no common code.
pub fn judged(cartridge: &Path) {
    judged_with(cartridge, &[]);
}

pub fn judged_with(cartridge: &Path, more: &[&str]) {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let done = Command::new("python3")
        .arg(folder.join("check_volume.py"))
        .args(["--require-clean", "--require-mam"])
        .args(more)
        .arg(cartridge)
        .output();
    match done {
        Err(error) => println!("not run: python3: {error}"),
        Ok(done) => {
            let words = String::from_utf8_lossy(&done.stdout);
            println!("{}", words.trim());
            assert!(
                done.status.success(),
                "{words}{}",
                String::from_utf8_lossy(&done.stderr)
            );
        }
    }
}

pub fn empty() -> (tempfile::TempDir, FolderDrive, Mounted) {
    let room = tempfile::tempdir().unwrap();
    let mut drive = FolderDrive::open(room.path());
    let mounted = format(&mut drive, &options()).unwrap();
    (room, drive, mounted)
}

/// Files of a session by path, with their digests.
pub type Written = Vec<(String, String)>;

/// Appends files of these lengths to a directory of the tree, in pieces, with a flush in between now and then. Answers the
/// end of data, which a commit is to expect.
pub fn append(
    drive: &mut dyn Drive,
    mounted: &mut Mounted,
    directory: &str,
    lengths: &[usize],
) -> LtfsResult<(u64, Written)> {
    let mut appender = Appender::new(drive, mounted)?;
    let (mut contents, mut digests) = (Vec::new(), Vec::new());
    for (number, length) in lengths.iter().enumerate() {
        let all = bytes(number, *length);
        appender.begin();
        for piece in all.chunks(1000 + number) {
            if appender.write(drive, piece)? == Accepted::EndOfMedium {
                return Err(LtfsError::Full("b".to_owned()));
            }
        }
        if number % 5 == 4 {
            appender.flush(drive)?;
        }
        let name = format!("{number:03} {directory}: 100% é\t");
        contents.push(file(&name, *length, appender.finish()?));
        let digest: String = Sha256::digest(&all).iter().map(|byte| format!("{byte:02x}")).collect();
        digests.push((format!("{directory}/{name}"), digest));
    }
    let end = appender.flush(drive)?;
    if appender.lost_from().is_some() {
        return Err(LtfsError::Full("b".to_owned()));
    }
    mounted.tree.root.contents.push(Entry::Directory(Directory {
        meta: meta(directory),
        contents,
    }));
    Ok((end, digests))
}

/// The same, and a commit.
pub fn session(drive: &mut dyn Drive, mounted: &mut Mounted, directory: &str, lengths: &[usize]) -> Written {
    let (end, digests) = append(drive, mounted, directory, lengths).unwrap();
    commit(drive, mounted, &what(end)).unwrap();
    digests
}

#[test]
fn a_new_volume_is_empty_and_clean() {
    let (room, mut drive, mounted) = empty();
    assert_eq!(
        (mounted.state, mounted.data.end, mounted.index.end),
        (State::Clean, 7, 7)
    );
    assert_eq!(mounted.tree.root.meta.name, options().name);
    assert_eq!(check(&mut drive, &mounted, Contents::Unread).unwrap(), []);
    judged(room.path());
}

#[test]
fn sessions_are_appended_read_back_and_found_clean() {
    let (room, mut drive, mut mounted) = empty();
    let lengths = [0, 1, 10, BLOCK - 11, BLOCK, BLOCK + 1, 3, 20_000, 0, 5 * BLOCK, 77];
    let mut known: BTreeMap<_, _> = session(&mut drive, &mut mounted, "first", &lengths)
        .into_iter()
        .collect();
    judged(room.path());
    // As after a restart: nothing but the folder.
    let mut drive = FolderDrive::open(room.path());
    let again = mount(&mut drive).unwrap();
    assert_eq!(again, mounted);
    let mut mounted = again;
    known.extend(session(&mut drive, &mut mounted, "second", &[5; 300]));
    judged(room.path());

    let mut drive = FolderDrive::open(room.path());
    let again = mount(&mut drive).unwrap();
    assert_eq!((again.state, again.tree.head.generation), (State::Clean, 3));
    assert_eq!(tree(&again), tree(&mounted));
    let mut digests = Digests::new(known.clone());
    assert_eq!(check(&mut drive, &again, Contents::Read(&mut digests)).unwrap(), []);
    assert_eq!(digests.seen.len(), known.len());
    let (all, broken) = generations(&mut drive, &again).unwrap();
    let all: Vec<_> = all.iter().map(|found| found.head.generation).collect();
    assert_eq!((all, broken), (vec![1, 2, 3, 3], vec![]));
}

#[test]
fn small_files_share_records() {
    let (_room, mut drive, mounted) = empty();
    let mut appender = Appender::new(&mut drive, &mounted).unwrap();
    let mut extents = Vec::new();
    for number in 0..10 {
        appender.begin();
        appender.write(&mut drive, &bytes(number, 1000)).unwrap();
        extents.extend(appender.finish().unwrap());
    }
    assert_eq!(
        appender.flush(&mut drive).unwrap(),
        7 + 3,
        "10,000 bytes are three records of 4,096"
    );
    let places: Vec<_> = extents
        .iter()
        .map(|extent| (extent.block, extent.byte_offset, extent.bytes))
        .collect();
    assert_eq!(
        places[..5],
        [
            (7, 0, 1000),
            (7, 1000, 1000),
            (7, 2000, 1000),
            (7, 3000, 1000),
            (7, 4000, 1000)
        ]
    );
    assert_eq!(places[5], (8, 904, 1000));
}

#[test]
fn an_extent_ends_where_a_flush_cut_its_record_short() {
    let (room, mut drive, mut mounted) = empty();
    let mut appender = Appender::new(&mut drive, &mounted).unwrap();
    appender.begin();
    appender.write(&mut drive, &bytes(1, 5000)).unwrap();
    appender.flush(&mut drive).unwrap();
    appender.write(&mut drive, &bytes(2, 300)).unwrap();
    let extents = appender.finish().unwrap();
    let end = appender.flush(&mut drive).unwrap();
    let places: Vec<_> = extents
        .iter()
        .map(|extent| (extent.file_offset, extent.block, extent.bytes))
        .collect();
    assert_eq!(places, [(0, 7, 5000), (5000, 9, 300)]);
    mounted.tree.root.contents.push(file("cut", 5300, extents));
    commit(&mut drive, &mut mounted, &what(end)).unwrap();
    judged(room.path());
}

#[test]
fn nothing_is_appended_where_the_data_end_elsewhere() {
    let (room, _drive, mounted) = empty();
    let mut other = FolderDrive::open(room.path());
    let mut appender = Appender::new(&mut other, &mounted).unwrap();
    appender.begin();
    appender.write(&mut other, b"somebody else's").unwrap();
    appender.flush(&mut other).unwrap();
    let mut late = FolderDrive::open(room.path());
    assert!(matches!(
        Appender::new(&mut late, &mounted),
        Err(LtfsError::Moved { .. })
    ));
    let mut stale = mounted.clone();
    assert!(matches!(
        commit(&mut late, &mut stale, &what(7)),
        Err(LtfsError::Moved { .. })
    ));
    let found = mount(&mut late).unwrap();
    assert_eq!(found.state, State::Tail);
    assert!(matches!(
        Appender::new(&mut late, &found),
        Err(LtfsError::NotWritable(_))
    ));
}

#[test]
fn a_full_tape_says_from_where_on_nothing_is_on_it() {
    let (_room, mut drive, mounted) = empty();
    drive.full_at = Some(9);
    let mut appender = Appender::new(&mut drive, &mounted).unwrap();
    appender.begin();
    assert_eq!(appender.write(&mut drive, &bytes(0, 2 * BLOCK)).unwrap(), Accepted::All);
    let whole = appender.finish().unwrap();
    appender.begin();
    assert_eq!(
        appender.write(&mut drive, &bytes(1, 2 * BLOCK)).unwrap(),
        Accepted::EndOfMedium
    );
    assert_eq!(
        (appender.lost_from(), appender.flush(&mut drive).unwrap()),
        (Some(9), 9)
    );
    assert!(whole.iter().all(|extent| extent.end_block(4096).unwrap() <= 9));
}

#[test]
fn a_tree_that_breaks_a_rule_is_not_written() {
    for wrong in ["a/b", "", "cafe\u{301}"] {
        let (room, mut drive, mut mounted) = empty();
        mounted.tree.root.contents.push(file(wrong, 0, Vec::new()));
        let end = mounted.data.end;
        assert!(
            matches!(commit(&mut drive, &mut mounted, &what(end)), Err(LtfsError::Refused(_))),
            "{wrong}"
        );
        judged(room.path());
    }
    let (_room, mut drive, mut mounted) = empty();
    let beyond = Extent {
        file_offset: 0,
        partition: PartitionId::B,
        block: 7,
        byte_offset: 0,
        bytes: 1,
    };
    mounted.tree.root.contents.push(file("beyond", 1, vec![beyond]));
    assert!(matches!(
        commit(&mut drive, &mut mounted, &what(7)),
        Err(LtfsError::Refused(_))
    ));
}

#[test]
fn unknown_elements_survive() {
    let (room, mut drive, mut mounted) = empty();
    let unknown = "<v:thing xmlns:v=\"urn:v\" a=\"1 &amp; 2\"> <x/> t&#13;&lt;<!-- c --></v:thing>";
    mounted.tree.head.unknown.push(unknown.to_owned());
    mounted.tree.root.meta.unknown.push("<more>1</more>".to_owned());
    let Entry::File(mut inner) = file("f", 3, Vec::new()) else {
        unreachable!()
    };
    inner.meta.unknown.push("<own>x</own>".to_owned());
    mounted.tree.root.contents.push(Entry::File(inner));
    let end = mounted.data.end;
    commit(&mut drive, &mut mounted, &what(end)).unwrap();
    let again = mount(&mut drive).unwrap();
    assert_eq!(again.tree.head.unknown, [unknown.replace("<x/>", "<x></x>")]);
    assert_eq!(again.tree.root.meta.unknown, ["<more>1</more>"]);
    let Entry::File(inner) = &again.tree.root.contents[0] else {
        unreachable!()
    };
    assert_eq!(inner.meta.unknown, ["<own>x</own>"]);
    judged(room.path());
}

/// A commit that returns has left an index that can be read.
#[test]
fn an_index_that_no_reader_takes_is_refused_before_anything_is_written() {
    let value = |length: usize| Xattr {
        key: "long".to_owned(),
        value: XattrValue::Binary(bytes(1, length)),
    };
    let mut deep = Directory {
        meta: meta("d"),
        contents: Vec::new(),
    };
    for _ in 0..600 {
        deep = Directory {
            meta: meta("d"),
            contents: vec![Entry::Directory(deep)],
        };
    }
    let (room, mut drive, mounted) = empty();
    let before = count(room.path());
    let mut long = mounted.clone();
    long.tree.root.meta.xattrs.push(value(1 << 20));
    let mut nested = mounted.clone();
    nested.tree.root.contents.push(Entry::Directory(deep));
    let mut unknown = mounted.clone();
    unknown
        .tree
        .head
        .unknown
        .push(format!("<x>{}</x>", "y".repeat(1 << 20)));
    for tree in [&mut long, &mut nested, &mut unknown] {
        let end = tree.data.end;
        let refused = commit(&mut drive, tree, &what(end)).unwrap_err();
        assert!(
            matches!(&refused, LtfsError::Refused(why) if why.contains("could not be read again")),
            "{refused}"
        );
        assert_eq!(count(room.path()), before);
        assert!(mount(&mut drive).unwrap().state.is_clean());
    }
    // Base64 is a third longer, and has ends of lines.
    let mut fits = mounted;
    fits.tree.root.meta.xattrs.push(value(750_000));
    let end = fits.data.end;
    commit(&mut drive, &mut fits, &what(end)).unwrap();
    assert_eq!(mount(&mut drive).unwrap().tree, fits.tree);
}

fn count(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// A volume of another host, whose way to the drive carried more.
#[test]
fn records_that_the_way_does_not_carry_are_told_before_anything_is_read_or_written() {
    let (_room, mut drive, mut mounted) = empty();
    let end = mounted.data.end;
    drive.record_max = BLOCK;
    mount(&mut drive).unwrap();
    drive.record_max = BLOCK - 1;
    let refused = mount(&mut drive).unwrap_err();
    assert!(matches!(refused, LtfsError::RecordsTooLong { .. }), "{refused}");
    assert!(refused.to_string().contains("up to 4096 bytes"), "{refused}");
    let appended = Appender::new(&mut drive, &mounted).map(drop);
    assert_eq!(appended.unwrap_err(), refused);
    let committed = commit(&mut drive, &mut mounted, &what(end)).map(drop);
    assert_eq!(committed.unwrap_err(), refused);
}

#[test]
fn a_locked_volume_is_not_written() {
    let (room, mut drive, mut mounted) = empty();
    std::fs::write(room.path().join("attr_0_1623"), [0x16, 0x23, 0, 0, 1, 3]).unwrap();
    assert!(matches!(
        Appender::new(&mut drive, &mounted),
        Err(LtfsError::NotWritable(_))
    ));
    assert!(matches!(
        commit(&mut drive, &mut mounted, &what(7)),
        Err(LtfsError::NotWritable(_))
    ));
    std::fs::write(room.path().join("attr_0_1623"), [0x16, 0x23, 0, 0, 1, 0]).unwrap();
    mounted.tree.head.lock = Some(lrs::ldm::fs::ltfs::index::Lock::Permanently);
    assert!(matches!(
        Appender::new(&mut drive, &mounted),
        Err(LtfsError::NotWritable(_))
    ));
}
