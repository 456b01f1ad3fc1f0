//! `medium import`: makes known what a medium holds, from the medium alone. With `--adopt` every extent is read whole
//! before it counts, and a medium of another catalogue becomes one of this, by its label, once all of that is done.
//! Never changes what the catalogue knows already, and may be repeated: it goes on where it was.
//!
//! `site` finds the medium, `batches` keeps what belongs together together, `reconcile` takes over a medium that is ahead
//! of a restored catalogue, `nowhere` says whether bytes may be given up then.

mod batches;
mod nowhere;
mod reconcile;
mod site;

pub use reconcile::{Missing, reconcile};
pub use site::Cartridge;

use crate::api::Problem;
use crate::api::import::{BadExtent, ImportReport};
use crate::host::Host;
use crate::mover::{ReadFailure, Ring, read_back};
use batches::{Batches, Census};
use dss::catalogue::{Adopt, Found, Imported, MediumChange};
use dss::model::{AdmState, ByteCount, Extent, ExtentState, Family, FsState, Hold, Medium, NewEvent};
use lrs::core::{Priority, Request};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::{IndexEntry, IndexStamp, Label, dir};
use lrs::service::{Allocation, DriveHandle};
use site::{Site, change_row};
use std::path::PathBuf;

/// How many lines of the index are taken per trip to the drive's thread.
const LINES: usize = 1_000;
/// The memory for reading extents whole.
const RING: usize = 4 << 20;

type Index = Box<dyn Iterator<Item = MediaResult<IndexEntry>> + Send>;

/// Imports the medium that a name or an absolute path means.
pub async fn import(host: &Host, what: &str, adopt: Adopt) -> Result<ImportReport, Problem> {
    import_site(host, site::find(host, what, adopt).await?, adopt).await
}

/// Imports a tape that no row is known of, or one whose row says that it is elsewhere: by the label on it (E-16).
pub async fn import_tape(host: &Host, cartridge: Cartridge, adopt: Adopt) -> Result<ImportReport, Problem> {
    import_site(host, site::of_cartridge(host, cartridge, adopt).await?, adopt).await
}

async fn import_site(host: &Host, site: Site, adopt: Adopt) -> Result<ImportReport, Problem> {
    let Site { medium, label, added } = site;
    let mut report = blank_report(&medium, added);
    let allocation = allocate(host, &medium, Use::Read).await?;
    read_in(host, &medium, &allocation.volume(medium.id), adopt, &mut report).await?;
    if medium.family == Family::Tape {
        measure(host, &medium, &allocation.volume(medium.id)).await?;
    }
    allocation.release().await;
    let mut ours = label.catalogue == host.catalogue_id;
    // The label of a tape of another catalogue stays what it is: the tape is only read, until it is erased.
    if adopt.adopts() && !ours && medium.family == Family::Dir {
        take_over(host, &medium, label).await?;
        report.relabelled = true;
        ours = true;
    }
    report.adm_state = match ours {
        true => open_up(host, medium, &report).await?,
        false => medium.adm_state,
    };
    report.next = report.advice(adopt);
    Ok(report)
}

/// A tape tells how much it takes only while it is in a drive.
async fn measure(host: &Host, medium: &Medium, drive: &DriveHandle) -> Result<(), Problem> {
    let space = drive.run(|volume| volume.space()).await;
    let space = space.map_err(|gone| super::of_drive(&gone, &medium.name))??;
    if medium.capacity == Some(space.capacity) {
        return Ok(());
    }
    let change = MediumChange {
        capacity: Some(Some(space.capacity)),
        why: "it told its capacity".to_owned(),
        ..MediumChange::default()
    };
    change_row(host, medium, change).await?;
    Ok(())
}

fn blank_report(medium: &Medium, added: bool) -> ImportReport {
    ImportReport {
        medium: medium.name.clone(),
        id: medium.id,
        medium_added: added,
        extents: 0,
        extents_read: 0,
        bytes_read: ByteCount::ZERO,
        bad: Vec::new(),
        imported: Imported::default(),
        relabelled: false,
        adm_state: medium.adm_state,
        reconciled: None,
        next: None,
    }
}

