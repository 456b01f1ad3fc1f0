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
    /// Make a catalogue in which drills may be rehearsed; for its whole life
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
        let asked: Result<Option<crate::api::hello::Hello>, Problem> =
            client::ask_running(&context.state, "/v1/stop", &Nothing {}).await;
        if let Ok(Some(hello)) = asked {
            result.pid = Some(hello.pid);
            result.stopped = true;
        }
        while context.state.is_held() && begun.elapsed() < STOP_LIMIT {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if let Keeper::Service(_) = context.state.keeper()?
            && context.state.require_its_user().is_err()
        {
            // A service stops its own PostgreSQL; whoever may ask it to leave may not look into its folder.
            let process = result.pid.map(|pid| Path::new("/proc").join(pid.to_string()));
            while process.as_ref().is_some_and(|process| process.exists()) && begun.elapsed() < STOP_LIMIT {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            return Ok(result);
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

#[derive(Debug, clap::Subcommand)]
pub enum Drill {
    /// The named steps at which a drill may end respoold, as SIGKILL does
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
