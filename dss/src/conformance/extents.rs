//! Extents: the manifest, what may go, what is known.

use super::World;
use super::support::{Put, all, at, oid};
use crate::catalogue::{ExtentFilter, Page};
use crate::model::{ByteCount, CopyNo, ExtentId, ExtentState, Generation, Hold, MediumId, SessionId};
use std::collections::BTreeSet;

/// E-13: a manifest lists the live extents of its medium by id, by page, and nothing else.
pub async fn a_manifest_lists_only_its_medium(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let mut expected = Vec::new();
    for name in ["a", "b", "c"] {
        expected.push(w.put_one(name, disk, "x").await.id);
        w.put_one(&*format!("other-{name}").leak(), other, "x").await;
    }
    w.stage(&w.simple("pending", disk, "x"), SessionId::fresh()).await;
    expected.sort();
    let rows = w.catalogue.manifest(disk, all()).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.extent).collect::<Vec<_>>(), expected);
    let page = Page {
        after: Some(expected[0]),
        limit: 1,
    };
    let page = w.catalogue.manifest(disk, page).await.unwrap();
    assert_eq!(page, [rows[1].clone()]);
}

/// I10: a manifest names the media that hold, or are to hold, other copies.
pub async fn a_manifest_names_the_media_to_avoid(w: &World) {
    let media = [w.medium("a").await, w.medium("b").await, w.medium("c").await];
    let put = Put {
        copies: vec![vec![(media[0], "x")], vec![(media[1], "x")]],
        grouping: Some("films"),
        ..w.simple("a", media[0], "")
    };
    let detail = w.put(put).await;
    let avoid = async || w.catalogue.manifest(media[0], all()).await.unwrap().remove(0);
    let row = avoid().await;
    assert_eq!(
        (row.avoid, row.grouping.as_deref()),
        (BTreeSet::from([media[1]]), Some("films"))
    );
    let job = w.repack(&[media[1]]).await;
    let entry = w.copy(job, &detail.entries[1].extent, media[2], "x").await;
    assert_eq!(
        avoid().await.avoid,
        BTreeSet::from([media[1], media[2]]),
        "it is on its way there"
    );
    w.swap(job, &[entry]).await.unwrap();
    assert_eq!(avoid().await.avoid, BTreeSet::from([media[2]]));
}

/// I5: a deleted version inside its window is live, and the manifest says that only such ones need it.
pub async fn a_manifest_tells_what_only_deleted_versions_need(w: &World) {
    let disk = w.medium("disk").await;
    let extent = w.put_one("a", disk, "x").await;
    w.catalogue.delete_object(&oid("a"), at(5)).await.unwrap();
    assert!(w.catalogue.manifest(disk, all()).await.unwrap()[0].deleted_only);
    w.share(extent.id, "b", 1).await;
    assert!(!w.catalogue.manifest(disk, all()).await.unwrap()[0].deleted_only);
}

/// an extent of no bytes is as live as any other.
pub async fn an_extent_of_no_bytes_is_live(w: &World) {
    let (disk, target) = (w.medium("disk").await, w.medium("target").await);
    let empty = w.put_one("empty", disk, "").await;
    assert_eq!((empty.bytes, empty.state), (ByteCount(0), ExtentState::Sync));
    assert_eq!(w.catalogue.manifest(disk, all()).await.unwrap().len(), 1);
    let fence = w
        .catalogue
        .fence_medium(disk, None, false, w.epoch(disk), at(4))
        .await
        .unwrap();
    assert_eq!(fence, crate::catalogue::Fence::InUse { live: 1, pending: 0 });
    let job = w.repack(&[disk]).await;
    let moved = w.relocate(job, &empty, target, "").await;
    assert_eq!(w.first("empty").await.id, moved.id);
}

