//! Which PostgreSQL the tests use, and why. One decision for the whole process; several test processes share one
//! cluster by its folder.

use crate::container::{Container, Engine};
use crate::{TestDatabase, template};
use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig, EmbeddedError};
use nix::fcntl::{Flock, FlockArg};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::sync::OnceCell;

/// Stops a server ($1: run folder, $2: its lock there, $3: what stops it, the rest: its arguments) once no test process
/// has used it for ten seconds, unless a failed test kept its database within the last hour. Only one of these runs: it
/// holds the lock.
const WATCHER: &str = r#"
run=$1 stop=$3
exec 9>"$run/$2"
flock -n 9 || exit 0
shift 3
while sleep 10; do
  [ -n "$(find "$run/kept" -mmin -60 2>/dev/null)" ] && continue
  flock -n -x "$run/users.lock" sh -c "$stop" stop "$@" && exit 0
done
"#;

/// Stops the cluster whose data is $1.
const STOP_CLUSTER: &str = r#"
pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) || exit 0
[ "$(readlink "/proc/$pid/cwd")" = "$1" ] || exit 0
kill -INT "$pid"
while [ -e "/proc/$pid/cwd/PG_VERSION" ]; do sleep 0.1; done
exit 0"#;

/// Removes the container $1.
const STOP_CONTAINER: &str = r#"exec docker rm --force --volumes "$1""#;

/// The PostgreSQL of this test run.
#[derive(Debug)]
pub struct TestCluster {
    server: Server,
    sentence: String,
    template: OnceCell<String>,
    /// Where a failed test leaves word that its database is to be looked at.
    run_dir: Option<PathBuf>,
    /// Held until the process ends: a cluster in use is not stopped.
    _in_use: Option<Flock<File>>,
}

#[derive(Debug)]
enum Server {
    Cluster(EmbeddedCluster),
    Container(Container),
    Url(Box<PgConnectOptions>),
}

