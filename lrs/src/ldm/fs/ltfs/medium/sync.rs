//! Making writes durable: bytes, lines, a seal, one flush, in this order; and making the medium self-describing. A failure
//! voids the window.

use super::condition::Condition;
use super::need::{DIRECTORY, growth, noted};
use super::notes::{self, Content, creator};
use super::readback::ReadBack;
use super::tag::{Record, Seal, Sealed, Stamped};
use super::tree;
use super::volume::{LogEnd, LtfsVolume};
use crate::ldm::drive::Drive;
use crate::ldm::fs::ltfs::Time;
use crate::ldm::fs::ltfs::volume::{Appender, Commit, LtfsError, LtfsResult, Mounted, OpenFile, commit_after};
use crate::ldm::fs::{Accepted, IndexEntry, IndexStamp, Volume};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::ExtentId;
use dss::model::evidence::{SyncReceipt, WriteSerial};
use std::collections::{HashMap, HashSet};

/// What happened since the last good sync.
#[derive(Default)]
pub(super) struct Window {
    /// Every change, in its order.
    pub(super) changes: Vec<Record>,
    /// Their lines.
    pub(super) lines: Vec<u8>,
    /// By how many bytes they make the next index larger, at most.
    pub(super) growth: u64,
    /// And the next snapshot beside their own lines.
    pub(super) noted: u64,
    /// Which of the changes is an extent's entry.
    written: HashMap<ExtentId, usize>,
    removed: HashSet<ExtentId>,
}

impl Window {
    pub(super) fn add(&mut self, change: Record, line: &[u8]) {
        match &change {
            Record::Extent(entry) => {
                self.written.insert(entry.tag.extent, self.changes.len());
            }
            Record::Deleted(gone) => {
                self.removed.insert(gone.extent);
            }
            Record::Isolated(gone) => {
                self.removed.insert(gone.extent);
            }
            Record::Spent(_) | Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => {
                unreachable!("no change to a volume's extents")
            }
        }
        self.growth += growth(&change);
        self.noted += noted(&change);
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        self.changes.push(change);
    }

    /// The entry of an extent that was finished in it, whatever became of it since.
    pub(super) fn written(&self, extent: ExtentId) -> Option<&IndexEntry> {
        match self.changes.get(*self.written.get(&extent)?) {
            Some(Record::Extent(entry)) => Some(entry),
            _ => None,
        }
    }

    /// Whether an extent was taken away in it.
    pub(super) fn removed(&self, extent: ExtentId) -> bool {
        self.removed.contains(&extent)
    }
}

impl LogEnd {
    /// The number of the next seal. That of the last one stood on the tape, and may be any.
    fn next_number(self) -> Result<u64, String> {
        let next = self.number.checked_add(1);
        next.ok_or_else(|| {
            format!(
                "the last seal of its log says number {}, and none follows that",
                self.number
            )
        })
    }
}

impl LtfsVolume {
    pub(super) fn sync_window(&mut self) -> MediaResult<SyncReceipt> {
        if self.broken || self.lost {
            return Err(self.deck.fault(Op::Sync, None, Fault::NeedsReopen));
        }
        let sealed = self.try_seal();
        if sealed.is_err() {
            self.void_window();
        }
        self.heed(sealed)?;
        let through = WriteSerial {
            mount: self.mount,
            count: self.finished,
        };
        Ok(SyncReceipt::durable(self.label.medium, self.label.generation, through))
    }

    fn try_seal(&mut self) -> MediaResult<()> {
        self.identify()?;
        if self.window.changes.is_empty() {
            return Ok(());
        }
        self.stand_by(Op::Sync)?;
        self.lay_pen();
        let seal = self.seal()?;
        let (appender, lines) = (self.appender.as_mut().expect("the tape stands by"), &self.window.lines);
        let sealed = self
            .deck
            .work(Op::Sync, |drive| write_log(drive, appender, lines, seal));
        self.full |= appender.early_warning();
        let seal = sealed?;
        self.read_back.add(seal);
        self.log = LogEnd {
            number: seal.number,
            at: Some(seal.at),
        };
        let window = std::mem::take(&mut self.window);
        self.unindexed += window.growth;
        self.noted += window.noted + window.lines.len() as u64;
        for (change, line) in window.changes.iter().zip(window.lines.split(|byte| *byte == b'\n')) {
            let applied = self.shelf.apply(change, line, &self.mounted.labels);
            let made = applied.map_err(|words| self.deck.damaged(Op::Sync, words))?;
            self.unindexed += made * DIRECTORY;
        }
        Ok(())
    }

    /// The seal of the window, but for where it will be.
    fn seal(&self) -> MediaResult<Seal> {
        let number = self.log.next_number();
        let number = number.map_err(|words| self.deck.damaged(Op::Sync, words))?;
        Ok(Seal {
            of: Sealed::Window,
            volume: self.mounted.labels.label.volume,
            medium: self.label.medium,
            generation: self.label.generation,
            index: self.mounted.data.generation().unwrap_or_default(),
            number,
            at: 0,
            after: self.log.at,
            first: 0,
            lines: self.window.changes.len() as u64,
            bytes: self.window.lines.len() as u64,
            crc32: crc32fast::hash(&self.window.lines),
            used: self.used,
        })
    }

