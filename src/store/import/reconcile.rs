//! `medium import --reconcile`: a medium that saw more than the catalogue did, because that was restored from an older
//! backup, is taken over (E-16). What it holds becomes known; layouts that name extents which are gone from it follow to
//! the same bytes on other media, each read and verified first; then it is stamped and stands level again.
//!
//! Never points a layout to bytes that were not read, never ends a version unless an operator says that its bytes are
//! nowhere, and deletes nothing. Any step may be repeated, and media may be reconciled in any order.

use super::nowhere::{self, Tried};
use super::site::{self, Site};
use super::{LINES, RING, Use, allocate, next_lines, open_index, read_in};
use crate::api::Problem;
use crate::api::import::{ImportReport, MissingExtent, Reconciled};
use crate::host::Host;
use crate::mover::{ReadFailure, Ring, read_back};
use dss::catalogue::{Adopt, CatalogueError, ExtentFilter, Page};
use dss::model::{
    AdmState, Extent, ExtentId, ExtentState, Medium, MediumId, NewEvent, ReadBack, Revision, Seen, Standing,
};
use lrs::ldm::fs::{IndexEntry, IndexStamp, Label};
use lrs::service::DriveHandle;
use std::collections::{BTreeMap, BTreeSet};

/// How many rows are asked for at once.
const PAGE: u32 = 2_000;
/// For how many gone extents stand-ins are asked for at once.
pub(super) const ASKED: usize = 500;
/// How many layouts follow in one transaction.
const TOGETHER: usize = 200;
/// Extents wait for others that hold their place (I10); each round moves at least one, or is the last.
const ROUNDS: usize = 100;

/// What becomes of versions whose bytes are nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// They stay, and the medium stays ahead.
    Kept,
    /// They are forgotten: the operator says that no other medium holds them.
    Forgotten,
}

/// Takes over the medium that a name or an absolute path means.
pub async fn reconcile(host: &Host, what: &str, adopt: Adopt, missing: Missing) -> Result<ImportReport, Problem> {
    let adopt = match adopt {
        Adopt::No => Adopt::No,
        // Its history is this catalogue's own: what is newer than what is known was made by us.
        Adopt::Yes | Adopt::Newer => Adopt::Newer,
    };
    let Site { medium, label, added } = site::find_ahead(host, what, adopt).await?;
    let mut report = super::blank_report(&medium, added);
    let mut done = Reconciled::default();
    // Its label says that an erasure ended which the backup saw under way: it is not to be erased again.
    let ended = medium.adm_state == AdmState::Erasing
        && medium.standing != Standing::Level
        && label.generation == medium.generation;
    let medium = match ended || label.generation > medium.generation {
        false => medium,
        true => {
            done.erased_since = true;
            take_generation(host, &medium, &label).await?
        }
    };
    let allocation = allocate(host, &medium, Use::Read).await?;
    // The mount compared it.
    let standing = host.catalogue.medium_by_id(medium.id).await?.standing;
    let read = match (missing, standing) {
        (Missing::Forgotten, Standing::Level) => Err(nothing_to_forget(&medium)),
        _ => read_in(host, &medium, &allocation.volume(medium.id), adopt, &mut report).await,
    };
    allocation.release().await;
    read?;
    let (gone, revision) = gone_from(host, &medium).await?;
    settle(host, &medium, gone, missing, &mut done).await?;
    if done.missing.is_empty() {
        stand_level(host, &medium, revision).await?;
    }
    conclude(host, report, done, (&medium, adopt)).await
}

/// It was erased since the backup was made: from here on it can be mounted, and stays ahead.
async fn take_generation(host: &Host, medium: &Medium, label: &Label) -> Result<Medium, Problem> {
    let now = host.clock.now();
    let seen = Seen {
        generation: label.generation,
        revision: label.revision,
        head: None,
    };
    host.catalogue.compare_medium(medium.id, seen, now).await?;
    host.catalogue.raise_revision(label.revision).await?;
    let taken = host.catalogue.take_generation(medium.id, label.generation, now).await?;
    host.lrs.medium_changed(medium.id).await?;
    Ok(taken)
}

