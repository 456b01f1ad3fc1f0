//! `repack`.

use super::job::{CtrlC, detached, follow_from};
use super::listing::{Listed, Shown, to_json};
use super::table::{row as row_of, terminal};
use super::visible::on_one_line;
use super::{Context, Done, interrupts};
use crate::api::candidates::{Best, Choice, NoCandidate};
use crate::api::media::MediumView;
use crate::api::requests::MediumRequest;
use crate::api::units::{parse_bytes_limit, parse_span, parse_tag, parse_time_limit};
use crate::api::{JobReport, NotMoved, PlanLine, PlanStep, PlanSummary, Problem, RepackRequest, exit};
use crate::client::Client;
use clap::ValueHint;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use dss::model::{ByteCount, Presence, Quarantine, VerifyMode};
use std::time::Duration;

/// How many lines of a plan, and how many of what it does not move, are shown to people.
const LINES: usize = 20;

#[derive(Debug, clap::Args)]
pub struct Repack {
    /// The media to empty
    #[arg(required_unless_present = "best", value_name = "MEDIUM", value_hint = ValueHint::Other)]
    sources: Vec<String>,
    /// Empty the first of `medium candidates`; goes on with a repack that stopped at the same limits
    #[arg(long, conflicts_with = "sources")]
    best: bool,
    /// Print what would be done, and do nothing
    #[arg(long, conflicts_with_all = ["detach", "limit_bytes", "limit_time"])]
    plan: bool,
    /// The only target
    #[arg(long, value_name = "MEDIUM", conflicts_with = "to_tags", value_hint = ValueHint::Other)]
    to: Option<String>,
    /// Targets need all of these tags; without it any medium is one, whatever tags an object was put with
    #[arg(long, value_delimiter = ',', value_parser = parse_tag, value_name = "T,...", value_hint = ValueHint::Other)]
    to_tags: Vec<String>,
    /// Hold the old bytes until an operator decides
    #[arg(long, conflicts_with = "quarantine")]
    keep_source: bool,
    /// Hold the old bytes for so long; 0 erases at once [default: as configured, 7d]
    #[arg(long, value_parser = parse_span, value_name = "D", value_hint = ValueHint::Other)]
    quarantine: Option<Duration>,
    /// How much is read back from the targets [default: as configured, full]
    #[arg(long, value_name = "MODE", value_parser = modes())]
    verify: Option<VerifyMode>,
    /// Drop deleted and overwritten versions instead of moving them
    #[arg(long)]
    drop_deleted: bool,
    /// Stop, resumable, after so many bytes
    #[arg(long, value_parser = parse_bytes_limit, value_name = "N", value_hint = ValueHint::Other)]
    limit_bytes: Option<ByteCount>,
    /// Stop, resumable, after so long
    #[arg(long, value_parser = parse_time_limit, value_name = "D", value_hint = ValueHint::Other)]
    limit_time: Option<Duration>,
    /// Return when the job is accepted
    #[arg(long)]
    detach: bool,
}

/// The words of `--verify`, so that they are offered and listed.
pub(super) fn modes() -> impl TypedValueParser<Value = VerifyMode> {
    let words = VerifyMode::ALL.iter().map(|mode| mode.as_str());
    PossibleValuesParser::new(words).map(|word| word.parse::<VerifyMode>().expect("it is one of them"))
}

