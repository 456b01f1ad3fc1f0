//! A batch of extents on its way from one disk of a dock to another: what was read and verified waits here until the
//! target is in the dock, and is verified again when it is written.

use super::ring::Buffer;
use dss::model::{ByteCount, ExtentId};
use lrs::ldm::spool::{SpoolError, SpoolFile, SpoolPlace};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Verified extents, by the extent that they were read for.
pub struct Spool {
    file: Arc<SpoolFile>,
    places: BTreeMap<ExtentId, (u64, u64)>,
    end: u64,
}

impl Spool {
    /// An empty one.
    pub fn open(place: &SpoolPlace) -> Result<Self, SpoolError> {
        Ok(Self {
            file: Arc::new(place.open()?),
            places: BTreeMap::new(),
            end: 0,
        })
    }

    /// Whether it has the bytes for an extent.
    pub fn holds(&self, extent: ExtentId) -> bool {
        self.places.contains_key(&extent)
    }

    /// Forgets everything.
    pub async fn clear(&mut self) -> Result<(), SpoolError> {
        self.places.clear();
        self.end = 0;
        self.work(SpoolFile::clear).await
    }

    /// An extent was moved: its bytes are not needed again.
    pub fn forget(&mut self, extent: ExtentId) {
        self.places.remove(&extent);
    }

    pub(super) fn has_room(&self, bytes: ByteCount) -> Result<(), SpoolError> {
        self.file.has_room(bytes.0)
    }

    /// Appends bytes of the extent under way, which has so many already.
    pub(super) async fn append(&self, had: u64, buffer: Buffer) -> Result<(), SpoolError> {
        let offset = self.end + had;
        self.work(move |file| file.write_at(buffer.bytes(), offset)).await
    }

    /// The extent under way is whole and verified.
    pub(super) fn keep(&mut self, extent: ExtentId, bytes: u64) {
        self.places.insert(extent, (self.end, bytes));
        self.end += bytes;
    }

    /// The next bytes of an extent, from a position on; as many as the buffer takes.
    pub(super) async fn read(&self, extent: ExtentId, from: u64, mut buffer: Buffer) -> Result<Buffer, SpoolError> {
        let (start, bytes) = self.places[&extent];
        self.work(move |file| {
            let room = buffer.room();
            let want = room.len().min(usize::try_from(bytes - from).unwrap_or(usize::MAX));
            file.read_at(&mut room[..want], start + from)?;
            buffer.set_filled(want);
            Ok(buffer)
        })
        .await
    }

    pub(super) fn corrupt(&self) -> SpoolError {
        self.file.corrupt()
    }

    pub(super) fn bytes_of(&self, extent: ExtentId) -> u64 {
        self.places[&extent].1
    }
}

impl Spool {
    /// A piece of work on the spool's file, off the runtime's threads; in memory nothing waits.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SpoolFile) -> Result<T, SpoolError> + Send + 'static,
    ) -> Result<T, SpoolError> {
        if self.file.is_in_memory() {
            return work(&self.file);
        }
        let file = Arc::clone(&self.file);
        let done = tokio::task::spawn_blocking(move || work(&file)).await;
        done.expect("work on a spool does not panic")
    }
}
