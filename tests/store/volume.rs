//! A medium in memory that fails when told to. It keeps what a mount wrote and did not sync apart, and forgets it when
//! it is unmounted.

use dss::model::evidence::{SyncReceipt, WriteReceipt, WriteSerial};
use dss::model::{Address, ByteCount, Digests, ExtentId, Revision};
use lrs::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle,
};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};

/// When a medium says that it cannot keep what is said of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When it is to be named.
    Named,
    /// Before its first byte.
    Begun,
    /// When it has all bytes.
    Ended,
}

/// What is on the medium, and what it is to do wrong.
#[derive(Default)]
pub struct Platter {
    pub label: Option<Label>,
    pub files: BTreeMap<Address, (IndexEntry, Vec<u8>)>,
    pub capacity: u64,
    /// Whether the next sync fails.
    pub fail_sync: bool,
    /// Whether the next write fails.
    pub fail_write: bool,
    /// Whether commits of the index fail.
    pub fail_index: bool,
    /// Extents that cannot be read.
    pub unreadable: BTreeSet<ExtentId>,
    /// Objects that it cannot keep.
    pub misfits: BTreeMap<String, When>,
    /// How many bytes it takes before it says it is full, whatever `space` says.
    pub room: Option<u64>,
    pub syncs: u32,
    pub index_revision: Option<Revision>,
    pub mounts: u64,
}

impl Platter {
    fn used(&self) -> u64 {
        self.files.values().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Flips one bit of the extent.
    pub fn flip(&mut self, extent: ExtentId, at: usize) {
        let file = self.files.values_mut().find(|(entry, _)| entry.tag.extent == extent);
        file.expect("the extent is on this medium").1[at] ^= 1;
    }
}

pub type Shared = Arc<Mutex<Platter>>;

struct Writing {
    tag: ExtentTag,
    address: Address,
    bytes: Vec<u8>,
}

/// One mount of it.
pub struct MemVolume {
    label: Label,
    platter: Shared,
    mount: u64,
    written: u64,
    next: u64,
    writing: BTreeMap<u64, Writing>,
    finished: Vec<(IndexEntry, Vec<u8>)>,
    reading: BTreeMap<u64, (Vec<u8>, u64, ExtentId)>,
    broken: bool,
}

impl MemVolume {
    pub fn mount(platter: &Shared) -> Self {
        let mut locked = platter.lock().unwrap();
        locked.mounts += 1;
        Self {
            label: locked.label.clone().expect("it was labelled"),
            mount: locked.mounts,
            platter: Arc::clone(platter),
            written: 0,
            next: 0,
            writing: BTreeMap::new(),
            finished: Vec::new(),
            reading: BTreeMap::new(),
            broken: false,
        }
    }

    fn platter(&self) -> MutexGuard<'_, Platter> {
        self.platter.lock().unwrap()
    }

    fn fault(&self, op: Op, fault: Fault) -> MediaError {
        MediaError {
            op,
            medium: self.label.name.clone(),
            at: None,
            fault,
        }
    }

