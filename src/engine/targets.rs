//! The media that a job may write to: which, with how much room, and what stands against the others (hop 3).

use crate::api::Problem;
use crate::api::media::out_of_quarantine;
use crate::api::standing::in_doubt;
use crate::host::Host;
use crate::repack::awaited::{Awaited, gives_back};
use crate::repack::berths::{Berth, Drives};
use crate::repack::manifest::Manifest;
use crate::repack::plan::{EXTENT_OVERHEAD, Lack, Plan, Reading, Target};
use crate::repack::stage::{Routed, Terms, route};
use dss::model::{AdmState, ByteCount, Family, FsState, Health, Job, JobId, JobSpec, Medium, MediumId, Standing};
use lrs::core::{Priority, Request};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// Of how many media the way out is told.
const WAYS_TOLD: usize = 2;

/// How long a probe for free space may wait for a busy drive before the catalogue's own figure is used for planning.
const PROBE_WAIT: Duration = Duration::from_secs(2);

/// The media that may be targets, and the reason against each that may not.
pub(crate) struct Targets {
    usable: Vec<Target>,
    refused: Vec<String>,
    /// What would make those usable.
    ways_out: Vec<String>,
    /// Those of them that are ahead of the catalogue.
    in_doubt: Vec<Medium>,
    /// Those of them that did not answer just now: nobody knew of it, so that it is told as what it is.
    failed: Vec<String>,
    /// Not asked for their room yet.
    unprobed: Vec<Medium>,
    /// The tags that they need.
    tags: BTreeSet<String>,
}

/// What a round reads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reads<'a> {
    /// The sources of the manifest.
    Sources,
    /// One other medium, for all of them.
    InTheirPlace(&'a MediumId),
}

impl Reads<'_> {
    fn by_source(self, manifest: &Manifest) -> Vec<MediumId> {
        match self {
            Self::Sources => manifest.sources.clone(),
            Self::InTheirPlace(other) => vec![*other; manifest.sources.len()],
        }
    }
}

impl Targets {
    /// A round for what lives on these media: straight from them to other drives, or by way of the spool. A medium in their
    /// drives is asked for its room only when the others do not do: to ask, it must be put in.
    pub(crate) async fn route(
        &mut self,
        host: &Arc<Host>,
        manifest: &Manifest,
        reads: Reads<'_>,
    ) -> Result<Routed, Problem> {
        let mut sources = vec![];
        for id in reads.by_source(manifest) {
            sources.push(Reading {
                medium: id,
                berth: Berth::of(&host.catalogue.medium_by_id(id).await?.location),
            });
        }
        let drives = Drives {
            of_libraries: host.lrs.library_drives().await,
        };
        let terms = Terms {
            drives: &drives,
            sources: &sources,
            spool: host.config.memory.spool,
        };
        self.probe(host, |berth| terms.in_reach(berth)).await;
        let routed = route(manifest, &self.usable, terms);
        if routed.plan.unplaced.is_empty() || self.unprobed.is_empty() {
            return Ok(routed);
        }
        self.probe(host, |_| true).await;
        Ok(route(manifest, &self.usable, terms))
    }

    async fn probe(&mut self, host: &Arc<Host>, which: impl Fn(Option<&Berth>) -> bool) {
        let (now, later): (Vec<Medium>, Vec<Medium>) = std::mem::take(&mut self.unprobed)
            .into_iter()
            .partition(|medium| which(Berth::of(&medium.location).as_ref()));
        self.unprobed = later;
        for medium in now {
            match room_on(host, &medium).await {
                Ok(free) => self.usable.push(Target {
                    medium: medium.id,
                    free,
                    begun: medium.fs_state == FsState::Used,
                    groupings: medium.groupings.clone(),
                    berth: Berth::of(&medium.location),
                }),
                Err(why) => {
                    let name = &medium.name;
                    self.ways_out
                        .push(format!("see to {name}, and run `respool medium trust {name}`"));
                    self.refused.push(format!("{name} ({why})"));
                    self.failed.push(name.clone());
                }
            }
        }
    }

    /// What to say when a plan leaves something without a place.
    pub(crate) fn explain_unplaced(&self, plan: &Plan) -> Option<Problem> {
        let (_, worst) = plan.unplaced.iter().max_by_key(|(_, lack)| *lack)?;
        let against = if self.refused.is_empty() {
            String::new()
        } else {
            format!("; not usable: {}", self.refused.join(", "))
        };
        let (count, missing) = (plan.unplaced.len(), plan.unplaced_bytes);
        let why = match worst {
            Lack::NoDrive => {
                "no drive serves the tapes that could take them (`respool drive list` tells why)".to_owned()
            }
            Lack::Room(short) => no_room(*short, plan),
            Lack::Spool(short) => {
                format!("source and targets share a drive, and the largest of them is {short} too large for the spool")
            }
            Lack::NoMedium if self.usable.is_empty() && !self.tags.is_empty() => {
                let tags: Vec<&str> = self.tags.iter().map(String::as_str).collect();
                format!(
                    "there is no medium with all of the tags {} that may take them",
                    tags.join(", ")
                )
            }
            Lack::NoMedium if self.usable.is_empty() => "there is no medium that may take them".to_owned(),
            Lack::NoMedium => "every medium that could take them holds another copy of their objects".to_owned(),
        };
        let message = format!("{count} extents find no target, {missing} are missing: {why}{against}");
        if let Some(problem) = in_doubt(&self.in_doubt, &message) {
            return Some(problem);
        }
        let spool = match worst {
            Lack::Spool(_) => Some("enlarge [memory] spool".to_owned()),
            Lack::NoMedium | Lack::NoDrive | Lack::Room(_) => None,
        };
        let others = "add a medium with `respool dir add`, or name or free another one".to_owned();
        let known = self.ways_out.iter().take(WAYS_TOLD).cloned();
        let ways: Vec<String> = spool.into_iter().chain(known).chain([others]).collect();
        let problem = match self.failed.first() {
            Some(medium) if self.usable.is_empty() => Problem::environment("no_target", "medium", medium, message),
            _ => Problem::refused("no_target", "targets", message),
        };
        Some(problem.next(format!("{}; then repeat", ways.join("; or "))))
    }
}

