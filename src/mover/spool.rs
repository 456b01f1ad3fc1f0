//! A batch of extents on its way from one disk of a dock to another: what was read and verified waits here until the
//! target is in the dock, and is verified again when it is written.

use super::ring::Buffer;
use dss::model::evidence::DigestReceipt;
use dss::model::{ByteCount, Digests, Expected, ExtentId};
use lrs::ldm::spool::{SpoolError, SpoolFile, SpoolPlace};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where an extent lies, and what it digests to.
struct Place {
    start: u64,
    bytes: u64,
    digests: Digests,
}

/// Verified extents, by the extent that they were read for.
pub struct Spool {
    file: Arc<SpoolFile>,
    places: BTreeMap<ExtentId, Place>,
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
    pub(super) fn keep(&mut self, extent: ExtentId, bytes: u64, receipt: &DigestReceipt) {
        let place = Place {
            start: self.end,
            bytes,
            digests: receipt.digests().clone(),
        };
        self.places.insert(extent, place);
        self.end += bytes;
    }

    /// The next bytes of an extent, from a position on; as many as the buffer takes.
    pub(super) async fn read(&self, extent: ExtentId, from: u64, mut buffer: Buffer) -> Result<Buffer, SpoolError> {
        let Place { start, bytes, .. } = self.places[&extent];
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
        self.places[&extent].bytes
    }

    /// What is known of an extent's bytes, with what they digested to when they were read. It may be that nobody knew that.
    pub(super) fn expected_of(&self, extent: ExtentId, expected: Expected) -> Expected {
        let digests = expected.digests.or_else(|| Some(self.places[&extent].digests.clone()));
        Expected { digests, ..expected }
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

#[cfg(test)]
mod tests {
    use super::*;
    use lrs::ldm::faults::FaultPlan;

    /// What nobody knew of imported bytes is known of what the spool has of them: it may spoil them.
    #[tokio::test]
    async fn x07_what_was_read_into_the_spool_is_compared_when_it_is_written() {
        let mut spool = Spool::open(&SpoolPlace::in_memory(FaultPlan::default())).unwrap();
        let (imported, known) = (ExtentId::fresh(), ExtentId::fresh());
        for extent in [imported, known] {
            spool.keep(extent, 3, &crate::mover::verifier::tests::receipt(b"abc"));
        }
        let nothing = Expected {
            bytes: ByteCount(3),
            digests: None,
            hashes: vec![],
        };
        assert_eq!(spool.expected_of(imported, nothing).digests, Some(Digests::of(b"abc")));
        let other = Expected::from(Digests::of(b"abd"));
        assert_eq!(
            spool.expected_of(known, other.clone()),
            other,
            "the catalogue's word counts"
        );
    }
}
