//! Puts: recorded before their bytes, visible at once, each object for itself.

use super::World;
use super::support::{FIRST, Put, at, is_conflict, is_exists, is_fenced, is_not_found, oid, spec};
use crate::catalogue::{Fence, MediumChange, Overwrite};
use crate::model::{AdmState, ByteCount, CopyNo, ExtentState, JobKind, Owner, SessionId, Version, Versions};

/// E-04: a recorded extent is pending, owned, referenced by nothing, and no object exists.
pub async fn a_put_is_pending_first(w: &World) {
    let disk = w.medium("disk").await;
    let session = SessionId::fresh();
    let staged = w.stage(&w.simple("a", disk, "abc"), session).await;
    let row = w.catalogue.extent(staged.places[0].1.extent().id).await.unwrap();
    assert_eq!(
        (row.state, row.owner),
        (ExtentState::Pending, Some((Owner::Put(session), w.epoch(disk))))
    );
    assert_eq!((row.bytes, row.digests), (ByteCount(3), None));
    assert!(w.catalogue.references(&[row.id]).await.unwrap().is_empty());
    assert!(is_not_found(&w.catalogue.object(&oid("a"), None).await));
}

/// I2: an extent becomes sync only together with its layout entry, and gets its digests then.
pub async fn a_commit_makes_extents_sync_and_the_object_visible(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let put = Put {
        copies: vec![vec![(one, "ab"), (one, "c")], vec![(two, "abc")]],
        grouping: Some("films"),
        ..w.simple("a", one, "")
    };
    let detail = w.put(put).await;
    assert_eq!(detail.copy_numbers(), [CopyNo(0), CopyNo(1)]);
    assert_eq!((detail.object.bytes, detail.object.version), (ByteCount(3), Version(1)));
    for entry in &detail.entries {
        assert_eq!((entry.extent.state, entry.extent.owner), (ExtentState::Sync, None));
        assert!(entry.extent.digests.is_some() && entry.extent.inode == Some(1));
    }
    assert_eq!(w.catalogue.object(&oid("a"), None).await.unwrap(), detail);
    assert!(w.row(one).await.groupings.contains("films") && w.row(two).await.groupings.contains("films"));
}

/// A refused object leaves orphans and does not take its neighbours with it.
pub async fn objects_of_one_commit_fail_for_themselves(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("taken", disk, "old").await;
    let session = SessionId::fresh();
    let refuse = Put {
        overwrite: Overwrite::Refuse,
        ..w.simple("taken", disk, "new")
    };
    let staged = vec![
        w.stage(&w.simple("before", disk, "b"), session).await,
        w.stage(&refuse, session).await,
        w.stage(&w.simple("after", disk, "a"), session).await,
    ];
    let lost = staged[1].places[0].1.extent().id;
    let answers = w.catalogue.commit_put(staged, at(3)).await.unwrap();
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert!(is_exists(&answers[1]), "{:?}", answers[1]);
    assert_eq!(w.state(lost).await, ExtentState::Orphan);
    assert_eq!(w.versions().await.len(), 3);
}

/// An overwrite gives the next version and keeps the old one for its undelete window.
pub async fn an_overwrite_supersedes(w: &World) {
    let disk = w.medium("disk").await;
    let old = w.put_one("a", disk, "old").await;
    let new = w.put(w.simple("a", disk, "newer")).await;
    assert_eq!(new.object.version, Version(2));
    assert_eq!(w.first("a").await.id, new.entries[0].extent.id);
    let old_version = w.catalogue.object(&oid("a"), Some(Version(1))).await.unwrap();
    assert_eq!(old_version.object.deleted_at, Some(new.object.created_at));
    assert_eq!(old_version.entries[0].extent.id, old.id);
    assert_eq!(w.state(old.id).await, ExtentState::Sync);
}

/// Two puts of one name in one commit: the first is version 1, the second supersedes it.
pub async fn versions_of_one_commit_follow_its_order(w: &World) {
    let disk = w.medium("disk").await;
    let session = SessionId::fresh();
    let mut staged = Vec::new();
    for (bytes, version) in [("first", 1), ("second", 2)] {
        let put = w.simple("a", disk, bytes);
        staged.push(w.stage_as(&put, session, Version(version)).await);
    }
    let answers = w.catalogue.commit_put(staged, at(3)).await.unwrap();
    let versions: Vec<Version> = answers.into_iter().map(|answer| answer.unwrap().version).collect();
    assert_eq!(versions, [Version(1), Version(2)]);
    assert_eq!(
        w.catalogue.object(&oid("a"), None).await.unwrap().object.version,
        Version(2)
    );
}

