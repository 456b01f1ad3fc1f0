//! `check` and `clock`.

use super::{Context, Done};
use crate::api::check::CheckReport;
use crate::api::exit;
use crate::api::hello::ClockAccepted;
use crate::api::wire::Nothing;

pub async fn check(context: &Context) -> Done {
    let report: CheckReport = context.client().await?.call("/v1/check", &Nothing {}).await?;
    context.output.result(&report, |report| {
        let mut lines: Vec<String> = report
            .findings
            .iter()
            .map(|finding| {
                let severity = format!("{:?}", finding.severity).to_lowercase();
                format!(
                    "{severity}  {}  {}: {}",
                    finding.invariant, finding.subject, finding.detail
                )
            })
            .collect();
        lines.push(if report.ok { "ok".into() } else { "NOT ok".into() });
        lines.join("\n")
    });
    Ok(if report.ok { exit::DONE } else { exit::INTEGRITY })
}

#[derive(Debug, clap::Subcommand)]
pub enum Clock {
    /// Vouch for the present time after the clock jumped; until then no quarantine and no undelete window ends
    Accept,
}

impl Clock {
    pub async fn run(self, context: &Context) -> Done {
        let Self::Accept = self;
        let accepted: ClockAccepted = context.client().await?.call("/v1/clock/accept", &Nothing {}).await?;
        context
            .output
            .result(&accepted, |accepted| format!("the clock is right: {}", accepted.now));
        Ok(exit::DONE)
    }
}
