//! Reads what was imported and never read, in the order of the tape, and notes what it digests to. Goes on where it was when
//! it is repeated: what is noted is not read again.

use crate::api::Problem;
use crate::api::import::BadExtent;
use crate::api::volume::Verified;
use crate::host::Host;
use crate::mover::{ReadFailure, Ring, read_unread};
use dss::catalogue::{ExtentFilter, Page};
use dss::model::{Digested, Extent, ExtentId, ExtentState, Medium, NewEvent, Stretch};
use lrs::core::{Priority, Request};
use lrs::service::{Allocation, DriveHandle};

/// The memory for reading.
const RING: usize = 8 << 20;
/// How many rows are asked for at once.
const PAGE: u32 = 5_000;
/// After so many extents what was found is noted, and whoever is more urgent gets the drive.
const AT_ONCE: usize = 500;

/// Reads every extent of a medium of which nobody knows what it digests to.
pub async fn verify(host: &Host, medium: &Medium) -> Result<Verified, Problem> {
    let mut verified = Verified::default();
    for part in unread(host, medium).await?.chunks(AT_ONCE) {
        let request = Request {
            purpose: format!("verifying what was imported with {}", medium.name),
            priority: Priority::Background,
            reads: vec![medium.id],
            writes: Vec::new(),
            exclusive: Vec::new(),
        };
        let allocation: Allocation = host.lrs.allocate(request).await?;
        let read = read_part(host, medium, &allocation.volume(medium.id), part, &mut verified).await;
        allocation.release().await;
        read?;
    }
    Ok(verified)
}

/// Those of which it is not known, in the order of the tape.
async fn unread(host: &Host, medium: &Medium) -> Result<Vec<ExtentId>, Problem> {
    let filter = ExtentFilter {
        medium: Some(medium.id),
        state: Some(ExtentState::Sync),
        ..ExtentFilter::default()
    };
    let mut found: Vec<(Option<Stretch>, ExtentId)> = Vec::new();
    let mut after: Option<ExtentId> = None;
    loop {
        let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        let first = |extent: &Extent| extent.span.as_ref().and_then(|span| span.first().copied());
        let unread = page.iter().filter(|extent| extent.digests.is_none());
        found.extend(unread.map(|extent| (first(extent), extent.id)));
    }
    found.sort();
    Ok(found.into_iter().map(|(_, id)| id).collect())
}

async fn read_part(
    host: &Host,
    medium: &Medium,
    drive: &DriveHandle,
    part: &[ExtentId],
    verified: &mut Verified,
) -> Result<(), Problem> {
    let mut extents = host.catalogue.extents_by_id(part).await?;
    let hashes = host.catalogue.known_hashes(part).await?;
    let mut ring = Ring::new(RING, RING / 4);
    let mut good: Vec<Digested> = Vec::new();
    // What was deleted or moved meanwhile is nobody's to verify here.
    let wanted = part.iter().filter_map(|id| extents.remove(id));
    for extent in wanted.filter(|extent| (extent.medium, extent.state) == (medium.id, ExtentState::Sync)) {
        let known = hashes.get(&extent.id).map_or(&[][..], Vec::as_slice);
        match read_unread(drive, &extent, known, &mut ring, || false).await {
            Ok(digested) => {
                verified.extents += 1;
                verified.bytes += extent.bytes;
                good.push(digested);
            }
            Err(ReadFailure::Drive(gone)) => return Err(crate::store::of_drive(&gone, &medium.name)),
            Err(failure) => verified.failed.push(note(host, medium, &extent, &failure).await?),
        }
    }
    host.catalogue.note_digests(medium.id, &good, host.clock.now()).await?;
    Ok(())
}

async fn note(host: &Host, medium: &Medium, extent: &Extent, failure: &ReadFailure) -> Result<BadExtent, Problem> {
    let bad = BadExtent {
        extent: extent.id,
        oid: extent.origin.oid.clone(),
        reason: failure.to_string(),
        damaged: failure.is_integrity(),
    };
    let event = NewEvent {
        kind: match bad.damaged {
            true => "extent.corrupt",
            false => "extent.unreadable",
        },
        subject: extent.id.to_string(),
        detail: serde_json::json!({
            "oid": bad.oid, "medium": medium.id, "why": bad.reason, "found_by": "import",
        }),
    };
    host.catalogue.note(event, host.clock.now()).await?;
    Ok(bad)
}
