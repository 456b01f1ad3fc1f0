//! What such a volume does not do, and what it does not take for the file that is meant.

use super::{drive, expected, mounted, read_whole, wanted};
use crate::folder_drive::FolderDrive;
use crate::writing::{append, empty, options, session, what};
use dss::catalogue::ObjectHeader;
use dss::model::evidence::{SyncReceipt, WriteSerial};
use dss::model::{
    Address, ByteCount, CopyNo, Digests, ExtentId, ExtentIndex, Generation, Metadata, ObjectId, Oid, Origin, Revision,
    Span, Version,
};
use lrs::ldm::fs::ltfs::foreign::{ForeignEntry, ForeignExpected, ForeignKind, mount, survey};
use lrs::ldm::fs::ltfs::volume::commit;
use lrs::ldm::fs::{ExtentTag, IndexStamp, ReadFrom, Volume, Wanted, WriteHandle};
use lrs::ldm::{Blame, Fault, MediaError};
use std::path::Path;
use uuid::Uuid;

/// A volume of three files.
fn three() -> (tempfile::TempDir, Vec<ForeignEntry>) {
    let (room, mut drive, mut mounted) = empty();
    session(&mut drive, &mut mounted, "d", &[10, 9000, 700]);
    let files = files(room.path());
    assert_eq!(files.len(), 3);
    (room, files)
}

fn files(cartridge: &Path) -> Vec<ForeignEntry> {
    let surveyed = survey(&drive(cartridge), "three").unwrap();
    let is_file = |entry: &ForeignEntry| matches!(entry.kind, ForeignKind::File { .. });
    surveyed.entries.filter(is_file).collect()
}

