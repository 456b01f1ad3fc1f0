//! One mounted volume: what it knows, who it is. The verbs are in the files beside this one.

use super::condition::{Condition, judge};
use super::deck::Deck;
use super::log::{self, Log};
use super::need::{DIRECTORY, growth, noted};
use super::notes::{self, Newest};
use super::readback::ReadBack;
use super::reading::Reading;
use super::room::Estimate;
use super::shelf::Shelf;
use super::sync::Window;
use super::tag::{Seal, Stamped};
use super::writing::Writing;
use super::{Clock, tree};
use crate::ldm::drive::{Drive, Partition};
use crate::ldm::fs::ltfs::attributes;
use crate::ldm::fs::ltfs::volume::{Appender, LtfsResult, Mounted, RecordReader};
use crate::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle,
};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::evidence::{SyncReceipt, WriteReceipt};
use dss::model::{Address, Digests, ExtentId, Revision};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Mounts of this process so far. A write serial of one is never covered by a sync of another.
static MOUNTS: AtomicU64 = AtomicU64::new(1);

/// The medium's own serial number in the cartridge's memory (SPC-4, table 319).
const SERIAL: u16 = 0x0401;

/// A volume as it was read: tree, extents, log.
pub(super) struct Survey {
    /// Without what is on the shelf.
    pub(super) mounted: Mounted,
    pub(super) shelf: Shelf,
    pub(super) stamped: Option<Stamped>,
    pub(super) last: Option<Seal>,
    pub(super) used: u64,
    /// By how many bytes the next index is larger than the last one, at most.
    pub(super) unindexed: u64,
    /// Bytes of the notes that the next index is written with, at most.
    pub(super) noted: u64,
    /// LTFS generation of the index that was written with the notes.
    pub(super) written_with: u64,
    pub(super) condition: Condition,
}

/// Where the log stands.
#[derive(Clone, Copy, Default)]
pub(super) struct LogEnd {
    /// The number of the last seal; 0: there is none since the index.
    pub(super) number: u64,
    /// Its block.
    pub(super) at: Option<u64>,
}

/// A mounted volume.
pub(super) struct LtfsVolume {
    pub(super) deck: Deck,
    pub(super) clock: Clock,
    pub(super) label: Label,
    pub(super) mounted: Mounted,
    pub(super) shelf: Shelf,
    pub(super) condition: Condition,
    pub(super) mount: u64,
    /// Extents finished since the mount.
    pub(super) finished: u64,
    pub(super) revision: Revision,
    pub(super) stamp: Option<IndexStamp>,
    pub(super) log: LogEnd,
    /// Bytes of extents written in this generation.
    pub(super) used: u64,
    /// As in [`Survey`].
    pub(super) unindexed: u64,
    /// As in [`Survey`].
    pub(super) noted: u64,
    /// As in [`Survey`].
    pub(super) written_with: u64,
    pub(super) appender: Option<Appender>,
    /// The tape was moved since the last append.
    pub(super) away: bool,
    /// The extent whose bytes the appender takes now.
    pub(super) pen: Option<WriteHandle>,
    pub(super) window: Window,
    pub(super) writing: BTreeMap<WriteHandle, Writing>,
    pub(super) reading: BTreeMap<ReadHandle, Reading>,
    pub(super) records: RecordReader,
    pub(super) estimate: Option<Estimate>,
    /// Early warning was passed: no further extents.
    pub(super) full: bool,
    /// An earlier write, sync or identification failed: nothing is written.
    pub(super) broken: bool,
    /// The cartridge may be another one: nothing is read either.
    pub(super) lost: bool,
    /// What of the index in memory was read from the tape since it was written.
    pub(super) read_back: ReadBack,
    /// What the cartridge's memory said it was.
    identity: [Option<Vec<u8>>; 2],
    handles: u64,
}

fn lost_position(fault: &Fault) -> bool {
    matches!(fault, Fault::Drive(error) if error.lost_position())
}

/// What of the cartridge's memory tells one cartridge from another.
fn identity(drive: &mut dyn Drive) -> LtfsResult<[Option<Vec<u8>>; 2]> {
    let mut value = |id| -> LtfsResult<Option<Vec<u8>>> {
        let attribute = drive.attribute(Partition(0), id)?;
        Ok(attribute.map(|attribute| attribute.value))
    };
    Ok([value(SERIAL)?, value(attributes::MEDIUM_ID)?])
}

