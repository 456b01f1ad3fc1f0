//! The read half of a staged batch: extents are read and verified on their drives' threads and kept in the spool.

use super::copy::CopyStop;
use super::reader::{Message, ReadFailure, Readable, Reads, read_all};
use super::ring::{Buffer, Ring};
use super::spool::Spool;
use dss::model::evidence::DigestReceipt;
use dss::model::{Checkpoints, Expected, ExtentId, MediumId, Oid, Step};
use lrs::ldm::fs::Wanted;
use lrs::ldm::spool::SpoolError;
use lrs::worker::DriveHandle;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::mpsc;

/// An extent to be read ahead.
#[derive(Clone, Debug)]
pub struct Sought {
    /// The extent that is to be moved.
    pub old: ExtentId,
    /// Of which object.
    pub oid: Oid,
    /// From where.
    pub source: MediumId,
    /// What to read there.
    pub wanted: Wanted,
    /// What is known of its bytes.
    pub expected: Expected,
}

impl Readable for Sought {
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

/// What became of a batch. What stands in no list is in the spool.
#[derive(Debug, Default)]
pub struct Filled {
    /// How many extents the spool has now.
    pub kept: u64,
    /// Not read, and why.
    pub failed: Vec<(Sought, ReadFailure)>,
    /// Not begun, or begun in vain: a stop was asked for, or the spool took no more.
    pub not_begun: Vec<Sought>,
    /// Why the spool took no more.
    pub trouble: Option<SpoolError>,
}

/// Reads extents into the spool, in the order given, until the last, a stop, or a spool that takes no more.
pub async fn fill(
    items: Vec<Sought>,
    drives: BTreeMap<MediumId, DriveHandle>,
    ring: &mut Ring,
    stop: &CopyStop,
    checkpoints: Arc<dyn Checkpoints>,
    spool: &mut Spool,
) -> Filled {
    let (to, from) = mpsc::channel(ring.count());
    let reader = read_all(items, Reads::Drives(drives), ring, stop, checkpoints.clone(), to);
    let keeper = Keeper {
        spool,
        stop,
        checkpoints,
        filled: Filled::default(),
    };
    let ((), filled) = tokio::join!(reader, keeper.all(from));
    filled
}

struct Keeper<'a> {
    spool: &'a mut Spool,
    stop: &'a CopyStop,
    checkpoints: Arc<dyn Checkpoints>,
    filled: Filled,
}

impl Keeper<'_> {
    async fn all(mut self, mut from: mpsc::Receiver<Message<Sought>>) -> Filled {
        while let Some(message) = from.recv().await {
            match message {
                Message::Begin(item) => self.extent(*item, &mut from).await,
                Message::Whole(item, buffer, receipt) => self.whole(*item, buffer, &receipt).await,
                Message::Unread(item, failure) => self.filled.failed.push((*item, failure)),
                Message::NotBegun(items) => self.filled.not_begun.extend(items),
                Message::Bytes(_) | Message::Good(_) | Message::Bad(_) => {
                    unreachable!("the reader sends these only after a beginning, and all of them are taken there")
                }
            }
        }
        self.filled
    }

    async fn extent(&mut self, item: Sought, from: &mut mpsc::Receiver<Message<Sought>>) {
        let room = self.spool.has_room(item.wanted.bytes);
        let mut takes = self.filled.trouble.is_none() && self.goes(room);
        let mut had = 0;
        loop {
            match from.recv().await {
                Some(Message::Bytes(buffer)) if takes => {
                    self.checkpoints.reach(Step::SpoolMiddle);
                    let bytes = buffer.bytes().len() as u64;
                    let appended = self.spool.append(had, buffer).await;
                    takes = self.goes(appended);
                    had += bytes;
                }
                // The rest of what the spool does not take is let go.
                Some(Message::Bytes(_)) => {}
                // The bytes are verified again when they are written, against what they digest to now where nothing is
                // known of them; this receipt served to keep wrong ones out.
                Some(Message::Good(receipt)) if takes => {
                    self.spool.keep(item.old, had, &receipt);
                    self.filled.kept += 1;
                    return;
                }
                Some(Message::Good(_)) => return self.filled.not_begun.push(item),
                Some(Message::Bad(failure)) => return self.filled.failed.push((item, failure)),
                Some(Message::Begin(_) | Message::Whole(..) | Message::Unread(..) | Message::NotBegun(_)) => {
                    unreachable!("the reader ends an extent before anything else")
                }
                None => return self.filled.failed.push((item, ReadFailure::GivenUp)),
            }
        }
    }

    /// A small extent, with all its bytes.
    async fn whole(&mut self, item: Sought, buffer: Buffer, receipt: &DigestReceipt) {
        let bytes = buffer.bytes().len() as u64;
        let room = self.spool.has_room(item.wanted.bytes);
        let mut takes = self.filled.trouble.is_none() && self.goes(room);
        if takes && bytes > 0 {
            self.checkpoints.reach(Step::SpoolMiddle);
            let appended = self.spool.append(0, buffer).await;
            takes = self.goes(appended);
        }
        if takes {
            self.spool.keep(item.old, bytes, receipt);
            self.filled.kept += 1;
        } else {
            self.filled.not_begun.push(item);
        }
    }

    /// A spool that does not take an extent takes none after it: reading on would be for nothing.
    fn goes(&mut self, done: Result<(), SpoolError>) -> bool {
        match done {
            Ok(()) => true,
            Err(error) => {
                self.filled.trouble.get_or_insert(error);
                self.stop.ask();
                false
            }
        }
    }
}