impl TestCluster {
    /// The server of this run; the first call finds or starts it. Panics with the reason when there is none.
    pub async fn get() -> &'static Self {
        static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
        let choice = env::var("RESPOOL_TEST_DB").unwrap_or_else(|_| "auto".into());
        let opened = CLUSTER
            .get_or_try_init(async || {
                let chosen = Self::choose(&choice, Path::new("docker")).await?;
                chosen.leave_word();
                Ok(chosen)
            })
            .await;
        opened.unwrap_or_else(|why: String| panic!("no database for the tests: {why}"))
    }

    /// The server that `RESPOOL_TEST_DB` asks for. `docker` is Docker's program.
    pub(crate) async fn choose(choice: &str, docker: &Path) -> Result<Self, String> {
        match choice {
            "" | "auto" => match Engine::find(docker) {
                Ok(engine) => {
                    Self::container(&engine, "RESPOOL_TEST_DB is auto, and an engine and the image are here").await
                }
                Err(why) => Self::cluster(&format!("RESPOOL_TEST_DB is auto, and there is {why}")).await,
            },
            "cluster" => Self::cluster("RESPOOL_TEST_DB is cluster").await,
            "url" => Self::url(),
            "container" => {
                let engine =
                    Engine::find(docker).map_err(|why| format!("RESPOOL_TEST_DB is container, and there is {why}"));
                Self::container(&engine?, "RESPOOL_TEST_DB is container").await
            }
            other => Err(format!(
                "RESPOOL_TEST_DB is `{other}`; it can be auto, container, cluster or url"
            )),
        }
    }

    fn url() -> Result<Self, String> {
        let url = env::var("RESPOOL_TEST_DB_URL").map_err(|_| "RESPOOL_TEST_DB is url, so set RESPOOL_TEST_DB_URL")?;
        let options: PgConnectOptions = url.parse().map_err(|e| format!("RESPOOL_TEST_DB_URL: {e}"))?;
        let sentence = "database: the server of RESPOOL_TEST_DB_URL, because RESPOOL_TEST_DB is url".into();
        Ok(Self {
            server: Server::Url(Box::new(options)),
            sentence,
            template: OnceCell::new(),
            run_dir: None,
            _in_use: None,
        })
    }

    async fn cluster(why: &str) -> Result<Self, String> {
        let run = Run::of_this_process().await?;
        let cluster = open(&run.folder).await.map_err(|error| with_causes(&error))?;
        if run.ours {
            let data = [cluster.data().as_os_str()];
            start_watcher(&run.folder, "watch.lock", STOP_CLUSTER, &data)?;
        }
        let data = cluster.data().display();
        let sentence = format!("database: a private PostgreSQL cluster (fsync off) in {data}, because {why}");
        Ok(run.with(Server::Cluster(cluster), sentence))
    }

    async fn container(engine: &Engine, why: &str) -> Result<Self, String> {
        let run = Run::of_this_process().await?;
        let short = short_folder(&run.folder);
        let name = short.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // One process starts it; the others find it running.
        let starting = lock(run.folder.join("start.lock"), FlockArg::LockExclusive).await?;
        let container = engine.container(name, short.join("c"))?;
        container.wait_ready().await?;
        drop(starting);
        // For the script that ran the tests, which removes it.
        let _ = fs::write(run.folder.join("container"), &container.name);
        if run.ours {
            let name = [container.name.as_ref()];
            start_watcher(&run.folder, "watch-container.lock", STOP_CONTAINER, &name)?;
        }
        let (name, image) = (&container.name, &container.image);
        let sentence = format!("database: PostgreSQL (fsync off) in the container {name} of {image}, because {why}");
        Ok(run.with(Server::Container(container), sentence))
    }

    /// For the script that ran the tests; the sentence is nothing a test depends on.
    fn leave_word(&self) {
        if let Some(folder) = &self.run_dir {
            let _ = fs::write(folder.join("backend"), format!("{}\n", self.sentence));
        }
    }

    /// Which server is used and why, as one sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// How sqlx connects to `database` on this server.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        match &self.server {
            Server::Cluster(cluster) => cluster.connect_options(database),
            Server::Container(container) => container.connect_options(database),
            Server::Url(options) => options.as_ref().clone().database(database),
        }
    }

    /// How tokio-postgres and psql connect to `database` on this server.
    pub fn conninfo(&self, database: &str) -> String {
        match &self.server {
            Server::Cluster(cluster) => cluster.conninfo(database),
            Server::Container(container) => container.conninfo(database),
            Server::Url(options) => options.as_ref().clone().database(database).to_url_lossy().to_string(),
        }
    }

    /// A new database with the current schema.
    pub async fn fresh_database(&self) -> TestDatabase {
        let template = self.template.get_or_try_init(|| template::ensure(self)).await;
        let template = template.unwrap_or_else(|e| panic!("the schema could not be applied: {}", with_causes(&e)));
        TestDatabase::create(self, template).await
    }

    /// The database that server-wide statements are sent to.
    pub(crate) fn maintenance(&self) -> PgConnectOptions {
        match &self.server {
            Server::Cluster(cluster) => cluster.connect_options("postgres"),
            Server::Container(container) => container.connect_options("postgres"),
            Server::Url(options) => options.as_ref().clone(),
        }
    }

    /// A file whose presence keeps the cluster running for an hour.
    pub(crate) fn kept_mark(&self) -> Option<PathBuf> {
        self.run_dir.as_ref().map(|folder| folder.join("kept"))
    }
}

/// The target folder that the running test was built in.
fn target_dir() -> PathBuf {
    let program = env::current_exe().expect("a test knows its own path");
    let marked = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").exists());
    marked.map_or_else(env::temp_dir, Path::to_path_buf)
}

/// The folder that the processes of one test run share.
struct Run {
    folder: PathBuf,
    /// Nobody else stops the server.
    ours: bool,
    in_use: Flock<File>,
}