fn nothing_to_forget(medium: &Medium) -> Problem {
    let name = &medium.name;
    let message = format!("medium {name} is level with the catalogue: nothing on it is forgotten");
    Problem::refused("medium_level", name, message).next(format!(
        "leave --forget-missing out; what is wrong on {name} is found by `respool check` and by reading it"
    ))
}

/// What layouts need of a medium and its own index does not name, with the revision it bears. Nobody writes to it
/// meanwhile, and what is live is asked for first: whatever becomes live later was written to it later.
async fn gone_from(host: &Host, medium: &Medium) -> Result<(BTreeSet<ExtentId>, Revision), Problem> {
    let allocation = allocate(host, medium, Use::Exclusive).await?;
    let compared = compare(host, medium, &allocation.volume(medium.id)).await;
    allocation.release().await;
    compared
}

async fn compare(host: &Host, medium: &Medium, drive: &DriveHandle) -> Result<(BTreeSet<ExtentId>, Revision), Problem> {
    let mut gone = BTreeSet::new();
    each_live(host, medium.id, |extent| _ = gone.insert(extent.id)).await?;
    each_named(drive, medium, |entry| _ = gone.remove(&entry.tag.extent)).await?;
    let revision = drive.run(|volume| volume.revision()).await;
    let revision = revision.map_err(|error| super::super::of_drive(&error, &medium.name))?;
    Ok((gone, revision))
}

/// Looks at the live extents that the catalogue has on a medium, page by page.
async fn each_live(host: &Host, medium: MediumId, mut look: impl FnMut(Extent)) -> Result<(), Problem> {
    let filter = ExtentFilter {
        medium: Some(medium),
        state: Some(ExtentState::Sync),
        ..ExtentFilter::default()
    };
    let mut after = None;
    loop {
        let page = host.catalogue.extents(&filter, Page { after, limit: PAGE }).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.id);
        page.into_iter().for_each(&mut look);
    }
}

/// Looks at what a medium's own index names now.
pub(super) async fn each_named(
    drive: &DriveHandle,
    medium: &Medium,
    mut look: impl FnMut(IndexEntry),
) -> Result<(), Problem> {
    let mut index = open_index(drive, medium).await?;
    loop {
        let lines = next_lines(drive, medium, &mut index).await?;
        let count = lines.len();
        lines.into_iter().for_each(&mut look);
        if count < LINES {
            return Ok(());
        }
    }
}

