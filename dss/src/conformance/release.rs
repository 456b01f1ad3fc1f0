//! A copy is given up by name, and never the last one that can be relied on (I10).

use super::World;
use super::support::{Put, at, is_conflict, is_not_found, oid};
use crate::catalogue::{MediumChange, Overwrite, Sure};
use crate::model::{
    AdmState, ByteCount, CopyNo, Extent, ExtentState, Health, JobKind, JobState, MediumId, ObjectDetail, Presence,
    Version,
};

async fn twice(w: &World, name: &'static str, one: MediumId, two: MediumId) -> ObjectDetail {
    w.put(Put {
        oid: name,
        copies: vec![vec![(one, "aa"), (one, "b")], vec![(two, "aa"), (two, "b")]],
        grouping: None,
        overwrite: Overwrite::Refuse,
    })
    .await
}

/// Notes that these extents were read back and are good.
async fn verify(w: &World, extents: impl IntoIterator<Item = &Extent>, on: MediumId) {
    let job = w
        .catalogue
        .create_job(JobKind::Migrate, super::support::spec(&[on]), at(3))
        .await
        .unwrap();
    let proofs: Vec<_> = extents.into_iter().map(|extent| w.read_back(extent)).collect();
    for row in w.catalogue.media().await.unwrap() {
        let noted = w.catalogue.mark_read_back(job.id, &row, &proofs, at(4)).await;
        assert!(noted.unwrap());
    }
    w.advance(job.id, JobState::Cancelled).await;
}

/// The extents of one copy.
fn copy(detail: &ObjectDetail, number: i16) -> Vec<Extent> {
    let entries = detail.entries.iter().filter(|entry| entry.copy == CopyNo(number));
    entries.map(|entry| entry.extent.clone()).collect()
}

/// The whole copy goes, its extents become orphans without a hold, and the other one stays as it was.
pub async fn i10_a_copy_is_released_whole(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let before = twice(w, "x", a, b).await;
    verify(w, &copy(&before, 1), b).await;
    let rehearsed = w
        .catalogue
        .release_copy(copy(&before, 0)[1].id, Sure::No, at(8))
        .await
        .unwrap();
    assert_eq!(w.state(copy(&before, 0)[1].id).await, ExtentState::Sync, "only asked");
    let released = w
        .catalogue
        .release_copy(copy(&before, 0)[1].id, Sure::Yes, at(9))
        .await
        .unwrap();
    assert_eq!(released, rehearsed);
    assert_eq!(
        (released.oid.as_str(), released.copy, released.extents),
        ("x", CopyNo(0), 2)
    );
    assert_eq!(
        (released.bytes, released.remaining, released.asked),
        (ByteCount(3), 1, CopyNo(2))
    );
    let after = w.catalogue.object(&oid("x"), None).await.unwrap();
    let ids = |extents: Vec<Extent>| extents.into_iter().map(|extent| extent.id).collect::<Vec<_>>();
    assert_eq!((copy(&after, 0), ids(copy(&after, 1))), (vec![], ids(copy(&before, 1))));
    for extent in copy(&before, 0) {
        assert_eq!(w.state(extent.id).await, ExtentState::Orphan);
    }
    let page = super::support::all();
    assert_eq!(
        w.catalogue.removable(a, page, at(10)).await.unwrap().len(),
        2,
        "swept like others"
    );
}

/// The last copy that counts stays: the second release of two is refused, and so is one whose other copy was not read back.
pub async fn i10_the_last_copy_is_not_released(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let detail = twice(w, "x", a, b).await;
    assert!(
        is_conflict(&w.catalogue.release_copy(copy(&detail, 0)[0].id, Sure::Yes, at(5)).await),
        "unverified"
    );
    verify(w, &copy(&detail, 1)[..1], b).await;
    assert!(
        is_conflict(&w.catalogue.release_copy(copy(&detail, 0)[0].id, Sure::Yes, at(5)).await),
        "one part is not"
    );
    verify(w, &copy(&detail, 1), b).await;
    verify(w, &copy(&detail, 0), a).await;
    w.catalogue
        .release_copy(copy(&detail, 0)[0].id, Sure::Yes, at(6))
        .await
        .unwrap();
    assert!(is_conflict(
        &w.catalogue.release_copy(copy(&detail, 1)[0].id, Sure::Yes, at(7)).await
    ));
    assert!(
        is_conflict(&w.catalogue.release_copy(copy(&detail, 0)[0].id, Sure::Yes, at(7)).await),
        "an orphan already"
    );
    assert!(is_not_found(
        &w.catalogue
            .release_copy(crate::model::ExtentId::fresh(), Sure::Yes, at(7))
            .await
    ));
    assert_eq!(w.catalogue.object(&oid("x"), None).await.unwrap().entries.len(), 2);
}