impl Run {
    async fn of_this_process() -> Result<Self, String> {
        let given = env::var_os("RESPOOL_TEST_CLUSTER")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from);
        let ours = given.is_none();
        let folder = given.unwrap_or_else(|| target_dir().join("test-cluster"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&folder)
            .map_err(|e| format!("could not make {}: {e}", folder.display()))?;
        let folder = folder.canonicalize().map_err(|e| e.to_string())?;
        let in_use = lock(folder.join("users.lock"), FlockArg::LockShared).await?;
        Ok(Self { folder, ours, in_use })
    }

    fn with(self, server: Server, sentence: String) -> TestCluster {
        TestCluster {
            server,
            sentence,
            template: OnceCell::new(),
            run_dir: Some(self.folder),
            _in_use: Some(self.in_use),
        }
    }
}

async fn lock(path: PathBuf, how: FlockArg) -> Result<Flock<File>, String> {
    let lock = move || {
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| format!("could not open {}: {e}", path.display()))?;
        Flock::lock(file, how).map_err(|(_, e)| format!("could not lock {}: {e}", path.display()))
    };
    tokio::task::spawn_blocking(lock)
        .await
        .expect("taking a lock does not panic")
}

/// A folder of the run's own with a short path, which sockets need, where any user may pass.
fn short_folder(run_dir: &Path) -> PathBuf {
    let own_uid = nix::unistd::Uid::effective().as_raw();
    let key = blake3::hash(run_dir.as_os_str().as_encoded_bytes()).to_hex();
    let short = PathBuf::from(format!("/tmp/respool-test-{own_uid}-{}", &key[..12]));
    let made = DirBuilder::new()
        .recursive(true)
        .mode(0o711)
        .create(&short)
        .and_then(|()| fs::symlink_metadata(&short));
    assert!(
        made.is_ok_and(|entry| entry.is_dir() && entry.uid() == own_uid),
        "{} must be a folder of user {own_uid}",
        short.display()
    );
    short
}

/// Opens the cluster in the run folder or, when that lies where PostgreSQL's user cannot go (a checkout in root's
/// home), in a folder of its own below /tmp.
async fn open(run_dir: &Path) -> Result<EmbeddedCluster, EmbeddedError> {
    let short = short_folder(run_dir);
    let config = |state_dir: &Path| EmbeddedConfig {
        state_dir: state_dir.to_path_buf(),
        socket_dir: short.join("s"),
        durability: Durability::Fast,
    };
    match EmbeddedCluster::open(&config(run_dir)).await {
        Err(EmbeddedError::NotTraversable { .. }) => EmbeddedCluster::open(&config(&short)).await,
        opened => opened,
    }
}

fn start_watcher(run_dir: &Path, lock: &str, stop: &str, what: &[&OsStr]) -> Result<(), String> {
    let started = || {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(run_dir.join(lock))?;
        if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err() {
            return Ok(()); // One is at work.
        }
        let mut watcher = Command::new("sh");
        watcher
            .args(["-c", WATCHER, "watch"])
            .arg(run_dir)
            .args([lock, stop])
            .args(what);
        watcher
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map(drop)
    };
    started().map_err(|e: std::io::Error| format!("could not start the watcher: {e}"))
}

/// An error and everything below it, since a panic message is all a test shows.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a machine without Docker.
    const NOWHERE: &str = "/nowhere/docker";

    #[tokio::test]
    async fn a_container_never_falls_back() {
        let refused = TestCluster::choose("container", Path::new(NOWHERE)).await.unwrap_err();
        assert!(
            refused.contains("no Docker: /nowhere/docker cannot be run"),
            "{refused}"
        );
        let mistyped = TestCluster::choose("contianer", Path::new(NOWHERE)).await.unwrap_err();
        assert!(
            mistyped.contains("it can be auto, container, cluster or url"),
            "{mistyped}"
        );
    }

    #[tokio::test]
    async fn without_docker_the_cluster_is_used_and_says_why() {
        let chosen = TestCluster::choose("auto", Path::new(NOWHERE)).await.unwrap();
        let sentence = chosen.sentence();
        assert!(sentence.contains("a private PostgreSQL cluster"), "{sentence}");
        assert!(
            sentence.contains("there is no Docker: /nowhere/docker cannot be run"),
            "{sentence}"
        );
    }
}
