//! Reads extents on their drives' threads, in the order given, and verifies them in stream.

use super::copy::CopyStop;
use super::foresight::Foresight;
use super::ring::{Buffer, Ring};
use super::spool::Spool;
use super::verifier::{Mismatch, Verifier};
use super::whole::TOGETHER;
use dss::model::evidence::DigestReceipt;
use dss::model::{ByteCount, Checkpoints, Digests, Extent, ExtentId, MediumId, ReadBack, Step};
use lrs::ldm::fs::{ReadFrom, ReadHandle, Volume, Wanted};
use lrs::ldm::spool::SpoolError;
use lrs::ldm::{Fault, MediaError, Op};
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
    /// What it must digest to.
    fn digests(&self) -> &Digests;
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
                | Fault::Short { .. }
                | Fault::NoSpace
                | Fault::Absent
                | Fault::WrongMedium { .. }
                | Fault::ErasedSince { .. }
                | Fault::Unlabelled(_)
                | Fault::NeedsReopen
                | Fault::Unfit(_) => false,
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
            && small_ones(items.as_slice(), &feed) > 1
        {
            if read_small(drives, &mut items, &mut foresight, feed).await.is_err() {
                return;
            }
            continue;
        }
        let Some(item) = items.next() else { return };
        let (old, source) = (item.old(), item.source());
        let (wanted, digests) = (item.wanted().clone(), item.digests().clone());
        if to.send(Message::Begin(Box::new(item))).await.is_err() {
            return;
        }
        let read = match &reads {
            Reads::Drives(drives) => {
                let soon = foresight.after(&wanted, items.as_slice(), source);
                read_one(&drives[&source], wanted, digests, soon, feed).await
            }
            Reads::Spool(spool) => read_spooled(spool, old, digests, feed).await,
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

struct Feed<'a, T> {
    ring: &'a mut Ring,
    stop: &'a CopyStop,
    checkpoints: &'a Arc<dyn Checkpoints>,
    to: &'a mpsc::Sender<Message<T>>,
}

/// How many of the next extents are read in one trip: small ones of one drive, each in a buffer of its own. At least half
/// of the ring is left to the writer.
fn small_ones<T: Readable>(items: &[T], feed: &Feed<'_, T>) -> usize {
    let most = TOGETHER.min(feed.ring.count() / 2);
    let Some(source) = items.first().map(Readable::source) else {
        return 0;
    };
    let fits = |item: &&T| item.source() == source && item.wanted().bytes.0 <= feed.ring.size() as u64;
    items.iter().take(most).take_while(fits).count()
}

/// The writer went away.
struct WriterLeft;

/// Opens, reads and closes small extents in one trip to their drive's thread.
async fn read_small<T: Readable>(
    drives: &BTreeMap<MediumId, DriveHandle>,
    items: &mut std::vec::IntoIter<T>,
    foresight: &mut Foresight,
    feed: Feed<'_, T>,
) -> Result<(), WriterLeft> {
    let count = small_ones(items.as_slice(), &feed);
    let (mut group, mut soon, mut work) = (vec![], vec![], vec![]);
    for item in items.by_ref().take(count) {
        work.push((item.wanted().clone(), feed.ring.take().await));
        group.push(item);
    }
    let source = group[0].source();
    for (number, item) in group.iter().enumerate() {
        // Those of the group itself are fetched side by side.
        let rest = group[number + 1..].iter().chain(items.as_slice());
        soon.extend(foresight.after(item.wanted(), rest, source));
    }
    let (checkpoints, stopped) = (feed.checkpoints.clone(), feed.stop.heard());
    let read = drives[&source]
        .run(move |volume| {
            soon.iter().for_each(|wanted| volume.foresee(wanted));
            let each = |(number, (wanted, buffer))| match number > 0 && stopped() {
                true => None,
                false => Some(read_whole(volume, &wanted, buffer, &*checkpoints)),
            };
            work.into_iter().enumerate().map_while(each).collect::<Vec<_>>()
        })
        .await;
    let mut read = match read {
        Ok(read) => read
            .into_iter()
            .map(|one| one.map_err(ReadFailure::from))
            .collect::<Vec<_>>(),
        Err(gone) => group.iter().map(|_| Err(gone.clone().into())).collect(),
    }
    .into_iter();
    let mut group = group.into_iter();
    for result in read.by_ref() {
        let item = group.next().expect("at most one result for each");
        let message = match result.and_then(|buffer| verified(item.digests(), buffer)) {
            Ok((buffer, receipt)) => {
                feed.stop.moved(item.wanted().bytes);
                Message::Whole(Box::new(item), buffer, receipt)
            }
            Err(failure) => Message::Unread(Box::new(item), failure),
        };
        feed.to.send(message).await.map_err(|_| WriterLeft)?;
    }
    let rest: Vec<T> = group.collect();
    if rest.is_empty() {
        return Ok(());
    }
    // A stop was asked for.
    feed.to.send(Message::NotBegun(rest)).await.map_err(|_| WriterLeft)
}

