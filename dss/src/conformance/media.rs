//! Media: adding, changing, forgetting, use.

use super::World;
use super::support::{all, at, is_conflict, is_exists, is_not_found, spec};
use crate::catalogue::MediumChange;
use crate::model::{
    AdmState, ByteCount, FsState, Generation, Health, Hold, JobKind, Medium, MediumId, Presence, SessionId,
};
use std::collections::BTreeMap;

/// A new medium is in service, good, here, blank and was never erased.
pub async fn a_new_medium_is_blank_and_in_service(w: &World) {
    let new = w.new_medium("disk-a");
    let id = new.id;
    let medium = w.catalogue.add_medium(new, at(7)).await.unwrap();
    assert_eq!(
        (medium.adm_state, medium.health, medium.presence),
        (AdmState::InService, Health::Ok, Presence::Attached)
    );
    assert_eq!(
        (medium.fs_state, medium.generation, medium.locked),
        (FsState::Blank, Generation(0), false)
    );
    assert_eq!(medium.created_at, at(7));
    assert_eq!(w.catalogue.medium("disk-a").await.unwrap(), medium);
    assert_eq!(w.row(id).await, medium);
    assert!(is_not_found(&w.catalogue.medium("disk-b").await));
    assert!(is_not_found(&w.catalogue.medium_by_id(MediumId::fresh()).await));
}

/// Names are unique, and media are listed by them.
pub async fn media_are_listed_by_name(w: &World) {
    for name in ["b", "Z", "a"] {
        w.medium(name).await;
    }
    assert!(is_exists(&w.catalogue.add_medium(w.new_medium("a"), at(0)).await));
    let names: Vec<String> = w
        .catalogue
        .media()
        .await
        .unwrap()
        .into_iter()
        .map(|medium| medium.name)
        .collect();
    assert_eq!(names, ["Z", "a", "b"], "byte order");
}

/// Only a medium that was never labelled is forgotten.
pub async fn a_labelled_medium_is_not_forgotten(w: &World) {
    let labelled = w.medium("labelled").await;
    assert!(is_conflict(&w.catalogue.forget_medium(labelled).await));
    let blank = w.catalogue.add_medium(w.new_medium("blank"), at(0)).await.unwrap();
    w.catalogue.forget_medium(blank.id).await.unwrap();
    assert!(is_not_found(&w.catalogue.medium("blank").await));
    w.catalogue.add_medium(w.new_medium("blank"), at(0)).await.unwrap();
}

/// A change leaves alone what it does not name, and names what it expects.
pub async fn a_change_is_conditional_and_partial(w: &World) {
    let disk = w.medium("disk").await;
    let before = w.row(disk).await;
    let wrong = MediumChange {
        expect_adm_state: Some(AdmState::Retired),
        locked: Some(true),
        ..MediumChange::default()
    };
    assert!(is_conflict(&w.catalogue.change_medium(disk, wrong, at(1)).await));
    assert_eq!(w.row(disk).await, before);
    let right = MediumChange {
        expect_adm_state: Some(AdmState::InService),
        adm_state: Some(AdmState::Draining),
        capacity: Some(Some(ByteCount(9))),
        ..MediumChange::default()
    };
    let after = w.catalogue.change_medium(disk, right, at(1)).await.unwrap();
    assert_eq!(
        (after.adm_state, after.capacity),
        (AdmState::Draining, Some(ByteCount(9)))
    );
    assert_eq!(
        (after.fs_state, after.locked, &after.location),
        (before.fs_state, before.locked, &before.location)
    );
    assert_eq!(w.row(disk).await, after);
}

/// I6: *erasing* and *quarantined* are reached by methods of their own only.
pub async fn no_change_makes_a_medium_erasing_or_quarantined(w: &World) {
    let disk = w.medium("disk").await;
    for adm_state in [AdmState::Erasing, AdmState::Quarantined] {
        let change = MediumChange {
            adm_state: Some(adm_state),
            ..MediumChange::default()
        };
        assert!(
            is_conflict(&w.catalogue.change_medium(disk, change, at(1)).await),
            "{adm_state}"
        );
    }
    let job = w.repack(&[disk]).await;
    w.catalogue.quarantine(job, disk, Hold::None, at(1)).await.unwrap();
    let change = MediumChange {
        adm_state: Some(AdmState::InService),
        ..MediumChange::default()
    };
    assert!(is_conflict(&w.catalogue.change_medium(disk, change, at(1)).await));
}

/// a medium that holds something is not called empty.
pub async fn a_recorded_extent_makes_a_medium_used(w: &World) {
    let disk = w.medium("disk").await;
    assert_eq!(w.row(disk).await.fs_state, FsState::Empty);
    let extents = vec![w.new_extent("a", disk, "x")];
    w.catalogue
        .record_put(SessionId::fresh(), extents, &w.epochs(), at(1))
        .await
        .unwrap();
    assert_eq!(w.row(disk).await.fs_state, FsState::Used);
}