/// Extents asked for by id are told as each alone would be, in whatever state; those without a row are left out.
pub async fn several_extents_are_told_at_once(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let (a, b) = (w.put_one("a", disk, "1").await, w.put_one("b", other, "").await);
    w.put_one("c", disk, "3").await;
    let pending = w.stage(&w.simple("pending", disk, "x"), SessionId::fresh()).await;
    let pending = pending.places[0].1.extent().id;
    let ids = [b.id, pending, ExtentId::fresh(), a.id, a.id];
    let found = w.catalogue.extents_by_id(&ids).await.unwrap();
    assert_eq!(found.len(), 3);
    for (id, extent) in found {
        assert_eq!(extent, w.catalogue.extent(id).await.unwrap());
        assert!(ids.contains(&id));
    }
    assert!(w.catalogue.extents_by_id(&[]).await.unwrap().is_empty());
}

/// Extents are listed by id, by page, and by medium, name and state.
pub async fn extents_are_filtered_and_paged(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let a = w.put_one("a", disk, "1").await;
    let b = w.put_one("b", disk, "2").await;
    let c = w.put_one("a", other, "3").await;
    let list = async |filter: ExtentFilter, page| {
        let found = w.catalogue.extents(&filter, page).await.unwrap();
        found.into_iter().map(|extent| extent.id).collect::<Vec<_>>()
    };
    let by_name = ExtentFilter {
        oid: Some(oid("a")),
        ..ExtentFilter::default()
    };
    let sorted = |mut ids: Vec<_>| {
        ids.sort();
        ids
    };
    assert_eq!(list(by_name, all()).await, sorted(vec![a.id, c.id]), "any version");
    let by_medium = ExtentFilter {
        medium: Some(disk),
        state: Some(ExtentState::Sync),
        ..ExtentFilter::default()
    };
    assert_eq!(list(by_medium, all()).await, sorted(vec![a.id, b.id]));
    let everything = sorted(vec![a.id, b.id, c.id]);
    let page = Page {
        after: Some(everything[0]),
        limit: 1,
    };
    assert_eq!(list(ExtentFilter::default(), page).await, [everything[1]]);
}

/// What a medium's own index names, and what it does not, is told apart in every state and however it is asked for.
pub async fn extents_that_no_index_names_are_found_among_the_rest(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let mut live = vec![];
    for name in ["a", "b", "c", "d"] {
        live.push(w.put_one(name, disk, "").await.id);
    }
    w.put_one("a", other, "x").await;
    let staged = w.stage(&w.simple("pending", disk, "x"), SessionId::fresh()).await;
    let pending = staged.places[0].1.extent().id;
    let revision = w.catalogue.identity().await.unwrap().revision;
    let (named, unnamed) = (live[..1].to_vec(), live[1..].to_vec());
    w.catalogue.mark_indexed(disk, revision, &named).await.unwrap();
    let list = async |filter: ExtentFilter, page| {
        let found = w.catalogue.extents(&filter, page).await.unwrap();
        found.into_iter().map(|extent| extent.id).collect::<BTreeSet<_>>()
    };
    let set = |ids: &[ExtentId]| ids.iter().copied().collect::<BTreeSet<_>>();
    let on_disk = |state, indexed| ExtentFilter {
        medium: Some(disk),
        state,
        indexed: Some(indexed),
        ..ExtentFilter::default()
    };
    let sync = Some(ExtentState::Sync);
    assert_eq!(list(on_disk(sync, false), all()).await, set(&unnamed));
    assert_eq!(list(on_disk(sync, true), all()).await, set(&named));
    let first = *set(&unnamed).first().unwrap();
    let page = Page {
        after: Some(first),
        limit: 1,
    };
    let second = set(&unnamed).into_iter().nth(1).unwrap();
    assert_eq!(
        list(on_disk(sync, false), page).await,
        set(&[second]),
        "by id, page by page"
    );
    let any_state = [&unnamed[..], &[pending]].concat();
    assert_eq!(list(on_disk(None, false), all()).await, set(&any_state));
    let by_name = ExtentFilter {
        oid: Some(oid("a")),
        indexed: Some(true),
        ..ExtentFilter::default()
    };
    assert_eq!(
        list(by_name, all()).await,
        set(&named),
        "the other version is not indexed"
    );
    let anywhere = ExtentFilter {
        indexed: Some(true),
        ..ExtentFilter::default()
    };
    assert_eq!(list(anywhere.clone(), all()).await, set(&named));
    let pending_named = ExtentFilter {
        state: Some(ExtentState::Pending),
        ..anywhere
    };
    assert_eq!(list(pending_named, all()).await, set(&[]));
}

