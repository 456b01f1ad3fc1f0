//! Import: E-16, X-06.

use super::World;
use super::support::{all, at, is_fenced, is_not_found, oid};
use crate::catalogue::{Adopt, Found, Imported, ObjectHeader};
use crate::model::{
    Address, ByteCount, CopyNo, Digests, Extent, ExtentId, ExtentIndex, ExtentState, Hold, MediumId, Metadata,
    ObjectId, Oid, Origin, Version,
};
use std::collections::BTreeMap;

/// An extent of an object of one copy with one extent, as a medium would tell of it.
pub(super) fn found(name: &str, version: i32, bytes: &str) -> Found {
    let extent = ExtentId::fresh();
    Found {
        extent,
        origin: Origin {
            object: ObjectId::fresh(),
            oid: oid(name),
            version: Version(version),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        address: Address(format!("objects/{name}@{extent}")),
        digests: Digests::of(bytes.as_bytes()),
        inode: Some(7),
        span: None,
        header: ObjectHeader {
            bytes: ByteCount(bytes.len() as u64),
            copies: CopyNo(1),
            copy_extents: 1,
            grouping: Some("films".to_owned()),
            metadata: Metadata {
                user: BTreeMap::from([("colour".to_owned(), "red".to_owned())]),
                ..Metadata::default()
            },
            created_at: at(-100 + i64::from(version)),
        },
        read: Some(at(50)),
    }
}

/// The same for an extent the catalogue knows.
pub(super) async fn found_again(w: &World, extent: &Extent) -> Found {
    let headers = w.catalogue.headers(&[extent.id]).await.unwrap();
    Found {
        extent: extent.id,
        origin: extent.origin.clone(),
        address: extent.address.clone(),
        digests: extent.digests.clone().expect("it is durable"),
        inode: extent.inode,
        span: extent.span.clone(),
        header: headers[&extent.id].clone(),
        read: Some(at(50)),
    }
}

async fn import(w: &World, medium: MediumId, found: Vec<Found>, adopt: Adopt) -> Imported {
    w.catalogue.import(medium, found, adopt, at(60)).await.unwrap()
}

/// Without `--adopt` unknown objects are only counted.
pub async fn unknown_objects_are_counted(w: &World) {
    let disk = w.medium("disk").await;
    let report = import(w, disk, vec![found("a", 1, "x")], Adopt::No).await;
    assert_eq!(
        report,
        Imported {
            unknown: 1,
            unadopted: 1,
            unadopted_names: vec![oid("a")],
            ..Imported::default()
        }
    );
    assert!(
        w.catalogue
            .extents(&Default::default(), all())
            .await
            .unwrap()
            .is_empty()
    );
}

/// X-06, E-16: an empty catalogue learns every object of a medium, with all its attributes.
pub async fn an_empty_catalogue_adopts_everything(w: &World) {
    let disk = w.medium("disk").await;
    let item = found("a", 3, "abc");
    let report = import(w, disk, vec![item.clone(), found("b", 1, "")], Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            objects_adopted: 2,
            ..Imported::default()
        }
    );
    let detail = w.catalogue.object(&oid("a"), None).await.unwrap();
    assert_eq!(
        (detail.object.id, detail.object.version),
        (item.origin.object, Version(3))
    );
    assert_eq!((detail.object.bytes, detail.object.copies), (ByteCount(3), CopyNo(1)));
    assert_eq!(detail.object.metadata, item.header.metadata);
    assert_eq!(
        (detail.object.created_at, detail.object.deleted_at),
        (item.header.created_at, None)
    );
    let extent = &detail.entries[0].extent;
    assert_eq!(
        (extent.id, extent.state, &extent.address),
        (item.extent, ExtentState::Sync, &item.address)
    );
    assert_eq!((extent.verified_at, extent.inode), (Some(at(50)), Some(7)));
    assert!(w.row(disk).await.groupings.contains("films"));
    let next = w.put(w.simple("a", disk, "next")).await;
    assert_eq!(next.object.version, Version(4));
}

/// Importing again finds everything known and changes nothing.
pub async fn a_second_import_changes_nothing(w: &World) {
    let disk = w.medium("disk").await;
    let items = vec![found("a", 1, "x"), found("b", 1, "y")];
    import(w, disk, items.clone(), Adopt::Yes).await;
    let before = w.versions().await;
    let report = import(w, disk, items, Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            known: 2,
            ..Imported::default()
        }
    );
    assert_eq!(w.versions().await, before);
}

