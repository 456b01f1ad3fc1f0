//! One copy of one extent on its way to its medium: bytes queue here and are written on the drive's thread, so that
//! copies overlap with each other and with the client's sending.

use super::targets::Target;
use super::trouble::Trouble;
use crate::mover::ring::Buffer;
use crate::mover::taken;
use dss::model::object::Place;
use dss::model::{Digests, Recorded, Written};
use lrs::ldm::fs::{Accepted, ExtentTag, WriteHandle};
use lrs::worker::DriveHandle;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How many pieces may wait for one copy. The ring bounds the memory of all copies together.
const QUEUE: usize = 8;

/// An extent that is being written.
pub struct Lane {
    /// Which copy and position.
    pub place: Place,
    /// The number of its target.
    pub target: usize,
    recorded: Recorded,
    drive: DriveHandle,
    handle: WriteHandle,
    queue: mpsc::Sender<Arc<Buffer>>,
    writer: JoinHandle<Result<(), Trouble>>,
}

impl Lane {
    /// Begins to write a recorded extent.
    pub async fn begin(
        place: Place,
        number: usize,
        target: &Target,
        recorded: Recorded,
        tag: ExtentTag,
    ) -> Result<Self, Trouble> {
        let drive = target.drive.clone();
        let address = recorded.extent().address.clone();
        let handle = Trouble::of(drive.run(move |volume| volume.create(tag, &address)).await)?.ok_or(Trouble::Full)?;
        let (queue, pieces) = mpsc::channel(QUEUE);
        let writer = tokio::spawn(write(drive.clone(), handle, pieces));
        Ok(Self {
            place,
            target: number,
            recorded,
            drive,
            handle,
            queue,
            writer,
        })
    }

    /// Queues the next piece. False: the writer has failed; `finish` says why.
    pub async fn push(&self, piece: Arc<Buffer>) -> bool {
        self.queue.send(piece).await.is_ok()
    }

    /// Ends the extent. On failure nothing of it counts.
    pub async fn finish(self, digests: Digests) -> Result<Written, Trouble> {
        drop(self.queue);
        let handle = self.handle;
        if let Err(trouble) = self.writer.await.expect("a lane's writer does not panic") {
            give_up(&self.drive, handle).await;
            return Err(trouble);
        }
        let counted = digests.clone();
        let receipt = Trouble::of(self.drive.run(move |volume| volume.finish(handle, counted)).await)?;
        Ok(taken(self.recorded, digests, receipt).expect("a volume answers for the extent it was given"))
    }

    /// Why its writer refused a piece.
    pub async fn failure(self) -> Trouble {
        drop(self.queue);
        let outcome = self.writer.await.expect("a lane's writer does not panic");
        give_up(&self.drive, self.handle).await;
        outcome.expect_err("a writer refuses pieces only after it failed")
    }

    /// Gives the extent up.
    pub async fn abandon(self) {
        drop(self.queue);
        // Why it failed does not matter any more: the caller knows the first failure.
        let _ = self.writer.await;
        give_up(&self.drive, self.handle).await;
    }
}

async fn give_up(drive: &DriveHandle, handle: WriteHandle) {
    // A drive that is gone has nothing to give up; the pending row is swept either way.
    let _ = drive.run(move |volume| volume.abandon(handle)).await;
}

async fn write(
    drive: DriveHandle,
    handle: WriteHandle,
    mut pieces: mpsc::Receiver<Arc<Buffer>>,
) -> Result<(), Trouble> {
    while let Some(piece) = pieces.recv().await {
        let answer = drive.run(move |volume| volume.write(handle, piece.bytes())).await;
        match Trouble::of(answer)? {
            Accepted::All => {}
            Accepted::EndOfMedium => return Err(Trouble::Full),
        }
    }
    Ok(())
}
