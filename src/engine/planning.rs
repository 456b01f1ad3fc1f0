//! Hops 2 and 3: what lives on the sources, in which order it is read, and where it goes.

use super::submit::check;
use super::targets::{Reads, targets_for};
use crate::api::Problem;
use crate::host::Host;
use crate::repack::manifest::{LeftOut, Manifest, ManifestBuilder, Selection};
use crate::repack::names::Names;
use crate::repack::order::arrange;
use crate::repack::plan::{Assigned, per_target, predicted_seconds};
use crate::repack::stage::{Routed, Staging, Way};
use crate::repack::stays::{Stay, Stays};
use dss::catalogue::{CatalogueError, ManifestRow, Page};
use dss::model::{ByteCount, ExtentId, JobSpec, MediumId, Oid};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many manifest rows are asked for at once.
const PAGE: u32 = 5_000;

/// Reads what is live on the sources, page by page, and puts it in order.
pub(crate) async fn look(host: &Arc<Host>, spec: &JobSpec, skipped: &BTreeSet<ExtentId>) -> Result<Manifest, Problem> {
    read(host, spec, skipped, |_| ()).await
}

/// The same, and everybody hears of each row.
async fn read(
    host: &Arc<Host>,
    spec: &JobSpec,
    skipped: &BTreeSet<ExtentId>,
    mut hear: impl FnMut(&ManifestRow),
) -> Result<Manifest, Problem> {
    let selection = Selection {
        drop_deleted: spec.drop_deleted,
        only: &spec.only,
        skipped,
    };
    let mut builder = ManifestBuilder::new(&spec.sources, selection);
    for source in &spec.sources {
        let mut asked = JoinSet::new();
        ask(&mut asked, host, *source, None);
        while let Some(rows) = asked.join_next().await {
            let rows = rows.unwrap_or_else(|ended| match ended.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(CatalogueError::Unavailable("the program ends".to_owned())),
            })?;
            let Some(last) = rows.last() else { break };
            ask(&mut asked, host, *source, Some(last.extent));
            for row in &rows {
                builder.add(row);
                hear(row);
            }
        }
    }
    let mut manifest = builder.finish();
    arrange(&mut manifest);
    Ok(manifest)
}

/// Asks for a page in a task of its own: the catalogue looks for it while the one before is taken in.
fn ask(
    asked: &mut JoinSet<dss::catalogue::Result<Vec<ManifestRow>>>,
    host: &Arc<Host>,
    source: MediumId,
    after: Option<ExtentId>,
) {
    let host = Arc::clone(host);
    asked.spawn(async move { host.catalogue.manifest(source, Page { after, limit: PAGE }).await });
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
    /// tape: its first block.
    pub start_block: Option<u64>,
}

/// An extent that is not moved, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staying {
    /// The extent.
    pub extent: ExtentId,
    /// Its object's name; None when its last reference went while the plan was made.
    pub oid: Option<Oid>,
    /// Why.
    pub why: Stay,
}

/// A plan that was made and not acted upon.
#[derive(Debug)]
pub struct Planned {
    /// In access order, kept as small as they were planned; [`Steps::named`] gives them names, page by page.
    pub steps: Steps,
    /// Extents and bytes for each target.
    pub targets: Vec<(MediumId, u64, ByteCount)>,
    /// All bytes to be moved.
    pub bytes: ByteCount,
    /// Modelled seconds.
    pub predicted_seconds: f64,
    /// What staging costs, when source and targets share a dock.
    pub staged: Option<Staging>,
    /// What the sources will have regained when they are erased.
    pub reclaimed: ByteCount,
    /// The part of it that is dropped: deleted versions, and what was overwritten.
    pub dropped: ByteCount,
    /// What is not moved; [`named_stays`] gives it names and reasons, page by page.
    pub stays: Stays,
    /// What a job would be refused with.
    pub refusal: Option<Problem>,
}

/// The steps of a plan. Names that are too long to be kept for all of 5,000,000 steps are looked up while they are
/// told.
#[derive(Debug)]
pub struct Steps {
    sources: Vec<MediumId>,
    assigned: Vec<Assigned>,
    names: Names,
}

impl Steps {
    /// Pages of neighbouring steps, for [`Steps::named`].
    pub fn pages(&self) -> impl Iterator<Item = &[Assigned]> {
        self.assigned.chunks(PAGE as usize)
    }

