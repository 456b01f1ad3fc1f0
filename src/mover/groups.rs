//! Small extents in groups, each of which is one trip to its drive's thread: while a group is verified and written, the
//! drive reads the next one.

use super::copy::CopyStop;
use super::foresight::Foresight;
use super::pieces::{aside, fill};
use super::reader::{Feed, Message, ReadFailure, Readable};
use super::ring::{Buffer, Ring};
use super::verifier::{Mismatch, Verifier};
use super::whole::TOGETHER;
use dss::model::evidence::DigestReceipt;
use dss::model::{ByteCount, Expected, MediumId, Step};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::{ReadFrom, ReadHandle, Volume, Wanted};
use lrs::worker::DriveHandle;
use std::any::Any;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use tokio::sync::mpsc;

/// How many bytes are read in one trip, unless a single extent has more: whoever wants something else of the drive waits
/// as long as that takes.
const TRIP_BYTES: u64 = 16 << 20;

/// How many of the next extents, of these sizes, are read in one trip: each in a buffer of its own, and at most half of
/// the ring, so that while one group is verified and written, another one is read.
pub(super) fn one_trip(sizes: impl Iterator<Item = ByteCount>, ring: &Ring) -> usize {
    let most = TOGETHER.min(ring.count() / 2);
    let mut bytes = 0;
    let fits = |size: &ByteCount| {
        bytes += size.0;
        size.0 <= ring.size() as u64 && (bytes <= TRIP_BYTES || bytes == size.0)
    };
    sizes.take(most).take_while(fits).count()
}

/// How many of the next extents are read in one trip: small ones of one drive.
pub(super) fn small_ones<T: Readable>(items: &[T], ring: &Ring) -> usize {
    let Some(source) = items.first().map(Readable::source) else {
        return 0;
    };
    let same = items.iter().take_while(|item| item.source() == source);
    one_trip(same.map(|item| item.wanted().bytes), ring)
}

/// The writer went away.
pub(super) struct WriterLeft;

/// A group that was read. After a stop was asked for, the last of its extents have no result.
struct Group<T> {
    items: Vec<T>,
    results: Vec<Result<Buffer, ReadFailure>>,
}

/// Reads the small extents that come next, up to one that is not small or a stop.
pub(super) async fn read_groups<T: Readable>(
    drives: &BTreeMap<MediumId, DriveHandle>,
    items: &mut std::vec::IntoIter<T>,
    foresight: &mut Foresight,
    feed: Feed<'_, T>,
) -> Result<(), WriterLeft> {
    let Feed {
        ring,
        stop,
        checkpoints,
        to,
    } = feed;
    let mut read = None;
    loop {
        let next = match stop.is_asked() {
            true => 0,
            false => small_ones(items.as_slice(), ring),
        };
        let group: Vec<T> = items.by_ref().take(next).collect();
        let trip = Trip {
            wanted: group.iter().map(|item| item.wanted().clone()).collect(),
            soon: soon(&group, items.as_slice(), foresight),
            from: ReadFrom::Anywhere,
        };
        let checkpoints = checkpoints.clone();
        let middle = move || checkpoints.reach(Step::ReadMiddle);
        let reading = async {
            let drive = &drives[&group.first()?.source()];
            let results = trip.make(drive, ring, middle, stop.heard()).await;
            Some(Group { items: group, results })
        };
        let passing = async {
            match read {
                Some(group) => pass_on(group, stop, to).await,
                None => Ok(()),
            }
        };
        let (next, passed) = tokio::join!(reading, passing);
        passed?;
        if next.is_none() {
            return Ok(());
        }
        read = next;
    }
}

/// What the drive of a group is told of. Those of the group itself are fetched side by side.
fn soon<T: Readable>(group: &[T], rest: &[T], foresight: &mut Foresight) -> Vec<Wanted> {
    let mut soon = vec![];
    for (number, item) in group.iter().enumerate() {
        let rest = group[number + 1..].iter().chain(rest);
        soon.extend(foresight.after(item.wanted(), rest, item.source()));
    }
    soon
}

/// Has a group verified, and hands it to the writer.
async fn pass_on<T: Readable>(
    group: Group<T>,
    stop: &CopyStop,
    to: &mpsc::Sender<Message<T>>,
) -> Result<(), WriterLeft> {
    let expected = group.items.iter().map(|item| Some(item.expected().clone()));
    let results = verify_all(expected.zip(group.results).collect()).await;
    let mut items = group.items.into_iter();
    for (result, item) in results.into_iter().zip(items.by_ref()) {
        let message = match result {
            Ok((buffer, receipt)) => {
                stop.moved(item.wanted().bytes);
                Message::Whole(Box::new(item), buffer, receipt)
            }
            Err(failure) => Message::Unread(Box::new(item), failure),
        };
        to.send(message).await.map_err(|_| WriterLeft)?;
    }
    let rest: Vec<T> = items.collect();
    if rest.is_empty() {
        return Ok(());
    }
    // A stop was asked for.
    to.send(Message::NotBegun(rest)).await.map_err(|_| WriterLeft)
}

