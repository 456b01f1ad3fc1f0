//! X-28, I6: a writer and the fence, each on a connection of its own, interleaved at every statement and in both
//! orders. Whoever waits is let wait; in the end the writer's extent is on a medium that was not fenced, or refused.

use crate::support::{self, Fresh, extent};
use dss::catalogue::{Catalogue, Fence};
use dss::model::{Epoch, Extent, ExtentState, MediumId, NewExtent, NoDrill};
use sqlx::{Connection, PgConnection, Row};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// One side: statements that go out one by one when told; a statement that waits for a lock holds up only its side.
struct Side {
    go: mpsc::UnboundedSender<()>,
    done: JoinHandle<Result<(), sqlx::Error>>,
}

fn side(mut connection: PgConnection, statements: Vec<String>) -> Side {
    let (go, mut told) = mpsc::unbounded_channel();
    let done = tokio::spawn(async move {
        for statement in statements {
            told.recv().await;
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&mut connection)
                .await?;
        }
        connection.close().await
    });
    Side { go, done }
}

fn put_statements(new: &NewExtent) -> Vec<String> {
    let (id, medium) = (new.id, new.medium);
    vec![
        "BEGIN".into(),
        format!("SELECT 1 FROM lease WHERE key = 'medium/{medium}' FOR SHARE"),
        format!("SELECT 1 FROM medium WHERE id = '{medium}' FOR SHARE"),
        insert_statement(new),
        format!("SELECT '{id}'"),
        "COMMIT".into(),
    ]
}

/// The same by a writer that forgets every lock of its own: the guards alone stand between.
fn careless_statements(new: &NewExtent) -> Vec<String> {
    vec![
        "BEGIN".into(),
        "SELECT 1".into(),
        insert_statement(new),
        "COMMIT".into(),
    ]
}

fn insert_statement(new: &NewExtent) -> String {
    format!(
        "INSERT INTO extent (id, state, object_id, oid, version, copy_no, index, medium, generation, address, bytes,
                             owner_session, owner_epoch, created_at)
         VALUES ('{}', 'pending', '{}', 'a', 1, 0, 0, '{}', 0, '{}', 1, gen_random_uuid(), 1, now())",
        new.id, new.origin.object, new.medium, new.address
    )
}

fn fence_statements(medium: MediumId) -> Vec<String> {
    vec![
        "BEGIN".into(),
        format!("SELECT 1 FROM lease WHERE key = 'medium/{medium}' FOR SHARE"),
        format!("SELECT 1 FROM medium WHERE id = '{medium}' FOR UPDATE"),
        // The recheck: a fence that finds something ends here.
        format!("SELECT 1 / (1 - least(1, count(*))) FROM extent WHERE medium = '{medium}' AND state <> 'orphan'"),
        format!("UPDATE medium SET adm_state = 'erasing', generation = generation + 1 WHERE id = '{medium}'"),
        "COMMIT".into(),
    ]
}

/// A fence that does not look: the guard on the medium alone stands between.
fn blind_fence_statements(medium: MediumId) -> Vec<String> {
    vec![
        "BEGIN".into(),
        format!("UPDATE medium SET adm_state = 'erasing', generation = generation + 1 WHERE id = '{medium}'"),
        "COMMIT".into(),
    ]
}

/// Long enough for a statement that waits for nothing; one that waits is left waiting.
const STEP: Duration = Duration::from_millis(15);

/// Runs one order of steps; `true` is a step of the writer.
async fn run(fresh: &Fresh, writer: Vec<String>, fence: Vec<String>, order: &[bool]) -> (bool, bool) {
    let writer = side(fresh.raw().await, writer);
    let fence = side(fresh.raw().await, fence);
    for step in order {
        // A side that was refused listens no more.
        let _ = if *step { writer.go.send(()) } else { fence.go.send(()) };
        tokio::time::sleep(STEP).await;
    }
    let written = writer.done.await.expect("no panic").is_ok();
    let fenced = fence.done.await.expect("no panic").is_ok();
    (written, fenced)
}

async fn check(fresh: &Fresh, medium: MediumId, new: &NewExtent, outcome: (bool, bool), order: &[bool]) {
    let (written, fenced) = outcome;
    assert!(!(written && fenced), "both went through in order {order:?}");
    assert!(written || fenced, "neither went through in order {order:?}");
    let row =
        sqlx::query("SELECT adm_state::text, (SELECT count(*) FROM extent WHERE id = $2) FROM medium WHERE id = $1")
            .bind(medium.0)
            .bind(new.id.0)
            .fetch_one(&mut fresh.raw().await)
            .await
            .unwrap();
    assert_eq!(
        (row.get::<String, _>(0) == "erasing", row.get::<i64, _>(1)),
        (fenced, i64::from(written))
    );
}