/// Has the layouts of extents that are gone follow to wherever their bytes are now.
async fn settle(
    host: &Host,
    medium: &Medium,
    mut left: BTreeSet<ExtentId>,
    missing: Missing,
    done: &mut Reconciled,
) -> Result<(), Problem> {
    let mut tried = Tried::default();
    for _ in 0..ROUNDS {
        let followed = follow(host, &left, &mut tried).await?;
        if followed.is_empty() {
            break;
        }
        done.repointed += followed.len() as u64;
        followed.iter().for_each(|id| _ = left.remove(id));
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut lost = vec![];
    each_live(host, medium.id, |extent| {
        if left.contains(&extent.id) {
            lost.push((extent.id, extent.origin));
        }
    })
    .await?;
    match missing {
        Missing::Kept => {
            let named = lost.into_iter().map(|(extent, origin)| MissingExtent {
                extent,
                oid: origin.oid,
                version: origin.version,
                medium: medium.name.clone(),
            });
            done.missing = named.collect();
        }
        Missing::Forgotten => {
            nowhere::refuse_unless_nowhere(host, medium, &lost).await?;
            nowhere::refuse_known_elsewhere(host, medium, &lost, &tried).await?;
            let ids: Vec<ExtentId> = lost.into_iter().map(|(extent, _)| extent).collect();
            let forgotten = host.catalogue.forget_gone(medium.id, &ids, host.clock.now()).await?;
            done.forgotten_copies += forgotten.copies;
            let versions = forgotten.versions.into_iter();
            done.forgotten
                .extend(versions.map(|(oid, version)| format!("{oid}@{version}")));
        }
    }
    Ok(())
}

/// One round: reads what may stand in for each gone extent, medium by medium, and repoints to what was good.
async fn follow(host: &Host, left: &BTreeSet<ExtentId>, tried: &mut Tried) -> Result<BTreeSet<ExtentId>, Problem> {
    let media: BTreeMap<MediumId, Medium> = host.catalogue.media().await?.into_iter().map(|m| (m.id, m)).collect();
    let mut followed: BTreeSet<ExtentId> = BTreeSet::new();
    let mut gone = left.iter().copied().peekable();
    while gone.peek().is_some() {
        let asked: Vec<ExtentId> = gone.by_ref().take(ASKED).collect();
        let mut by_medium: BTreeMap<MediumId, Vec<(ExtentId, Extent)>> = BTreeMap::new();
        for (old, candidate) in host.catalogue.stand_ins(&asked).await? {
            let held = media.get(&candidate.medium);
            if held.is_some_and(|medium| medium.may_be_read() && medium.generation == candidate.generation) {
                by_medium.entry(candidate.medium).or_default().push((old, candidate));
            }
        }
        for (medium, pairs) in by_medium {
            let pairs = pairs.into_iter().filter(|(old, _)| !followed.contains(old)).collect();
            followed.extend(follow_to(host, &media[&medium], pairs, tried).await?);
        }
    }
    Ok(followed)
}

/// What a medium's own index says of an extent that the catalogue has there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    /// The same as the catalogue.
    Same,
    /// Nothing, or other bytes. They may be gone after the next crash, or belong to a window that never was whole.
    Not,
    /// The same bytes at another place, or it cannot be read.
    Unclear,
}

async fn is_named(drive: &DriveHandle, medium: &Medium, extent: &Extent) -> Result<Named, Problem> {
    let id = extent.id;
    let found = drive.run(move |volume| volume.lookup(id)).await;
    let found = found.map_err(|gone| super::super::of_drive(&gone, &medium.name))?;
    Ok(match found {
        Ok(Some(entry)) if Some(&entry.digests) != extent.digests.as_ref() => Named::Not,
        Ok(Some(entry)) if entry.address == extent.address => Named::Same,
        Ok(Some(_)) => Named::Unclear,
        Ok(None) => Named::Not,
        Err(error) => {
            tracing::info!(extent = %id, medium = %medium.name, %error, "the medium's index cannot be read");
            Named::Unclear
        }
    })
}

/// Reads what may stand in on one medium, and repoints to what was good. What was not read, because the medium is out of
/// reach or fails, is not among what was tried: it may be good when this is repeated.
async fn follow_to(
    host: &Host,
    medium: &Medium,
    pairs: Vec<(ExtentId, Extent)>,
    tried: &mut Tried,
) -> Result<Vec<ExtentId>, Problem> {
    let Ok(allocation) = allocate(host, medium, Use::Read).await else {
        return Ok(vec![]);
    };
    let drive = allocation.volume(medium.id);
    let mut ring = Ring::new(RING, RING / 4);
    let mut read: Vec<(ExtentId, ReadBack)> = vec![];
    for (old, candidate) in pairs {
        match is_named(&drive, medium, &candidate).await? {
            Named::Same => {}
            Named::Not => {
                tracing::info!(extent = %candidate.id, medium = %medium.name, "the medium's index does not name it");
                tried.bad.insert(candidate.id);
                continue;
            }
            Named::Unclear => continue,
        }
        match read_back(&drive, &candidate, &mut ring).await {
            Ok(proof) => {
                tried.good.insert(candidate.id);
                read.push((old, proof));
            }
            Err(ReadFailure::Drive(gone)) => return Err(super::super::of_drive(&gone, &medium.name)),
            Err(failure) => {
                tracing::info!(extent = %candidate.id, %failure, "it does not stand in for what is gone");
                if let ReadFailure::Mismatch(_) = failure {
                    tried.bad.insert(candidate.id);
                }
            }
        }
    }
    let mut followed = vec![];
    let mut read = read.into_iter().peekable();
    while read.peek().is_some() {
        let together: Vec<(ExtentId, ReadBack)> = read.by_ref().take(TOGETHER).collect();
        followed.extend(repoint(host, together).await?);
    }
    allocation.release().await;
    Ok(followed)
}

