//! `job`, and following a job to its rest.

use super::progress::Bar;
use super::table::{pairs, table};
use super::typed::Globals;
use super::visible::on_one_line;
use super::{Context, Done, interrupts};
use crate::api::jobs::{JobEnd, JobList, RestoreReport};
use crate::api::requests::JobRequest;
use crate::api::units::parse_job;
use crate::api::waiting::WaitingFor;
use crate::api::wire::{Line, Nothing};
use crate::api::{JobReport, Problem, Progress, exit};
use crate::client::{Client, Lines, decode, gone, json_body};
use clap::ValueHint;
use dss::model::{ByteCount, JobId, JobState};
use tokio::signal::unix::Signal;

#[derive(Debug, clap::Subcommand)]
pub enum Job {
    /// All jobs, the newest first
    List,
    /// One job
    Show(Which),
    /// What a job did, as it was told when it came to rest
    Report(Which),
    /// Wait until a job rests; its exit code is the job's
    Wait(Which),
    /// Stop a job at its next extent boundary, resumable
    Pause(Which),
    /// Go on with a paused job
    Resume(Resume),
    /// Stop a job for good; its source stays read_only
    Cancel(Which),
    /// Put the layouts back on the old bytes, each read and verified first
    Restore(Which),
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Which {
    /// The job's number
    #[arg(value_name = "JOB", value_parser = parse_job, value_hint = ValueHint::Other)]
    job: JobId,
}

#[derive(Debug, clap::Args)]
pub struct Resume {
    #[command(flatten)]
    which: Which,
    /// Return when the job goes on
    #[arg(long)]
    detach: bool,
}

impl Job {
    pub async fn run(self, context: &Context) -> Done {
        let client = context.client().await?;
        match self {
            Self::List => {
                let list: JobList = client.call("/v1/job/list", &Nothing {}).await?;
                context.output.result(&list, brief);
                Ok(exit::DONE)
            }
            Self::Show(which) | Self::Report(which) => one(context, &client, "/v1/job/show", which).await,
            Self::Pause(which) => one(context, &client, "/v1/job/pause", which).await,
            Self::Cancel(which) => one(context, &client, "/v1/job/cancel", which).await,
            Self::Wait(which) => follow(context, &client, which.job, CtrlC::Leaves).await,
            Self::Resume(resume) => {
                let request = JobRequest { job: resume.which.job };
                let job: JobReport = client.call("/v1/job/resume", &request).await?;
                if resume.detach {
                    context
                        .output
                        .result(&job, |job| context.globals.within(&detached(job)));
                    return Ok(exit::DONE);
                }
                follow(context, &client, request.job, CtrlC::PausesJob).await
            }
            Self::Restore(which) => {
                let request = JobRequest { job: which.job };
                let report: RestoreReport = client.call("/v1/job/restore", &request).await?;
                context
                    .output
                    .result(&report, |report| context.globals.within(&restored(report)));
                Ok(report.exit)
            }
        }
    }
}

async fn one(context: &Context, client: &Client, path: &str, which: Which) -> Done {
    let job: JobReport = client.call(path, &JobRequest { job: which.job }).await?;
    context.output.result(&job, |job| details(job, &context.globals));
    Ok(exit::DONE)
}

/// One line for whoever does not wait for a job.
pub fn detached(job: &JobReport) -> String {
    format!(
        "job {0} ({1} of {2}) is {3}: `respool job wait {0}` watches it, `respool job show {0}` tells how far it is",
        job.job,
        job.kind,
        job.sources.join(", "),
        job.state
    )
}

/// What became of the layouts, of the copies that the job had made, and of its sources.
fn restored(done: &RestoreReport) -> String {
    let (job, back) = (&done.report, done.returned);
    let (number, sources) = (job.job, job.sources.join(", "));
    let mut text = format!(
        "job {number} is {}: the layouts of {back} extents point to their old bytes on {sources} again, each read and \
         verified first",
        job.state
    );
    let targets: Vec<&str> = job.targets.iter().map(|target| target.medium.as_str()).collect();
    if back > 0 {
        text.push_str(&format!(
            "\ntheir copies on {} are orphans now: the next sweep removes their files, and on a tape their names; its room \
             comes back when it is repacked",
            targets.join(", ")
        ));
    }
    if job.state != JobState::Restored {
        text.push_str(&format!(
            "\nsome old bytes did not verify: job {number} stays as it is, and so do {sources}"
        ));
    }
    for left in &done.not_returned {
        let told = format!("not touched: {} ({}): {}", left.oid, left.extent, left.reason);
        text.push_str(&format!("\n{}", on_one_line(&told)));
    }
    text + &back_to_use(job)
}

/// What Ctrl-C means to whoever follows a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtrlC {
    /// The first asks the job to stop at its next extent boundary, the second returns at once.
    PausesJob,
    /// The job is somebody else's and goes on.
    Leaves,
}

