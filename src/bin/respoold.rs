//! The daemon: parse, say, run. Started by `respool` on demand, or by a service manager.

use clap::{Parser, Subcommand};
use respool::api::Problem;
use respool::api::hello::{Create, StartLine, Terms};
use respool::daemon::{self, Start};
use respool::state::{StateFolder, drill_variable, resolve_config};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Owns this host's media drives, jobs and catalogue. `respool` is its client.
#[derive(Parser)]
#[command(name = "respoold", version)]
struct Args {
    /// The state folder.
    #[arg(long)]
    state: Option<PathBuf>,
    /// The config file.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Which catalogue is made if there is none: normal, testing or never.
    #[arg(long, default_value = "normal", value_parser = |word: &str| Create::of_word(word).ok_or("no such word"))]
    create: Create,
    /// Leave the terminal of whoever started it.
    #[arg(long)]
    background: bool,
    #[command(subcommand)]
    command: Option<Other>,
}

#[derive(Subcommand)]
enum Other {
    /// Stop the private PostgreSQL of the state folder, where no respoold runs.
    StopDatabase,
    /// Look at a backup of the catalogue; needs no server.
    VerifyBackup {
        /// Its file.
        path: PathBuf,
    },
    /// Put a backup of the catalogue back, where no respoold runs.
    RestoreCatalogue {
        /// Its file.
        path: PathBuf,
        /// Also in place of another catalogue.
        #[arg(long)]
        any: bool,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_env("RESPOOL_LOG").unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn")))
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    if args.background {
        // Fails only for the leader of a group, which has left already.
        let _ = nix::unistd::setsid();
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime.expect("a runtime needs only threads").block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            tracing::error!(code = %problem.code, next = %problem.next, "{problem}");
            ExitCode::from(problem.exit)
        }
    }
}

async fn run(args: Args) -> Result<(), Problem> {
    let state = StateFolder::resolve(args.state.as_deref());
    let config = resolve_config(args.config.as_deref());
    let (state, config) = match (state, config) {
        (Ok(state), Ok(config)) => (state, config),
        (Err(problem), _) | (_, Err(problem)) => {
            say(&StartLine::Problem(problem.clone()));
            return Err(problem);
        }
    };
    if let Some(command) = args.command {
        let terms = Terms::new(config, drill_variable);
        let done = aside(&state, &terms, command).await;
        let line = done
            .as_ref()
            .map_or_else(|problem| StartLine::Problem(problem.clone()), Clone::clone);
        say(&line);
        return done.map(drop);
    }
    let start = Start {
        state,
        terms: Terms::new(config, drill_variable),
        create: args.create,
    };
    daemon::run(start, say).await
}

/// What is done in place of running.
async fn aside(state: &StateFolder, terms: &Terms, command: Other) -> Result<StartLine, Problem> {
    match command {
        Other::StopDatabase => daemon::stop_database(state).await.map(|()| StartLine::Stopped),
        Other::VerifyBackup { path } => {
            let report = daemon::verify_backup(state, &path).await?;
            Ok(StartLine::Verified(Box::new(report)))
        }
        Other::RestoreCatalogue { path, any } => {
            let report = daemon::restore_catalogue(state, terms, &path, any).await?;
            Ok(StartLine::Restored(Box::new(report)))
        }
    }
}

/// One line for whoever started this; nobody may be listening.
fn say(line: &StartLine) {
    let text = serde_json::to_string(line).expect("a line is plain JSON");
    let _ = writeln!(std::io::stdout(), "{text}");
}
