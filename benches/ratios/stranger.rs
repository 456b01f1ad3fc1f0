//! A cartridge as other software leaves one: an LTFS volume of many small files, written by respool's own LTFS, of which
//! nothing says so. Paths, times and attributes are such as archives of measurements have them.

use dss::model::ByteCount;
use lrs::ldm::fs::Accepted;
use lrs::ldm::fs::ltfs::Time;
use lrs::ldm::fs::ltfs::index::{Directory, Entry, File, Meta, Times, Xattr, XattrValue};
use lrs::ldm::fs::ltfs::volume::{Appender, Commit, Options, commit, format};
use md5::{Digest, Md5};
use std::fs;
use std::path::{Path, PathBuf};

// A cartridge is filled here and nothing else.
#[allow(dead_code)]
#[path = "../../lrs/tests/ltfs/folder_drive.rs"]
mod folder_drive;

use folder_drive::FolderDrive;

const CREATOR: &str = "Archiver 3.2.1 - Linux - archived - Format";
/// What LTFS software formats with unless told otherwise.
const BLOCK: u32 = 512 << 10;
/// Files of a run, runs of a year, years of an instrument: of 100,000 files, in some hundred directories.
const FILES_OF_A_RUN: u64 = 250;
const RUNS_OF_A_YEAR: usize = 10;
const YEARS: usize = 5;
/// One file in so many has attributes.
const WITH_ATTRIBUTES: u64 = 10;

/// A volume, and where its newest index lies.
pub struct Stranger {
    pub folder: PathBuf,
    /// The records of the data partition's index: the first, and how many.
    index: (u64, u64),
}

impl Stranger {
    /// Fills a new folder. No two numbers give the same volume.
    pub fn write(folder: PathBuf, number: u32, files: u64) -> Self {
        fs::create_dir(&folder).expect("the name is new");
        let mut drive = FolderDrive::open(&folder);
        let mut mounted = format(&mut drive, &options(number)).expect("a blank cartridge can be formatted");
        let appender = Appender::new(&mut drive, &mounted).expect("an empty volume can be written");
        let mut writer = Writer { drive, appender };
        let runs = (0..files.div_ceil(FILES_OF_A_RUN)).map(|run| writer.run(run, files));
        let years = grouped(runs.collect(), RUNS_OF_A_YEAR, |number| {
            format!("{}", 2015 + number % YEARS)
        });
        mounted.tree.root.contents = grouped(years, YEARS, |number| format!("spectrometer {}", number + 1));
        let Writer {
            mut drive,
            mut appender,
        } = writer;
        let what = Commit {
            expected_end: appender.flush(&mut drive).expect("there is room"),
            creator: CREATOR.to_owned(),
            now: time(0),
        };
        let committed = commit(&mut drive, &mut mounted, &what).expect("there is room");
        let records = mounted.data.last.expect("it was just written").records;
        Self {
            folder,
            index: (committed.on_data.block, records),
        }
    }

    /// The data partition's index, as bytes.
    pub fn index(&self) -> Vec<u8> {
        let (first, records) = self.index;
        let record = |block: u64| record_of(&self.folder, block);
        (first..first + records).flat_map(record).collect()
    }
}

fn record_of(folder: &Path, block: u64) -> Vec<u8> {
    fs::read(folder.join(format!("1_{block}_R"))).expect("a record is a file")
}

fn options(number: u32) -> Options {
    Options {
        serial: format!("ARC{number:03}"),
        barcode: barcode(number),
        name: format!("archive {number}"),
        pool: String::new(),
        volume: uuid::Uuid::from_u128(0x5ca1_ab1e_0000_4000_8000_0000_0000_0000 | u128::from(number)),
        block_size: BLOCK,
        compression: true,
        creator: CREATOR.to_owned(),
        now: time(0),
    }
}

/// What is printed on the cartridge.
pub fn barcode(number: u32) -> String {
    format!("ARC{number:03}L9")
}

/// A quarter of a second for every number, from a day in 2015 on.
fn time(number: u64) -> Time {
    let seconds = 1_425_000_000 + (number / 4).cast_signed();
    let nanos = 250_000_000 * (number % 4) + 123_456;
    Time::new(seconds, u32::try_from(nanos).expect("less than a second")).expect("a year of four digits")
}

fn meta(name: String, number: u64) -> Meta {
    Meta {
        name,
        times: Times {
            access: time(number + 1_000),
            backup: time(number + 2_000),
            ..Times::all(time(number))
        },
        ..Meta::default()
    }
}

/// Directories of so many entries each.
fn grouped(entries: Vec<Entry>, each: usize, name: impl Fn(usize) -> String) -> Vec<Entry> {
    let mut left = entries.into_iter().peekable();
    let mut groups = vec![];
    while left.peek().is_some() {
        groups.push(Entry::Directory(Directory {
            meta: meta(name(groups.len()), groups.len() as u64),
            contents: left.by_ref().take(each).collect(),
        }));
    }
    groups
}

struct Writer {
    drive: FolderDrive,
    appender: Appender,
}

impl Writer {
    fn run(&mut self, run: u64, files: u64) -> Entry {
        let first = run * FILES_OF_A_RUN;
        let numbers = first..files.min(first + FILES_OF_A_RUN);
        Entry::Directory(Directory {
            meta: meta(format!("run {:04}", run + 1), first),
            contents: numbers.map(|number| self.file(number)).collect(),
        })
    }

    fn file(&mut self, number: u64) -> Entry {
        let bytes = content(number);
        self.appender.begin();
        let taken = self.appender.write(&mut self.drive, &bytes).expect("it takes records");
        assert_eq!(
            taken,
            Accepted::All,
            "there is room for {}",
            ByteCount(bytes.len() as u64)
        );
        let name = format!("measurement {number:06}.dat");
        Entry::File(File {
            meta: Meta {
                xattrs: attributes(number, &bytes),
                ..meta(name, number)
            },
            length: bytes.len() as u64,
            extents: self.appender.finish().expect("it was begun"),
            ..File::default()
        })
    }
}

/// Some hundred bytes.
fn content(number: u64) -> Vec<u8> {
    let length = 100 + number * 37 % 800;
    (0..length).map(|at| (number * 31 + at * 7) as u8).collect()
}

fn attributes(number: u64, bytes: &[u8]) -> Vec<Xattr> {
    if !number.is_multiple_of(WITH_ATTRIBUTES) {
        return vec![];
    }
    let sum: String = Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let text = |key: &str, value: String| Xattr {
        key: key.to_owned(),
        value: XattrValue::Text(value),
    };
    vec![
        text("ltfs.hash.md5sum", sum),
        text("operator", format!("shift {}", number % 3 + 1)),
    ]
}
