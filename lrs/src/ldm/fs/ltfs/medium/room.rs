//! How much room a tape has, by the drive's word, less what must be left for the log and for the indexes: what is begun can
//! be ended, and committed on both partitions. An index partition is small, and full long before the tape of a medium with
//! very many small extents is.

use super::tag::Record;
use super::volume::LtfsVolume;
use super::writing::Writing;
use crate::ldm::drive::PartitionRoom;
use crate::ldm::fs::ltfs::volume::{Appender, PartitionView};
use crate::ldm::fs::{ExtentTag, IndexEntry, Space};
use crate::ldm::{MediaResult, Op};
use dss::model::{Address, ByteCount, Digests, LtfsKind, LtfsValue, Metadata, Span, Stretch};

/// Left on each partition whatever else is: filemarks, short records, extents in more pieces than was thought, and the
/// drive's own rounding to 10^6 bytes.
const RESERVE: u64 = 4 << 20;

/// Never more than this part of a partition.
const RESERVE_PART: u64 = 64;

/// So often the next index must fit on the data partition: one that a crash tears is written once more behind itself.
const INDEXES: u64 = 2;

/// The head of an index, and that of its notes, in bytes.
const HEAD: u64 = 8 << 10;

/// A directory in an index besides what is said of it, in bytes, with a name of the longest.
pub(super) const DIRECTORY: u64 = 2 << 10;

/// A file in an index besides its name, attributes and extents, in bytes.
const FILE: u64 = 1024;

/// An extent of a file in an index, in bytes: five elements and their numbers.
const EXTENT: u64 = 320;

/// An attribute in an index besides its key and value, in bytes.
const XATTR: u64 = 128;

/// A name that is spent, in the notes: 16 bytes in base 16, and its part of a line.
const SPENT: u64 = 64;

/// What an extent takes besides its bytes: at most so much in the log and in each snapshot, and in each index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    line: u64,
    index: u64,
}

