//! Which PostgreSQL the tests use, and why. One decision for the whole process; several test processes share one
//! cluster by its folder.

use crate::{TestDatabase, template};
use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig, EmbeddedError};
use nix::fcntl::{Flock, FlockArg};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::env;
use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::sync::OnceCell;

/// Stops the cluster ($1: run folder, $2: data) once no test process has used it for ten seconds, unless a failed test
/// kept its database within the last hour. Only one of these runs: it holds `watch.lock`.
const WATCHER: &str = r#"
exec 9>"$1/watch.lock"
flock -n 9 || exit 0
while sleep 10; do
  [ -n "$(find "$1/kept" -mmin -60 2>/dev/null)" ] && continue
  flock -n -x "$1/users.lock" sh -c '
    pid=$(head -n 1 "$2/postmaster.pid" 2>/dev/null) || exit 0
    [ "$(readlink "/proc/$pid/cwd")" = "$2" ] || exit 0
    kill -INT "$pid"
    while [ -e "/proc/$pid/cwd/PG_VERSION" ]; do sleep 0.1; done
    exit 0' stop "$1" "$2" && exit 0
done
"#;

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
    Url(Box<PgConnectOptions>),
}

impl TestCluster {
    /// The server of this run; the first call finds or starts it. Panics with the reason when there is none.
    pub async fn get() -> &'static Self {
        static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
        let choice = env::var("RESPOOL_TEST_DB").unwrap_or_else(|_| "auto".into());
        let opened = CLUSTER.get_or_try_init(|| Self::choose(&choice)).await;
        opened.unwrap_or_else(|why| panic!("no database for the tests: {why}"))
    }

    /// The server that `RESPOOL_TEST_DB` asks for.
    pub(crate) async fn choose(choice: &str) -> Result<Self, String> {
        match choice {
            "" | "auto" => Self::cluster("RESPOOL_TEST_DB is auto and this build has no container backend").await,
            "cluster" => Self::cluster("RESPOOL_TEST_DB is cluster").await,
            "url" => Self::url(),
            "container" => Err(
                "RESPOOL_TEST_DB is container, and the container backend is not available in this \
                                build; use cluster or url"
                    .into(),
            ),
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
        let given = env::var_os("RESPOOL_TEST_CLUSTER")
            .filter(|value| !value.is_empty())
            .map(PathBuf::from);
        let ours = given.is_none();
        let run_dir = given.unwrap_or_else(|| target_dir().join("test-cluster"));
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(&run_dir)
            .map_err(|e| format!("could not make {}: {e}", run_dir.display()))?;
        let run_dir = run_dir.canonicalize().map_err(|e| e.to_string())?;
        let in_use = lock_shared(run_dir.join("users.lock")).await?;
        let cluster = open(&run_dir).await.map_err(|error| with_causes(&error))?;
        if ours {
            start_watcher(&run_dir, cluster.data()).map_err(|e| format!("could not start the watcher: {e}"))?;
        }
        let sentence = format!(
            "database: a private PostgreSQL cluster (fsync off) in {}, because {why}",
            cluster.data().display()
        );
        // For the script that ran the tests; the sentence is nothing a test depends on.
        let _ = fs::write(run_dir.join("backend"), format!("{sentence}\n"));
        Ok(Self {
            server: Server::Cluster(cluster),
            sentence,
            template: OnceCell::new(),
            run_dir: Some(run_dir),
            _in_use: Some(in_use),
        })
    }

    /// Which server is used and why, as one sentence.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// How sqlx connects to `database` on this server.
    pub fn connect_options(&self, database: &str) -> PgConnectOptions {
        match &self.server {
            Server::Cluster(cluster) => cluster.connect_options(database),
            Server::Url(options) => options.as_ref().clone().database(database),
        }
    }

    /// How tokio-postgres and psql connect to `database` on this server.
    pub fn conninfo(&self, database: &str) -> String {
        match &self.server {
            Server::Cluster(cluster) => cluster.conninfo(database),
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

async fn lock_shared(path: PathBuf) -> Result<Flock<File>, String> {
    let lock = move || {
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|e| format!("could not open {}: {e}", path.display()))?;
        Flock::lock(file, FlockArg::LockShared).map_err(|(_, e)| format!("could not lock {}: {e}", path.display()))
    };
    tokio::task::spawn_blocking(lock)
        .await
        .expect("taking a lock does not panic")
}

/// Opens the cluster in the run folder or, when that lies where PostgreSQL's user cannot go (a checkout in root's
/// home), in a folder of its own below /tmp.
async fn open(run_dir: &Path) -> Result<EmbeddedCluster, EmbeddedError> {
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

fn start_watcher(run_dir: &Path, data: &Path) -> std::io::Result<()> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(run_dir.join("watch.lock"))?;
    if Flock::lock(file, FlockArg::LockExclusiveNonblock).is_err() {
        return Ok(()); // One is at work.
    }
    let mut watcher = Command::new("sh");
    watcher
        .args(["-c", WATCHER, "watch"])
        .arg(run_dir)
        .arg(data)
        .process_group(0);
    watcher
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(drop)
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

    #[tokio::test]
    async fn a_container_never_falls_back() {
        let refused = TestCluster::choose("container").await.unwrap_err();
        assert!(refused.contains("not available in this build"), "{refused}");
        assert!(TestCluster::choose("clutser").await.is_err());
    }
}
