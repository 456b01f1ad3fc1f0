//! The swap: hop 10.

use super::World;
use super::support::{FIRST, all, at, is_conflict, is_fenced, oid};
use crate::catalogue::{SWAP_MAX, SwapEntry, SwapOutcome};
use crate::model::{ExtentState, Hold, MoveState, Step, Version};
use futures_util::FutureExt;
use std::panic::AssertUnwindSafe;

/// Runs a call that the trap is to end, and checks that it did.
pub async fn cut_short<T>(call: impl Future<Output = T>) {
    assert!(
        AssertUnwindSafe(call).catch_unwind().await.is_err(),
        "the step was never reached"
    );
}

/// Hop 10: new to sync, layout repointed, old to orphan and held; attributes and version stay.
pub async fn a_swap_repoints_and_holds_the_old_bytes(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let put = super::support::Put {
        grouping: Some("films"),
        ..w.simple("a", source, "abc")
    };
    let before = w.put(put).await;
    let old = before.entries[0].extent.clone();
    let job = w.repack(&[source]).await;
    let new = w.relocate(job, &old, target, "abc").await;
    let after = w.catalogue.object(&oid("a"), None).await.unwrap();
    assert_eq!(after.object, before.object);
    assert_eq!(after.entries[0].extent, new);
    assert_eq!((new.state, new.owner, new.medium), (ExtentState::Sync, None, target));
    let old = w.catalogue.extent(old.id).await.unwrap();
    assert_eq!((old.state, old.hold), (ExtentState::Orphan, Hold::Forever));
    assert!(
        w.row(target).await.groupings.contains("films"),
        "X-14: the target carries the grouping"
    );
    assert!(
        w.row(source).await.groupings.contains("films"),
        "X-14: until it is erased"
    );
}

/// E-03: one swap repoints every layout that uses the extent.
pub async fn a_shared_extent_takes_all_its_objects_along(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "abc").await;
    w.share(old.id, "b", 3).await;
    assert_eq!(w.catalogue.references(&[old.id]).await.unwrap().len(), 2);
    let job = w.repack(&[source]).await;
    let new = w.relocate(job, &old, target, "abc").await;
    assert_eq!((w.first("a").await.id, w.first("b").await.id), (new.id, new.id));
    assert!(w.catalogue.references(&[old.id]).await.unwrap().is_empty());
}

/// one of two objects is deleted while the extent moves: the other follows, and so does the deleted version.
pub async fn a_delete_during_the_move_does_not_stop_it(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "abc").await;
    w.share(old.id, "b", 3).await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "abc").await;
    w.catalogue.delete_object(&oid("a"), at(4)).await.unwrap();
    assert_eq!(w.swap(job, &[entry]).await.unwrap(), [SwapOutcome::Swapped]);
    assert_eq!(w.first("b").await.medium, target);
    w.catalogue.undelete_object(&oid("a"), at(6)).await.unwrap();
    assert_eq!(w.first("a").await.medium, target, "X-18");
}

/// E-07: an overwrite racing the swap wins by name, and the old version still moves.
pub async fn an_overwrite_racing_the_swap_is_not_lost(w: &World) {
    let (source, target, third) = (
        w.medium("source").await,
        w.medium("target").await,
        w.medium("third").await,
    );
    let old = w.put_one("a", source, "old").await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "old").await;
    let newer = w.put_one("a", third, "newer").await;
    assert_eq!(w.swap(job, &[entry]).await.unwrap(), [SwapOutcome::Swapped]);
    assert_eq!(w.first("a").await.id, newer.id);
    let first = w.catalogue.object(&oid("a"), Some(Version(1))).await.unwrap();
    assert_eq!(first.entries[0].extent.medium, target);
}

/// E-07: an entry whose layout moved on meanwhile is no error: its new extent is an orphan, the others are swapped.
pub async fn an_entry_that_moved_on_vanishes(w: &World) {
    let (source, target, third) = (
        w.medium("source").await,
        w.medium("target").await,
        w.medium("third").await,
    );
    let (a, b) = (w.put_one("a", source, "aaa").await, w.put_one("b", source, "bbb").await);
    let job = w.repack(&[source]).await;
    let late = w.copy(job, &a, target, "aaa").await;
    let other = w.copy(job, &b, target, "bbb").await;
    let moved = w.relocate(job, &a, third, "aaa").await;
    let entries = [late, other];
    let outcomes = w.swap(job, &entries).await.unwrap();
    assert_eq!(outcomes, [SwapOutcome::Vanished, SwapOutcome::Swapped]);
    assert_eq!(w.first("a").await.id, moved.id);
    let dropped = w.catalogue.extent(entries[0].new.extent().id).await.unwrap();
    assert_eq!((dropped.state, dropped.hold), (ExtentState::Orphan, Hold::None));
    let moves = w.catalogue.moves(job, &[MoveState::Dropped], all()).await.unwrap();
    assert_eq!(moves.iter().map(|entry| entry.new).collect::<Vec<_>>(), [dropped.id]);
}

/// E-07: the same extent twice in one batch: the first entry takes the layout.
pub async fn the_order_of_entries_decides(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let entries = [
        w.copy(job, &old, target, "aaa").await,
        w.copy(job, &old, target, "aaa").await,
    ];
    assert_eq!(
        w.swap(job, &entries).await.unwrap(),
        [SwapOutcome::Swapped, SwapOutcome::Vanished]
    );
    assert_eq!(w.first("a").await.id, entries[0].new.extent().id);
}

