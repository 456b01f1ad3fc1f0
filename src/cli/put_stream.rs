//! Sends files as one stream of frames and hears what became of each. Reads every file once; one that changes while it is
//! read is not stored. Ctrl-C stops the sending; what was sent whole is stored, and counted, all the same.

use super::interrupts;
use super::progress::Bar;
use super::put::Manner;
use super::visible::on_one_line;
use crate::api::frame::{Kind, head, json};
use crate::api::objects::PutResult;
use crate::api::requests::StreamEnd;
use crate::api::wire::{Line, Nothing};
use crate::api::{Problem, PutHeader};
use crate::client::{Body, Client, Lines, decode, gone};
use bytes::{Bytes, BytesMut};
use dss::model::{Blake3, ByteCount, Metadata, Oid};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use jiff::Timestamp;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::signal::unix::Signal;
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

/// Bytes of one data frame.
const PIECE: usize = 1 << 20;
/// Small frames go together until they have so many bytes.
const PARCEL: usize = 128 << 10;
/// Parcels that wait for respoold.
const AHEAD: usize = 8;
/// How long respoold has, after Ctrl-C, to answer for what was sent.
const LAST_ANSWERS: Duration = Duration::from_secs(60);
/// The word for what Ctrl-C ended.
pub const INTERRUPTED: &str = "interrupted";
const STOPPING: &str =
    "stopping: no more is sent, and what was sent is waited for, a minute at most; Ctrl-C again returns at once";

/// A file that becomes an object.
#[derive(Clone, Debug)]
pub struct Item {
    /// The file.
    pub path: PathBuf,
    /// The object's name.
    pub oid: Oid,
}

/// How a stream of puts ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Every object was sent and answered, and, after Ctrl-C, stored.
    Whole,
    /// Ctrl-C: no more is to be sent, and what had been sent was answered.
    Stopped,
    /// Ctrl-C, and this command did not wait for all answers: so many objects have none.
    Left {
        /// Objects that were begun and not answered.
        unanswered: usize,
    },
}

/// What respoold answered, of objects that were not given up.
#[derive(Debug, Default)]
struct Answers {
    heard: usize,
    stored: usize,
}

impl Answers {
    /// How it ended, when all that was sent is answered. An interrupt after the last byte stopped nothing, unless something
    /// is not stored: that is not sent again.
    fn ending(&self, count: usize, reading: &Reading) -> Ending {
        let done = if reading.stopped() { self.stored } else { self.heard };
        match done == count {
            true => Ending::Whole,
            false => Ending::Stopped,
        }
    }
}

/// How far the files are read, and whether they are to be read on.
#[derive(Debug, Default)]
struct Reading {
    bytes: AtomicU64,
    /// Objects that were begun.
    begun: AtomicUsize,
    stop: AtomicBool,
}

impl Reading {
    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// The end of a command that waits no longer.
    fn left(&self, answered: usize) -> Ending {
        Ending::Left {
            unanswered: self.begun.load(Ordering::Relaxed).saturating_sub(answered),
        }
    }
}

/// Sends items in order; `each` hears every result. Ctrl-C is an error.
pub async fn send(
    client: &Client,
    items: Vec<Item>,
    manner: &Manner,
    bar: &mut Bar,
    each: impl FnMut(PutResult),
) -> Result<(), Problem> {
    let mut interrupts = interrupts()?;
    match send_until(client, items, manner, (bar, &mut interrupts), each).await? {
        Ending::Whole => Ok(()),
        Ending::Stopped | Ending::Left { .. } => {
            let message = "the put was interrupted; what was not acknowledged may not be stored";
            Err(Problem::stopped(INTERRUPTED, "put", message).next("put it again"))
        }
    }
}

