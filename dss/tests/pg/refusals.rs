//! PostgreSQL itself refuses what would break I1, I2, I6 and I10: raw SQL, none of our code in between.

use crate::support::{self, Fresh};
use dss::model::{MediumId, NoDrill};
use sqlx::types::Uuid;
use sqlx::{AssertSqlSafe, PgConnection};
use std::sync::Arc;

struct Raw {
    fresh: Fresh,
    connection: PgConnection,
    media: [MediumId; 2],
}

/// Two media, and an object of one version and two copies that has no layout yet.
async fn raw() -> (Raw, Uuid) {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let media = [fresh.medium("one").await.0, fresh.medium("two").await.0];
    let mut connection = fresh.raw().await;
    let object = Uuid::now_v7();
    run(
        &mut connection,
        &format!(
            "INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
                 VALUES ('{object}', 'a', 1, 1, 2, '{{}}', now());
             INSERT INTO copy SELECT '{object}', n, 'simple', '{{}}', 1 FROM generate_series(0, 1) n;"
        ),
    )
    .await
    .expect("a good object");
    (
        Raw {
            fresh,
            connection,
            media,
        },
        object,
    )
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
}

/// What PostgreSQL answered: SQLSTATE and constraint.
fn refusal(answer: Result<(), sqlx::Error>) -> (String, String) {
    let error = answer.expect_err("it must be refused");
    let database = error.as_database_error().expect("the database refuses it");
    (
        database.code().unwrap_or_default().into_owned(),
        database.constraint().unwrap_or_default().to_owned(),
    )
}

const DIGESTS: &str = "decode(repeat('ab', 32), 'hex'), 1, '\\x00000001'";

fn insert(id: Uuid, state: &str, object: Uuid, copy: i16, medium: MediumId) -> String {
    let owner = if state == "pending" {
        "gen_random_uuid(), 1"
    } else {
        "NULL, NULL"
    };
    format!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             blake3, crc32, chunk_crcs, owner_session, owner_epoch, created_at)
         VALUES ('{id}', '{state}', '{object}', 'a', 1, {copy}, 0, '{medium}', 0, '{id}', 1, {DIGESTS}, {owner}, now());"
    )
}

fn layout(object: Uuid, copy: i16, extent: Uuid) -> String {
    format!("INSERT INTO layout VALUES ('{object}', {copy}, 0, '{extent}');")
}

/// A live extent of a copy, on a medium.
async fn live(raw: &mut Raw, object: Uuid, copy: i16, medium: usize) -> Uuid {
    let id = Uuid::now_v7();
    let sql = insert(id, "sync", object, copy, raw.media[medium]) + &layout(object, copy, id);
    run(&mut raw.connection, &sql).await.expect("a good extent");
    id
}

#[tokio::test]
async fn i1_a_layout_references_only_sync_extents() {
    let (mut raw, object) = raw().await;
    let pending = Uuid::now_v7();
    let sql = insert(pending, "pending", object, 0, raw.media[0]);
    run(&mut raw.connection, &sql).await.unwrap();
    let answer = run(&mut raw.connection, &layout(object, 0, pending)).await;
    assert_eq!(refusal(answer), ("23503".into(), "i1_layout_references_sync".into()));
    let pinned = layout(object, 0, pending).replace("')", "', 'pending')");
    assert_eq!(
        refusal(run(&mut raw.connection, &pinned).await).1,
        "i1_layout_pins_sync"
    );
    let held = live(&mut raw, object, 0, 0).await;
    let answer = run(
        &mut raw.connection,
        &format!("UPDATE extent SET state = 'orphan' WHERE id = '{held}'"),
    )
    .await;
    assert_eq!(refusal(answer), ("23503".into(), "i1_layout_references_sync".into()));
    let answer = run(&mut raw.connection, &format!("DELETE FROM extent WHERE id = '{held}'")).await;
    assert_eq!(refusal(answer).0, "23503");
}

