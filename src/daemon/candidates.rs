//! Media worth emptying: what is known of all media is gathered here, ranked in `repack::candidates`, and the best is
//! emptied when asked for. A choice and the job that comes of it are one request, so that nobody chooses in between.

use super::answer::Answer;
use super::control;
use super::jobs::{report, spec};
use super::media::space_of;
use super::server::Daemon;
use crate::api::candidates::{Best, CandidateList, CandidateView, CandidatesRequest, Choice, NoCandidate, WhyNot};
use crate::api::{Problem, RepackRequest};
use crate::engine;
use crate::host::Host;
use crate::repack::candidates::{Candidate, Facts, Ranking, Terms, rank};
use crate::repack::reasons::without_candidates;
use axum::Json;
use axum::extract::State;
use dss::catalogue::CatalogueError;
use dss::model::{ByteCount, Holding, Job, JobControl, JobKind, JobState, MediumId};
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many candidates are tried before the first refusal is told: what stands against all of them is told once.
const TRIES: usize = 8;

/// What is known of every medium.
async fn facts(host: &Host) -> Result<Vec<Facts>, Problem> {
    let holdings = host.catalogue.holdings(host.clock.now()).await?.into_iter();
    let mut holdings: BTreeMap<MediumId, Holding> = holdings.map(|one| (one.medium, one)).collect();
    let jobs = host.catalogue.active_jobs().await?;
    let mut all = vec![];
    for medium in host.catalogue.media().await? {
        // Added since: it is empty.
        let Some(holding) = holdings.remove(&medium.id) else {
            continue;
        };
        let source_of = jobs.iter().find(|job| job.spec.sources.contains(&medium.id));
        let target_of = jobs
            .iter()
            .find(|job| still_copies(job) && job.spec.to == Some(medium.id));
        let room = medium.capacity.map(|capacity| capacity.saturating_sub(holding.used));
        all.push(Facts {
            free: space_of(&medium, holding.used).map(|space| space.free).or(room),
            source_of: source_of.map(|job| (job.id, job.state)),
            target_of: target_of.map(|job| job.id),
            stranded: ByteCount::ZERO,
            holding,
            medium,
        });
    }
    let targets: BTreeSet<MediumId> = all
        .iter()
        .filter(|one| one.may_be_target())
        .map(|one| one.medium.id)
        .collect();
    let stranded = host.catalogue.stranded(&targets).await?;
    for one in &mut all {
        one.stranded = stranded.get(&one.medium.id).copied().unwrap_or_default();
    }
    Ok(all)
}

fn still_copies(job: &Job) -> bool {
    matches!(job.state, JobState::Queued | JobState::Running | JobState::Paused)
}

async fn ranking(host: &Host) -> Result<Ranking, Problem> {
    let terms = Terms {
        now: host.clock.now(),
        undelete_window: SignedDuration::try_from(host.config.store.undelete_window).unwrap_or(SignedDuration::MAX),
    };
    Ok(rank(&facts(host).await?, terms))
}

fn view((index, one): (usize, &Candidate)) -> CandidateView {
    CandidateView {
        medium: one.name.clone(),
        rank: index as u64 + 1,
        reclaimable_bytes: one.dead,
        dead_share: one.dead_share(),
        live_bytes: one.live,
        dead_bytes: one.dead,
        later_bytes: one.later,
        later_at: one.later_at,
        age_seconds: one.age.as_secs().unsigned_abs(),
        health: one.health,
        adm_state: one.adm_state,
        reason: one.reason.clone(),
    }
}

/// `medium candidates`.
pub async fn list(State(daemon): State<Arc<Daemon>>, Json(request): Json<CandidatesRequest>) -> Answer<CandidateList> {
    let host = &daemon.host;
    if let Some(name) = &request.why_not {
        host.catalogue.medium(name).await?;
    }
    let ranking = ranking(host).await?;
    Ok(Json(CandidateList {
        candidates: ranking.candidates.iter().enumerate().map(view).collect(),
        next: without_candidates(&ranking),
        why_not: request.why_not.map(|name| why_not(&ranking, name)),
    }))
}

fn why_not(ranking: &Ranking, medium: String) -> WhyNot {
    let found = ranking.candidates.iter().position(|one| one.name == medium);
    let left = ranking.left.iter().find(|one| one.name == medium);
    let against = left.map_or(&[][..], |left| &left.against);
    WhyNot {
        candidate: found.is_some(),
        reasons: match found {
            Some(place) => vec![ranking.candidates[place].reason.clone()],
            None if against.is_empty() => vec!["it was added just now".to_owned()],
            None => against.iter().map(|one| one.why()).collect(),
        },
        next: against.iter().map(|one| one.way_out(&medium)).collect(),
        medium,
    }
}

