//! Damage done behind the program's back is found by `findings`.

use crate::evidence;
use crate::support::{self, Fresh, extent};
use dss::catalogue::{Catalogue, NewObject, Overwrite, Severity};
use dss::model::object::Place;
use dss::model::{CopyNo, ExtentIndex, Metadata, NewEvent, NoDrill, Object, SessionId, Version};
use std::sync::Arc;

/// A catalogue with one object and a sealed log.
async fn sound() -> Fresh {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (medium, epoch) = fresh.medium("disk").await;
    let new = extent(medium, b"some bytes");
    let object = Object {
        id: new.origin.object,
        oid: new.origin.oid.clone(),
        version: Version(1),
        bytes: new.bytes,
        copies: CopyNo(1),
        grouping: None,
        metadata: Metadata::default(),
        created_at: support::now(),
        deleted_at: None,
    };
    let recorded = fresh
        .pg
        .record_put(SessionId::fresh(), vec![new], &[(medium, epoch)].into(), support::now())
        .await
        .unwrap()
        .remove(0);
    let places = vec![(
        Place {
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        evidence::synced(recorded, b"some bytes"),
    )];
    let put = NewObject {
        object,
        overwrite: Overwrite::Refuse,
        places,
    };
    fresh
        .pg
        .commit_put(vec![put], support::now())
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    let detail = serde_json::json!({ "z": [1.0, 0.1, 1e30, u64::MAX], "a": { "é\u{1}": null } });
    let event = NewEvent {
        kind: "test",
        subject: "canonical JSON".into(),
        detail,
    };
    fresh.pg.note(event, support::now()).await.unwrap();
    assert!(fresh.pg.seal_events(2).await.unwrap() == 2 && fresh.pg.seal_events(1_000).await.unwrap() > 0);
    assert_eq!(fresh.pg.findings(support::now()).await.unwrap(), []);
    fresh
}

/// Damages with every guard off; the invariants that are found broken.
async fn found_after(damage: &'static str) -> Vec<String> {
    let fresh = sound().await;
    let mut raw = fresh.raw().await;
    sqlx::raw_sql("SET session_replication_role = replica")
        .execute(&mut raw)
        .await
        .unwrap();
    let done = sqlx::raw_sql(damage).execute(&mut raw).await.unwrap();
    assert!(done.rows_affected() > 0, "{damage}");
    let findings = fresh.pg.findings(support::now()).await.unwrap();
    findings
        .into_iter()
        .filter(|one| one.severity == Severity::Error)
        .map(|one| one.invariant)
        .collect()
}

/// A sum that went wrong breaks no invariant, and is told.
#[tokio::test]
async fn a_medium_that_is_miscounted_is_told() {
    let fresh = sound().await;
    let damage = "UPDATE medium_used SET bytes = bytes + 1";
    sqlx::raw_sql(damage).execute(&mut fresh.raw().await).await.unwrap();
    let findings = fresh.pg.findings(support::now()).await.unwrap();
    let told: Vec<_> = findings
        .iter()
        .map(|one| (one.severity, one.invariant.as_str(), one.detail.as_str()))
        .collect();
    assert_eq!(
        told,
        [(
            Severity::Warning,
            "used_bytes",
            "its extents have 10 bytes, and 11 are counted"
        )]
    );
}

/// A list that went wrong breaks no invariant, and is told.
#[tokio::test]
async fn what_is_listed_and_is_not_there_is_told() {
    let fresh = sound().await;
    let (medium, _) = fresh.medium("other").await;
    let damage = format!(
        "INSERT INTO extent_unindexed (medium, extent)
         SELECT '{medium}', id FROM extent UNION SELECT medium, '{}' FROM extent",
        uuid::Uuid::nil()
    );
    let mut raw = fresh.raw().await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(damage))
        .execute(&mut raw)
        .await
        .unwrap();
    let findings = fresh.pg.findings(support::now()).await.unwrap();
    let told: Vec<_> = findings
        .iter()
        .map(|one| (one.severity, one.invariant.as_str(), one.detail.as_str()))
        .collect();
    let detail = [
        "disk does not name yet, and it is gone",
        "other does not name yet, and it is on another medium",
    ]
    .map(|what| format!("it is on the list of what the index of medium {what}"));
    assert_eq!(
        told,
        detail
            .iter()
            .map(|detail| (Severity::Warning, "unindexed", detail.as_str()))
            .collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_row_that_was_changed_is_found() {
    for (damage, invariants) in [
        ("UPDATE extent SET bytes = bytes + 1", vec!["I3"]),
        ("UPDATE extent SET crc32 = crc32 # 1", vec!["I3"]),
        ("UPDATE extent SET chunk_crcs = ''", vec!["I3"]),
        ("UPDATE extent SET state = 'orphan'", vec!["I1"]),
        ("DELETE FROM layout", vec!["I2", "I5"]),
        ("UPDATE object SET bytes = bytes - 1", vec!["I3"]),
        ("UPDATE copy SET extents = 2", vec!["I3"]),
        ("UPDATE medium SET generation = 1", vec!["I6"]),
        (
            "UPDATE event SET subject = 'another' WHERE link = 2",
            vec!["event_chain"],
        ),
        (
            "UPDATE event SET at = at + interval '1 s' WHERE link = 1",
            vec!["event_chain"],
        ),
        ("DELETE FROM event WHERE link = 2", vec!["event_chain"]),
        (
            "DELETE FROM event WHERE link = (SELECT chain_length FROM catalogue)",
            vec!["event_chain"],
        ),
    ] {
        assert_eq!(found_after(damage).await, invariants, "{damage}");
    }
}
