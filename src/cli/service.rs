//! `init`, `stop`, `drill`.

use super::{Context, Done};
use crate::api::hello::{Create, StartLine};
use crate::api::wire::Nothing;
use crate::api::{Problem, exit};
use crate::client::{self, Client};
use crate::state::Keeper;
use dss::model::Step;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// An orderly stop waits for an extent boundary and a checkpoint of the database.
const STOP_LIMIT: Duration = Duration::from_secs(480);

#[derive(Debug, clap::Args)]
pub struct Init {
    /// Make a catalogue in which disasters may be rehearsed (drills); it stays one for its whole life
    #[arg(long)]
    testing: bool,
}

#[derive(Serialize, JsonSchema)]
pub struct Initialised {
    state: PathBuf,
    catalogue: dss::model::CatalogueId,
    testing: bool,
    created: bool,
}

impl Init {
    pub async fn run(self, context: &Context) -> Done {
        let create = match (self.testing, context.terms.drills()) {
            (true, _) => Create::Testing,
            (false, false) => Create::Normal,
            (false, true) => {
                return Err(Problem::refused(
                    "drill_needs_testing",
                    "RESPOOL_TESTING",
                    "a drill needs a catalogue that `respool init --testing` made",
                )
                .next("add --testing, or unset the RESPOOL_ variables"));
            }
        };
        let client = Client::connect(&context.state, &context.terms, create).await?;
        if client.hello.testing != self.testing {
            let kind = |testing: bool| if testing { "a testing" } else { "a normal" };
            return Err(Problem::refused(
                "other_catalogue",
                context.state.path().display().to_string(),
                format!(
                    "{} holds {} catalogue already, and {} one was asked for; nothing was changed",
                    context.state.path().display(),
                    kind(client.hello.testing),
                    kind(self.testing)
                ),
            )
            .next("choose another state folder with --state"));
        }
        let result = Initialised {
            state: context.state.path().to_owned(),
            catalogue: client.hello.catalogue,
            testing: client.hello.testing,
            created: client.created,
        };
        context.output.result(&result, |result| {
            let what = if result.created { "made" } else { "is there already" };
            format!("catalogue {} {what} in {}", result.catalogue, result.state.display())
        });
        Ok(exit::DONE)
    }
}

/// What a stop found.
#[derive(Serialize, JsonSchema)]
pub struct Stopped {
    state: PathBuf,
    stopped: bool,
    pid: Option<u32>,
}

/// Stops respoold, whatever it was started with, and waits until it is gone; then the private PostgreSQL, should one
/// still run.
pub async fn stop(context: &Context) -> Done {
    let result = stop_quietly(context).await?;
    context.output.result(&result, |result| match result.pid {
        Some(pid) => format!("respoold (process {pid}) stopped"),
        None => "no respoold runs".into(),
    });
    Ok(exit::DONE)
}

/// The same without a word.
pub async fn stop_quietly(context: &Context) -> Result<Stopped, Problem> {
    let mut result = Stopped {
        state: context.state.path().to_owned(),
        stopped: false,
        pid: None,
    };
    if context.state.path().exists() {
        let begun = Instant::now();
        let keeper = context.state.keeper()?;
        let asked: Result<Option<crate::api::hello::Hello>, Problem> =
            client::ask_running(&context.state, "/v1/stop", &Nothing {}).await;
        if let Ok(Some(hello)) = &asked {
            result.pid = Some(hello.pid);
            result.stopped = true;
        }
        while context.state.is_seen_held() == Some(true) && begun.elapsed() < STOP_LIMIT {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Keeper::Service(unit) = &keeper
            && context.state.require_its_user().is_err()
        {
            // A service stops its own PostgreSQL; whoever may ask it to leave may not look into its folder.
            let runs = |pid: u32| Path::new("/proc").join(pid.to_string()).exists();
            while result.pid.is_some_and(runs) && begun.elapsed() < STOP_LIMIT {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let left = Left {
                runs: result.pid.is_some_and(runs),
                held: context.state.is_held(),
                unasked: asked.err(),
                pid: result.pid.or_else(|| context.state.last_holder()),
            };
            return match left.problem(&result.state, unit) {
                Some(problem) => Err(problem),
                None => Ok(result),
            };
        }
        // Succeeds only when no respoold holds the state folder.
        loop {
            match client::start(&context.state, &context.terms, &["stop-database"]) {
                Ok(StartLine::Problem(problem))
                    if problem.code == "already_running" && begun.elapsed() < STOP_LIMIT =>
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Ok(StartLine::Problem(problem)) => return Err(problem),
                Ok(_) => break,
                Err(problem) => return Err(problem),
            }
        }
    }
    Ok(result)
}

/// What is seen of a service's respoold after it was asked to leave.
struct Left {
    /// Whether the process that answered is there.
    runs: bool,
    /// Whether somebody holds the state folder, or may.
    held: bool,
    /// Why it could not be asked.
    unasked: Option<Problem>,
    /// Which process it is, if that is known.
    pid: Option<u32>,
}

impl Left {
    /// That it is not known to be gone.
    fn problem(self, state: &Path, unit: &str) -> Option<Problem> {
        if !self.runs && !self.held && self.unasked.is_none() {
            return None;
        }
        let who = match self.pid {
            Some(pid) => format!("respoold (process {pid})"),
            None => "respoold".to_owned(),
        };
        let path = state.display();
        let what = match self.unasked {
            Some(why) => format!("{who} could not be asked to stop: {why}; it may still run"),
            None => format!("{who} still runs or is stopping"),
        };
        let problem = Problem::environment(
            "still_running",
            "us",
            path.to_string(),
            format!("{path}, kept by {unit}: {what}"),
        );
        Some(problem.next(format!(
            "see `systemctl status {unit}`; repeat the command, or have root run `systemctl stop {unit}`"
        )))
    }
}

#[derive(Debug, clap::Subcommand)]
pub enum Drill {
    /// Name the steps of the work at which a drill may end respoold, as `kill -9` does
    Steps,
}

#[derive(Serialize, JsonSchema)]
pub struct Steps {
    steps: Vec<NamedStep>,
}

#[derive(Serialize, JsonSchema)]
struct NamedStep {
    name: &'static str,
    hop: &'static str,
}

impl Drill {
    pub fn run(self, context: &Context) -> Done {
        let Self::Steps = self;
        let steps = Step::ALL
            .iter()
            .map(|step| {
                let name = step.as_str();
                let hop = name.split_once('.').map_or(name, |(hop, _)| hop);
                NamedStep { name, hop }
            })
            .collect();
        context.output.result(&Steps { steps }, |all| {
            all.steps.iter().map(|step| step.name).collect::<Vec<_>>().join("\n")
        });
        Ok(exit::DONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_not_known_to_be_gone_is_not_called_stopped() {
        let state = Path::new("/var/lib/respool");
        let told = |runs, held, unasked, pid| {
            let left = Left {
                runs,
                held,
                unasked,
                pid,
            };
            left.problem(state, "respoold.service")
        };
        assert!(told(false, false, None, Some(17)).is_none());
        let mute = || Some(client::gone(&"it does not listen"));
        for (runs, held, unasked) in [(true, false, None), (false, true, None), (false, false, mute())] {
            let problem = told(runs, held, unasked, Some(17)).expect("it may run");
            assert_eq!((problem.code.as_str(), problem.exit), ("still_running", 3));
            assert!(problem.message.contains("process 17"), "{problem}");
        }
        assert!(told(false, true, None, None).is_some(), "whoever it is");
    }
}