    fn may(&self, tag: &ExtentTag, when: When) -> MediaResult<()> {
        match self.platter().misfits.get(tag.origin.oid.as_str()) {
            Some(at) if *at == when => {
                Err(self.fault(Op::Write, Fault::Unrepresentable("a key occurs twice".to_owned())))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn handle(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn pending(&self) -> u64 {
        let finished: usize = self.finished.iter().map(|(_, bytes)| bytes.len()).sum();
        let writing: usize = self.writing.values().map(|writing| writing.bytes.len()).sum();
        (finished + writing) as u64
    }
}

impl Volume for MemVolume {
    fn label(&self) -> &Label {
        &self.label
    }

    fn revision(&self) -> Revision {
        self.platter().index_revision.unwrap_or(self.label.revision)
    }

    fn identify(&mut self) -> MediaResult<()> {
        Ok(())
    }

    fn space(&mut self) -> MediaResult<Space> {
        let platter = self.platter();
        let (capacity, used) = (platter.capacity, platter.used() + self.pending());
        drop(platter);
        Ok(Space {
            capacity: ByteCount(capacity),
            used: ByteCount(used),
            free: ByteCount(capacity.saturating_sub(used)),
        })
    }

    fn reserve(&mut self, tag: &ExtentTag) -> MediaResult<Address> {
        self.may(tag, When::Named)?;
        let (origin, extent) = (&tag.origin, tag.extent);
        Ok(Address(format!(
            "{}@{}.{}.{}-{extent}",
            origin.oid, origin.version, origin.copy, origin.index
        )))
    }

    fn give_back(&mut self, _: ExtentId, _: &Address) {}

    fn create(&mut self, tag: ExtentTag, address: &Address) -> MediaResult<Option<WriteHandle>> {
        if self.broken {
            return Err(self.fault(Op::Write, Fault::NeedsReopen));
        }
        self.may(&tag, When::Begun)?;
        let full = self.platter().room == Some(0) && tag.bytes.0 > 0;
        if full || tag.bytes > self.space()?.free {
            return Ok(None);
        }
        let handle = self.handle();
        let writing = Writing {
            tag,
            address: address.clone(),
            bytes: Vec::new(),
        };
        self.writing.insert(handle, writing);
        Ok(Some(WriteHandle(handle)))
    }

    fn write(&mut self, handle: WriteHandle, bytes: &[u8]) -> MediaResult<Accepted> {
        if std::mem::take(&mut self.platter().fail_write) {
            return Err(self.fault(Op::Write, Fault::Io(Errno::EIO)));
        }
        {
            let mut platter = self.platter();
            if let Some(room) = &mut platter.room {
                if *room < bytes.len() as u64 {
                    *room = 0;
                    return Ok(Accepted::EndOfMedium);
                }
                *room -= bytes.len() as u64;
            }
        }
        self.writing.get_mut(&handle.0).unwrap().bytes.extend_from_slice(bytes);
        Ok(Accepted::All)
    }

    fn finish(&mut self, handle: WriteHandle, digests: Digests) -> MediaResult<WriteReceipt> {
        let writing = self.writing.remove(&handle.0).unwrap();
        self.may(&writing.tag, When::Ended)?;
        assert_eq!(
            Digests::of(&writing.bytes),
            digests,
            "what was written is what was meant"
        );
        self.written += 1;
        let serial = WriteSerial {
            mount: self.mount,
            count: self.written,
        };
        let receipt = WriteReceipt::accepted(writing.tag.extent, digests.clone(), None, serial);
        let entry = IndexEntry {
            tag: writing.tag,
            address: writing.address,
            digests,
            inode: None,
            span: None,
        };
        self.finished.push((entry, writing.bytes));
        Ok(receipt)
    }

    fn abandon(&mut self, handle: WriteHandle) {
        self.writing.remove(&handle.0);
    }

    fn open(&mut self, wanted: &Wanted, _from: ReadFrom) -> MediaResult<ReadHandle> {
        let found = self
            .platter()
            .files
            .get(&wanted.address)
            .map(|(_, bytes)| bytes.clone());
        let bytes = found.ok_or_else(|| self.fault(Op::Open, Fault::Absent))?;
        let handle = self.handle();
        self.reading.insert(handle, (bytes, 0, wanted.extent));
        Ok(ReadHandle(handle))
    }

    fn read(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        let (bytes, position, extent) = &self.reading[&handle.0];
        if self.platter().unreadable.contains(extent) {
            return Err(self.fault(Op::Read, Fault::Io(Errno::EIO)));
        }
        let rest = &bytes[usize::try_from(*position).unwrap().min(bytes.len())..];
        let take = rest.len().min(buffer.len());
        buffer[..take].copy_from_slice(&rest[..take]);
        self.reading.get_mut(&handle.0).unwrap().1 += take as u64;
        Ok(take)
    }

    fn seek(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        self.reading.get_mut(&handle.0).unwrap().1 = offset;
        Ok(())
    }

    fn close(&mut self, handle: ReadHandle) {
        self.reading.remove(&handle.0);
    }

    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        if self.broken {
            return Err(self.fault(Op::Sync, Fault::NeedsReopen));
        }
        let finished = std::mem::take(&mut self.finished);
        let mut platter = self.platter();
        platter.syncs += 1;
        if std::mem::take(&mut platter.fail_sync) {
            drop(platter);
            self.broken = true;
            return Err(self.fault(Op::Sync, Fault::Io(Errno::EIO)));
        }
        platter.files.extend(
            finished
                .into_iter()
                .map(|(entry, bytes)| (entry.address.clone(), (entry, bytes))),
        );
        drop(platter);
        let through = WriteSerial {
            mount: self.mount,
            count: self.written,
        };
        Ok(SyncReceipt::durable(self.label.medium, self.label.generation, through))
    }

    fn commit_index(&mut self, stamp: IndexStamp) -> MediaResult<()> {
        let mut platter = self.platter();
        if platter.fail_index {
            drop(platter);
            return Err(self.fault(Op::Sync, Fault::Io(Errno::EIO)));
        }
        platter.index_revision = Some(stamp.revision);
        Ok(())
    }

    fn lookup(&mut self, extent: ExtentId) -> MediaResult<Option<IndexEntry>> {
        let platter = self.platter();
        let mut entries = platter.files.values().map(|(entry, _)| entry);
        Ok(entries.find(|entry| entry.tag.extent == extent).cloned())
    }

    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        let entries: Vec<_> = self
            .platter()
            .files
            .values()
            .map(|(entry, _)| Ok(entry.clone()))
            .collect();
        Ok(Box::new(entries.into_iter()))
    }

    fn delete(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        match self.platter().files.remove(&wanted.address) {
            Some(_) => Ok(Deleted::Gone),
            None => Ok(Deleted::Absent),
        }
    }

    fn isolate(&mut self, wanted: &Wanted, _reason: &str) -> MediaResult<()> {
        self.platter().files.remove(&wanted.address);
        Ok(())
    }

    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        Ok(Vec::new())
    }

    fn erase(
        &mut self,
        label: Label,
        _orphans: &mut dyn Iterator<Item = Wanted>,
        _between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        let mut platter = self.platter();
        platter.files.clear();
        platter.label = Some(label);
        Ok(Vec::new())
    }
}
