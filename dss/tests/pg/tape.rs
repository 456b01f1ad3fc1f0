//! Tapes, where only a database can be asked: what it refuses by itself, large imports, and who comes first.

use crate::support::{self, found, now};
use dss::catalogue::{Adopt, Catalogue, CatalogueError, ExtentFilter, Found, MediumChange, NewMedium, Page};
use dss::conformance::support::new_medium;
use dss::model::{ByteCount, Family, Location, NoDrill, Span};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As many bytes as the extent has that is tried.
const BYTES: u64 = 1_000;

/// What the database says to a change of the only extent, which is undone: SQLSTATE, none when it takes it.
async fn said(raw: &mut PgConnection, change: &str) -> Option<String> {
    let mut tx = raw.begin().await.unwrap();
    let answer = tx.execute(AssertSqlSafe(change.to_owned())).await;
    let refused = answer.err().map(|error| {
        let database = error.as_database_error().expect("the database refuses it");
        database.code().unwrap_or_default().into_owned()
    });
    tx.rollback().await.unwrap();
    refused
}

/// An extent of [`BYTES`] bytes in a catalogue of its own, without a place.
async fn one_extent() -> (support::Fresh, PgConnection) {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (medium, _) = fresh.medium("tape").await;
    let insert = format!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             created_at)
         VALUES (gen_random_uuid(), 'orphan', gen_random_uuid(), 'a', 1, 0, 0, '{medium}', 0, 'a', {BYTES}, now())"
    );
    let mut raw = fresh.raw().await;
    raw.execute(AssertSqlSafe(insert)).await.unwrap();
    (fresh, raw)
}

/// I3: the database takes a place if and only if the model does, for an extent of this size; also where ordinary triggers
/// rest.
#[tokio::test]
async fn i3_the_database_and_the_model_take_the_same_places() {
    let (_fresh, mut raw) = one_extent().await;
    let long = vec!["1:5+0*1=1"; 900].join(",");
    let too_long = vec!["1:5+0*1=1"; 1_001].join(",");
    let texts = [
        "",
        "1:17+4096*12=900,1:40+0*1=100",
        "0:0+0*1=1000",
        "255:999999999999999999+999999999999999999*999999999999999999=1000",
        long.as_str(),
        "1:17+4096*12=900,1:40+0*1=101",
        "1:17+0*1=1001",
        "1:17+0*1=999999999999999999,1:18+0*1=999999999999999999",
        too_long.as_str(),
        " ",
        ",",
        "1:17+0*1=3,",
        ",1:17+0*1=3",
        "1:17+0*1=3,,1:17+0*1=3",
        "1:17+0*1=3 ",
        "1:17+0*1=3\n",
        "1:017+0*1=3",
        "01:17+0*1=3",
        "1:17+0*1=+3",
        "1:17+0*1=-3",
        "1:17+0*0=3",
        "1:17+0*1=0",
        "256:17+0*1=3",
        "300:17+0*1=3",
        "-1:17+0*1=3",
        "1:17+0*1",
        "1:17-0*1=3",
        "1:1000000000000000000+0*1=3",
        "1:17+1000000000000000000*1=3",
        "1:17+0*1000000000000000000=3",
        "anywhere",
    ];
    for role in [
        "SET session_replication_role = origin",
        "SET session_replication_role = replica",
    ] {
        raw.execute(role).await.unwrap();
        for text in &texts {
            let model = text.parse().is_ok_and(|span: Span| span.fits(ByteCount(BYTES)));
            let database = said(&mut raw, &format!("UPDATE extent SET span = '{text}'")).await;
            assert_eq!(database.is_none(), model, "'{text}' {role} {database:?}");
        }
    }
}

