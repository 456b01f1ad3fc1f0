//! The life of a private PostgreSQL cluster: made, started, adopted, killed, recovered, stopped. Run as root, the
//! tests exercise the change of user, and one of them runs the same life again as an ordinary user.

use dss::catalogue::Catalogue;
use dss::model::{Checkpoints, JobKind, JobSpec, Quarantine, Step, VerifyMode};
use dss::pg::embedded::{Durability, EmbeddedCluster, EmbeddedConfig, EmbeddedError};
use dss::pg::{Limits, PgCatalogue, Settings};
use jiff::Timestamp;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("respool-pg-")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
        Self { folder }
    }

    fn config(&self, durability: Durability) -> EmbeddedConfig {
        let path = self.folder.path();
        EmbeddedConfig {
            state_dir: path.join("state"),
            socket_dir: path.join("s"),
            durability,
        }
    }
}

/// A failed test must not leave a server behind.
impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(text) = fs::read_to_string(self.folder.path().join("state/pg/postmaster.pid"))
            && let Some(pid) = text.lines().next().and_then(|line| line.parse().ok())
            && pid > 1
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

async fn connect(cluster: &EmbeddedCluster) -> PgConnection {
    PgConnection::connect_with(&cluster.connect_options("respool"))
        .await
        .unwrap()
}

async fn setting(connection: &mut PgConnection, name: &str) -> String {
    sqlx::query_scalar("select current_setting($1)")
        .bind(name)
        .fetch_one(connection)
        .await
        .unwrap()
}

fn kill_hard(cluster: &EmbeddedCluster) {
    kill(Pid::from_raw(cluster.pid().unwrap()), Signal::SIGKILL).unwrap();
}

async fn live_a_whole_life() {
    let place = Place::new();
    let config = place.config(Durability::Durable);

    let first = EmbeddedCluster::open(&config).await.unwrap();
    first.ensure_database("respool").await.unwrap();
    first.ensure_database("respool").await.unwrap();
    let pid = first.pid().unwrap();
    let mut connection = connect(&first).await;
    sqlx::query("create table kept as select 7 as n")
        .execute(&mut connection)
        .await
        .unwrap();
    let expected = [
        ("fsync", "on"),
        ("full_page_writes", "on"),
        ("synchronous_commit", "on"),
        ("jit", "off"),
    ];
    for (name, value) in expected
        .into_iter()
        .chain([("listen_addresses", ""), ("data_checksums", "on")])
    {
        assert_eq!(setting(&mut connection, name).await, value, "{name}");
    }
    assert_eq!(setting(&mut connection, "max_connections").await, "50");
    assert_eq!(fs::metadata(first.data()).unwrap().mode() & 0o777, 0o700);
    assert_eq!(fs::metadata(first.socket_dir()).unwrap().mode() & 0o777, 0o700);
    let owner = fs::metadata(first.data()).unwrap().uid();
    assert_ne!(owner, 0, "a cluster never belongs to root");

    // The next respoold adopts it, also when asked for another socket folder.
    let elsewhere = EmbeddedConfig {
        socket_dir: place.folder.path().join("t"),
        ..config.clone()
    };
    let second = EmbeddedCluster::open(&elsewhere).await.unwrap();
    assert_eq!(second.pid(), Some(pid));
    assert_eq!(second.socket_dir(), first.socket_dir());

    // kill -9: the same cluster comes back with what was committed.
    kill_hard(&second);
    let third = EmbeddedCluster::open(&config).await.unwrap();
    assert_ne!(third.pid(), Some(pid));
    let kept: i32 = sqlx::query_scalar("select n from kept")
        .fetch_one(&mut connect(&third).await)
        .await
        .unwrap();
    assert_eq!(kept, 7);

    // A cleaned /tmp: the server runs, but nobody can reach it.
    let unreachable = third.pid().unwrap();
    fs::remove_dir_all(third.socket_dir()).unwrap();
    let fourth = EmbeddedCluster::open(&config).await.unwrap();
    assert_ne!(fourth.pid(), Some(unreachable));

    let found = EmbeddedCluster::running(&config.state_dir).await.unwrap().unwrap();
    found.stop().await.unwrap();
    assert_eq!(fourth.pid(), None);
    fourth.stop().await.unwrap();
    assert!(EmbeddedCluster::running(&config.state_dir).await.unwrap().is_none());
    assert!(!fourth.data().join("postmaster.pid").exists(), "stopped in order");
}

