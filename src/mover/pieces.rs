//! One extent after the other, piece by piece: while a piece is verified and written, the drive reads the next one.

use super::reader::{Feed, Message, ReadFailure};
use super::ring::{Buffer, Ring};
use super::spool::Spool;
use super::verifier::{Mismatch, Verifier};
use dss::model::evidence::DigestReceipt;
use dss::model::{ByteCount, Expected, ExtentId, Step};
use lrs::ldm::fs::{ReadFrom, ReadHandle, Volume, Wanted};
use lrs::ldm::{Fault, MediaError, MediaResult, Op};
use lrs::worker::{DriveGone, DriveHandle};
use tokio::sync::mpsc;

/// A piece as it was read. With an error, or the extent's last byte, the extent was closed as well.
pub(super) type Piece = (MediaResult<()>, Buffer);

/// Opens, reads and closes one extent. A small one costs a single trip to the drive's thread.
pub(super) async fn read_one<T>(
    source: &DriveHandle,
    wanted: Wanted,
    expected: Expected,
    soon: Vec<Wanted>,
    feed: Feed<'_, T>,
) -> Result<DigestReceipt, ReadFailure> {
    let mut verifier = Verifier::new(expected);
    let mut remaining = wanted.bytes.0;
    let buffer = feed.ring.take().await;
    let checkpoints = feed.checkpoints.clone();
    let (handle, mut piece) = source
        .run(move |volume| -> MediaResult<(ReadHandle, Piece)> {
            soon.iter().for_each(|wanted| volume.foresee(wanted));
            let handle = volume.open(&wanted, ReadFrom::Anywhere)?;
            checkpoints.reach(Step::ReadMiddle);
            Ok((handle, read_piece(volume, handle, buffer, remaining)))
        })
        .await??;
    loop {
        let (read, buffer) = piece;
        read?;
        remaining -= buffer.bytes().len() as u64;
        if remaining == 0 {
            return Ok(pass_on(verifier, buffer, feed.to).await?.finish()?);
        }
        if feed.stop.would_wait_too_long(ByteCount(remaining)) {
            close(source, handle).await;
            return Err(ReadFailure::GivenUp);
        }
        let next = next_piece(source, handle, remaining, feed.ring);
        let (next, passed) = tokio::join!(next, pass_on(verifier, buffer, feed.to));
        verifier = match passed {
            Ok(verifier) => verifier,
            Err(failure) => {
                close_unless_ended(source, handle, &next, remaining).await;
                return Err(failure);
            }
        };
        piece = next?;
        feed.stop.moved(ByteCount(piece.1.bytes().len() as u64));
    }
}

/// Has a piece verified, and hands it to the writer.
async fn pass_on<T>(
    verifier: Verifier,
    buffer: Buffer,
    to: &mpsc::Sender<Message<T>>,
) -> Result<Verifier, ReadFailure> {
    let (verifier, buffer) = verify(verifier, buffer).await?;
    if !buffer.bytes().is_empty() && to.send(Message::Bytes(buffer)).await.is_err() {
        return Err(ReadFailure::GivenUp);
    }
    Ok(verifier)
}

/// Digests a piece in a task of its own: whoever waits for it reads and writes meanwhile.
pub(super) async fn verify(mut verifier: Verifier, buffer: Buffer) -> Result<(Verifier, Buffer), ReadFailure> {
    let digesting = aside(move || -> Result<_, Mismatch> {
        verifier.take(buffer.bytes())?;
        Ok((verifier, buffer))
    });
    Ok(digesting.await.ok_or(ReadFailure::GivenUp)??)
}

/// Works in a task of its own. None: the program ends, and nobody will ask for the result.
pub(super) async fn aside<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Option<R> {
    match tokio::spawn(async move { work() }).await {
        Ok(done) => Some(done),
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => None,
        },
    }
}

/// Reads the next piece into the next buffer of the ring.
pub(super) async fn next_piece(
    source: &DriveHandle,
    handle: ReadHandle,
    remaining: u64,
    ring: &mut Ring,
) -> Result<Piece, DriveGone> {
    let buffer = ring.take().await;
    source
        .run(move |volume| read_piece(volume, handle, buffer, remaining))
        .await
}

/// Reads a piece of so many bytes as the extent has left, or as a buffer holds.
pub(super) fn read_piece(volume: &mut dyn Volume, handle: ReadHandle, mut buffer: Buffer, remaining: u64) -> Piece {
    let read = fill(volume, handle, &mut buffer, remaining);
    if read.is_err() || remaining == buffer.bytes().len() as u64 {
        volume.close(handle);
    }
    (read, buffer)
}

/// The same of an extent in the spool, verified once more: what the spool made of it is not what the medium gave.
pub(super) async fn read_spooled<T>(
    spool: &Spool,
    old: ExtentId,
    expected: Expected,
    feed: Feed<'_, T>,
) -> Result<DigestReceipt, ReadFailure> {
    let mut verifier = Verifier::new(spool.expected_of(old, expected));
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

/// Closes an extent of which one more piece was read, if that piece did not.
pub(super) async fn close_unless_ended(
    source: &DriveHandle,
    handle: ReadHandle,
    last: &Result<Piece, DriveGone>,
    remaining: u64,
) {
    let is_open = |(read, buffer): &Piece| read.is_ok() && remaining > buffer.bytes().len() as u64;
    if last.as_ref().is_ok_and(is_open) {
        close(source, handle).await;
    }
}

/// Closes an extent that was not read to its end; one that was is closed already.
pub(super) async fn close(source: &DriveHandle, handle: ReadHandle) {
    // A drive that is gone has nothing left to close.
    let _ = source.run(move |volume| volume.close(handle)).await;
}

/// Fills a buffer as far as the extent goes. No bytes before the end are an error, never the end.
pub(super) fn fill(
    volume: &mut dyn Volume,
    handle: ReadHandle,
    buffer: &mut Buffer,
    remaining: u64,
) -> Result<(), MediaError> {
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
