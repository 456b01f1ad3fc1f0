//! Where extents lie on tapes: known from the transaction that makes them *sync*, and never another place afterwards.

use super::World;
use super::import::{found, found_again};
use super::support::{FIRST, all, at, is_not_found, oid};
use crate::catalogue::{
    Adopt, ExtentFilter, Found, MediumChange, NewMedium, NewObject, Overwrite, Severity, SwapEntry, SwapOutcome,
};
use crate::model::{
    CopyNo, Extent, ExtentId, ExtentState, Family, FsState, Generation, JobState, Location, MediumId, Metadata, Object,
    Owner, Presence, Revision, SessionId, Span,
};

/// A place on a tape.
fn place(text: &str) -> Span {
    text.parse().expect("tests write good places")
}

/// A tape that could be added, in a library.
pub fn new_tape(w: &World, barcode: &str, library: Option<&str>) -> NewMedium {
    NewMedium {
        family: Family::Tape,
        technology: "LTO-9".to_owned(),
        location: Location {
            path: barcode.to_owned(),
            dock: None,
            library: library.map(str::to_owned),
        },
        ..w.new_medium(barcode)
    }
}

/// A tape in a library that is labelled, empty, in its slot and leased to us; respool wrote its index.
async fn tape(w: &World, barcode: &str) -> MediumId {
    let new = new_tape(w, barcode, Some("lib0"));
    let medium = w.catalogue.add_medium(new, at(0)).await.unwrap().id;
    let change = MediumChange {
        fs_state: Some(FsState::Empty),
        presence: Some(Presence::Near),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(medium, change, at(0)).await.unwrap();
    w.catalogue.mark_indexed(medium, Revision(1), &[]).await.unwrap();
    w.lease(medium).await;
    medium
}

/// Puts an object whose one extent lies there.
async fn put_at(w: &World, name: &str, medium: MediumId, bytes: &str, span: &str) -> Extent {
    let new = w.new_extent(name, medium, bytes);
    let object = Object {
        id: new.origin.object,
        oid: oid(name),
        version: new.origin.version,
        bytes: new.bytes,
        copies: CopyNo(1),
        grouping: None,
        metadata: Metadata::default(),
        created_at: at(2),
        deleted_at: None,
    };
    let recorded = w
        .catalogue
        .record_put(SessionId::fresh(), vec![new], &w.epochs(), at(1))
        .await
        .unwrap()
        .remove(0);
    let id = recorded.extent().id;
    assert_eq!(
        w.catalogue.extent(id).await.unwrap().span,
        None,
        "no byte is written yet"
    );
    let put = NewObject {
        object,
        overwrite: Overwrite::Refuse,
        places: vec![(FIRST, w.synced_at(recorded, bytes.as_bytes(), place(span)))],
    };
    w.commit(put).await.unwrap();
    w.catalogue.extent(id).await.unwrap()
}

/// Deletes an object and forgets its bytes.
async fn forget(w: &World, name: &str, extent: &Extent) {
    w.catalogue.delete_object(&oid(name), at(6)).await.unwrap();
    w.catalogue.purge(at(7), 100, at(8)).await.unwrap();
    let gone = w
        .catalogue
        .forget_orphans(extent.medium, extent.generation, &[extent.id])
        .await;
    assert_eq!(gone.unwrap(), 1);
}

/// A put's commit tells where the bytes lie, and every way to ask for the extent tells it.
pub async fn a_put_on_tape_tells_where_it_lies(w: &World) {
    let (tape, disk) = (tape(w, "A00001L9").await, w.medium("disk").await);
    let extent = put_at(w, "a", tape, "abc", "1:5+0*1=2,1:9+7*1=1").await;
    assert_eq!(extent.span, Some(place("1:5+0*1=2,1:9+7*1=1")));
    let empty = put_at(w, "empty", tape, "", "").await;
    assert_eq!(empty.span, Some(Span::default()), "that it has no bytes is known, too");
    assert_eq!(
        w.put_one("b", disk, "abc").await.span,
        None,
        "a file's place is its name"
    );
    let filter = ExtentFilter {
        medium: Some(tape),
        ..ExtentFilter::default()
    };
    let listed = w.catalogue.extents(&filter, all()).await.unwrap();
    assert_eq!(listed, [extent.clone(), empty]);
    assert_eq!(w.first("a").await, extent);
}

/// A swap does, and what becomes of the extent afterwards does not change it.
pub async fn a_move_to_tape_tells_where_it_lies(w: &World) {
    let (disk, tape) = (w.medium("disk").await, tape(w, "A00001L9").await);
    let old = w.put_one("a", disk, "abc").await;
    let job = w.repack(&[disk]).await;
    let recorded = w
        .catalogue
        .record_moves(job, vec![w.intent(&old, tape)], &w.epochs(), at(4))
        .await
        .unwrap()
        .remove(0);
    let new = recorded.extent().id;
    let entry = SwapEntry {
        old: old.id,
        new: w.synced_at(recorded, b"abc", place("1:5+0*1=3")),
    };
    assert_eq!(w.swap(job, &[entry]).await.unwrap(), [SwapOutcome::Swapped]);
    let there = w.catalogue.extent(new).await.unwrap();
    assert_eq!(
        (there.state, there.span.clone()),
        (ExtentState::Sync, Some(place("1:5+0*1=3")))
    );
    assert_eq!(w.catalogue.extent(old.id).await.unwrap().span, None);
    let back = w.return_of(job, old.id, new).await;
    w.catalogue.return_batch(job, &[back], at(9)).await.unwrap();
    let orphan = w.catalogue.extent(new).await.unwrap();
    assert_eq!((orphan.state, orphan.span), (ExtentState::Orphan, there.span));
    w.advance(job, JobState::Cancelled).await;
}

/// An import tells what the tape's index says: of what is new, and of what was known without a place.
pub async fn an_import_tells_where_extents_lie(w: &World) {
    let tape = tape(w, "A00001L9").await;
    let new = Found {
        span: Some(place("1:5+0*1=3")),
        ..found("a", 1, "abc")
    };
    let import = async |one: Found| w.catalogue.import(tape, vec![one], Adopt::Yes, at(60)).await.unwrap();
    assert_eq!(import(new).await.objects_adopted, 1);
    assert_eq!(w.first("a").await.span, Some(place("1:5+0*1=3")));
    let extent = w.put_one("b", tape, "abc").await;
    assert_eq!(extent.span, None, "nobody said");
    let again = Found {
        span: Some(place("1:6+0*1=3")),
        read: None,
        ..found_again(w, &extent).await
    };
    assert_eq!(import(again.clone()).await.known, 1);
    let known = w.catalogue.extent(extent.id).await.unwrap();
    assert_eq!(known.span, Some(place("1:6+0*1=3")));
    assert_eq!(known.verified_at, None, "and nothing was read");
    let silent = Found { span: None, ..again };
    assert_eq!(import(silent).await.known, 1);
    assert_eq!(
        w.catalogue.extent(extent.id).await.unwrap(),
        known,
        "a place stays known"
    );
}

/// What lies elsewhere than is known is another extent's copy, and what has more bytes than the extent is none of it.
pub async fn i3_an_import_takes_no_place_that_cannot_be(w: &World) {
    let tape = tape(w, "A00001L9").await;
    let extent = put_at(w, "a", tape, "abc", "1:5+0*1=3").await;
    let elsewhere = Found {
        span: Some(place("1:6+0*1=3")),
        ..found_again(w, &extent).await
    };
    let overlong = Found {
        span: Some(place("1:9+0*1=4")),
        ..found("b", 1, "abc")
    };
    let unplaced = w.put_one("c", tape, "abc").await;
    let too_long = Found {
        span: Some(place("1:7+0*1=4")),
        ..found_again(w, &unplaced).await
    };
    let all = vec![elsewhere, overlong, too_long];
    let report = w.catalogue.import(tape, all, Adopt::Yes, at(60)).await.unwrap();
    assert_eq!((report.unknown, report.known, report.added), (3, 0, 0));
    assert_eq!(w.catalogue.extent(extent.id).await.unwrap(), extent);
    assert_eq!(w.catalogue.extent(unplaced.id).await.unwrap(), unplaced);
}

/// The end of what is durable: of the data partition, of what is sync or orphan, of the tape's present generation.
pub async fn e13_a_tape_is_known_to_its_durable_end(w: &World) {
    let (one, other) = (tape(w, "A00001L9").await, tape(w, "A00002L9").await);
    let end = async |medium: MediumId| w.catalogue.durable_end(medium).await.unwrap();
    assert_eq!(end(one).await, 0);
    put_at(w, "index", one, "abc", "0:900+0*1=3").await;
    assert_eq!(end(one).await, 0, "another partition");
    put_at(w, "b", one, "abcd", "1:40+0*2=3,0:800+0*1=1").await;
    put_at(w, "c", one, "abc", "1:5+0*1=3").await;
    assert_eq!(end(one).await, 42);
    let last = put_at(w, "d", one, "abc", "1:50+0*1=2,1:7+0*1=1").await;
    assert_eq!(end(one).await, 51);
    assert_eq!(end(other).await, 0);
    w.catalogue.delete_object(&oid("d"), at(6)).await.unwrap();
    w.catalogue.purge(at(7), 100, at(8)).await.unwrap();
    assert_eq!(w.state(last.id).await, ExtentState::Orphan);
    assert_eq!(end(one).await, 51, "its bytes are there as before");
    let session = SessionId::fresh();
    w.stage(&w.simple("pending", one, "abc"), session).await;
    assert_eq!(end(one).await, 51);
    w.catalogue.abandon(Owner::Put(session), None, at(9)).await.unwrap();
    assert_eq!(end(one).await, 51, "nobody knows where that lies, if it does");
    assert!(is_not_found(&w.catalogue.durable_end(MediumId::fresh()).await));
}

/// An erased tape begins anew.
pub async fn an_erased_tape_ends_at_its_beginning(w: &World) {
    let tape = tape(w, "A00001L9").await;
    let extent = put_at(w, "a", tape, "abc", "1:5+0*1=3").await;
    w.catalogue.delete_object(&oid("a"), at(6)).await.unwrap();
    w.catalogue.purge(at(7), 100, at(8)).await.unwrap();
    assert_eq!(w.catalogue.durable_end(tape).await.unwrap(), 6);
    let fence = w.catalogue.fence_medium(tape, None, false, w.epoch(tape), at(9));
    fence.await.unwrap();
    assert_eq!(w.catalogue.extent(extent.id).await.unwrap().generation, Generation(0));
    assert_eq!(w.catalogue.durable_end(tape).await.unwrap(), 0);
    w.catalogue.finish_erase(tape, Generation(1), at(9)).await.unwrap();
    assert_eq!(w.catalogue.durable_end(tape).await.unwrap(), 0);
}

/// What a check says of places: kinds, and the extents they are about.
async fn told(w: &World, invariant: &str) -> Vec<(Severity, String)> {
    let found = w.catalogue.findings(at(10)).await.unwrap();
    let of = found.into_iter().filter(|one| one.invariant == invariant);
    of.map(|one| (one.severity, one.subject)).collect()
}

fn names(told: &[(Severity, String)], severity: Severity, extents: &[ExtentId]) -> bool {
    told.len() == extents.len()
        && extents.iter().all(|id| {
            told.iter()
                .any(|(how, subject)| *how == severity && subject.contains(&id.to_string()))
        })
}

/// A live extent on a tape of ours whose place nobody knows is told: only the tape's index can lead to it.
pub async fn a_live_extent_without_a_place_on_tape_is_told(w: &World) {
    let (tape, disk) = (tape(w, "A00001L9").await, w.medium("disk").await);
    put_at(w, "a", tape, "abc", "1:5+0*1=3").await;
    w.put_one("b", disk, "abc").await;
    w.catalogue.mark_indexed(disk, Revision(1), &[]).await.unwrap();
    assert_eq!(told(w, "tape").await, []);
    let nowhere = w.put_one("c", tape, "abc").await;
    assert!(names(&told(w, "tape").await, Severity::Warning, &[nowhere.id]));
    let foreign = new_tape(w, "F00001L9", Some("lib0"));
    let foreign = w.catalogue.add_medium(foreign, at(0)).await.unwrap().id;
    w.catalogue
        .import(foreign, vec![found("d", 1, "abc")], Adopt::Yes, at(60))
        .await
        .unwrap();
    assert!(
        names(&told(w, "tape").await, Severity::Warning, &[nowhere.id]),
        "respool wrote no index there"
    );
}

/// Two extents on the same bytes cannot both be right, one of them orphan or not; neighbours can.
pub async fn i11_extents_on_the_same_bytes_of_a_tape_are_told(w: &World) {
    let (one, other) = (tape(w, "A00001L9").await, tape(w, "A00002L9").await);
    put_at(w, "a", one, "abc", "1:5+0*1=3").await;
    put_at(w, "behind", one, "abc", "1:5+3*1=3").await;
    put_at(w, "index", one, "abc", "0:5+0*1=3").await;
    put_at(w, "elsewhere", other, "abc", "1:5+0*1=3").await;
    let long = put_at(w, "long", one, "abcdef", "1:10+0*1=1,1:20+0*3=5").await;
    assert_eq!(told(w, "I11").await, []);
    let inside = put_at(w, "b", one, "abc", "1:21+9*1=3").await;
    assert!(names(&told(w, "I11").await, Severity::Error, &[inside.id]));
    w.catalogue.delete_object(&oid("long"), at(6)).await.unwrap();
    w.catalogue.purge(at(7), 100, at(8)).await.unwrap();
    assert_eq!(w.state(long.id).await, ExtentState::Orphan);
    assert!(names(&told(w, "I11").await, Severity::Error, &[inside.id]));
    forget(w, "b", &inside).await;
    assert_eq!(told(w, "I11").await, []);
}