/// E-08: an orphan may go when its hold is over, and not before.
pub async fn a_held_orphan_is_not_removable(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "x").await;
    let terms = crate::catalogue::SwapTerms {
        job,
        hold: Hold::Until(at(100)),
        now: at(5),
    };
    w.catalogue.swap_batch(terms, &[entry]).await.unwrap();
    assert_eq!(w.catalogue.extent(old.id).await.unwrap().hold, Hold::Until(at(100)));
    assert!(w.catalogue.removable(source, all(), at(99)).await.unwrap().is_empty());
    let over = w.catalogue.removable(source, all(), at(100)).await.unwrap();
    assert_eq!(over.iter().map(|extent| extent.id).collect::<Vec<_>>(), [old.id]);
}

/// Orphans that cannot be removed do not hide the others: they are asked for page by page.
pub async fn removable_orphans_are_found_page_by_page(w: &World) {
    let disk = w.medium("disk").await;
    let mut ids = vec![];
    for name in ["a", "b", "c"] {
        let staged = w.stage(&w.simple(name, disk, name), SessionId::fresh()).await;
        let recorded = &staged.places[0].1;
        w.catalogue.abandon(recorded.owner(), None, at(3)).await.unwrap();
        ids.push(recorded.extent().id);
    }
    ids.sort();
    let mut after = None;
    for id in ids {
        let page = Page { after, limit: 1 };
        let found = w.catalogue.removable(disk, page, at(5)).await.unwrap();
        assert_eq!(found.iter().map(|extent| extent.id).collect::<Vec<_>>(), [id]);
        after = Some(id);
    }
    let page = Page { after, limit: 1 };
    assert!(w.catalogue.removable(disk, page, at(5)).await.unwrap().is_empty());
    let lock = crate::catalogue::MediumChange {
        locked: Some(true),
        ..crate::catalogue::MediumChange::default()
    };
    w.catalogue.change_medium(disk, lock, at(6)).await.unwrap();
    assert!(
        w.catalogue.removable(disk, all(), at(7)).await.unwrap().is_empty(),
        "locked"
    );
}

/// I11: only orphans lose their rows, and only those of the medium and generation named.
pub async fn only_orphans_are_forgotten(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let live = w.put_one("live", disk, "x").await;
    let staged = w.stage(&w.simple("gone", disk, "y"), SessionId::fresh()).await;
    let pending = w.stage(&w.simple("pending", disk, "z"), SessionId::fresh()).await;
    let gone = staged.places[0].1.extent().id;
    w.catalogue
        .abandon(staged.places[0].1.owner(), None, at(3))
        .await
        .unwrap();
    let all_of_them = [live.id, gone, pending.places[0].1.extent().id];
    let forget = async |medium: MediumId, generation| {
        w.catalogue
            .forget_orphans(medium, Generation(generation), &all_of_them)
            .await
            .unwrap()
    };
    assert_eq!(forget(other, 0).await, 0);
    assert_eq!(forget(disk, 1).await, 0);
    assert_eq!(forget(disk, 0).await, 1);
    assert!(super::support::is_not_found(&w.catalogue.extent(gone).await));
    assert_eq!(w.on(disk, ExtentState::Sync).await.len(), 1);
    assert_eq!(w.on(disk, ExtentState::Pending).await.len(), 1);
}

