//! What jobs wait for: the scheduler's answer in the words of `job show`, or what the job noted itself.

use crate::api::Problem;
use crate::api::jobs::JobReport;
use crate::api::waiting::{WaitingFor, WaitingReason};
use crate::daemon::lists::clock_in_doubt;
use crate::daemon::sources::Sources;
use crate::host::Host;
use dss::model::{Job, JobId, JobState};
use jiff::{SignedDuration, Timestamp};
use lrs::service::{WaitReason, WaitingRequest};
use std::time::Duration;

/// Every request that waits, with the time of the question.
pub struct Waits {
    requests: Vec<WaitingRequest>,
    now: Timestamp,
}

impl Waits {
    /// Asks the scheduler.
    pub async fn now(host: &Host) -> Self {
        Self {
            requests: host.lrs.waiting().await,
            now: host.clock.now(),
        }
    }

    /// What the request of a job waits for.
    pub fn of(&self, job: JobId) -> Option<WaitingFor> {
        let (whole, part) = (format!("job {job}"), format!("job {job}: "));
        let mut requests = self.requests.iter();
        let request = requests.find(|of| of.purpose == whole || of.purpose.starts_with(&part))?;
        Some(WaitingFor {
            text: request.why.clone(),
            since: self.ago(request.waited),
            reasons: request.reasons.iter().map(|reason| self.reason(reason)).collect(),
        })
    }

    /// A job's report with what it waits for.
    pub async fn report(&self, host: &Host, job: &Job) -> Result<JobReport, Problem> {
        let mut report = Sources::now(host).await?.report(job);
        let held = in_quarantine(host, job).await?;
        report.waiting_for = self.of(job.id).or(held).or(report.waiting_for);
        Ok(report)
    }

    fn reason(&self, reason: &WaitReason) -> WaitingReason {
        WaitingReason {
            text: reason.text.clone(),
            held_by: reason.held_by.clone(),
            held_since: reason.held_for.map(|span| self.ago(span)),
            yield_asked_at: reason.yield_asked.map(|span| self.ago(span)),
            next: reason.next.clone(),
        }
    }

    fn ago(&self, span: Duration) -> Timestamp {
        let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
        self.now.checked_sub(span).unwrap_or(Timestamp::MIN)
    }
}

/// What a job in quarantine waits for: its time, a clock that can be believed, or an operator.
pub async fn in_quarantine(host: &Host, job: &Job) -> Result<Option<WaitingFor>, Problem> {
    if job.state != JobState::Quarantined {
        return Ok(None);
    }
    let mut latest = Timestamp::MIN;
    let mut kept = false;
    for source in &job.spec.sources {
        match host.catalogue.medium_by_id(*source).await?.quarantined_until {
            Some(until) => latest = latest.max(until),
            None => kept = true,
        }
    }
    let text = match clock_in_doubt(host).await? {
        _ if kept => format!(
            "an operator: `respool repack` of its sources with `--quarantine 0` erases them, `respool job restore {}` goes \
             back to their bytes",
            job.id
        ),
        Some(doubt) => doubt,
        None => format!("the end of its quarantine at {latest}"),
    };
    Ok(Some(WaitingFor {
        text,
        since: job.finished_at.unwrap_or(job.created_at),
        reasons: vec![],
    }))
}
