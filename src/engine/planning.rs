//! Hops 2 and 3: what lives on the sources, in which order it is read, and where it goes.

use super::submit::check;
use crate::api::Problem;
use crate::host::Host;
use crate::repack::manifest::{LeftOut, Manifest, ManifestBuilder, Selection};
use crate::repack::order::arrange;
use crate::repack::plan::{Assigned, Plan, Target, assign, not_moved, predicted_seconds};
use dss::catalogue::Page;
use dss::model::{ByteCount, ExtentId, Family, FsState, JobSpec, Medium, MediumId, Oid};
use lrs::core::{Priority, Request};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// How many manifest rows are asked for at once.
const PAGE: u32 = 5_000;

/// Of how many media the way out is told.
const WAYS_TOLD: usize = 2;

/// How long a probe for free space may wait for a busy drive before the catalogue's own figure is used for planning.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// The media that may be targets, and the reason against each that may not.
#[derive(Clone)]
pub(crate) struct Targets {
    pub(crate) usable: Vec<Target>,
    pub(crate) refused: Vec<String>,
    names: BTreeMap<MediumId, String>,
    /// What would make those usable.
    pub(crate) ways_out: Vec<String>,
}

impl Targets {
    /// Without those in docks of the media to be read: a dock holds one disk at a time.
    pub(crate) fn beside(mut self, docks: &BTreeSet<String>) -> Self {
        let (behind, beside): (Vec<Target>, Vec<Target>) = self
            .usable
            .into_iter()
            .partition(|target| target.dock.as_ref().is_some_and(|dock| docks.contains(dock)));
        let named = behind.iter().filter_map(|target| {
            let (name, dock) = (self.names.get(&target.medium)?, target.dock.as_ref()?);
            Some(format!("{name} (in dock {dock} with the source)"))
        });
        self.refused.extend(named);
        self.usable = beside;
        self
    }

    /// What to say when a plan leaves something without a place.
    pub(crate) fn explain_unplaced(&self, plan: &Plan) -> Option<Problem> {
        let (_, worst) = plan.unplaced.iter().max_by_key(|(_, missing)| *missing)?;
        let against = if self.refused.is_empty() {
            String::new()
        } else {
            format!("; not usable: {}", self.refused.join(", "))
        };
        let (count, missing) = (plan.unplaced.len(), plan.unplaced_bytes.0);
        let why = match worst {
            Some(short) => format!(
                "the largest of them is {} bytes too large for the roomiest medium",
                short.0
            ),
            None if self.usable.is_empty() => "there is no medium that may take them".to_owned(),
            None => "every medium that could take them holds another copy of their objects".to_owned(),
        };
        let message = format!("{count} extents find no target, {missing} bytes are missing: {why}{against}");
        let others = "add a medium with `respool dir add`, or name or free another one".to_owned();
        let ways: Vec<String> = self.ways_out.iter().take(WAYS_TOLD).cloned().chain([others]).collect();
        Some(Problem::refused("no_target", "targets", message).next(format!("{}; then repeat", ways.join("; or "))))
    }
}

/// Reads what is live on the sources, page by page, and puts it in order.
pub(crate) async fn look(host: &Arc<Host>, spec: &JobSpec, skipped: &BTreeSet<ExtentId>) -> Result<Manifest, Problem> {
    let selection = Selection {
        drop_deleted: spec.drop_deleted,
        only: &spec.only,
        skipped,
    };
    let mut builder = ManifestBuilder::new(&spec.sources, selection);
    for source in &spec.sources {
        let mut after = None;
        loop {
            let rows = host.catalogue.manifest(*source, Page { after, limit: PAGE }).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.extent.id);
            rows.iter().for_each(|row| builder.add(row));
        }
    }
    let mut manifest = builder.finish();
    arrange(&mut manifest, Family::Dir);
    Ok(manifest)
}

/// Every medium that may be a target of this job, with its room.
pub(crate) async fn targets_for(host: &Arc<Host>, spec: &JobSpec) -> Result<Targets, Problem> {
    let mut targets = Targets {
        usable: vec![],
        refused: vec![],
        names: BTreeMap::new(),
        ways_out: vec![],
    };
    let media = host.catalogue.media().await?;
    for medium in media {
        let asked = spec.to.is_none_or(|to| to == medium.id) && spec.to_tags.is_subset(&medium.tags);
        if spec.sources.contains(&medium.id) || !asked {
            continue;
        }
        if let Err(why) = medium.may_take_extents() {
            targets.refused.push(format!("{} ({why})", medium.name));
            targets.ways_out.extend(why.way_out(&medium.name));
            continue;
        }
        targets.names.insert(medium.id, medium.name.clone());
        match room_on(host, &medium).await {
            Ok(free) => targets.usable.push(Target {
                medium: medium.id,
                free,
                begun: medium.fs_state == FsState::Used,
                groupings: medium.groupings.clone(),
                dock: medium.location.dock.clone(),
            }),
            Err(why) => targets.refused.push(format!("{} ({why})", medium.name)),
        }
    }
    Ok(targets)
}

/// The docks of these media.
pub(crate) async fn docks_of(host: &Host, media: &[MediumId]) -> Result<BTreeSet<String>, Problem> {
    let mut docks = BTreeSet::new();
    for id in media {
        docks.extend(host.catalogue.medium_by_id(*id).await?.location.dock);
    }
    Ok(docks)
}