/// The same, up to Ctrl-C: then the object under way is given up, no more is sent, and respoold has a while to answer for
/// what was. A second one ends it at once.
pub async fn send_until(
    client: &Client,
    items: Vec<Item>,
    manner: &Manner,
    (bar, interrupts): (&mut Bar, &mut Signal),
    mut each: impl FnMut(PutResult),
) -> Result<Ending, Problem> {
    let (count, total) = (items.len(), total(&items));
    let reading = Arc::new(Reading::default());
    let (frames, receiver) = mpsc::channel::<Bytes>(AHEAD);
    let path = format!("/v1/object/put?expected={}&split={}", total.0, manner.split);
    let work = read_all(items, manner.clone(), frames, Arc::clone(&reading));
    let body = StreamBody::new(ReceiverStream::new(receiver).map(|bytes| Ok(Frame::data(bytes))));
    let response = client
        .send(&path, Body::new(body.map_err(|never: io::Error| never)))
        .await?;
    let mut lines = Lines::new(response);
    let mut tick = tokio::time::interval(Duration::from_millis(200));
    let (mut answered, mut answers) = (0, Answers::default());
    let mut patience: Option<Instant> = None;
    loop {
        let line = tokio::select! {
            line = lines.next() => line?,
            _ = tick.tick() => {
                bar.bytes(ByteCount(reading.bytes.load(Ordering::Relaxed)), total, "sent");
                if patience.is_some_and(|until| until <= Instant::now()) {
                    return Ok(reading.left(answered));
                }
                continue;
            }
            Some(()) = interrupts.recv() => {
                if patience.is_some() {
                    return Ok(reading.left(answered));
                }
                patience = Some(Instant::now() + LAST_ANSWERS);
                reading.stop.store(true, Ordering::Relaxed);
                bar.say(STOPPING);
                continue;
            }
        };
        let Some(line) = line else {
            return Err(gone(&"the answer ended"));
        };
        match decode::<Line<PutResult, Nothing>>(&line)? {
            Line::Item(result) => {
                answered += 1;
                if !(reading.stopped() && was_given_up(&result)) {
                    answers.heard += 1;
                    answers.stored += usize::from(matches!(result, PutResult::Stored(_)));
                    each(result);
                }
            }
            Line::Problem(problem) => return Err(problem),
            Line::End(Nothing {}) => break,
        }
    }
    work.await.map_err(|panic| Problem::bug("put", panic.to_string()))?;
    Ok(answers.ending(count, &reading))
}

fn total(items: &[Item]) -> ByteCount {
    let found = items.iter().filter_map(|item| std::fs::metadata(&item.path).ok());
    found.map(|found| ByteCount(found.len())).sum()
}

/// Reads the files one after the other, in a thread of its own, until all are read or it is told to stop.
fn read_all(
    items: Vec<Item>,
    manner: Manner,
    frames: mpsc::Sender<Bytes>,
    reading: Arc<Reading>,
) -> tokio::task::JoinHandle<()> {
    tokio::task::spawn_blocking(move || {
        let mut parcels = Parcels {
            frames,
            parcel: BytesMut::new(),
        };
        let mut wanted = items.iter().take_while(|_| !reading.stopped());
        let sent = wanted.try_for_each(|item| stream(item, &manner, &mut parcels, &reading));
        // Where respoold hung up, its answer says why.
        let _ = sent.and_then(|()| parcels.send());
    })
}

/// Whether an object is not stored because this command gave it up at Ctrl-C.
fn was_given_up(result: &PutResult) -> bool {
    matches!(result, PutResult::Refused { problem, .. } if problem.code == INTERRUPTED)
}

/// respoold takes no more.
struct HungUp;

/// Frames on their way: many small ones are sent as one piece.
struct Parcels {
    frames: mpsc::Sender<Bytes>,
    parcel: BytesMut,
}

impl Parcels {
    fn push(&mut self, bytes: Bytes) -> Result<(), HungUp> {
        if bytes.len() >= PARCEL {
            self.send()?;
            return self.frames.blocking_send(bytes).map_err(|_| HungUp);
        }
        self.parcel.extend_from_slice(&bytes);
        if self.parcel.len() >= PARCEL {
            self.send()
        } else {
            Ok(())
        }
    }

    fn send(&mut self) -> Result<(), HungUp> {
        if self.parcel.is_empty() {
            return Ok(());
        }
        let parcel = self.parcel.split().freeze();
        self.frames.blocking_send(parcel).map_err(|_| HungUp)
    }
}

fn stream(item: &Item, manner: &Manner, parcels: &mut Parcels, reading: &Reading) -> Result<(), HungUp> {
    let mut push = |bytes: Bytes| parcels.push(bytes);
    reading.begun.fetch_add(1, Ordering::Relaxed);
    let (mut file, bytes, metadata) = match open(item, manner) {
        Ok(opened) => opened,
        Err(why) => {
            // Announced all the same: every object has a result.
            push(header(item, manner, ByteCount::ZERO, Metadata::default()))?;
            return push(json(Kind::Problem, &why));
        }
    };
    push(header(item, manner, bytes, metadata))?;
    let mut whole = blake3::Hasher::new();
    let mut left = bytes.0;
    while left > 0 {
        if reading.stopped() {
            let why = Problem::stopped(INTERRUPTED, item.oid.as_str(), "the put was interrupted");
            return push(json(Kind::Problem, &why));
        }
        let mut piece = BytesMut::zeroed(PIECE.min(usize::try_from(left).unwrap_or(PIECE)));
        match file.read(&mut piece) {
            Ok(0) => return push(json(Kind::Problem, &changed(&item.path, "became shorter"))),
            Ok(count) => piece.truncate(count),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return push(json(Kind::Problem, &unreadable(&item.path, &error))),
        }
        left -= piece.len() as u64;
        whole.update(&piece);
        push(head(Kind::Data, piece.len()))?;
        reading.bytes.fetch_add(piece.len() as u64, Ordering::Relaxed);
        push(piece.freeze())?;
    }
    if !matches!(file.read(&mut [0]), Ok(0)) {
        return push(json(Kind::Problem, &changed(&item.path, "became longer")));
    }
    push(json(
        Kind::End,
        &StreamEnd {
            bytes,
            blake3: Blake3(*whole.finalize().as_bytes()),
        },
    ))
}

