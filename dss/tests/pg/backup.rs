//! E-16: backups, and putting one back, where only a database can tell.

use crate::support::{self, extent, now};
use dss::catalogue::{Catalogue, CatalogueError};
use dss::model::{ByteCount, NoDrill, SessionId, Standing};
use dss::pg::PgCatalogue;
use dss::pg::backup::{self, Access, BackupError, Replace};
use dss::pg::embedded::Binaries;
use sqlx::{AssertSqlSafe, Executor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// While anybody is connected nothing is renamed: the catalogue in use stays. Then the backup is in use and what it cannot
/// know is settled, and what was in use before is kept.
#[tokio::test]
async fn e16_a_backup_is_put_back_whole_or_not_at_all() {
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
