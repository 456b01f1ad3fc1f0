//! A medium that cannot keep what is said of certain objects, and is as good as ever for all others.

use dss::model::evidence::{SyncReceipt, WriteReceipt};
use dss::model::{Address, Digests, ExtentId, Revision};
use lrs::ldm::fs::{
    Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, ReadHandle, Space, Volume,
    Wanted, WriteHandle,
};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// When it says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// When it is to be named.
    Named,
    /// Before its first byte.
    Begun,
    /// When it has all bytes.
    Ended,
}

/// The medium and the object, and when.
#[derive(Clone, Default)]
pub struct Refusals(Arc<Mutex<BTreeMap<(String, String), When>>>);

impl Refusals {
    pub fn add(&self, medium: &str, oid: &str, when: When) {
        let key = (medium.to_owned(), oid.to_owned());
        self.0.lock().unwrap().insert(key, when);
    }

    pub fn clear(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// One mount of it.
pub struct Choosy {
    inner: Box<dyn Volume>,
    refusals: Refusals,
    begun: BTreeMap<WriteHandle, String>,
}

impl Choosy {
    pub fn new(inner: Box<dyn Volume>, refusals: Refusals) -> Self {
        Self {
            inner,
            refusals,
            begun: BTreeMap::new(),
        }
    }

    fn may(&self, oid: &str, when: When) -> MediaResult<()> {
        let medium = self.inner.label().name.clone();
        let refusals = self.refusals.0.lock().unwrap();
        match refusals.get(&(medium.clone(), oid.to_owned())) {
            Some(at) if *at == when => Err(MediaError {
                op: Op::Write,
                medium,
                at: Some(oid.to_owned()),
                fault: Fault::Unrepresentable("a key occurs twice".to_owned()),
            }),
            Some(_) | None => Ok(()),
        }
    }
}

impl Volume for Choosy {
    fn label(&self) -> &Label {
        self.inner.label()
    }

    fn revision(&self) -> Revision {
        self.inner.revision()
    }

    fn stamp(&self) -> Option<IndexStamp> {
        self.inner.stamp()
    }

    fn identify(&mut self) -> MediaResult<()> {
        self.inner.identify()
    }

    fn space(&mut self) -> MediaResult<Space> {
        self.inner.space()
    }

    fn reserve(&mut self, tag: &ExtentTag) -> MediaResult<Address> {
        self.may(tag.origin.oid.as_str(), When::Named)?;
        self.inner.reserve(tag)
    }

    fn give_back(&mut self, extent: ExtentId, address: &Address) {
        self.inner.give_back(extent, address);
    }

    fn create(&mut self, tag: ExtentTag, address: &Address) -> MediaResult<Option<WriteHandle>> {
        let oid = tag.origin.oid.as_str().to_owned();
        self.may(&oid, When::Begun)?;
        let created = self.inner.create(tag, address)?;
        self.begun.extend(created.map(|handle| (handle, oid)));
        Ok(created)
    }

    fn write(&mut self, handle: WriteHandle, bytes: &[u8]) -> MediaResult<Accepted> {
        self.inner.write(handle, bytes)
    }

    fn finish(&mut self, handle: WriteHandle, digests: Digests) -> MediaResult<WriteReceipt> {
        let oid = self.begun.remove(&handle).unwrap_or_default();
        if let Err(refused) = self.may(&oid, When::Ended) {
            self.inner.abandon(handle);
            return Err(refused);
        }
        self.inner.finish(handle, digests)
    }

    fn abandon(&mut self, handle: WriteHandle) {
        self.inner.abandon(handle);
    }

    fn foresee(&mut self, wanted: &Wanted) {
        self.inner.foresee(wanted);
    }

    fn open(&mut self, wanted: &Wanted, from: ReadFrom) -> MediaResult<ReadHandle> {
        self.inner.open(wanted, from)
    }

    fn read(&mut self, handle: ReadHandle, buffer: &mut [u8]) -> MediaResult<usize> {
        self.inner.read(handle, buffer)
    }

    fn seek(&mut self, handle: ReadHandle, offset: u64) -> MediaResult<()> {
        self.inner.seek(handle, offset)
    }

    fn close(&mut self, handle: ReadHandle) {
        self.inner.close(handle);
    }

    fn sync(&mut self) -> MediaResult<SyncReceipt> {
        self.inner.sync()
    }

    fn commit_index(&mut self, stamp: IndexStamp) -> MediaResult<()> {
        self.inner.commit_index(stamp)
    }

    fn lookup(&mut self, extent: ExtentId) -> MediaResult<Option<IndexEntry>> {
        self.inner.lookup(extent)
    }

    fn index(&mut self) -> MediaResult<Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>> {
        self.inner.index()
    }

    fn delete(&mut self, wanted: &Wanted) -> MediaResult<Deleted> {
        self.inner.delete(wanted)
    }

    fn isolate(&mut self, wanted: &Wanted, reason: &str) -> MediaResult<()> {
        self.inner.isolate(wanted, reason)
    }

    fn strangers(&mut self) -> MediaResult<Vec<Address>> {
        self.inner.strangers()
    }

    fn erase(
        &mut self,
        label: Label,
        orphans: &mut dyn Iterator<Item = Wanted>,
        between: &mut dyn FnMut(EraseStep),
    ) -> MediaResult<Vec<Address>> {
        self.inner.erase(label, orphans, between)
    }
}
