//! respoold: owns this host's devices, the scheduler, the jobs and the private PostgreSQL. Starts everything, serves
//! clients, and leaves in order. Nothing is decided here that must survive: the catalogue is the only memory.

pub mod activity;
mod ahead;
mod answer;
mod backups;
mod candidates;
mod compact;
pub mod control;
pub mod devices;
mod drill;
mod drives;
mod extents;
mod guard;
mod handles;
mod jobs;
pub mod libraries;
mod library;
mod lists;
mod manager;
mod mark;
mod media;
mod objects;
mod open;
mod places;
mod plans;
pub mod runner;
mod seat;
mod server;
mod sources;
mod tapes;
mod trust;
pub mod upkeep;
mod visit;
mod volumes;
mod waits;

use crate::api::Problem;
use crate::api::backup::{BackupReport, RestoreReport};
use crate::api::hello::{Create, Hello, StartLine, Terms};
use crate::config::Config;
use crate::engine;
use crate::host::Host;
use crate::state::{Keeper, SOCKET, StateFolder};
use activity::Activity;
use devices::Devices;
use dss::model::{Checkpoints, Holder, HolderId, NoDrill};
use dss::pg::PgCatalogue;
use dss::pg::backup::Replace;
use dss::pg::embedded::EmbeddedCluster;
use libraries::Libraries;
use lrs::ldm::faults::FaultPlan;
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::spool::SpoolPlace;
use lrs::service::{AgeClock, Drives, Lrs, Settings};
use runner::Runner;
use seat::Seat;
use server::{Daemon, router};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// How long jobs have to come to an extent boundary when respoold leaves; what is not done by then is done again.
const HAND_OVER: Duration = Duration::from_secs(75);
/// How long an answer may take to reach its client when respoold leaves.
const FAREWELL: Duration = Duration::from_secs(5);

/// How respoold is started.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where its state lies.
    pub state: StateFolder,
    /// What clients must agree with.
    pub terms: Terms,
    /// Which catalogue may be made.
    pub create: Create,
}

/// A respoold that takes requests.
struct Running {
    daemon: Arc<Daemon>,
    catalogue: Arc<PgCatalogue>,
    cluster: Option<EmbeddedCluster>,
    /// The state folder's path.
    state: std::path::PathBuf,
    created: bool,
    /// Who ended here before it, and did not stop.
    killed: Option<u32>,
    seat: Seat,
    listener: UnixListener,
}

/// Runs until asked to leave. `say` is told once: that requests are taken, or why not.
pub async fn run(start: Start, say: impl FnOnce(&StartLine)) -> Result<(), Problem> {
    handles::raise();
    let stopping = CancellationToken::new();
    let running = match prepare(&start, &stopping).await {
        Ok(running) => running,
        Err(problem) => {
            say(&StartLine::Problem(problem.clone()));
            return Err(problem);
        }
    };
    say(&StartLine::Ready {
        socket: start.state.socket().expect("it was recorded"),
        created: running.created,
        killed: running.killed,
    });
    heed_signals(&stopping);
    manager::ready();
    serve(running).await
}

/// Stops the private PostgreSQL of a state folder where no respoold runs.
pub async fn stop_database(state: &StateFolder) -> Result<(), Problem> {
    let seat = Seat::take(state)?;
    open::stop_cluster(state).await?;
    seat.leave();
    Ok(())
}

/// Looks at a backup of the catalogue, without any server.
pub async fn verify_backup(state: &StateFolder, path: &Path) -> Result<BackupReport, Problem> {
    backups::look(state, path).await
}

/// Puts a backup back where no respoold runs; `any`: also in place of another catalogue.
pub async fn restore_catalogue(
    state: &StateFolder,
    terms: &Terms,
    path: &Path,
    any: bool,
) -> Result<RestoreReport, Problem> {
    let config = read_config(terms)?;
    let replace = if any { Replace::Any } else { Replace::Itself };
    let now = drill::clock(terms)?.now();
    backups::restore(state, &config, path, replace, now).await
}

fn read_config(terms: &Terms) -> Result<Config, Problem> {
    match &terms.config {
        Some(path) => Config::read(path),
        None => Ok(Config::default()),
    }
}