/// All versions of a name that a medium holds become known, the newest live, in whatever order they are found.
pub async fn the_newest_version_found_is_the_live_one(w: &World) {
    let disk = w.medium("disk").await;
    let items = vec![found("a", 3, "3"), found("a", 1, "1"), found("a", 2, "2")];
    let report = import(w, disk, items, Adopt::Yes).await;
    assert_eq!((report.objects_adopted, report.clashes), (3, vec![]));
    assert_eq!(
        w.catalogue.object(&oid("a"), None).await.unwrap().object.version,
        Version(3)
    );
    for version in [1, 2] {
        let older = w.catalogue.object(&oid("a"), Some(Version(version))).await.unwrap();
        assert!(older.object.deleted_at.is_some());
    }
}

/// What was not read, is incomplete or not of its size is not adopted.
pub async fn only_verified_whole_copies_are_adopted(w: &World) {
    let disk = w.medium("disk").await;
    let mut unread = found("unread", 1, "x");
    unread.read = None;
    let mut partial = found("partial", 1, "x");
    partial.header.copy_extents = 2;
    let mut short = found("short", 1, "x");
    short.header.bytes = ByteCount(2);
    let mut torn = found("torn", 1, "x");
    torn.digests.crc32 ^= 1;
    let report = import(w, disk, vec![unread, partial, short, torn], Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            unknown: 4,
            unadopted: 4,
            unadopted_names: ["partial", "short", "torn", "unread"].map(oid).to_vec(),
            ..Imported::default()
        }
    );
    assert!(w.versions().await.is_empty());
}

/// A known object gains an unreferenced extent, held; its layout stays.
pub async fn a_known_object_gains_an_unreferenced_extent(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let live = w.put_one("a", disk, "x").await;
    let mut item = found_again(w, &live).await;
    item.extent = ExtentId::fresh();
    let report = import(w, other, vec![item.clone()], Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            added: 1,
            ..Imported::default()
        }
    );
    let row = w.catalogue.extent(item.extent).await.unwrap();
    assert_eq!(
        (row.state, row.hold, row.medium),
        (ExtentState::Orphan, Hold::Forever, other)
    );
    assert_eq!(w.first("a").await, live);
}

/// A known live object that lacks a copy gains it, on a medium of its own.
pub async fn a_missing_copy_is_adopted(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let mut first = found("a", 1, "x");
    first.header.copies = CopyNo(2);
    let mut second = first.clone();
    (second.extent, second.origin.copy) = (ExtentId::fresh(), CopyNo(1));
    second.address = Address("objects/second".to_owned());
    import(w, one, vec![first.clone()], Adopt::Yes).await;
    let mut beside = second.clone();
    beside.extent = ExtentId::fresh();
    let report = import(w, one, vec![beside], Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            added: 1,
            unadopted: 1,
            unadopted_names: vec![oid("a")],
            ..Imported::default()
        },
        "I10"
    );
    let report = import(w, two, vec![second], Adopt::No).await;
    assert_eq!(
        report,
        Imported {
            added: 1,
            ..Imported::default()
        },
        "not asked"
    );
    let mut third = first;
    (third.extent, third.origin.copy) = (ExtentId::fresh(), CopyNo(1));
    let report = import(w, two, vec![third], Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            copies_adopted: 1,
            ..Imported::default()
        }
    );
    let copies = w.catalogue.object(&oid("a"), None).await.unwrap().copy_numbers();
    assert_eq!(copies, [CopyNo(0), CopyNo(1)]);
}

/// A deleted version stays deleted, inside its window and after.
pub async fn an_import_never_undoes_a_delete(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let live = w.put_one("a", disk, "x").await;
    let mut item = found_again(w, &live).await;
    w.catalogue.delete_object(&oid("a"), at(10)).await.unwrap();
    import(w, disk, vec![item.clone()], Adopt::Yes).await;
    assert!(is_not_found(&w.catalogue.object(&oid("a"), None).await));
    w.catalogue.purge(at(10), 9, at(99)).await.unwrap();
    let orphan = w.on(disk, ExtentState::Orphan).await;
    w.catalogue
        .forget_orphans(disk, orphan[0].generation, &[orphan[0].id])
        .await
        .unwrap();
    import(w, disk, vec![item.clone()], Adopt::Yes).await;
    item.extent = ExtentId::fresh();
    import(w, other, vec![item], Adopt::Yes).await;
    assert!(w.versions().await.is_empty(), "tombstones");
}

