use crate::rig::{Rig, objects};
use dss::catalogue::Catalogue;
use dss::model::{
    AdmState, ByteCount, ExtentState, FsState, Health, JobKind, JobSpec, JobState, Quarantine, Step, VerifyMode,
};
use futures_util::FutureExt;
use respool::engine;
use std::sync::{Arc, Mutex};

/// Objects on medium a, with b empty and in service.
async fn stored(count: usize) -> (Rig, std::collections::BTreeMap<String, Vec<u8>>) {
    let rig = Rig::new(&["a"]).await;
    let objects = objects(count);
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    (rig, objects)
}

#[tokio::test]
async fn a_repack_moves_everything_and_the_source_is_empty_again() {
    let (rig, objects) = stored(60).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!((job.tally.moved, job.tally.read_back, job.tally.live), (60, 60, 60));
    let source = rig.medium("a").await;
    assert_eq!(
        (source.adm_state, source.fs_state),
        (AdmState::InService, FsState::Empty)
    );
    assert_eq!(source.generation.0, 1);
    assert!(rig.extents(Some("a"), None).await.is_empty());
    assert_eq!(std::fs::read_dir(rig.path("a").join("objects")).unwrap().count(), 0);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e08_a_source_that_is_kept_can_be_restored() {
    let (rig, objects) = stored(20).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Forever;
    let job = rig.repack(spec).await;
    assert_eq!(job.state, JobState::Quarantined);
    assert_eq!(rig.medium("a").await.adm_state, AdmState::Quarantined);
    rig.all_are_there(&objects).await;
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    assert_eq!((restored.returned, restored.job.state), (20, JobState::Restored));
    assert_eq!(rig.extents(Some("a"), Some(ExtentState::Sync)).await.len(), 20);
    rig.all_are_there(&objects).await;
    let swept = engine::sweep(&rig.host).await.unwrap();
    assert_eq!((swept.removed, swept.refused), (20, vec![]));
    assert!(rig.extents(Some("b"), None).await.is_empty());
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x01_an_unreadable_extent_is_skipped_and_the_source_stays() {
    let (rig, objects) = stored(30).await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"d/0013\"\nerror = \"eio\"\ntimes = 0\n")
        .await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::DoneWithSkips, "{:?}", job.error);
    assert_eq!((job.tally.moved, job.skips.len()), (29, 1));
    assert_eq!(job.skips[0].oid.as_str(), "d/0013");
    assert_eq!(rig.medium("a").await.adm_state, AdmState::ReadOnly);
    let rig = rig.restarted("").await;
    rig.all_are_there(&objects).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 1), "{:?}", job.error);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x26_bytes_that_do_not_read_back_are_swapped_back() {
    let (rig, objects) = stored(12).await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"b\"\nop = \"write\"\noid = \"d/0003\"\nerror = \"lost_write\"\ntimes = 0\n")
        .await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed);
    assert_eq!(job.error.as_ref().unwrap().exit, 4);
    assert_eq!((job.tally.read_back_failed, job.tally.failed), (1, 1));
    assert_eq!(rig.medium("b").await.health, Health::Suspect);
    assert_eq!(rig.medium("a").await.adm_state, AdmState::ReadOnly);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x27_a_failed_sync_voids_its_window_and_is_copied_again() {
    let (rig, objects) = stored(40).await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"b\"\nop = \"sync\"\nerror = \"eio\"\ntimes = 1\n")
        .await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert!(job.tally.bytes_recopied.0 > 0);
    assert_eq!(job.tally.moved, 40);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e02_what_does_not_fit_one_target_goes_on_on_the_next() {
    let (rig, objects) = stored(40).await;
    rig.change("b", |change| {
        change.capacity = Some(Some(dss::model::ByteCount(2 << 20)))
    })
    .await;
    rig.add("c", Some(2 << 20)).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(job.tally.targets.len(), 2);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x15_a_target_that_ends_early_is_marked_full_and_the_next_one_goes_on() {
    let (rig, objects) = stored(40).await;
    let fault = "[[fault]]\nmedium = \"b\"\nop = \"write\"\nnth = 12\nerror = \"enospc\"\n";
    let rig = rig.restarted(fault).await;
    rig.add("c", Some(8 << 20)).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert_eq!(job.tally.targets.len(), 2);
    assert_eq!(rig.medium("b").await.fs_state, FsState::Full);
    // Only of the one that it did not take whole: the rest of the window was never given to it.
    let left = rig.extents(Some("b"), Some(ExtentState::Orphan)).await;
    assert!(left.len() <= 1, "{left:?}");
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn i10_copies_stay_apart() {
    let rig = Rig::new(&["a", "b"]).await;
    let objects = objects(20);
    rig.put(&objects, 2).await;
    rig.add("c", None).await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    let c = rig.medium("c").await.id;
    assert_eq!(job.tally.targets.keys().collect::<Vec<_>>(), [&c]);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn without_a_target_a_repack_is_refused_and_nothing_is_touched() {
    let rig = Rig::new(&["a"]).await;
    rig.put(&objects(3), 1).await;
    let refused = engine::submit(&rig.host, dss::model::JobKind::Repack, rig.spec("a").await).await;
    assert_eq!(refused.unwrap_err().exit, 2);
    assert_eq!(rig.medium("a").await.adm_state, AdmState::InService);
    assert!(rig.catalogue.jobs(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn deleted_versions_are_dropped_only_when_asked() {
    let (rig, mut objects) = stored(10).await;
    for n in 0..5 {
        let name = format!("d/{n:04}");
        respool::store::delete::delete(&rig.host, &dss::model::Oid::new(name.as_str()).unwrap())
            .await
            .unwrap();
        objects.remove(&name);
    }
    let mut spec = rig.spec("a").await;
    spec.verify = VerifyMode::Sampled;
    spec.drop_deleted = true;
    let job = rig.repack(spec).await;
    assert_eq!((job.state, job.tally.moved), (JobState::Done, 5), "{:?}", job.error);
    rig.all_are_there(&objects).await;
}

/// The bytes of one extent come wrong from the source, on every read.
#[tokio::test]
async fn x07_wrong_bytes_are_never_swapped_in() {
    let (rig, mut objects) = stored(12).await;
    let rig = rig
        .restarted("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"d/0003\"\nerror = \"flip\"\ntimes = 0\n")
        .await;
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!((job.state, job.tally.moved), (JobState::DoneWithSkips, 11));
    let [skip] = &job.skips[..] else {
        panic!("{:?}", job.skips)
    };
    assert!(skip.oid.as_str() == "d/0003" && skip.integrity, "{skip:?}");
    assert_eq!(rig.extents(Some("b"), Some(ExtentState::Sync)).await.len(), 11);
    // Nor is it answered.
    objects.remove("d/0003");
    rig.all_are_there(&objects).await;
}

/// Repacks with these faults and looks at the target's index when the source is about to be fenced; answers how many
/// commits of an index failed.
async fn is_indexed_before_the_source_goes(faults: &str) -> usize {
    let (rig, objects) = stored(12).await;
    let rig = rig.restarted(faults).await;
    // A limit keeps windows apart: all extents are of one, whose sync is the target's first.
    let spec = JobSpec {
        limit_bytes: Some(ByteCount(1 << 40)),
        ..rig.spec("a").await
    };
    let job = engine::submit(&rig.host, JobKind::Repack, spec).await.unwrap();
    let commits = Arc::new(Mutex::new((0, 0)));
    let counted = Arc::clone(&commits);
    let target = rig.medium("b").await.id;
    let (catalogue, seen) = (rig.catalogue.clone(), Arc::new(Mutex::new(vec![])));
    let (clock, noted) = ("2026-01-01T00:00:00Z".parse().unwrap(), Arc::clone(&seen));
    rig.at_steps(move |step| {
        let mut commits = counted.lock().unwrap();
        commits.0 += usize::from(step == Step::IndexBefore);
        commits.1 += usize::from(step == Step::IndexAfter);
        if step == Step::ReclaimBeforeFence {
            let usage = catalogue.usage(target, clock).now_or_never();
            let usage = usage.expect("a catalogue in memory never waits").unwrap();
            noted.lock().unwrap().push((usage.extents.sync, usage.unindexed));
        }
    });
    let job = rig.run(job).await;
    assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    assert!(!seen.lock().unwrap().is_empty(), "the step was passed");
    for indexed in seen.lock().unwrap().iter() {
        assert_eq!(
            *indexed,
            (12, ByteCount::ZERO),
            "sync extents and unindexed bytes of the target"
        );
    }
    rig.at_steps(|_| {});
    rig.all_are_there(&objects).await;
    let (begun, done) = *commits.lock().unwrap();
    assert!(done > 0, "an index was committed");
    begun - done
}

#[tokio::test]
async fn e16_every_target_is_indexed_before_the_source_is_erased() {
    assert_eq!(is_indexed_before_the_source_goes("").await, 0);
}

/// What could not be indexed when the target was released is indexed later, by a mount of its own.
#[tokio::test]
async fn e16_an_index_that_a_release_could_not_commit_is_committed_before_the_source_is_erased() {
    let second_sync = "[[fault]]\nmedium = \"b\"\nop = \"sync\"\nnth = 2\nerror = \"eio\"\n";
    assert_eq!(is_indexed_before_the_source_goes(second_sync).await, 1);
}

/// Another medium took the place of the target between the grant and the record.
#[tokio::test]
async fn x25_a_label_that_changed_under_a_grant_takes_no_byte() {
    let (rig, objects) = stored(12).await;
    rig.add("c", None).await;
    rig.change("c", |change| change.locked = Some(true)).await;
    let (label, other) = (
        rig.path("b").join(".respool/label.json"),
        rig.path("c").join(".respool/label.json"),
    );
    let files = rig.path("b").join("objects");
    rig.at_steps(move |step| {
        if step == Step::AllocateAfterGrant {
            std::fs::copy(&other, &label).unwrap();
        }
    });
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed, "{:?}", job.error);
    assert_eq!(job.tally.moved, 0);
    assert_eq!(
        std::fs::read_dir(files).unwrap().count(),
        0,
        "nothing was written there"
    );
    assert_eq!(rig.extents(Some("b"), None).await, [], "and nothing was recorded");
    rig.at_steps(|_| {});
    rig.all_are_there(&objects).await;
}
