//! The list of what no medium's index names: triggers keep it, whoever writes extents and whatever else is switched off,
//! those who strike from it at once do not stop each other, and a catalogue from before has it after its migration.

use crate::support::{self, Fresh, extent, now};
use dss::catalogue::Catalogue;
use dss::model::{Epoch, ExtentId, Generation, MediumId, NoDrill, Owner, Revision, SessionId};
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The schema before the list was a table, as far as extents are concerned.
const BEFORE: &str = "DROP TRIGGER extent_inserted_unindexed ON extent;
    DROP TRIGGER extent_deleted_unindexed ON extent;
    ALTER TABLE extent ADD indexed boolean NOT NULL DEFAULT false;
    DROP VIEW last_good;
    CREATE VIEW last_good AS SELECT o.id AS orphan, o.medium, o.id AS live FROM extent o WHERE o.indexed;
    DROP TABLE extent_unindexed;
    DROP FUNCTION extent_begins_unindexed();
    DROP FUNCTION extent_ends_unindexed();
    DROP FUNCTION strike_unindexed(uuid, uuid[]);
    DROP FUNCTION unindexed_live(uuid, uuid, bigint);
    DROP FUNCTION is_indexed(uuid, uuid);
    DROP FUNCTION unindexed_of(uuid[]);
    CREATE INDEX extent_unindexed ON extent (medium, id) WHERE state = 'sync' AND NOT indexed";
const MIGRATION: &str = include_str!("../../../schema/migrations/0018_unindexed_apart.sql");

/// Far longer than anything takes that waits for nobody.
const PATIENCE: Duration = Duration::from_secs(20);

/// Pending extents of one put.
async fn record(fresh: &Fresh, medium: (MediumId, Epoch), how_many: usize) -> (SessionId, Vec<ExtentId>) {
    let session = SessionId::fresh();
    let wanted: Vec<_> = (0..how_many).map(|_| extent(medium.0, b"x")).collect();
    let ids = wanted.iter().map(|extent| extent.id).collect();
    let epochs = BTreeMap::from([medium]);
    fresh.pg.record_put(session, wanted, &epochs, now()).await.unwrap();
    (session, ids)
}

/// The same, given up.
async fn orphans(fresh: &Fresh, medium: (MediumId, Epoch), how_many: usize) -> Vec<ExtentId> {
    let (session, ids) = record(fresh, medium, how_many).await;
    fresh.pg.abandon(Owner::Put(session), None, now()).await.unwrap();
    ids
}

async fn listed(on: &mut PgConnection) -> BTreeSet<(MediumId, ExtentId)> {
    let rows: Vec<(uuid::Uuid, uuid::Uuid)> = sqlx::query_as("SELECT medium, extent FROM extent_unindexed")
        .fetch_all(on)
        .await
        .unwrap();
    let ids = rows.into_iter();
    ids.map(|(medium, extent)| (MediumId(medium), ExtentId(extent)))
        .collect()
}

/// As PostgreSQL writes an array.
fn array(ids: &[ExtentId]) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    format!("{{{}}}", ids.join(","))
}

fn on(medium: (MediumId, Epoch), ids: &[ExtentId]) -> BTreeSet<(MediumId, ExtentId)> {
    ids.iter().map(|id| (medium.0, *id)).collect()
}

#[tokio::test]
async fn an_extent_is_listed_from_its_record_until_it_is_gone() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (disk, other) = (fresh.medium("disk").await, fresh.medium("other").await);
    let mut raw = fresh.raw().await;
    let gone = orphans(&fresh, disk, 3).await;
    let (_, pending) = record(&fresh, disk, 2).await;
    let elsewhere = orphans(&fresh, other, 1).await;
    let rest = &on(disk, &pending) | &on(other, &elsewhere);
    assert_eq!(listed(&mut raw).await, &on(disk, &gone) | &rest);
    let forgotten = fresh.pg.forget_orphans(disk.0, Generation(0), &gone).await;
    assert_eq!(forgotten.unwrap(), 3);
    assert_eq!(listed(&mut raw).await, rest);
    assert_eq!(fresh.pg.findings(now()).await.unwrap(), []);
}

/// Guards can be switched off, as a repair by hand does: the list is kept all the same, for several media at once.
#[tokio::test]
async fn a_list_is_kept_with_the_guards_off() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (disk, other) = (fresh.medium("disk").await, fresh.medium("other").await);
    let mut raw = fresh.raw().await;
    raw.execute("SET session_replication_role = replica").await.unwrap();
    for medium in [disk.0, other.0] {
        for (state, session, epoch) in [("pending", "gen_random_uuid()", "1"), ("orphan", "NULL", "NULL")] {
            let row = format!(
                "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address,
                                     bytes, owner_session, owner_epoch, created_at)
                 VALUES (gen_random_uuid(), '{state}', gen_random_uuid(), 'a', 1, 0, 0, '{medium}', 0,
                         gen_random_uuid(), 1, {session}, {epoch}, now())"
            );
            raw.execute(AssertSqlSafe(row)).await.unwrap();
        }
    }
    let pending: Vec<(uuid::Uuid, uuid::Uuid)> =
        sqlx::query_as("SELECT medium, id FROM extent WHERE state = 'pending'")
            .fetch_all(&mut raw)
            .await
            .unwrap();
    let pending = pending.into_iter();
    let pending: BTreeSet<_> = pending.map(|(medium, id)| (MediumId(medium), ExtentId(id))).collect();
    assert_eq!((listed(&mut raw).await, pending.len()), (pending, 2));
    raw.execute("DELETE FROM extent").await.unwrap();
    assert_eq!(listed(&mut raw).await, BTreeSet::new());
}

