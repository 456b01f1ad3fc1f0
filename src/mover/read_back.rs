//! Reading back what was written, from the medium itself: nobody gets the bytes, only whether they are right.

use super::groups::{Trip, one_trip, verify_all};
use super::pieces::{self, close, next_piece, read_piece, verify};
use super::reader::ReadFailure;
use super::ring::{Buffer, Ring};
use super::verifier::{Mismatch, Verifier};
use dss::model::evidence::DigestReceipt;
use dss::model::{ByteCount, Checkpoints, Digested, Expected, Extent, KnownHash, ReadBack, Step};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::{ReadFrom, ReadHandle, Wanted};
use lrs::worker::DriveHandle;
use std::sync::Arc;

/// Reads an extent whole from its medium and verifies it: read-back, and the proof before a layout is put back on old bytes.
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
    let receipt = read_whole(source, extent, digests.into(), ring, give_up).await?;
    proof(extent, &receipt)
}

/// Reads an imported extent whole for the first time, and compares it with all that other software said of its bytes. Given
/// up between two pieces when `give_up` says so.
pub async fn read_unread(
    source: &DriveHandle,
    extent: &Extent,
    known: &[KnownHash],
    ring: &mut Ring,
    give_up: impl Fn() -> bool,
) -> Result<Digested, ReadFailure> {
    let expected = Expected {
        bytes: extent.bytes,
        digests: extent.digests.clone(),
        hashes: known.to_vec(),
    };
    let receipt = read_whole(source, extent, expected, ring, give_up).await?;
    Digested::checked(extent, known, receipt).map_err(|_| Mismatch::Whole.into())
}

/// Reads an extent whole from its medium. While a piece is verified, the drive reads the next one.
async fn read_whole(
    source: &DriveHandle,
    extent: &Extent,
    expected: Expected,
    ring: &mut Ring,
    give_up: impl Fn() -> bool,
) -> Result<DigestReceipt, ReadFailure> {
    let wanted = Wanted::of(extent);
    let (mut verifier, mut remaining) = (Verifier::new(expected), wanted.bytes.0);
    let buffer = ring.take().await;
    let (handle, mut piece) = source
        .run(move |volume| -> MediaResult<(ReadHandle, _)> {
            let handle = volume.open(&wanted, ReadFrom::Medium)?;
            Ok((handle, read_piece(volume, handle, buffer, remaining)))
        })
        .await??;
    loop {
        let (read, buffer) = piece;
        read?;
        remaining -= buffer.bytes().len() as u64;
        if remaining == 0 {
            return Ok(verify(verifier, buffer).await?.0.finish()?);
        }
        if give_up() {
            close(source, handle).await;
            return Err(ReadFailure::GivenUp);
        }
        let next = next_piece(source, handle, remaining, ring);
        let (next, verified) = tokio::join!(next, verify(verifier, buffer));
        verifier = match verified {
            Ok((verifier, _)) => verifier,
            Err(failure) => {
                pieces::close_unless_ended(source, handle, &next, remaining).await;
                return Err(failure);
            }
        };
        piece = next?;
    }
}

/// Whether an extent is read back together with others.
pub fn is_small(bytes: ByteCount, ring: &Ring) -> bool {
    bytes.0 <= ring.size() as u64
}

/// Small extents of one medium, in groups: while a group is verified, the drive reads the next one. Those after a stop
/// have no result; the first has one in any case. `ReadBackMiddle` is reached for each.
pub async fn read_back_small(
    source: &DriveHandle,
    extents: &[&Extent],
    ring: &mut Ring,
    checkpoints: &Arc<dyn Checkpoints>,
    stopped: impl Fn() -> bool + Clone + Send + 'static,
) -> Vec<Result<ReadBack, ReadFailure>> {
    let (mut results, mut ended) = (vec![], false);
    let mut under_way = (&[][..], vec![]);
    let mut left = extents;
    loop {
        let count = match ended {
            true => 0,
            false => one_trip(left.iter().map(|extent| extent.bytes), ring),
        };
        let (next, rest) = left.split_at(count);
        left = rest;
        if next.is_empty() && under_way.0.is_empty() {
            return results;
        }
        let trip = Trip {
            wanted: next.iter().map(|extent| Wanted::of(extent)).collect(),
            soon: vec![],
            from: ReadFrom::Medium,
        };
        let checkpoints = checkpoints.clone();
        let middle = move || checkpoints.reach(Step::ReadBackMiddle);
        let reading = trip.make(source, ring, middle, stopped.clone());
        let (read, verified) = tokio::join!(reading, proofs(under_way));
        results.extend(verified);
        ended = ended || read.len() < next.len() || stopped();
        under_way = (next, read);
    }
}

/// Verifies what was read of a group.
async fn proofs((extents, read): (&[&Extent], Vec<Result<Buffer, ReadFailure>>)) -> Vec<Result<ReadBack, ReadFailure>> {
    let expected = extents.iter().map(|extent| extent.digests.clone().map(Expected::from));
    let verified = verify_all(expected.zip(read).collect()).await;
    let each = |(extent, verified): (&&Extent, Result<(Buffer, DigestReceipt), ReadFailure>)| {
        verified.and_then(|(_, receipt)| proof(extent, &receipt))
    };
    extents.iter().zip(verified).map(each).collect()
}

fn proof(extent: &Extent, receipt: &DigestReceipt) -> Result<ReadBack, ReadFailure> {
    ReadBack::checked(extent, receipt).map_err(|_| Mismatch::Whole.into())
}
