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
use dss::model::{Address, ByteCount, Digests, Span, Stretch};

/// Left on each partition whatever else is: filemarks, short records, extents in more pieces than was thought, and the
/// drive's own rounding to 10^6 bytes.
const RESERVE: u64 = 4 << 20;

/// Never more than this part of a partition.
const RESERVE_PART: u64 = 64;

/// So often the next index must fit on the data partition: one that a crash tears is written once more behind itself.
const INDEXES: u64 = 2;

/// The head of an index, its stamp and its label, in bytes.
const HEAD: u64 = 8 << 10;

/// A file in an index besides its name, attribute and extents, in bytes.
const FILE: u64 = 1024;

/// An extent of a file in an index, in bytes: five elements and their numbers.
const EXTENT: u64 = 320;

/// A name that is spent, in an index: 16 bytes in base64, and its part of an attribute.
const SPENT: u64 = 64;

/// What an extent takes besides its bytes: at most so much in the log, and in each index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    line: u64,
    index: u64,
}

impl Need {
    /// Of an extent as most are.
    const USUAL: Self = Self {
        line: 2 << 10,
        index: 6 << 10,
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
            index: growth(&record),
        };
        exact.usual_or()
    }
}

/// By how many bytes a change makes the next index larger, at most.
pub(super) fn growth(change: &Record) -> u64 {
    let name = |address: &Address| address.0.len() as u64 * 3;
    match change {
        Record::Extent(entry) => {
            let pieces = entry.span.as_ref().map_or(0, |span| span.0.len() as u64);
            FILE + EXTENT * pieces + name(&entry.address) + written(&change.to_line())
        }
        Record::Deleted(_) => SPENT,
        // Its file was there already; it gets another attribute.
        Record::Isolated(isolation) => SPENT + FILE + name(&isolation.address) + written(&change.to_line()),
        Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => 0,
    }
}

/// A value as an index has it: as text with what XML escapes, or in base64.
fn written(value: &[u8]) -> u64 {
    let escaped = |byte: &u8| match byte {
        b'&' | b'<' | b'>' | b'"' | b'\r' => 6,
        _ => 1,
    };
    let text: u64 = value.iter().map(escaped).sum();
    let lines = value.len() as u64;
    text.max(lines * 4 / 3 + lines / 24 + 8)
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
    /// Of the index partition's construct, which the next one replaces.
    replaced: u64,
}

/// How many bytes of further extents surely fit: none where the next index does not.
fn free(data: Part, index: Part, ahead: Ahead) -> u64 {
    if index.remaining + ahead.replaced < ahead.index + index.reserve() {
        return 0;
    }
    let kept = ahead.promised + ahead.log + ahead.index * INDEXES + data.reserve();
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
        let ahead = Ahead {
            promised: self.writing.values().map(Writing::promised).sum(),
            log: self.window.lines.len() as u64 + open().map(|need| need.line).sum::<u64>() + more.line,
            index: next + news,
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
    use super::super::tag::tests::{entry, labels};
    use super::super::tag::{Deletion, Isolation};
    use super::*;
    use crate::ldm::fs::ltfs::index::{self, Index};
    use crate::ldm::fs::ltfs::volume;
    use crate::ldm::fs::ltfs::{medium::shelf::Shelf, medium::spent};

    fn other(name: &str, block: u64) -> IndexEntry {
        entry(name, block)
    }

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
        tree.root
            .contents
            .extend(shelf.files.iter().chain(&shelf.isolated).cloned());
        spent::write(&mut tree.root.meta, &shelf.names.spent());
        let mut out = Vec::new();
        index::write(&tree, &mut out).expect("it can be written");
        out.len() as u64
    }

    /// Whatever a change says, an index with it is larger by no more than was said, and not by much less.
    #[test]
    fn a_change_makes_an_index_larger_by_no_more_than_is_counted() {
        let mut shelf = Shelf::default();
        for (number, text) in ["plain", "\"<&>\r\"", "Ünï\u{1}", &"&\"".repeat(900)]
            .into_iter()
            .enumerate()
        {
            let mut entry = entry(&format!("o%3A{number}"), 10 + number as u64);
            entry.tag.header.grouping = Some(text.to_owned());
            let kept = Record::Isolated(Isolation {
                extent: entry.tag.extent,
                address: entry.address.clone(),
                kept: entry.tag.extent.to_string(),
                reason: text.to_owned(),
            });
            for change in [Record::Extent(Box::new(entry)), kept] {
                let before = bytes(&shelf);
                shelf.apply(&change, &labels()).expect("it fits");
                let (grown, counted) = (bytes(&shelf).saturating_sub(before), growth(&change));
                assert!(grown <= counted, "{text}: {grown} of {counted}");
                assert!(counted < grown * 2 + 2000, "{text}: {grown} of {counted}");
            }
            let gone = other(&format!("gone {number}"), 90);
            let deletion = Record::Deleted(Deletion {
                extent: gone.tag.extent,
                address: gone.address,
            });
            let before = bytes(&shelf);
            shelf.apply(&deletion, &labels()).expect("a name may be spent");
            assert!(bytes(&shelf) - before <= growth(&deletion));
        }
    }

    #[test]
    fn an_extent_needs_no_more_than_was_said_before_it_was_written() {
        let mut entry = entry("o1", 77);
        entry.tag.header.grouping = Some("\"<&>\"".repeat(300));
        let need = Need::of(&entry.tag, &entry.address);
        let record = Record::Extent(Box::new(entry));
        // A line and its end.
        assert!((record.to_line().len() as u64) < need.line && growth(&record) <= need.index);
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
            replaced: 50,
        };
        assert_eq!(free(part(reserve + 1021), part(reserve + 250), ahead), 1021 - 621);
        assert_eq!(
            free(part(reserve + 1021), part(reserve + 249), ahead),
            0,
            "the index partition"
        );
        assert_eq!(
            free(part(reserve + 620), part(reserve + 250), ahead),
            0,
            "the data partition"
        );
    }
}
