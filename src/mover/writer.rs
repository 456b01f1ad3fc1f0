//! Writes extents on their targets' threads, in the order they come.

use super::copy::{Copied, Failure, Item};
use super::reader::{Message, ReadFailure};
use super::ring::Buffer;
use dss::model::evidence::{DigestReceipt, WriteReceipt};
use dss::model::{Checkpoints, Digests, MediumId, Step, Verified, Written};
use lrs::ldm::fs::{Accepted, WriteHandle};
use lrs::ldm::{MediaError, MediaResult};
use lrs::worker::{DriveGone, DriveHandle};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Takes what the reader sends until it ends, and answers what became of every item.
pub(super) async fn write_all(
    targets: BTreeMap<MediumId, DriveHandle>,
    checkpoints: Arc<dyn Checkpoints>,
    mut from: mpsc::Receiver<Message<Item>>,
) -> Copied {
    let mut writer = Writer {
        targets,
        checkpoints,
        copied: Copied::default(),
        closed: BTreeSet::new(),
    };
    while let Some(message) = from.recv().await {
        match message {
            Message::Begin(item) => writer.extent(*item, &mut from).await,
            Message::NotBegun(items) => writer.copied.not_begun.extend(items),
            Message::Bytes(_) | Message::Good(_) | Message::Bad(_) => {
                unreachable!("the reader sends these only after a beginning, and the writer takes all of them")
            }
        }
    }
    writer.copied
}

struct Writer {
    targets: BTreeMap<MediumId, DriveHandle>,
    checkpoints: Arc<dyn Checkpoints>,
    copied: Copied,
    /// Targets that are full or failed in this window: nothing more goes to them.
    closed: BTreeSet<MediumId>,
}

/// What is known of the extent under way on the target's side.
enum Under {
    /// Nothing was sent yet.
    NotCreated,
    /// It is being written.
    Open(WriteHandle),
    /// The target does not take it; the rest of its bytes is let go.
    Lost(Failure),
    /// Its target took none after an earlier extent of this window, for the reason told there.
    Shut,
}

impl Writer {
    async fn extent(&mut self, item: Item, from: &mut mpsc::Receiver<Message<Item>>) {
        let mut under = if self.closed.contains(&item.target) {
            Under::Shut
        } else {
            Under::NotCreated
        };
        loop {
            match from.recv().await {
                Some(Message::Bytes(buffer)) => under = self.bytes(&item, under, buffer).await,
                Some(Message::Good(receipt)) => return self.good(item, under, receipt).await,
                Some(Message::Bad(failure)) => return self.bad(item, under, failure).await,
                Some(Message::Begin(_) | Message::NotBegun(_)) => {
                    unreachable!("the reader ends an extent before anything else")
                }
                None => return self.bad(item, under, ReadFailure::GivenUp).await,
            }
        }
    }

    async fn bytes(&mut self, item: &Item, under: Under, buffer: Buffer) -> Under {
        if matches!(under, Under::Lost(_) | Under::Shut) {
            return under;
        }
        let target = self.targets[&item.target].clone();
        let (tag, address, checkpoints) = (item.tag.clone(), item.address.clone(), self.checkpoints.clone());
        let written = target
            .run(move |volume| -> MediaResult<Option<WriteHandle>> {
                let handle = match under {
                    Under::Open(handle) => handle,
                    Under::NotCreated | Under::Lost(_) | Under::Shut => match volume.create(tag, &address)? {
                        Some(handle) => handle,
                        None => return Ok(None),
                    },
                };
                checkpoints.reach(Step::WriteMiddle);
                match volume.write(handle, buffer.bytes()) {
                    Ok(Accepted::All) => Ok(Some(handle)),
                    Ok(Accepted::EndOfMedium) => {
                        volume.abandon(handle);
                        Ok(None)
                    }
                    Err(error) => {
                        volume.abandon(handle);
                        Err(error)
                    }
                }
            })
            .await;
        self.settle(item, written)
    }

    fn settle(&mut self, item: &Item, written: Result<MediaResult<Option<WriteHandle>>, DriveGone>) -> Under {
        let failure = match written {
            Ok(Ok(Some(handle))) => return Under::Open(handle),
            Ok(Ok(None)) => Failure::NoRoom,
            Ok(Err(error)) => Failure::Target(error),
            Err(gone) => Failure::TargetDrive(gone),
        };
        self.closed.insert(item.target);
        Under::Lost(failure)
    }

    async fn good(&mut self, item: Item, mut under: Under, receipt: DigestReceipt) {
        self.checkpoints.reach(Step::VerifyAfter);
        if matches!(under, Under::NotCreated) {
            under = self.create_empty(&item).await;
        }
        let handle = match under {
            Under::Open(handle) => handle,
            Under::Lost(failure) => return self.copied.failed.push((item, failure)),
            Under::Shut => return self.copied.not_begun.push(item),
            Under::NotCreated => unreachable!("an empty extent was created just now"),
        };
        let (recorded, rest) = item.into_parts();
        let verified = match Verified::checked(recorded, receipt) {
            Ok(verified) => verified,
            Err(error) => {
                self.abandon(rest.target, handle).await;
                return self.copied.refused.push((rest.old, rest.oid, error.to_string()));
            }
        };
        match self.finish(rest.target, handle, rest.digests).await {
            Ok(receipt) => match Written::accepted(verified, receipt) {
                Ok(written) => {
                    self.copied.written.push((rest.old, written));
                    self.checkpoints.reach(Step::WriteAfter);
                }
                Err(error) => self.copied.refused.push((rest.old, rest.oid, error.to_string())),
            },
            Err(failure) => {
                self.closed.insert(rest.target);
                self.copied.unfinished.push((rest.old, rest.target, failure));
            }
        }
    }

    /// A zero-length extent is a file like any other.
    async fn create_empty(&mut self, item: &Item) -> Under {
        let (tag, address) = (item.tag.clone(), item.address.clone());
        let created = self.targets[&item.target]
            .run(move |volume| volume.create(tag, &address))
            .await;
        self.settle(item, created)
    }

    async fn finish(
        &mut self,
        target: MediumId,
        handle: WriteHandle,
        digests: Digests,
    ) -> Result<WriteReceipt, Failure> {
        let finished: Result<Result<WriteReceipt, MediaError>, DriveGone> = self.targets[&target]
            .run(move |volume| volume.finish(handle, digests))
            .await;
        match finished {
            Ok(Ok(receipt)) => Ok(receipt),
            Ok(Err(error)) => Err(Failure::Target(error)),
            Err(gone) => Err(Failure::TargetDrive(gone)),
        }
    }

    async fn bad(&mut self, item: Item, under: Under, failure: ReadFailure) {
        if let Under::Open(handle) = under {
            self.abandon(item.target, handle).await;
        }
        self.copied.failed.push((item, Failure::Source(failure)));
    }

    async fn abandon(&self, target: MediumId, handle: WriteHandle) {
        // A drive that is gone has nothing to give up; the pending row is swept either way.
        let _ = self.targets[&target].run(move |volume| volume.abandon(handle)).await;
    }
}