    /// Nothing since the last good sync counts, and nothing more is written before the medium is mounted anew.
    pub(super) fn void_window(&mut self) {
        self.broken = true;
        self.window = Window::default();
        self.records.forget();
    }

    pub(super) fn commit_stamp(&mut self, stamp: IndexStamp) -> MediaResult<()> {
        self.writable(Op::Sync)?;
        // First as a sync: whatever becomes of the indexes, the log has it then.
        self.sync_window()?;
        let news = Some(stamp) != self.stamp || self.log.number > 0 || self.condition != Condition::Whole;
        if !news {
            return Ok(());
        }
        let committed = self.commit_tree(Op::Sync, Some(stamp));
        if committed.is_err() {
            self.void_window();
        }
        self.heed(committed)
    }

    /// Writes all that is known, and behind it the tree with all extents to both partitions, behind everything.
    pub(super) fn commit_tree(&mut self, op: Op, stamp: Option<IndexStamp>) -> MediaResult<()> {
        self.set_aside(op)?;
        self.lay_pen();
        let revision = stamp.map_or(self.revision, |stamp| stamp.revision.max(self.revision));
        let now = Time::from((self.clock)());
        let what = Commit {
            expected_end: self.end(),
            creator: creator("Commit"),
            now,
        };
        self.records.forget();
        let content = Content {
            label: &self.label,
            stamped: Some(Stamped { stamp, revision }),
            shelf: &self.shelf,
            used: self.used,
        };
        let mounted = &mut self.mounted;
        let committed = self.deck.work(op, |drive| commit_all(drive, mounted, &what, &content));
        let seal = committed?;
        self.shelf.is_indexed(self.mounted.tree.head.highest_uid);
        self.appender = None;
        self.away = false;
        self.log = LogEnd::default();
        self.condition = Condition::Whole;
        self.read_back = ReadBack::Index;
        let to_come = tree::to_come(&self.mounted.tree, &self.shelf.paths);
        (self.unindexed, self.estimate) = (to_come * DIRECTORY, None);
        (self.noted, self.written_with) = (seal.bytes, seal.index);
        self.revision = revision;
        self.stamp = stamp;
        Ok(())
    }
}

/// Writes notes and, directly behind them, the index of a tree with everything on the shelf. Answers the notes' seal.
pub(super) fn commit_all(
    drive: &mut dyn Drive,
    mounted: &mut Mounted,
    what: &Commit,
    content: &Content<'_>,
) -> LtfsResult<Seal> {
    let labels = mounted.labels.clone();
    let generation = mounted.next_generation();
    let mut seal = None;
    let added = tree::put_in(&mut mounted.tree, content.shelf, &labels, what.now);
    let committed = commit_after(drive, mounted, what, &mut |out| {
        seal = Some(notes::write(out, &labels, generation, content)?);
        Ok(())
    });
    tree::take_back(&mut mounted.tree, &added);
    committed?;
    Ok(seal.expect("they were written before the index"))
}

/// What the first record behind an index says.
pub(super) const BEGINS: &[u8] = b"respool: what follows is data and log, and no index\n";

/// Begins to write behind an index. A run of records between filemarks may be an index, and whoever looks for one reads
/// its first record: that is never one of an extent's, whatever somebody has stored.
pub(super) fn begin(drive: &mut dyn Drive, appender: &mut Appender) -> LtfsResult<()> {
    append(drive, appender, BEGINS)
}

/// Writes lines and seal behind the data, and waits for the tape. Answers the seal with its places.
fn write_log(drive: &mut dyn Drive, appender: &mut Appender, lines: &[u8], seal: Seal) -> LtfsResult<Seal> {
    appender.cut(drive)?;
    let first = appender.end();
    append(drive, appender, lines)?;
    let at = appender.end();
    let seal = Seal { first, at, ..seal };
    append(drive, appender, &Record::Seal(seal).to_line())?;
    appender.flush(drive)?;
    match appender.lost_from() {
        None => Ok(seal),
        Some(_) => Err(full()),
    }
}

/// Appends bytes as records of their own.
fn append(drive: &mut dyn Drive, appender: &mut Appender, bytes: &[u8]) -> LtfsResult<()> {
    appender.swap(Some(OpenFile::default()));
    let accepted = appender.write(drive, bytes)?;
    appender.swap(None);
    if accepted == Accepted::EndOfMedium {
        return Err(full());
    }
    appender.cut(drive)
}

fn full() -> LtfsError {
    LtfsError::Full("data".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_seal_that_was_read_may_be_any_and_the_last_one_ends_the_log() {
        let log = |number| LogEnd { number, at: Some(7) };
        assert_eq!(LogEnd::default().next_number(), Ok(1));
        assert_eq!(log(u64::MAX - 1).next_number(), Ok(u64::MAX));
        assert!(
            log(u64::MAX)
                .next_number()
                .is_err_and(|words| words.contains("none follows"))
        );
    }
}