#[tokio::test]
async fn i2_a_pending_extent_is_owned_and_syncs_only_with_its_layout() {
    let (mut raw, object) = raw().await;
    let id = Uuid::now_v7();
    let pending = insert(id, "pending", object, 0, raw.media[0]);
    let unowned = pending.replace("gen_random_uuid(), 1", "NULL, NULL");
    assert_eq!(
        refusal(run(&mut raw.connection, &unowned).await).1,
        "i2_pending_is_owned"
    );
    run(&mut raw.connection, &pending).await.unwrap();
    let sync = format!("UPDATE extent SET state = 'sync', owner_session = NULL, owner_epoch = NULL WHERE id = '{id}';");
    assert_eq!(
        refusal(run(&mut raw.connection, &sync).await),
        ("RS002".into(), "i2_sync_is_referenced".into())
    );
    let still_owned = format!("UPDATE extent SET state = 'sync' WHERE id = '{id}'");
    assert_eq!(
        refusal(run(&mut raw.connection, &still_owned).await).1,
        "i2_pending_is_owned"
    );
    let blind = sync.replace("SET", "SET blake3 = NULL, crc32 = NULL, chunk_crcs = NULL,");
    assert_eq!(refusal(run(&mut raw.connection, &blind).await).1, "i2_sync_has_digests");
    run(&mut raw.connection, &(sync + &layout(object, 0, id)))
        .await
        .expect("in one transaction");
    let answer = run(
        &mut raw.connection,
        &format!("DELETE FROM layout WHERE extent = '{id}'"),
    )
    .await;
    assert_eq!(refusal(answer).1, "i2_sync_is_referenced");
    let back = format!("UPDATE extent SET state = 'pending', owner_session = id, owner_epoch = 1 WHERE id = '{id}'");
    assert_eq!(refusal(run(&mut raw.connection, &back).await).1, "i2_extent_stays");
    let elsewhere = format!("UPDATE extent SET medium = '{}' WHERE id = '{id}'", raw.media[1]);
    assert_eq!(refusal(run(&mut raw.connection, &elsewhere).await).1, "i2_extent_stays");
}

/// Only what is imported with a volume of other software may have bytes that nobody read.
#[tokio::test]
async fn i2_a_put_is_never_sync_without_digests() {
    let (mut raw, object) = raw().await;
    let (id, on) = (Uuid::now_v7(), raw.media[0]);
    let blind = insert(id, "sync", object, 0, on).replace(DIGESTS, "NULL, NULL, NULL") + &layout(object, 0, id);
    let has_digests = ("RS002".to_owned(), "i2_sync_has_digests".to_owned());
    assert_eq!(refusal(run(&mut raw.connection, &blind).await), has_digests);
    let pending = insert(Uuid::now_v7(), "pending", object, 1, on);
    run(
        &mut raw.connection,
        &format!("UPDATE medium SET format = 'ltfs' WHERE id = '{on}'"),
    )
    .await
    .unwrap();
    // A medium of such a format takes nothing new, so that nothing of it becomes *sync* by being written.
    let answer = refusal(run(&mut raw.connection, &pending).await);
    assert_eq!(answer, ("RS006".to_owned(), "i6_fence".to_owned()));
    run(&mut raw.connection, &blind).await.expect("as an import does");
    let known = format!(
        "UPDATE extent SET blake3 = decode(repeat('ab', 32), 'hex'), crc32 = 1, chunk_crcs = '\\x00000001' WHERE id = '{id}'"
    );
    run(&mut raw.connection, &known).await.expect("it was read");
    let unknown = format!("UPDATE extent SET blake3 = NULL, crc32 = NULL, chunk_crcs = NULL WHERE id = '{id}'");
    assert_eq!(refusal(run(&mut raw.connection, &unknown).await), has_digests);
}

