//! A cartridge in a bay that is no medium yet, as whoever serves the drive holds it: it keeps the bay for whoever was granted
//! it, and is neither read nor written through this.

use crate::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle,
};
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use dss::model::evidence::{SyncReceipt, WriteReceipt};
use dss::model::{Address, CatalogueId, Digests, ExtentId, Generation, MediumId, Revision};
use jiff::Timestamp;
use uuid::Uuid;

/// A cartridge that is no medium yet.
#[derive(Debug)]
pub struct Bare {
    label: Label,
}

impl Bare {
    /// Under the name and the identity by which it was asked for.
    pub fn new(medium: MediumId, name: &str) -> Self {
        Self {
            label: Label {
                format: String::new(),
                medium,
                name: name.to_owned(),
                generation: Generation(0),
                // No catalogue has it, so that none is compared with it.
                catalogue: CatalogueId(Uuid::nil()),
                revision: Revision(0),
                created_at: Timestamp::UNIX_EPOCH,
            },
        }
    }

    fn refuse<T>(&self, op: Op) -> MediaResult<T> {
        Err(MediaError {
            op,
            medium: self.label.name.clone(),
            at: None,
            fault: Fault::Unfit("this cartridge is no medium yet".to_owned()),
        })
    }
}

impl Volume for Bare {
    fn label(&self) -> &Label {
        &self.label
    }

    fn revision(&self) -> Revision {
        self.label.revision
    }

    fn identify(&mut self) -> MediaResult<()> {
        self.refuse(Op::Mount)
    }

    fn space(&mut self) -> MediaResult<Space> {
        self.refuse(Op::FreeSpace)
    }

    fn reserve(&mut self, _tag: &ExtentTag) -> MediaResult<Address> {
        self.refuse(Op::Write)
    }

    /// None was given.
    fn give_back(&mut self, _extent: ExtentId, _address: &Address) {}

    fn create(&mut self, _tag: ExtentTag, _address: &Address) -> MediaResult<Option<WriteHandle>> {
        self.refuse(Op::Write)
    }

    fn write(&mut self, _handle: WriteHandle, _bytes: &[u8]) -> MediaResult<Accepted> {
        self.refuse(Op::Write)
    }

    fn finish(&mut self, _handle: WriteHandle, _digests: Digests) -> MediaResult<WriteReceipt> {
        self.refuse(Op::Write)
    }

    fn abandon(&mut self, _handle: WriteHandle) {}

    fn open(&mut self, _wanted: &Wanted, _from: ReadFrom) -> MediaResult<ReadHandle> {
        self.refuse(Op::Open)
    }

    fn read(&mut self, _handle: ReadHandle, _buffer: &mut [u8]) -> MediaResult<usize> {
        self.refuse(Op::Read)
    }

    fn seek(&mut self, _handle: ReadHandle, _offset: u64) -> MediaResult<()> {
        self.refuse(Op::Read)
    }

    fn close(&mut self, _handle: ReadHandle) {}

    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        self.refuse(Op::Sync)
    }

    fn commit_index(&mut self, _stamp: IndexStamp) -> MediaResult<()> {
        self.refuse(Op::Sync)
    }

    fn lookup(&mut self, _extent: ExtentId) -> MediaResult<Option<IndexEntry>> {
        self.refuse(Op::Read)
    }

    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        self.refuse(Op::Read)
    }

    fn delete(&mut self, _wanted: &Wanted) -> MediaResult<Deleted> {
        self.refuse(Op::Delete)
    }

    fn isolate(&mut self, _wanted: &Wanted, _reason: &str) -> MediaResult<()> {
        self.refuse(Op::Delete)
    }

    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        self.refuse(Op::Read)
    }

    fn erase(
        &mut self,
        _label: Label,
        _orphans: &mut dyn Iterator<Item = Wanted>,
        _between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        self.refuse(Op::Delete)
    }
}