/// Reads everything of a volume whose labels, indexes and newest notes were found: the extents, and the log behind the last
/// index.
pub(super) fn survey(
    drive: &mut dyn Drive,
    mut mounted: Mounted,
    mut newest: Newest,
    least_end: u64,
) -> LtfsResult<Survey> {
    let mut log = log::read(drive, &mounted, &newest)?;
    let mut shelf = Shelf::default();
    let read = notes::read(drive, &mounted.labels, &newest, &mut shelf)?.unwrap_or_else(|why| {
        newest.damage.get_or_insert_with(|| format!("its notes: {why}"));
        notes::Read::default()
    });
    tree::take_out(&mut mounted.tree, &mut shelf, &mounted.labels);
    let made = replay(&mut shelf, &mut log, &mounted);
    let condition = judge(&mounted, &log, &newest, least_end);
    let seal = newest.seal;
    let sealed = log.last.map_or(seal.used, |last| last.used);
    let dead = log.dead * u64::from(mounted.labels.label.block_size);
    Ok(Survey {
        mounted,
        shelf,
        stamped: read.stamped,
        last: log.last,
        used: sealed.saturating_add(dead),
        unindexed: log.changes.iter().map(growth).sum::<u64>() + made * DIRECTORY,
        noted: seal
            .bytes
            .saturating_add(log.bytes + log.changes.iter().map(noted).sum::<u64>()),
        written_with: seal.index,
        condition,
    })
}

/// Makes the changes of the log. Answers how many directories they need that the index has not.
fn replay(shelf: &mut Shelf, log: &mut Log, mounted: &Mounted) -> u64 {
    let mut made = 0;
    for change in &log.changes {
        match shelf.apply(change, &change.to_line(), &mounted.labels) {
            Ok(more) => made += more,
            Err(why) => {
                log.damage.get_or_insert(why);
                break;
            }
        }
    }
    made
}

impl LtfsVolume {
    pub(super) fn new(deck: Deck, clock: Clock, label: Label, survey: Survey) -> MediaResult<Self> {
        let identity = deck.work(Op::Mount, identity)?;
        let records = RecordReader::new(&survey.mounted.labels);
        let revision = survey
            .stamped
            .map_or(label.revision, |stamped| stamped.revision.max(label.revision));
        Ok(Self {
            deck,
            clock,
            mount: MOUNTS.fetch_add(1, Ordering::Relaxed),
            finished: 0,
            revision,
            stamp: survey.stamped.and_then(|stamped| stamped.stamp),
            log: survey.last.map_or(LogEnd::default(), |seal| LogEnd {
                number: seal.number,
                at: Some(seal.at),
            }),
            used: survey.used,
            unindexed: survey.unindexed,
            noted: survey.noted,
            written_with: survey.written_with,
            label,
            mounted: survey.mounted,
            shelf: survey.shelf,
            condition: survey.condition,
            appender: None,
            away: false,
            pen: None,
            window: Window::default(),
            writing: BTreeMap::new(),
            reading: BTreeMap::new(),
            records,
            estimate: None,
            full: false,
            broken: false,
            lost: false,
            read_back: ReadBack::done(),
            identity,
            handles: 0,
        })
    }

    /// Refuses when nothing may be written.
    pub(super) fn writable(&self, op: Op) -> MediaResult<()> {
        if self.broken || self.lost {
            return Err(self.deck.fault(op, None, Fault::NeedsReopen));
        }
        match &self.condition {
            Condition::ReadOnly(why) => Err(self.deck.fault(op, None, Fault::Unfit(why.clone()))),
            Condition::Whole | Condition::Recover | Condition::Damaged(_) | Condition::HalfErased => self.legible(op),
        }
    }

    /// Refuses when the index is not to be relied on.
    pub(super) fn legible(&self, op: Op) -> MediaResult<()> {
        match &self.condition {
            Condition::Whole | Condition::Recover | Condition::ReadOnly(_) => self.present(op),
            Condition::Damaged(what) => Err(self.deck.damaged(op, what.clone())),
            Condition::HalfErased => Err(self
                .deck
                .damaged(op, "an erasure was not ended: it must be erased again")),
        }
    }

    /// Refuses when another cartridge may be in the drive.
    pub(super) fn present(&self, op: Op) -> MediaResult<()> {
        if self.lost {
            return Err(self.deck.fault(op, None, Fault::NeedsReopen));
        }
        Ok(())
    }

