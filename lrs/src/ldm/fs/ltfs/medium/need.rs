//! How many bytes an extent, or any other change, takes on a tape besides its bytes: in the log, in the notes, in an index.
//! Never less than it turns out to be: what is counted here is kept free for it. Pure.

use super::tag::Record;
use crate::ldm::fs::{ExtentTag, IndexEntry};
use dss::model::{Address, CHUNK_BYTES, Digests, LtfsKind, LtfsValue, Metadata, Span, Stretch};

/// A directory in an index besides what is said of it, in bytes, with a name of the longest.
pub(super) const DIRECTORY: u64 = 2 << 10;

/// A file in an index besides its name, attributes and extents, in bytes.
const FILE: u64 = 1024;

/// An extent of a file in an index, in bytes: five elements and their numbers.
const EXTENT: u64 = 320;

/// An attribute in an index besides its key and value, in bytes.
const XATTR: u64 = 128;

/// The sum of a chunk in a line, in bytes: a number of 32 bits, and a comma.
const CHUNK_SUM: u64 = 11;

/// A name that is spent, in the notes: 16 bytes in base 16, and its part of a line.
const SPENT: u64 = 64;

/// What an extent takes besides its bytes: at most so much in the log and in each snapshot, and in each index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    /// Its line, with its end.
    pub(super) line: u64,
    /// Its entry, and a directory for it.
    pub(super) index: u64,
}

impl Need {
    /// Of an extent as most are.
    pub(super) const USUAL: Self = Self {
        line: 2 << 10,
        index: 4 << 10,
    };

    /// Not less than that: what `space` promises any usual extent finds.
    fn usual_or(self) -> Self {
        Self {
            line: self.line.max(Self::USUAL.line),
            index: self.index.max(Self::USUAL.index),
        }
    }

    /// Of this one, in up to three pieces.
    pub(super) fn of(tag: &ExtentTag, address: &Address) -> Self {
        let far = Stretch {
            partition: 1,
            start_block: u64::from(u32::MAX),
            byte_offset: u64::from(u32::MAX),
            blocks: u64::from(u32::MAX),
            bytes: tag.bytes.0,
        };
        let entry = IndexEntry {
            tag: tag.clone(),
            address: address.clone(),
            digests: Digests {
                bytes: tag.bytes,
                crc32: u32::MAX,
                ..Digests::of(&[])
            },
            inode: None,
            span: Some(Span(vec![far; 3])),
        };
        let record = Record::Extent(Box::new(entry));
        let sums = tag.bytes.0.div_ceil(CHUNK_BYTES) * CHUNK_SUM;
        let exact = Self {
            line: record.to_line().len() as u64 + 1 + sums,
            index: growth(&record) + DIRECTORY,
        };
        exact.usual_or()
    }
}

/// By how many bytes a change makes the next index larger, at most, beside the directories that it needs.
pub(super) fn growth(change: &Record) -> u64 {
    match change {
        Record::Extent(note) => {
            let pieces = note.span.as_ref().map_or(0, |span| span.0.len() as u64);
            FILE + EXTENT * pieces + written(note.address.0.as_bytes()) + said(&note.tag.header.metadata)
        }
        // Its file was there already, and gets another name.
        Record::Isolated(_) => FILE + DIRECTORY,
        Record::Deleted(_) | Record::Spent(_) | Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => 0,
    }
}

/// By how many bytes a change makes the next snapshot larger than its own line in the log does, at most.
pub(super) fn noted(change: &Record) -> u64 {
    match change {
        Record::Deleted(_) | Record::Isolated(_) => SPENT,
        Record::Extent(_) | Record::Spent(_) | Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => 0,
    }
}

/// What an index says of a file beside what it says of every one.
fn said(metadata: &Metadata) -> u64 {
    let Some(ltfs) = &metadata.ltfs else {
        let values = metadata.xattrs.iter();
        return values
            .map(|(key, hex)| XATTR + written(key.as_bytes()) + hex.len() as u64 * 6)
            .sum();
    };
    let link = match &ltfs.kind {
        LtfsKind::Symlink { target } => written(target.as_bytes()),
        LtfsKind::File | LtfsKind::Directory => 0,
    };
    let value = |value: &LtfsValue| match value {
        LtfsValue::Text(text) | LtfsValue::Base64(text) => written(text.as_bytes()),
    };
    let xattrs = ltfs
        .xattrs
        .iter()
        .map(|one| XATTR + written(one.key.as_bytes()) + value(&one.value));
    let unknown = ltfs.unknown.iter().map(|element| element.len() as u64 + 1);
    link + xattrs.chain(unknown).sum::<u64>()
}

/// Text as an index has it: with what XML escapes, percent-encoded, or in base64.
fn written(text: &[u8]) -> u64 {
    let escaped: u64 = text
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { 3 } else { 6 })
        .sum();
    escaped + 8
}

#[cfg(test)]
mod tests {
    use super::super::shelf::Shelf;
    use super::super::tag::tests::{entry, imported, labels, noted as note};
    use super::super::tag::{Deletion, Isolation};
    use super::super::tree;
    use super::*;
    use crate::ldm::fs::ltfs::Time;
    use crate::ldm::fs::ltfs::index::{self, Index};
    use crate::ldm::fs::ltfs::volume;
    use dss::model::ByteCount;

