//! What must hold across jobs, failures and second tries: the last good bytes are never the ones that go.

use crate::rig::{Rig, objects};
use dss::catalogue::{Catalogue, MediumChange, Page};
use dss::mem::MemCatalogue;
use dss::model::{
    AdmState, ByteCount, Compared, ExtentState, FsState, Health, Job, JobControl, JobKind, JobState, NoDrill, Presence,
    Quarantine, Step,
};
use lrs::core::{Priority, Request};
use respool::engine;
use respool::repack::machine::Stop;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Waker};

/// Objects on medium a, with b empty and in service.
pub async fn stored(count: usize) -> (Rig, BTreeMap<String, Vec<u8>>) {
    let rig = Rig::new(&["a"]).await;
    let objects = objects(count);
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    (rig, objects)
}

/// A job that moved some extents and was cancelled before any was read back.
pub async fn cancelled_after(rig: &Rig, moved: u64) -> Job {
    let mut spec = rig.spec("a").await;
    spec.limit_bytes = Some(ByteCount(1));
    let job = engine::submit(&rig.host, JobKind::Repack, spec).await.unwrap();
    let mut job = rig.run(job).await;
    while job.tally.moved < moved {
        assert_eq!(job.state, JobState::Paused, "{:?}", job.error);
        job = rig.run(job).await;
    }
    let now = rig.host.clock.now();
    rig.catalogue
        .advance_job(job.id, &[JobState::Paused], JobState::Cancelled, &job.tally, None, now)
        .await
        .unwrap()
}

pub const LOST_WRITE: &str =
    "[[fault]]\nmedium = \"b\"\nop = \"write\"\noid = \"d/0003\"\nerror = \"lost_write\"\ntimes = 0\n";

#[tokio::test]
async fn x26_what_a_cancelled_job_moved_is_read_back_before_the_next_one_erases_the_source() {
    let (rig, objects) = stored(12).await;
    let rig = rig.restarted(LOST_WRITE).await;
    cancelled_after(&rig, 5).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed, "{:?}", job.error);
    assert_eq!(job.error.as_ref().unwrap().exit, 4);
    assert_eq!(rig.medium("b").await.health, Health::Suspect);
    assert_eq!(rig.medium("a").await.generation.0, 0);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x26_a_medium_that_a_cancelled_job_emptied_is_not_formatted_by_hand_before_the_copies_are_read_back() {
    let (rig, objects) = stored(6).await;
    let rig = rig.restarted(LOST_WRITE).await;
    let job = cancelled_after(&rig, 6).await;
    assert!(rig.extents(Some("a"), Some(ExtentState::Sync)).await.is_empty());
    let refused = engine::erase(&rig.host, rig.medium("a").await.id, None).await;
    assert_eq!(refused.unwrap_err().exit, 2);
    assert_eq!(rig.medium("a").await.adm_state, AdmState::ReadOnly);
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    assert!(restored.failed.is_empty());
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn i11_a_medium_with_bytes_that_no_row_names_is_not_erased() {
    let (rig, objects) = stored(6).await;
    // As after a catalogue was put back from an older backup: the newest bytes have no row.
    let unknown = rig.extents(Some("a"), Some(ExtentState::Sync)).await.pop().unwrap();
    let path = rig.path("a").join(&unknown.address.0);
    let bytes = std::fs::read(&path).unwrap();
    let (medium, now) = (rig.medium("a").await, rig.host.clock.now());
    let oid = unknown.origin.oid.clone();
    rig.catalogue.delete_object(&oid, now).await.unwrap();
    rig.catalogue.purge(now, 100, rig.host.clock.now()).await.unwrap();
    let forgotten = rig
        .catalogue
        .forget_orphans(medium.id, medium.generation, &[unknown.id])
        .await
        .unwrap();
    assert_eq!(forgotten, 1);
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed);
    let error = job.error.as_ref().unwrap();
    assert_eq!((error.code.as_str(), error.exit), ("unknown_bytes", 4));
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(rig.medium("a").await.adm_state, AdmState::ReadOnly);
    let refused = engine::erase(&rig.host, medium.id, None).await;
    assert_eq!(refused.unwrap_err().code, "unknown_bytes");
    let mut left = objects;
    left.remove(oid.as_str());
    rig.all_are_there(&left).await;
}