    /// Passes an answer on, and remembers when it says that the cartridge may be another one.
    pub(super) fn heed<T>(&mut self, answer: MediaResult<T>) -> MediaResult<T> {
        if let Err(error) = &answer
            && (lost_position(&error.fault) || !self.deck.holds())
        {
            self.lost = true;
            self.broken = true;
        }
        answer
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// The block behind the last one that was given to the data partition.
    pub(super) fn end(&self) -> u64 {
        self.appender.as_ref().map_or(self.mounted.data.end, Appender::end)
    }

    /// Asks the cartridge who it is, through the drive that the bytes go through, and where it stands. No tape is moved: a
    /// change of cartridge, or a reset, is told by the drive before it does anything else. What somebody on this host did
    /// to the drive, nobody tells us: a tape that was rewound is known by its place alone, and the next record would
    /// destroy everything behind it.
    fn compare_identity(&mut self) -> MediaResult<()> {
        self.present(Op::Mount)?;
        let appends = self.appender.as_ref().filter(|_| !self.away && !self.broken);
        let wanted = appends.map(Appender::here);
        let (at, found) = self
            .deck
            .work(Op::Mount, |drive| Ok((drive.position()?, identity(drive)?)))?;
        if let Some(wanted) = wanted.filter(|wanted| *wanted != at) {
            self.lost = true;
            return Err(self.deck.astray(Op::Mount, at, wanted));
        }
        if found == self.identity {
            return Ok(());
        }
        let fault = Fault::WrongMedium {
            expected: crate::ldm::fs::describe(&self.label),
            found: "another cartridge, by its memory".to_owned(),
        };
        Err(self.deck.fault(Op::Mount, None, fault))
    }

    /// Takes what was read of the same cartridge anew.
    pub(super) fn remember_identity(&mut self) -> MediaResult<()> {
        self.identity = self.deck.work(Op::Mount, identity)?;
        Ok(())
    }
}

impl Volume for LtfsVolume {
    fn label(&self) -> &Label {
        &self.label
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn stamp(&self) -> Option<IndexStamp> {
        self.stamp
    }

    fn identify(&mut self) -> MediaResult<()> {
        let answer = self.compare_identity();
        // Whatever happened to the medium, only a new mount can tell what is true of it.
        self.broken |= answer.is_err();
        self.heed(answer)
    }

    fn space(&mut self) -> MediaResult<Space> {
        self.ask_space()
    }

    fn reserve(&mut self, tag: &ExtentTag) -> MediaResult<Address> {
        self.reserve_path(tag)
    }

    fn give_back(&mut self, extent: ExtentId, address: &Address) {
        self.free_path(extent, address);
    }

    fn create(&mut self, tag: ExtentTag, address: &Address) -> MediaResult<Option<WriteHandle>> {
        self.create_extent(tag, address)
    }

    fn write(&mut self, handle: WriteHandle, bytes: &[u8]) -> MediaResult<Accepted> {
        self.write_extent(handle, bytes)
    }

    fn finish(&mut self, handle: WriteHandle, digests: Digests) -> MediaResult<WriteReceipt> {
        self.finish_extent(handle, digests)
    }

    fn abandon(&mut self, handle: WriteHandle) {
        self.abandon_extent(handle);
    }

    fn open(&mut self, wanted: &Wanted, _from: ReadFrom) -> MediaResult<ReadHandle> {
        self.open_extent(wanted)
    }

    fn read(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        self.read_extent(handle, buffer)
    }

    fn seek(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        self.seek_extent(handle, offset)
    }

    fn close(&mut self, handle: ReadHandle) {
        self.reading.remove(&handle);
    }

    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        self.sync_window()
    }

    fn commit_index(&mut self, stamp: IndexStamp) -> MediaResult<()> {
        self.commit_stamp(stamp)
    }

    fn lookup(&mut self, extent: ExtentId) -> MediaResult<Option<IndexEntry>> {
        self.legible(Op::Read)?;
        self.refresh()?;
        Ok(self.shelf.entry(extent))
    }

    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        self.legible(Op::Read)?;
        self.refresh()?;
        Ok(Box::new(self.shelf.notes().map(Ok)))
    }

    fn delete(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        self.delete_extent(wanted)
    }

    fn isolate(&mut self, wanted: &Wanted, reason: &str) -> MediaResult<()> {
        self.isolate_extent(wanted, reason)
    }

    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        self.legible(Op::Read)?;
        let mut strangers: Vec<Address> = tree::foreign(&self.mounted.tree).into_iter().map(Address).collect();
        strangers.sort();
        Ok(strangers)
    }

    fn erase(
        &mut self,
        label: Label,
        _orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        self.erase_all(label, between)
    }
}
