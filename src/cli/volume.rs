//! `tape import` and `tape compact`: LTFS volumes of other software.

use super::job::{CtrlC, follow_from};
use super::patience::{self, Doing};
use super::repack::{modes, print_plan};
use super::several::named;
use super::table::pairs;
use super::tape::Place;
use super::visible::on_one_line;
use super::{Context, Done, interrupts};
use crate::api::units::{parse_span, parse_tag};
use crate::api::volume::{CompactRequest, Prepared, TapeImportReport, TapeImportRequest};
use crate::api::{JobReport, Problem, RepackRequest, exit};
use clap::ValueHint;
use dss::model::{Oid, Quarantine, VerifyMode};
use std::time::Duration;

/// How long a volume takes that is brought into a drive and read whole.
const HOURS: &str = "hours";
/// How long one takes of which the indexes are read.
const MINUTES: &str = "minutes";

#[derive(Debug, clap::Args)]
pub struct Import {
    /// The barcode of the cartridge, or the name of the medium that it is
    #[arg(value_name = "BARCODE", value_hint = ValueHint::Other)]
    tape: String,
    #[command(flatten)]
    place: Place,
    /// What it shall be called [default: as its barcode]
    #[arg(long, value_name = "N", value_hint = ValueHint::Other)]
    name: Option<String>,
    /// What all names begin with, and all paths when it is compacted: P/PATH
    #[arg(long, value_name = "P", value_hint = ValueHint::Other)]
    under: Option<Oid>,
    /// Tell what would be imported, and do nothing
    #[arg(long, conflicts_with = "verify")]
    dry_run: bool,
    /// Then read everything whole, and compare it with the digests that other software left
    #[arg(long)]
    verify: bool,
    /// Words to choose media by
    #[arg(long, value_delimiter = ',', value_parser = parse_tag, value_name = "T,...", value_hint = ValueHint::Other)]
    tags: Vec<String>,
    /// Its class of storage
    #[arg(long, value_name = "C", value_hint = ValueHint::Other)]
    class: Option<String>,
}

#[derive(Debug, clap::Args)]
pub struct Compact {
    /// The tapes to be compacted: barcodes, or names of media
    #[arg(required = true, value_name = "TAPE", value_hint = ValueHint::Other)]
    sources: Vec<String>,
    /// The tape that takes what lives on them: a medium, or a blank cartridge
    #[arg(long, value_name = "TAPE", value_hint = ValueHint::Other)]
    onto: String,
    #[command(flatten)]
    place: Place,
    /// What the names and paths of what is imported begin with: P/PATH
    #[arg(long, value_name = "P", value_hint = ValueHint::Other)]
    under: Option<Oid>,
    /// Hold the old bytes for so long, then erase the sources [default: they are kept for ever]
    #[arg(long, value_parser = parse_span, value_name = "D", value_hint = ValueHint::Other)]
    quarantine: Option<Duration>,
    /// How much is read back from the target [default: as configured, full]
    #[arg(long, value_name = "MODE", value_parser = modes())]
    verify: Option<VerifyMode>,
    /// Print what would be done, and do nothing
    #[arg(long)]
    plan: bool,
}

impl From<Import> for TapeImportRequest {
    fn from(import: Import) -> Self {
        Self {
            tape: import.tape,
            library: import.place.library(),
            name: import.name,
            under: import.under,
            dry_run: import.dry_run,
            verify: import.verify,
            tags: import.tags.into_iter().collect(),
            class: import.class,
        }
    }
}

impl Import {
    pub(super) async fn run(self, context: &Context) -> Done {
        let request = TapeImportRequest::from(self);
        let doing = Doing {
            what: format!("importing {}", request.tape),
            takes: if request.verify { HOURS } else { MINUTES },
        };
        let report: TapeImportReport = patience::call(context, &doing, "/v1/tape/import", &request).await?;
        context
            .output
            .result(&report, |report| context.globals.within(&imported(report)));
        Ok(match &report.error {
            Some(problem) => context.output.tell(problem),
            None => report.exit(),
        })
    }
}

impl Compact {
    pub(super) async fn run(self, context: &Context) -> Done {
        let plan = self.plan;
        let (request, rest) = self.split();
        let doing = Doing {
            what: format!("preparing {} and {}", request.sources.join(", "), request.onto),
            takes: MINUTES,
        };
        let prepared: Prepared = patience::call(context, &doing, "/v1/tape/compact", &request).await?;
        if let Some(problem) = &prepared.error {
            context.output.result(&prepared, told);
            return Ok(context.output.tell(&after(&prepared, problem.clone())));
        }
        let client = context.client().await?;
        let repack = RepackRequest {
            sources: prepared.sources.clone(),
            to: prepared.target.clone(),
            ..rest
        };
        if plan {
            // What was not imported is no medium, and its moves cannot be planned yet.
            return match prepared.imported.is_empty() && prepared.target.is_some() {
                true => print_plan(context, &client, &repack).await,
                false => {
                    context.output.result(&prepared, told);
                    Ok(exit::DONE)
                }
            };
        }
        context.output.note(&context.globals.within(&told(&prepared)));
        let early = interrupts()?;
        let job: Result<JobReport, Problem> = client.call("/v1/repack", &repack).await;
        let job = job.map_err(|problem| after(&prepared, problem))?;
        let moved = follow_from(context, &client, job.job, (CtrlC::PausesJob, early)).await?;
        if repack.quarantine == Some(Quarantine::Forever) {
            context.output.note(&context.globals.within(&kept(&prepared)));
        }
        let left = prepared.imported.iter().map(TapeImportReport::exit);
        Ok(left.fold(moved, exit::worse))
    }

