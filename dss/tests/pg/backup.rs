//! E-16: backups, and putting one back, where only a database can tell.

use crate::support::{self, extent, now};
use dss::catalogue::{Adopt, Catalogue, CatalogueError, Found, NewLibrary};
use dss::model::{ByteCount, DriveSeen, Health, LibraryKind, NoDrill, SessionId, Standing};
use dss::pg::PgCatalogue;
use dss::pg::backup::{self, Access, BackupError, Replace};
use dss::pg::embedded::Binaries;
use sqlx::{AssertSqlSafe, Executor};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What is put back has one name in a server until it is in use: tests that share the server take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// While anybody is connected nothing is renamed: the catalogue in use stays. Then the backup is in use and what it cannot
/// know is settled, and what was in use before is kept.
#[tokio::test]
async fn e16_a_backup_is_put_back_whole_or_not_at_all() {
    let _turn = TURN.lock().await;
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    let access = Access::private(fresh.database.connect_options(), Binaries::newest().unwrap());
    let (disk, epoch) = fresh.medium("disk").await;
    let epochs = BTreeMap::from([(disk, epoch)]);
    let (session, wanted) = (SessionId::fresh(), vec![extent(disk, b"x")]);
    let pending = fresh.pg.record_put(session, wanted, &epochs, now()).await.unwrap();
    let pending = pending[0].extent().id;
    assert_eq!(fresh.pg.used().await.unwrap(), BTreeMap::from([(disk, ByteCount(1))]));
    let stamp = fresh.pg.stamp().await.unwrap();
    let made = backup::make(&access, &path, now()).await.unwrap();
    assert_eq!(made.catalogue, fresh.pg.identity().await.unwrap().id);
    assert!(made.revision >= stamp.revision && made.head == stamp.head);
    assert!(matches!(
        backup::make(&access, &path, now()).await,
        Err(BackupError::Exists(_))
    ));
    let (late, _) = fresh.medium("late").await;

    let refused = backup::put_back(&access, &path, Replace::Itself, now()).await;
    assert!(matches!(refused, Err(BackupError::Sql { .. })), "{refused:?}");
    assert_eq!(fresh.pg.medium_by_id(late).await.unwrap().name, "late");

    fresh.pg.close().await;
    let put = backup::put_back(&access, &path, Replace::Itself, now()).await.unwrap();
    assert_eq!((put.media, put.paused), (1, 0));
    let options = fresh.database.connect_options();
    let settings = support::settings(Arc::new(NoDrill));
    let restored = PgCatalogue::connect(options, fresh.database.conninfo().to_owned(), settings);
    let restored = restored.await.unwrap();
    assert!(matches!(
        restored.medium_by_id(late).await,
        Err(CatalogueError::NotFound { .. })
    ));
    assert_eq!(
        restored.used().await.unwrap(),
        BTreeMap::new(),
        "what was pending is not counted"
    );
    assert_eq!(restored.medium_by_id(disk).await.unwrap().standing, Standing::Unseen);
    assert!(matches!(
        restored.extent(pending).await,
        Err(CatalogueError::NotFound { .. })
    ));
    assert!(matches!(
        restored.purge(now(), 10, now()).await,
        Err(CatalogueError::InDoubt(_))
    ));
    let step = (Standing::Unseen, Standing::Level);
    restored.set_standing(disk, step, "seen", now()).await.unwrap();
    let broken: Vec<_> = restored.findings(now()).await.unwrap();
    assert!(
        broken
            .iter()
            .all(|found| found.severity < dss::catalogue::Severity::Error),
        "{broken:?}"
    );
    restored.close().await;
    let kept = put.kept.expect("there was one");
    let dropped = format!("DROP DATABASE \"{kept}\"");
    fresh
        .raw()
        .await
        .execute(AssertSqlSafe(dropped))
        .await
        .expect("it was kept");
}

/// Libraries, drives, what the operator said of them, and where extents lie on tapes.
#[tokio::test]
async fn e16_a_backup_has_what_is_known_of_tapes() {
    let _turn = TURN.lock().await;
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    let access = Access::private(fresh.database.connect_options(), Binaries::newest().unwrap());
    let library = NewLibrary {
        name: "lib0".to_owned(),
        kind: LibraryKind::Virtual,
        place: "/libraries/lib0".to_owned(),
    };
    let library = fresh.pg.add_library(library, now()).await.unwrap();
    let drive = DriveSeen {
        bay: "drv0".to_owned(),
        serial: Some("S0".to_owned()),
        model: None,
        health: Health::Suspect,
        trouble: Some("it wants cleaning".to_owned()),
    };
    fresh.pg.note_drives("lib0", &[drive]).await.unwrap();
    let why = Some("it eats tapes".to_owned());
    let drive = fresh.pg.lock_drive("lib0", "drv0", why, now()).await.unwrap();
    let (tape, _) = fresh.medium("tape").await;
    let one = Found {
        span: "1:5+0*1=1".parse().ok(),
        ..support::found(0)
    };
    let extent = one.extent;
    fresh.pg.import(tape, vec![one], Adopt::Yes, now()).await.unwrap();
    backup::make(&access, &path, now()).await.unwrap();
    fresh.pg.close().await;
    let put = backup::put_back(&access, &path, Replace::Itself, now()).await.unwrap();

    let options = fresh.database.connect_options();
    let settings = support::settings(Arc::new(NoDrill));
    let restored = PgCatalogue::connect(options, fresh.database.conninfo().to_owned(), settings);
    let restored = restored.await.unwrap();
    assert_eq!(restored.libraries().await.unwrap(), [library]);
    assert_eq!(restored.drives("lib0").await.unwrap(), [drive]);
    let span = restored.extent(extent).await.unwrap().span;
    assert_eq!(span, "1:5+0*1=1".parse().ok());
    assert_eq!(restored.durable_end(tape).await.unwrap(), 6);
    restored.close().await;
    let kept = put.kept.expect("there was one");
    let dropped = format!("DROP DATABASE \"{kept}\"");
    let dropped = fresh.raw().await.execute(AssertSqlSafe(dropped)).await;
    dropped.expect("it was kept");
}

/// I3: a place that no tape has is found when its row is put back, and the catalogue in use stays.
#[tokio::test]
async fn i3_a_backup_with_a_place_that_no_tape_has_is_not_put_back() {
    let _turn = TURN.lock().await;
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.backup");
    let access = Access::private(fresh.database.connect_options(), Binaries::newest().unwrap());
    let (tape, _) = fresh.medium("tape").await;
    fresh
        .pg
        .import(tape, vec![support::found(0)], Adopt::Yes, now())
        .await
        .unwrap();
    let mut raw = fresh.raw().await;
    for statement in [
        "ALTER TABLE extent DISABLE TRIGGER USER",
        "UPDATE extent SET span = 'anywhere'",
        "ALTER TABLE extent ENABLE TRIGGER USER",
    ] {
        raw.execute(statement).await.unwrap();
    }
    drop(raw);
    backup::make(&access, &path, now()).await.unwrap();
    fresh.pg.close().await;
    let refused = backup::put_back(&access, &path, Replace::Itself, now()).await;
    let Err(BackupError::Unfit(why)) = refused else {
        panic!("it was put back: {refused:?}")
    };
    assert!(why.contains("anywhere"), "{why}");
    let mut raw = fresh.raw().await;
    raw.execute("SELECT FROM medium")
        .await
        .expect("what was in use is there");
}