/// The other side does all it has between two steps of this one: at every point, from either side.
fn orders(writer: usize, fence: usize) -> Vec<Vec<bool>> {
    let within = |outer: usize, inner: usize, is_writer: bool| {
        (0..=outer).map(move |at| {
            let mut order = vec![is_writer; at];
            order.extend(vec![!is_writer; inner]);
            order.extend(vec![is_writer; outer - at]);
            order
        })
    };
    let mut all: Vec<Vec<bool>> = within(writer, fence, true)
        .chain(within(fence, writer, false))
        .collect();
    // And step by step, either side first.
    for first in [true, false] {
        let (mut left, mut turn, mut order) = ([fence, writer], first, Vec::new());
        while left != [0, 0] {
            if left[usize::from(turn)] > 0 {
                left[usize::from(turn)] -= 1;
                order.push(turn);
            }
            turn = !turn;
        }
        all.push(order);
    }
    all
}

async fn every_order(writer: impl Fn(&NewExtent) -> Vec<String>, fence: impl Fn(MediumId) -> Vec<String>) {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let probe = extent(MediumId::fresh(), b"x");
    let counts = (writer(&probe).len(), fence(probe.medium).len());
    for (number, order) in orders(counts.0, counts.1).into_iter().enumerate() {
        let (medium, _) = fresh.medium(&format!("medium-{number}")).await;
        let new = extent(medium, b"x");
        let outcome = run(&fresh, writer(&new), fence(medium), &order).await;
        check(&fresh, medium, &new, outcome, &order).await;
    }
}

#[tokio::test]
async fn a_put_and_the_fence_at_every_statement() {
    every_order(put_statements, fence_statements).await;
}

#[tokio::test]
async fn guards_alone_keep_a_careless_put_and_the_fence_apart() {
    every_order(careless_statements, fence_statements).await;
}

#[tokio::test]
async fn guards_alone_keep_a_put_and_a_blind_fence_apart() {
    every_order(careless_statements, blind_fence_statements).await;
}

/// Two writers that forget every lock, each with one copy of an object for the same medium.
fn careless_copy_statements(new: &NewExtent, copy: i16) -> Vec<String> {
    let insert = insert_statement(new).replace("'a', 1, 0, 0", &format!("'a', 1, {copy}, 0"));
    vec!["BEGIN".into(), "SELECT 1".into(), insert, "COMMIT".into()]
}

/// I10: the guard locks the object, then looks: of two copies for one medium the second is refused.
#[tokio::test]
async fn guards_alone_keep_two_copies_off_one_medium() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    for (number, order) in orders(4, 4).into_iter().enumerate() {
        let (medium, _) = fresh.medium(&format!("medium-{number}")).await;
        let first = extent(medium, b"x");
        let second = NewExtent {
            origin: first.origin.clone(),
            ..extent(medium, b"x")
        };
        let object = format!(
            "INSERT INTO object (id, oid, version, bytes, copies, metadata, created_at)
                 VALUES ('{}', '{}', 1, 1, 2, '{{}}', now())",
            first.origin.object, first.origin.oid
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(object))
            .execute(&mut fresh.raw().await)
            .await
            .expect("a good object");
        let (one, other) = (
            careless_copy_statements(&first, 0),
            careless_copy_statements(&second, 1),
        );
        let (one, other) = run(&fresh, one, other, &order).await;
        assert!(!(one && other), "both went through in order {order:?}");
        assert!(one || other, "neither went through in order {order:?}");
    }
}

/// The program's own calls, many at once.
#[tokio::test]
async fn records_and_fences_at_once() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    for round in 0..12 {
        let (medium, epoch) = fresh.medium(&format!("medium-{round}")).await;
        let epochs = [(medium, epoch)].into();
        let put = fresh.pg.record_put(
            dss::model::SessionId::fresh(),
            vec![extent(medium, b"x")],
            &epochs,
            support::now(),
        );
        let (put, fence) = tokio::join!(put, fence(&fresh, medium, epoch));
        let pending: Vec<Extent> = fresh
            .pg
            .extents(
                &dss::catalogue::ExtentFilter {
                    medium: Some(medium),
                    ..Default::default()
                },
                dss::catalogue::Page { after: None, limit: 10 },
            )
            .await
            .unwrap();
        match (put, fence) {
            (Ok(_), Fence::InUse { pending: 1, live: 0 }) => assert_eq!(pending[0].state, ExtentState::Pending),
            (Err(dss::catalogue::CatalogueError::Fenced { .. }), Fence::Erasing(_)) => assert!(pending.is_empty()),
            other => panic!("{other:?}"),
        }
    }
}

async fn fence(fresh: &Fresh, medium: MediumId, epoch: Epoch) -> Fence {
    fresh
        .pg
        .fence_medium(medium, None, false, epoch, support::now())
        .await
        .expect("an answer")
}
