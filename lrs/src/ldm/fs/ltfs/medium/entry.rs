//! Entries of the tree: what an extent's note makes of it, and whether what lies in a tree is what a note says. An entry
//! has its object's own times and attributes, and nothing of respool's. Pure.

use super::paths::{ROOT, last, of_address};
use super::tag;
use crate::ldm::fs::ltfs::Time;
use crate::ldm::fs::ltfs::index::{
    self, Directory, Entry, File, Head, Index, Keep, Meta, ROOT_UID, Times, Xattr, XattrValue,
};
use crate::ldm::fs::ltfs::volume::Labels;
use crate::ldm::fs::{ExtentTag, IndexEntry};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dss::catalogue::ObjectHeader;
use dss::model::{Address, LtfsAttributes, LtfsKind, LtfsValue, LtfsXattr};

/// Before the names of attributes that a file system shows of a file; an index has them without it.
const USER: &str = "user.";

/// Attributes that LTFS itself shows of every file.
const VIRTUAL: &str = "ltfs.";

/// What is wrong with an extent that is no file and not empty.
const NO_BYTES: &str = "a directory or a link has no bytes";

/// What an extent's entry is.
fn kind(tag: &ExtentTag) -> &LtfsKind {
    let ltfs = tag.header.metadata.ltfs.as_ref();
    ltfs.map_or(&LtfsKind::File, |ltfs| &ltfs.kind)
}

/// What an extent's entry has besides its name and its bytes.
fn meta(header: &ObjectHeader) -> Result<Meta, String> {
    match &header.metadata.ltfs {
        Some(ltfs) => imported(ltfs),
        None => Ok(put(header)),
    }
}

/// As it was on the tape that it came from.
fn imported(ltfs: &LtfsAttributes) -> Result<Meta, String> {
    let time =
        |text: &str| -> Result<Time, String> { text.parse().map_err(|_| format!("'{text}' is no time of LTFS")) };
    let times = &ltfs.times;
    let attribute = |one: &LtfsXattr| {
        let value = match &one.value {
            LtfsValue::Text(text) => XattrValue::of(text.as_bytes()),
            LtfsValue::Base64(text) => {
                let dense: String = text.split_ascii_whitespace().collect();
                let bytes = STANDARD.decode(dense);
                XattrValue::Binary(
                    bytes.map_err(|_| format!("the value of its attribute '{}' is not base64", one.key))?,
                )
            }
        };
        let key = one.key.clone();
        Ok::<_, String>(Xattr { key, value })
    };
    Ok(Meta {
        readonly: ltfs.readonly,
        times: Times {
            creation: time(&times.creation)?,
            change: time(&times.change)?,
            modify: time(&times.modify)?,
            access: time(&times.access)?,
            backup: time(&times.backup)?,
        },
        xattrs: ltfs.xattrs.iter().map(attribute).collect::<Result<_, _>>()?,
        unknown: ltfs.unknown.clone(),
        ..Meta::default()
    })
}

/// Of a file that was put: its time of change, when it was put, and its own attributes.
fn put(header: &ObjectHeader) -> Meta {
    let (metadata, at) = (&header.metadata, Time::from(header.created_at));
    let xattrs = metadata.xattrs.iter().filter_map(|(key, hex)| {
        let key = key.strip_prefix(USER)?;
        let is_own = !key.is_empty() && !key.starts_with(VIRTUAL);
        let value = XattrValue::of(&bytes(hex).filter(|_| is_own)?);
        let key = key.to_owned();
        Some(Xattr { key, value })
    });
    Meta {
        readonly: metadata.mode.is_some_and(|mode| mode & 0o222 == 0),
        times: Times {
            modify: metadata.mtime.map_or(at, Into::into),
            ..Times::all(at)
        },
        xattrs: xattrs.collect(),
        ..Meta::default()
    }
}

/// The bytes of a value in base 16.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digit = |digit: u8| char::from(digit).to_digit(16);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok();
    pairs
        .iter()
        .map(byte)
        .collect::<Option<_>>()
        .filter(|_| rest.is_empty())
}

