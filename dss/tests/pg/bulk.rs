//! Large numbers: what COPY and set-based statements are for.

use crate::evidence;
use crate::support::{self, found};
use dss::catalogue::{
    Adopt, Catalogue, ExtentFilter, Found, Imported, MoveIntent, Page, SWAP_MAX, SwapEntry, SwapOutcome, SwapTerms,
};
use dss::model::{
    Address, Epoch, ExtentId, ExtentState, Hold, JobId, JobKind, JobSpec, MediumId, NewExtent, NoDrill, Quarantine,
    VerifyMode,
};
use dss::pg::PgCatalogue;
use std::collections::BTreeSet;
use std::sync::Arc;

fn spec(source: MediumId) -> JobSpec {
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

/// An import large enough for COPY does what a small one does, leaves nothing staged, and its extents can be moved in
/// batches of the largest size.
#[tokio::test]
async fn thousands_are_imported_and_moved() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let pg = &fresh.pg;
    let (source, _) = fresh.medium("source").await;
    let (target, epoch) = fresh.medium("target").await;
    let items: Vec<Found> = (0..SWAP_MAX + 500).map(found).collect();
    let first = pg
        .import(source, items.clone(), Adopt::Yes, support::now())
        .await
        .unwrap();
    let count = items.len() as u64;
    assert_eq!(
        first,
        Imported {
            objects_adopted: count,
            ..Imported::default()
        }
    );
    let second = pg.import(source, items, Adopt::Yes, support::now()).await.unwrap();
    assert_eq!(
        second,
        Imported {
            known: count,
            ..Imported::default()
        }
    );

    let job = pg
        .create_job(JobKind::Repack, spec(source), support::now())
        .await
        .unwrap();
    let limit = u32::try_from(SWAP_MAX).unwrap();
    for left in [500, 0] {
        move_page(pg, job.id, source, (target, epoch)).await;
        let rows = pg.manifest(source, Page { after: None, limit }).await.unwrap();
        assert_eq!(rows.len(), left);
    }
    let staged: i64 = sqlx::query_scalar("SELECT count(*) FROM import_staging")
        .fetch_one(&mut fresh.raw().await)
        .await
        .unwrap();
    assert_eq!(staged, 0, "no import leaves rows behind");
    let until = Hold::Until(support::now() + jiff::SignedDuration::from_hours(1));
    pg.quarantine(job.id, source, until, support::now()).await.unwrap();
    assert!(pg.findings(support::now()).await.unwrap().is_empty());
    let (held, looked_at) = quarantined(&mut fresh.raw().await, count).await;
    assert_eq!(held, count);
    assert!(
        looked_at < 20 * count,
        "{looked_at} rows of moves were looked at to hold {count} extents"
    );
}

/// Moves as many extents as one swap takes.
async fn move_page(pg: &PgCatalogue, job: JobId, source: MediumId, (target, epoch): (MediumId, Epoch)) {
    let limit = u32::try_from(SWAP_MAX).unwrap();
    let rows = pg.manifest(source, Page { after: None, limit }).await.unwrap();
    let ids: Vec<ExtentId> = rows.iter().map(|row| row.extent).collect();
    let live = ExtentFilter {
        medium: Some(source),
        state: Some(ExtentState::Sync),
        ..ExtentFilter::default()
    };
    let listed = pg.extents(&live, Page { after: None, limit }).await.unwrap();
    let listed: Vec<ExtentId> = listed.iter().map(|extent| extent.id).collect();
    assert_eq!(ids, listed, "its parts in order, and none of them missing");
    let extents = pg.extents_by_id(&ids).await.unwrap();
    assert_eq!(extents[&ids[0]].inode, Some(u64::MAX));
    let moves: Vec<MoveIntent> = ids
        .iter()
        .map(|id| &extents[id])
        .map(|extent| {
            let id = ExtentId::fresh();
            let new = NewExtent {
                id,
                origin: extent.origin.clone(),
                medium: target,
                generation: dss::model::Generation(0),
                address: Address(format!("objects/{id}")),
                bytes: extent.bytes,
                digests: extent.digests.clone(),
            };
            MoveIntent { old: extent.id, new }
        })
        .collect();
    let olds: Vec<ExtentId> = moves.iter().map(|one| one.old).collect();
    let recorded = pg
        .record_moves(job, moves, &[(target, epoch)].into(), support::now())
        .await
        .unwrap();
    let entries: Vec<SwapEntry> = olds
        .into_iter()
        .zip(recorded)
        .map(|(old, recorded)| SwapEntry {
            old,
            new: evidence::synced(recorded, b"x"),
        })
        .collect();
    let terms = SwapTerms {
        job,
        hold: Hold::Forever,
        now: support::now(),
    };
    let begun = std::time::Instant::now();
    let outcomes = pg.swap_batch(terms, &entries).await.unwrap();
    println!("a swap of {} entries took {:?}", entries.len(), begun.elapsed());
    assert!(outcomes.iter().all(|outcome| *outcome == SwapOutcome::Swapped));
}

/// How many extents are held until some time, and how many rows of moves were read since the catalogue was made. A backend
/// tells the statistics what it did when it has been idle, some seconds later.
async fn quarantined(raw: &mut sqlx::PgConnection, moves: u64) -> (u64, u64) {
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM extent WHERE hold_until IS NOT NULL")
        .fetch_one(&mut *raw)
        .await
        .unwrap();
    let count = async |raw: &mut sqlx::PgConnection, what: &str, table: &str| -> i64 {
        let asked = format!("SELECT {what} FROM pg_stat_user_tables WHERE relname = '{table}'");
        let told = sqlx::query_scalar(sqlx::AssertSqlSafe(asked)).fetch_one(raw).await;
        told.unwrap()
    };
    // Each became sync, an orphan, and held.
    let waiting = std::time::Instant::now();
    loop {
        let told = count(raw, "n_tup_upd", "extent").await;
        if told >= 3 * moves as i64 {
            break;
        }
        let long = waiting.elapsed() > std::time::Duration::from_secs(60);
        assert!(!long, "the statistics know of {told} changes of {moves} extents only");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    let read = count(raw, "seq_tup_read + idx_tup_fetch", "job_move").await;
    (held as u64, read as u64)
}

/// I10, E-13: whether two copies would share a medium is asked for each row that is written. It costs what the object's
/// own extents cost, however many lie on the medium.
#[tokio::test]
async fn i10_e13_a_copy_s_medium_is_looked_at_through_the_object_and_not_through_the_medium() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (disk, _) = fresh.medium("disk").await;
    let items: Vec<Found> = (0..4_000).map(found).collect();
    fresh.pg.import(disk, items, Adopt::Yes, support::now()).await.unwrap();
    let rows = 100;
    let one_by_one = "copies_share_medium(object_id, copy_no, medium)";
    let at_once = "copies_that_share(array_agg(object_id), array_agg(copy_no), array_agg(medium))";
    for asked in [one_by_one, at_once] {
        let explain = format!(
            "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT {asked} FROM (SELECT * FROM extent LIMIT {rows}) e"
        );
        let plan: serde_json::Value = sqlx::query_scalar(sqlx::AssertSqlSafe(explain))
            .fetch_one(&mut fresh.raw().await)
            .await
            .unwrap();
        let blocks = |kind: &str| plan[0]["Plan"][kind].as_u64().unwrap();
        let touched = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
        assert!(
            touched < rows * 20,
            "{asked}: {touched} blocks for {rows} rows: {plan:#}"
        );
    }
}