fn read_whole(
    volume: &mut dyn Volume,
    wanted: &Wanted,
    mut buffer: Buffer,
    checkpoints: &dyn Checkpoints,
) -> Result<Buffer, MediaError> {
    let handle = volume.open(wanted, ReadFrom::Anywhere)?;
    checkpoints.reach(Step::ReadMiddle);
    let read = fill(volume, handle, &mut buffer, wanted.bytes.0);
    volume.close(handle);
    read.map(|()| buffer)
}

fn verified(digests: &Digests, buffer: Buffer) -> Result<(Buffer, DigestReceipt), ReadFailure> {
    let mut verifier = Verifier::new(digests.clone());
    verifier.take(buffer.bytes())?;
    Ok((buffer, verifier.finish()?))
}

/// Opens, reads and closes one extent. A small one costs a single trip to the drive's thread.
async fn read_one<T>(
    source: &DriveHandle,
    wanted: Wanted,
    digests: Digests,
    soon: Vec<Wanted>,
    feed: Feed<'_, T>,
) -> Result<DigestReceipt, ReadFailure> {
    let mut verifier = Verifier::new(digests);
    let mut buffer = feed.ring.take().await;
    let mut remaining = wanted.bytes.0;
    let checkpoints = feed.checkpoints.clone();
    let (opened, first) = source
        .run(move |volume| {
            soon.iter().for_each(|wanted| volume.foresee(wanted));
            let opened = volume.open(&wanted, ReadFrom::Anywhere);
            let opened = match opened {
                Ok(handle) => handle,
                Err(error) => return (Err(error), None),
            };
            checkpoints.reach(Step::ReadMiddle);
            let read = fill(volume, opened, &mut buffer, remaining);
            if read.is_err() || remaining == buffer.bytes().len() as u64 {
                volume.close(opened);
            }
            (Ok(opened), Some((read, buffer)))
        })
        .await?;
    let handle = opened?;
    let mut step = first.expect("an opened extent was read from");
    loop {
        let (read, buffer) = step;
        read?;
        remaining -= buffer.bytes().len() as u64;
        let (verified, buffer) = verify(verifier, buffer).await;
        verifier = match verified {
            Ok(verifier) => verifier,
            Err(mismatch) => {
                close(source, handle, remaining).await;
                return Err(mismatch.into());
            }
        };
        if !buffer.bytes().is_empty() && feed.to.send(Message::Bytes(buffer)).await.is_err() {
            close(source, handle, remaining).await;
            return Err(ReadFailure::GivenUp);
        }
        if remaining == 0 {
            return Ok(verifier.finish()?);
        }
        if feed.stop.would_wait_too_long(ByteCount(remaining)) {
            close(source, handle, remaining).await;
            return Err(ReadFailure::GivenUp);
        }
        let mut next = feed.ring.take().await;
        step = source
            .run(move |volume| {
                let read = fill(volume, handle, &mut next, remaining);
                if read.is_err() || remaining == next.bytes().len() as u64 {
                    volume.close(handle);
                }
                (read, next)
            })
            .await?;
        feed.stop.moved(ByteCount(step.1.bytes().len() as u64));
    }
}

/// The same of an extent in the spool, verified once more: what the spool made of it is not what the medium gave.
async fn read_spooled<T>(
    spool: &Spool,
    old: ExtentId,
    digests: Digests,
    feed: Feed<'_, T>,
) -> Result<DigestReceipt, ReadFailure> {
    let mut verifier = Verifier::new(digests);
    let mut remaining = spool.bytes_of(old);
    let whole = remaining;
    while remaining > 0 {
        let buffer = spool.read(old, whole - remaining, feed.ring.take().await).await?;
        let bytes = buffer.bytes().len() as u64;
        remaining -= bytes;
        let taken = verifier.take(buffer.bytes());
        taken.map_err(|_| spool.corrupt())?;
        if feed.to.send(Message::Bytes(buffer)).await.is_err() {
            return Err(ReadFailure::GivenUp);
        }
        feed.stop.moved(ByteCount(bytes));
        if feed.stop.would_wait_too_long(ByteCount(remaining)) {
            return Err(ReadFailure::GivenUp);
        }
    }
    verifier.finish().map_err(|_| spool.corrupt().into())
}