/// Hop 10: a swap whose answer was lost is asked again, and answers what it did.
pub async fn a_swap_asked_again_answers_the_same(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let entries = [w.copy(job, &old, target, "aaa").await];
    assert_eq!(w.swap(job, &entries).await.unwrap(), [SwapOutcome::Swapped]);
    assert_eq!(w.swap(job, &entries).await.unwrap(), [SwapOutcome::Swapped]);
    assert_eq!(w.first("a").await.id, entries[0].new.extent().id);
    assert_eq!(w.state(old.id).await, ExtentState::Orphan);
}

/// a database that fails in the middle of a swap leaves every layout and every state as it was.
pub async fn a_swap_cut_short_did_not_happen(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let (a, b) = (w.put_one("a", source, "aaa").await, w.put_one("b", source, "bbb").await);
    let job = w.repack(&[source]).await;
    let entries = [
        w.copy(job, &a, target, "aaa").await,
        w.copy(job, &b, target, "bbb").await,
    ];
    w.trap.set(Step::SwapBeforeCommit);
    cut_short(w.swap(job, &entries)).await;
    assert_eq!((w.first("a").await, w.first("b").await), (a, b));
    assert_eq!(w.on(target, ExtentState::Pending).await.len(), 2);
    w.trap.set(Step::SwapAfterCommit);
    cut_short(w.swap(job, &entries)).await;
    assert_eq!((w.first("a").await.medium, w.first("b").await.medium), (target, target));
    assert_eq!(w.swap(job, &entries).await.unwrap(), [SwapOutcome::Swapped; 2]);
}

/// One bad entry refuses its whole batch, and a refused batch changes nothing.
pub async fn a_batch_is_swapped_whole_or_not_at_all(w: &World) {
    let (source, target, third) = (
        w.medium("source").await,
        w.medium("target").await,
        w.medium("third").await,
    );
    let (a, b) = (w.put_one("a", source, "aaa").await, w.put_one("b", source, "bbb").await);
    let job = w.repack(&[source]).await;
    let entries = [
        w.copy(job, &a, target, "aaa").await,
        w.copy(job, &b, third, "bbb").await,
    ];
    w.lease(third).await;
    assert!(super::support::is_lease_lost(&w.swap(job, &entries).await));
    assert_eq!(w.first("a").await, a);
    assert_eq!(w.state(entries[0].new.extent().id).await, ExtentState::Pending);
}

/// I2: only the job that recorded a move swaps it.
pub async fn only_the_owner_swaps(w: &World) {
    let (source, target, third) = (
        w.medium("source").await,
        w.medium("target").await,
        w.medium("third").await,
    );
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let other = w.repack(&[third]).await;
    let entry = w.copy(job, &old, target, "aaa").await;
    let theirs = w.swap(other, &[entry]).await;
    assert!(is_conflict(&theirs), "{theirs:?}");
    assert_eq!(w.first("a").await, old);
}

/// Hop 10: at most 2,000 entries a transaction.
pub async fn a_swap_has_a_stated_maximum(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    let intents = (0..=SWAP_MAX).map(|_| w.intent(&old, target)).collect();
    let recorded = w
        .catalogue
        .record_moves(job, intents, &w.epochs(), at(4))
        .await
        .unwrap();
    let entries: Vec<SwapEntry> = recorded
        .into_iter()
        .map(|recorded| SwapEntry {
            old: old.id,
            new: w.synced(recorded, b"x"),
        })
        .collect();
    assert!(w.swap(job, &entries).await.is_err());
    let outcomes = w.swap(job, &entries[..SWAP_MAX]).await.unwrap();
    let swapped = outcomes
        .iter()
        .filter(|outcome| **outcome == SwapOutcome::Swapped)
        .count();
    assert_eq!((swapped, outcomes.len()), (1, SWAP_MAX));
}

/// I6: a target erased since the bytes were written takes no layout.
pub async fn an_erased_target_takes_no_layout(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "aaa").await;
    let fence = w
        .catalogue
        .fence_medium(target, None, false, w.epoch(target), at(5))
        .await
        .unwrap();
    assert_eq!(fence, crate::catalogue::Fence::InUse { live: 0, pending: 1 });
    w.catalogue.abandon(entry.new.owner(), None, at(6)).await.unwrap();
    w.catalogue
        .fence_medium(target, None, false, w.epoch(target), at(7))
        .await
        .unwrap();
    let late = w.swap(job, &[entry]).await;
    assert!(is_fenced(&late) || is_conflict(&late), "{late:?}");
    assert_eq!(w.first("a").await, old);
}

/// X-17, I8: what a failing get falls back to are the held old bytes, the newest first, and nothing that was never good.
pub async fn old_bytes_are_offered_newest_first(w: &World) {
    let (source, second, third) = (
        w.medium("source").await,
        w.medium("second").await,
        w.medium("third").await,
    );
    let first = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let dropped = w.copy(job, &first, third, "aaa").await;
    w.catalogue.abandon(dropped.new.owner(), None, at(4)).await.unwrap();
    let next = w.relocate(job, &first, second, "aaa").await;
    let again = w.repack(&[second]).await;
    w.relocate(again, &next, third, "aaa").await;
    let object = w.catalogue.object(&oid("a"), None).await.unwrap().object.id;
    let offered = w.catalogue.fallbacks(object, FIRST).await.unwrap();
    assert_eq!(
        offered.iter().map(|extent| extent.id).collect::<Vec<_>>(),
        [next.id, first.id]
    );
}