/// All of them at once; where that brings two copies together, one by one.
async fn repoint(host: &Host, pairs: Vec<(ExtentId, ReadBack)>) -> Result<Vec<ExtentId>, Problem> {
    let now = host.clock.now();
    let moved = |pairs: &[(ExtentId, ReadBack)], done: Vec<bool>| -> Vec<ExtentId> {
        let moved = pairs.iter().zip(done).filter(|(_, done)| *done);
        moved.map(|((old, _), _)| *old).collect()
    };
    match host.catalogue.repoint_found(&pairs, now).await {
        Ok(done) => return Ok(moved(&pairs, done)),
        Err(CatalogueError::Invariant { .. } | CatalogueError::Fenced { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let mut followed = vec![];
    for pair in pairs {
        let pair = [pair];
        match host.catalogue.repoint_found(&pair, now).await {
            Ok(done) => followed.extend(moved(&pair, done)),
            Err(error @ (CatalogueError::Invariant { .. } | CatalogueError::Fenced { .. })) => {
                tracing::info!(extent = %pair[0].0, %error, "its layouts stay where they are");
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(followed)
}

/// Everything on it is known and everything needed of it is there: it bears this catalogue's history from now on.
async fn stand_level(host: &Host, medium: &Medium, seen: Revision) -> Result<(), Problem> {
    host.catalogue.raise_revision(seen).await?;
    let standing = host.catalogue.medium_by_id(medium.id).await?.standing;
    if standing == Standing::Level {
        return Ok(());
    }
    let stamp = IndexStamp::from(host.catalogue.stamp().await?);
    let allocation = allocate(host, medium, Use::Exclusive).await?;
    let drive = allocation.volume(medium.id);
    let stamped = drive.run(move |volume| volume.commit_index(stamp)).await;
    allocation.release().await;
    stamped.map_err(|gone| super::super::of_drive(&gone, &medium.name))??;
    host.catalogue.mark_indexed(medium.id, stamp.revision, &[]).await?;
    let step = (standing, Standing::Level);
    let now = host.clock.now();
    host.catalogue.set_standing(medium.id, step, "reconciled", now).await?;
    host.lrs.medium_changed(medium.id).await?;
    Ok(())
}

/// What is left to do, and for whom.
async fn conclude(
    host: &Host,
    mut report: ImportReport,
    mut done: Reconciled,
    (medium, adopt): (&Medium, Adopt),
) -> Result<ImportReport, Problem> {
    let media = host.catalogue.media().await?;
    let doubtful = |one: &&Medium| one.standing != Standing::Level && one.adm_state != AdmState::Dead;
    done.in_doubt = media.iter().filter(doubtful).map(|one| one.name.clone()).collect();
    if done.in_doubt.is_empty() {
        let event = NewEvent {
            kind: "catalogue.reconciled",
            subject: medium.name.clone(),
            detail: serde_json::json!({}),
        };
        host.catalogue.note(event, host.clock.now()).await?;
    }
    if let Some(row) = media.into_iter().find(|one| one.id == medium.id) {
        report.adm_state = super::open_up(host, row, &report).await?;
    }
    report.next = done.advice(&medium.name).or_else(|| report.advice(adopt));
    report.reconciled = Some(done);
    Ok(report)
}