/// A newer version, or another object of the same name and version, is a clash: listed and not touched.
pub async fn an_import_never_makes_a_newer_version(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    w.put_one("a", disk, "mine").await;
    w.put_one("b", disk, "mine").await;
    let before = w.versions().await;
    let items = vec![found("b", 1, "theirs"), found("a", 2, "theirs")];
    let report = import(w, other, items, Adopt::Yes).await;
    assert_eq!(report.clashes, [oid("a"), oid("b")].map(|name: Oid| name));
    assert_eq!((report.objects_adopted, report.added), (0, 0));
    assert_eq!(w.versions().await, before);
}

/// An extent id or address that belongs to something else here is not taken over.
pub async fn an_import_takes_no_place_that_is_taken(w: &World) {
    let (disk, other) = (w.medium("disk").await, w.medium("other").await);
    let live = w.put_one("a", disk, "x").await;
    let clone = found_again(w, &live).await;
    let mut squatter = found("b", 1, "y");
    squatter.address = live.address.clone();
    import(w, other, vec![clone], Adopt::Yes).await;
    import(w, disk, vec![squatter], Adopt::Yes).await;
    assert_eq!(w.catalogue.extents(&Default::default(), all()).await.unwrap(), [live]);
}

/// I6: nothing is imported from a medium that is being erased.
pub async fn an_erasing_medium_is_not_imported(w: &World) {
    let disk = w.medium("disk").await;
    w.catalogue
        .fence_medium(disk, None, false, w.epoch(disk), at(5))
        .await
        .unwrap();
    let late = w
        .catalogue
        .import(disk, vec![found("a", 1, "x")], Adopt::Yes, at(60))
        .await;
    assert!(is_fenced(&late), "{late:?}");
}

/// E-05: copies of several extents are adopted whole.
pub async fn a_copy_of_several_extents_is_adopted(w: &World) {
    let disk = w.medium("disk").await;
    let first = Found {
        header: ObjectHeader {
            bytes: ByteCount(3),
            copy_extents: 2,
            ..found("a", 1, "ab").header
        },
        ..found("a", 1, "ab")
    };
    let mut second = found("a", 1, "c");
    second.origin = Origin {
        index: ExtentIndex(1),
        ..first.origin.clone()
    };
    second.header = first.header.clone();
    let report = import(w, disk, vec![second, first], Adopt::Yes).await;
    assert_eq!(
        report,
        Imported {
            objects_adopted: 1,
            ..Imported::default()
        }
    );
    let indexes: Vec<_> = w.versions().await[0]
        .entries
        .iter()
        .map(|entry| entry.index.0)
        .collect();
    assert_eq!(indexes, [0, 1]);
}

/// Another extent for the same place, as an attempt that was undone leaves it.
fn another(of: &Found) -> Found {
    let extent = ExtentId::fresh();
    Found {
        extent,
        address: Address(format!("objects/{extent}")),
        ..of.clone()
    }
}

/// Which extents a name's live version is made of.
async fn made_of(w: &World, name: &str) -> Vec<ExtentId> {
    let detail = w.catalogue.object(&oid(name), None).await.unwrap();
    detail.entries.iter().map(|entry| entry.extent.id).collect()
}

/// A medium may hold several files for one place, of attempts that were undone: the newest verified one is adopted, the
/// others are held. So for an unknown object, and for the copy that a known one lacks.
pub async fn of_several_extents_for_a_place_the_newest_is_taken(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let mut old = found("a", 1, "x");
    old.header.copies = CopyNo(2);
    let new = another(&old);
    let mut unread = another(&old);
    unread.read = None;
    let items = vec![new.clone(), unread.clone(), old.clone()];
    let report = import(w, one, items.clone(), Adopt::Yes).await;
    let adopted = Imported {
        added: 2,
        objects_adopted: 1,
        ..Imported::default()
    };
    assert_eq!(report, adopted);
    assert_eq!(made_of(w, "a").await, [new.extent]);
    for spare in [&old, &unread] {
        let row = w.catalogue.extent(spare.extent).await.unwrap();
        assert_eq!((row.state, row.hold), (ExtentState::Orphan, Hold::Forever));
    }
    let mut second = another(&old);
    second.origin.copy = CopyNo(1);
    let third = another(&second);
    let report = import(w, two, vec![third.clone(), second.clone()], Adopt::Yes).await;
    let gained = Imported {
        added: 1,
        copies_adopted: 1,
        ..Imported::default()
    };
    assert_eq!(report, gained);
    assert_eq!(made_of(w, "a").await, [new.extent, third.extent]);
    let before = w.versions().await;
    let report = import(w, one, items, Adopt::Yes).await;
    let again = Imported {
        known: 3,
        ..Imported::default()
    };
    assert_eq!(report, again);
    assert_eq!(w.versions().await, before);
}

