//! Servers that may not be trusted, answers that are lost, requests to repeat.

use crate::support::{self, extent};
use dss::catalogue::{Catalogue, CatalogueError, ExtentFilter, Page};
use dss::model::{Checkpoints, JobKind, JobSpec, NoDrill, Quarantine, SessionId, Step, VerifyMode};
use dss::pg::PgCatalogue;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_server_that_can_lose_commits_is_refused() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let fsync: String = sqlx::query_scalar("SELECT current_setting('fsync')")
        .fetch_one(&mut fresh.raw().await)
        .await
        .unwrap();
    if fsync == "on" {
        return;
    }
    let settings = dss::pg::Settings {
        allow_unsafe: false,
        ..support::settings(Arc::new(NoDrill))
    };
    let options = fresh.database.connect_options();
    let answer = PgCatalogue::connect(options, fresh.database.conninfo().to_owned(), settings).await;
    match answer.err() {
        Some(CatalogueError::Unfit(why)) => assert!(why.contains("fsync"), "{why}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_newer_or_absent_schema_is_refused() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let open = || {
        let options = fresh.database.connect_options();
        PgCatalogue::connect(
            options,
            fresh.database.conninfo().to_owned(),
            support::settings(Arc::new(NoDrill)),
        )
    };
    assert!(open().await.is_ok());
    let mut raw = fresh.raw().await;
    sqlx::raw_sql(
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', true, '', 0)",
    )
    .execute(&mut raw)
    .await
    .unwrap();
    assert!(matches!(open().await.err(), Some(CatalogueError::Unfit(why)) if why.contains("9999")));
    sqlx::raw_sql("DROP TABLE _sqlx_migrations")
        .execute(&mut raw)
        .await
        .unwrap();
    assert!(matches!(open().await.err(), Some(CatalogueError::Unfit(why)) if why.contains("init")));
}

/// Ends the server's side of every other connection to the database when a step is reached for the first time.
struct Sever {
    at: Step,
    database: Mutex<Option<sqlx::postgres::PgConnectOptions>>,
    reached: AtomicU32,
}

impl Checkpoints for Sever {
    fn reach(&self, step: Step) {
        if step != self.at || self.reached.fetch_add(1, Ordering::SeqCst) > 0 {
            return;
        }
        let options = self.database.lock().unwrap().clone().expect("it is set before");
        // A thread with a runtime of its own: a checkpoint is not asynchronous.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let mut raw = PgConnection::connect_with(&options).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                      WHERE datname = current_database() AND pid <> pg_backend_pid()"
                        .to_owned(),
                ))
                .execute(&mut raw)
                .await
                .unwrap();
            });
        })
        .join()
        .unwrap();
    }
}

/// The connection dies between the last statement and the commit: the transaction is known to be gone and is repeated
/// once, so the job exists once.
#[tokio::test]
async fn a_commit_that_never_arrived_is_repeated() {
    let sever = Arc::new(Sever {
        at: Step::RequestBeforeCommit,
        database: Mutex::default(),
        reached: AtomicU32::new(0),
    });
    let fresh = support::fresh(Arc::clone(&sever) as Arc<dyn Checkpoints>).await;
    *sever.database.lock().unwrap() = Some(fresh.database.connect_options());
    let (medium, _) = fresh.medium("source").await;
    let job = fresh
        .pg
        .create_job(JobKind::Repack, spec(medium), support::now())
        .await
        .expect("in the end");
    assert_eq!(sever.reached.load(Ordering::SeqCst), 2);
    assert_eq!(
        fresh
            .pg
            .jobs(10)
            .await
            .unwrap()
            .iter()
            .map(|one| one.id)
            .collect::<Vec<_>>(),
        [job.id]
    );
}

fn spec(source: dss::model::MediumId) -> JobSpec {
    JobSpec {
        sources: vec![source],
        only: BTreeSet::new(),
        to: None,
        to_tags: BTreeSet::new(),
        quarantine: Quarantine::None,
        verify: VerifyMode::Full,
        drop_deleted: false,
        limit_bytes: None,
        limit_seconds: None,
    }
}