/// Follows a job until it rests and prints its report.
pub async fn follow(context: &Context, client: &Client, job: JobId, ctrl_c: CtrlC) -> Done {
    follow_from(context, client, job, (ctrl_c, interrupts()?)).await
}

/// The same, where Ctrl-C counts from an earlier moment.
pub async fn follow_from(context: &Context, client: &Client, job: JobId, (ctrl_c, seen): (CtrlC, Signal)) -> Done {
    let end = watch(context, client, job, (ctrl_c, seen)).await?;
    if end.exit == exit::STOPPED {
        context.output.note(&context.globals.within(&stopped(&end.report)));
    }
    context.output.result(&end.report, |job| details(job, &context.globals));
    Ok(end.exit)
}

/// What to do with a job that stopped early.
fn stopped(report: &JobReport) -> String {
    let job = report.job;
    match report.state {
        JobState::Cancelled => {
            let rest = match &report.go_on {
                Some(command) => format!("`{command}` moves the rest"),
                None => "a repack of them moves the rest".to_owned(),
            };
            format!(
                "job {job} is cancelled for good: what it moved stays moved, and its sources stay read_only; {rest}"
            )
        }
        JobState::Queued | JobState::Running | JobState::Verifying | JobState::Reclaiming => format!(
            "respoold leaves, and job {job} is resumable: it goes on by itself with the next command; \
             run `respool job wait {job}`"
        ),
        JobState::Paused
        | JobState::Quarantined
        | JobState::Done
        | JobState::DoneWithSkips
        | JobState::Failed
        | JobState::Restored => format!("job {job} is resumable: run `respool job resume {job}`"),
    }
}

/// Follows a job until it rests.
pub async fn watch(context: &Context, client: &Client, job: JobId, how: (CtrlC, Signal)) -> Result<JobEnd, Problem> {
    watch_lines(context, client, job, how).await.map_err(|problem| {
        let next = context.globals.within(&problem.next);
        problem.next(next)
    })
}

async fn watch_lines(
    context: &Context,
    client: &Client,
    job: JobId,
    (ctrl_c, mut interrupts): (CtrlC, Signal),
) -> Result<JobEnd, Problem> {
    let request = JobRequest { job };
    let following = client.send("/v1/job/follow", json_body(&request)).await;
    let mut lines = Lines::new(following.map_err(|problem| out_of_reach(job, false, problem))?);
    let mut bar = Bar::new(&context.output);
    let mut interrupted = false;
    loop {
        let line = tokio::select! {
            line = lines.next() => line.map_err(|problem| out_of_reach(job, interrupted, problem))?,
            Some(()) = interrupts.recv() => {
                if ctrl_c == CtrlC::Leaves {
                    return Err(goes_on(job));
                }
                if interrupted {
                    return Err(left(job));
                }
                interrupted = true;
                bar.say("stopping at the next extent boundary; Ctrl-C again returns at once");
                // A job that rests meanwhile needs no pause; the events say so.
                let paused: Result<JobReport, Problem> = client.call("/v1/job/pause", &request).await;
                if let Err(problem) = paused {
                    bar.say(&problem.message);
                }
                continue;
            }
        };
        let Some(line) = line else {
            return Err(out_of_reach(job, interrupted, gone(&"the events of the job ended")));
        };
        let Some(data) = line.strip_prefix(b"data:") else {
            continue;
        };
        match decode::<Line<Progress, JobEnd>>(data)? {
            Line::Item(progress) => bar.show(&progress),
            Line::Problem(problem) => {
                bar.end();
                return Err(out_of_sight(job, problem));
            }
            Line::End(end) => {
                bar.end();
                return Ok(end);
            }
        }
    }
}

/// respoold is gone. To repeat what began the job would be refused: the job has its sources.
fn out_of_reach(job: JobId, interrupted: bool, problem: Problem) -> Problem {
    if problem.code != "respoold_gone" {
        return problem;
    }
    if interrupted {
        let next = format!("look at it with `respool job show {job}`, go on with `respool job resume {job}`");
        return problem.next(next);
    }
    let message = format!(
        "{}; nothing of job {job} is lost: it goes on when any command starts respoold again, and by itself under a \
         service manager",
        problem.message
    );
    Problem { message, ..problem }.next(format!("run `respool job wait {job}`: it watches the job again"))
}

/// A job that cannot be followed is not a job that failed.
fn out_of_sight(job: JobId, problem: Problem) -> Problem {
    if problem.code != "catalogue_unavailable" {
        return problem;
    }
    let message = format!(
        "{}; job {job} cannot be followed now: nothing of it is lost, and it goes on by itself when the catalogue is back",
        problem.message
    );
    let next = format!(
        "see why PostgreSQL does not answer (its log is below `pg` in the state folder); `respool job wait {job}` \
         follows the job again"
    );
    Problem { message, ..problem }.next(next)
}

