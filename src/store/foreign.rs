//! LTFS volumes of other software as they become objects: what of a volume's tree is imported, under which name, and with
//! what. `names` says how paths become names, `verify` reads the bytes for the first time. Pure but for that.

pub mod names;
mod verify;

pub use verify::verify;

use crate::api::volume::{Counts, NotImported};
use dss::catalogue::NewFile;
use dss::model::{
    Address, ByteCount, KnownHash, LtfsAttributes, LtfsKind, LtfsTimes, LtfsValue, LtfsXattr, Metadata, Oid, Span,
};
use lrs::ldm::fs::ltfs::foreign::{EntryFault, ForeignEntry, ForeignKind, ForeignTimes, StoredValue};
use names::oid_of;
use uuid::Uuid;

/// The path by which a survey calls the root.
const ROOT: &str = ".";

/// A volume's entries, sorted into what becomes an object and what does not.
#[derive(Debug, Default)]
pub struct Sorted {
    /// What becomes objects, in the order of the tree.
    pub files: Vec<NewFile>,
    /// How many of which kind these are.
    pub counts: Counts,
    /// What does not, and why.
    pub not_imported: Vec<NotImported>,
}

/// Sorts what a survey found. `under`: what the names and the paths of all of it begin with.
pub fn sort(entries: impl Iterator<Item = ForeignEntry>, volume: Uuid, under: Option<&Oid>) -> Sorted {
    let mut sorted = Sorted::default();
    for entry in entries {
        let name = match &entry.damaged {
            Some(EntryFault::NoWay(why)) => Err(why.clone()),
            Some(EntryFault::Bytes(_)) | None => name_of(&entry, volume, under).map_err(|error| error.to_string()),
        };
        match name {
            Ok(oid) => {
                let file = file(oid, entry, under);
                sorted.counts.count(&file);
                sorted.files.push(file);
            }
            Err(why) => sorted.not_imported.push(NotImported { path: entry.path, why }),
        }
    }
    sorted
}

/// The root has no path, and is named by its volume.
fn name_of(entry: &ForeignEntry, volume: Uuid, under: Option<&Oid>) -> Result<Oid, dss::model::ids::OidError> {
    match (entry.path.as_str(), under) {
        (ROOT, None) => Oid::new(format!("LTFS {volume}")),
        (ROOT, Some(under)) => Ok(under.clone()),
        (path, under) => oid_of(path, under),
    }
}

fn file(oid: Oid, entry: ForeignEntry, under: Option<&Oid>) -> NewFile {
    let (bytes, span, kind) = match entry.kind {
        ForeignKind::File { bytes, span, .. } => (ByteCount(bytes), Some(span), LtfsKind::File),
        ForeignKind::Directory => (ByteCount::ZERO, Some(Span::default()), LtfsKind::Directory),
        ForeignKind::Symlink { target } => (ByteCount::ZERO, Some(Span::default()), LtfsKind::Symlink { target }),
    };
    let hash = |(algorithm, value): (lrs::ldm::fs::ltfs::foreign::HashAlgorithm, String)| KnownHash {
        algorithm: algorithm.name().parse().expect("both lists are one, as a test says"),
        value,
    };
    NewFile {
        oid,
        metadata: Metadata {
            mtime: entry.times.modify.parse().ok(),
            ltfs: Some(LtfsAttributes {
                path: path_of(&entry.path, under),
                kind,
                readonly: entry.readonly,
                times: times(entry.times),
                xattrs: entry.xattrs.into_iter().map(xattr).collect(),
                unknown: entry.unknown,
            }),
            ..Metadata::default()
        },
        address: Address(entry.path),
        // What cannot be on a tape is no place: the tree alone is asked for it then, and refuses it.
        span: span.filter(|span| span.fits(bytes)),
        bytes,
        hashes: entry.hashes.into_iter().map(hash).collect(),
    }
}

/// The path in the tree of a tape that it is written to later.
fn path_of(path: &str, under: Option<&Oid>) -> String {
    match (path, under) {
        (ROOT, None) => String::new(),
        (ROOT, Some(under)) => under.as_str().to_owned(),
        (path, None) => path.to_owned(),
        (path, Some(under)) => format!("{under}/{path}"),
    }
}

fn times(times: ForeignTimes) -> LtfsTimes {
    LtfsTimes {
        creation: times.creation,
        change: times.change,
        modify: times.modify,
        access: times.access,
        backup: times.backup,
    }
}

