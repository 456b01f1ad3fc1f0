//! Jobs: given, listed, followed, stopped, resumed and undone.

use super::answer::{Answer, Failure};
use super::control;
use super::lists::names;
use super::server::Daemon;
use super::sources::Sources;
use super::waits::{Waits, in_quarantine};
use crate::api::jobs::{JobEnd, JobList, JobReport, Progress, RestoreReport, SkipReport, at_rest, exit_code};
use crate::api::paused::{Unsaid, go_on};
use crate::api::requests::JobRequest;
use crate::api::wire::{Line, Nothing};
use crate::api::{MigrateRequest, Problem, RepackRequest, exit};
use crate::engine;
use crate::host::Host;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use dss::model::{Job, JobId, JobKind, JobSpec, MediumId, Quarantine};
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

/// The most jobs a list shows; older ones are shown by number.
const JOBS_MAX: u32 = 10_000;
/// How often a follower hears of a job.
const BEAT: Duration = Duration::from_millis(250);
/// A job that nobody works on for so many beats waits for something that will not come by itself.
const BEATS_ALONE: u32 = 20;

/// The requests about jobs.
pub fn routes() -> Router<Arc<Daemon>> {
    Router::new()
        .route("/v1/repack", post(repack))
        .route("/v1/repack/plan", post(super::plans::plan))
        .route("/v1/repack/best", post(super::candidates::best))
        .route("/v1/repack/best/choose", post(super::candidates::choose))
        .route("/v1/extent/migrate", post(migrate))
        .route("/v1/extent/release", post(super::extents::release))
        .route("/v1/job/list", post(list))
        .route("/v1/job/show", post(show))
        .route("/v1/job/follow", post(follow))
        .route("/v1/job/pause", post(pause))
        .route("/v1/job/cancel", post(cancel))
        .route("/v1/job/resume", post(resume))
        .route("/v1/job/restore", post(restore))
}

/// The job that a request asks for, with what is configured where it is silent.
pub(super) async fn spec(host: &Host, request: RepackRequest) -> Result<JobSpec, Problem> {
    let mut sources = Vec::with_capacity(request.sources.len());
    for name in &request.sources {
        sources.push(host.catalogue.medium(name).await?.id);
    }
    if sources.is_empty() {
        return Err(Problem::refused("no_source", "repack", "no medium is named").next("name the media to empty"));
    }
    let to = match &request.to {
        Some(name) => Some(host.catalogue.medium(name).await?.id),
        None => None,
    };
    let unsaid = unsaid(host);
    Ok(JobSpec {
        sources,
        only: BTreeSet::new(),
        to,
        to_tags: request.to_tags,
        quarantine: request.quarantine.map_or(unsaid.quarantine, none_or_some),
        verify: request.verify.unwrap_or(unsaid.verify),
        drop_deleted: request.drop_deleted.unwrap_or(unsaid.drop_deleted),
        limit_bytes: request.limit_bytes,
        limit_seconds: request.limit_seconds,
    })
}

/// What is configured for a repack that does not say it.
pub(super) fn unsaid(host: &Host) -> Unsaid {
    let configured = &host.config.repack;
    Unsaid {
        quarantine: none_or_some(Quarantine::Seconds(configured.quarantine.as_secs())),
        verify: configured.verify,
        drop_deleted: configured.drop_deleted,
    }
}

/// A quarantine of no time is none.
fn none_or_some(quarantine: Quarantine) -> Quarantine {
    match quarantine {
        Quarantine::Seconds(0) => Quarantine::None,
        other => other,
    }
}

pub(super) async fn report(host: &Host, job: &Job) -> Result<JobReport, Problem> {
    let sources = Sources::now(host).await?;
    let mut report = with_way_on(host, &sources.names, job, sources.report(job));
    report.waiting_for = in_quarantine(host, job).await?.or(report.waiting_for);
    Ok(report)
}

/// A job's report with the command that goes on with it.
fn with_way_on(host: &Host, names: &BTreeMap<MediumId, String>, job: &Job, report: JobReport) -> JobReport {
    JobReport {
        go_on: go_on(job, names, unsaid(host)),
        ..report
    }
}

async fn accept(daemon: &Daemon, kind: JobKind, spec: JobSpec) -> Answer<JobReport> {
    let job = engine::submit(&daemon.host, kind, spec).await?;
    daemon.jobs.start(job.id);
    Ok(Json(report(&daemon.host, &job).await?))
}

async fn repack(State(daemon): State<Arc<Daemon>>, Json(request): Json<RepackRequest>) -> Answer<JobReport> {
    // Whoever says more wants something moved.
    let says_more = request.to.is_some()
        || !request.to_tags.is_empty()
        || request.verify.is_some()
        || request.drop_deleted.is_some()
        || request.limit_bytes.is_some()
        || request.limit_seconds.is_some();
    let asked = request.quarantine.filter(|_| !says_more).map(none_or_some);
    let spec = spec(&daemon.host, request).await?;
    let Some(kept) = engine::decide(&daemon.host, &spec, asked).await? else {
        return accept(&daemon, JobKind::Repack, spec).await;
    };
    for due in engine::reclaim_due(&daemon.host).await? {
        daemon.jobs.start(due);
    }
    let job = daemon.host.catalogue.job(kept.id).await?;
    Ok(Json(report(&daemon.host, &job).await?))
}