/// A commit that did happen, and whose answer went astray, is found by its transaction's id.
#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_found() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (medium, epoch) = fresh.medium("target").await;
    let proxy = Proxy::before(&fresh.database.connect_options()).await;
    let options = fresh.database.connect_options().socket(&proxy.folder).port(PROXY_PORT);
    let settings = dss::pg::Settings {
        max_connections: 1,
        ..support::settings(Arc::new(NoDrill))
    };
    let lossy = PgCatalogue::connect(options, fresh.database.conninfo().to_owned(), settings)
        .await
        .unwrap();
    proxy.lose_the_next_commit.store(1, Ordering::SeqCst);
    let epochs = [(medium, epoch)].into();
    let recorded = lossy
        .record_put(SessionId::fresh(), vec![extent(medium, b"x")], &epochs, support::now())
        .await;
    assert_eq!(recorded.expect("it was committed").len(), 1);
    assert_eq!(
        proxy.lose_the_next_commit.load(Ordering::SeqCst),
        0,
        "an answer was lost"
    );
    let rows = fresh
        .pg
        .extents(&ExtentFilter::default(), Page { after: None, limit: 9 })
        .await
        .unwrap();
    assert_eq!(rows.len(), 1);
}

const PROXY_PORT: u16 = 5432;

/// Stands before the server and loses the answer to a COMMIT, when told, by closing the connection instead.
struct Proxy {
    folder: std::path::PathBuf,
    lose_the_next_commit: Arc<AtomicU32>,
    _folder: tempfile::TempDir,
}

impl Proxy {
    async fn before(options: &sqlx::postgres::PgConnectOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = tokio::net::UnixListener::bind(folder.path().join(format!(".s.PGSQL.{PROXY_PORT}"))).unwrap();
        let server = options
            .get_socket()
            .expect("tests use a socket")
            .join(format!(".s.PGSQL.{}", options.get_port()));
        let lose = Arc::new(AtomicU32::new(0));
        let counter = Arc::clone(&lose);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = tokio::net::UnixStream::connect(&server).await.unwrap();
                tokio::spawn(carry(client, server, Arc::clone(&counter)));
            }
        });
        Self {
            folder: folder.path().to_owned(),
            lose_the_next_commit: lose,
            _folder: folder,
        }
    }
}

async fn carry(client: tokio::net::UnixStream, server: tokio::net::UnixStream, lose: Arc<AtomicU32>) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let losing = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = Arc::clone(&losing);
    tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
            let commit = buffer[..count].windows(6).any(|word| word == b"COMMIT");
            if commit && lose.compare_exchange(1, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                seen.store(true, Ordering::SeqCst);
            }
            if to_server.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    });
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
        // The server has committed: this is its answer, and nobody will hear it.
        if losing.load(Ordering::SeqCst) || to_client.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
}

/// A delete that waited for an overwrite to commit deletes the version that is live then.
#[tokio::test]
async fn a_delete_that_meets_an_overwrite_deletes_the_newer_version() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let insert = |version: u32| {
        format!(
            "INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
             VALUES (gen_random_uuid(), 'a', {version}, 0, 1, '{{}}', now());"
        )
    };
    let mut raw = fresh.raw().await;
    let overwrite = format!(
        "BEGIN; UPDATE object SET deleted_at = now() WHERE version = 1; {}",
        insert(2)
    );
    for statements in [insert(1), overwrite] {
        sqlx::raw_sql(AssertSqlSafe(statements))
            .execute(&mut raw)
            .await
            .unwrap();
    }
    let pg = Arc::clone(&fresh.pg);
    let oid = dss::model::Oid::new("a").unwrap();
    let deleting = tokio::spawn(async move { pg.delete_object(&oid, support::now()).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&mut raw).await.unwrap() == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    sqlx::raw_sql("COMMIT").execute(&mut raw).await.unwrap();
    assert_eq!(deleting.await.unwrap().unwrap().version.0, 2);
}
