//! How full media are: the sum that triggers keep, under writers that meet and in a catalogue that had extents before.

use crate::support::{self, Fresh, extent, now};
use dss::catalogue::Catalogue;
use dss::model::{ByteCount, Epoch, MediumId, NoDrill, SessionId};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The schema before a medium's sum was kept, as far as the sum is concerned.
const BEFORE: &str = "DROP TRIGGER extent_inserted_counted ON extent;
    DROP TRIGGER extent_deleted_counted ON extent;
    DROP FUNCTION extent_counted();
    DROP TABLE medium_used";
const MIGRATION: &str = include_str!("../../../schema/migrations/0015_used_bytes.sql");

/// Far longer than a record takes that waits for nobody.
const PATIENCE: Duration = Duration::from_secs(20);

async fn record(fresh: &Fresh, medium: (MediumId, Epoch), bytes: &[u8]) {
    let epochs = BTreeMap::from([medium]);
    let wanted = vec![extent(medium.0, bytes)];
    let recorded = fresh.pg.record_put(SessionId::fresh(), wanted, &epochs, now());
    let recorded = tokio::time::timeout(PATIENCE, recorded).await;
    recorded.expect("it waits for nobody").expect("nothing refuses it");
}

async fn parts(on: &mut PgConnection) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM medium_used")
        .fetch_one(on)
        .await
        .unwrap()
}

/// As `record_put` does, in a transaction that is left open.
async fn insert(on: &mut PgConnection, medium: MediumId, bytes: i64) {
    let row = format!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             created_at)
         VALUES (gen_random_uuid(), 'orphan', gen_random_uuid(), 'a', 1, 0, 0, '{medium}', 0, gen_random_uuid(), {bytes},
                 now())"
    );
    on.execute("BEGIN").await.unwrap();
    let inserted = tokio::time::timeout(PATIENCE, on.execute(AssertSqlSafe(row))).await;
    inserted.expect("it waits for nobody").unwrap();
}

/// Whoever writes to a medium waits for no other writer of it, sees what is committed, and leaves no more parts behind
/// than there were writers at once.
#[tokio::test]
async fn writers_of_one_medium_do_not_wait_for_its_sum() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let disk = fresh.medium("disk").await;
    let used = async || fresh.pg.used().await.unwrap().get(&disk.0).copied();
    record(&fresh, disk, b"1").await;
    let (mut first, mut second) = (fresh.raw().await, fresh.raw().await);
    insert(&mut first, disk.0, 20).await;
    insert(&mut second, disk.0, 400).await;
    record(&fresh, disk, b"4444").await;
    assert_eq!(used().await, Some(ByteCount(5)), "what is not committed does not count");
    first.execute("COMMIT").await.unwrap();
    assert_eq!(used().await, Some(ByteCount(25)));
    second.execute("ROLLBACK").await.unwrap();
    for _ in 0..20 {
        record(&fresh, disk, b"x").await;
    }
    assert_eq!(used().await, Some(ByteCount(45)));
    assert_eq!(parts(&mut first).await, 2, "the one that was rolled back left none");
    first.execute("DELETE FROM extent WHERE bytes = 20").await.unwrap();
    assert_eq!(used().await, Some(ByteCount(25)));
}

/// Guards can be switched off, as a repair by hand does: the sum is kept all the same.
#[tokio::test]
async fn a_sum_is_kept_with_the_guards_off() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (disk, _) = fresh.medium("disk").await;
    let mut raw = fresh.raw().await;
    raw.execute("SET session_replication_role = replica").await.unwrap();
    insert(&mut raw, disk, 20).await;
    raw.execute("COMMIT").await.unwrap();
    assert_eq!(fresh.pg.used().await.unwrap(), BTreeMap::from([(disk, ByteCount(20))]));
    raw.execute("DELETE FROM extent").await.unwrap();
    assert_eq!(fresh.pg.used().await.unwrap(), BTreeMap::new());
}

/// A catalogue from before is counted once, and goes on from there.
#[tokio::test]
async fn a_catalogue_from_before_is_counted_when_its_schema_is_brought_up_to_date() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (disk, other) = (fresh.medium("disk").await, fresh.medium("other").await);
    record(&fresh, other, b"").await;
    let mut raw = fresh.raw().await;
    raw.execute(BEFORE).await.unwrap();
    record(&fresh, disk, b"1").await;
    record(&fresh, disk, b"22").await;
    raw.execute(MIGRATION).await.unwrap();
    assert_eq!(fresh.pg.used().await.unwrap(), BTreeMap::from([(disk.0, ByteCount(3))]));
    record(&fresh, other, b"4444").await;
    let both = BTreeMap::from([(disk.0, ByteCount(3)), (other.0, ByteCount(4))]);
    assert_eq!(fresh.pg.used().await.unwrap(), both);
}