/// A copy with a gap, or short of a copy asked for, never becomes visible.
pub async fn a_copy_that_is_not_whole_is_refused(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let put = Put {
        copies: vec![vec![(one, "ab"), (one, "c")], vec![(two, "abc")]],
        ..w.simple("a", one, "")
    };
    for missing in 0..3 {
        let mut staged = w.stage(&put, SessionId::fresh()).await;
        staged.places.remove(missing);
        assert!(w.commit(staged).await.is_err(), "place {missing}");
    }
    let mut staged = w.stage(&put, SessionId::fresh()).await;
    staged.object.bytes = ByteCount(4);
    assert!(w.commit(staged).await.is_err(), "another size");
    assert!(w.versions().await.is_empty());
}

/// a put recorded before its medium became a source commits, and is found live there.
pub async fn a_put_may_finish_on_a_medium_that_became_a_source(w: &World) {
    let disk = w.medium("disk").await;
    let staged = w.stage(&w.simple("a", disk, "x"), SessionId::fresh()).await;
    w.catalogue
        .create_job(JobKind::Repack, spec(&[disk]), at(3))
        .await
        .unwrap();
    w.commit(staged).await.unwrap();
    let manifest = w.catalogue.manifest(disk, super::support::all()).await.unwrap();
    assert_eq!(manifest.len(), 1);
}

/// the fence sees a put that is under way, and a put that comes after it is refused.
pub async fn a_put_and_the_fence_exclude_each_other(w: &World) {
    let disk = w.medium("disk").await;
    let staged = w.stage(&w.simple("a", disk, "x"), SessionId::fresh()).await;
    let epoch = w.epoch(disk);
    let fence = w.catalogue.fence_medium(disk, None, false, epoch, at(3)).await.unwrap();
    assert_eq!(fence, Fence::InUse { live: 0, pending: 1 });
    assert_eq!(w.row(disk).await.adm_state, AdmState::InService, "it stays as it was");
    let owner = staged.places[0].1.owner();
    w.catalogue.abandon(owner, None, at(4)).await.unwrap();
    let fence = w.catalogue.fence_medium(disk, None, false, epoch, at(4)).await.unwrap();
    assert!(matches!(fence, Fence::Erasing(_)));
    let late = vec![w.new_extent("b", disk, "x")];
    let late = w
        .catalogue
        .record_put(SessionId::fresh(), late, &w.epochs(), at(5))
        .await;
    assert!(is_fenced(&late), "{late:?}");
    assert!(w.commit(staged).await.is_err());
    assert!(w.versions().await.is_empty());
}

/// I6: a medium erased since takes nothing under its former generation.
pub async fn an_earlier_generation_is_fenced(w: &World) {
    let disk = w.medium("disk").await;
    let stale = w.new_extent("a", disk, "x");
    let Fence::Erasing(generation) = w
        .catalogue
        .fence_medium(disk, None, false, w.epoch(disk), at(3))
        .await
        .unwrap()
    else {
        panic!("it is empty");
    };
    w.catalogue.finish_erase(disk, generation, at(4)).await.unwrap();
    let late = w
        .catalogue
        .record_put(SessionId::fresh(), vec![stale], &w.epochs(), at(5))
        .await;
    assert!(is_fenced(&late), "{late:?}");
    w.put_one("a", disk, "x").await;
}

