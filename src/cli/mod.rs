//! The command line: what was typed -> what it means -> what is shown. One file per noun; boring on purpose. Results go
//! to stdout, everything else to stderr, and the exit code is a contract.

mod beneath;
mod catalogue;
mod check;
mod config_page;
mod delete;
mod demo;
mod dir;
mod drive;
mod entries;
mod event;
mod examples;
mod extent;
mod fetch;
mod get;
mod get_folder;
mod job;
mod landing;
mod library;
mod listing;
mod manual;
mod medium;
mod object;
mod output;
mod patience;
mod progress;
mod put;
mod put_existing;
mod put_folder;
mod put_names;
mod put_stream;
mod repack;
mod schema;
mod service;
mod several;
mod table;
mod tape;
mod typed;
mod visible;
mod volume;

use crate::api::Problem;
use crate::api::hello::{Create, Terms};
use crate::client::Client;
use crate::state::{StateFolder, drill_variable, resolve_config};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use output::Output;
use std::path::PathBuf;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Repack and evacuation of tapes and removable media, with proof that nothing was lost.
#[derive(Debug, Parser)]
#[command(name = "respool", version, arg_required_else_help = true, max_term_width = 80)]
pub struct Args {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
struct Global {
    /// The config file [default: $XDG_CONFIG_HOME/respool/config.toml, else /etc/respool/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state folder [default: $RESPOOL_STATE, else $XDG_STATE_HOME/respool; root: /var/lib/respool]
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print exactly one JSON object on stdout, also on failure
    #[arg(long, global = true)]
    json: bool,
    /// No progress and no notes on stderr; results on stdout and what went wrong are told all the same
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Also note on stderr which state folder is used
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the state folder, the private PostgreSQL and the catalogue
    Init(service::Init),
    /// Stop respoold and the private PostgreSQL; jobs go on when it is started again
    Stop,
    /// Show on real files what respool does, with directories that play disks; touches nothing else
    Demo(demo::Demo),
    /// Check every invariant of the catalogue, without reading data
    Check,
    /// Backups of the catalogue
    #[command(subcommand)]
    Catalogue(catalogue::Catalogue),
    /// The clock that ages are counted on
    #[command(subcommand)]
    Clock(check::Clock),
    /// Rehearsals of disasters
    #[command(subcommand)]
    Drill(service::Drill),
    /// Store a file, or a folder of files
    Put(put::Put),
    /// Read an object into a file, or all below a name into a folder
    Get(get::Get),
    /// Delete objects; they can be undeleted while their window lasts
    Delete(delete::Delete),
    /// Take a deletion back
    Undelete(object::Named),
    /// Objects
    #[command(subcommand)]
    Object(object::Object),
    /// Directories and removable disks
    #[command(subcommand)]
    Dir(dir::Dir),
    /// Tape libraries, real ones and folders that play one
    #[command(subcommand)]
    Library(library::Library),
    /// Drives of tape libraries
    #[command(subcommand)]
    Drive(drive::Drive),
    /// Tapes
    #[command(subcommand)]
    Tape(tape::Tape),
    /// Media
    #[command(subcommand)]
    Medium(medium::Medium),
    /// Extents
    #[command(subcommand)]
    Extent(extent::Extent),
    /// Move everything that lives on media elsewhere, prove it, and empty them for reuse
    Repack(repack::Repack),
    /// Jobs
    #[command(subcommand)]
    Job(job::Job),
    /// What happened, in order
    Events(event::Events),
    /// Print the completion script of a shell
    Completion(manual::Completion),
    /// Print the manual page, or write all of them into a folder
    Man(manual::Man),
}

/// What every verb gets.
pub(crate) struct Context {
    state: StateFolder,
    terms: Terms,
    output: Output,
    /// What was typed before the verb, for commands that are told.
    globals: typed::Globals,
}

impl Context {
    /// The running respoold, started if there is none.
    async fn client(&self) -> Result<Client, Problem> {
        let create = if self.terms.drills() {
            Create::Never
        } else {
            Create::Normal
        };
        let client = Client::connect(&self.state, &self.terms, create).await?;
        if client.created {
            self.output.note(&format!(
                "note: {} held no archive; a new, empty one was begun there (was another meant? --state or RESPOOL_STATE \
                 names it)",
                self.state.path().display()
            ));
        }
        if let Some(process) = client.killed {
            self.output.note(&format!(
                "note: respoold (process {process}) had ended without stopping (killed or crashed); unfinished jobs go on"
            ));
        }
        Ok(client)
    }
}

/// Ctrl-C, from now on: none of it ends this process by itself any more.
pub(crate) fn interrupts() -> Result<Signal, Problem> {
    signal(SignalKind::interrupt())
        .map_err(|error| Problem::environment("no_signals", "us", "respool", error.to_string()))
}

/// What became of a verb: its exit code, after its result was printed.
pub(crate) type Done = Result<u8, Problem>;

/// Parses, runs, prints; answers the exit code.
pub fn main() -> u8 {
    let typed = extent::tell_states_apart(std::env::args_os().collect());
    let parsed = command().try_get_matches_from(typed);
    let args = match parsed.and_then(|matches| Args::from_arg_matches(&matches)) {
        Ok(args) => args,
        Err(error) => return output::usage(&error),
    };
    let output = Output::new(&(&args.global).into());
    let done = run(args, &output);
    let code = done.unwrap_or_else(|problem| output.problem(&problem));
    output.exit(code)
}

impl From<&Global> for output::Wish {
    fn from(global: &Global) -> Self {
        Self {
            json: global.json,
            quiet: global.quiet,
        }
    }
}

fn run(args: Args, output: &Output) -> Done {
    let config = resolve_config(args.global.config.as_deref())?;
    let context = Context {
        state: match &args.verb {
            Verb::Demo(_) => demo::state(args.global.state.as_deref())?,
            _ => StateFolder::resolve(args.global.state.as_deref())?,
        },
        terms: Terms::new(config, drill_variable),
        output: output.clone(),
        globals: typed::Globals::of(args.global.config.as_deref(), args.global.state.as_deref()),
    };
    if args.global.verbose > 0 {
        context
            .output
            .note(&format!("state folder {}", context.state.path().display()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Problem::environment("no_runtime", "us", "respool", error.to_string()))?;
    let done = runtime.block_on(dispatch(args.verb, &context));
    // Whoever pressed Ctrl-C twice does not wait for a thread that reads from a disk that hangs.
    runtime.shutdown_background();
    done
}

async fn dispatch(verb: Verb, context: &Context) -> Done {
    match verb {
        Verb::Init(init) => init.run(context).await,
        Verb::Stop => service::stop(context).await,
        Verb::Demo(demo) => demo.run(context).await,
        Verb::Check => check::check(context).await,
        Verb::Catalogue(catalogue) => catalogue.run(context).await,
        Verb::Clock(clock) => clock.run(context).await,
        Verb::Drill(drill) => drill.run(context),
        Verb::Put(put) => put.run(context).await,
        Verb::Get(get) => get.run(context).await,
        Verb::Delete(delete) => delete.run(context).await,
        Verb::Undelete(named) => named.undelete(context).await,
        Verb::Object(object) => object.run(context).await,
        Verb::Dir(dir) => dir.run(context).await,
        Verb::Library(library) => library.run(context).await,
        Verb::Drive(drive) => drive.run(context).await,
        Verb::Tape(tape) => tape.run(context).await,
        Verb::Medium(medium) => medium.run(context).await,
        Verb::Extent(extent) => extent.run(context).await,
        Verb::Repack(repack) => repack.run(context).await,
        Verb::Job(job) => job.run(context).await,
        Verb::Events(events) => events.run(context).await,
        Verb::Completion(completion) => completion.run(context),
        Verb::Man(man) => man.run(context),
    }
}

/// What a panic of this command is told as on stdout; answers its exit code.
pub fn bug(panic: &(dyn std::any::Any + Send)) -> u8 {
    let words = panic.downcast_ref::<String>().map(String::as_str);
    let words = words.or(panic.downcast_ref::<&str>().copied());
    output::bug(words.unwrap_or("no words"))
}

/// What `--json` prints, as a JSON Schema for each verb.
pub fn results_schema() -> serde_json::Value {
    schema::document()
}

/// The whole command line, for completions and manual pages.
pub fn command() -> clap::Command {
    examples::explain(Args::command())
}