    /// What is to be prepared, and how it is moved then. Sources are kept unless a time is given.
    fn split(self) -> (CompactRequest, RepackRequest) {
        let quarantine = match self.quarantine {
            Some(span) => Quarantine::Seconds(span.as_secs()),
            None => Quarantine::Forever,
        };
        let prepare = CompactRequest {
            sources: self.sources,
            onto: self.onto,
            library: self.place.library(),
            under: self.under,
            quarantine: Some(quarantine),
            dry_run: self.plan,
        };
        let repack = RepackRequest {
            quarantine: prepare.quarantine,
            drop_deleted: prepare.drop_deleted(),
            verify: self.verify,
            ..RepackRequest::default()
        };
        (prepare, repack)
    }
}

/// What was imported, for people.
fn imported(report: &TapeImportReport) -> String {
    let mut rows = vec![("medium", report.medium.clone()), ("barcode", report.barcode.clone())];
    if let Some(volume) = &report.volume {
        rows.extend([
            ("volume", volume.name.clone()),
            ("uuid", volume.uuid.clone()),
            ("serial", volume.serial.clone()),
            ("generation", volume.generation.to_string()),
        ]);
    }
    rows.push(("state", report.state.clone()));
    if !report.known {
        let counts = &report.counts;
        rows.extend([
            ("files", format!("{} ({})", counts.files, counts.bytes)),
            ("directories", counts.directories.to_string()),
            ("links", counts.symlinks.to_string()),
        ]);
    }
    if let Some((first, behind)) = report.unindexed_tail {
        rows.push(("no index", format!("blocks {first} to {}", behind - 1)));
    }
    let mut lines = vec![pairs(&rows)];
    lines.extend(named(&report.damage, "damage", |line| on_one_line(line)));
    lines.extend(named(&report.not_imported, "not imported", |one| {
        on_one_line(&format!("{}: {}", one.path, one.why))
    }));
    lines.extend(named(&report.clashes, "taken", |oid| on_one_line(oid.as_str())));
    if let Some(verified) = &report.verified {
        lines.push(format!("verified: {} extents, {}", verified.extents, verified.bytes));
        lines.extend(named(&verified.failed, "bad", |bad| {
            on_one_line(&format!("{} ({}): {}", bad.oid, bad.extent, bad.reason))
        }));
    }
    lines.extend(outcome(report));
    lines.join("\n")
}

/// What that means, and what to do next.
fn outcome(report: &TapeImportReport) -> Option<String> {
    let medium = &report.medium;
    let adopted = report.adopted.as_ref();
    if report.error.is_some() {
        return None;
    }
    Some(match (report.known, report.dry_run) {
        (true, _) => adopted.and_then(|adopted| adopted.next.clone().map(|next| format!("next: {next}")))?,
        (false, true) => "nothing was done: it was a dry run".to_owned(),
        (false, false) if adopted.is_some() => {
            adopted.and_then(|adopted| adopted.next.clone().map(|next| format!("next: {next}")))?
        }
        (false, false) => format!(
            "{medium} is only read\n  next: `respool tape compact {medium} --onto TAPE` moves everything to another tape"
        ),
    })
}

/// What was prepared, for people.
fn told(prepared: &Prepared) -> String {
    let mut lines: Vec<String> = prepared.imported.iter().map(imported).collect();
    lines.push(match &prepared.target {
        Some(target) => format!("{} onto {target}", prepared.sources.join(", ")),
        None => format!("{} onto a blank cartridge", prepared.sources.join(", ")),
    });
    lines.join("\n")
}

/// Why nothing was moved, when something was done for it: that stays, and the same command goes on from there.
fn after(prepared: &Prepared, problem: Problem) -> Problem {
    let imported = prepared.imported.iter().filter(|report| {
        let stays = !report.known && !report.dry_run;
        stays && report.error.is_none()
    });
    let mut done: Vec<String> = imported
        .map(|report| format!("{} was imported", report.medium))
        .collect();
    if let (Some(target), true) = (&prepared.target, prepared.target_made) {
        done.push(format!("{target} was formatted"));
    }
    if done.is_empty() {
        return problem;
    }
    let nothing = [
        "; nothing was changed",
        "; nothing was touched",
        "; nothing was done",
        "; nothing was imported",
    ];
    let why = nothing.iter().find_map(|words| problem.message.strip_suffix(words));
    Problem {
        exit: match problem.exit {
            exit::REFUSED => exit::STOPPED,
            other => other,
        },
        message: format!(
            "{}; before that, {}",
            why.unwrap_or(&problem.message),
            done.join(" and ")
        ),
        next: format!("{}; the same command goes on from there", problem.next),
        ..problem
    }
}

