//! One mounted directory: what it knows, who it is, how much room it has. The verbs are in the files beside this one.

use super::entries::{Entries, read_line};
use super::ground::Ground;
use super::index::Index;
use super::label::{self, LabelFile};
use super::reading::Reading;
use super::survey::{Change, Survey, survey};
use super::sync::Window;
use super::writer::Writer;
use super::writing::Writing;
use crate::ldm::disk::{LabelRead, Standing};
use crate::ldm::fs::name::OBJECTS;
use crate::ldm::fs::name::Owner;
use crate::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle, describe,
};
use crate::ldm::{Fault, MediaResult, Op};
use dss::model::evidence::{SyncReceipt, WriteReceipt};
use dss::model::{Address, ByteCount, Digests, ExtentId, Revision};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// Left free on the file system, but never more than this part of it: the manifest must have room for the lines of what
/// was taken.
const RESERVE_BYTES: u64 = 8 << 20;
const RESERVE_PART: u64 = 64;

/// Mounts of this process so far. A write serial of one is never covered by a sync of another.
static MOUNTS: AtomicU64 = AtomicU64::new(1);

/// A mounted directory.
pub(super) struct DirVolume {
    pub(super) ground: Ground,
    pub(super) label: LabelFile,
    capacity: Option<ByteCount>,
    pub(super) mount: u64,
    /// Extents finished since the mount.
    pub(super) finished: u64,
    pub(super) revision: Revision,
    pub(super) stamp: Option<IndexStamp>,
    pub(super) index: Index,
    /// Bytes of everything that lies there.
    pub(super) used: u64,
    pub(super) writer: Writer,
    pub(super) window: Window,
    /// An earlier sync or identification failed.
    pub(super) broken: bool,
    /// The manifest does not fit together: extents are read as the catalogue names them, nothing is written.
    pub(super) damage: Option<String>,
    pub(super) writing: BTreeMap<WriteHandle, Writing>,
    pub(super) reading: BTreeMap<ReadHandle, Reading>,
    handles: u64,
}

impl DirVolume {
    pub(super) fn mount(ground: Ground, label: LabelFile, capacity: Option<ByteCount>) -> MediaResult<Self> {
        let mut index = Index::default();
        let mut kept = 0;
        let survey = survey(&ground, Op::Mount, &label, &mut |change| match change {
            Change::Added { extent, address, slot } => {
                index.claim(bare(&address), extent);
                index.add(extent, slot);
            }
            Change::Removed { extent, address } => {
                index.remove(extent);
                index.spend(bare(&address));
            }
            Change::Isolated(isolation) => {
                index.remove(isolation.extent);
                index.spend(bare(&isolation.address));
                kept += isolation.bytes;
            }
        })?;
        let mut volume = Self::with(ground, label, capacity, index, survey);
        volume.used = volume.index.bytes() + kept;
        volume.meet_strangers()?;
        Ok(volume)
    }

    fn with(ground: Ground, label: LabelFile, capacity: Option<ByteCount>, index: Index, survey: Survey) -> Self {
        let writer = Writer::new(&ground, &label, survey.last, survey.next_segment);
        let revision = survey
            .revision
            .unwrap_or(label.label.revision)
            .max(label.label.revision);
        Self {
            ground,
            label,
            capacity,
            mount: MOUNTS.fetch_add(1, Ordering::Relaxed),
            finished: 0,
            revision,
            stamp: survey.stamp,
            index,
            used: 0,
            writer,
            window: Window::default(),
            broken: false,
            damage: survey.damage,
            writing: BTreeMap::new(),
            reading: BTreeMap::new(),
            handles: 0,
        }
    }

    /// Names and sizes of files that the index does not name: they take room, and their names are used.
    pub(super) fn meet_strangers(&mut self) -> MediaResult<()> {
        let mut strangers = Vec::new();
        let index = &self.index;
        self.ground.call(Op::Mount, OBJECTS, |disk| {
            disk.list(OBJECTS, &mut |name| match index.owner(&name) {
                Owner::Extent(_) => {}
                Owner::Free | Owner::Spent => strangers.push(name),
            })
        })?;
        for name in strangers {
            let path = crate::ldm::fs::name::address(&name).0;
            // A name that is not UTF-8 is not found again; it is reported by its listing, and takes what it takes.
            if let Some(found) = self.ground.call(Op::Mount, &path, |disk| disk.stat(&path))? {
                self.used += found.bytes;
            }
            self.index.spend(&name);
        }
        Ok(())
    }

    /// Refuses when an earlier sync failed or the manifest is damaged.
    pub(super) fn writable(&self, op: Op) -> MediaResult<()> {
        if self.broken {
            return Err(self.ground.fault(op, None, Fault::NeedsReopen));
        }
        self.legible(op)
    }