/// What an import added without a use becomes part of a copy when a later one finds and reads it again, alone or
/// together with what was not there before.
pub async fn an_earlier_import_is_completed_by_a_later_one(w: &World) {
    let (one, two) = (w.medium("one").await, w.medium("two").await);
    let mut first = found("a", 1, "xy");
    first.header.copies = CopyNo(2);
    import(w, one, vec![first.clone()], Adopt::Yes).await;
    let mut low = another(&first);
    low.origin.copy = CopyNo(1);
    low.digests = Digests::of(b"x");
    low.header.copy_extents = 2;
    let mut high = another(&low);
    high.origin.index = ExtentIndex(1);
    high.digests = Digests::of(b"y");
    let report = import(w, two, vec![low.clone()], Adopt::Yes).await;
    let told = Imported {
        added: 1,
        unadopted: 1,
        unadopted_names: vec![oid("a")],
        ..Imported::default()
    };
    assert_eq!(report, told, "a part of the copy that is lacking");
    let report = import(w, two, vec![low.clone()], Adopt::Yes).await;
    assert_eq!((report.known, report.added, report.unadopted), (1, 0, 1));
    let newer = another(&low);
    let mut unread = [newer.clone(), high.clone()];
    unread.iter_mut().for_each(|one| one.read = None);
    let report = import(w, two, unread.to_vec(), Adopt::No).await;
    assert_eq!((report.added, report.copies_adopted), (2, 0));
    let report = import(w, two, vec![low.clone(), newer.clone(), high.clone()], Adopt::No).await;
    assert_eq!((report.known, report.copies_adopted), (3, 0), "not asked");
    let report = import(w, two, vec![newer.clone(), high.clone(), low], Adopt::Yes).await;
    let gained = Imported {
        known: 3,
        copies_adopted: 1,
        ..Imported::default()
    };
    assert_eq!(report, gained);
    assert_eq!(made_of(w, "a").await, [first.extent, newer.extent, high.extent]);
    let row = w.catalogue.extent(high.extent).await.unwrap();
    assert_eq!((row.state, row.hold), (ExtentState::Sync, Hold::None));
}

/// Verified extents of one place with different bytes: neither is taken, within one import or against an earlier one.
pub async fn different_bytes_for_a_place_are_a_clash(w: &World) {
    let (one, two, three) = (w.medium("one").await, w.medium("two").await, w.medium("three").await);
    let mut mine = found("a", 1, "x");
    mine.header.copies = CopyNo(2);
    let mut theirs = another(&mine);
    theirs.digests = Digests::of(b"y");
    let report = import(w, one, vec![mine.clone(), theirs.clone()], Adopt::Yes).await;
    let refused = Imported {
        unknown: 2,
        contradictions: vec![oid("a")],
        unadopted: 1,
        unadopted_names: vec![oid("a")],
        ..Imported::default()
    };
    assert_eq!(report, refused);
    assert!(w.versions().await.is_empty());

    import(w, one, vec![mine.clone()], Adopt::Yes).await;
    let mut second = another(&mine);
    second.origin.copy = CopyNo(1);
    let mut other = another(&theirs);
    other.origin.copy = CopyNo(1);
    let report = import(w, two, vec![second.clone(), other], Adopt::Yes).await;
    assert_eq!(
        (report.added, report.copies_adopted, report.contradictions),
        (2, 0, vec![oid("a")])
    );
    let report = import(w, three, vec![another(&second)], Adopt::Yes).await;
    assert_eq!(
        (report.added, report.copies_adopted, report.contradictions),
        (1, 0, vec![oid("a")])
    );
    assert_eq!(made_of(w, "a").await, [mine.extent]);
}