    /// The next index of what is on a shelf.
    fn bytes(shelf: &Shelf) -> u64 {
        let label = labels().label;
        let mut tree: Index = volume::empty_tree(&volume::Options {
            serial: "RSP001".to_owned(),
            barcode: String::new(),
            name: String::new(),
            pool: String::new(),
            volume: label.volume,
            block_size: label.block_size,
            compression: false,
            creator: "test".to_owned(),
            now: label.format_time,
        });
        tree::put_in(&mut tree, shelf, &labels(), Time::default());
        let mut out = Vec::new();
        index::write(&tree, &mut out).expect("it can be written");
        out.len() as u64
    }

    /// The notes before it, without names that are spent.
    fn noted_bytes(shelf: &Shelf) -> u64 {
        let keys = shelf.paths.spent();
        let spent = super::super::tag::Spent::lines(&keys);
        let lines = shelf.lines().chain(shelf.isolated_lines());
        lines
            .chain(spent.map(|record| record.to_line()))
            .map(|line| line.len() as u64 + 1)
            .sum()
    }

    fn attributed(number: usize, text: &str) -> IndexEntry {
        let mut tag = imported(&format!("a: {number}/b"), LtfsKind::File);
        let ltfs = tag.header.metadata.ltfs.as_mut().expect("it has");
        ltfs.xattrs[0].value = LtfsValue::Text(text.to_owned());
        ltfs.unknown = vec![format!("<more>{}</more>", "y".repeat(text.len()))];
        note(tag, 20 + number as u64)
    }

    /// Whatever a change says, index and notes with it are larger by no more than was said, and not by much less.
    #[test]
    fn a_change_makes_an_index_and_its_notes_larger_by_no_more_than_is_counted() {
        let mut shelf = Shelf::default();
        for (number, text) in ["plain", "\"<&>\r\"", "Ünï\u{1}", &"&\"".repeat(900)]
            .into_iter()
            .enumerate()
        {
            let mut entry = entry(&format!("d{number}/o:{number}"), 10 + number as u64);
            entry.tag.header.grouping = Some(text.to_owned());
            entry
                .tag
                .header
                .metadata
                .xattrs
                .insert("user.a".to_owned(), "ff3c26".repeat(300));
            let kept = Record::Isolated(Isolation {
                extent: entry.tag.extent,
                address: entry.address.clone(),
                kept: entry.tag.extent.to_string(),
                reason: text.to_owned(),
            });
            let other = Record::Extent(Box::new(attributed(number, text)));
            for change in [other, Record::Extent(Box::new(entry)), kept] {
                let (before, notes) = (bytes(&shelf), noted_bytes(&shelf));
                let line = change.to_line();
                let made = shelf.apply(&change, &line, &labels()).expect("it fits");
                let (grown, counted) = (bytes(&shelf).saturating_sub(before), growth(&change) + made * DIRECTORY);
                assert!(grown <= counted, "{text}: {grown} of {counted}");
                assert!(counted < grown * 8 + 6000, "{text}: {grown} of {counted}");
                let grown = noted_bytes(&shelf) - notes;
                let counted = line.len() as u64 + 1 + noted(&change);
                // The first name of a line brings the line.
                assert!(grown <= counted + 64, "{text}: {grown} of {counted}");
            }
            let gone = super::super::tag::tests::entry(&format!("gone {number}"), 90);
            let deletion = Record::Deleted(Deletion {
                extent: gone.tag.extent,
                address: gone.address,
            });
            let before = bytes(&shelf);
            let line = deletion.to_line();
            shelf.apply(&deletion, &line, &labels()).expect("a name may be spent");
            assert!(bytes(&shelf) - before <= growth(&deletion));
        }
    }

    /// the line of a large extent has a sum for each of its chunks.
    #[test]
    fn x15_the_sums_of_all_chunks_are_counted_before_the_first_byte() {
        for chunks in [1, 64, 4096, 1 << 20] {
            let mut entry = entry("large", 77);
            let bytes = ByteCount(chunks * CHUNK_BYTES - 1);
            (entry.tag.bytes, entry.tag.header.bytes) = (bytes, bytes);
            entry.digests = Digests {
                bytes,
                crc32: u32::MAX,
                chunk_crcs: vec![u32::MAX; usize::try_from(chunks).expect("they are few")],
                ..entry.digests
            };
            let need = Need::of(&entry.tag, &entry.address);
            let line = Record::Extent(Box::new(entry)).to_line().len() as u64;
            assert!(line < need.line && need.line < line + 4096, "{line} of {}", need.line);
        }
    }

    #[test]
    fn an_extent_needs_no_more_than_was_said_before_it_was_written() {
        for mut entry in [entry("o1", 77), attributed(1, &"\"<&>\"".repeat(300))] {
            entry.tag.header.grouping = Some("\"<&>\"".repeat(300));
            let need = Need::of(&entry.tag, &entry.address);
            let record = Record::Extent(Box::new(entry));
            // A line and its end.
            assert!((record.to_line().len() as u64) < need.line && growth(&record) <= need.index);
        }
    }
}
