//! E-13: what is asked often costs what it answers, however much lies beside it. Counted in rows of `extent`, and of the
//! list beside it, that the statements read, as the server keeps count of them.

use crate::support::{self, Fresh, found, now};
use dss::catalogue::{Adopt, Catalogue, ExtentFilter, Page};
use dss::model::{ByteCount, ExtentId, ExtentState, MediumId, NoDrill, Revision};
use dss::pg::PgCatalogue;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
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

/// How many rows are read by what is done, in the tables and, of `extent_unindexed`, in its index, which may be all that is
/// needed of it. Connections report what they read when they end, so this has its own.
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
    let read = "SELECT (SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables
                         WHERE relname IN ('extent', 'extent_unindexed'))::bigint
                     + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = 'extent_unindexed')::bigint";
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

/// Each mount of a tape asks where what is durable on it ends: one extent is looked at for it, also while the
/// server has no statistics of the rest.
#[tokio::test]
async fn e13_the_durable_end_of_a_tape_is_found_without_its_extents() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (tape, _) = fresh.medium("tape").await;
    let lies = |number: usize| dss::catalogue::Found {
        span: format!("1:{}+0*1=1", number + 5).parse().ok(),
        ..found(number)
    };
    let items = (0..BESIDE).map(lies).collect();
    fresh.pg.import(tape, items, Adopt::Yes, now()).await.unwrap();
    let read = rows_read(&fresh, async |pg| {
        for _ in 0..20 {
            assert_eq!(pg.durable_end(tape).await.unwrap(), BESIDE as u64 + 5);
        }
    });
    let read = read.await;
    assert!(read <= 20, "{read} rows, 20 times for one");
}

/// Has it that no index names some of a medium's extents.
async fn forget(fresh: &Fresh, medium: MediumId, how_many: usize) {
    let forget = format!(
        "INSERT INTO extent_unindexed (medium, extent)
         SELECT medium, id FROM extent WHERE medium = '{medium}' ORDER BY id LIMIT {how_many}"
    );
    fresh.raw().await.execute(AssertSqlSafe(forget)).await.unwrap();
}

/// A job asks at its end what the indexes of its targets do not name yet.
#[tokio::test]
async fn e13_what_no_index_names_is_found_without_the_rest_of_the_medium() {
    let (fresh, disk) = full().await;
    forget(&fresh, disk, 3).await;
    let filter = unnamed(disk);
    let read = rows_read(&fresh, async |pg| {
        for (limit, expected) in [(1, 1), (5_000, 3)] {
            let page = Page { after: None, limit };
            assert_eq!(pg.extents(&filter, page).await.unwrap().len(), expected);
        }
    });
    let read = read.await;
    // Of each extent an entry and a row of the list, its state and itself, and once more whether it is listed.
    assert!(read <= 24, "{read} rows for 1 and 3");
}

fn unnamed(medium: MediumId) -> ExtentFilter {
    ExtentFilter {
        medium: Some(medium),
        state: Some(ExtentState::Sync),
        indexed: Some(false),
        ..ExtentFilter::default()
    }
}

/// The list is short when its plans are made, and long when they are used: what other media have on it is not read then.
#[tokio::test]
async fn e13_a_list_that_grew_is_not_read_for_another_medium() {
    let (fresh, disk) = full().await;
    let (other, _) = fresh.medium("other").await;
    let mine = fresh.pg.import(other, vec![found(BESIDE)], Adopt::Yes, now()).await;
    assert_eq!(mine.unwrap().objects_adopted, 1);
    forget(&fresh, other, 1).await;
    fresh.raw().await.execute("VACUUM ANALYZE").await.unwrap();
    let filter = unnamed(other);
    let page = Page {
        after: None,
        limit: 5_000,
    };
    let read = rows_read(&fresh, async |pg| {
        for round in 0..20 {
            // Plans are made for what is asked until then, and kept.
            if round == 10 {
                list_anything(&fresh, disk).await;
            }
            let listed = pg.extents(&filter, page).await.unwrap();
            assert_eq!(listed.len(), 1);
            assert_eq!(pg.extent(listed[0].id).await.unwrap(), listed[0]);
            let marked = pg.mark_indexed(other, Revision(1), &[ExtentId::fresh()]).await;
            assert_eq!(marked.unwrap(), 0);
        }
    });
    let read = read.await;
    assert!(read <= 20 * 12, "{read} rows, 20 times for one");
}

/// Nor is a medium's own list when one extent of it is named that was not: so are small puts beside a large move.
#[tokio::test]
async fn e13_to_name_one_extent_does_not_read_what_else_is_unnamed() {
    let (fresh, disk) = full().await;
    let read = rows_read(&fresh, async |pg| {
        for round in 0..20 {
            if round == 10 {
                list_anything(&fresh, disk).await;
            }
            let marked = pg.mark_indexed(disk, Revision(1), &[ExtentId::fresh()]).await;
            assert_eq!(marked.unwrap(), 0);
        }
    });
    assert_eq!(read.await, 0);
}

/// A long list for a medium, of ids that nobody has: to make it reads nothing.
async fn list_anything(fresh: &Fresh, medium: MediumId) {
    let list = format!(
        "INSERT INTO extent_unindexed (medium, extent)
         SELECT '{medium}', gen_random_uuid() FROM generate_series(1, {BESIDE})"
    );
    fresh.raw().await.execute(AssertSqlSafe(list)).await.unwrap();
}