/// E-13: a place ends behind its last block of the data partition, in however many stretches it lies.
#[tokio::test]
async fn e13_the_database_finds_the_end_of_every_place() {
    let (_fresh, mut raw) = one_extent().await;
    for (place, end) in [
        ("", 0),
        ("1:5+0*1=1000", 6),
        ("1:999999999999999999+0*999999999999999999=1", 1_999_999_999_999_999_998),
        ("0:5+0*1=1000", 0),
        ("11:5+0*1=1000", 0),
        ("1:40+0*2=1,1:7+3*9=1", 42),
        ("1:7+3*9=1,1:40+0*2=1,1:8+0*1=1", 42),
        ("0:99+0*1=1,1:7+3*9=1", 16),
        ("1:7+3*9=1,0:99+0*1=1", 16),
        ("0:99+0*1=1,2:7+3*9=1", 0),
    ] {
        let found: i64 = sqlx::query_scalar("SELECT span_end($1)")
            .bind(place)
            .fetch_one(&mut raw)
            .await
            .unwrap();
        assert_eq!(found, end, "'{place}'");
    }
}

/// A place is written once, whoever asks for another.
#[tokio::test]
async fn i2_a_place_that_is_known_stays() {
    let (_fresh, mut raw) = one_extent().await;
    raw.execute("UPDATE extent SET span = '1:5+0*1=1000'").await.unwrap();
    for change in [
        "UPDATE extent SET span = '1:6+0*1=1000'",
        "UPDATE extent SET span = ''",
        "UPDATE extent SET span = NULL",
    ] {
        assert_eq!(said(&mut raw, change).await.as_deref(), Some("RS002"), "{change}");
    }
    let same = "UPDATE extent SET span = '1:5+0*1=1000', hold_forever = true";
    assert_eq!(said(&mut raw, same).await, None);
}

/// An import large enough for COPY tells places as a small one does.
#[tokio::test]
async fn thousands_are_imported_with_their_places() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let (medium, _) = fresh.medium("tape").await;
    let place = |number: usize| format!("1:{}+{number}*1=1", number + 5).parse().ok();
    let items: Vec<Found> = (0..1_200)
        .map(|number| Found {
            span: if number == 7 { None } else { place(number) },
            ..found(number)
        })
        .collect();
    let expected: BTreeMap<_, _> = items.iter().map(|one| (one.extent, one.span.clone())).collect();
    fresh.pg.import(medium, items, Adopt::Yes, now()).await.unwrap();
    let all = Page {
        after: None,
        limit: 5_000,
    };
    let listed = fresh.pg.extents(&ExtentFilter::default(), all).await.unwrap();
    let listed: BTreeMap<_, _> = listed.into_iter().map(|one| (one.id, one.span)).collect();
    assert_eq!(listed, expected);
    assert_eq!(fresh.pg.durable_end(medium).await.unwrap(), 1_205);
}

/// A tape that could be added.
fn tape(name: &str, library: Option<&str>) -> NewMedium {
    NewMedium {
        family: Family::Tape,
        location: Location {
            path: "A00001L9".to_owned(),
            dock: None,
            library: library.map(str::to_owned),
        },
        ..new_medium(name)
    }
}

/// Waits until somebody waits for a lock.
async fn somebody_waits(raw: &mut PgConnection) {
    let waiting = "SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database()
                                     AND wait_event_type = 'Lock')";
    let begun = Instant::now();
    while !sqlx::query_scalar::<_, bool>(waiting)
        .fetch_one(&mut *raw)
        .await
        .unwrap()
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "nobody waits");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Another one puts its tape there between our look and our change: we are told what stands in the way, in words.
#[tokio::test]
async fn of_two_who_put_a_tape_in_one_place_the_second_is_told() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let ours = fresh.pg.add_medium(tape("ours", None), now()).await.unwrap();
    let theirs = fresh.pg.add_medium(tape("theirs", None), now()).await.unwrap();
    let (mut raw, mut other) = (fresh.raw().await, fresh.raw().await);
    let mut first = raw.begin().await.unwrap();
    let put = format!("UPDATE medium SET library = 'lib0' WHERE id = '{}'", theirs.id);
    first.execute(AssertSqlSafe(put)).await.unwrap();
    let pg = Arc::clone(&fresh.pg);
    let second = tokio::spawn(async move {
        let change = MediumChange {
            library: Some(Some("lib0".to_owned())),
            ..MediumChange::default()
        };
        pg.change_medium(ours.id, change, now()).await
    });
    somebody_waits(&mut other).await;
    first.commit().await.unwrap();
    let answer = second.await.unwrap();
    assert!(matches!(answer, Err(CatalogueError::TapeExists { .. })), "{answer:?}");
}