#[tokio::test]
async fn i6_a_medium_in_use_is_not_erased_and_an_erasing_one_takes_nothing() {
    let (mut raw, object) = raw().await;
    let medium = raw.media[0];
    let erase = format!("UPDATE medium SET adm_state = 'erasing', generation = generation + 1 WHERE id = '{medium}'");
    let held = live(&mut raw, object, 0, 0).await;
    assert_eq!(
        refusal(run(&mut raw.connection, &erase).await),
        ("RS006".into(), "i6_in_use".into())
    );
    let drop =
        format!("DELETE FROM layout WHERE extent = '{held}'; UPDATE extent SET state = 'orphan' WHERE id = '{held}';");
    run(&mut raw.connection, &drop).await.unwrap();
    let lazy = erase.replace(", generation = generation + 1", "");
    assert_eq!(refusal(run(&mut raw.connection, &lazy).await).1, "i6_generation");
    run(&mut raw.connection, &erase).await.unwrap();
    for state in ["pending", "orphan"] {
        let late = insert(Uuid::now_v7(), state, object, 0, medium);
        assert_eq!(refusal(run(&mut raw.connection, &late).await).0, "RS006", "{state}");
    }
    let revive = format!("UPDATE extent SET state = 'sync' WHERE id = '{held}';") + &layout(object, 0, held);
    assert_eq!(refusal(run(&mut raw.connection, &revive).await).0, "RS006");
    let back = format!("UPDATE medium SET adm_state = 'read_only' WHERE id = '{medium}'");
    assert_eq!(refusal(run(&mut raw.connection, &back).await).1, "i6_fence");
    let done = format!("UPDATE medium SET adm_state = 'in_service' WHERE id = '{medium}'");
    run(&mut raw.connection, &done).await.unwrap();
    assert_eq!(refusal(run(&mut raw.connection, &revive).await).1, "i6_generation");
    for (closed, opened) in [
        ("adm_state = 'read_only'", "adm_state = 'in_service'"),
        ("locked = true", "locked = false"),
    ] {
        let sql = |word: &str| format!("UPDATE medium SET {word} WHERE id = '{medium}'");
        run(&mut raw.connection, &sql(closed)).await.unwrap();
        let late = insert(Uuid::now_v7(), "pending", object, 0, medium).replace("', 0, '", "', 1, '");
        assert_eq!(refusal(run(&mut raw.connection, &late).await).1, "i6_fence", "{closed}");
        run(&mut raw.connection, &sql(opened)).await.unwrap();
    }
}

#[tokio::test]
async fn i10_two_copies_never_share_a_medium() {
    let (mut raw, object) = raw().await;
    let first = live(&mut raw, object, 0, 0).await;
    let near = insert(Uuid::now_v7(), "pending", object, 1, raw.media[0]);
    assert_eq!(
        refusal(run(&mut raw.connection, &near).await),
        ("RS010".into(), "i10_copies_apart".into())
    );
    let second = live(&mut raw, object, 1, 1).await;
    let repoint = format!("UPDATE layout SET extent = '{first}' WHERE extent = '{second}'");
    assert_eq!(refusal(run(&mut raw.connection, &repoint).await).1, "i10_copies_apart");
    // An extent that was written for another object and is shared with this one.
    let other = Uuid::now_v7();
    let share = format!(
        "INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
             VALUES ('{other}', 'b', 1, 1, 2, '{{}}', now());
         INSERT INTO copy SELECT '{other}', n, 'simple', '{{}}', 1 FROM generate_series(0, 1) n;"
    ) + &layout(other, 0, first);
    run(&mut raw.connection, &share)
        .await
        .expect("shared extents are allowed");
    let near = insert(Uuid::now_v7(), "pending", other, 1, raw.media[0]);
    assert_eq!(refusal(run(&mut raw.connection, &near).await).1, "i10_copies_apart");
    let both = insert(Uuid::now_v7(), "pending", Uuid::max(), 0, raw.media[1])
        + &insert(Uuid::now_v7(), "pending", Uuid::max(), 1, raw.media[1]);
    assert_eq!(refusal(run(&mut raw.connection, &both).await).1, "i10_copies_apart");
    drop(raw.fresh);
}
