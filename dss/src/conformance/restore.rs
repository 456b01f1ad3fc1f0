//! Restore: layouts back on the old bytes, whatever happened since.

use super::World;
use super::support::{at, is_conflict, is_fenced, is_not_found, oid, spec};
use crate::catalogue::{Fence, ReturnOutcome};
use crate::model::{
    AdmState, Extent, ExtentId, ExtentState, Hold, JobId, JobSpec, JobState, MediumId, MoveState, Step, Version,
};

/// One object moved off its source, which is quarantined.
struct Moved {
    source: MediumId,
    target: MediumId,
    job: JobId,
    old: Extent,
    new: Extent,
}

async fn moved(w: &World) -> Moved {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let new = w.relocate(job, &old, target, "aaa").await;
    w.catalogue.quarantine(job, source, Hold::Forever, at(6)).await.unwrap();
    w.advance(job, JobState::Quarantined).await;
    Moved {
        source,
        target,
        job,
        old,
        new,
    }
}

async fn restore(w: &World, moved: &Moved) -> ReturnOutcome {
    let entry = w.return_of(moved.job, moved.old.id, moved.new.id).await;
    let outcomes = w.catalogue.return_batch(moved.job, &[entry], at(9)).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes[0]
}

/// E-08: a restore puts the layout back; the new bytes are an orphan, the old ones were just verified.
pub async fn a_restore_puts_the_layout_back(w: &World) {
    let m = moved(w).await;
    assert_eq!(restore(w, &m).await, ReturnOutcome::Returned);
    let old = w.first("a").await;
    assert_eq!((old.id, old.state, old.hold), (m.old.id, ExtentState::Sync, Hold::None));
    assert_eq!(old.verified_at, Some(at(9)));
    assert_eq!(w.state(m.new.id).await, ExtentState::Orphan);
    let returned = w
        .catalogue
        .moves(m.job, &[MoveState::Returned], super::support::all())
        .await
        .unwrap();
    assert_eq!(returned.len(), 1);
    w.advance(m.job, JobState::Restored).await;
    let row = w.row(m.source).await;
    assert_eq!(
        (row.adm_state, row.quarantined_until, row.emptied_by),
        (AdmState::ReadOnly, None, None)
    );
}

/// The end of the quarantine and of the job are one transaction: a job that cannot be restored keeps both.
pub async fn a_restore_that_is_refused_leaves_the_quarantine(w: &World) {
    let m = moved(w).await;
    restore(w, &m).await;
    let (from, to) = ([JobState::Failed], JobState::Restored);
    let tally = w.catalogue.job(m.job).await.unwrap().tally;
    let refused = w.catalogue.advance_job(m.job, &from, to, &tally, None, at(10)).await;
    assert!(is_conflict(&refused), "{refused:?}");
    let row = w.row(m.source).await;
    assert_eq!((row.adm_state, row.emptied_by), (AdmState::Quarantined, Some(m.job)));
}

/// A restore asked again answers the same.
pub async fn a_restore_asked_again_answers_the_same(w: &World) {
    let m = moved(w).await;
    let first = w.return_of(m.job, m.old.id, m.new.id).await;
    let second = w.return_of(m.job, m.old.id, m.new.id).await;
    for entry in [first, second] {
        let outcomes = w.catalogue.return_batch(m.job, &[entry], at(9)).await.unwrap();
        assert_eq!(outcomes, [ReturnOutcome::Returned]);
    }
    assert_eq!(w.first("a").await.id, m.old.id);
}

/// Deleted, then restored: it stays deleted, and can be undeleted.
pub async fn a_restore_does_not_undo_a_delete(w: &World) {
    let m = moved(w).await;
    w.catalogue.delete_object(&oid("a"), at(8)).await.unwrap();
    restore(w, &m).await;
    assert!(is_not_found(&w.catalogue.object(&oid("a"), None).await));
    w.catalogue.undelete_object(&oid("a"), at(10)).await.unwrap();
    assert_eq!(w.first("a").await.state, ExtentState::Sync);
}

/// Restored, then deleted: as any object.
pub async fn a_delete_after_a_restore_is_as_any(w: &World) {
    let m = moved(w).await;
    restore(w, &m).await;
    w.catalogue.delete_object(&oid("a"), at(10)).await.unwrap();
    assert_eq!(w.state(m.old.id).await, ExtentState::Sync);
    assert!(w.catalogue.object(&oid("a"), Some(Version(1))).await.is_ok());
}

