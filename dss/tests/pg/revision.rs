//! E-16: the sequence behind the revision only rises, also while it is raised and drawn from at once. A number given twice
//! would make two different stamps of one catalogue alike.

use crate::support;
use dss::catalogue::Catalogue;
use dss::model::{NoDrill, Revision};
use std::collections::BTreeSet;
use std::sync::Arc;

const RAISED: i64 = 400;
const DRAWN: usize = 4_000;

async fn draw(connection: &mut sqlx::PgConnection) -> i64 {
    sqlx::query_scalar("SELECT nextval('revision')")
        .fetch_one(connection)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn e16_raising_the_revision_never_puts_it_back() {
    let fresh = support::fresh(Arc::new(NoDrill)).await;
    let mut drawers = Vec::new();
    for _ in 0..3 {
        let mut connection = fresh.raw().await;
        drawers.push(tokio::spawn(async move {
            let mut drawn = Vec::with_capacity(DRAWN);
            for _ in 0..DRAWN {
                drawn.push(draw(&mut connection).await);
            }
            drawn
        }));
    }
    // What a medium bears is below the revision most often, and now and then a little above.
    for round in 0..RAISED {
        let now = fresh.pg.identity().await.unwrap().revision;
        let above = Revision(if round % 2 == 0 { now.0 / 2 } else { now.0 + 2 });
        fresh.pg.raise_revision(above).await.unwrap();
        let raised = fresh.pg.identity().await.unwrap().revision;
        assert!(raised > above && raised > now, "{now} {above} {raised}");
    }
    let mut seen = BTreeSet::new();
    for drawer in drawers {
        let drawn = drawer.await.unwrap();
        assert!(drawn.is_sorted(), "one connection sees it fall");
        for number in drawn {
            assert!(seen.insert(number), "revision {number} was given twice");
        }
    }
}