enum Use {
    Read,
    Exclusive,
}

async fn allocate(host: &Host, medium: &Medium, to: Use) -> Result<Allocation, Problem> {
    let (reads, exclusive) = match to {
        Use::Read => (vec![medium.id], Vec::new()),
        Use::Exclusive => (Vec::new(), vec![medium.id]),
    };
    let request = Request {
        purpose: format!("import of {}", medium.name),
        priority: Priority::Background,
        reads,
        writes: Vec::new(),
        exclusive,
    };
    Ok(host.lrs.allocate(request).await?)
}

/// Twice over the index: once to count, once to import.
async fn read_in(
    host: &Host,
    medium: &Medium,
    drive: &DriveHandle,
    adopt: Adopt,
    report: &mut ImportReport,
) -> Result<(), Problem> {
    let mut census = Census::default();
    let mut index = open_index(drive, medium).await?;
    loop {
        let lines = next_lines(drive, medium, &mut index).await?;
        if lines.is_empty() {
            break;
        }
        lines.iter().for_each(|entry| census.count(&entry.tag.origin.oid));
    }
    let mut batches = Batches::new(census);
    let mut index = open_index(drive, medium).await?;
    let mut ring = Ring::new(RING, RING / 4);
    loop {
        let lines = next_lines(drive, medium, &mut index).await?;
        if lines.is_empty() {
            break;
        }
        for entry in lines {
            report.extents += 1;
            let oid = entry.tag.origin.oid.clone();
            if let Some(batch) = batches.push(&oid, entry) {
                import_batch(host, medium, drive, batch, adopt, &mut ring, report).await?;
            }
        }
    }
    let rest = batches.finish();
    import_batch(host, medium, drive, rest, adopt, &mut ring, report).await
}

async fn open_index(drive: &DriveHandle, medium: &Medium) -> Result<Index, Problem> {
    let opened = drive.run(|volume| volume.index()).await;
    Ok(opened.map_err(|gone| super::of_drive(&gone, &medium.name))??)
}

/// The next lines, read on the drive's thread; none at the end.
async fn next_lines(drive: &DriveHandle, medium: &Medium, index: &mut Index) -> Result<Vec<IndexEntry>, Problem> {
    let mut lines = std::mem::replace(index, Box::new(std::iter::empty()));
    let read = drive.run(move |_| {
        let read: MediaResult<Vec<IndexEntry>> = lines.by_ref().take(LINES).collect();
        (read, lines)
    });
    let (read, lines) = read.await.map_err(|gone| super::of_drive(&gone, &medium.name))?;
    *index = lines;
    Ok(read?)
}

async fn import_batch(
    host: &Host,
    medium: &Medium,
    drive: &DriveHandle,
    entries: Vec<IndexEntry>,
    adopt: Adopt,
    ring: &mut Ring,
    report: &mut ImportReport,
) -> Result<(), Problem> {
    let mut found = Vec::with_capacity(entries.len());
    for entry in entries {
        let mut item = Found {
            extent: entry.tag.extent,
            origin: entry.tag.origin,
            address: entry.address,
            digests: entry.digests,
            inode: entry.inode,
            span: entry.span,
            header: entry.tag.header,
            read: None,
        };
        match adopt {
            Adopt::No => {}
            Adopt::Yes | Adopt::Newer => match read_back(drive, &as_extent(medium, &item), ring).await {
                Ok(_) => {
                    item.read = Some(host.clock.now());
                    report.extents_read += 1;
                    report.bytes_read += item.digests.bytes;
                }
                Err(ReadFailure::Drive(gone)) => return Err(super::of_drive(&gone, &medium.name)),
                Err(failure) => {
                    let bad = BadExtent {
                        extent: item.extent,
                        oid: item.origin.oid.clone(),
                        reason: failure.to_string(),
                        damaged: failure.is_integrity(),
                    };
                    note(host, medium, &bad).await?;
                    report.bad.push(bad);
                }
            },
        }
        found.push(item);
    }
    if !found.is_empty() {
        let imported = host.catalogue.import(medium.id, found, adopt, host.clock.now()).await?;
        report.imported.add(imported);
    }
    Ok(())
}