impl Need {
    /// Of an extent as most are.
    const USUAL: Self = Self {
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
                ..Digests::of(&[])
            },
            inode: None,
            span: Some(Span(vec![far; 3])),
        };
        let record = Record::Extent(Box::new(entry));
        let exact = Self {
            line: record.to_line().len() as u64 + 1,
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

/// The room as the drive told it last.
#[derive(Clone, Copy, Debug)]
pub(super) struct Estimate {
    data: Part,
    index: Part,
    /// The data partition's end when it told.
    end: u64,
}

/// Of one partition, in bytes.
#[derive(Clone, Copy, Debug)]
struct Part {
    capacity: u64,
    remaining: u64,
}

impl Part {
    fn reserve(self) -> u64 {
        RESERVE.min(self.capacity / RESERVE_PART)
    }
}

/// What is to come on a tape, in bytes.
#[derive(Clone, Copy, Debug, Default)]
struct Ahead {
    /// Of extents that were begun.
    promised: u64,
    /// Of the log.
    log: u64,
    /// Of the next index.
    index: u64,
    /// Of the notes before it.
    notes: u64,
    /// Of the index partition's construct, which the next one replaces.
    replaced: u64,
}

/// How many bytes of further extents surely fit: none where the next index does not.
fn free(data: Part, index: Part, ahead: Ahead) -> u64 {
    if index.remaining + ahead.replaced < ahead.index + index.reserve() {
        return 0;
    }
    let kept = ahead.promised + ahead.log + (ahead.index + ahead.notes) * INDEXES + data.reserve();
    data.remaining.saturating_sub(kept)
}

impl LtfsVolume {
    pub(super) fn ask_space(&mut self) -> MediaResult<Space> {
        let (capacity, estimate) = self.ask_estimate()?;
        Ok(Space {
            capacity,
            used: ByteCount(self.used),
            free: ByteCount(self.free(estimate, Need::USUAL)),
        })
    }

    fn ask_estimate(&mut self) -> MediaResult<(ByteCount, Estimate)> {
        self.present(Op::FreeSpace)?;
        let (on_data, on_index) = (self.mounted.labels.data, self.mounted.labels.index);
        let asked = self
            .deck
            .ask(Op::FreeSpace, |drive| Ok((drive.room(on_data)?, drive.room(on_index)?)));
        let (data, index) = self.heed(asked)?;
        // What is in the drive's buffer, or in memory here, it may not have counted.
        let ahead = self.appender.as_ref().map_or(0, |appender| appender.unsettled());
        let part = |room: PartitionRoom, ahead| Part {
            capacity: room.capacity.0,
            remaining: room.remaining.0.saturating_sub(ahead),
        };
        let estimate = Estimate {
            data: part(data, ahead),
            index: part(index, 0),
            end: self.end(),
        };
        self.estimate = Some(estimate);
        Ok((data.capacity, estimate))
    }

    /// What is free by an estimate, when one more extent is written that needs so much.
    fn free(&self, estimate: Estimate, more: Need) -> u64 {
        if self.full {
            return 0;
        }
        let open = || self.writing.values().map(Writing::need);
        let last = |view: &PartitionView| view.last.as_ref().map_or(0, |last| last.bytes);
        let next = last(&self.mounted.data).max(last(&self.mounted.index)) + HEAD;
        let news = self.unindexed + self.window.growth + open().map(|need| need.index).sum::<u64>() + more.index;
        let log = self.window.lines.len() as u64 + open().map(|need| need.line).sum::<u64>() + more.line;
        let ahead = Ahead {
            promised: self.writing.values().map(Writing::promised).sum(),
            log,
            index: next + news,
            notes: self.noted + self.window.noted + log + HEAD,
            replaced: last(&self.mounted.index),
        };
        // Every block since is taken for a full one, and one more is in memory.
        let since = match self.end() - estimate.end {
            0 => 0,
            blocks => (blocks + 1) * u64::from(self.mounted.labels.label.block_size),
        };
        let data = Part {
            remaining: estimate.data.remaining.saturating_sub(since),
            ..estimate.data
        };
        free(data, estimate.index, ahead)
    }

    /// Whether an extent surely fits. The drive is asked only when what it said last leaves a doubt, and its buffer is
    /// written out only when that could end it.
    pub(super) fn has_room(&mut self, bytes: ByteCount, need: Need) -> MediaResult<bool> {
        let fits = |volume: &Self, estimate| volume.free(estimate, need) >= bytes.0;
        if self.estimate.is_some_and(|estimate| fits(self, estimate)) {
            return Ok(true);
        }
        let (_, estimate) = self.ask_estimate()?;
        let ahead = self.appender.as_ref().is_some_and(Appender::is_ahead);
        if self.full || !ahead || fits(self, estimate) {
            return Ok(fits(self, estimate));
        }
        self.set_aside(Op::FreeSpace)?;
        let (_, estimate) = self.ask_estimate()?;
        Ok(fits(self, estimate))
    }
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

    #[test]
    fn an_extent_needs_no_more_than_was_said_before_it_was_written() {
        for mut entry in [entry("o1", 77), attributed(1, &"\"<&>\"".repeat(300))] {
            entry.tag.header.grouping = Some("\"<&>\"".repeat(300));
            let need = Need::of(&entry.tag, &entry.address);
            let record = Record::Extent(Box::new(entry));
            assert!((record.to_line().len() as u64) < need.line && growth(&record) <= need.index);
        }
    }

    #[test]
    fn nothing_is_free_where_an_index_would_not_fit() {
        let part = |remaining| Part {
            capacity: 640 << 10,
            remaining,
        };
        let reserve = part(0).reserve();
        assert_eq!(reserve, 10 << 10);
        let ahead = Ahead {
            promised: 1,
            log: 20,
            index: 300,
            notes: 40,
            replaced: 50,
        };
        assert_eq!(free(part(reserve + 1101), part(reserve + 250), ahead), 1101 - 701);
        assert_eq!(
            free(part(reserve + 1101), part(reserve + 249), ahead),
            0,
            "the index partition"
        );
        assert_eq!(
            free(part(reserve + 700), part(reserve + 250), ahead),
            0,
            "the data partition"
        );
    }
}
