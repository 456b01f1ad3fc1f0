//! A PostgreSQL in a container for the whole run: made of an image that is here (`scripts/test-image` makes it), never
//! pulled. It is asked for through Docker's own program: only the tests in `tests/containers` are worth a client of the
//! engine. Its socket lies on this machine, so that tests reach it as they reach the private cluster.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What `scripts/lib/image.sh` calls it.
const IMAGE: &str = "respool-test-postgres";
/// The oldest PostgreSQL that a catalogue is kept in.
const OLDEST: u32 = 15;
/// Making a cluster in it takes seconds, on a busy machine more.
const PATIENCE: Duration = Duration::from_secs(120);

/// Docker's program, where an engine answers it, and the image to be used.
#[derive(Debug)]
pub(crate) struct Engine {
    docker: PathBuf,
    image: String,
}

/// The server.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) name: String,
    pub(crate) image: String,
    socket_dir: PathBuf,
}

impl Engine {
    /// Why there is none, as one sentence, or what there is.
    pub(crate) fn find(docker: &Path) -> Result<Self, String> {
        let asked = run(docker, &["version", "--format", "{{.Server.Version}}"]);
        asked.map_err(|why| format!("no Docker: {why}"))?;
        // Its sockets are to lie on this machine.
        let engine = run(
            docker,
            &["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"],
        )?;
        if !engine.starts_with("unix:") {
            return Err(format!("no Docker on this machine: the engine is {}", engine.trim()));
        }
        let listed = run(docker, &["image", "ls", "--format", "{{.Tag}}", IMAGE])?;
        let majors = listed.lines().filter_map(|tag| tag.parse::<u32>().ok());
        let newest = majors.filter(|major| *major >= OLDEST).max();
        let major = newest.ok_or_else(|| format!("no image {IMAGE}; scripts/test-image makes it"))?;
        Ok(Self {
            docker: docker.to_owned(),
            image: format!("{IMAGE}:{major}"),
        })
    }

    /// The container of this run, started when it does not run. The caller holds the run's lock.
    pub(crate) fn container(&self, name: String, socket_dir: PathBuf) -> Result<Container, String> {
        let running = run(&self.docker, &["inspect", "--format", "{{.State.Running}}", &name]);
        if running.as_deref().map(str::trim) != Ok("true") {
            self.start(&name, &socket_dir)?;
        }
        Ok(Container {
            name,
            image: self.image.clone(),
            socket_dir,
        })
    }

    fn start(&self, name: &str, socket_dir: &Path) -> Result<(), String> {
        // One that has ended is in the way; where there is none, nothing is to be removed.
        let _ = run(&self.docker, &["rm", "--force", "--volumes", name]);
        // The server's user in the container is nobody here.
        let open = fs::create_dir_all(socket_dir).and_then(|()| {
            let everybody = Permissions::from_mode(0o1777);
            fs::set_permissions(socket_dir, everybody)
        });
        open.map_err(|e| format!("could not make {}: {e}", socket_dir.display()))?;
        let sockets = format!("{}:/run/postgresql", socket_dir.display());
        let data = "/var/lib/postgresql/data";
        let mut command = vec![
            "run",
            "--detach",
            "--name",
            name,
            "--network",
            "none",
            "--volume",
            &sockets,
        ];
        command.extend(["--tmpfs", data, "--shm-size", "256m", &self.image]);
        for setting in FAST {
            command.extend(["-c", setting]);
        }
        run(&self.docker, &command).map(drop)
    }
}

/// The settings of the private cluster for tests.
const FAST: [&str; 4] = [
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "max_connections=300",
];

impl Container {
    /// How sqlx connects to `database` in it.
    pub(crate) fn connect_options(&self, database: &str) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(&self.socket_dir)
            .port(5432)
            .username("respool")
            .database(database)
    }

    /// How tokio-postgres and psql connect to `database` in it.
    pub(crate) fn conninfo(&self, database: &str) -> String {
        let socket_dir = self.socket_dir.display();
        format!("host='{socket_dir}' port=5432 user=respool dbname='{database}'")
    }

    /// Waits until it takes connections.
    pub(crate) async fn wait_ready(&self) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            match self.connect_options("postgres").connect().await {
                Ok(_) => return Ok(()),
                Err(why) if begun.elapsed() > PATIENCE => {
                    return Err(format!("the container {} takes no connections: {why}", self.name));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// What a command of Docker's says, or why it failed.
fn run(docker: &Path, args: &[&str]) -> Result<String, String> {
    let output = Command::new(docker).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|e| format!("{} cannot be run: {e}", docker.display()))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| !line.is_empty()).unwrap_or("it failed");
    Err(format!("docker {}: {first}", args.first().unwrap_or(&"")))
}