/// A copy on a medium that leaves, is suspect, missing, locked or being emptied does not count.
pub async fn i10_copies_on_media_not_relied_on_do_not_count(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let detail = twice(w, "x", a, b).await;
    let first = copy(&detail, 0)[0].id;
    let none = MediumChange::default;
    let changes = [
        MediumChange {
            health: Some(Health::Suspect),
            ..none()
        },
        MediumChange {
            health: Some(Health::Failing),
            ..none()
        },
        MediumChange {
            presence: Some(Presence::Missing),
            ..none()
        },
        MediumChange {
            locked: Some(true),
            ..none()
        },
        MediumChange {
            adm_state: Some(AdmState::Draining),
            ..none()
        },
        MediumChange {
            adm_state: Some(AdmState::AbandonShip),
            ..none()
        },
        MediumChange {
            adm_state: Some(AdmState::Retired),
            ..none()
        },
    ];
    for change in changes {
        // A doubt takes an earlier read-back away; the next case is to fail for its own reason.
        verify(w, &copy(&detail, 1), b).await;
        w.catalogue.change_medium(b, change.clone(), at(5)).await.unwrap();
        assert!(
            is_conflict(&w.catalogue.release_copy(first, Sure::Yes, at(6)).await),
            "{change:?}"
        );
        let well = MediumChange {
            health: Some(Health::Ok),
            presence: Some(Presence::Attached),
            locked: Some(false),
            adm_state: Some(AdmState::InService),
            ..none()
        };
        w.catalogue.change_medium(b, well, at(7)).await.unwrap();
        if change.health.is_some() {
            let again = w.catalogue.release_copy(first, Sure::Yes, at(8)).await;
            assert!(is_conflict(&again), "{change:?}: trust is no read-back");
        }
    }
    verify(w, &copy(&detail, 1), b).await;
    let job = w.repack(&[b]).await;
    assert!(
        is_conflict(&w.catalogue.release_copy(first, Sure::Yes, at(8)).await),
        "it is being emptied"
    );
    w.advance(job, JobState::Cancelled).await;
    w.catalogue.release_copy(first, Sure::Yes, at(9)).await.unwrap();
}

/// An extent that serves several objects is not given up for one of them.
pub async fn i10_a_shared_extent_is_not_released(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let detail = twice(w, "x", a, b).await;
    verify(w, &copy(&detail, 1), b).await;
    let shared = copy(&detail, 0)[0].id;
    w.share(shared, "y", 2).await;
    assert!(is_conflict(&w.catalogue.release_copy(shared, Sure::Yes, at(9)).await));
    assert_eq!(w.state(shared).await, ExtentState::Sync);
}

/// A version whose other copy was given up before is forgotten whole, when its last bytes are nowhere: it is no tombstone
/// to be, whose purge would let go of what an import can bring it back from.
pub async fn e16_a_version_is_forgotten_whole_whose_other_copy_was_released(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let detail = twice(w, "x", a, b).await;
    let last = copy(&detail, 1);
    verify(w, &last, b).await;
    w.catalogue
        .release_copy(copy(&detail, 0)[0].id, Sure::Yes, at(5))
        .await
        .unwrap();
    w.catalogue.delete_object(&oid("x"), at(6)).await.unwrap();
    super::reconcile::put_ahead(w, b).await;
    let gone: Vec<_> = last.iter().map(|extent| extent.id).collect();
    let forgotten = w.catalogue.forget_gone(b, &gone, at(10)).await.unwrap();
    assert_eq!(forgotten.versions, [(oid("x"), Version(1))]);
    assert!(w.versions().await.is_empty());
    assert!(is_not_found(&w.catalogue.object_by_id(detail.object.id).await));
    super::reconcile::level_again(w, b).await;
}