fn header(item: &Item, manner: &Manner, bytes: ByteCount, metadata: Metadata) -> Bytes {
    json(
        Kind::Header,
        &PutHeader {
            oid: item.oid.clone(),
            bytes,
            copies: manner.copies,
            overwrite: manner.overwrite,
            tags: manner.tags.clone(),
            grouping: manner.grouping.clone(),
            metadata: Metadata {
                user: manner.meta.clone(),
                ..metadata
            },
        },
    )
}

fn changed(path: &Path, how: &str) -> Problem {
    let path = on_one_line(&path.display().to_string());
    let message = format!("{path} {how} while it was read");
    Problem::refused("file_changed", path, message).next("put it again when nobody writes to the file")
}

/// What its owner can correct is refused; a disk that fails is none of the request's fault.
pub(super) fn unreadable(path: &Path, error: &io::Error) -> Problem {
    let path = on_one_line(&path.display().to_string());
    let message = format!("{path} cannot be read: {error}");
    match Errno::from_raw(error.raw_os_error().unwrap_or_default()) {
        Errno::ENOENT
        | Errno::ENOTDIR
        | Errno::ELOOP
        | Errno::ENAMETOOLONG
        | Errno::ENXIO
        | Errno::EACCES
        | Errno::EPERM => Problem::refused("unreadable", path, message).next("correct the path or its permissions"),
        _ => Problem::environment("unreadable", "operator", path, message)
            .next("see to the disk that the file lies on, and put it again"),
    }
}

/// Opens a file as it is put.
pub(super) fn open_file(path: &Path, follow: bool) -> io::Result<File> {
    // Whatever took the file's place since it was looked at is neither followed nor waited for.
    let nofollow = if follow { OFlag::empty() } else { OFlag::O_NOFOLLOW };
    OpenOptions::new()
        .read(true)
        .custom_flags((nofollow | OFlag::O_NONBLOCK).bits())
        .open(path)
}

fn open(item: &Item, manner: &Manner) -> Result<(File, ByteCount, Metadata), Problem> {
    let failed = |error| unreadable(&item.path, &error);
    let file = open_file(&item.path, manner.follow).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    if !found.is_file() {
        return Err(changed(&item.path, "was replaced by something that is no file"));
    }
    let nanos = i32::try_from(found.mtime_nsec()).unwrap_or_default();
    let metadata = Metadata {
        xattrs: xattrs(&item.path),
        mode: Some(found.mode() & 0o7777),
        mtime: Timestamp::new(found.mtime(), nanos).ok(),
        ..Metadata::default()
    };
    Ok((file, ByteCount(found.len()), metadata))
}

/// The file's own attributes. Those of the security modules belong to the host and stay there; a file system without
/// attributes has none.
fn xattrs(path: &Path) -> std::collections::BTreeMap<String, String> {
    let names = xattr::list_deref(path).into_iter().flatten();
    names
        .filter_map(|name| name.into_string().ok())
        .filter(|name| name.starts_with("user.") || name.starts_with("trusted."))
        .filter_map(|name| {
            let value = xattr::get_deref(path, &name).ok()??;
            let hex = value.iter().map(|byte| format!("{byte:02x}")).collect();
            Some((name, hex))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_ctrl_c_nothing_that_is_not_stored_is_sent_again() {
        let ending = |heard, stored, stop| {
            let reading = Reading {
                stop: AtomicBool::new(stop),
                ..Reading::default()
            };
            Answers { heard, stored }.ending(3, &reading)
        };
        assert_eq!(ending(3, 2, false), Ending::Whole);
        assert_eq!(ending(3, 2, true), Ending::Stopped);
        assert_eq!(ending(3, 3, true), Ending::Whole);
        assert_eq!(ending(2, 2, true), Ending::Stopped);
    }
}