/// The sources are as they were.
fn kept(prepared: &Prepared) -> String {
    let names = prepared.sources.join(" ");
    format!(
        "kept: {names} keep their bytes until an operator decides\n  next: `respool repack {names} --quarantine 0` erases \
         them for reuse"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::volume::{Counts, NotImported};
    use crate::cli::tape::Tape;
    use crate::cli::{Args, Verb, command};
    use clap::FromArgMatches;

    fn typed(words: &str) -> Tape {
        let words = ["respool", "tape"].into_iter().chain(words.split_whitespace());
        let matches = command().try_get_matches_from(words).unwrap();
        match Args::from_arg_matches(&matches).unwrap().verb {
            Verb::Tape(tape) => tape,
            other => panic!("{other:?}"),
        }
    }

    /// E-11: one command each, and the words of `tape add`.
    #[test]
    fn e11_what_was_typed_of_an_import_is_what_is_asked_for() {
        let Tape::Import(import) =
            typed("import A00001L8 --library lib0 --name old --under p/q --verify --tags a,b --class c")
        else {
            panic!("it is no import")
        };
        let wanted = TapeImportRequest {
            tape: "A00001L8".to_owned(),
            library: Some("lib0".to_owned()),
            name: Some("old".to_owned()),
            under: Some("p/q".parse().unwrap()),
            dry_run: false,
            verify: true,
            tags: ["a", "b"].map(str::to_owned).into(),
            class: Some("c".to_owned()),
        };
        assert_eq!(TapeImportRequest::from(import), wanted);
    }

    /// The only copy is not erased because nobody said so.
    #[test]
    fn sources_are_kept_unless_a_time_is_given() {
        let split = |words: &str| match typed(words) {
            Tape::Compact(compact) => compact.split(),
            other => panic!("{other:?}"),
        };
        let (prepare, repack) = split("compact A B --onto C");
        assert_eq!(
            (prepare.sources, prepare.onto.as_str()),
            (vec!["A".to_owned(), "B".to_owned()], "C")
        );
        assert_eq!(repack.quarantine, Some(Quarantine::Forever));
        let (prepare, repack) = split("compact A --onto C --quarantine 1h --plan");
        assert_eq!(
            (repack.quarantine, prepare.dry_run),
            (Some(Quarantine::Seconds(3_600)), true)
        );
    }

    /// Exit 2 says that nothing was touched.
    #[test]
    fn a_refusal_behind_an_import_is_an_early_stop() {
        let refused = || Problem::refused("no_target", "t", "no room; nothing was changed").next("add a tape");
        let mut prepared = Prepared {
            sources: vec!["old".to_owned()],
            target: Some("new".to_owned()),
            target_made: false,
            imported: vec![],
            error: None,
        };
        assert_eq!(after(&prepared, refused()), refused());
        prepared.target_made = true;
        prepared.imported.push(TapeImportReport {
            medium: "old".to_owned(),
            ..TapeImportReport::default()
        });
        let told = after(&prepared, refused());
        assert_eq!(
            (told.exit, told.message.as_str()),
            (
                exit::STOPPED,
                "no room; before that, old was imported and new was formatted"
            )
        );
        assert_eq!(told.next, "add a tape; the same command goes on from there");
    }

    #[test]
    fn people_are_told_what_was_imported_what_was_not_and_what_to_do() {
        let mut report = TapeImportReport {
            medium: "old".to_owned(),
            barcode: "A00001L8".to_owned(),
            state: "whole".to_owned(),
            counts: Counts {
                files: 3,
                ..Counts::default()
            },
            not_imported: vec![NotImported {
                path: "a\nb".to_owned(),
                why: "because".to_owned(),
            }],
            unindexed_tail: Some((5, 9)),
            ..TapeImportReport::default()
        };
        let text = imported(&report);
        assert!(text.contains("3 (0 B)") && text.contains("blocks 5 to 8"), "{text}");
        assert!(text.contains(r"not imported: a\nb: because"), "{text}");
        assert!(
            text.ends_with("`respool tape compact old --onto TAPE` moves everything to another tape"),
            "{text}"
        );
        report.dry_run = true;
        assert!(imported(&report).ends_with("nothing was done: it was a dry run"));
        report.refuse(vec!["a".parse().unwrap()]);
        assert!(imported(&report).ends_with("taken: a"));
    }
}