#[tokio::test]
async fn e08_a_source_that_was_away_when_its_quarantine_ended_can_be_repacked_again() {
    let (rig, objects) = stored(6).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(1);
    let job = rig.repack(spec).await;
    assert_eq!(job.state, JobState::Quarantined, "{:?}", job.error);
    let rig = rig.restarted("").await;
    std::fs::rename(rig.path("a"), rig.path("away")).unwrap();
    assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), [job.id]);
    let job = rig.run(job).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error.as_ref().unwrap().exit, 3);
    std::fs::rename(rig.path("away"), rig.path("a")).unwrap();
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(rig.medium("a").await.generation.0, 1);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn a_wish_that_comes_too_late_is_refused_and_does_not_keep_a_job_from_erasing() {
    for wish in [JobControl::Pause, JobControl::Cancel] {
        let (rig, objects) = stored(6).await;
        let mut spec = rig.spec("a").await;
        spec.quarantine = Quarantine::Seconds(1);
        let job = rig.repack(spec).await;
        let late = rig.catalogue.control_job(job.id, wish, rig.host.clock.now()).await;
        assert!(late.is_err(), "{late:?}");
        assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), [job.id]);
        let job = rig.run(job).await;
        assert_eq!(job.state, JobState::Done, "{:?}", job.error);
        rig.all_are_there(&objects).await;
    }
}

#[tokio::test]
async fn x15_a_target_that_failed_is_suspect_and_not_called_full() {
    let (rig, objects) = stored(20).await;
    let fault = "[[fault]]\nmedium = \"b\"\nop = \"write\"\nnth = 8\nerror = \"eio\"\ntimes = 0\n";
    let rig = rig.restarted(fault).await;
    rig.add("c", Some(8 << 20)).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    let b = rig.medium("b").await;
    assert_eq!((b.health, b.fs_state), (Health::Suspect, FsState::Used));
    let events = rig
        .catalogue
        .events(Page {
            after: None,
            limit: 10_000,
        })
        .await
        .unwrap();
    let suspected = events.iter().filter(|event| event.kind == "medium.suspect").count();
    assert_eq!(suspected, 1, "one failure is told once");
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x15_a_target_without_room_to_sync_is_full_and_the_next_one_goes_on() {
    let (rig, objects) = stored(20).await;
    let fault = "[[fault]]\nmedium = \"b\"\nop = \"sync\"\nerror = \"enospc\"\ntimes = 1\n";
    let rig = rig.restarted(fault).await;
    rig.add("c", Some(8 << 20)).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    let b = rig.medium("b").await;
    assert_eq!((b.health, b.fs_state), (Health::Ok, FsState::Full));
    assert_eq!(
        job.tally.targets.keys().collect::<Vec<_>>(),
        [&rig.medium("c").await.id]
    );
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x18_what_a_restore_verified_is_not_swept_before_the_layouts_point_there() {
    let (rig, objects) = stored(12).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(1);
    let job = rig.repack(spec).await;
    let rig = rig.restarted("").await;
    std::fs::rename(rig.path("a"), rig.path("away")).unwrap();
    assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), [job.id]);
    assert_eq!(rig.run(job.clone()).await.state, JobState::Failed);
    std::fs::rename(rig.path("away"), rig.path("a")).unwrap();
    rig.change("a", |change| change.presence = Some(Presence::Attached))
        .await;
    let (restored, swept) = tokio::join!(engine::restore(&rig.host, job.id), engine::sweep(&rig.host));
    swept.unwrap();
    let restored = restored.unwrap();
    assert_eq!((restored.returned, restored.failed.len()), (12, 0));
    assert_eq!(rig.extents(Some("a"), Some(ExtentState::Sync)).await.len(), 12);
    rig.all_are_there(&objects).await;
}

/// What a future answers that never waits, such as one of the catalogue in memory.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits"),
    }
}