/// The entry that an extent has in the tree: a directory without what lies in it. What cannot be is told.
pub(super) fn of(note: &IndexEntry, labels: &Labels) -> Result<Entry, String> {
    let path = of_address(&note.address).ok_or("its path is none of a tree")?;
    let name = if path == ROOT { "" } else { last(path) };
    let meta = Meta {
        name: name.to_owned(),
        ..meta(&note.tag.header)?
    };
    let bare = note.tag.bytes.0 == 0 && note.span.as_ref().is_none_or(|span| span.0.is_empty());
    match kind(&note.tag) {
        LtfsKind::File => {
            let (length, extents) = (
                note.tag.bytes.0,
                tag::placed(note, labels).ok_or("its place is none on this volume")?,
            );
            Ok(Entry::File(File {
                meta,
                length,
                extents,
                ..File::default()
            }))
        }
        LtfsKind::Directory if bare => Ok(Entry::Directory(Directory {
            meta,
            ..Directory::default()
        })),
        LtfsKind::Symlink { target } if bare => {
            let symlink = Some(target.clone());
            Ok(Entry::File(File {
                meta,
                symlink,
                ..File::default()
            }))
        }
        LtfsKind::Directory | LtfsKind::Symlink { .. } => Err(NO_BYTES.to_owned()),
    }
}

/// Whether a file or link in a tree is the one that a note tells of. Who renames, shortens or moves it makes another one.
pub(super) fn is_file(note: &IndexEntry, file: &File, labels: &Labels) -> bool {
    let placed = || tag::span(&file.extents, labels) == Some(note.span.clone().unwrap_or_default());
    match kind(&note.tag) {
        LtfsKind::File => file.symlink.is_none() && file.length == note.tag.bytes.0 && placed(),
        LtfsKind::Symlink { target } => file.symlink.as_ref() == Some(target) && file.extents.is_empty(),
        LtfsKind::Directory => false,
    }
}

/// Whether an index can say all that an extent's entry has to say, before anything of it is written: one that cannot would
/// take every other file's index along.
pub(super) fn fits(tag: &ExtentTag, address: &Address, head: &Head, labels: &Labels) -> Result<(), String> {
    let note = IndexEntry {
        tag: ExtentTag {
            bytes: dss::model::ByteCount(0),
            ..tag.clone()
        },
        address: address.clone(),
        digests: dss::model::Digests::of(&[]),
        inode: None,
        span: None,
    };
    match kind(tag) {
        LtfsKind::Directory | LtfsKind::Symlink { .. } if tag.bytes.0 > 0 => return Err(NO_BYTES.to_owned()),
        LtfsKind::File | LtfsKind::Directory | LtfsKind::Symlink { .. } => {}
    }
    let mut entry = of(&note, labels)?;
    let meta = match &mut entry {
        Entry::Directory(directory) => &mut directory.meta,
        Entry::File(file) => &mut file.meta,
    };
    meta.uid = ROOT_UID + 1;
    if address.0 == ROOT {
        meta.name.push('x');
    }
    let tree = Index {
        head: Head {
            highest_uid: ROOT_UID + 1,
            ..head.clone()
        },
        root: Directory {
            meta: Meta {
                uid: ROOT_UID,
                ..Meta::default()
            },
            contents: vec![entry],
        },
    };
    let bounds = index::Bounds {
        block_size: labels.label.block_size,
        ends: Vec::new(),
        indexes: Vec::new(),
    };
    if let Some(finding) = index::findings(&tree, &bounds).first() {
        return Err(finding.to_string());
    }
    let mut text = Vec::new();
    index::write(&tree, &mut text).map_err(|error| error.to_string())?;
    let back = index::read(text.as_slice(), Keep::Tree).map_err(|error| error.to_string())?;
    match back.index.root == tree.root {
        true => Ok(()),
        false => Err("its attributes read otherwise than they are written".to_owned()),
    }
}