/// How much is missing for the one that lacks most, and that not only bytes count, where that may be what is missing.
fn no_room(short: ByteCount, plan: &Plan) -> String {
    let extents = plan.steps.len() + plan.unplaced.len();
    let beside = ByteCount(EXTENT_OVERHEAD.0.saturating_mul(extents as u64));
    let counted = match short <= beside {
        true => format!(" (each extent is counted with {EXTENT_OVERHEAD} more than its bytes, for its file)"),
        false => String::new(),
    };
    format!("the one that lacks most needs {short} more than the roomiest medium has left{counted}")
}

/// Every medium that may be a target of this job.
pub(crate) async fn targets_for(host: &Arc<Host>, spec: &JobSpec) -> Result<Targets, Problem> {
    let mut targets = Targets {
        usable: vec![],
        refused: vec![],
        ways_out: vec![],
        in_doubt: vec![],
        failed: vec![],
        unprobed: vec![],
        tags: spec.to_tags.clone(),
    };
    let (media, jobs) = (host.catalogue.media().await?, host.catalogue.active_jobs().await?);
    for medium in media {
        if !is_asked(spec, &medium) {
            continue;
        }
        if let Err(why) = medium.may_take_extents() {
            targets.refused.push(format!("{} ({why})", medium.name));
            let way = why.way_out(&medium.name).or_else(|| way_out_by_job(&medium, &jobs));
            targets.ways_out.extend(way);
            if medium.standing != Standing::Level {
                targets.in_doubt.push(medium);
            }
            continue;
        }
        targets.unprobed.push(medium);
    }
    Ok(targets)
}

/// What to do about a medium that takes nothing because of a job, and not because an operator said so.
fn way_out_by_job(medium: &Medium, jobs: &[Job]) -> Option<String> {
    let name = &medium.name;
    if medium.adm_state == AdmState::Quarantined {
        return Some(format!("{name} is quarantined: {}", out_of_quarantine(medium, jobs)));
    }
    let job = jobs.iter().find(|job| job.spec.sources.contains(&medium.id))?.id;
    Some(format!(
        "job {job} has {name}: see `respool job show {job}`, wait for it or cancel it"
    ))
}

/// Whether a job's own words allow a medium as target.
fn is_asked(spec: &JobSpec, medium: &Medium) -> bool {
    !spec.sources.contains(&medium.id)
        && spec.to.is_none_or(|to| to == medium.id)
        && spec.to_tags.is_subset(&medium.tags)
}

/// The media that other jobs are emptying and give back by themselves, as they will be then. `own` is the job that may
/// wait for them; a new one comes after all others.
pub(crate) async fn awaited_for(host: &Arc<Host>, spec: &JobSpec, own: Option<JobId>) -> Result<Vec<Awaited>, Problem> {
    let mut awaited = vec![];
    let used = host.catalogue.used().await?;
    for job in host.catalogue.active_jobs().await? {
        if !gives_back(&job, own) {
            continue;
        }
        for source in &job.spec.sources {
            let medium = host.catalogue.medium_by_id(*source).await?;
            let will_do = is_asked(spec, &medium) && !medium.locked && medium.health == Health::Ok;
            if !will_do || !medium.in_reach() {
                continue;
            }
            let used = used.get(&medium.id).copied().unwrap_or_default();
            // What cannot be asked for its room is not waited for.
            let Ok(free) = room_on(host, &medium).await else {
                continue;
            };
            awaited.push(Awaited {
                target: Target {
                    medium: medium.id,
                    free: free + used,
                    begun: false,
                    groupings: BTreeSet::new(),
                    berth: Berth::of(&medium.location),
                },
                job: job.id,
            });
        }
    }
    Ok(awaited)
}

/// How much a medium can take, from the medium itself; where its drive is busy, and of a tape, which would have to be loaded
/// for this, from the catalogue. A probe that fails closes the medium, it never opens it.
async fn room_on(host: &Arc<Host>, medium: &Medium) -> Result<ByteCount, String> {
    if medium.family == Family::Tape && medium.capacity.is_some() {
        return room_by_catalogue(host, medium, "it never told its capacity").await;
    }
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
        Err(_) => room_by_catalogue(host, medium, "its drive is busy").await,
    }
}

async fn room_by_catalogue(host: &Arc<Host>, medium: &Medium, otherwise: &str) -> Result<ByteCount, String> {
    let capacity = medium.capacity.ok_or_else(|| otherwise.to_owned())?;
    let used = host.catalogue.used().await.map_err(|error| error.to_string())?;
    Ok(capacity.saturating_sub(used.get(&medium.id).copied().unwrap_or_default()))
}