    /// The steps of a page with their names. Of those whose name is looked up: one whose last reference went since it was
    /// planned needs no move any more.
    pub async fn named(&self, host: &Arc<Host>, page: &[Assigned]) -> Result<Vec<PlanStep>, Problem> {
        let kept = |step: &Assigned| self.names.of(step.item.source, step.item.extent);
        let unknown = page.iter().filter(|step| kept(step).is_none());
        let mut oids = names_of(host, unknown.map(|step| step.item.extent).collect()).await?;
        let named = page.iter().filter_map(|step| {
            Some(PlanStep {
                extent: step.item.extent,
                oid: kept(step).or_else(|| oids.remove(&step.item.extent))?,
                medium: self.sources[usize::from(step.item.source)],
                bytes: step.item.bytes,
                start_block: step.item.spot.map(|spot| spot.block),
            })
        });
        Ok(named.collect())
    }
}

/// Hops 2 and 3 without any of the others: what a job would do now.
pub async fn plan(host: &Arc<Host>, spec: &JobSpec) -> Result<Planned, Problem> {
    check(host, spec).await?;
    // Before the extents are read: what is put meanwhile must not seem to be dead.
    let used = host.catalogue.used().await?;
    let mut names = Names::none(&spec.sources);
    let mut manifest = read(host, spec, &BTreeSet::new(), |row| names.keep(row)).await?;
    let mut targets = targets_for(host, spec).await?;
    let Routed { mut plan, way } = targets.route(host, &manifest, Reads::Sources).await?;
    let (bytes, extents) = (plan.bytes(), plan.steps.len() as u64);
    let staged = match way {
        Way::Direct => None,
        Way::Staged => Some(Staging::of(&plan.steps, host.config.memory.spool)),
    };
    let reclaimed = dead(&manifest, &used);
    let dropped: ByteCount = manifest
        .left_out
        .iter()
        .filter(|(_, why)| *why == LeftOut::Dropped)
        .map(|(item, _)| item.bytes)
        .sum();
    Ok(Planned {
        targets: per_target(&plan.steps)
            .into_iter()
            .map(|(target, sum)| (target, sum.extents, sum.bytes))
            .collect(),
        bytes,
        predicted_seconds: staged.map_or_else(
            || predicted_seconds(bytes, extents),
            |staging| staging.predicted_seconds(bytes, extents),
        ),
        staged,
        reclaimed: reclaimed + dropped,
        dropped,
        refusal: targets.explain_unplaced(&plan),
        stays: Stays::of(&mut manifest, &mut plan),
        steps: Steps {
            sources: manifest.sources,
            assigned: plan.steps,
            names,
        },
    })
}

/// What lies on the sources and is not live: what the catalogue counts on each of them, without what was read of it. To
/// have it summed up would cost as much as half of the manifest.
fn dead(manifest: &Manifest, used: &BTreeMap<MediumId, ByteCount>) -> ByteCount {
    let mut live = vec![ByteCount::ZERO; manifest.sources.len()];
    let left_out = manifest.left_out.iter().map(|(item, _)| item);
    for item in manifest.items.iter().chain(left_out) {
        live[usize::from(item.source)] += item.bytes;
    }
    let of = |source| used.get(source).copied().unwrap_or(ByteCount::ZERO);
    let each = manifest.sources.iter().zip(live);
    each.map(|(source, live)| of(source).saturating_sub(live)).sum()
}

/// The next page of what is not moved, with names; None at the end.
pub async fn named_stays(
    host: &Arc<Host>,
    stays: &mut impl Iterator<Item = (ExtentId, Stay)>,
) -> Result<Option<Vec<Staying>>, Problem> {
    let page: Vec<(ExtentId, Stay)> = stays.take(PAGE as usize).collect();
    if page.is_empty() {
        return Ok(None);
    }
    let mut oids = names_of(host, page.iter().map(|(extent, _)| *extent).collect()).await?;
    let named = page.into_iter().map(|(extent, why)| Staying {
        extent,
        oid: oids.remove(&extent),
        why,
    });
    Ok(Some(named.collect()))
}

async fn names_of(host: &Arc<Host>, extents: Vec<ExtentId>) -> Result<BTreeMap<ExtentId, Oid>, Problem> {
    if extents.is_empty() {
        return Ok(BTreeMap::new());
    }
    let entries = host.catalogue.references(&extents).await?.into_iter();
    Ok(entries
        .map(|(_, entry)| (entry.extent.id, entry.extent.origin.oid))
        .collect())
}