/// Overwritten, then restored: the newer version stays what it is and where it is.
pub async fn a_restore_does_not_undo_an_overwrite(w: &World) {
    let m = moved(w).await;
    let newer = w.put_one("a", m.target, "newer").await;
    restore(w, &m).await;
    assert_eq!(w.first("a").await, newer);
    let first = w.catalogue.object(&oid("a"), Some(Version(1))).await.unwrap();
    assert!(first.object.deleted_at.is_some());
    assert_eq!(first.entries[0].extent.state, ExtentState::Sync);
}

/// Deleted and purged, then restored: nothing is there to be pointed back.
pub async fn a_restore_leaves_a_purged_version_alone(w: &World) {
    let m = moved(w).await;
    w.catalogue.delete_object(&oid("a"), at(8)).await.unwrap();
    assert_eq!(
        w.catalogue.purge(at(8), 9, at(99)).await.unwrap(),
        1,
        "its layout is not on the source any more"
    );
    assert_eq!(restore(w, &m).await, ReturnOutcome::MovedOn);
    assert_eq!(w.state(m.old.id).await, ExtentState::Orphan);
    assert!(w.versions().await.is_empty());
}

/// Moved on by another job, then restored: not touched.
pub async fn a_restore_leaves_what_moved_on(w: &World) {
    let m = moved(w).await;
    let third = w.medium("third").await;
    let other = w.repack(&[m.target]).await;
    let moved_on = w.relocate(other, &m.new, third, "aaa").await;
    assert_eq!(restore(w, &m).await, ReturnOutcome::MovedOn);
    assert_eq!(w.first("a").await.id, moved_on.id);
    assert_eq!(w.state(m.old.id).await, ExtentState::Orphan);
}

/// an extent that fails read-back is swapped back by the job that runs, and may move again.
pub async fn a_running_job_swaps_back_and_moves_again(w: &World) {
    let (source, target, third) = (
        w.medium("source").await,
        w.medium("target").await,
        w.medium("third").await,
    );
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let bad = w.relocate(job, &old, target, "aaa").await;
    let entry = w.return_of(job, old.id, bad.id).await;
    assert_eq!(
        w.catalogue.return_batch(job, &[entry], at(7)).await.unwrap(),
        [ReturnOutcome::Returned]
    );
    w.catalogue.suspect(target, "read-back failed", at(7)).await.unwrap();
    let live = w.first("a").await;
    let good = w.relocate(job, &live, third, "aaa").await;
    assert_eq!(w.first("a").await.id, good.id);
}

/// What was deleted while its medium was quarantined keeps its old bytes as long as it can be had back, and no longer: the
/// hold ends with the version, however long the quarantine would have been. Nor is held what was an orphan before.
pub async fn a_restored_job_holds_what_can_be_had_back_and_no_more(w: &World) {
    for (number, hold) in [Hold::Until(at(1_000)), Hold::Forever].into_iter().enumerate() {
        let [source, target] = ["source", "target"].map(|name| format!("{name}-{number}"));
        let (source, target) = (w.medium(&source).await, w.medium(&target).await);
        let before = w.put_one("before", source, "bbb").await;
        w.catalogue.delete_object(&oid("before"), at(2)).await.unwrap();
        w.catalogue.purge(at(2), 9, at(3)).await.unwrap();
        let [old, other] = [w.put_one("a", source, "aaa").await, w.put_one("b", source, "bbb").await];
        let job = w.repack(&[source]).await;
        w.relocate(job, &old, target, "aaa").await;
        let new = w.relocate(job, &other, target, "bbb").await;
        let also = format!("also-{number}");
        w.share(new.id, &also, 3).await;
        w.catalogue.quarantine(job, source, hold, at(6)).await.unwrap();
        let held = async |id| w.catalogue.extent(id).await.unwrap().hold;
        assert_eq!((held(old.id).await, held(before.id).await), (hold, Hold::None));
        assert!(
            removable(w, source).await.is_empty(),
            "nothing sweeps what is quarantined"
        );
        w.advance(job, JobState::Quarantined).await;
        for name in ["a", "b"] {
            w.catalogue.delete_object(&oid(name), at(8)).await.unwrap();
        }
        w.advance(job, JobState::Restored).await;
        assert_eq!(
            removable(w, source).await,
            [before.id],
            "they may be undeleted, and nobody has read the new bytes"
        );
        w.catalogue.purge(at(8), 9, at(99)).await.unwrap();
        let mut gone = vec![old.id, before.id];
        gone.sort();
        assert_eq!(removable(w, source).await, gone, "another object needs the third");
        w.catalogue.delete_object(&oid(&also), at(8)).await.unwrap();
        w.catalogue.purge(at(8), 9, at(99)).await.unwrap();
        gone.push(other.id);
        gone.sort();
        assert_eq!(removable(w, source).await, gone);
    }
}