async fn somebody_waits(on: &mut PgConnection) -> bool {
    let waits = "SELECT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                                 WHERE NOT l.granted AND a.datname = current_database())";
    sqlx::query_scalar(waits).fetch_one(on).await.unwrap()
}

/// Orphans are forgotten while their medium's index is committed: whoever comes second waits and finds nothing to do, and
/// holds nothing that the first one has yet to come to.
#[tokio::test]
async fn what_is_forgotten_and_named_at_once_is_struck_once() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let disk = fresh.medium("disk").await;
    let mut ids = orphans(&fresh, disk, 50).await;
    ids.sort();
    let backwards: Vec<_> = ids.iter().rev().copied().collect();
    let (mut first, mut watch) = (fresh.raw().await, fresh.raw().await);
    let forget = |id: ExtentId| AssertSqlSafe(format!("DELETE FROM extent WHERE id = '{id}'"));
    // Were they to wait for each other, this one would be told.
    first.execute("SET deadlock_timeout = '50ms'; BEGIN").await.unwrap();
    first.execute(forget(ids[10])).await.unwrap();
    let marked = fresh.pg.mark_indexed(disk.0, Revision(1), &backwards);
    let meanwhile = async {
        while !somebody_waits(&mut watch).await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        first.execute(forget(ids[20])).await.unwrap();
        first.execute("COMMIT").await.unwrap();
    };
    let both = tokio::time::timeout(PATIENCE, async { tokio::join!(marked, meanwhile) });
    assert_eq!(both.await.expect("nobody waits for ever").0.unwrap(), 48);
    assert_eq!(listed(&mut first).await, BTreeSet::new());
    let again = fresh.pg.forget_orphans(disk.0, Generation(0), &backwards).await;
    assert_eq!(again.unwrap(), 48);
}

/// Many at once, in any order: neither has to be repeated, and nothing is left.
#[tokio::test]
async fn those_who_strike_the_same_extents_never_stop_each_other() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let disk = fresh.medium("disk").await;
    let (mut one, mut other) = (fresh.raw().await, fresh.raw().await);
    for _ in 0..20 {
        let ids = orphans(&fresh, disk, 200).await;
        let backwards: Vec<_> = ids.iter().rev().copied().collect();
        let strike = format!("SELECT strike_unindexed('{}', '{}')", disk.0, array(&backwards));
        let forget = format!("DELETE FROM extent WHERE id = ANY ('{}')", array(&ids));
        let (struck, forgotten) =
            tokio::join!(one.execute(AssertSqlSafe(strike)), other.execute(AssertSqlSafe(forget)));
        struck.unwrap();
        assert_eq!(forgotten.unwrap().rows_affected(), 200);
    }
    assert_eq!(listed(&mut one).await, BTreeSet::new());
}

/// A catalogue from before has the list once its schema is brought up to date, and goes on from there.
#[tokio::test]
async fn a_catalogue_from_before_has_its_list_when_its_schema_is_brought_up_to_date() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let disk = fresh.medium("disk").await;
    let mut raw = fresh.raw().await;
    raw.execute(BEFORE).await.unwrap();
    // A live extent needs a layout, which says nothing here.
    raw.execute("SET session_replication_role = replica").await.unwrap();
    let ids = {
        let row = |state: &str, indexed: bool, owner: &str| {
            format!(
                "(gen_random_uuid(), '{state}', gen_random_uuid(), 'a', 1, 0, 0, '{}', 0, gen_random_uuid(), 1,
                  {owner}, {indexed}, now(), sha256('x'), 1, '\\x00000000'::bytea)",
                disk.0
            )
        };
        let rows = [
            row("pending", false, "gen_random_uuid(), 1"),
            row("orphan", false, "NULL, NULL"),
            row("sync", false, "NULL, NULL"),
            row("sync", true, "NULL, NULL"),
            row("orphan", true, "NULL, NULL"),
        ];
        let insert = format!(
            "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                                 owner_session, owner_epoch, indexed, created_at, blake3, crc32, chunk_crcs)
             VALUES {} RETURNING id",
            rows.join(", ")
        );
        let ids: Vec<uuid::Uuid> = sqlx::query_scalar(AssertSqlSafe(insert))
            .fetch_all(&mut raw)
            .await
            .unwrap();
        ids.into_iter().map(ExtentId).collect::<Vec<_>>()
    };
    raw.execute(MIGRATION).await.unwrap();
    assert_eq!(listed(&mut raw).await, on(disk, &ids[..3]));
    for (id, indexed) in ids.iter().zip([false, false, false, true, true]) {
        assert_eq!(fresh.pg.unindexed(&[*id]).await.unwrap().is_empty(), indexed);
    }
    let (_, more) = record(&fresh, disk, 1).await;
    assert_eq!(listed(&mut raw).await, &on(disk, &ids[..3]) | &on(disk, &more));
}