    /// Refuses when the manifest is damaged.
    pub(super) fn legible(&self, op: Op) -> MediaResult<()> {
        match &self.damage {
            Some(what) => Err(self.ground.fault(op, None, Fault::Damaged(what.clone()))),
            None => Ok(()),
        }
    }

    pub(super) fn next_handle(&mut self) -> u64 {
        self.handles += 1;
        self.handles
    }

    /// Whether the path still names the directory whose handle is held.
    pub(super) fn stands(&self) -> MediaResult<()> {
        match self.ground.call(Op::Mount, "its directory", |disk| disk.standing())? {
            Standing::InPlace => Ok(()),
            Standing::Gone => {
                let fault = Fault::WrongMedium {
                    expected: describe(&self.label.label),
                    found: "another directory at its path, or none: it was moved or unmounted".to_owned(),
                };
                Err(self.ground.fault(Op::Mount, None, fault))
            }
        }
    }

    fn compare_label(&self) -> MediaResult<()> {
        let found = label::read(&self.ground, LabelRead::Identify)?;
        if found == self.label {
            return Ok(());
        }
        let fault = Fault::WrongMedium {
            expected: describe(&self.label.label),
            found: describe(&found.label),
        };
        Err(self.ground.fault(Op::Mount, Some(label::PATH), fault))
    }
}

/// The name in an address that stood in the manifest.
fn bare(address: &Address) -> &str {
    address.0.rsplit('/').next().unwrap_or_default()
}

impl Drop for DirVolume {
    fn drop(&mut self) {
        let mut disk = self.ground.disk();
        let written = self.writing.values().map(|writing| writing.file);
        let read = self.reading.values().map(|reading| reading.file);
        for file in written.chain(read).chain(self.window.files.iter().copied()) {
            disk.close(file);
        }
    }
}

impl Volume for DirVolume {
    fn label(&self) -> &Label {
        &self.label.label
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn stamp(&self) -> Option<IndexStamp> {
        self.stamp
    }

    fn identify(&mut self) -> MediaResult<()> {
        let answer = self.stands().and_then(|()| self.compare_label());
        // Whatever happened to the medium, only a new mount can tell what is true of it. What this host lacked was
        // no answer, and what is being written meanwhile is as good as before.
        self.broken |= answer.as_ref().is_err_and(|error| !error.fault.is_of_host());
        answer
    }

    fn space(&mut self) -> MediaResult<Space> {
        self.legible(Op::FreeSpace)?;
        let room = self.ground.call(Op::FreeSpace, "its file system", |disk| disk.room())?;
        let promised: u64 = self.writing.values().map(Writing::promised).sum();
        let capacity = self.capacity.map_or(room.total, |capacity| capacity.0);
        let free = room
            .free
            .saturating_sub(RESERVE_BYTES.min(room.total / RESERVE_PART))
            .min(capacity.saturating_sub(self.used))
            .saturating_sub(promised);
        Ok(Space {
            capacity: ByteCount(capacity),
            used: ByteCount(self.used),
            free: ByteCount(free),
        })
    }

    fn reserve(&mut self, tag: &ExtentTag) -> MediaResult<Address> {
        self.reserve_name(&tag.origin, tag.extent)
    }

    fn give_back(&mut self, extent: ExtentId, address: &Address) {
        self.free_name(extent, address);
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

    fn foresee(&mut self, wanted: &Wanted) {
        self.foresee_extent(wanted);
    }
    fn open(&mut self, wanted: &Wanted, from: ReadFrom) -> MediaResult<ReadHandle> {
        self.open_extent(wanted, from)
    }

    fn read(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        self.read_extent(handle, buffer)
    }

    fn seek(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        self.seek_extent(handle, offset)
    }

    fn close(&mut self, handle: ReadHandle) {
        self.close_extent(handle);
    }

    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        self.sync_window()
    }

    fn commit_index(&mut self, stamp: IndexStamp) -> MediaResult<()> {
        self.legible(Op::Sync)?;
        self.seal_window(Some(stamp))
    }

    fn lookup(&mut self, extent: ExtentId) -> MediaResult<Option<IndexEntry>> {
        self.legible(Op::Read)?;
        self.index
            .get(extent)
            .map(|slot| read_line(&self.ground, Op::Read, extent, slot))
            .transpose()
    }

    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        let (entries, survey) = Entries::open(&self.ground, Op::Read, &self.label)?;
        match survey.damage {
            Some(what) => Err(self.ground.fault(Op::Read, None, Fault::Damaged(what))),
            None => Ok(Box::new(entries)),
        }
    }

    fn delete(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        self.delete_extent(wanted)
    }

    fn isolate(&mut self, wanted: &Wanted, reason: &str) -> MediaResult<()> {
        self.isolate_extent(wanted, reason)
    }

    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        self.list_strangers()
    }

    fn erase(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        self.erase_all(label, orphans, between)
    }
}
