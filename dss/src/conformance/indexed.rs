//! What a medium's own index names, through the life of an extent: it is born unnamed, and what has a row no more is on no
//! list either (which every case leaves behind, see [`World::must_be_sound`]).

use super::World;
use super::import::{found, found_again};
use super::support::{all, at};
use crate::catalogue::{Adopt, ExtentFilter};
use crate::model::{ByteCount, Extent, ExtentId, ExtentState, Generation, Hold, JobState, MediumId, Owner, SessionId};

/// The live extents of a medium that its index does not name, and how many bytes they are said to have.
async fn unnamed(w: &World, medium: MediumId) -> (Vec<ExtentId>, ByteCount) {
    let filter = ExtentFilter {
        medium: Some(medium),
        state: Some(ExtentState::Sync),
        indexed: Some(false),
        ..ExtentFilter::default()
    };
    let listed = w.catalogue.extents(&filter, all()).await.unwrap();
    let usage = w.catalogue.usage(medium, at(9)).await.unwrap();
    (listed.iter().map(|extent| extent.id).collect(), usage.unindexed)
}

async fn is_indexed(w: &World, extent: ExtentId) -> bool {
    let unnamed = w.catalogue.unindexed(&[ExtentId::fresh(), extent]).await.unwrap();
    unnamed.is_empty()
}

/// Notes that a medium's index names these; of how many that was news.
async fn mark(w: &World, medium: MediumId, extents: &[ExtentId]) -> u64 {
    let revision = w.catalogue.identity().await.unwrap().revision;
    w.catalogue.mark_indexed(medium, revision, extents).await.unwrap()
}

/// A pending extent whose put was given up: an orphan that no index names.
async fn abandoned(w: &World, medium: MediumId) -> Extent {
    let session = SessionId::fresh();
    let staged = w.stage(&w.simple("abandoned", medium, "gone"), session).await;
    w.catalogue.abandon(Owner::Put(session), None, at(3)).await.unwrap();
    w.catalogue.extent(staged.places[0].1.extent().id).await.unwrap()
}

/// A recorded extent is named by no index, nor is it when it becomes live, before somebody says so of its own medium.
pub async fn an_extent_is_unnamed_until_its_own_medium_names_it(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let staged = w.stage(&w.simple("a", disk, "xyz"), SessionId::fresh()).await;
    let id = staged.places[0].1.extent().id;
    assert!(!is_indexed(w, id).await);
    assert_eq!(unnamed(w, disk).await, (vec![], ByteCount(0)), "it is not live yet");
    w.commit(staged).await.unwrap();
    assert!(!is_indexed(w, id).await);
    assert_eq!(unnamed(w, disk).await, (vec![id], ByteCount(3)));
    assert_eq!(mark(w, other, &[id]).await, 0, "the index of another medium");
    assert_eq!(unnamed(w, disk).await, (vec![id], ByteCount(3)));
    assert_eq!(mark(w, disk, &[id, id, ExtentId::fresh()]).await, 1);
    assert!(is_indexed(w, id).await);
    assert_eq!(unnamed(w, disk).await, (vec![], ByteCount(0)));
    assert_eq!(mark(w, disk, &[id]).await, 0, "it was said before");
}

/// A move makes an extent that the target's index does not name yet, and takes nothing from what is known of the old one.
pub async fn a_moved_extent_is_unnamed_and_the_old_one_stays_as_it_was(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let (named, not) = (w.put_one("a", source, "x").await, w.put_one("b", source, "yy").await);
    mark(w, source, &[named.id]).await;
    let job = w.repack(&[source]).await;
    let first = w.relocate(job, &named, target, "x").await;
    let second = w.relocate(job, &not, target, "yy").await;
    assert!(!is_indexed(w, first.id).await && !is_indexed(w, second.id).await);
    let mut moved = vec![first.id, second.id];
    moved.sort();
    assert_eq!(unnamed(w, target).await, (moved, ByteCount(3)));
    assert_eq!(
        unnamed(w, source).await,
        (vec![], ByteCount(0)),
        "nothing is live there"
    );
    assert!(is_indexed(w, named.id).await);
    assert!(!is_indexed(w, not.id).await);
    assert_eq!(mark(w, source, &[not.id]).await, 1, "an orphan may be named, too");
}

/// What was read from a medium's index is named by it: what is new, and what was not known to be.
pub async fn an_imported_extent_is_named(w: &World) {
    let disk = w.medium("disk").await;
    let live = w.put_one("live", disk, "x").await;
    let orphan = abandoned(w, disk).await;
    assert!(!is_indexed(w, live.id).await && !is_indexed(w, orphan.id).await);
    let new = found("new", 1, "z");
    let again = crate::catalogue::Found {
        read: None,
        extent: orphan.id,
        origin: orphan.origin.clone(),
        address: orphan.address.clone(),
        digests: crate::model::Digests::of(b"gone"),
        ..new.clone()
    };
    let items = vec![new.clone(), found_again(w, &live).await, again];
    let report = w.catalogue.import(disk, items, Adopt::No, at(60)).await.unwrap();
    assert_eq!((report.known, report.unknown), (2, 1), "{report:?}");
    for id in [live.id, orphan.id] {
        assert!(is_indexed(w, id).await);
    }
    assert_eq!(unnamed(w, disk).await, (vec![], ByteCount(0)));
    let report = w.catalogue.import(disk, vec![new.clone()], Adopt::Yes, at(61)).await;
    assert_eq!(report.unwrap().objects_adopted, 1);
    assert!(is_indexed(w, new.extent).await);
    assert_eq!(w.state(new.extent).await, ExtentState::Sync);
}

/// E-16: so is what a layout was made to follow to, for it was read from there.
pub async fn an_extent_that_a_layout_follows_to_is_named(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "x").await;
    let new = entry.new.extent().id;
    w.catalogue.abandon(Owner::Move(job), None, at(5)).await.unwrap();
    w.advance(job, JobState::Cancelled).await;
    assert!(!is_indexed(w, new).await);
    let new = w.catalogue.extent(new).await.unwrap();
    let pair = (old.id, w.read_back(&new));
    assert_eq!(w.catalogue.repoint_found(&[pair], at(70)).await.unwrap(), [true]);
    assert!(is_indexed(w, new.id).await);
    assert!(!is_indexed(w, old.id).await);
}

/// Whoever takes an extent's row takes it off every list; the rest stays listed.
pub async fn a_forgotten_extent_is_on_no_list(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let (stays, elsewhere) = (w.put_one("a", disk, "x").await, w.put_one("b", other, "y").await);
    let gone = [abandoned(w, disk).await.id, abandoned(w, disk).await.id];
    let forgotten = w.catalogue.forget_orphans(disk, Generation(0), &gone).await;
    assert_eq!(forgotten.unwrap(), 2);
    assert_eq!(mark(w, disk, &gone).await, 0);
    assert_eq!(unnamed(w, disk).await, (vec![stays.id], ByteCount(1)));
    let job = w.repack(&[disk]).await;
    let moved = w.relocate(job, &stays, other, "x").await;
    w.catalogue.quarantine(job, disk, Hold::None, at(6)).await.unwrap();
    super::erase::erase(w, disk, Some(job), at(7)).await;
    assert!(super::support::is_not_found(&w.catalogue.extent(stays.id).await));
    let mut left = vec![elsewhere.id, moved.id];
    left.sort();
    assert_eq!(unnamed(w, other).await, (left, ByteCount(2)));
}