#[tokio::test]
async fn x04_a_failed_read_back_is_told_although_its_old_bytes_are_out_of_reach() {
    let (rig, objects) = stored(6).await;
    let rig = rig.restarted(LOST_WRITE).await;
    let (source, catalogue) = (rig.medium("a").await.id, rig.catalogue.clone());
    rig.at_steps(move |step| {
        if step == Step::ReadBackMiddle {
            let change = MediumChange {
                locked: Some(true),
                why: "test".to_owned(),
                ..MediumChange::default()
            };
            now(catalogue.change_medium(source, change, "2026-01-01T00:00:00Z".parse().unwrap())).unwrap();
        }
    });
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed);
    let error = job.error.as_ref().unwrap();
    assert_eq!((error.code.as_str(), error.exit), ("read_back_failed", 4));
    assert_eq!(job.skips.len(), 1, "it is listed");
    rig.at_steps(|_| {});
    rig.change("a", |change| change.locked = Some(false)).await;
    let rig = rig.restarted("").await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!((job.state, job.tally.read_back_failed), (JobState::Failed, 1));
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x13_a_stop_does_not_wait_for_a_large_extent_to_be_read_back() {
    let rig = Rig::new(&["a"]).await;
    let objects = BTreeMap::from([("large".to_owned(), vec![7; 130 << 20])]);
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    let (stop, asked) = tokio::sync::watch::channel(None);
    rig.at_steps(move |step| {
        if step == Step::ReadBackMiddle {
            stop.send_replace(Some(Stop::Pause));
        }
    });
    let job = rig.run_until(job, asked).await;
    assert_eq!(
        (job.state, job.tally.moved, job.tally.read_back),
        (JobState::Paused, 1, 0)
    );
    rig.at_steps(|_| {});
    let job = rig.run(job).await;
    assert_eq!((job.state, job.tally.read_back), (JobState::Done, 1), "{:?}", job.error);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e01_x10_a_target_in_the_dock_of_the_source_is_reached_by_way_of_the_spool() {
    let rig = Rig::new(&[]).await;
    rig.add_in("a", None, Some("d")).await;
    let objects = objects(6);
    rig.put(&objects, 1).await;
    rig.add_in("b", None, Some("d")).await;
    let planned = engine::plan(&rig.host, &rig.spec("a").await).await.unwrap();
    let staged = planned.staged.expect("there is one dock");
    assert_eq!((staged.rounds, staged.mounts), (1, 2));
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(rig.extents(Some("b"), Some(ExtentState::Sync)).await.len(), 6);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x10_a_target_in_another_dock_is_preferred_to_staging() {
    let rig = Rig::new(&[]).await;
    rig.add_in("a", None, Some("d")).await;
    let objects = objects(6);
    rig.put(&objects, 1).await;
    rig.add_in("b", None, Some("d")).await;
    rig.add("c", Some(8 << 20)).await;
    let planned = engine::plan(&rig.host, &rig.spec("a").await).await.unwrap();
    assert_eq!(planned.staged, None);
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(
        job.tally.targets.keys().collect::<Vec<_>>(),
        [&rig.medium("c").await.id]
    );
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x10_a_get_in_the_write_half_interrupts_it_and_nothing_is_read_again() {
    let rig = Rig::new(&[]).await;
    rig.add_in("a", None, Some("d")).await;
    let objects = objects(40);
    rig.put(&objects, 1).await;
    rig.add_in("b", None, Some("d")).await;
    let (host, reads) = (rig.host.clone(), Arc::new(AtomicU32::new(0)));
    let (seen, mut written) = (reads.clone(), 0);
    rig.at_steps(move |step| {
        seen.fetch_add(u32::from(step == Step::ReadMiddle), Ordering::Relaxed);
        written += u32::from(step == Step::WriteAfter);
        if step == Step::WriteAfter && written == 5 {
            // It wants the dock's other disk.
            let host = host.clone();
            tokio::spawn(async move {
                let oid = "d/0039".parse().unwrap();
                let mut stream = respool::store::get::open(&host, &oid, None).await.unwrap();
                while let Some(piece) = stream.next().await {
                    piece.unwrap();
                }
            });
        }
    });
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(
        (job.state, job.tally.moved, job.tally.released),
        (JobState::Done, 40, 0),
        "{:?}",
        job.error
    );
    rig.at_steps(|_| {});
    assert_eq!(
        reads.load(Ordering::Relaxed),
        40,
        "each extent was read once by the mover"
    );
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e02_two_targets_of_one_dock_are_filled_one_after_the_other() {
    let (rig, objects) = stored(30).await;
    rig.change("b", |change| change.locked = Some(true)).await;
    rig.add_in("c", Some(2 << 20), Some("d")).await;
    rig.add_in("e", Some(2 << 20), Some("d")).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(job.tally.targets.len(), 2);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e01_two_sources_of_one_dock_are_refused_at_once() {
    let rig = Rig::new(&[]).await;
    rig.add_in("a", None, Some("d")).await;
    let objects = objects(6);
    rig.put(&objects, 1).await;
    rig.add_in("b", None, Some("d")).await;
    rig.add("c", None).await;
    let mut spec = rig.spec("a").await;
    spec.sources.push(rig.medium("b").await.id);
    let refused = engine::submit(&rig.host, JobKind::Repack, spec).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.exit), ("shared_dock", 2));
    assert_eq!(rig.medium("a").await.adm_state, AdmState::InService);
}

#[tokio::test]
async fn x04_a_stop_does_not_hide_a_failed_read_back() {
    let (rig, objects) = stored(6).await;
    let rig = rig.restarted(LOST_WRITE).await;
    let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    let (stop, asked) = tokio::sync::watch::channel(None);
    let mut seen = 0;
    rig.at_steps(move |step| {
        seen += u32::from(step == Step::ReadBackMiddle);
        if seen == 6 {
            stop.send_replace(Some(Stop::Pause));
        }
    });
    let job = rig.run_until(job, asked).await;
    assert_eq!((job.state, job.tally.read_back_failed), (JobState::Failed, 1));
    assert_eq!(job.error.as_ref().unwrap().exit, 4);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn a_jump_of_the_clock_sweeps_nothing_that_is_held() {
    let (rig, objects) = stored(6).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(7 * 86_400);
    let job = rig.repack(spec).await;
    assert_eq!(job.state, JobState::Quarantined);
    // As when a job that has several sources goes back to copying.
    rig.catalogue
        .end_quarantine(job.id, rig.host.clock.now())
        .await
        .unwrap();
    rig.host.lrs.medium_changed(rig.medium("a").await.id).await.unwrap();
    engine::reclaim_due(&rig.host).await.unwrap();
    rig.clock.jump(30 * 86_400);
    assert_eq!(engine::sweep(&rig.host).await.unwrap().removed, 0);
    rig.catalogue.accept_clock(rig.host.clock.now()).await.unwrap();
    assert_eq!(engine::sweep(&rig.host).await.unwrap().removed, 6);
    rig.all_are_there(&objects).await;
}

/// Seven days are seven days, also where the clock was wrong when they began.
#[tokio::test]
async fn a_hold_that_began_under_a_clock_set_back_is_not_over_when_it_is_right_again() {
    let (rig, objects) = stored(6).await;
    rig.catalogue.observe_clock(rig.host.clock.now()).await.unwrap();
    rig.clock.jump(-30 * 86_400);
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(7 * 86_400);
    let job = rig.repack(spec).await;
    assert_eq!(job.state, JobState::Quarantined, "{:?}", job.error);
    rig.clock.jump(30 * 86_400);
    assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), []);
    // A day at a time, as a clock goes that is believed.
    for _ in 0..7 {
        rig.clock.jump(86_400 - 200);
        assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), []);
    }
    rig.clock.jump(3_600);
    assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), [job.id]);
    rig.all_are_there(&objects).await;
}

