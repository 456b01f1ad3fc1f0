//! Writes extents on their targets' threads, in the order they come.

use super::copy::{Copied, Failure, Item, Misfit, Rest};
use super::reader::{Message, ReadFailure};
use super::ring::Buffer;
use super::whole::{NotTaken, TOGETHER, Tried, Whole, write_each};
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
        after: None,
    };
    while let Some(message) = writer.next(&mut from).await {
        match message {
            Message::Begin(item) => writer.extent(*item, &mut from).await,
            Message::Whole(item, buffer, receipt) => {
                writer
                    .whole(
                        Given {
                            item: *item,
                            buffer,
                            receipt,
                        },
                        &mut from,
                    )
                    .await
            }
            Message::Unread(item, failure) => writer.copied.failed.push((*item, Failure::Source(failure))),
            Message::NotBegun(items) => writer.copied.untouched.extend(items),
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
    /// What came after small extents that were written together.
    after: Option<Message<Item>>,
}

/// A small extent to be written.
struct Given {
    item: Item,
    buffer: Buffer,
    receipt: DigestReceipt,
}

/// What is known of the extent under way on the target's side.
enum Under {
    /// Nothing was sent yet.
    NotCreated,
    /// It is being written.
    Open(WriteHandle),
    /// The target does not take it; the rest of its bytes is let go.
    Lost(Failure),
    /// The same, for what is said of it: the target takes the next one.
    Misfit(MediaError),
    /// Its target took none after an earlier extent of this window, for the reason told there.
    Shut,
}

impl Writer {
    async fn next(&mut self, from: &mut mpsc::Receiver<Message<Item>>) -> Option<Message<Item>> {
        match self.after.take() {
            Some(message) => Some(message),
            None => from.recv().await,
        }
    }

    /// A small extent, and those for the same target that are there already: all in one trip.
    async fn whole(&mut self, first: Given, from: &mut mpsc::Receiver<Message<Item>>) {
        let target = first.item.target;
        let mut group = vec![first];
        while group.len() < TOGETHER {
            match from.try_recv() {
                Ok(Message::Whole(item, buffer, receipt)) if item.target == target => {
                    group.push(Given {
                        item: *item,
                        buffer,
                        receipt,
                    });
                }
                Ok(other) => {
                    self.after = Some(other);
                    break;
                }
                Err(_) => break,
            }
        }
        if self.closed.contains(&target) {
            return self.copied.untouched.extend(group.into_iter().map(|given| given.item));
        }
        let (mut taken, mut work) = (vec![], vec![]);
        for Given { item, buffer, receipt } in group {
            self.checkpoints.reach(Step::VerifyAfter);
            work.push(Whole {
                tag: item.tag.clone(),
                address: item.address.clone(),
                bytes: buffer,
                digests: receipt.digests().clone(),
            });
            taken.push((item, receipt));
        }
        let checkpoints = self.checkpoints.clone();
        let written = self.targets[&target]
            .run(move |volume| write_each(volume, work, || checkpoints.reach(Step::WriteMiddle)))
            .await;
        self.account(taken, written);
    }

    /// Puts each of a group into its list.
    fn account(&mut self, group: Vec<(Item, DigestReceipt)>, written: Result<(Tried, Option<NotTaken>), DriveGone>) {
        let (tried, mut why) = match written {
            Ok(written) => written,
            Err(gone) => (vec![], Some(NotTaken::Gone(gone))),
        };
        let unheard = matches!(why, Some(NotTaken::Gone(_)));
        let mut tried = tried.into_iter();
        for (item, digests) in group {
            match tried.next() {
                Some(Ok(receipt)) => self.accept(item, digests, receipt),
                Some(Err(error)) => self.leave_out(item.into_parts().1, error),
                None => match why.take() {
                    Some(why) => self.refuse(item, why),
                    None if unheard => self.copied.unheard.push(item),
                    None => self.copied.untouched.push(item),
                },
            }
        }
    }

    /// One of which more is said than its target can keep. The others go on.
    fn leave_out(&mut self, rest: Rest, error: MediaError) {
        let Rest { old, oid, .. } = rest;
        self.copied.misfits.push(Misfit { old, oid, error });
    }

    fn accept(&mut self, item: Item, digests: DigestReceipt, receipt: WriteReceipt) {
        let (recorded, rest) = item.into_parts();
        let written = Verified::checked(recorded, digests).and_then(|verified| Written::accepted(verified, receipt));
        match written {
            Ok(written) => {
                self.copied.written.push((rest.old, written));
                self.checkpoints.reach(Step::WriteAfter);
            }
            Err(error) => self.copied.refused.push((rest.old, rest.oid, error.to_string())),
        }
    }

    /// The first that its target did not take, for this reason: those after it were not begun, but where nothing was
    /// heard of how far it came.
    fn refuse(&mut self, item: Item, why: NotTaken) {
        self.closed.insert(item.target);
        match why {
            NotTaken::NoRoom => self.copied.failed.push((item, Failure::NoRoom)),
            NotTaken::Failed(error) => self.copied.failed.push((item, Failure::Target(error))),
            NotTaken::Gone(gone) => self.copied.failed.push((item, Failure::TargetDrive(gone))),
            NotTaken::Unended(error) => {
                let unfinished = (item.old, item.target, Failure::Target(error));
                self.copied.unfinished.push(unfinished);
            }
        }
    }

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
                Some(Message::Begin(_) | Message::Whole(..) | Message::Unread(..) | Message::NotBegun(_)) => {
                    unreachable!("the reader ends an extent before anything else")
                }
                None => return self.bad(item, under, ReadFailure::GivenUp).await,
            }
        }
    }

    async fn bytes(&mut self, item: &Item, under: Under, buffer: Buffer) -> Under {
        if matches!(under, Under::Lost(_) | Under::Misfit(_) | Under::Shut) {
            return under;
        }
        let target = self.targets[&item.target].clone();
        let (tag, address, checkpoints) = (item.tag.clone(), item.address.clone(), self.checkpoints.clone());
        let written = target
            .run(move |volume| -> MediaResult<Option<WriteHandle>> {
                let handle = match under {
                    Under::Open(handle) => handle,
                    Under::NotCreated | Under::Lost(_) | Under::Misfit(_) | Under::Shut => {
                        match volume.create(tag, &address)? {
                            Some(handle) => handle,
                            None => return Ok(None),
                        }
                    }
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
            Ok(Err(error)) if error.fault.is_of_extent() => return Under::Misfit(error),
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
            Under::Misfit(error) => return self.leave_out(item.into_parts().1, error),
            Under::Shut => return self.copied.untouched.push(item),
            Under::NotCreated => unreachable!("an empty extent was created just now"),
        };
        let (recorded, rest) = item.into_parts();
        let digests = receipt.digests().clone();
        let verified = match Verified::checked(recorded, receipt) {
            Ok(verified) => verified,
            Err(error) => {
                self.abandon(rest.target, handle).await;
                return self.copied.refused.push((rest.old, rest.oid, error.to_string()));
            }
        };
        match self.finish(rest.target, handle, digests).await {
            Ok(receipt) => match Written::accepted(verified, receipt) {
                Ok(written) => {
                    self.copied.written.push((rest.old, written));
                    self.checkpoints.reach(Step::WriteAfter);
                }
                Err(error) => self.copied.refused.push((rest.old, rest.oid, error.to_string())),
            },
            Err(Failure::Target(error)) if error.fault.is_of_extent() => self.leave_out(rest, error),
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
