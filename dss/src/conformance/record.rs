//! Recording moves: hop 5.

use super::World;
use super::support::{Put, all, at, is_conflict, is_fenced, is_invariant, is_lease_lost};
use crate::model::{ByteCount, Digests, ExtentIndex, ExtentState, JobState, MoveState, Owner};
use std::collections::BTreeMap;

/// E-04: a recorded move is pending, owned by the job, and the object's layout is untouched.
pub async fn a_move_is_pending_first(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "abc").await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "abc").await;
    let new = w.catalogue.extent(entry.new.extent().id).await.unwrap();
    assert_eq!(
        (new.state, new.owner),
        (ExtentState::Pending, Some((Owner::Move(job), w.epoch(target))))
    );
    assert_eq!(
        (new.bytes, &new.digests, &new.origin),
        (old.bytes, &old.digests, &old.origin)
    );
    assert_eq!(w.first("a").await, old);
    let moves = w.catalogue.moves(job, &[MoveState::Recorded], all()).await.unwrap();
    assert_eq!(
        moves.iter().map(|entry| (entry.old, entry.new)).collect::<Vec<_>>(),
        [(old.id, new.id)]
    );
}

/// I3: a move keeps size, digests and place.
pub async fn a_move_changes_neither_bytes_nor_place(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "abc").await;
    let job = w.repack(&[source]).await;
    let right = w.intent(&old, target);
    let mut wrong = vec![right.clone(), right.clone(), right.clone(), right.clone()];
    wrong[0].new.bytes = ByteCount(4);
    wrong[1].new.digests = Some(Digests::of(b"abd"));
    wrong[2].new.digests = None;
    wrong[3].new.origin.index = ExtentIndex(1);
    for intent in wrong {
        let answer = w
            .catalogue
            .record_moves(job, vec![intent.clone()], &w.epochs(), at(4))
            .await;
        assert!(is_invariant(&answer, "I3"), "{intent:?}: {answer:?}");
    }
    assert!(w.on(target, ExtentState::Pending).await.is_empty());
    w.catalogue
        .record_moves(job, vec![right], &w.epochs(), at(4))
        .await
        .unwrap();
}

/// I10: no copy is recorded on a medium that holds, or is about to hold, another one.
pub async fn copies_never_meet(w: &World) {
    let media = [w.medium("a").await, w.medium("b").await, w.medium("c").await];
    let put = Put {
        copies: vec![vec![(media[0], "x")], vec![(media[1], "x")]],
        ..w.simple("a", media[0], "")
    };
    let detail = w.put(put).await;
    let (first, second) = (&detail.entries[0].extent, &detail.entries[1].extent);
    let job = w.repack(&[media[0]]).await;
    let record = async |job, intents| w.catalogue.record_moves(job, intents, &w.epochs(), at(4)).await;
    assert!(
        is_invariant(&record(job, vec![w.intent(first, media[1])]).await, "I10"),
        "sync"
    );
    let other = w.repack(&[media[1]]).await;
    let both = vec![w.intent(first, media[2]), w.intent(second, media[2])];
    assert!(is_invariant(&record(job, both).await, "I10"), "in one batch");
    record(job, vec![w.intent(first, media[2])]).await.unwrap();
    assert!(
        is_invariant(&record(other, vec![w.intent(second, media[2])]).await, "I10"),
        "pending"
    );
    w.catalogue.abandon(Owner::Move(job), None, at(5)).await.unwrap();
    record(other, vec![w.intent(second, media[2])]).await.unwrap();
}

/// I10: an extent that serves two objects must meet no other copy of either.
pub async fn shared_extents_avoid_the_copies_of_all_their_objects(w: &World) {
    let media = [w.medium("a").await, w.medium("b").await, w.medium("c").await];
    let put = Put {
        copies: vec![vec![(media[0], "x")], vec![(media[1], "x")]],
        ..w.simple("a", media[0], "")
    };
    let detail = w.put(put).await;
    let shared = w.put_one("b", media[2], "y").await;
    w.share(shared.id, "c", 1).await;
    let job = w.repack(&[media[2]]).await;
    let moved = w.relocate(job, &shared, media[0], "y").await;
    assert_eq!((w.first("b").await.id, w.first("c").await.id), (moved.id, moved.id));
    assert_eq!(
        detail.entries[0].extent.medium, media[0],
        "other objects are no obstacle"
    );
}

/// Hop 5: nothing is recorded without an epoch, nor on a source.
pub async fn a_target_needs_a_lease_and_is_no_source(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    let none = w
        .catalogue
        .record_moves(job, vec![w.intent(&old, target)], &BTreeMap::new(), at(4))
        .await;
    assert!(is_lease_lost(&none), "{none:?}");
    w.repack(&[target]).await;
    let answer = w
        .catalogue
        .record_moves(job, vec![w.intent(&old, target)], &w.epochs(), at(4))
        .await;
    assert!(is_fenced(&answer), "{answer:?}");
}

/// Only what is live is moved, and only by a job that is active.
pub async fn only_live_extents_are_moved(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let other = w.put_one("b", source, "y").await;
    let job = w.repack(&[source]).await;
    w.relocate(job, &old, target, "x").await;
    let again = w
        .catalogue
        .record_moves(job, vec![w.intent(&old, target)], &w.epochs(), at(6))
        .await;
    assert!(is_conflict(&again), "{again:?}");
    w.advance(job, JobState::Cancelled).await;
    let late = w
        .catalogue
        .record_moves(job, vec![w.intent(&other, target)], &w.epochs(), at(6))
        .await;
    assert!(is_conflict(&late), "{late:?}");
}

/// a rerun after a crash sweeps what it finds and records anew; nothing is there twice in the end.
pub async fn a_rerun_reaches_the_goal_without_duplicates(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let a = w.put_one("a", source, "aa").await;
    let b = w.put_one("b", source, "bb").await;
    let job = w.repack(&[source]).await;
    w.relocate(job, &a, target, "aa").await;
    let lost = w.copy(job, &b, target, "bb").await;
    w.lease(source).await;
    w.lease(target).await;
    assert_eq!(
        w.catalogue.sweep_pending(Some(target), at(8)).await.unwrap()[&Owner::Move(job)].0,
        1
    );
    assert!(w.swap(job, &[lost]).await.is_err());
    let manifest = w.catalogue.manifest(source, all()).await.unwrap();
    assert_eq!(manifest.iter().map(|row| row.extent).collect::<Vec<_>>(), [b.id]);
    w.relocate(job, &b, target, "bb").await;
    assert!(w.catalogue.manifest(source, all()).await.unwrap().is_empty());
    assert_eq!(w.on(target, ExtentState::Sync).await.len(), 2);
    assert_eq!(w.on(target, ExtentState::Orphan).await.len(), 1);
    assert_eq!(
        w.catalogue
            .moves(job, &[MoveState::Dropped], all())
            .await
            .unwrap()
            .len(),
        1
    );
}

/// a record cut short left no row.
pub async fn a_record_cut_short_did_not_happen(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    w.trap.set(crate::model::Step::RecordBeforeCommit);
    let epochs = w.epochs();
    let call = w
        .catalogue
        .record_moves(job, vec![w.intent(&old, target)], &epochs, at(4));
    super::swap::cut_short(call).await;
    assert!(w.on(target, ExtentState::Pending).await.is_empty());
    w.relocate(job, &old, target, "x").await;
}