async fn prepare(start: &Start, stopping: &CancellationToken) -> Result<Running, Problem> {
    let seat = Seat::take(&start.state)?;
    let config = Arc::new(read_config(&start.terms)?);
    drill::require_declared(&start.terms)?;
    let clock: Arc<dyn AgeClock> = Arc::new(drill::clock(&start.terms)?);
    let faults = drill::faults(&start.terms)?;
    let checkpoints: Arc<dyn Checkpoints> = if faults.is_empty() {
        Arc::new(NoDrill)
    } else {
        Arc::new(drill::checkpoints(faults.clone())?)
    };
    let (folder, beside) = seat.socket_folders()?;
    let opened = open::open(
        &start.state,
        &config,
        beside,
        start.create,
        (Arc::clone(&checkpoints), clock.now()),
    )
    .await?;
    let made = assemble(start, stopping, &seat, &config, (clock, faults, checkpoints), &opened).await;
    let daemon = match made {
        Ok(daemon) => daemon,
        Err(problem) => {
            close(&opened.catalogue, opened.cluster.as_ref()).await;
            return Err(problem);
        }
    };
    let listener = bind(&folder, seat.keeper())?;
    let killed = seat.announce()?;
    tracing::info!(state = %start.state.path().display(), "respoold takes requests");
    Ok(Running {
        daemon,
        catalogue: opened.catalogue,
        cluster: opened.cluster,
        state: start.state.path().to_owned(),
        created: opened.created,
        killed,
        seat,
        listener,
    })
}

type Surroundings = (Arc<dyn AgeClock>, FaultPlan, Arc<dyn Checkpoints>);

async fn assemble(
    start: &Start,
    stopping: &CancellationToken,
    seat: &Seat,
    config: &Arc<Config>,
    (clock, faults, checkpoints): Surroundings,
    opened: &open::Opened,
) -> Result<Arc<Daemon>, Problem> {
    drill::require_testing_catalogue(&start.terms, opened.identity.testing)?;
    let holder = Holder {
        id: HolderId::fresh(),
        seat: seat.name().to_owned(),
    };
    let settings = Settings {
        holder: holder.clone(),
        lease_seconds: config.daemon.lease_seconds,
        margin_seconds: config.daemon.lease_seconds,
        drives: Drives::Threads,
    };
    let catalogue: Arc<dyn dss::catalogue::Catalogue> = opened.catalogue.clone();
    let spool = SpoolPlace::below(&start.state.spool_folder(), faults.clone());
    if let Err(error) = spool.clean() {
        tracing::warn!(%error, "what an earlier respoold left in the spool stays there");
    }
    let libraries = Arc::new(Libraries::new(library_terms(seat.name(), faults.clone())));
    let devices = Arc::new(Devices::new(
        faults,
        Arc::clone(&libraries),
        (Arc::clone(&clock), opened.identity.id),
    ));
    let lrs = Lrs::start(settings, Arc::clone(&catalogue), devices, Arc::clone(&clock));
    libraries.open_all(catalogue.as_ref(), &lrs, clock.now()).await?;
    let host = Arc::new(Host {
        catalogue,
        lrs,
        clock,
        checkpoints,
        config: Arc::clone(config),
        spool,
        catalogue_id: opened.identity.id,
        stopping: stopping.clone(),
    });
    engine::take_over(&host, &holder).await?;
    // Before any job goes on: one may be about to erase what an older catalogue takes for empty.
    engine::recognise(&host).await?;
    let activity = Activity::new();
    let backups = backups::Backups::new(&start.state, config, opened.access.clone());
    backups.clear(opened.identity.id);
    let daemon = Arc::new(Daemon {
        jobs: Runner::new(Arc::clone(&host), activity.clone()),
        terms: start.terms.clone(),
        service: match seat.keeper() {
            Keeper::Clients => None,
            Keeper::Service(unit) => Some(unit.clone()),
        },
        hello: Hello {
            pid: std::process::id(),
            catalogue: opened.identity.id,
            testing: opened.identity.testing,
        },
        backups,
        libraries,
        activity,
        stopping: stopping.clone(),
        host,
    });
    for job in engine::unfinished(&daemon.host).await? {
        daemon.jobs.start(job);
    }
    Ok(daemon)
}

