//! One window: its extents are read and written at the same time, and each ends in exactly one list of [`Copied`].

use super::reader::{ReadFailure, Readable, Reads, read_all};
use super::ring::Ring;
use super::writer::write_all;
use dss::model::{Address, ByteCount, Checkpoints, Expected, ExtentId, MediumId, Oid, Recorded, Written};
use lrs::ldm::MediaError;
use lrs::ldm::fs::{ExtentTag, Wanted};
use lrs::worker::{DriveGone, DriveHandle};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// An extent to copy: recorded, with everything that goes along.
#[derive(Debug)]
pub struct Item {
    /// The extent whose bytes are copied.
    pub old: ExtentId,
    /// The evidence that its new row is committed.
    pub recorded: Recorded,
    /// From where.
    pub source: MediumId,
    /// What to read there.
    pub wanted: Wanted,
    /// What is known of its bytes.
    pub expected: Expected,
    /// To where.
    pub target: MediumId,
    /// At which address there.
    pub address: Address,
    /// What goes along.
    pub tag: ExtentTag,
}

impl Readable for Item {
    fn old(&self) -> ExtentId {
        self.old
    }
    fn source(&self) -> MediumId {
        self.source
    }
    fn wanted(&self) -> &Wanted {
        &self.wanted
    }
    fn expected(&self) -> &Expected {
        &self.expected
    }
}

/// What is left of an item beside its evidence.
pub(super) struct Rest {
    pub(super) old: ExtentId,
    pub(super) oid: Oid,
    pub(super) target: MediumId,
}

impl Item {
    /// The evidence that its bytes may be written, for whoever gives that up.
    pub fn withdrawn(self) -> Recorded {
        self.recorded
    }

    pub(super) fn into_parts(self) -> (Recorded, Rest) {
        let rest = Rest {
            old: self.old,
            oid: self.wanted.oid,
            target: self.target,
        };
        (self.recorded, rest)
    }
}

/// Why an extent was not copied.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Its bytes could not be read, or are wrong.
    #[error(transparent)]
    Source(ReadFailure),
    /// The target has no room for it. Not an error: it goes whole to another one.
    #[error("the target is full")]
    NoRoom,
    /// The target failed.
    #[error(transparent)]
    Target(MediaError),
    /// The target's drive is gone.
    #[error(transparent)]
    TargetDrive(DriveGone),
}

/// An extent that its target cannot keep, for what is said of it. Nothing is wrong with the target, nor with its bytes.
#[derive(Debug)]
pub struct Misfit {
    /// The extent that was to be copied.
    pub old: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// What cannot be kept.
    pub error: MediaError,
}

/// What became of a window. Every item is in exactly one list.
#[derive(Debug, Default)]
pub struct Copied {
    /// Written whole and verified; not durable yet. With the old extent.
    pub written: Vec<(ExtentId, Written)>,
    /// Not written, for a reason on either side.
    pub failed: Vec<(Item, Failure)>,
    /// Taken by the target but not ended there: old extent, target, why.
    pub unfinished: Vec<(ExtentId, MediumId, Failure)>,
    /// Evidence that did not fit together: an integrity failure.
    pub refused: Vec<(ExtentId, Oid, String)>,
    /// Not written, for what is said of them.
    pub misfits: Vec<Misfit>,
    /// Of which nothing was heard: their target's drive went away while it had them.
    pub unheard: Vec<Item>,
    /// Given to no target at all, because a stop was asked for, or as theirs took nothing more.
    pub untouched: Vec<Item>,
}

/// Longer than this no extent keeps a stop waiting; it is given up and stays recoverable.
pub const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Asks the copy to stop at the next extent boundary.
#[derive(Debug)]
pub struct CopyStop {
    asked: Arc<AtomicBool>,
    moved: AtomicU64,
    since: Instant,
}

impl Default for CopyStop {
    fn default() -> Self {
        Self {
            asked: Arc::default(),
            moved: AtomicU64::new(0),
            since: Instant::now(),
        }
    }
}

impl CopyStop {
    /// Stop at the next boundary.
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }

    /// The same for a closure on a drive's thread.
    pub(super) fn heard(&self) -> impl Fn() -> bool + Send + 'static {
        let asked = Arc::clone(&self.asked);
        move || asked.load(Ordering::Acquire)
    }

    /// Bytes that came through, for the rate.
    pub(super) fn moved(&self, bytes: ByteCount) {
        self.moved.fetch_add(bytes.0, Ordering::Relaxed);
    }

    /// Whether a stop was asked for and the rest of an extent would take more than a minute at the rate so far.
    pub(super) fn would_wait_too_long(&self, remaining: ByteCount) -> bool {
        if !self.is_asked() {
            return false;
        }
        let rate = self.moved.load(Ordering::Relaxed) as f64 / self.since.elapsed().as_secs_f64().max(0.001);
        remaining.0 as f64 > rate * LONGEST_WAIT.as_secs_f64()
    }
}

/// Copies a window. The extents' order is kept.
pub async fn copy(
    items: Vec<Item>,
    reads: Reads<'_>,
    targets: BTreeMap<MediumId, DriveHandle>,
    ring: &mut Ring,
    stop: &CopyStop,
    checkpoints: Arc<dyn Checkpoints>,
) -> Copied {
    let (to, from) = mpsc::channel(ring.count());
    let reader = read_all(items, reads, ring, stop, checkpoints.clone(), to);
    let writer = write_all(targets, checkpoints, from);
    let ((), copied) = tokio::join!(reader, writer);
    copied
}
