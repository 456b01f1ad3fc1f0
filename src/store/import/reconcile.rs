//! `medium import --reconcile`: a medium that saw more than the catalogue did, because that was restored from an older
//! backup, is taken over (E-16). What it holds becomes known; layouts that name extents which are gone from it follow to
//! the same bytes on other media, each read and verified first; then it is stamped and stands level again.
//!
//! Never points a layout to bytes that were not read, never ends a version unless an operator says that its bytes are
//! nowhere, and deletes nothing. Any step may be repeated, and media may be reconciled in any order.

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
use lrs::ldm::fs::IndexStamp;
use std::collections::{BTreeMap, BTreeSet};

/// How many rows are asked for at once.
const PAGE: u32 = 2_000;
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
    let medium = match label.generation > medium.generation {
        false => medium,
        true => {
            let seen = Seen {
                generation: label.generation,
                revision: label.revision,
                head: None,
            };
            host.catalogue.compare_medium(medium.id, seen, host.clock.now()).await?;
            let gone = live_on(host, medium.id).await?;
            settle(host, &medium, gone, missing, &mut done).await?;
            if !done.missing.is_empty() {
                return conclude(host, report, done, (&medium, adopt)).await;
            }
            let now = host.clock.now();
            host.catalogue.raise_revision(label.revision).await?;
            let taken = host.catalogue.take_generation(medium.id, label.generation, now).await?;
            host.lrs.medium_changed(medium.id).await?;
            done.erased_since = true;
            taken
        }
    };
    let allocation = allocate(host, &medium, Use::Read).await?;
    read_in(host, &medium, &allocation.volume(medium.id), adopt, &mut report).await?;
    let named = named(host, &medium).await?;
    let revision = allocation.volume(medium.id).run(|volume| volume.revision()).await;
    let revision = revision.map_err(|error| super::super::of_drive(&error, &medium.name))?;
    allocation.release().await;
    let gone = live_on(host, medium.id).await?;
    let gone = gone.into_iter().filter(|extent| !named.contains(&extent.id)).collect();
    settle(host, &medium, gone, missing, &mut done).await?;
    if done.missing.is_empty() {
        stand_level(host, &medium, revision).await?;
    }
    conclude(host, report, done, (&medium, adopt)).await
}

/// The live extents that the catalogue has on a medium.
async fn live_on(host: &Host, medium: MediumId) -> Result<Vec<Extent>, Problem> {
    let filter = ExtentFilter {
        medium: Some(medium),
        state: Some(ExtentState::Sync),
        ..ExtentFilter::default()
    };
    all(host, &filter).await
}

async fn all(host: &Host, filter: &ExtentFilter) -> Result<Vec<Extent>, Problem> {
    let mut found = vec![];
    let mut after = None;
    loop {
        let page = host.catalogue.extents(filter, Page { after, limit: PAGE }).await?;
        let Some(last) = page.last() else { return Ok(found) };
        after = Some(last.id);
        found.extend(page);
    }
}

/// What a medium's own index names now.
async fn named(host: &Host, medium: &Medium) -> Result<BTreeSet<ExtentId>, Problem> {
    let allocation = allocate(host, medium, Use::Read).await?;
    let drive = allocation.volume(medium.id);
    let mut named = BTreeSet::new();
    let mut index = open_index(&drive, medium).await?;
    loop {
        let lines = next_lines(&drive, medium, &mut index).await?;
        let count = lines.len();
        named.extend(lines.into_iter().map(|entry| entry.tag.extent));
        if count < LINES {
            break;
        }
    }
    allocation.release().await;
    Ok(named)
}

/// Has the layouts of extents that are gone follow to wherever their bytes are now.
async fn settle(
    host: &Host,
    medium: &Medium,
    gone: Vec<Extent>,
    missing: Missing,
    done: &mut Reconciled,
) -> Result<(), Problem> {
    let mut left: BTreeMap<ExtentId, Extent> = gone.into_iter().map(|extent| (extent.id, extent)).collect();
    for _ in 0..ROUNDS {
        let followed = follow(host, &left).await?;
        if followed.is_empty() {
            break;
        }
        done.repointed += followed.len() as u64;
        followed.iter().for_each(|id| drop(left.remove(id)));
    }
    if missing == Missing::Forgotten && !left.is_empty() {
        let ids: Vec<ExtentId> = left.keys().copied().collect();
        let forgotten = host.catalogue.forget_gone(&ids, host.clock.now()).await?;
        done.forgotten_copies += forgotten.copies;
        let versions = forgotten.versions.into_iter();
        done.forgotten
            .extend(versions.map(|(oid, version)| format!("{oid}@{version}")));
        left.clear();
    }
    done.missing = left
        .into_values()
        .map(|extent| MissingExtent {
            extent: extent.id,
            oid: extent.origin.oid,
            version: extent.origin.version,
            medium: medium.name.clone(),
        })
        .collect();
    Ok(())
}

/// One round: reads what may stand in for each gone extent, medium by medium, and repoints to what was good.
async fn follow(host: &Host, left: &BTreeMap<ExtentId, Extent>) -> Result<Vec<ExtentId>, Problem> {
    let media: BTreeMap<MediumId, Medium> = host.catalogue.media().await?.into_iter().map(|m| (m.id, m)).collect();
    let mut by_medium: BTreeMap<MediumId, Vec<(ExtentId, Extent)>> = BTreeMap::new();
    for old in left.values() {
        for candidate in candidates(host, old).await? {
            let held = media.get(&candidate.medium);
            if held.is_some_and(|medium| medium.may_be_read() && medium.generation == candidate.generation) {
                by_medium.entry(candidate.medium).or_default().push((old.id, candidate));
            }
        }
    }
    let mut followed: BTreeSet<ExtentId> = BTreeSet::new();
    for (medium, pairs) in by_medium {
        let pairs = pairs.into_iter().filter(|(old, _)| !followed.contains(old)).collect();
        followed.extend(follow_to(host, &media[&medium], pairs).await?);
    }
    Ok(followed.into_iter().collect())
}

/// Orphans of the same place and bytes.
async fn candidates(host: &Host, old: &Extent) -> Result<Vec<Extent>, Problem> {
    let filter = ExtentFilter {
        oid: Some(old.origin.oid.clone()),
        state: Some(ExtentState::Orphan),
        ..ExtentFilter::default()
    };
    let same = |one: &Extent| one.origin == old.origin && one.digests.is_some() && one.digests == old.digests;
    Ok(all(host, &filter).await?.into_iter().filter(same).collect())
}

async fn follow_to(host: &Host, medium: &Medium, pairs: Vec<(ExtentId, Extent)>) -> Result<Vec<ExtentId>, Problem> {
    // One that is out of reach now may be back when this is repeated.
    let Ok(allocation) = allocate(host, medium, Use::Read).await else {
        return Ok(vec![]);
    };
    let drive = allocation.volume(medium.id);
    let mut ring = Ring::new(RING, RING / 4);
    let mut read: Vec<(ExtentId, ReadBack)> = vec![];
    for (old, candidate) in pairs {
        match read_back(&drive, &candidate, &mut ring).await {
            Ok(proof) => read.push((old, proof)),
            Err(ReadFailure::Drive(gone)) => return Err(super::super::of_drive(&gone, &medium.name)),
            Err(failure) => tracing::info!(extent = %candidate.id, %failure, "it does not stand in for what is gone"),
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