/// A row as it would be, to read its bytes by.
fn as_extent(medium: &Medium, found: &Found) -> Extent {
    Extent {
        id: found.extent,
        origin: found.origin.clone(),
        medium: medium.id,
        generation: medium.generation,
        address: found.address.clone(),
        bytes: found.digests.bytes,
        digests: Some(found.digests.clone()),
        state: ExtentState::Orphan,
        owner: None,
        inode: found.inode,
        span: found.span.clone(),
        hold: Hold::Forever,
        verified_at: None,
        created_at: found.header.created_at,
    }
}

async fn note(host: &Host, medium: &Medium, bad: &BadExtent) -> Result<(), Problem> {
    let event = NewEvent {
        kind: if bad.damaged {
            "extent.corrupt"
        } else {
            "extent.unreadable"
        },
        subject: bad.extent.to_string(),
        detail: serde_json::json!({
            "oid": bad.oid, "medium": medium.id, "why": bad.reason, "found_by": "import",
        }),
    };
    let now = host.clock.now();
    host.catalogue.note(event, now).await?;
    if bad.damaged {
        let why = format!("extent {} of '{}': {}", bad.extent, bad.oid, bad.reason);
        host.catalogue.suspect(medium.id, &why, now).await?;
    }
    Ok(())
}

/// Writes this catalogue's id on the label. Last, so that a medium whose import broke off is still its old catalogue's.
async fn take_over(host: &Host, medium: &Medium, label: Label) -> Result<(), Problem> {
    let allocation = allocate(host, medium, Use::Exclusive).await?;
    // First of all it bears the history of this catalogue, or it would be ahead of it under its new label.
    let drive = allocation.volume(medium.id);
    let seen = drive.run(|volume| volume.revision()).await;
    let seen = seen.map_err(|gone| super::of_drive(&gone, &medium.name))?;
    host.catalogue.raise_revision(seen).await?;
    let stamp = IndexStamp::from(host.catalogue.stamp().await?);
    let stamped = drive.run(move |volume| volume.commit_index(stamp)).await;
    stamped.map_err(|gone| super::of_drive(&gone, &medium.name))??;
    let label = Label {
        name: medium.name.clone(),
        catalogue: host.catalogue_id,
        revision: stamp.revision,
        ..label
    };
    let (name, path) = (medium.name.clone(), PathBuf::from(&medium.location.path));
    let (drive, mounter) = (allocation.volume(medium.id), host.lrs.mounter());
    let written = drive
        .run(move |_| dir::relabel(mounter.disk(&name, &path)?, &label))
        .await;
    written.map_err(|gone| super::of_drive(&gone, &medium.name))??;
    let reopened = allocation.reopen(medium.id).await;
    allocation.release().await;
    Ok(reopened?)
}

/// A medium that was added takes new extents from now on, unless something on it is not in the catalogue: then it stays
/// *read_only*, so that nothing but an operator's word can lead to its being erased.
async fn open_up(host: &Host, medium: Medium, report: &ImportReport) -> Result<AdmState, Problem> {
    let complete = report.imported.is_complete() && report.bad.is_empty();
    if !report.medium_added || !complete {
        return Ok(medium.adm_state);
    }
    let change = MediumChange {
        expect_adm_state: Some(AdmState::ReadOnly),
        adm_state: Some(AdmState::InService),
        fs_state: Some(if report.extents == 0 {
            FsState::Empty
        } else {
            FsState::Used
        }),
        why: "everything on it is known".to_owned(),
        ..MediumChange::default()
    };
    Ok(change_row(host, &medium, change).await?.adm_state)
}
