//! Reads extents on their drives' threads, in the order given, and verifies them in stream.

use super::copy::CopyStop;
use super::foresight::Foresight;
use super::groups::{read_groups, small_ones};
use super::pieces::{read_one, read_spooled};
use super::ring::{Buffer, Ring};
use super::spool::Spool;
use super::verifier::Mismatch;
use dss::model::evidence::DigestReceipt;
use dss::model::{Checkpoints, Expected, ExtentId, MediumId};
use lrs::ldm::fs::Wanted;
use lrs::ldm::spool::SpoolError;
use lrs::ldm::{Fault, MediaError};
use lrs::worker::{DriveGone, DriveHandle};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Something to be read.
pub(super) trait Readable {
    /// The extent that it is read for.
    fn old(&self) -> ExtentId;
    /// From where.
    fn source(&self) -> MediumId;
    /// What.
    fn wanted(&self) -> &Wanted;
    /// What is known of its bytes.
    fn expected(&self) -> &Expected;
}

/// Where bytes are read.
pub enum Reads<'a> {
    /// On their media, in these drives.
    Drives(BTreeMap<MediumId, DriveHandle>),
    /// In the spool, which has all of them.
    Spool(&'a Spool),
}

/// What the writer gets.
pub(super) enum Message<T> {
    /// An extent begins.
    Begin(Box<T>),
    /// The next bytes of it.
    Bytes(Buffer),
    /// It ended and is what the catalogue says.
    Good(DigestReceipt),
    /// It could not be read, or is not what the catalogue says.
    Bad(ReadFailure),
    /// A small one, whole and what the catalogue says.
    Whole(Box<T>, Buffer, DigestReceipt),
    /// A small one that could not be read, or is not what the catalogue says.
    Unread(Box<T>, ReadFailure),
    /// These were not begun: a stop was asked for.
    NotBegun(Vec<T>),
}

/// Why an extent was not read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// The medium failed.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The bytes are wrong.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The drive is gone.
    #[error(transparent)]
    Drive(#[from] DriveGone),
    /// The spool failed, not the medium.
    #[error(transparent)]
    Spool(#[from] SpoolError),
    /// It was given up because it would have kept a stop waiting.
    #[error("given up: it would have kept the stop waiting for more than a minute")]
    GivenUp,
}

impl ReadFailure {
    /// Whether stored bytes are wrong or missing (exit 4), rather than out of reach.
    pub fn is_integrity(&self) -> bool {
        match self {
            Self::Mismatch(_) => true,
            Self::Media(error) => error.is_integrity(),
            Self::Drive(_) | Self::Spool(_) | Self::GivenUp => false,
        }
    }

    /// Whether the medium returned other bytes than were stored there, rather than none or too few.
    pub fn is_wrong_bytes(&self) -> bool {
        match self {
            Self::Mismatch(_) => true,
            Self::Media(error) => match error.fault {
                Fault::Damaged(_) | Fault::Miswritten | Fault::NotThisExtent(_) => true,
                Fault::Io(_)
                | Fault::Drive(_)
                | Fault::Short { .. }
                | Fault::NoSpace
                | Fault::Absent
                | Fault::WrongMedium { .. }
                | Fault::ErasedSince { .. }
                | Fault::Unlabelled(_)
                | Fault::NeedsReopen
                | Fault::Unfit(_)
                | Fault::Unrepresentable(_) => false,
            },
            Self::Drive(_) | Self::Spool(_) | Self::GivenUp => false,
        }
    }
}

/// Reads items until the last, a stop, or a writer that went away.
pub(super) async fn read_all<T: Readable>(
    items: Vec<T>,
    reads: Reads<'_>,
    ring: &mut Ring,
    stop: &CopyStop,
    checkpoints: Arc<dyn Checkpoints>,
    to: mpsc::Sender<Message<T>>,
) {
    let mut items = items.into_iter();
    let mut foresight = Foresight::default();
    loop {
        if stop.is_asked() {
            // The writer may have gone away, and then needs nothing.
            let _ = to.send(Message::NotBegun(items.collect())).await;
            return;
        }
        let feed = Feed {
            ring: &mut *ring,
            stop,
            checkpoints: &checkpoints,
            to: &to,
        };
        if let Reads::Drives(drives) = &reads
            && small_ones(items.as_slice(), feed.ring) > 1
        {
            if read_groups(drives, &mut items, &mut foresight, feed).await.is_err() {
                return;
            }
            continue;
        }
        let Some(item) = items.next() else { return };
        let (old, source) = (item.old(), item.source());
        let (wanted, expected) = (item.wanted().clone(), item.expected().clone());
        if to.send(Message::Begin(Box::new(item))).await.is_err() {
            return;
        }
        let read = match &reads {
            Reads::Drives(drives) => {
                let soon = foresight.after(&wanted, items.as_slice(), source);
                read_one(&drives[&source], wanted, expected, soon, feed).await
            }
            Reads::Spool(spool) => read_spooled(spool, old, expected, feed).await,
        };
        let message = match read {
            Ok(receipt) => Message::Good(receipt),
            Err(failure) => Message::Bad(failure),
        };
        if to.send(message).await.is_err() {
            return;
        }
    }
}

/// What reading needs beside what is read.
pub(super) struct Feed<'a, T> {
    pub(super) ring: &'a mut Ring,
    pub(super) stop: &'a CopyStop,
    pub(super) checkpoints: &'a Arc<dyn Checkpoints>,
    pub(super) to: &'a mpsc::Sender<Message<T>>,
}
