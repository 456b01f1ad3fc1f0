//! Objects: delete, undelete, purge, list.

use super::World;
use super::support::{Put, at, is_conflict, is_exists, is_not_found, oid};
use crate::catalogue::{ObjectFilter, Overwrite};
use crate::model::{ExtentState, JobState, ObjectId, Version};
use std::collections::BTreeSet;

/// Versions asked for by id are told as each alone would be, deleted ones too; those that ended are left out.
pub async fn several_versions_are_told_at_once(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let copies = Put {
        copies: vec![vec![(disk, "1"), (disk, "2")], vec![(other, "1"), (other, "2")]],
        ..w.simple("a", disk, "")
    };
    let live = w.put(copies).await.object.id;
    let mut ids = vec![live];
    for name in ["deleted", "purged"] {
        ids.push(w.put(w.simple(name, disk, "x")).await.object.id);
    }
    w.put_one("beside", disk, "y").await;
    w.catalogue.delete_object(&oid("purged"), at(5)).await.unwrap();
    assert_eq!(w.catalogue.purge(at(5), 9, at(99)).await.unwrap(), 1);
    w.catalogue.delete_object(&oid("deleted"), at(6)).await.unwrap();
    ids.extend([ObjectId::fresh(), live]);
    let found = w.catalogue.objects_by_id(&ids).await.unwrap();
    assert_eq!(
        found.keys().copied().collect::<BTreeSet<_>>(),
        ids[..2].iter().copied().collect()
    );
    assert_eq!(found[&live].entries.len(), 4);
    for (id, detail) in found {
        assert_eq!(detail, w.catalogue.object_by_id(id).await.unwrap());
    }
    assert!(w.catalogue.objects_by_id(&[]).await.unwrap().is_empty());
}

/// A deleted version is found by number only, its bytes stay live, and undeleting brings it back unchanged.
pub async fn a_delete_is_undone_by_undelete(w: &World) {
    let disk = w.medium("disk").await;
    let before = w.put(w.simple("a", disk, "x")).await;
    let deleted = w.catalogue.delete_object(&oid("a"), at(5)).await.unwrap();
    assert_eq!(deleted.deleted_at, Some(at(5)));
    assert!(is_not_found(&w.catalogue.object(&oid("a"), None).await));
    assert!(is_not_found(&w.catalogue.delete_object(&oid("a"), at(6)).await));
    assert!(w.catalogue.object(&oid("a"), Some(Version(1))).await.is_ok());
    assert_eq!(w.state(before.entries[0].extent.id).await, ExtentState::Sync);
    w.catalogue.undelete_object(&oid("a"), at(7)).await.unwrap();
    assert_eq!(w.catalogue.object(&oid("a"), None).await.unwrap(), before);
}

/// A live version is in the way of an undelete.
pub async fn undelete_never_makes_two_live_versions(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("a", disk, "old").await;
    w.put_one("a", disk, "new").await;
    assert!(is_conflict(&w.catalogue.undelete_object(&oid("a"), at(5)).await));
    assert!(is_not_found(&w.catalogue.undelete_object(&oid("b"), at(5)).await));
    w.catalogue.delete_object(&oid("a"), at(6)).await.unwrap();
    let back = w.catalogue.undelete_object(&oid("a"), at(7)).await.unwrap();
    assert_eq!(back.version, Version(2), "the newest");
}

/// A purge ends versions whose window is over, and only their extents become orphans.
pub async fn a_purge_ends_what_was_deleted_long_ago(w: &World) {
    let disk = w.medium("disk").await;
    let gone = w.put_one("gone", disk, "1").await;
    let kept = w.put_one("kept", disk, "2").await;
    let live = w.put_one("live", disk, "3").await;
    w.catalogue.delete_object(&oid("gone"), at(10)).await.unwrap();
    w.catalogue.delete_object(&oid("kept"), at(11)).await.unwrap();
    assert_eq!(w.catalogue.purge(at(9), 100, at(99)).await.unwrap(), 0);
    assert_eq!(
        w.catalogue.purge(at(10), 100, at(99)).await.unwrap(),
        1,
        "at the time given, or before"
    );
    assert_eq!(w.state(gone.id).await, ExtentState::Orphan);
    assert_eq!(w.state(kept.id).await, ExtentState::Sync);
    assert_eq!(w.state(live.id).await, ExtentState::Sync);
    assert!(is_not_found(&w.catalogue.object(&oid("gone"), Some(Version(1))).await));
    assert!(is_not_found(&w.catalogue.undelete_object(&oid("gone"), at(99)).await));
    assert_eq!(w.versions().await.len(), 2);
    assert_eq!(w.catalogue.purge(at(10), 100, at(99)).await.unwrap(), 0);
}

/// A purge does no more at a time than asked.
pub async fn a_purge_is_bounded(w: &World) {
    let disk = w.medium("disk").await;
    for name in ["a", "b", "c"] {
        w.put_one(name, disk, "x").await;
        w.catalogue.delete_object(&oid(name), at(10)).await.unwrap();
    }
    assert_eq!(w.catalogue.purge(at(20), 2, at(99)).await.unwrap(), 2);
    assert_eq!(w.catalogue.purge(at(20), 2, at(99)).await.unwrap(), 1);
}