fn left(job: JobId) -> Problem {
    Problem::stopped(
        "interrupted",
        format!("job {job}"),
        format!("job {job} is still stopping safely; this command returned at once"),
    )
    .next(format!(
        "look at it with `respool job show {job}`, go on with `respool job resume {job}`"
    ))
}

fn goes_on(job: JobId) -> Problem {
    Problem::stopped(
        "interrupted",
        format!("job {job}"),
        format!("job {job} goes on; nobody waits for it now"),
    )
    .next(format!("wait again with `respool job wait {job}`"))
}

fn brief(list: &JobList) -> String {
    let rows = list.jobs.iter().map(|job| {
        [
            job.job.to_string(),
            job.kind.to_string(),
            match &job.paused {
                Some(paused) => format!("{} ({})", job.state, paused.by),
                None => job.state.to_string(),
            },
            job.sources.join(","),
            format!("{}/{}", job.extents.moved, job.extents.live),
            job.bytes_moved.to_string(),
            job.skipped.len().to_string(),
        ]
    });
    table(["job", "kind", "state", "sources", "moved", "bytes", "skipped"], rows)
}

/// Since when a job waits, for whom, and what happens next.
fn waits(wait: &WaitingFor) -> String {
    let mut text = format!("\n  since {}", wait.since);
    for reason in &wait.reasons {
        if let (Some(holder), Some(since)) = (&reason.held_by, reason.held_since) {
            text.push_str(&format!("\n  {holder} has it since {since}"));
        }
        if let Some(asked) = reason.yield_asked_at {
            text.push_str(&format!(", asked at {asked} to give way"));
        }
        text.push_str(&format!("\n  next: {}", reason.next));
    }
    text
}

/// One job, for people.
fn details(job: &JobReport, globals: &Globals) -> String {
    let targets: Vec<String> = job
        .targets
        .iter()
        .map(|target| format!("{} ({} extents, {})", target.medium, target.extents, target.bytes))
        .collect();
    let extents = &job.extents;
    let mut text = pairs(&[
        ("job", format!("{} ({})", job.job, job.kind)),
        ("state", job.state.to_string()),
        ("sources", job.sources.join(", ")),
        ("targets", targets.join(", ")),
        (
            "extents",
            format!(
                "{} live, {} moved, {} released, {} skipped, {} failed, {} remaining",
                extents.live, extents.moved, extents.released, extents.skipped, extents.failed, extents.remaining
            ),
        ),
        ("moved", job.bytes_moved.to_string()),
        (
            "read back",
            format!(
                "{} extents, {}, {} bad",
                job.read_back.extents, job.read_back.bytes, job.read_back.failed
            ),
        ),
        ("seconds", format!("{:.1}", job.seconds)),
        (
            "waits for",
            job.waiting_for
                .as_ref()
                .map_or_else(String::new, |wait| wait.text.clone()),
        ),
    ]);
    text.push_str(&job.waiting_for.as_ref().map_or_else(String::new, waits));
    if job.bytes_recopied > ByteCount::ZERO {
        text.push_str(&format!(
            "\ncopied again: {} that were under way when something came in between; nothing was lost",
            job.bytes_recopied
        ));
    }
    if let Some(paused) = &job.paused {
        text.push_str(&format!("\npaused: {}\n  next: {}", paused.text, paused.next));
    }
    for one in &job.substitutions {
        text.push_str(&format!(
            "\nsubstituted: {} ({}): {} failed and {} was read instead: {}",
            one.oid, one.extent, one.medium, one.read_from, one.reason
        ));
    }
    for skip in &job.skipped {
        text.push_str(&format!(
            "\nskipped: {} ({}) on {}: {}",
            skip.oid, skip.extent, skip.medium, skip.reason
        ));
    }
    if let Some(error) = &job.error {
        text.push_str(&format!("\nerror: {}\n  next: {}", error.message, error.next));
    }
    // A paused job says that by itself.
    let go_on = job.go_on.as_ref().filter(|_| job.paused.is_none());
    text.extend(go_on.map(|command| format!("\nto go on: {}", globals.add(command))));
    globals.within(&(text + &back_to_use(job)))
}

/// How sources that take nothing new any more take it again.
fn back_to_use(job: &JobReport) -> String {
    let way = |medium: &String| {
        format!(
            "\nread_only: {medium} takes nothing new any more\n  next: put it back to use with `respool medium set {medium} \
             adm_state=in_service`"
        )
    };
    job.left_read_only.iter().map(way).collect()
}