impl Repack {
    pub async fn run(self, context: &Context) -> Done {
        let client = context.client().await?;
        let (plan, best, detach) = (self.plan, self.best, self.detach);
        let request = self.request();
        if plan {
            return match best {
                false => print_plan(context, &client, &request).await,
                true => plan_best(context, &client, request).await,
            };
        }
        // A large medium is looked at for a while before the job is accepted; Ctrl-C meanwhile is heeded after.
        let early = interrupts()?;
        let job: JobReport = match best {
            false => client.call("/v1/repack", &request).await?,
            true => match client.call("/v1/repack/best", &request).await? {
                Best::Job(job) => *job,
                Best::None(none) => return Ok(nothing(context, &none)),
            },
        };
        if detach {
            context
                .output
                .result(&job, |job| context.globals.within(&detached(job)));
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

/// The plan for the medium that `--best` would empty now.
async fn plan_best(context: &Context, client: &Client, request: RepackRequest) -> Done {
    match client.call("/v1/repack/best/choose", &request).await? {
        Choice::Medium { medium } => {
            let sources = vec![medium];
            print_plan(context, client, &RepackRequest { sources, ..request }).await
        }
        Choice::None(none) => Ok(nothing(context, &none)),
    }
}

fn nothing(context: &Context, none: &NoCandidate) -> u8 {
    context.output.result(none, |none| none.message.clone());
    exit::DONE
}

pub(super) async fn print_plan(context: &Context, client: &Client, request: &RepackRequest) -> Done {
    match context.output.json() {
        true => all_of_plan(context, client, request).await,
        false => excerpt_of_plan(context, client, request).await,
    }
}

/// One JSON object: the lists while they come, then what they come to.
async fn all_of_plan(context: &Context, client: &Client, request: &RepackRequest) -> Done {
    let show = |line: &PlanLine| match line {
        PlanLine::Step(step) => Shown::Element(0, to_json(step)),
        PlanLine::Stays(stays) => Shown::Element(1, to_json(stays)),
    };
    let listed = context
        .output
        .lists::<_, _, PlanSummary>(client, "/v1/repack/plan", request, &["steps", "not_moved"], show)
        .await?;
    Ok(match listed {
        Listed::Whole(summary) => end_of_plan(context, summary),
        Listed::Broken(code) => code,
    })
}

/// For people: the first lines of it, how many more there are, and what they come to.
async fn excerpt_of_plan(context: &Context, client: &Client, request: &RepackRequest) -> Done {
    let mut excerpt = Excerpt::new(terminal());
    let take = |line: PlanLine| {
        excerpt.take(&line);
        Ok(())
    };
    let summary: PlanSummary = client.lines("/v1/repack/plan", request, take).await?;
    let missing = missing(client, &summary.sources).await;
    context.output.result(&summary, |summary| {
        let lines = std::iter::once(excerpt.told(summary)).chain(missing);
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(end_of_plan(context, summary))
}

/// A line for each source that is not where it should be: a plan needs none of them, and what is planned does.
async fn missing(client: &Client, sources: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    for name in sources {
        let request = MediumRequest { medium: name.clone() };
        let shown: Result<MediumView, Problem> = client.call("/v1/medium/show", &request).await;
        // Where that is not known, nothing is said of it: the plan is what was asked for.
        if shown.is_ok_and(|medium| medium.presence == Presence::Missing) {
            lines.push(format!(
                "{name} is not there now (missing): it must be before this can be done"
            ));
        }
    }
    lines
}

/// What the repack itself would be refused with is told last; its exit code is the plan's.
fn end_of_plan(context: &Context, summary: PlanSummary) -> u8 {
    let refused = summary.error;
    refused.map_or(exit::DONE, |problem| context.output.tell(&problem))
}

/// The lines of a plan that people are shown, and how many there are.
#[derive(Debug, Default)]
struct Excerpt {
    width: Option<u16>,
    steps: Few,
    not_moved: Few,
    dropped: u64,
}

/// The first of many lines, and how many there are.
#[derive(Debug, Default)]
struct Few {
    lines: Vec<String>,
    count: u64,
}

impl Few {
    fn take(&mut self, line: impl FnOnce() -> String) {
        self.count += 1;
        if self.lines.len() < LINES {
            self.lines.push(line());
        }
    }

    /// The lines, and one for those that are left away.
    fn told(&self, what: &str) -> Vec<String> {
        let more = self.count - self.lines.len() as u64;
        let mut lines = self.lines.clone();
        if more > 0 {
            lines.push(format!("... and {more} more {what} (--json has all)"));
        }
        lines
    }
}

impl Excerpt {
    fn new(width: Option<u16>) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    fn take(&mut self, line: &PlanLine) {
        match line {
            PlanLine::Step(step) => self.steps.take(|| step_row(step, self.width)),
            PlanLine::Stays(stays) => {
                self.dropped += u64::from(stays.dropped);
                self.not_moved.take(|| stays_line(stays));
            }
        }
    }

    fn told(&self, plan: &PlanSummary) -> String {
        let mut lines = self.steps.told("are moved");
        lines.extend(self.not_moved.told("are not moved"));
        lines.push(moved(plan));
        let staying = self.not_moved.count - self.dropped;
        if staying > 0 {
            lines.push(format!("{staying} extents stay"));
        }
        if self.dropped > 0 {
            let (dropped, bytes) = (self.dropped, plan.dropped_bytes);
            lines.push(format!(
                "{dropped} extents ({bytes}) are dropped: they cannot be undeleted then"
            ));
        }
        lines.push(format!("{} of dead data are reclaimed", plan.reclaimed_bytes));
        lines.join("\n")
    }
}

fn step_row(step: &PlanStep, width: Option<u16>) -> String {
    let (extent, bytes) = (step.extent.to_string(), step.bytes.to_string());
    row_of(&[&step.medium, &extent, &bytes, step.oid.as_str()], width)
}

fn stays_line(stays: &NotMoved) -> String {
    let word = if stays.dropped { "dropped" } else { "stays" };
    let oid = stays.oid.as_ref().map_or("no object", |oid| oid.as_str());
    on_one_line(&format!("{word}: {oid} ({}): {}", stays.extent, stays.why))
}

/// How much is moved, how long that takes, and where it goes.
fn moved(plan: &PlanSummary) -> String {
    let targets: Vec<String> = plan
        .targets
        .iter()
        .map(|target| format!("{} ({} extents, {})", target.medium, target.extents, target.bytes))
        .collect();
    let staged = plan.staged.map_or_else(String::new, |staged| {
        format!(
            ", staged through a spool of {}, {} rounds, {} mounts",
            staged.spool_bytes, staged.rounds, staged.mounts
        )
    });
    format!(
        "{} in about {} from {} to {}{staged}",
        plan.bytes,
        span(plan.predicted_seconds),
        plan.sources.join(", "),
        if targets.is_empty() {
            "nowhere".into()
        } else {
            targets.join(", ")
        }
    )
}

/// A time that is only predicted: in seconds as long as there is no minute of them.
fn span(seconds: f64) -> String {
    if seconds < 60.0 {
        return format!("{seconds:.0} s");
    }
    // A float beyond the largest number becomes that number.
    let minutes = (seconds / 60.0).round() as u64;
    humantime::format_duration(Duration::from_secs(minutes.saturating_mul(60))).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dss::model::ExtentId;

    fn line(stays: Option<bool>) -> PlanLine {
        let (extent, oid) = (ExtentId::fresh(), "o".parse().unwrap());
        match stays {
            None => PlanLine::Step(PlanStep {
                extent,
                oid,
                medium: "a".to_owned(),
                bytes: ByteCount(1),
                action: crate::api::plan::Action::Locate,
                start_block: None,
            }),
            Some(dropped) => PlanLine::Stays(NotMoved {
                extent,
                oid: Some(oid),
                dropped,
                why: "because".to_owned(),
            }),
        }
    }

    fn told(lines: &[(usize, Option<bool>)]) -> String {
        let mut excerpt = Excerpt::new(None);
        for (count, stays) in lines {
            (0..*count).for_each(|_| excerpt.take(&line(*stays)));
        }
        excerpt.told(&PlanSummary::default())
    }

    #[test]
    fn people_are_shown_twenty_lines_of_each_kind_and_told_how_many_more_there_are() {
        let text = told(&[(LINES + 3, None), (LINES, Some(false)), (2, Some(true))]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[LINES], "... and 3 more are moved (--json has all)");
        assert_eq!(lines[2 * LINES + 1], "... and 2 more are not moved (--json has all)");
        assert_eq!(lines.len(), 2 * LINES + 2 + 4, "and the sums:\n{text}");
        assert!(
            text.contains("\n20 extents stay\n2 extents (0 B) are dropped"),
            "{text}"
        );
        let whole = told(&[(LINES, None)]);
        assert!(!whole.contains("more") && !whole.contains("stay"), "{whole}");
    }

    #[test]
    fn what_is_dropped_is_not_said_to_stay() {
        let text = told(&[(1, Some(true))]);
        assert!(
            text.starts_with("dropped: o (") && text.contains("\n1 extents (0 B) are dropped"),
            "{text}"
        );
        assert!(!text.contains("stay"), "{text}");
        assert!(told(&[(1, Some(false))]).starts_with("stays: o ("));
    }

    #[test]
    fn a_predicted_time_is_told_in_units_that_people_read() {
        for (seconds, words) in [(0.2, "0 s"), (59.4, "59 s"), (61.0, "1m"), (5_400.0, "1h 30m")] {
            assert_eq!(span(seconds), words);
        }
    }
}