/// `repack --best`.
pub async fn best(State(daemon): State<Arc<Daemon>>, Json(request): Json<RepackRequest>) -> Answer<Best> {
    // One after the other: each sees what the one before it has chosen.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    let host = &daemon.host;
    check_best(host, &request).await?;
    if let Some(job) = stopped_at_limits(&daemon, &request).await? {
        let job = control::resume(host, &daemon.jobs, job.id).await?;
        return Ok(Json(Best::Job(Box::new(report(host, &job).await?))));
    }
    let ranking = ranking(host).await?;
    let mut first = None;
    for candidate in ranking.candidates.iter().take(TRIES) {
        match give(&daemon, &request, candidate).await {
            Ok(job) => return Ok(Json(Best::Job(Box::new(report(host, &job).await?)))),
            Err(problem) => {
                tracing::warn!(medium = %candidate.name, %problem, "the best medium cannot be emptied; the next is tried");
                first = first.or(Some(problem));
            }
        }
    }
    if let Some(problem) = first {
        return Err(problem.into());
    }
    Ok(Json(Best::None(no_candidate(&ranking))))
}

/// What `repack --best --plan` plans for: the medium that `repack --best` would empty now, as far as a plan tells.
pub async fn choose(State(daemon): State<Arc<Daemon>>, Json(request): Json<RepackRequest>) -> Answer<Choice> {
    let host = &daemon.host;
    check_best(host, &request).await?;
    let ranking = ranking(host).await?;
    let mut best = None;
    for candidate in ranking.candidates.iter().take(TRIES) {
        let medium = candidate.name.clone();
        match engine::plan(host, &spec(host, of_it(&request, candidate)).await?).await {
            Ok(planned) if planned.refusal.is_none() => return Ok(Json(Choice::Medium { medium })),
            // The plan of the best tells what stands against it.
            Ok(_) | Err(_) => best = best.or(Some(medium)),
        }
    }
    Ok(Json(match best {
        Some(medium) => Choice::Medium { medium },
        None => Choice::None(no_candidate(&ranking)),
    }))
}

async fn check_best(host: &Host, request: &RepackRequest) -> Result<(), Problem> {
    if !request.sources.is_empty() {
        let named = request.sources.join(" ");
        return Err(Problem::refused(
            "contradiction",
            "--best",
            format!("--best chooses the medium, and {named} is named"),
        )
        .next("leave out one of the two; nothing was touched"));
    }
    // A name that means nothing is refused whether or not there is anything to empty.
    if let Some(name) = &request.to {
        host.catalogue.medium(name).await?;
    }
    Ok(())
}

fn no_candidate(ranking: &Ranking) -> NoCandidate {
    let media = ranking.left.len() as u64;
    NoCandidate {
        job: None,
        media,
        message: format!(
            "none of {media} media is worth emptying now; `respool medium candidates --why-not MEDIUM` tells why not"
        ),
    }
}

/// What is asked, of one candidate.
fn of_it(request: &RepackRequest, candidate: &Candidate) -> RepackRequest {
    RepackRequest {
        sources: vec![candidate.name.clone()],
        ..request.clone()
    }
}

async fn give(daemon: &Daemon, request: &RepackRequest, candidate: &Candidate) -> Result<Job, Problem> {
    let spec = spec(&daemon.host, of_it(request, candidate)).await?;
    let job = engine::submit(&daemon.host, JobKind::Repack, spec).await?;
    daemon.jobs.start(job.id);
    Ok(job)
}

/// The oldest repack that stopped at just these limits, and not because somebody paused it: the same command goes on with
/// it, or each time would leave another medium half emptied.
async fn stopped_at_limits(daemon: &Daemon, request: &RepackRequest) -> Result<Option<Job>, CatalogueError> {
    let limits = (request.limit_bytes, request.limit_seconds);
    if limits == (None, None) {
        return Ok(None);
    }
    let jobs = daemon.host.catalogue.active_jobs().await?.into_iter();
    let such = jobs.filter(|job| {
        (job.kind, job.state, job.control) == (JobKind::Repack, JobState::Paused, JobControl::Run)
            && (job.spec.limit_bytes, job.spec.limit_seconds) == limits
            // One that was just taken up says so a moment later.
            && daemon.jobs.watch(job.id).is_none()
    });
    Ok(such.min_by_key(|job| job.id))
}
