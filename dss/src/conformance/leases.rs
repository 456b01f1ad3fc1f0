//! I7: one holder at a time, and nothing done under a dead epoch.

use super::World;
use super::support::{at, is_conflict, is_lease_lost};
use crate::catalogue::CatalogueError;
use crate::model::{ExtentState, Holder, HolderId, Owner, Resource, SessionId};

fn holder(seat: &str) -> Holder {
    Holder {
        id: HolderId::fresh(),
        seat: seat.to_owned(),
    }
}

/// I7: the next life of the same seat holds the state folder's lock: it need not wait.
pub async fn the_same_seat_takes_over_at_once(w: &World) {
    let drive = Resource::Drive("drv0".to_owned());
    let (first, second) = (holder("here"), holder("here"));
    let old = w.catalogue.take_lease(&drive, &first, 60, 30, at(0)).await.unwrap();
    let new = w.catalogue.take_lease(&drive, &second, 60, 30, at(1)).await.unwrap();
    assert!(new.epoch > old.epoch);
    assert_eq!((new.holder, new.expires_at), (second.id, at(61)));
    assert!(
        w.catalogue.renew_leases(&first, 60, at(2)).await.unwrap().is_empty(),
        "lost"
    );
}

/// I7: another seat waits for the end and the margin.
pub async fn another_seat_waits_for_end_and_margin(w: &World) {
    let drive = Resource::Drive("drv0".to_owned());
    let old = w
        .catalogue
        .take_lease(&drive, &holder("here"), 60, 30, at(0))
        .await
        .unwrap();
    let other = holder("there");
    let early = w.catalogue.take_lease(&drive, &other, 60, 30, at(89)).await;
    assert!(
        matches!(early, Err(CatalogueError::LeaseHeld { until, .. }) if until == at(90)),
        "{early:?}"
    );
    let new = w.catalogue.take_lease(&drive, &other, 60, 30, at(90)).await.unwrap();
    assert!(new.epoch > old.epoch);
}

/// I7: renewing prolongs every lease of a holder and changes no epoch.
pub async fn renewal_prolongs_what_is_still_ours(w: &World) {
    let us = holder("here");
    let drive = Resource::Drive("drv0".to_owned());
    let disk = Resource::Medium(w.medium("disk").await);
    let taken = w.catalogue.take_lease(&drive, &us, 60, 30, at(0)).await.unwrap();
    let released = w
        .catalogue
        .take_lease(&Resource::Drive("drv1".to_owned()), &us, 60, 30, at(0))
        .await
        .unwrap();
    w.catalogue.release_lease(&released).await.unwrap();
    let renewed = w.catalogue.renew_leases(&us, 60, at(50)).await.unwrap();
    assert_eq!(renewed.len(), 1, "the disk {disk:?} is leased to somebody else");
    assert_eq!(
        (&renewed[0].resource, renewed[0].epoch, renewed[0].expires_at),
        (&drive, taken.epoch, at(110))
    );
}

/// I7: a lease given back is free at once, and its epoch never comes again.
pub async fn a_released_lease_is_free_and_its_epoch_dead(w: &World) {
    let disk = w.medium("disk").await;
    let lease = w.lease(disk).await;
    w.catalogue.release_lease(&lease).await.unwrap();
    let late = vec![w.new_extent("a", disk, "x")];
    let late = w
        .catalogue
        .record_put(SessionId::fresh(), late, &w.epochs(), at(1))
        .await;
    assert!(is_lease_lost(&late), "{late:?}");
    let next = w
        .catalogue
        .take_lease(&lease.resource, &holder("there"), 60, 30, at(1))
        .await
        .unwrap();
    assert!(next.epoch > lease.epoch);
    w.catalogue.release_lease(&lease).await.unwrap();
    assert!(
        w.catalogue
            .renew_leases(&holder("x"), 60, at(2))
            .await
            .unwrap()
            .is_empty()
    );
    let other = w
        .catalogue
        .take_lease(&lease.resource, &holder("elsewhere"), 60, 30, at(2))
        .await;
    assert!(
        matches!(other, Err(CatalogueError::LeaseHeld { .. })),
        "a stale release frees nothing"
    );
}

/// I7: giving back a lease of an earlier epoch, late, does not free the present one, even of the same holder.
pub async fn a_stale_release_frees_nothing(w: &World) {
    let disk = w.medium("disk").await;
    let stale = w.lease(disk).await;
    let present = w.lease(disk).await;
    assert!(present.epoch > stale.epoch, "every taking has an epoch of its own");
    w.catalogue.release_lease(&stale).await.unwrap();
    w.put_one("a", disk, "x").await;
}

/// I7: after a takeover the former holder can record, commit, swap and fence nothing.
pub async fn a_lost_epoch_changes_nothing(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "aaa").await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "aaa").await;
    let staged = w.stage(&w.simple("b", target, "b"), SessionId::fresh()).await;
    let stale = w.epochs();
    w.lease(target).await;
    w.lease(source).await;
    let record = vec![w.new_extent("c", target, "c")];
    assert!(is_lease_lost(
        &w.catalogue.record_put(SessionId::fresh(), record, &stale, at(9)).await
    ));
    assert!(is_lease_lost(
        &w.catalogue
            .record_moves(job, vec![w.intent(&old, target)], &stale, at(9))
            .await
    ));
    assert!(is_lease_lost(&w.swap(job, std::slice::from_ref(&entry)).await));
    assert!(is_lease_lost(&w.commit(staged).await));
    let fence = w
        .catalogue
        .fence_medium(source, Some(job), false, stale[&source], at(9))
        .await;
    assert!(is_lease_lost(&fence), "{fence:?}");
    assert_eq!(w.first("a").await.id, old.id);
    assert_eq!(
        w.state(entry.new.extent().id).await,
        ExtentState::Pending,
        "a refusal changes nothing"
    );
}

/// I2: pending extents are swept when their epoch is dead, and only then.
pub async fn only_dead_epochs_are_swept(w: &World) {
    let (here, there) = (w.medium("here").await, w.medium("there").await);
    let session = SessionId::fresh();
    let extents = vec![w.new_extent("a", here, "aaa"), w.new_extent("b", there, "bb")];
    w.catalogue
        .record_put(session, extents, &w.epochs(), at(1))
        .await
        .unwrap();
    assert!(w.catalogue.sweep_pending(None, at(2)).await.unwrap().is_empty());
    w.lease(here).await;
    assert!(w.catalogue.sweep_pending(Some(there), at(3)).await.unwrap().is_empty());
    let swept = w.catalogue.sweep_pending(None, at(4)).await.unwrap();
    assert_eq!(
        swept.into_iter().collect::<Vec<_>>(),
        [(Owner::Put(session), (1, crate::model::ByteCount(3)))]
    );
    assert_eq!(w.on(here, ExtentState::Orphan).await.len(), 1);
    assert_eq!(w.on(there, ExtentState::Pending).await.len(), 1);
}

/// I2: what was swept cannot be committed or swapped any more, even by an owner that comes back.
pub async fn a_swept_extent_is_never_referenced(w: &World) {
    let disk = w.medium("disk").await;
    let staged = w.stage(&w.simple("a", disk, "x"), SessionId::fresh()).await;
    let extent = staged.places[0].1.extent().id;
    let owner = staged.places[0].1.owner();
    assert_eq!(w.catalogue.abandon(owner, Some(&[extent]), at(2)).await.unwrap(), 1);
    let late = w.commit(staged).await;
    assert!(is_conflict(&late), "{late:?}");
    assert_eq!(w.state(extent).await, ExtentState::Orphan);
    assert!(w.versions().await.is_empty());
}