fn tag() -> ExtentTag {
    ExtentTag {
        extent: ExtentId::fresh(),
        origin: Origin {
            object: ObjectId::fresh(),
            oid: Oid::new("o").unwrap(),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        bytes: ByteCount(1),
        header: ObjectHeader {
            bytes: ByteCount(1),
            copies: CopyNo(1),
            copy_extents: 1,
            grouping: None,
            metadata: Metadata::default(),
            created_at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
        },
    }
}

fn unfit(error: MediaError) {
    assert_eq!(error.blame(), Blame::Operator);
    assert_eq!(
        error.fault,
        Fault::Unfit("it holds an LTFS volume made elsewhere: respool only reads it".to_owned())
    );
}

fn contents(room: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let names = std::fs::read_dir(room).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = names
        .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn nothing_is_ever_written() {
    let (room, files) = three();
    let before = contents(room.path());
    let mut volume = mounted(room.path(), options().volume);
    let one = wanted(&files[0]).unwrap();
    let stamp = IndexStamp {
        revision: Revision(9),
        event_head: None,
    };
    unfit(volume.reserve(&tag()).unwrap_err());
    unfit(volume.write(WriteHandle(1), b"1").unwrap_err());
    unfit(volume.finish(WriteHandle(1), Digests::of(b"1")).unwrap_err());
    unfit(volume.delete(&one).unwrap_err());
    unfit(volume.isolate(&one, "bad").unwrap_err());
    unfit(volume.commit_index(stamp).unwrap_err());
    volume.identify().unwrap();
    let receipt: SyncReceipt = volume.sync().unwrap();
    let nothing = WriteSerial { mount: 0, count: 0 };
    let same = SyncReceipt::durable(volume.label().medium, volume.label().generation, nothing);
    assert_eq!(format!("{receipt:?}"), format!("{same:?}"), "it covers no write");
    let space = volume.space().unwrap();
    assert_eq!((space.free, space.used), (ByteCount(0), ByteCount(9710)));
    assert_eq!(volume.index().unwrap().count(), 0, "no file says which extent it is");
    assert!(volume.lookup(one.extent).unwrap().is_none() && volume.strangers().unwrap().is_empty());
    assert_eq!(
        (volume.label().format.as_str(), volume.revision()),
        ("ltfs", Revision(0))
    );
    assert_eq!(read_whole(&mut *volume, &one, 64).unwrap().len(), 10);
    drop(volume);
    assert_eq!(contents(room.path()), before);
}

///
#[test]
fn another_volume_is_not_read() {
    let (room, _) = three();
    let refused = mount(&drive(room.path()), expected(Uuid::from_u128(5))).err().unwrap();
    let Fault::WrongMedium { expected: meant, found } = &refused.fault else {
        panic!("{refused}")
    };
    assert!(meant.contains("00000000-0000-0000-0000-000000000005"), "{refused}");
    assert!(found.contains(&options().volume.to_string()), "{refused}");
    // Nor is it taken for a damaged one of ours when it cannot be mounted at all.
    for record in ["0_5_R", "1_5_R", "1_11_R"] {
        std::fs::write(room.path().join(record), "<ltfsindex").unwrap();
    }
    let refused = mount(&drive(room.path()), expected(Uuid::from_u128(5))).err().unwrap();
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    let refused = mount(&drive(room.path()), expected(options().volume)).err().unwrap();
    assert!(matches!(refused.fault, Fault::Damaged(_)), "{refused}");
}

fn open(volume: &mut dyn Volume, wanted: &Wanted) -> Fault {
    volume.open(wanted, ReadFrom::Anywhere).unwrap_err().fault
}

///
#[test]
fn what_the_catalogue_means_must_be_what_the_index_has() {
    let (room, files) = three();
    let mut volume = mounted(room.path(), options().volume);
    let meant = wanted(&files[1]).unwrap();
    let mut other = meant.clone();
    other.span.as_mut().unwrap().0[0].start_block += 1;
    assert!(matches!(open(&mut *volume, &other), Fault::Damaged(_)));
    let other = Wanted {
        span: Some(Span::default()),
        ..meant.clone()
    };
    assert!(matches!(open(&mut *volume, &other), Fault::Damaged(_)));
    let other = Wanted {
        bytes: ByteCount(8999),
        ..meant.clone()
    };
    let short = Fault::Short {
        expected: 8999,
        got: 9000,
    };
    assert_eq!(open(&mut *volume, &other), short);
    let at = |path: &str| Wanted {
        address: Address(path.to_owned()),
        ..meant.clone()
    };
    for path in ["nowhere", "", "/", "d/", "./d"] {
        assert_eq!(open(&mut *volume, &at(path)), Fault::Absent, "{path}");
    }
    // A directory is an extent without bytes.
    let none = Fault::Short { expected: 9000, got: 0 };
    assert_eq!(open(&mut *volume, &at("d")), none);
    let other = Wanted {
        generation: Generation(3),
        ..meant.clone()
    };
    assert!(matches!(open(&mut *volume, &other), Fault::NotThisExtent(_)));
    let by_path = Wanted {
        span: None,
        ..meant.clone()
    };
    let bytes = read_whole(&mut *volume, &meant, 4096).unwrap();
    assert_eq!(read_whole(&mut *volume, &by_path, 100).unwrap(), bytes);
    let handle = volume.open(&meant, ReadFrom::Medium).unwrap();
    let mut buffer = [0; 100];
    volume.seek(handle, 8950).unwrap();
    assert_eq!(volume.read(handle, &mut buffer).unwrap(), 50);
    assert_eq!(buffer[..50], bytes[8950..]);
    assert!(volume.seek(handle, 9001).is_err());
    volume.seek(handle, 0).unwrap();
    assert_eq!(volume.read(handle, &mut buffer).unwrap(), 100);
    assert_eq!(buffer[..], bytes[..100]);
    volume.close(handle);
    assert!(volume.read(handle, &mut buffer).is_err());
}

/// Somebody wrote to the tape after it was imported: the same path may be another file by now.
#[test]
fn once_the_tape_has_another_index_only_places_are_believed() {
    let (room, before) = three();
    let meant = wanted(&before[1]).unwrap();
    let by_path = Wanted {
        span: None,
        ..meant.clone()
    };
    let again = |index_generation| ForeignExpected {
        index_generation,
        ..expected(options().volume)
    };
    let mut volume = mount(&drive(room.path()), again(Some(2))).unwrap();
    let bytes = read_whole(&mut *volume, &by_path, 4096).unwrap();
    drop(volume);
    let mut tape = FolderDrive::open(room.path());
    let mut mounted = lrs::ldm::fs::ltfs::volume::mount(&mut tape).unwrap();
    let (end, _) = append(&mut tape, &mut mounted, "more", &[5]).unwrap();
    commit(&mut tape, &mut mounted, &what(end)).unwrap();
    for (known, believed) in [(Some(2), false), (Some(9), false), (Some(3), true), (None, true)] {
        let mut volume = mount(&drive(room.path()), again(known)).unwrap();
        assert_eq!(read_whole(&mut *volume, &meant, 4096).unwrap(), bytes, "{known:?}");
        let answer = read_whole(&mut *volume, &by_path, 4096);
        assert_eq!(answer.is_ok(), believed, "{known:?}");
        assert!(answer.is_ok() || matches!(answer.unwrap_err().fault, Fault::Damaged(_)));
    }
}

#[test]
fn another_cartridge_in_the_drive_ends_the_volume() {
    let (room, files) = three();
    let mut volume = mounted(room.path(), options().volume);
    volume.identify().unwrap();
    let attribute = room.path().join("attr_1_80c");
    let mut raw = std::fs::read(&attribute).unwrap();
    *raw.last_mut().unwrap() ^= 1;
    std::fs::write(&attribute, raw).unwrap();
    let refused = volume.identify().unwrap_err();
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    assert_eq!(open(&mut *volume, &wanted(&files[0]).unwrap()), Fault::NeedsReopen);
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
}

#[test]
fn who_takes_the_drive_up_ends_the_volume() {
    let (room, files) = three();
    let drive = drive(room.path());
    let mut volume = mount(&drive, expected(options().volume)).unwrap();
    let one = wanted(&files[1]).unwrap();
    let handle = volume.open(&one, ReadFrom::Anywhere).unwrap();
    let mut buffer = [0xee; 100];
    assert_eq!(volume.read(handle, &mut buffer).unwrap(), 100);
    drive.lock().unwrap().take_up();
    assert_eq!(volume.read(handle, &mut buffer).unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(buffer, [0; 100]);
    assert_eq!(volume.identify().unwrap_err().fault, Fault::NeedsReopen);
}