fn xattr((key, value): (String, StoredValue)) -> LtfsXattr {
    let value = match value {
        StoredValue::Text(text) => LtfsValue::Text(text),
        StoredValue::Base64(text) => LtfsValue::Base64(text),
    };
    LtfsXattr { key, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::{HashAlgorithm, Stretch};
    use lrs::ldm::fs::ltfs::foreign;

    fn entry(path: &str, kind: ForeignKind, damaged: Option<EntryFault>) -> ForeignEntry {
        let time = |number: u8| format!("2019-03-04T05:06:07.00000000{number}Z");
        ForeignEntry {
            path: path.to_owned(),
            kind,
            readonly: true,
            times: ForeignTimes {
                creation: time(1),
                change: time(2),
                modify: time(3),
                access: time(4),
                backup: "-0292-01-01T00:00:00.000000000Z".to_owned(),
            },
            xattrs: vec![("k".to_owned(), StoredValue::Base64("AA==".to_owned()))],
            uid: 7,
            unknown: vec!["<x/>".to_owned()],
            hashes: vec![(foreign::HashAlgorithm::Md5, "ab".repeat(16))],
            open_for_write: None,
            damaged,
        }
    }

    fn of(bytes: u64, stretch: u64) -> ForeignKind {
        let stretch = Stretch {
            partition: 1,
            start_block: 5,
            byte_offset: 0,
            blocks: 1,
            bytes: stretch,
        };
        ForeignKind::File {
            bytes,
            span: Span(vec![stretch]),
            holes: false,
        }
    }

    fn sorted(entries: Vec<ForeignEntry>, under: Option<&str>) -> Sorted {
        let under = under.map(|under| Oid::new(under).unwrap());
        sort(entries.into_iter(), Uuid::nil(), under.as_ref())
    }

    /// E-05: everything that the index said of an entry goes along.
    #[test]
    fn e05_a_file_becomes_an_object_with_all_that_the_index_said() {
        let sorted = sorted(vec![entry("d/a\nb", of(3, 3), None)], None);
        let file = &sorted.files[0];
        assert_eq!((file.oid.as_str(), file.address.0.as_str()), ("d/a%0Ab", "d/a\nb"));
        assert_eq!(file.bytes, ByteCount(3));
        assert_eq!(file.span.as_ref().unwrap().to_string(), "1:5+0*1=3");
        assert_eq!(file.hashes[0].algorithm, HashAlgorithm::Md5);
        assert_eq!(file.metadata.mtime, "2019-03-04T05:06:07.000000003Z".parse().ok());
        let ltfs = file.metadata.ltfs.as_ref().unwrap();
        assert_eq!(
            (ltfs.path.as_str(), &ltfs.kind, ltfs.readonly),
            ("d/a\nb", &LtfsKind::File, true)
        );
        assert_eq!(ltfs.times.backup, "-0292-01-01T00:00:00.000000000Z");
        assert_eq!(ltfs.times.access, "2019-03-04T05:06:07.000000004Z");
        assert_eq!(ltfs.xattrs[0].value, LtfsValue::Base64("AA==".to_owned()));
        assert_eq!(ltfs.unknown, ["<x/>"]);
    }

    /// what has no bytes is an object as well, the root included.
    #[test]
    fn x02_directories_and_symbolic_links_become_objects_without_bytes() {
        let link = ForeignKind::Symlink {
            target: "../x".to_owned(),
        };
        let entries = || {
            vec![
                entry(".", ForeignKind::Directory, None),
                entry("d", ForeignKind::Directory, None),
                entry("d/l", link.clone(), None),
            ]
        };
        let names = |sorted: &Sorted| -> Vec<(String, String)> {
            let name = |file: &NewFile| {
                let path = file.metadata.ltfs.as_ref().unwrap().path.clone();
                assert_eq!((file.bytes, &file.span), (ByteCount::ZERO, &Some(Span::default())));
                (file.oid.to_string(), path)
            };
            sorted.files.iter().map(name).collect()
        };
        let plain = sorted(entries(), None);
        let root = format!("LTFS {}", Uuid::nil());
        let pairs = [(root.as_str(), ""), ("d", "d"), ("d/l", "d/l")];
        assert_eq!(names(&plain), pairs.map(|(a, b)| (a.to_owned(), b.to_owned())));
        assert_eq!(
            (plain.counts.directories, plain.counts.symlinks, plain.counts.files),
            (2, 1, 0)
        );
        let below = sorted(entries(), Some("p/q"));
        let pairs = [("p/q", "p/q"), ("p/q/d", "p/q/d"), ("p/q/d/l", "p/q/d/l")];
        assert_eq!(names(&below), pairs.map(|(a, b)| (a.to_owned(), b.to_owned())));
    }

    /// what cannot be read is an object all the same, so that it is missed by nobody; what nobody can ask for is not.
    #[test]
    fn x08_damaged_files_are_imported_and_what_no_path_leads_to_is_listed() {
        let sorted = sorted(
            vec![
                entry("short", of(2, 3), Some(EntryFault::Bytes("past the end".to_owned()))),
                entry("twice", of(3, 3), Some(EntryFault::NoWay("it occurs twice".to_owned()))),
                entry(&"n/".repeat(600), of(3, 3), None),
            ],
            None,
        );
        assert_eq!(sorted.files.len(), 1);
        assert_eq!(sorted.files[0].span, None, "I3: more bytes than the file has");
        let listed: Vec<&str> = sorted.not_imported.iter().map(|one| one.why.as_str()).collect();
        assert_eq!(listed[0], "it occurs twice");
        assert_eq!(listed.len(), 2);
    }

    #[test]
    fn the_catalogue_has_a_word_for_every_digest_that_volumes_have() {
        use foreign::HashAlgorithm::{Crc32, Md5, Sha1, Sha256, Sha512};
        for algorithm in [Crc32, Md5, Sha1, Sha256, Sha512] {
            algorithm.name().parse::<HashAlgorithm>().unwrap();
        }
    }
}
