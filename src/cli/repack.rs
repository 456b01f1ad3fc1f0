//! `repack`.

use super::job::{CtrlC, details, follow_from};
use super::listing::{Listed, Shown, to_json};
use super::table::{row as row_of, terminal};
use super::{Context, Done, interrupts};
use crate::api::candidates::Best;
use crate::api::units::{parse_size, parse_span};
use crate::api::{JobReport, NotMoved, PlanLine, PlanStep, PlanSummary, RepackRequest, exit};
use crate::client::Client;
use dss::model::{ByteCount, Quarantine, VerifyMode};
use std::cell::Cell;
use std::time::Duration;

#[derive(Debug, clap::Args)]
pub struct Repack {
    /// The media to empty
    #[arg(required_unless_present = "best", value_name = "MEDIUM")]
    sources: Vec<String>,
    /// Empty the first of `medium candidates`; goes on with a repack that stopped at the same limits
    #[arg(long, conflicts_with_all = ["sources", "plan"])]
    best: bool,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["detach", "limit_bytes", "limit_time"])]
    plan: bool,
    /// The only target
    #[arg(long, value_name = "MEDIUM", conflicts_with = "to_tags")]
    to: Option<String>,
    /// Targets need all of these tags
    #[arg(long, value_delimiter = ',', value_name = "T,...")]
    to_tags: Vec<String>,
    /// Hold the old bytes until an operator decides
    #[arg(long, conflicts_with = "quarantine")]
    keep_source: bool,
    /// Hold the old bytes for so long; 0 erases at once [default: as configured, 7d]
    #[arg(long, value_parser = parse_span, value_name = "D")]
    quarantine: Option<Duration>,
    /// How much is read back from the targets: full, sampled or none [default: as configured, full]
    #[arg(long, value_name = "MODE")]
    verify: Option<VerifyMode>,
    /// Drop deleted and overwritten versions instead of moving them
    #[arg(long)]
    drop_deleted: bool,
    /// Stop, resumable, after so many bytes
    #[arg(long, value_parser = parse_size, value_name = "N")]
    limit_bytes: Option<ByteCount>,
    /// Stop, resumable, after so long
    #[arg(long, value_parser = parse_span, value_name = "D")]
    limit_time: Option<Duration>,
    /// Return when the job is accepted
    #[arg(long)]
    detach: bool,
}

impl Repack {
    pub async fn run(self, context: &Context) -> Done {
        let client = context.client().await?;
        let (plan, best, detach) = (self.plan, self.best, self.detach);
        let request = self.request();
        if plan {
            return print_plan(context, &client, &request).await;
        }
        // A large medium is looked at for a while before the job is accepted; Ctrl-C meanwhile is heeded after.
        let early = interrupts()?;
        let job: JobReport = match best {
            false => client.call("/v1/repack", &request).await?,
            true => match client.call("/v1/repack/best", &request).await? {
                Best::Job(job) => *job,
                Best::None(none) => {
                    context.output.result(&none, |none| none.message.clone());
                    return Ok(exit::DONE);
                }
            },
        };
        if detach {
            context.output.result(&job, details);
            return Ok(exit::DONE);
        }
        follow_from(context, &client, job.job, (CtrlC::PausesJob, early)).await
    }

    fn request(self) -> RepackRequest {
        let held = self.quarantine.map(|span| Quarantine::Seconds(span.as_secs()));
        RepackRequest {
            sources: self.sources,
            to: self.to,
            to_tags: self.to_tags.into_iter().collect(),
            quarantine: if self.keep_source {
                Some(Quarantine::Forever)
            } else {
                held
            },
            verify: self.verify,
            drop_deleted: self.drop_deleted.then_some(true),
            limit_bytes: self.limit_bytes,
            limit_seconds: self.limit_time.map(|span| span.as_secs()),
        }
    }
}

/// Lines while they come, then what they come to.
async fn print_plan(context: &Context, client: &Client, request: &RepackRequest) -> Done {
    let (json, width) = (context.output.json(), terminal());
    let staying = Cell::new(0_u64);
    let show = |line: &PlanLine| match line {
        PlanLine::Step(step) if json => Shown::Element(0, to_json(step)),
        PlanLine::Step(step) => Shown::Row(step_row(step, width)),
        PlanLine::Stays(stays) => {
            staying.set(staying.get() + 1);
            match json {
                true => Shown::Element(1, to_json(stays)),
                false => Shown::Note(stays_line(stays)),
            }
        }
    };
    let listed = context
        .output
        .lists::<_, _, PlanSummary>(client, "/v1/repack/plan", request, &["steps", "not_moved"], show)
        .await?;
    Ok(match listed {
        Listed::Whole(summary) => {
            context.output.note(&told(&summary, staying.get()));
            summary
                .error
                .map_or(exit::DONE, |problem| context.output.tell(&problem))
        }
        Listed::Broken(code) => code,
    })
}

fn step_row(step: &PlanStep, width: Option<u16>) -> String {
    let (extent, bytes) = (step.extent.to_string(), step.bytes.to_string());
    row_of(&[&step.medium, &extent, &bytes, step.oid.as_str()], width)
}

fn stays_line(stays: &NotMoved) -> String {
    let oid = stays.oid.as_ref().map_or("no object", |oid| oid.as_str());
    format!("stays: {oid} ({}): {}", stays.extent, stays.why)
}

fn told(plan: &PlanSummary, staying: u64) -> String {
    let targets: Vec<String> = plan
        .targets
        .iter()
        .map(|target| format!("{} ({} extents, {})", target.medium, target.extents, target.bytes))
        .collect();
    let staged = plan.staged.map_or_else(String::new, |staged| {
        format!(
            ", staged through a spool of {} bytes, {} rounds, {} mounts",
            staged.spool_bytes.0, staged.rounds, staged.mounts
        )
    });
    format!(
        "{} in about {:.0} s from {} to {}{staged}; {staying} extents stay; {} of dead data are reclaimed",
        plan.bytes,
        plan.predicted_seconds,
        plan.sources.join(", "),
        if targets.is_empty() {
            "nowhere".into()
        } else {
            targets.join(", ")
        },
        plan.reclaimed_bytes
    )
}
