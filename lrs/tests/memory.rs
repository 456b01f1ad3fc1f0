//! How much memory a mounted tape takes, measured in a process of its own.

#[allow(dead_code)]
#[path = "ltfs/folder_drive.rs"]
mod folder_drive;
#[allow(dead_code)]
#[path = "tape/rigged.rs"]
mod rigged;
#[allow(dead_code, unused_macros, unused_imports)]
#[macro_use]
#[path = "volume/mod.rs"]
mod volume;

use dss::model::{LtfsAttributes, LtfsKind, LtfsTimes, Revision};
use lrs::ldm::fs::IndexStamp;
use lrs::ldm::fs::ltfs::medium::mount;
use rigged::{Reel, Rigged, expected, label};
use std::path::Path;
use std::sync::{Arc, Mutex};
use volume::{Maker, put_as, tag};

const FILES: u64 = 6_000;

/// What the process says of its memory, in bytes.
fn said(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    let kib: u64 = line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap();
    kib << 10
}

const STAMP: IndexStamp = IndexStamp {
    revision: Revision(9),
    event_head: None,
};

/// A tape with many files that came from another one.
fn filled(reel: &mut Reel) {
    let mut volume = reel.mounted();
    for number in 0..FILES {
        let mut tag = tag(&format!("imported/{number}"), 10);
        let time = "2019-03-04T05:06:07.123456789Z";
        tag.header.metadata.user.clear();
        tag.header.metadata.ltfs = Some(LtfsAttributes {
            path: format!("projects/{}/measurements of the year/run {number}.dat", number / 100),
            kind: LtfsKind::File,
            readonly: false,
            times: LtfsTimes {
                creation: time.to_owned(),
                change: time.to_owned(),
                modify: time.to_owned(),
                access: time.to_owned(),
                backup: time.to_owned(),
            },
            xattrs: Vec::new(),
            unknown: Vec::new(),
        });
        put_as(&mut *volume, tag, b"0123456789").unwrap();
        if number % 2000 == 1999 {
            volume.sync().unwrap();
        }
    }
    volume.commit_index(STAMP).unwrap();
}

/// Mounts an empty tape, and then the one with files. Answers what that takes more for each file: as it stands, and at most.
fn measured(empty: &Path, folder: &Path, label: &lrs::ldm::fs::Label) -> (u64, u64) {
    let drive = Arc::new(Mutex::new(Rigged::open(empty, 64 << 20)));
    let volume = mount(&(drive as _), expected(label)).unwrap();
    let before = said("VmRSS:");
    drop(volume);
    let drive = Arc::new(Mutex::new(Rigged::open(folder, 64 << 20)));
    let mut volume = mount(&(drive as _), expected(label)).unwrap();
    let mounted = said("VmRSS:");
    let later = IndexStamp {
        revision: Revision(10),
        ..STAMP
    };
    volume.commit_index(later).unwrap();
    let most = said("VmHWM:");
    ((mounted - before) / FILES, (most - before) / FILES)
}

/// The environment variables in which a process hears what it is to measure.
const FOLDER: &str = "RESPOOL_TEST_TAPE";
const EMPTY: &str = "RESPOOL_TEST_EMPTY";
const LABEL: &str = "RESPOOL_TEST_LABEL";

/// M-memory: a mounted tape takes at most about 1 KiB a file, its tree and all that is known of it together.
#[test]
fn a_mounted_tape_takes_at_most_a_kibibyte_a_file() {
    if let (Some(folder), Some(text)) = (std::env::var_os(FOLDER), std::env::var_os(LABEL)) {
        let label = serde_json::from_str(text.to_str().unwrap()).unwrap();
        let empty = std::env::var_os(EMPTY).unwrap();
        let (mounted, most) = measured(empty.as_ref(), folder.as_ref(), &label);
        println!("{mounted} bytes a file, and {most} while an index is written");
        assert!(mounted <= 1024, "{mounted}");
        assert!(most <= 1300, "{most}");
        return;
    }
    let mut reel = Reel::new();
    reel.label = label();
    reel.fresh(dss::model::ByteCount(256 << 20));
    let empty = reel.folder().to_owned();
    reel.fresh(dss::model::ByteCount(256 << 20));
    filled(&mut reel);
    let done = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_mounted_tape_takes_at_most_a_kibibyte_a_file",
            "--nocapture",
        ])
        .env(FOLDER, reel.folder())
        .env(EMPTY, empty)
        .env(LABEL, serde_json::to_string(&reel.label).unwrap())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&done.stdout);
    println!("{words}");
    assert!(
        done.status.success(),
        "{words}{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
