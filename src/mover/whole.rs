//! Small extents, whole in memory: many of them cost one trip to a drive's thread.

use super::ring::Buffer;
use dss::model::evidence::WriteReceipt;
use dss::model::{Address, Digests};
use lrs::ldm::MediaError;
use lrs::ldm::fs::{Accepted, ExtentTag, Volume};
use lrs::worker::DriveGone;

/// How many extents at most are read or written in one trip.
pub(super) const TOGETHER: usize = 16;

/// An extent and all of its bytes.
pub struct Whole<B> {
    /// What goes along.
    pub tag: ExtentTag,
    /// At which address.
    pub address: Address,
    /// Its bytes.
    pub bytes: B,
    /// What they digest to.
    pub digests: Digests,
}

/// Why a medium did not take an extent.
pub enum NotTaken {
    /// It has no room for it.
    NoRoom,
    /// It failed before the extent's end.
    Failed(MediaError),
    /// It took every byte and did not end the extent.
    Unended(MediaError),
    /// Its drive is gone.
    Gone(DriveGone),
}

impl<B: AsRef<[u8]>> Whole<B> {
    /// Writes it, on the drive's thread. `middle` is called when it is created and has no byte yet.
    fn write(self, volume: &mut dyn Volume, middle: impl FnOnce()) -> Result<WriteReceipt, NotTaken> {
        let created = volume.create(self.tag, &self.address).map_err(NotTaken::Failed)?;
        let handle = created.ok_or(NotTaken::NoRoom)?;
        middle();
        let bytes = self.bytes.as_ref();
        // A zero-length extent is a file like any other.
        let taken = match bytes.is_empty() {
            true => Ok(Accepted::All),
            false => volume.write(handle, bytes),
        };
        match taken {
            Ok(Accepted::All) => volume.finish(handle, self.digests).map_err(NotTaken::Unended),
            Ok(Accepted::EndOfMedium) => {
                volume.abandon(handle);
                Err(NotTaken::NoRoom)
            }
            Err(error) => {
                volume.abandon(handle);
                Err(NotTaken::Failed(error))
            }
        }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes()
    }
}

/// What became of each that was tried: taken, or not for what is said of it.
pub type Tried = Vec<Result<WriteReceipt, MediaError>>;

/// Does the same with each on the drive's thread, until the medium takes no more. Answers what became of those before, and
/// why it did not take the next one.
pub fn write_each<B: AsRef<[u8]>>(
    volume: &mut dyn Volume,
    work: Vec<Whole<B>>,
    middle: impl Fn(),
) -> (Tried, Option<NotTaken>) {
    let mut tried = Vec::with_capacity(work.len());
    for whole in work {
        match whole.write(volume, &middle) {
            Ok(receipt) => tried.push(Ok(receipt)),
            Err(NotTaken::Failed(error) | NotTaken::Unended(error)) if error.fault.is_of_extent() => {
                tried.push(Err(error));
            }
            Err(why) => return (tried, Some(why)),
        }
    }
    (tried, None)
}