#[tokio::test]
async fn a_cluster_is_made_started_adopted_recovered_and_stopped() {
    live_a_whole_life().await;
}

/// The body of the next test, which runs this program as `nobody`.
#[tokio::test]
#[ignore = "run by an_ordinary_user_runs_the_cluster_as_himself"]
async fn as_an_ordinary_user() {
    assert!(!Uid::effective().is_root());
    live_a_whole_life().await;
}

#[test]
fn an_ordinary_user_runs_the_cluster_as_himself() {
    if !Uid::effective().is_root() {
        return; // The test above was that.
    }
    let nobody = User::from_name("nobody").unwrap().unwrap();
    // The target folder may lie where `nobody` cannot go.
    let place = Place::new();
    let program = place.folder.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(&program);
    command
        .args(["--exact", "as_an_ordinary_user", "--ignored"])
        .current_dir("/");
    let output = command
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[tokio::test]
async fn an_interrupted_initdb_is_made_again_and_a_finished_cluster_is_kept() {
    let place = Place::new();
    let config = place.config(Durability::Fast);
    let unfinished = config.state_dir.join("pg.new/base/1");
    fs::create_dir_all(&unfinished).unwrap();
    fs::set_permissions(&config.state_dir, Permissions::from_mode(0o711)).unwrap();
    fs::write(config.state_dir.join("pg.new/PG_VERSION"), "15\n").unwrap();

    let cluster = EmbeddedCluster::open(&config).await.unwrap();
    assert!(!config.state_dir.join("pg.new").exists());
    cluster.ensure_database("respool").await.unwrap();
    cluster.stop().await.unwrap();

    // Leftovers beside a finished cluster do not touch it.
    fs::create_dir_all(&unfinished).unwrap();
    let again = EmbeddedCluster::open(&config).await.unwrap();
    drop(connect(&again).await);
    again.stop().await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_start_shows_its_log() {
    let place = Place::new();
    let config = place.config(Durability::Durable);
    let cluster = EmbeddedCluster::open(&config).await.unwrap();
    cluster.stop().await.unwrap();
    let conf = cluster.data().join("postgresql.conf");
    let good = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{good}\nshared_buffers = plenty\n")).unwrap();
    let refused = EmbeddedCluster::open(&config).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::Start { .. }), "{refused}");
    assert!(refused.to_string().contains("shared_buffers"), "{refused}");
    fs::write(&conf, good).unwrap();
    EmbeddedCluster::open(&config).await.unwrap().stop().await.unwrap();
}

/// Between a change and its commit: the server is killed, recovers, and gives the numbers of transactions that it never
/// wrote down to others, which commit.
struct KilledOnce {
    config: EmbeddedConfig,
    done: AtomicBool,
}

impl Checkpoints for KilledOnce {
    fn reach(&self, step: Step) {
        if step != Step::RequestBeforeCommit || self.done.swap(true, Ordering::SeqCst) {
            return;
        }
        let config = self.config.clone();
        let others = async move {
            let cluster = EmbeddedCluster::running(&config.state_dir).await.unwrap().unwrap();
            kill_hard(&cluster);
            let cluster = EmbeddedCluster::open(&config).await.unwrap();
            let mut connection = connect(&cluster).await;
            sqlx::query("create table others (n int)")
                .execute(&mut connection)
                .await
                .unwrap();
            for n in 0..50 {
                let insert = sqlx::query("insert into others values ($1)");
                insert.bind(n).execute(&mut connection).await.unwrap();
            }
        };
        let thread = std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(others);
        });
        thread.join().unwrap();
    }
}

