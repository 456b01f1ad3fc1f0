//! LTFS volumes of other software: everything of them at once, what nobody has read, and nothing new on them.

use super::support::{all, at, is_invariant, is_not_found, oid};
use super::tape::new_tape;
use super::world::World;
use crate::catalogue::{
    CatalogueError, ExtentFilter, MediumChange, NewFile, NewVolume, SwapEntry, SwapOutcome, VolumeAdopted,
};
use crate::model::evidence::EvidenceError;
use crate::model::medium::NoTarget;
use crate::model::{
    Address, AdmState, ByteCount, Digests, Extent, ExtentState, FsState, HashAlgorithm, JobState, KnownHash, Medium,
    MediumFormat, MediumId, Metadata, SessionId, Version,
};

/// What other software said of "abc".
fn md5() -> KnownHash {
    KnownHash {
        algorithm: HashAlgorithm::Md5,
        value: "900150983cd24fb0d6963f7d28e17f72".to_owned(),
    }
}

fn file(name: &str, bytes: u64, hashes: Vec<KnownHash>) -> NewFile {
    NewFile {
        oid: oid(name),
        metadata: Metadata {
            mtime: Some(at(-5)),
            ..Metadata::default()
        },
        address: Address(format!("dir/{name}")),
        span: Some(format!("1:{}+0*1={bytes}", 5 + name.len()).parse().unwrap_or_default()),
        bytes: ByteCount(bytes),
        hashes,
    }
}

fn volume(w: &World, barcode: &str, files: Vec<NewFile>) -> NewVolume {
    NewVolume {
        medium: new_tape(w, barcode, None),
        files,
    }
}

async fn adopt(w: &World, volume: &NewVolume) -> Medium {
    match w.catalogue.adopt_volume(volume, at(1)).await.unwrap() {
        VolumeAdopted::Added(medium) => *medium,
        VolumeAdopted::Clashes(clashes) => panic!("{clashes:?}"),
    }
}

/// A volume of two files that nobody read, one of them with a known hash, and of an empty one.
async fn adopted(w: &World) -> MediumId {
    let files = vec![
        file("a", 3, vec![md5()]),
        file("bb", 3, vec![]),
        file("ccc", 0, vec![md5()]),
    ];
    adopt(w, &volume(w, "F00001L8", files)).await.id
}

/// X-02, E-05: the medium, and objects of one copy of one *sync* extent each, named by its index.
pub async fn e05_a_volume_becomes_a_medium_and_its_files_objects(w: &World) {
    let id = adopted(w).await;
    let medium = w.row(id).await;
    assert_eq!(
        (medium.format, medium.adm_state, medium.fs_state),
        (MediumFormat::Ltfs, AdmState::ReadOnly, FsState::Used)
    );
    let detail = w.catalogue.object(&oid("a"), None).await.unwrap();
    assert_eq!((detail.object.version, detail.object.bytes), (Version(1), ByteCount(3)));
    assert_eq!(detail.object.metadata.mtime, Some(at(-5)));
    let extent = &detail.entries[0].extent;
    assert_eq!((extent.state, &extent.digests), (ExtentState::Sync, &None));
    assert_eq!((extent.medium, extent.address.0.as_str()), (id, "dir/a"));
    assert_eq!(extent.span.as_ref().unwrap().to_string(), "1:6+0*1=3");
    assert!(
        w.catalogue.unindexed(&[extent.id]).await.unwrap().is_empty(),
        "its own index names it"
    );
    let empty = w.first("ccc").await;
    assert_eq!(
        empty.digests,
        Some(Digests::of(b"")),
        "that no bytes are no bytes is known"
    );
    let ids = [extent.id, w.first("bb").await.id, empty.id];
    let known = w.catalogue.known_hashes(&ids).await.unwrap();
    assert_eq!(known.into_iter().collect::<Vec<_>>(), [(extent.id, vec![md5()])]);
}

/// What nobody has read is lost with its medium all the same.
pub async fn i5_unread_objects_are_lost_with_their_medium(w: &World) {
    let id = adopted(w).await;
    let loss = w.catalogue.what_if_lost(&[id].into(), 10).await.unwrap();
    assert_eq!((loss.lost.objects, loss.lost.bytes), (3, ByteCount(6)), "{loss:?}");
    assert_eq!(loss.fewer.objects, 0);
}