/// How much a medium can take, from the medium itself; where its drive is busy, from the catalogue. A probe that fails
/// closes the medium, it never opens it.
async fn room_on(host: &Arc<Host>, medium: &Medium) -> Result<ByteCount, String> {
    let request = Request {
        purpose: format!("free space of {}", medium.name),
        priority: Priority::Get,
        reads: vec![medium.id],
        writes: vec![],
        exclusive: vec![],
    };
    match tokio::time::timeout(PROBE_WAIT, host.lrs.allocate(request)).await {
        Ok(Ok(allocation)) => {
            let probed = allocation.volume(medium.id).run(|volume| volume.space()).await;
            allocation.release().await;
            match probed {
                Ok(Ok(space)) => Ok(space.free),
                Ok(Err(error)) => Err(error.to_string()),
                Err(gone) => Err(gone.to_string()),
            }
        }
        Ok(Err(error)) => Err(Problem::from(error).message),
        Err(_) => {
            let usage = host
                .catalogue
                .usage(medium.id, host.clock.now())
                .await
                .map_err(|error| error.to_string())?;
            medium
                .capacity
                .map(|capacity| capacity.saturating_sub(usage.used))
                .ok_or("its drive is busy".to_owned())
        }
    }
}

/// One step of a plan, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    /// The extent.
    pub extent: ExtentId,
    /// Its object's name.
    pub oid: Oid,
    /// The medium it is read from.
    pub medium: MediumId,
    /// Its size.
    pub bytes: ByteCount,
}

/// An extent that stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stays {
    /// The extent.
    pub extent: ExtentId,
    /// Its object's name; None when its last reference went while the plan was made.
    pub oid: Option<Oid>,
    /// Why.
    pub why: String,
}

/// A plan that was made and not acted upon.
#[derive(Debug)]
pub struct Planned {
    /// In access order.
    pub steps: Vec<PlanStep>,
    /// Extents and bytes for each target.
    pub targets: Vec<(MediumId, u64, ByteCount)>,
    /// All bytes to be moved.
    pub bytes: ByteCount,
    /// Modelled seconds.
    pub predicted_seconds: f64,
    /// What the sources will have regained when they are erased.
    pub reclaimed: ByteCount,
    /// What stays, and why.
    pub not_moved: Vec<Stays>,
    /// What a job would be refused with.
    pub refusal: Option<Problem>,
}

/// Hops 2 and 3 without any of the others: what a job would do now.
pub async fn plan(host: &Arc<Host>, spec: &JobSpec) -> Result<Planned, Problem> {
    check(host, spec).await?;
    let manifest = look(host, spec, &BTreeSet::new()).await?;
    let docks = docks_of(host, &spec.sources).await?;
    let targets = targets_for(host, spec).await?.beside(&docks);
    let plan = assign(&manifest, &targets.usable);
    let mut reclaimed = ByteCount::ZERO;
    for source in &spec.sources {
        let usage = host.catalogue.usage(*source, host.clock.now()).await?;
        reclaimed += usage.used.saturating_sub(usage.live);
    }
    let dropped: ByteCount = manifest
        .left_out
        .iter()
        .filter(|(_, why)| *why == LeftOut::Dropped)
        .map(|(item, _)| item.bytes)
        .sum();
    Ok(Planned {
        targets: plan
            .per_target()
            .into_iter()
            .map(|(target, (extents, bytes))| (target, extents, bytes))
            .collect(),
        bytes: plan.bytes(),
        predicted_seconds: predicted_seconds(plan.bytes(), plan.steps.len() as u64),
        reclaimed: reclaimed + dropped,
        not_moved: named_stays(host, not_moved(&manifest, &plan)).await?,
        refusal: targets.explain_unplaced(&plan),
        steps: named_steps(host, &manifest, &plan.steps).await?,
    })
}

async fn named_stays(host: &Arc<Host>, stays: Vec<(ExtentId, String)>) -> Result<Vec<Stays>, Problem> {
    let mut named = Vec::with_capacity(stays.len());
    for page in stays.chunks(PAGE as usize) {
        let mut oids = names_of(host, page.iter().map(|(extent, _)| *extent).collect()).await?;
        named.extend(page.iter().map(|(extent, why)| Stays {
            extent: *extent,
            oid: oids.remove(extent),
            why: why.clone(),
        }));
    }
    Ok(named)
}

async fn names_of(host: &Arc<Host>, extents: Vec<ExtentId>) -> Result<BTreeMap<ExtentId, Oid>, Problem> {
    let entries = host.catalogue.references(&extents).await?.into_iter();
    Ok(entries
        .map(|(_, entry)| (entry.extent.id, entry.extent.origin.oid))
        .collect())
}

async fn named_steps(host: &Arc<Host>, manifest: &Manifest, steps: &[Assigned]) -> Result<Vec<PlanStep>, Problem> {
    let mut named = Vec::with_capacity(steps.len());
    for page in steps.chunks(PAGE as usize) {
        let oids = names_of(host, page.iter().map(|step| step.item.extent).collect()).await?;
        // An extent whose last reference went while the plan was made needs no move any more.
        named.extend(page.iter().filter_map(|step| {
            let oid = oids.get(&step.item.extent)?.clone();
            let medium = manifest.source_of(&step.item);
            Some(PlanStep {
                extent: step.item.extent,
                oid,
                medium,
                bytes: step.item.bytes,
            })
        }));
    }
    Ok(named)
}
