//! Making writes durable: bytes, lines, a seal, one flush, in this order; and making the medium self-describing. A failure
//! voids the window.

use super::condition::Condition;
use super::readback::ReadBack;
use super::room::growth;
use super::tag::{LABEL, Record, STAMP, Seal, Stamped};
use super::volume::{LogEnd, LtfsVolume};
use super::{home, spent, tag};
use crate::ldm::drive::Drive;
use crate::ldm::fs::ltfs::Time;
use crate::ldm::fs::ltfs::volume::{Appender, Commit, LtfsError, LtfsResult, OpenFile, commit};
use crate::ldm::fs::name::OBJECTS;
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
            Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => unreachable!("no change to a volume's extents"),
        }
        self.growth += growth(&change);
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
        let seal = self.seal();
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
        for change in window.changes {
            let applied = self.shelf.apply(&change, &self.mounted.labels);
            applied.map_err(|words| self.deck.damaged(Op::Sync, words))?;
        }
        Ok(())
    }

    /// The seal of the window, but for where it will be.
    fn seal(&self) -> Seal {
        Seal {
            volume: self.mounted.labels.label.volume,
            medium: self.label.medium,
            generation: self.label.generation,
            index: self.mounted.data.generation().unwrap_or_default(),
            number: self.log.number + 1,
            at: 0,
            after: self.log.at,
            first: 0,
            lines: self.window.changes.len() as u64,
            bytes: self.window.lines.len() as u64,
            crc32: crc32fast::hash(&self.window.lines),
            used: self.used,
        }
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

    /// Writes the tree with all extents to both partitions, behind everything.
    pub(super) fn commit_tree(&mut self, op: Op, stamp: Option<IndexStamp>) -> MediaResult<()> {
        self.set_aside(op)?;
        self.lay_pen();
        let revision = stamp.map_or(self.revision, |stamp| stamp.revision.max(self.revision));
        let stamped = Stamped {
            stamp,
            revision,
            used: self.used,
            index: self.mounted.next_generation(),
        };
        let now = Time::from((self.clock)());
        self.dress(stamped, now);
        let what = Commit {
            expected_end: self.end(),
            creator: creator("Commit"),
            now,
        };
        self.records.forget();
        let strangers = self.put_in(now);
        let mounted = &mut self.mounted;
        let committed = self.deck.work(op, |drive| commit(drive, mounted, &what));
        self.take_back(strangers, now);
        committed?;
        self.appender = None;
        self.away = false;
        self.log = LogEnd::default();
        self.condition = Condition::Whole;
        self.read_back = ReadBack::Index;
        (self.unindexed, self.estimate) = (0, None);
        self.revision = revision;
        self.stamp = stamp;
        Ok(())
    }

    /// Gives the tree its attributes.
    fn dress(&mut self, stamped: Stamped, now: Time) {
        let root = &mut self.mounted.tree.root;
        tag::set(&mut root.meta, LABEL, &Record::Label(self.label.clone()).to_line());
        tag::set(&mut root.meta, STAMP, &Record::Stamped(stamped).to_line());
        let objects = home::made(root, OBJECTS, now);
        spent::write(&mut objects.meta, &self.shelf.names.spent());
    }

    /// Puts the extents' files into the tree, behind what else lies in their directories; answers how much that is.
    fn put_in(&mut self, now: Time) -> [usize; 2] {
        let root = &mut self.mounted.tree.root;
        let objects = &mut home::made(root, OBJECTS, now).contents;
        let strangers = objects.len();
        objects.append(&mut self.shelf.files);
        if self.shelf.isolated.is_empty() {
            return [strangers, 0];
        }
        let isolated = &mut home::made(home::made(root, home::HOME, now), home::ISOLATED, now).contents;
        isolated.append(&mut self.shelf.isolated);
        [strangers, isolated.len()]
    }

    /// Takes them out again, in the same order.
    fn take_back(&mut self, [strangers, isolated]: [usize; 2], now: Time) {
        let root = &mut self.mounted.tree.root;
        self.shelf.files = home::made(root, OBJECTS, now).contents.split_off(strangers);
        if isolated > 0 {
            let home = home::made(home::made(root, home::HOME, now), home::ISOLATED, now);
            self.shelf.isolated = std::mem::take(&mut home.contents);
        }
    }
}

/// Who writes, as an index says it: product - platform - program - reason.
pub(super) fn creator(reason: &str) -> String {
    format!("respool {} - Linux - respoold - {reason}", env!("CARGO_PKG_VERSION"))
}

/// What the first record behind an index says.
const BEGINS: &[u8] = b"respool: what follows is data and log, and no index\n";

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