/// Names that are taken refuse all of it, and nothing of it is there.
pub async fn names_that_are_taken_refuse_a_whole_volume(w: &World) {
    let disk = w.medium("disk").await;
    w.put_one("a", disk, "x").await;
    w.put_one("gone", disk, "x").await;
    w.catalogue.delete_object(&oid("gone"), at(2)).await.unwrap();
    let files = vec![file("a", 3, vec![]), file("bb", 3, vec![]), file("gone", 3, vec![])];
    let clashing = volume(w, "F00001L8", files.clone());
    let refused = w.catalogue.adopt_volume(&clashing, at(3)).await.unwrap();
    assert_eq!(refused, VolumeAdopted::Clashes(vec![oid("a")]));
    assert!(is_not_found(&w.catalogue.medium_by_id(clashing.medium.id).await));
    assert!(is_not_found(&w.catalogue.object(&oid("bb"), None).await));
    let twice = volume(w, "F00002L8", vec![file("bb", 3, vec![]), file("bb", 3, vec![])]);
    let refused = w.catalogue.adopt_volume(&twice, at(3)).await.unwrap();
    assert_eq!(refused, VolumeAdopted::Clashes(vec![oid("bb")]));
    adopt(w, &volume(w, "F00003L8", files[1..].to_vec())).await;
    let again = w.catalogue.object(&oid("gone"), None).await.unwrap();
    assert_eq!(again.object.version, Version(2), "a deleted version keeps its number");
}

/// A medium that is there already is not made twice.
pub async fn a_volume_is_one_medium(w: &World) {
    let new = volume(w, "F00001L8", vec![file("a", 3, vec![])]);
    adopt(w, &new).await;
    let other = NewVolume {
        files: vec![file("bb", 3, vec![])],
        ..new
    };
    let again = w.catalogue.adopt_volume(&other, at(3)).await;
    assert!(matches!(again, Err(CatalogueError::Exists { .. })), "{again:?}");
    assert!(is_not_found(&w.catalogue.object(&oid("bb"), None).await));
}

/// I6: whatever an operator says of it, nothing new comes on it.
pub async fn i6_a_volume_of_other_software_takes_no_extents(w: &World) {
    let id = adopted(w).await;
    let change = MediumChange {
        adm_state: Some(AdmState::InService),
        ..MediumChange::default()
    };
    let medium = w.catalogue.change_medium(id, change, at(2)).await.unwrap();
    assert_eq!(medium.may_take_extents(), Err(NoTarget::Format(MediumFormat::Ltfs)));
    w.lease(id).await;
    let extent = w.new_extent("new", id, "abc");
    let recorded = w
        .catalogue
        .record_put(SessionId::fresh(), vec![extent], &w.epochs(), at(3))
        .await;
    assert!(matches!(recorded, Err(CatalogueError::Fenced { .. })), "{recorded:?}");
}

async fn move_to(w: &World, old: &Extent, to: MediumId) -> (crate::model::JobId, crate::model::Recorded) {
    let job = w.repack(&[old.medium]).await;
    let recorded = w
        .catalogue
        .record_moves(job, vec![w.intent(old, to)], &w.epochs(), at(4))
        .await;
    (job, recorded.unwrap().remove(0))
}

/// A move of bytes that nobody read makes their digests known, of the new extent and of the old one.
pub async fn x07_a_move_of_unread_bytes_makes_their_digests_known(w: &World) {
    let (id, target) = (adopted(w).await, w.medium("target").await);
    let old = w.first("bb").await;
    let (job, recorded) = move_to(w, &old, target).await;
    assert_eq!((&recorded.extent().digests, recorded.hashes()), (&None, &[][..]));
    let new = recorded.extent().id;
    let entry = SwapEntry {
        old: old.id,
        new: w.synced(recorded, b"abc"),
    };
    assert_eq!(w.swap(job, &[entry]).await.unwrap(), [SwapOutcome::Swapped]);
    let (new, old) = (
        w.catalogue.extent(new).await.unwrap(),
        w.catalogue.extent(old.id).await.unwrap(),
    );
    assert_eq!(
        (new.state, &new.digests),
        (ExtentState::Sync, &Some(Digests::of(b"abc")))
    );
    assert_eq!((old.state, old.medium), (ExtentState::Orphan, id));
    assert_eq!(
        old.digests,
        Some(Digests::of(b"abc")),
        "so that a restore can prove them"
    );
    w.advance(job, JobState::Cancelled).await;
}

/// What other software said of the bytes comes with the record of their move, and evidence is refused without it.
pub async fn x07_a_move_of_unread_bytes_knows_what_other_software_said(w: &World) {
    let (_, target) = (adopted(w).await, w.medium("target").await);
    let (job, recorded) = move_to(w, &w.first("a").await, target).await;
    assert_eq!(recorded.hashes(), [md5()]);
    w.advance(job, JobState::Cancelled).await;
}

/// What was read since a move was planned is compared when it is recorded.
pub async fn i3_digests_that_became_known_since_are_recorded_with_a_move(w: &World) {
    let (id, target) = (adopted(w).await, w.medium("target").await);
    let old = w.first("bb").await;
    let digested = w.digested(&old, b"abc", &[]).unwrap();
    assert_eq!(w.catalogue.note_digests(id, &[digested], at(3)).await.unwrap(), 1);
    assert_eq!(old.digests, None, "as it was when the move was planned");
    let (job, recorded) = move_to(w, &old, target).await;
    assert_eq!(recorded.extent().digests, Some(Digests::of(b"abc")));
    w.advance(job, JobState::Cancelled).await;
}