/// X-16, I11: an address that any row has is not given again, so that no sweep of an orphan finds live bytes there.
pub async fn an_address_is_never_shared(w: &World) {
    let disk = w.medium("disk").await;
    let staged = w.stage(&w.simple("a", disk, "x"), SessionId::fresh()).await;
    let orphan = staged.places[0].1.extent().clone();
    w.catalogue
        .abandon(staged.places[0].1.owner(), None, at(3))
        .await
        .unwrap();
    let mut again = w.new_extent("b", disk, "live");
    again.address = orphan.address.clone();
    let record = async || {
        w.catalogue
            .record_put(SessionId::fresh(), vec![again.clone()], &w.epochs(), at(4))
            .await
    };
    assert!(record().await.is_err());
    let removable = w.catalogue.removable(disk, all(), at(5)).await.unwrap();
    assert_eq!(
        removable.iter().map(|extent| extent.id).collect::<Vec<_>>(),
        [orphan.id]
    );
    w.catalogue
        .forget_orphans(disk, Generation(0), &[orphan.id])
        .await
        .unwrap();
    record().await.unwrap();
    assert!(w.catalogue.removable(disk, all(), at(6)).await.unwrap().is_empty());
    let same_batch = vec![w.new_extent("c", disk, "1"), w.new_extent("d", disk, "2")];
    let same_batch = same_batch.into_iter().map(|mut extent| {
        extent.address = crate::model::Address("objects/same".to_owned());
        extent
    });
    assert!(
        w.catalogue
            .record_put(SessionId::fresh(), same_batch.collect(), &w.epochs(), at(7))
            .await
            .is_err()
    );
    assert_eq!(
        w.on(disk, ExtentState::Pending).await.len(),
        1,
        "a refused batch leaves no row"
    );
}

/// E-05: what travels with an extent is enough to rebuild its object.
pub async fn headers_say_what_the_object_is(w: &World) {
    let disk = w.medium("disk").await;
    let put = Put {
        copies: vec![vec![(disk, "ab"), (disk, "c")]],
        grouping: Some("films"),
        ..w.simple("a", disk, "")
    };
    let detail = w.put(put).await;
    let pending = w.stage(&w.simple("b", disk, "x"), SessionId::fresh()).await;
    let ids = [detail.entries[1].extent.id, pending.places[0].1.extent().id];
    let headers = w.catalogue.headers(&ids).await.unwrap();
    assert_eq!(headers.len(), 1, "an object that does not exist yet has none");
    let header = &headers[&ids[0]];
    assert_eq!(
        (header.bytes, header.copies, header.copy_extents),
        (ByteCount(3), CopyNo(1), 2)
    );
    assert_eq!(
        (header.grouping.as_deref(), header.created_at),
        (Some("films"), detail.object.created_at)
    );
    assert_eq!(header.metadata, detail.object.metadata);
}

/// Read-back marks the extent, and the move that wrote it.
pub async fn a_read_back_is_noted(w: &World) {
    use crate::model::MoveState;
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    let new = w.relocate(job, &old, target, "x").await;
    assert_eq!(new.verified_at, None);
    let row = w.row(target).await;
    assert!(
        w.catalogue
            .mark_read_back(job, &row, &[w.read_back(&new)], at(8))
            .await
            .unwrap()
    );
    assert_eq!(w.catalogue.extent(new.id).await.unwrap().verified_at, Some(at(8)));
    let moves = w.catalogue.moves(job, &[MoveState::ReadBack], all()).await.unwrap();
    assert_eq!(
        moves.iter().map(|entry| (entry.old, entry.new)).collect::<Vec<_>>(),
        [(old.id, new.id)]
    );
    assert!(
        w.catalogue
            .moves(job, &[MoveState::Swapped], all())
            .await
            .unwrap()
            .is_empty()
    );
}
