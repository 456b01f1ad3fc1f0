//! Windows that overlap: while one is copied, the one before it is swapped and the next one recorded.

use crate::rig::Rig;
use dss::catalogue::Catalogue;
use dss::mem::MemCatalogue;
use dss::model::medium::ExtentCounts;
use dss::model::{JobKind, JobState, MediumId, Step};
use futures_util::FutureExt;
use respool::engine;
use respool::repack::machine::Stop;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

const BYTES: usize = 100;

/// Forty objects on medium a, which are three windows: 16, 16 and 8; and an empty medium b.
async fn three_windows() -> (Rig, BTreeMap<String, Vec<u8>>) {
    let rig = Rig::new(&["a"]).await;
    let objects = (0..40).map(|n| (format!("d/{n:02}"), vec![n; BYTES])).collect();
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    (rig, objects)
}

/// How many extents of each state a medium has now. May be asked at any step.
fn counts(catalogue: &MemCatalogue, medium: MediumId) -> ExtentCounts {
    let clock = "2026-01-01T00:00:00Z".parse().unwrap();
    let usage = catalogue.usage(medium, clock).now_or_never();
    usage.expect("a catalogue in memory never waits").unwrap().extents
}

#[tokio::test]
async fn a_window_is_swapped_and_the_next_one_recorded_while_one_is_copied() {
    let (rig, objects) = three_windows().await;
    let (catalogue, target) = (rig.catalogue.clone(), rig.medium("b").await.id);
    let seen = Arc::new(Mutex::new(vec![]));
    let noted = Arc::clone(&seen);
    rig.at_steps(move |step| {
        if step == Step::SyncBefore {
            let counts = counts(&catalogue, target);
            noted.lock().unwrap().push((counts.sync, counts.pending));
        }
    });
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 40), "{:?}", job.error);
    // What is swapped, and what is recorded, when each window was copied.
    assert_eq!(*seen.lock().unwrap(), [(0, 32), (16, 24), (32, 8)]);
    rig.at_steps(|_| {});
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x13_a_pause_swaps_what_is_durable_and_withdraws_what_was_only_recorded() {
    let (rig, objects) = three_windows().await;
    let (catalogue, target) = (rig.catalogue.clone(), rig.medium("b").await.id);
    let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    let (ask, asked) = watch::channel(None);
    let mut syncs = 0;
    rig.at_steps(move |step| {
        syncs += usize::from(step == Step::SyncAfter);
        if syncs == 2 {
            ask.send_replace(Some(Stop::Pause));
        }
    });
    let job = rig.run_until(job, asked).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Paused, 32), "{:?}", job.error);
    let after = counts(&catalogue, target);
    assert_eq!((after.sync, after.pending, after.orphan), (32, 0, 0));
    rig.at_steps(|_| {});
    let job = rig.run(job).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 40), "{:?}", job.error);
    assert_eq!(
        job.tally.bytes_recopied.0, 0,
        "no byte of the third window was copied before"
    );
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x27_a_failed_sync_voids_its_own_window_and_none_before_it() {
    let (rig, objects) = three_windows().await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"b\"\nop = \"sync\"\nnth = 2\nerror = \"eio\"\ntimes = 1\n")
        .await;
    let target = rig.medium("b").await.id;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 40), "{:?}", job.error);
    assert_eq!(job.tally.bytes_recopied.0, 16 * BYTES as u64);
    assert_eq!(counts(&rig.catalogue, target).pending, 0);
    rig.all_are_there(&objects).await;
}