/// E-15: the number of a transaction that was lost with its server is another's now; what that one did is not taken for
/// what this one did.
#[tokio::test(flavor = "multi_thread")]
async fn e15_a_commit_lost_with_its_server_is_not_taken_for_another_that_got_its_number() {
    let place = Place::new();
    let config = place.config(Durability::Durable);
    let cluster = EmbeddedCluster::open(&config).await.unwrap();
    cluster.ensure_database("respool").await.unwrap();
    let settings = Settings {
        allow_unsafe: false,
        checkpoints: Arc::new(KilledOnce {
            config: config.clone(),
            done: AtomicBool::new(false),
        }),
        max_connections: 4,
        limits: Limits::default(),
    };
    let (options, conninfo) = (cluster.connect_options("respool"), cluster.conninfo("respool"));
    let catalogue = PgCatalogue::init(options, conninfo, settings, true).await.unwrap();
    let spec = JobSpec {
        sources: vec![],
        only: BTreeSet::new(),
        to: None,
        to_tags: BTreeSet::new(),
        quarantine: Quarantine::None,
        verify: VerifyMode::Full,
        drop_deleted: false,
        limit_bytes: None,
        limit_seconds: None,
    };
    let job = catalogue
        .create_job(JobKind::Repack, spec, Timestamp::UNIX_EPOCH)
        .await
        .unwrap();
    let found = catalogue.jobs(9).await.unwrap();
    assert_eq!(
        found.iter().map(|one| one.id).collect::<Vec<_>>(),
        [job.id],
        "once, and under the number told"
    );
    catalogue.close().await;
    EmbeddedCluster::running(&config.state_dir)
        .await
        .unwrap()
        .unwrap()
        .stop()
        .await
        .unwrap();
}

#[tokio::test]
async fn two_that_open_at_once_share_one_server() {
    let place = Place::new();
    let config = place.config(Durability::Fast);
    let (one, other) = tokio::join!(EmbeddedCluster::open(&config), EmbeddedCluster::open(&config));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(one.pid().is_some());
    assert_eq!(one.pid(), other.pid());

    // A server without fsync is no place for a catalogue: asked for durability, it is started anew.
    let durable = EmbeddedCluster::open(&place.config(Durability::Durable)).await.unwrap();
    assert_ne!(durable.pid(), None);
    durable.ensure_database("respool").await.unwrap();
    assert_eq!(setting(&mut connect(&durable).await, "fsync").await, "on");
    durable.stop().await.unwrap();
}

#[tokio::test]
async fn a_folder_that_postgres_cannot_enter_is_named() {
    if !Uid::effective().is_root() {
        return; // Only root changes the user.
    }
    let place = Place::new();
    let closed = place.folder.path().join("closed");
    let open = |mode: u32, path: &Path| fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    fs::create_dir(&closed).unwrap();
    open(0o700, &closed);
    let config = EmbeddedConfig {
        state_dir: closed.join("state"),
        ..place.config(Durability::Fast)
    };
    let refused = EmbeddedCluster::open(&config).await.unwrap_err();
    assert!(
        matches!(&refused, EmbeddedError::NotTraversable { folder, .. } if *folder == closed),
        "{refused}"
    );
    assert!(!config.state_dir.join("pg").exists());
}

#[tokio::test]
async fn other_files_in_the_place_of_the_cluster_are_left_alone() {
    let place = Place::new();
    let config = place.config(Durability::Fast);
    fs::create_dir_all(config.state_dir.join("pg")).unwrap();
    fs::write(config.state_dir.join("pg/letters"), "mine").unwrap();
    let refused = EmbeddedCluster::open(&config).await.unwrap_err();
    assert!(matches!(refused, EmbeddedError::NotACluster { .. }), "{refused}");
    assert_eq!(fs::read_to_string(config.state_dir.join("pg/letters")).unwrap(), "mine");
}