/// Only a medium in service and not locked takes new extents.
pub async fn only_a_medium_in_service_takes_extents(w: &World) {
    let disk = w.medium("disk").await;
    let locked = MediumChange {
        locked: Some(true),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(disk, locked, at(1)).await.unwrap();
    let extents = || vec![w.new_extent("a", disk, "x")];
    assert!(is_fenced(
        &w.catalogue
            .record_put(SessionId::fresh(), extents(), &w.epochs(), at(2))
            .await
    ));
    use AdmState::{AbandonShip, Draining, ReadOnly, Retired};
    for adm_state in [ReadOnly, Draining, AbandonShip, Retired] {
        let change = MediumChange {
            locked: Some(false),
            adm_state: Some(adm_state),
            ..MediumChange::default()
        };
        w.catalogue.change_medium(disk, change, at(1)).await.unwrap();
        let answer = w
            .catalogue
            .record_put(SessionId::fresh(), extents(), &w.epochs(), at(2))
            .await;
        assert!(is_fenced(&answer), "{adm_state}: {answer:?}");
    }
    assert!(
        w.catalogue
            .extents(&Default::default(), super::support::all())
            .await
            .unwrap()
            .is_empty()
    );
}

/// An owner abandons its own pending extents and nobody else's, and none that a commit made sync.
pub async fn abandoning_touches_only_ones_own_pending_extents(w: &World) {
    let disk = w.medium("disk").await;
    let (mine, theirs) = (SessionId::fresh(), SessionId::fresh());
    let committed = w.stage(&w.simple("a", disk, "a"), mine).await;
    w.commit(committed).await.unwrap();
    w.stage(&w.simple("b", disk, "b"), mine).await;
    w.stage(&w.simple("c", disk, "c"), theirs).await;
    assert_eq!(w.catalogue.abandon(Owner::Put(mine), None, at(3)).await.unwrap(), 1);
    assert_eq!(w.catalogue.abandon(Owner::Put(mine), None, at(3)).await.unwrap(), 0);
    assert_eq!(w.on(disk, ExtentState::Pending).await.len(), 1);
    assert_eq!(w.on(disk, ExtentState::Sync).await.len(), 1);
    let header = w.catalogue.headers(&[w.first("a").await.id]).await.unwrap();
    assert_eq!(header.len(), 1);
    assert_eq!(
        w.catalogue
            .fallbacks(w.versions().await[0].object.id, FIRST)
            .await
            .unwrap(),
        []
    );
}

/// E-16: media name bytes by object and version. Of two puts of a name at once, the slower one is to be written again, and
/// an ended version's number is known to be taken before a byte is written.
pub async fn a_put_is_given_the_version_its_media_name(w: &World) {
    let disk = w.medium("disk").await;
    let session = SessionId::fresh();
    let (fast, slow) = (w.simple("a", disk, "fast"), w.simple("a", disk, "slow"));
    let (first, second) = (w.stage(&fast, session).await, w.stage(&slow, session).await);
    let lost = second.places[0].1.extent().id;
    assert_eq!(w.commit(first).await.unwrap().version, Version(1));
    assert!(is_conflict(&w.commit(second).await));
    assert_eq!(w.state(lost).await, ExtentState::Orphan);
    w.catalogue.delete_object(&oid("a"), at(4)).await.unwrap();
    assert_eq!(w.catalogue.purge(at(4), 9, at(5)).await.unwrap(), 1);
    assert_eq!(w.next_version("a").await, Version(2));
    let detail = w.put(w.simple("a", disk, "again")).await;
    assert_eq!(
        (detail.object.version, detail.entries[0].extent.origin.version),
        (Version(2), Version(2))
    );
    assert_eq!(w.next_version("b").await, Version(1));
}

/// The versions of names are told in the order asked, a name that has none and one asked for twice included.
pub async fn versions_are_told_in_the_order_asked(w: &World) {
    let disk = w.medium("disk").await;
    w.put(w.simple("live", disk, "1")).await;
    w.put(w.simple("ended", disk, "2")).await;
    w.catalogue.delete_object(&oid("ended"), at(4)).await.unwrap();
    let told = w
        .catalogue
        .versions(&["new", "ended", "live", "new"].map(oid))
        .await
        .unwrap();
    let versions = |live: Option<i32>, next| Versions {
        live: live.map(Version),
        next: Version(next),
    };
    assert_eq!(
        told,
        [
            versions(None, 1),
            versions(None, 2),
            versions(Some(1), 2),
            versions(None, 1)
        ]
    );
    assert_eq!(w.catalogue.versions(&[]).await.unwrap(), []);
}

/// I3: an extent fills the place it was written for, and no other.
pub async fn an_extent_fills_only_its_own_place(w: &World) {
    let disk = w.medium("disk").await;
    let put = Put {
        copies: vec![vec![(disk, "a"), (disk, "b")]],
        ..w.simple("a", disk, "")
    };
    let mut staged = w.stage(&put, SessionId::fresh()).await;
    let (head, tail) = staged.places.split_at_mut(1);
    std::mem::swap(&mut head[0].0, &mut tail[0].0);
    assert!(w.commit(staged).await.is_err());
    assert!(w.versions().await.is_empty());
}