/// Usage tells live, deleted, dead, held and unindexed bytes apart.
pub async fn usage_sums_by_what_may_become_of_bytes(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let live = w.put_one("live", disk, "1").await;
    w.put_one("deleted", disk, "22").await;
    w.catalogue
        .delete_object(&super::support::oid("deleted"), at(3))
        .await
        .unwrap();
    let abandoned = w.stage(&w.simple("abandoned", disk, "4444"), SessionId::fresh()).await;
    w.catalogue
        .abandon(abandoned.places[0].1.owner(), None, at(3))
        .await
        .unwrap();
    w.stage(&w.simple("pending", disk, "88888888"), SessionId::fresh())
        .await;
    let moved = w.put_one("moved", disk, "0123456789012345").await;
    let revision = w.catalogue.identity().await.unwrap().revision;
    assert_eq!(w.catalogue.mark_indexed(disk, revision, &[live.id]).await.unwrap(), 1);
    let job = w.repack(&[disk]).await;
    w.relocate(job, &moved, other, "0123456789012345").await;
    let usage = w.catalogue.usage(disk, at(9)).await.unwrap();
    assert_eq!(
        (usage.live, usage.deleted, usage.unindexed),
        (ByteCount(3), ByteCount(2), ByteCount(2))
    );
    assert_eq!(
        (usage.dead, usage.held, usage.used),
        (ByteCount(4), ByteCount(16), ByteCount(31))
    );
    assert_eq!(
        (usage.extents.pending, usage.extents.sync, usage.extents.orphan),
        (1, 2, 2)
    );
    assert_eq!(w.row(disk).await.revision, revision);
}

/// Every row counts, in any state, until it is gone; media without bytes are left out.
pub async fn used_bytes_are_told_of_all_media_at_once(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    w.put_one("empty", disk, "").await;
    let used = async || w.catalogue.used().await.unwrap();
    assert_eq!(used().await, BTreeMap::new());
    w.put_one("live", disk, "1").await;
    let abandoned = w.stage(&w.simple("abandoned", disk, "22"), SessionId::fresh()).await;
    let gone = &abandoned.places[0].1;
    w.stage(&w.simple("pending", other, "4444"), SessionId::fresh()).await;
    let all = BTreeMap::from([(disk, ByteCount(3)), (other, ByteCount(4))]);
    assert_eq!(used().await, all);
    w.catalogue.abandon(gone.owner(), None, at(3)).await.unwrap();
    assert_eq!(used().await, all, "its bytes are there until they are removed");
    let forgotten = w
        .catalogue
        .forget_orphans(disk, Generation(0), &[gone.extent().id])
        .await;
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(
        used().await,
        BTreeMap::from([(disk, ByteCount(1)), (other, ByteCount(4))])
    );
}

/// A medium that failed us gets no new bytes and its extents no confidence; a worse opinion stays.
pub async fn a_suspect_medium_loses_confidence(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("a", disk, "x").await;
    let job = w
        .catalogue
        .create_job(JobKind::Repack, spec(&[disk]), at(1))
        .await
        .unwrap();
    let before = w.row(disk).await;
    let note = |row: Medium, at_second| async move {
        let read = [w.read_back(&w.first("a").await)];
        let noted = w.catalogue.mark_read_back(job.id, &row, &read, at(at_second)).await;
        noted.unwrap()
    };
    assert!(note(before.clone(), 2).await);
    assert_eq!(w.first("a").await.verified_at, Some(at(2)));
    w.catalogue.suspect(disk, "it lied", at(3)).await.unwrap();
    // It was under way when the medium lied.
    assert!(!note(before, 3).await);
    assert_eq!(w.row(disk).await.health, Health::Suspect);
    assert_eq!(w.first("a").await.verified_at, None);
    for health in [Health::Suspect, Health::Failing, Health::Failed] {
        assert!(note(w.row(disk).await, 3).await);
        let change = MediumChange {
            health: Some(health),
            ..MediumChange::default()
        };
        w.catalogue.change_medium(disk, change, at(4)).await.unwrap();
        assert_eq!(w.first("a").await.verified_at, None, "an operator said {health}");
    }
    w.catalogue.suspect(disk, "again", at(5)).await.unwrap();
    assert_eq!(w.row(disk).await.health, Health::Failed);
    assert!(
        w.catalogue
            .events(all())
            .await
            .unwrap()
            .iter()
            .any(|event| event.kind == "medium.suspect")
    );
    // Its only object has no readable copy, and the case leaves a sound catalogue.
    let change = MediumChange {
        health: Some(Health::Ok),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(disk, change, at(6)).await.unwrap();
}