/// Digests large pieces off the runtime's threads' critical path only when it pays; a piece of the ring is at most a few
/// milliseconds of work.
async fn verify(mut verifier: Verifier, buffer: Buffer) -> (Result<Verifier, Mismatch>, Buffer) {
    let taken = verifier.take(buffer.bytes());
    (taken.map(|()| verifier), buffer)
}

/// Closes an extent that was not read to its end; one that was is closed already.
async fn close(source: &DriveHandle, handle: ReadHandle, remaining: u64) {
    if remaining > 0 {
        // A drive that is gone has nothing left to close.
        let _ = source.run(move |volume| volume.close(handle)).await;
    }
}

/// Fills a buffer as far as the extent goes. No bytes before the end are an error, never the end.
fn fill(volume: &mut dyn Volume, handle: ReadHandle, buffer: &mut Buffer, remaining: u64) -> Result<(), MediaError> {
    let room = buffer.room();
    let want = room.len().min(usize::try_from(remaining).unwrap_or(usize::MAX));
    let mut filled = 0;
    while filled < want {
        match volume.read(handle, &mut room[filled..want])? {
            0 => {
                return Err(MediaError {
                    op: Op::Read,
                    medium: volume.label().name.clone(),
                    at: None,
                    fault: Fault::Short {
                        expected: remaining,
                        got: filled as u64,
                    },
                });
            }
            bytes => filled += bytes,
        }
    }
    buffer.set_filled(filled);
    Ok(())
}

/// How much of an extent is read back in one piece of work on the drive's thread: a get of the same medium waits no
/// longer than this takes, nor does a stop.
const PIECE: u64 = 64 << 20;

/// An extent on its way back.
struct Under {
    verifier: Verifier,
    buffer: Buffer,
    remaining: u64,
}

/// Reads an extent whole from its medium and verifies it, without giving its bytes to anyone: read-back, and the proof
/// before a layout is put back on old bytes.
pub async fn read_back(source: &DriveHandle, extent: &Extent, ring: &mut Ring) -> Result<ReadBack, ReadFailure> {
    read_back_unless(source, extent, ring, || false).await
}

/// The same, given up between two pieces when `give_up` says so.
pub async fn read_back_unless(
    source: &DriveHandle,
    extent: &Extent,
    ring: &mut Ring,
    give_up: impl Fn() -> bool,
) -> Result<ReadBack, ReadFailure> {
    let Some(digests) = extent.digests.clone() else {
        return Err(Mismatch::Whole.into());
    };
    let wanted = Wanted::of(extent);
    let mut under = Under {
        verifier: Verifier::new(digests),
        buffer: ring.take().await,
        remaining: wanted.bytes.0,
    };
    let mut open = None;
    loop {
        let wanted = wanted.clone();
        let (handle, read) = source
            .run(move |volume| -> Result<(ReadHandle, Under), ReadFailure> {
                let handle = match open {
                    Some(handle) => handle,
                    None => volume.open(&wanted, ReadFrom::Medium)?,
                };
                let read = read_piece(volume, handle, under);
                if read.as_ref().map_or(true, |under| under.remaining == 0) {
                    volume.close(handle);
                }
                Ok((handle, read?))
            })
            .await??;
        under = read;
        if under.remaining == 0 {
            let receipt = under.verifier.finish()?;
            return ReadBack::checked(extent, &receipt).map_err(|_| Mismatch::Whole.into());
        }
        if give_up() {
            close(source, handle, under.remaining).await;
            return Err(ReadFailure::GivenUp);
        }
        open = Some(handle);
    }
}

fn read_piece(volume: &mut dyn Volume, handle: ReadHandle, mut under: Under) -> Result<Under, ReadFailure> {
    let mut piece = 0;
    while under.remaining > 0 && piece < PIECE {
        fill(volume, handle, &mut under.buffer, under.remaining)?;
        under.verifier.take(under.buffer.bytes())?;
        let bytes = under.buffer.bytes().len() as u64;
        under.remaining -= bytes;
        piece += bytes;
    }
    Ok(under)
}