/// The stamp comes before the removal: a catalogue that does not know why the bytes went finds the medium ahead of itself.
#[tokio::test]
async fn e16_what_is_swept_or_erased_leaves_the_medium_ahead_of_an_older_catalogue() {
    let (rig, objects) = stored(6).await;
    let older = rig.catalogue.snapshot(Arc::new(NoDrill));
    let swept = rig.medium("a").await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(60);
    let job = rig.repack(spec).await;
    rig.catalogue
        .end_quarantine(job.id, rig.host.clock.now())
        .await
        .unwrap();
    rig.host.lrs.medium_changed(swept.id).await.unwrap();
    let now = rig.host.clock.now();
    let stands = async |older: &MemCatalogue| {
        let request = Request {
            purpose: "a look".to_owned(),
            priority: Priority::Get,
            reads: vec![swept.id],
            writes: vec![],
            exclusive: vec![],
        };
        let allocation = rig.host.lrs.allocate(request).await.unwrap();
        let seen = allocation.volume(swept.id).run(|volume| volume.seen()).await.unwrap();
        allocation.release().await;
        older.compare_medium(swept.id, seen, now).await.unwrap()
    };
    assert_eq!(stands(&older).await, Compared::Level, "nothing was written to it");
    rig.clock.jump(3600);
    assert_eq!(engine::sweep(&rig.host).await.unwrap().removed, 6);
    assert!(matches!(stands(&older).await, Compared::Ahead { .. }));
    let older = rig.catalogue.snapshot(Arc::new(NoDrill));
    assert_eq!(stands(&older).await, Compared::Level);
    rig.catalogue
        .advance_job(job.id, &[job.state], JobState::Cancelled, &job.tally, None, now)
        .await
        .unwrap();
    engine::erase(&rig.host, swept.id, None).await.unwrap();
    assert!(matches!(stands(&older).await, Compared::Ahead { .. }));
    rig.all_are_there(&objects).await;
}