async fn migrate(State(daemon): State<Arc<Daemon>>, Json(request): Json<MigrateRequest>) -> Answer<JobReport> {
    let extent = daemon.host.catalogue.extent(request.extent).await?;
    let source = daemon.host.catalogue.medium_by_id(extent.medium).await?;
    let request = RepackRequest {
        sources: vec![source.name],
        to: Some(request.to),
        // Only one extent leaves: nothing is erased but its own bytes, by the sweep.
        quarantine: Some(Quarantine::None),
        ..RepackRequest::default()
    };
    let spec = JobSpec {
        only: BTreeSet::from([extent.id]),
        ..spec(&daemon.host, request).await?
    };
    accept(&daemon, JobKind::Migrate, spec).await
}

async fn list(State(daemon): State<Arc<Daemon>>, Json(Nothing {}): Json<Nothing>) -> Answer<JobList> {
    let (sources, waits) = (Sources::now(&daemon.host).await?, Waits::now(&daemon.host).await);
    let all = daemon.host.catalogue.jobs(JOBS_MAX).await?;
    Ok(Json(JobList {
        jobs: all
            .iter()
            .map(|job| {
                let mut report = with_way_on(&daemon.host, &sources.names, job, sources.report(job));
                report.waiting_for = waits.of(job.id).or(report.waiting_for);
                report
            })
            .collect(),
    }))
}

async fn show(State(daemon): State<Arc<Daemon>>, Json(request): Json<JobRequest>) -> Answer<JobReport> {
    let host = &daemon.host;
    let job = host.catalogue.job(request.job).await?;
    let report = Waits::now(host).await.report(host, &job).await?;
    Ok(Json(with_way_on(host, &names(host).await?, &job, report)))
}

/// Server-sent events until the job rests, or respoold leaves; the last one is the report.
async fn follow(State(daemon): State<Arc<Daemon>>, Json(request): Json<JobRequest>) -> Result<Response, Failure> {
    daemon.host.catalogue.job(request.job).await?;
    let (sender, receiver) = mpsc::channel::<Result<Event, Infallible>>(4);
    tokio::spawn(async move {
        let last = match tell(&daemon, request.job, &sender).await {
            Ok(Some(end)) => Line::<Progress, JobEnd>::End(end),
            Ok(None) => return,
            Err(problem) => Line::Problem(problem),
        };
        // The client may have left.
        let _ = sender.send(Ok(event(&last))).await;
    });
    Ok(Sse::new(ReceiverStream::new(receiver))
        .keep_alive(KeepAlive::default())
        .into_response())
}

fn event(line: &Line<Progress, JobEnd>) -> Event {
    Event::default().data(serde_json::to_string(line).expect("an event is plain JSON"))
}

/// Tells progress until the job rests; None when the client left.
async fn tell(
    daemon: &Daemon,
    id: JobId,
    sender: &mpsc::Sender<Result<Event, Infallible>>,
) -> Result<Option<JobEnd>, Problem> {
    let mut alone = 0;
    loop {
        let running = daemon.jobs.watch(id).is_some();
        let job = daemon.host.catalogue.job(id).await?;
        alone = if running { 0 } else { alone + 1 };
        if !running && (at_rest(job.state) || daemon.stopping.is_cancelled()) || alone > BEATS_ALONE {
            let exit = if at_rest(job.state) {
                exit_code(&job)
            } else {
                exit::STOPPED
            };
            let report = report(&daemon.host, &job).await?;
            return Ok(Some(JobEnd { report, exit }));
        }
        let mut progress = Progress::of(&job);
        if let Some(wait) = Waits::now(&daemon.host).await.of(id) {
            progress.doing = wait.text;
        }
        if sender.send(Ok(event(&Line::Item(progress)))).await.is_err() {
            return Ok(None);
        }
        tokio::time::sleep(BEAT).await;
    }
}

async fn pause(State(daemon): State<Arc<Daemon>>, Json(request): Json<JobRequest>) -> Answer<JobReport> {
    let job = control::pause(&daemon.host, &daemon.jobs, request.job).await?;
    Ok(Json(report(&daemon.host, &job).await?))
}

async fn cancel(State(daemon): State<Arc<Daemon>>, Json(request): Json<JobRequest>) -> Answer<JobReport> {
    let job = control::cancel(&daemon.host, &daemon.jobs, request.job).await?;
    Ok(Json(report(&daemon.host, &job).await?))
}

async fn resume(State(daemon): State<Arc<Daemon>>, Json(request): Json<JobRequest>) -> Answer<JobReport> {
    let job = control::resume(&daemon.host, &daemon.jobs, request.job).await?;
    Ok(Json(report(&daemon.host, &job).await?))
}

async fn restore(State(daemon): State<Arc<Daemon>>, Json(request): Json<JobRequest>) -> Answer<RestoreReport> {
    let restored = control::restore(&daemon.host, &daemon.jobs, request.job).await?;
    let sources = Sources::now(&daemon.host).await?;
    let exit = restored.exit();
    let because = |why: &'static str| move |(extent, oid)| (extent, oid, why.to_owned());
    let moved_on = restored.moved_on.into_iter();
    let moved_on = moved_on.map(because("deleted, overwritten or moved on since"));
    let erased = restored.erased.into_iter();
    let erased = erased.map(because("its old bytes are erased; it stays where it is"));
    let mut not_returned = Vec::new();
    for (extent, oid, reason) in moved_on.chain(erased).chain(restored.failed) {
        let medium = match daemon.host.catalogue.extent(extent).await {
            Ok(row) => sources.names.get(&row.medium).cloned().unwrap_or_default(),
            // Its row may be gone by now.
            Err(_) => String::new(),
        };
        not_returned.push(SkipReport {
            extent,
            oid,
            medium,
            reason,
        });
    }
    Ok(Json(RestoreReport {
        report: with_way_on(
            &daemon.host,
            &sources.names,
            &restored.job,
            sources.report(&restored.job),
        ),
        returned: restored.returned,
        not_returned,
        exit,
    }))
}
