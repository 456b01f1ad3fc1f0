//! What a restore leaves where it is, and what it says of that.

use crate::safety::{LOST_WRITE, cancelled_after, stored};
use dss::catalogue::Catalogue;
use dss::model::{ExtentState, JobState, Oid};
use respool::engine;

/// A restore leaves an object that was deleted meanwhile to its new extent, which nobody has read.
#[tokio::test]
async fn x26_what_a_restore_left_to_its_new_extent_is_read_back_before_the_next_job_erases_the_source() {
    let (rig, objects) = stored(12).await;
    let rig = rig.restarted(LOST_WRITE).await;
    let job = cancelled_after(&rig, 12).await;
    let deleted = Oid::new("d/0003".to_owned()).unwrap();
    rig.catalogue
        .delete_object(&deleted, rig.host.clock.now())
        .await
        .unwrap();
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    assert!(restored.failed.is_empty());
    engine::sweep(&rig.host).await.unwrap();
    let job = rig.repack(rig.spec("a").await).await;
    assert_eq!(job.state, JobState::Failed, "{:?}", job.error);
    assert_eq!(job.error.as_ref().unwrap().exit, 4);
    assert_eq!(
        rig.medium("a").await.generation.0,
        0,
        "the old bytes are the last good ones"
    );
    rig.catalogue
        .undelete_object(&deleted, rig.host.clock.now())
        .await
        .unwrap();
    rig.all_are_there(&objects).await;
}

/// Whatever became of the others: what cannot come back is named, and the restore is not called whole.
#[tokio::test]
async fn e08_a_restore_names_the_objects_whose_old_bytes_are_erased() {
    let (rig, objects) = stored(6).await;
    let job = cancelled_after(&rig, 6).await;
    let source = rig.medium("a").await;
    let erased = rig.extents(Some("a"), Some(ExtentState::Orphan)).await.pop().unwrap();
    let forgotten = rig
        .catalogue
        .forget_orphans(source.id, source.generation, &[erased.id])
        .await
        .unwrap();
    assert_eq!(forgotten, 1);
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    let named: Vec<&Oid> = restored.erased.iter().map(|(_, oid)| oid).collect();
    assert_eq!(named, [&erased.origin.oid]);
    assert_eq!((restored.returned, restored.exit()), (5, 1));
    rig.all_are_there(&objects).await;
    // One that was cut short after its last layout is ended by the next: what it returned counts.
    let (now, job) = (rig.host.clock.now(), restored.job);
    let (from, to) = ([JobState::Restored], JobState::Cancelled);
    let cut = rig
        .catalogue
        .advance_job(job.id, &from, to, &job.tally, None, now)
        .await;
    let again = engine::restore(&rig.host, cut.unwrap().id).await.unwrap();
    assert_eq!((again.job.state, again.exit()), (JobState::Restored, 1));
}

/// A version that was purged needs its old bytes no longer: they are not read, and may be gone.
#[tokio::test]
async fn e08_a_restore_does_not_read_what_was_purged_since() {
    let (rig, mut objects) = stored(6).await;
    let job = cancelled_after(&rig, 6).await;
    let purged = rig.extents(Some("a"), Some(ExtentState::Orphan)).await.pop().unwrap();
    let now = rig.host.clock.now();
    rig.catalogue.delete_object(&purged.origin.oid, now).await.unwrap();
    assert_eq!(rig.catalogue.purge(now, 9, now).await.unwrap(), 1);
    std::fs::remove_file(rig.path("a").join(&purged.address.0)).unwrap();
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    assert_eq!((restored.job.state, restored.returned), (JobState::Restored, 5));
    let named: Vec<&Oid> = restored.moved_on.iter().map(|(_, oid)| oid).collect();
    assert_eq!(named, [&purged.origin.oid]);
    objects.remove(purged.origin.oid.as_str());
    rig.all_are_there(&objects).await;
}