/// What a panic was about.
type Panic = Box<dyn Any + Send>;

/// Small extents that are read in one trip to their drive's thread.
pub(super) struct Trip {
    /// Which, in their order.
    pub(super) wanted: Vec<Wanted>,
    /// What the drive is told of before.
    pub(super) soon: Vec<Wanted>,
    /// Whether the host's memory will do.
    pub(super) from: ReadFrom,
}

impl Trip {
    /// Opens, reads and closes them. `middle` is called when an extent is open and no byte of it was read. Those that a
    /// stop came before have no result; the first has one in any case.
    pub(super) async fn make(
        self,
        drive: &DriveHandle,
        ring: &mut Ring,
        middle: impl Fn() + Send + 'static,
        stopped: impl Fn() -> bool + Send + 'static,
    ) -> Vec<Result<Buffer, ReadFailure>> {
        let count = self.wanted.len();
        if count == 0 {
            return vec![];
        }
        let mut buffers = Vec::with_capacity(count);
        for _ in 0..count {
            buffers.push(ring.take().await);
        }
        let read = drive
            .run(move |volume| self.read(volume, buffers, middle, stopped))
            .await;
        match read {
            Ok(Err(panic)) => resume_unwind(panic),
            Ok(Ok(read)) => read.into_iter().map(|one| one.map_err(ReadFailure::from)).collect(),
            Err(gone) => (0..count).map(|_| Err(gone.clone().into())).collect(),
        }
    }

    fn read(
        self,
        volume: &mut dyn Volume,
        buffers: Vec<Buffer>,
        middle: impl Fn(),
        stopped: impl Fn() -> bool,
    ) -> Result<Vec<MediaResult<Buffer>>, Panic> {
        self.soon.iter().for_each(|wanted| volume.foresee(wanted));
        let opened = self.open_ahead(volume);
        let (mut read, mut ended, mut panic) = (vec![], false, None);
        for ((wanted, opened), buffer) in self.wanted.iter().zip(opened).zip(buffers) {
            ended = ended || !read.is_empty() && stopped();
            match opened {
                Some(Ok(handle)) if ended => volume.close(handle),
                _ if ended => {}
                opened => {
                    let opened = opened.unwrap_or_else(|| self.open(volume, wanted));
                    // A drill's panic is of whoever asked, not of the drive.
                    panic = opened
                        .as_ref()
                        .ok()
                        .and_then(|_| catch_unwind(AssertUnwindSafe(&middle)).err());
                    ended = panic.is_some();
                    match opened {
                        Ok(handle) if ended => volume.close(handle),
                        opened => read.push(opened.and_then(|handle| read_whole(volume, handle, wanted, buffer))),
                    }
                }
            }
        }
        match panic {
            Some(panic) => Err(panic),
            None => Ok(read),
        }
    }

    /// Opens all of them at the start, so that the device fetches them side by side. Where the host has no more handles,
    /// the rest are opened in their turn, when those before them are closed.
    fn open_ahead(&self, volume: &mut dyn Volume) -> Vec<Option<MediaResult<ReadHandle>>> {
        let mut scarce = false;
        let each = |one| {
            let opened = (!scarce).then(|| self.open(volume, one))?;
            scarce = matches!(&opened, Err(error) if error.fault.is_of_host());
            (!scarce).then_some(opened)
        };
        self.wanted.iter().map(each).collect()
    }

    /// Opens one. What the host's memory had of it is dropped where it does not count, and fetched anew side by side with
    /// the others'.
    fn open(&self, volume: &mut dyn Volume, wanted: &Wanted) -> MediaResult<ReadHandle> {
        let handle = volume.open(wanted, self.from)?;
        if self.from == ReadFrom::Medium {
            volume.foresee(wanted);
        }
        Ok(handle)
    }
}

fn read_whole(volume: &mut dyn Volume, handle: ReadHandle, wanted: &Wanted, mut buffer: Buffer) -> MediaResult<Buffer> {
    let read = fill(volume, handle, &mut buffer, wanted.bytes.0);
    volume.close(handle);
    read.map(|()| buffer)
}

/// Bytes that are what the catalogue says, and the proof.
type Verified = (Buffer, DigestReceipt);

/// Verifies a group in a task of its own: whoever waits for it reads and writes meanwhile.
pub(super) async fn verify_all(
    group: Vec<(Option<Expected>, Result<Buffer, ReadFailure>)>,
) -> Vec<Result<Verified, ReadFailure>> {
    let count = group.len();
    let digesting = aside(move || {
        group
            .into_iter()
            .map(|(expected, read)| verified(expected, read?))
            .collect()
    });
    let given_up = || (0..count).map(|_| Err(ReadFailure::GivenUp)).collect();
    digesting.await.unwrap_or_else(given_up)
}

fn verified(expected: Option<Expected>, buffer: Buffer) -> Result<Verified, ReadFailure> {
    let mut verifier = Verifier::new(expected.ok_or(Mismatch::Whole)?);
    verifier.take(buffer.bytes())?;
    Ok((buffer, verifier.finish()?))
}