/// X-07, I3: bytes were read for a move that nobody had read when it was recorded, and somebody has read others there since.
/// One of both was misread: nothing of the batch is swapped, and what was known first stays.
pub async fn i3_a_move_that_contradicts_what_became_known_since_is_not_swapped(w: &World) {
    let files = ["a", "bb", "ccc"].map(|name| file(name, 3, vec![]));
    let id = adopt(w, &volume(w, "F00001L8", files.to_vec())).await.id;
    let target = w.medium("target").await;
    let olds = [w.first("bb").await, w.first("a").await, w.first("ccc").await];
    let job = w.repack(&[id]).await;
    let intents = olds.iter().map(|old| w.intent(old, target)).collect();
    let recorded = w.catalogue.record_moves(job, intents, &w.epochs(), at(4)).await;
    let moved = recorded.unwrap().into_iter().zip(&olds).zip([b"abd", b"abc", b"xyz"]);
    let entries: Vec<SwapEntry> = moved
        .map(|((recorded, old), bytes)| SwapEntry {
            old: old.id,
            new: w.synced(recorded, bytes),
        })
        .collect();
    // What comes of the second is no contradiction; of the third nobody else knows anything.
    let digested = [&olds[0], &olds[1]].map(|old| w.digested(old, b"abc", &[]).unwrap());
    assert_eq!(w.catalogue.note_digests(id, &digested, at(5)).await.unwrap(), 2);
    let refused = w.swap(job, &entries).await;
    assert!(is_invariant(&refused, "I3"), "{refused:?}");
    for (name, old) in ["bb", "a", "ccc"].into_iter().zip(&olds) {
        assert_eq!(w.first(name).await.id, old.id, "{name}");
    }
    assert_eq!(w.state(entries[0].new.extent().id).await, ExtentState::Pending);
    assert_eq!(w.swap(job, &entries[1..]).await.unwrap(), [SwapOutcome::Swapped; 2]);
    assert_eq!(w.first("bb").await.digests, Some(Digests::of(b"abc")));
    assert_eq!(w.first("ccc").await.digests, Some(Digests::of(b"xyz")));
    w.advance(job, JobState::Cancelled).await;
}

/// Digests are noted once, of what is live there and unknown.
pub async fn digests_of_what_was_read_are_noted_once(w: &World) {
    let (id, disk) = (adopted(w).await, w.medium("disk").await);
    let (a, put) = (w.first("a").await, w.put_one("put", disk, "abc").await);
    let noted = async |medium, extent: &Extent, bytes: &[u8], hashes: &[KnownHash]| {
        let digested = w.digested(extent, bytes, hashes).unwrap();
        w.catalogue.note_digests(medium, &[digested], at(7)).await.unwrap()
    };
    assert_eq!(noted(disk, &a, b"abc", &[md5()]).await, 0, "it is on another medium");
    assert_eq!(noted(id, &a, b"abc", &[md5()]).await, 1);
    let known = w.first("a").await;
    assert_eq!(
        (&known.digests, known.verified_at),
        (&Some(Digests::of(b"abc")), Some(at(7)))
    );
    assert!(
        w.catalogue.known_hashes(&[a.id]).await.unwrap().is_empty(),
        "none is needed any more"
    );
    assert_eq!(noted(id, &a, b"abd", &[md5()]).await, 0, "it is known already");
    assert_eq!(w.first("a").await, known);
    assert_eq!(noted(disk, &put, b"abc", &[]).await, 0);
    let other = w.digested(&w.first("bb").await, b"abcd", &[]);
    assert!(matches!(other, Err(EvidenceError::Mismatch { .. })));
}

/// Erased, it is one of ours, in service, and nothing is known of it.
pub async fn an_erased_volume_is_one_of_ours(w: &World) {
    let id = adopted(w).await;
    for name in ["a", "bb", "ccc"] {
        w.catalogue.delete_object(&oid(name), at(5)).await.unwrap();
    }
    w.catalogue.purge(at(6), 100, at(7)).await.unwrap();
    w.lease(id).await;
    let fence = w.catalogue.fence_medium(id, None, false, w.epoch(id), at(9));
    fence.await.unwrap();
    assert_eq!(
        w.row(id).await.format,
        MediumFormat::Ltfs,
        "until its new label was read back"
    );
    let generation = w.row(id).await.generation;
    w.catalogue.finish_erase(id, generation, at(9)).await.unwrap();
    let medium = w.row(id).await;
    assert_eq!(
        (medium.format, medium.adm_state, medium.fs_state),
        (MediumFormat::Respool, AdmState::InService, FsState::Empty)
    );
    let filter = ExtentFilter {
        medium: Some(id),
        ..ExtentFilter::default()
    };
    assert_eq!(w.catalogue.extents(&filter, all()).await.unwrap(), []);
}
