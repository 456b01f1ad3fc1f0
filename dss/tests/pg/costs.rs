//! E-13: what is asked often costs what it answers, however much lies beside it. Counted in rows of `extent` that the
//! statements read, as the server keeps count of them.

use crate::support::{self, Fresh, found, now};
use dss::catalogue::{Adopt, Catalogue, ExtentFilter, Page};
use dss::model::{ByteCount, ExtentState, MediumId, NoDrill};
use dss::pg::PgCatalogue;
use sqlx::{Executor, PgConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many as lie beside what is asked for.
const BESIDE: usize = 4_000;

/// A medium of that many extents of one byte, all of which its own index names.
async fn full() -> (Fresh, MediumId) {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (disk, _) = fresh.medium("disk").await;
    let items = (0..BESIDE).map(found).collect();
    fresh.pg.import(disk, items, Adopt::Yes, now()).await.unwrap();
    fresh.raw().await.execute("ANALYZE").await.unwrap();
    (fresh, disk)
}

/// How many rows are read by what is done. Connections report what they read when they end, so this has its own.
async fn rows_read(fresh: &Fresh, work: impl AsyncFnOnce(&PgCatalogue)) -> i64 {
    fresh.pg.close().await;
    let mut raw = fresh.raw().await;
    alone(&mut raw).await;
    raw.execute("SELECT pg_stat_reset()").await.unwrap();
    let (options, conninfo) = (fresh.database.connect_options(), fresh.database.conninfo().to_owned());
    let settings = support::settings(Arc::new(NoDrill));
    let catalogue = PgCatalogue::connect(options, conninfo, settings).await.unwrap();
    work(&catalogue).await;
    catalogue.close().await;
    alone(&mut raw).await;
    let read = "SELECT coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
                 WHERE relname = 'extent'";
    sqlx::query_scalar(read).fetch_one(&mut raw).await.unwrap()
}

/// Waits until nobody else is connected.
async fn alone(raw: &mut PgConnection) {
    let others = "SELECT count(*) FROM pg_stat_activity
                   WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";
    let begun = Instant::now();
    loop {
        let others: i64 = sqlx::query_scalar(others).fetch_one(&mut *raw).await.unwrap();
        if others == 0 {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "{others} connections do not end"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A put asks how full media are: no extent is looked at for it.
#[tokio::test]
async fn e13_how_full_media_are_is_told_without_their_extents() {
    let (fresh, disk) = full().await;
    let read = rows_read(&fresh, async |pg| {
        let all = BTreeMap::from([(disk, ByteCount(BESIDE as u64))]);
        assert_eq!(pg.used().await.unwrap(), all);
    });
    assert_eq!(read.await, 0);
}

/// A job asks at its end what the indexes of its targets do not name yet.
#[tokio::test]
async fn e13_what_no_index_names_is_found_without_the_rest_of_the_medium() {
    let (fresh, disk) = full().await;
    let forget = "UPDATE extent SET indexed = false WHERE id IN (SELECT id FROM extent LIMIT 3)";
    fresh.raw().await.execute(forget).await.unwrap();
    let filter = ExtentFilter {
        medium: Some(disk),
        state: Some(ExtentState::Sync),
        indexed: Some(false),
        ..ExtentFilter::default()
    };
    let read = rows_read(&fresh, async |pg| {
        for (limit, expected) in [(1, 1), (5_000, 3)] {
            let page = Page { after: None, limit };
            assert_eq!(pg.extents(&filter, page).await.unwrap().len(), expected);
        }
    });
    let read = read.await;
    // Some are met twice: a page of one, and rows as they were before the update.
    assert!(read <= 12, "{read} rows for 1 and 3");
}