/// A version number is never given twice: a medium may still hold the bytes of the first.
pub async fn a_purged_version_number_stays_taken(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("a", disk, "x").await;
    w.catalogue.delete_object(&oid("a"), at(10)).await.unwrap();
    w.catalogue.purge(at(20), 9, at(99)).await.unwrap();
    let again = w
        .put(Put {
            overwrite: Overwrite::Refuse,
            ..w.simple("a", disk, "y")
        })
        .await;
    assert_eq!(again.object.version, Version(2));
}

/// X-18, I5: nothing on a source is purged while its repack runs or has failed, so undelete works then.
pub async fn a_purge_waits_for_a_repack_that_runs_or_failed(w: &World) {
    let (source, other) = (w.medium("source").await, w.medium("other").await);
    w.put_one("a", source, "x").await;
    w.put_one("b", other, "y").await;
    let job = w.repack(&[source]).await;
    w.catalogue.delete_object(&oid("a"), at(10)).await.unwrap();
    w.catalogue.delete_object(&oid("b"), at(10)).await.unwrap();
    assert_eq!(
        w.catalogue.purge(at(20), 9, at(99)).await.unwrap(),
        1,
        "only what is elsewhere"
    );
    w.advance(job, JobState::Failed).await;
    assert_eq!(w.catalogue.purge(at(20), 9, at(99)).await.unwrap(), 0);
    w.catalogue.undelete_object(&oid("a"), at(30)).await.unwrap();
    w.catalogue.delete_object(&oid("a"), at(31)).await.unwrap();
    let again = w.repack(&[source]).await;
    w.advance(again, JobState::Cancelled).await;
    assert_eq!(w.catalogue.purge(at(40), 9, at(99)).await.unwrap(), 1);
}

/// an extent that serves another version too outlives a purge.
pub async fn a_shared_extent_outlives_a_purge(w: &World) {
    let disk = w.medium("disk").await;
    let extent = w.put_one("a", disk, "shared").await;
    w.share(extent.id, "b", 6).await;
    w.catalogue.delete_object(&oid("a"), at(10)).await.unwrap();
    assert_eq!(w.catalogue.purge(at(20), 9, at(99)).await.unwrap(), 1);
    assert_eq!(w.state(extent.id).await, ExtentState::Sync);
    assert_eq!(w.first("b").await.id, extent.id);
    w.catalogue.delete_object(&oid("b"), at(30)).await.unwrap();
    assert_eq!(w.catalogue.purge(at(30), 9, at(99)).await.unwrap(), 1);
    assert_eq!(w.state(extent.id).await, ExtentState::Orphan);
}

/// Objects are listed by the bytes of their names, then by version, page by page.
pub async fn objects_are_listed_in_byte_order_by_page(w: &World) {
    let disk = w.medium("disk").await;
    for name in ["b/2", "a", "Z", "b/10", "é", "b", "b-"] {
        w.put_one(name, disk, "x").await;
    }
    w.put_one("b", disk, "y").await;
    let filter = ObjectFilter {
        deleted: true,
        ..ObjectFilter::default()
    };
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = w.catalogue.list_objects(&filter, after.clone(), 3).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some((last.object.oid.clone(), last.object.version));
        seen.extend(
            page.iter()
                .map(|detail| (detail.object.oid.to_string(), detail.object.version.0)),
        );
    }
    let expected = [
        ("Z", 1),
        ("a", 1),
        ("b", 1),
        ("b", 2),
        ("b-", 1),
        ("b/10", 1),
        ("b/2", 1),
        ("é", 1),
    ];
    assert_eq!(seen, expected.map(|(name, version)| (name.to_owned(), version)));
}

/// A listing shows live versions unless asked otherwise, and takes a prefix by its bytes.
pub async fn a_listing_filters_by_prefix_and_life(w: &World) {
    let disk = w.medium("disk").await;
    for name in ["a%", "a%b", "ab", "a_"] {
        w.put_one(name, disk, "x").await;
    }
    w.catalogue.delete_object(&oid("a%b"), at(9)).await.unwrap();
    let names = async |prefix: &str, deleted| {
        let filter = ObjectFilter {
            prefix: Some(prefix.to_owned()),
            deleted,
        };
        let found = w.catalogue.list_objects(&filter, None, 100).await.unwrap();
        found
            .into_iter()
            .map(|detail| detail.object.oid.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("a%", false).await, ["a%"]);
    assert_eq!(names("a%", true).await, ["a%", "a%b"]);
    assert_eq!(names("a_", true).await, ["a_"], "no pattern");
}

/// A refused put leaves the live version as it was.
pub async fn a_refused_overwrite_changes_nothing(w: &World) {
    let disk = w.medium("disk").await;
    let before = w.put(w.simple("a", disk, "x")).await;
    let refuse = Put {
        overwrite: Overwrite::Refuse,
        ..w.simple("a", disk, "y")
    };
    let staged = w.stage(&refuse, crate::model::SessionId::fresh()).await;
    assert!(is_exists(&w.commit(staged).await));
    assert_eq!(w.versions().await, [before]);
}

/// a database that fails within a deletion leaves the object alive.
pub async fn a_delete_cut_short_did_not_happen(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("a", disk, "x").await;
    w.trap.set(crate::model::Step::DeleteBeforeCommit);
    super::swap::cut_short(w.catalogue.delete_object(&oid("a"), at(5))).await;
    assert!(w.catalogue.object(&oid("a"), None).await.is_ok());
}