/// What a directory is that nobody said anything of.
pub(super) fn plain(name: &str, uid: u64, now: Time) -> Meta {
    Meta {
        name: name.to_owned(),
        times: Times::all(now),
        uid,
        ..Meta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::tests::{entry, imported as made, labels, noted};
    use super::*;
    use crate::ldm::fs::ltfs::volume::{Options, empty_tree};

    fn head() -> Head {
        let label = labels().label;
        empty_tree(&Options {
            serial: "RSP001".to_owned(),
            barcode: String::new(),
            name: String::new(),
            pool: String::new(),
            volume: label.volume,
            block_size: label.block_size,
            compression: false,
            creator: "test".to_owned(),
            now: label.format_time,
        })
        .head
    }

    fn file(note: &IndexEntry) -> File {
        match of(note, &labels()).expect("it fits") {
            Entry::File(file) => file,
            Entry::Directory(_) => panic!("a directory"),
        }
    }

    #[test]
    fn a_file_that_was_put_has_its_own_times_and_attributes() {
        let mut one = entry("a/one", 10);
        let xattrs = &mut one.tag.header.metadata.xattrs;
        for (key, hex) in [
            ("user.text", "c3a9"),
            ("user.bytes", "ff00"),
            ("user.odd", "0"),
            ("security.selinux", "00"),
            ("user.ltfs.createTime", "30"),
        ] {
            xattrs.insert(key.to_owned(), hex.to_owned());
        }
        let file = file(&one);
        assert!(file.meta.readonly);
        assert_eq!(file.meta.name, "one");
        assert_eq!(file.meta.times.modify.to_string(), "2020-01-01T00:00:00.250000000Z");
        assert_eq!(file.meta.times.creation.to_string(), "2026-01-02T03:04:05.000000000Z");
        let found: Vec<_> = file
            .meta
            .xattrs
            .iter()
            .map(|one| (one.key.as_str(), one.value.clone()))
            .collect();
        let expected = [
            ("bytes", XattrValue::Binary(vec![0xff, 0])),
            ("text", XattrValue::Text("é".to_owned())),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn what_was_imported_is_as_it_was() {
        let file = file(&noted(made("d/é", LtfsKind::File), 10));
        assert_eq!(file.meta.times.access.to_string(), "2106-02-07T06:28:17.123456789Z");
        assert_eq!(file.meta.times.backup.to_string(), "1969-12-31T23:59:58.000000001Z");
        assert_eq!(file.meta.xattrs[1].value, XattrValue::Binary(vec![0xff]));
        assert_eq!(file.meta.unknown, ["<x:y>1</x:y>"]);
        let link = made(
            "l",
            LtfsKind::Symlink {
                target: "../a: b".to_owned(),
            },
        );
        let Ok(Entry::File(link)) = of(&noted(link, 0), &labels()) else {
            panic!("a link")
        };
        assert_eq!((link.symlink.as_deref(), link.length), (Some("../a: b"), 0));
        assert!(matches!(
            of(&noted(made("d", LtfsKind::Directory), 0), &labels()),
            Ok(Entry::Directory(_))
        ));
        let mut with_bytes = noted(made("d", LtfsKind::File), 10);
        with_bytes.tag.header.metadata.ltfs.as_mut().expect("it has").kind = LtfsKind::Directory;
        assert!(of(&with_bytes, &labels()).is_err());
    }

    #[test]
    fn a_file_is_the_notes_only_where_length_and_place_agree() {
        let one = entry("one", 10);
        let file = file(&one);
        assert!(is_file(&one, &file, &labels()));
        let changes: [fn(&mut File); 5] = [
            |file| file.length += 1,
            |file| file.extents[0].block += 1,
            |file| file.extents[0].byte_offset -= 1,
            |file| file.extents.clear(),
            |file| file.symlink = Some("elsewhere".to_owned()),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = file.clone();
            change(&mut changed);
            assert!(!is_file(&one, &changed, &labels()), "{number}");
        }
        let link = noted(made("l", LtfsKind::Symlink { target: "a".to_owned() }), 0);
        let mut found = File {
            symlink: Some("a".to_owned()),
            ..File::default()
        };
        assert!(is_file(&link, &found, &labels()));
        found.symlink = Some("b".to_owned());
        assert!(!is_file(&link, &found, &labels()));
    }

    #[test]
    fn what_no_index_can_say_is_found_before_it_is_written() {
        let good = made("a/b", LtfsKind::File);
        let at = |path: &str| Address(path.to_owned());
        assert_eq!(fits(&good, &at("a/b"), &head(), &labels()), Ok(()));
        assert_eq!(
            fits(&made("", LtfsKind::Directory), &at(ROOT), &head(), &labels()),
            Ok(())
        );
        let changes: [fn(&mut LtfsAttributes); 6] = [
            |ltfs| ltfs.times.change = "yesterday".to_owned(),
            |ltfs| ltfs.xattrs[1].value = LtfsValue::Base64("?".to_owned()),
            |ltfs| ltfs.xattrs[1].key = "a".to_owned(),
            |ltfs| ltfs.unknown.push("<x>".to_owned()),
            |ltfs| ltfs.unknown.push("<length>7</length>".to_owned()),
            |ltfs| ltfs.kind = LtfsKind::Directory,
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut tag = good.clone();
            change(tag.header.metadata.ltfs.as_mut().expect("it has"));
            assert!(fits(&tag, &at("a/b"), &head(), &labels()).is_err(), "{number}");
        }
        let mut large = good;
        large.header.metadata.ltfs.as_mut().expect("it has").xattrs[0].value = LtfsValue::Text("x".repeat(2 << 20));
        assert!(fits(&large, &at("a/b"), &head(), &labels()).is_err());
    }
}