/// How this host drives libraries: under a key made of the seat, so that a life after this one is the same host to a drive.
fn library_terms(seat: &str, faults: FaultPlan) -> lrs::ldm::library::Terms {
    let digest = blake3::hash(seat.as_bytes());
    let half: [u8; 8] = digest.as_bytes()[..8].try_into().expect("a digest has 32 bytes");
    // 0 is the key of nobody.
    let key = Key::new(u64::from_be_bytes(half).max(1)).expect("it is not 0");
    lrs::ldm::library::Terms {
        faults,
        ..lrs::ldm::library::Terms::usual(key)
    }
}

fn bind(folder: &Path, keeper: &Keeper) -> Result<UnixListener, Problem> {
    let socket = folder.join(SOCKET);
    // The lock says that nobody listens there any more.
    let _ = std::fs::remove_file(&socket);
    // Bound first, opened to others after: meanwhile its folder is closed to everybody who may not connect.
    let bound = UnixListener::bind(&socket).and_then(|listener| {
        std::fs::set_permissions(&socket, Permissions::from_mode(keeper.socket_mode()))?;
        Ok(listener)
    });
    bound.map_err(|error| {
        Problem::environment(
            "no_socket",
            "us",
            socket.display().to_string(),
            format!("the socket {} cannot be made: {error}", socket.display()),
        )
        .next("make its folder writable")
    })
}

async fn serve(running: Running) -> Result<(), Problem> {
    let daemon = running.daemon;
    let stopping = daemon.stopping.clone();
    let upkeep = tokio::spawn(upkeep::run(Arc::clone(&daemon.host), daemon.jobs.clone()));
    let sweep = tokio::spawn(upkeep::sweep(Arc::clone(&daemon.host)));
    let backups = tokio::spawn(backups::run(Arc::clone(&daemon)));
    let fenced = Arc::clone(&daemon.host);
    tokio::spawn(async move {
        if let Err(problem) = engine::erase_fenced(&fenced).await {
            tracing::warn!(%problem, "media found erasing stay so until the next start");
        }
    });
    match running.seat.keeper() {
        Keeper::Clients => drop(tokio::spawn(upkeep::leave_when_idle(Arc::clone(&daemon)))),
        // Nobody would start it again.
        Keeper::Service(_) => {}
    }
    let sign_of_life = tokio::spawn(manager::signs_of_life());
    let guard = running.cluster.as_ref().map(|cluster| {
        let socket_dir = cluster.socket_dir().to_owned();
        tokio::spawn(guard::run(running.state.clone(), socket_dir, stopping.clone()))
    });
    let app = router(&daemon);
    let until = stopping.clone();
    let mut server = tokio::spawn(async move {
        let served = axum::serve(running.listener, app).with_graceful_shutdown(until.cancelled_owned());
        served.await
    });
    stopping.cancelled().await;
    tracing::info!("respoold leaves");
    manager::stopping();
    daemon.jobs.hand_over(HAND_OVER).await;
    // Whoever still reads an answer has a moment for it.
    if tokio::time::timeout(FAREWELL, &mut server).await.is_err() {
        server.abort();
    }
    upkeep.abort();
    sweep.abort();
    backups.abort();
    // Allocations that nobody gives back end with the process.
    let _ = tokio::time::timeout(FAREWELL, daemon.host.lrs.stop()).await;
    if let Some(guard) = guard {
        // It ends by itself, after a start that may be under way: nothing is started after the stop below.
        let _ = guard.await;
    }
    close(&running.catalogue, running.cluster.as_ref()).await;
    running.seat.leave();
    sign_of_life.abort();
    Ok(())
}

/// Lets go of the catalogue, and stops the private PostgreSQL.
async fn close(catalogue: &PgCatalogue, cluster: Option<&EmbeddedCluster>) {
    // A connection in use by a task that was given up is closed by the server's stop.
    let _ = tokio::time::timeout(FAREWELL, catalogue.close()).await;
    if let Some(cluster) = cluster
        && let Err(error) = cluster.stop().await
    {
        tracing::error!(%error, "PostgreSQL was not stopped; the next respoold adopts it");
    }
}

fn heed_signals(stopping: &CancellationToken) {
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let stopping = stopping.clone();
        let mut signals = signal(kind).expect("a handler can be set for any signal but two");
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                stopping.cancel();
            }
        });
    }
}