/// A version that a fence ended needs its old bytes elsewhere no longer either.
pub async fn what_a_fence_dropped_is_held_nowhere(w: &World) {
    let (first, second, third) = (
        w.medium("first").await,
        w.medium("second").await,
        w.medium("third").await,
    );
    let old = w.put_one("a", first, "aaa").await;
    let kept = w.put_one("b", first, "bbb").await;
    let job = w.repack(&[first]).await;
    w.relocate(job, &old, second, "aaa").await;
    w.relocate(job, &kept, third, "bbb").await;
    w.advance(job, JobState::Cancelled).await;
    w.catalogue.delete_object(&oid("a"), at(8)).await.unwrap();
    w.catalogue.delete_object(&oid("b"), at(8)).await.unwrap();
    assert!(removable(w, first).await.is_empty());
    let job = w
        .repack_as(JobSpec {
            drop_deleted: true,
            ..spec(&[second])
        })
        .await;
    let epoch = w.epoch(second);
    let fence = w
        .catalogue
        .fence_medium(second, Some(job), true, epoch, at(9))
        .await
        .unwrap();
    assert!(matches!(fence, Fence::Erasing(_)), "{fence:?}");
    assert_eq!(removable(w, first).await, [old.id], "the other may be undeleted");
}

async fn removable(w: &World, medium: MediumId) -> Vec<ExtentId> {
    let orphans = w.catalogue.removable(medium, super::support::all(), at(10)).await;
    orphans.unwrap().into_iter().map(|extent| extent.id).collect()
}

/// The proof must be of the old bytes.
pub async fn a_restore_needs_proof_of_the_old_bytes(w: &World) {
    let m = moved(w).await;
    let (entry, _) = w.return_of(m.job, m.old.id, m.new.id).await;
    let wrong = w
        .catalogue
        .return_batch(m.job, &[(entry, w.read_back(&m.new))], at(9))
        .await;
    assert!(wrong.is_err(), "{wrong:?}");
    assert_eq!(w.first("a").await.id, m.new.id);
}

/// I6: nothing returns to a source that is being erased.
pub async fn a_restore_after_the_fence_is_refused(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let new = w.relocate(job, &old, target, "aaa").await;
    w.catalogue.quarantine(job, source, Hold::None, at(6)).await.unwrap();
    let entry = w.return_of(job, old.id, new.id).await;
    let fence = w
        .catalogue
        .fence_medium(source, Some(job), false, w.epoch(source), at(7))
        .await
        .unwrap();
    assert!(matches!(fence, Fence::Erasing(_)));
    let late = w.catalogue.return_batch(job, &[entry], at(9)).await;
    assert!(is_fenced(&late) || is_conflict(&late), "{late:?}");
    assert_eq!(w.first("a").await.id, new.id);
}

/// E-03: a shared extent returns for all its objects.
pub async fn a_shared_extent_returns_for_all(w: &World) {
    let m = moved(w).await;
    w.share(m.new.id, "b", 3).await;
    assert_eq!(restore(w, &m).await, ReturnOutcome::Returned);
    assert_eq!((w.first("a").await.id, w.first("b").await.id), (m.old.id, m.old.id));
}

/// a restore cut short did nothing.
pub async fn a_restore_cut_short_did_not_happen(w: &World) {
    let m = moved(w).await;
    let entries = [w.return_of(m.job, m.old.id, m.new.id).await];
    w.trap.set(Step::RestoreBeforeCommit);
    super::swap::cut_short(w.catalogue.return_batch(m.job, &entries, at(9))).await;
    assert_eq!(w.first("a").await.id, m.new.id);
    assert_eq!(w.state(m.old.id).await, ExtentState::Orphan);
}
