//! What every mounted medium must do, whatever it is made of. Each function is one rule and panics when it is broken;
//! `volume_conformance!` makes a test of each.

use dss::catalogue::ObjectHeader;
use dss::model::evidence::{DigestReceipt, RecordReceipt, SyncReceipt, WriteReceipt, WriteSerial};
use dss::model::{
    Address, ByteCount, CopyNo, Digests, Epoch, ExtentId, ExtentIndex, Generation, JobId, Metadata, NewExtent,
    ObjectId, Oid, Origin, Owner, Recorded, Revision, Synced, Verified, Version, Written,
};
use lrs::ldm::fs::{Accepted, Deleted, EraseStep, ExtentTag, IndexEntry, IndexStamp, Label, ReadFrom, Volume, Wanted};
use lrs::ldm::{Fault, MediaResult};

/// What a family cannot do, or does in its own way. A rule that depends on it says what then holds instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nature {
    /// What a deletion does for the room.
    pub deletion: Deletion,
    /// What is left of an attempt that was never finished.
    pub remnant: Remnant,
    /// How exactly a medium is as large as was asked for, and its room told.
    pub measure: Measure,
}

/// What a deletion does for the room.
// Each family is tested by itself, and declares one of both.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deletion {
    /// The bytes' room is free again.
    Frees,
    /// Only the name goes; the room is free after the next erasure.
    Keeps,
}

/// What is left of an attempt that was never finished.
// Each family is tested by itself, and declares one of both.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remnant {
    /// A file that is told as a stranger until it is deleted.
    File,
    /// Bytes without a name, which only an erasure takes.
    Nothing,
}

/// How exactly room is told.
// Each family is tested by itself, and declares one of both.
#[allow(dead_code)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// To the byte.
    Exact,
    /// In units of a device, and less than was asked for, as it keeps some to itself.
    Rough,
}

/// Makes media for the suite.
pub trait Maker {
    /// What its family cannot do.
    fn nature(&self) -> Nature;
    /// Formats a fresh medium that holds this much, and answers its label.
    fn fresh(&mut self, capacity: ByteCount) -> Label;
    /// Mounts the medium made last; this generation and the one after it will do.
    fn mount(&mut self) -> MediaResult<Box<dyn Volume>>;
}

/// Makes a test of every rule; the argument makes a [`Maker`].
macro_rules! volume_conformance {
    ($maker:expr) => {
        volume_conformance!(@each $maker;
            a_fresh_medium_is_empty, what_was_synced_is_found_by_the_next_mount, no_bytes_are_an_extent_too,
            what_was_not_synced_is_not_in_the_index, a_sync_covers_the_writes_before_it_and_no_others,
            an_address_is_given_once, other_bytes_than_were_meant_are_refused,
            an_abandoned_extent_is_a_stranger, a_deletion_is_of_one_extent_and_generation,
            an_orphan_never_takes_the_bytes_of_another_extent, what_is_evidently_another_file_is_not_opened,
            bytes_are_read_in_any_pieces, isolated_bytes_are_out_of_the_way, an_index_commit_is_remembered,
            what_does_not_fit_is_not_begun, an_erasure_takes_what_is_named_and_tells_the_rest,
            an_erasure_may_be_repeated, an_index_in_many_windows_is_whole, a_deletion_frees_what_its_nature_says,
            extents_side_by_side_are_each_whole, what_is_written_after_a_read_lies_where_it_is_found,
            a_place_says_where_the_bytes_are, a_read_goes_on_after_others_were_written,
        );
    };
    (@each $maker:expr; $($rule:ident),+ $(,)?) => {
        $(
            #[test]
            fn $rule() {
                crate::volume::$rule(&mut $maker);
            }
        )+
    };
}

/// Of a receipt that is only carried.
const SERIAL: WriteSerial = WriteSerial { mount: 0, count: 0 };

const STAMP: IndexStamp = IndexStamp {
    revision: Revision(9),
    event_head: None,
};

const ROOM: ByteCount = ByteCount(64 << 20);

/// Bytes that differ from place to place.
pub fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length)
        .map(|at| ((at as u64).wrapping_mul(2_654_435_761) >> 7) as u8 ^ seed)
        .collect()
}

/// A tag for an extent of this object.
pub fn tag(oid: &str, bytes: u64) -> ExtentTag {
    ExtentTag {
        extent: ExtentId::fresh(),
        origin: Origin {
            object: ObjectId::fresh(),
            oid: Oid::new(oid).expect("an OID"),
            version: Version(1),
            copy: CopyNo(0),
            index: ExtentIndex(0),
        },
        bytes: ByteCount(bytes),
        header: ObjectHeader {
            bytes: ByteCount(bytes),
            copies: CopyNo(1),
            copy_extents: 1,
            grouping: Some("runs".to_owned()),
            metadata: Metadata {
                user: [("who".to_owned(), "Ünïcode".to_owned())].into(),
                ..Metadata::default()
            },
            created_at: "2026-01-02T03:04:05.678Z".parse().expect("a time"),
        },
    }
}

/// An extent that was written whole.
#[derive(Debug)]
pub struct Put {
    /// Its tag.
    pub tag: ExtentTag,
    /// Where.
    pub address: Address,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the medium answered.
    pub receipt: WriteReceipt,
}

impl Put {
    /// As the catalogue would ask for it, its inode not known.
    pub fn wanted(&self, generation: Generation) -> Wanted {
        Wanted {
            extent: self.tag.extent,
            oid: self.tag.origin.oid.clone(),
            address: self.address.clone(),
            bytes: self.tag.bytes,
            generation,
            inode: None,
            span: None,
        }
    }
}

/// Writes one extent, not synced.
pub fn put(volume: &mut dyn Volume, oid: &str, bytes: &[u8]) -> MediaResult<Put> {
    let tag = tag(oid, bytes.len() as u64);
    let address = volume.reserve(&tag.origin, tag.extent)?;
    let handle = volume.create(tag.clone(), &address)?.expect("there is room");
    for piece in bytes.chunks(100_000) {
        assert_eq!(volume.write(handle, piece)?, Accepted::All);
    }
    let receipt = volume.finish(handle, Digests::of(bytes))?;
    Ok(Put {
        tag,
        address,
        bytes: bytes.to_vec(),
        receipt,
    })
}

/// Reads an extent whole, through a buffer that does not divide it.
pub fn get(volume: &mut dyn Volume, wanted: &Wanted) -> MediaResult<Vec<u8>> {
    let handle = volume.open(wanted, ReadFrom::Medium)?;
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 70_001];
    let outcome = loop {
        match volume.read(handle, &mut buffer) {
            Ok(0) => break Ok(bytes),
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) => break Err(error),
        }
    };
    volume.close(handle);
    outcome
}

/// The index, in the order of the extents' ids.
pub fn entries(volume: &mut dyn Volume) -> Vec<IndexEntry> {
    let mut entries: Vec<IndexEntry> = volume
        .index()
        .expect("an index")
        .map(|entry| entry.expect("an entry"))
        .collect();
    entries.sort_by_key(|entry| entry.tag.extent);
    entries
}

/// Takes a write through all its evidence. Whether the sync covers it.
pub fn is_covered(label: &Label, put: Put, sync: &SyncReceipt) -> bool {
    let digests = Digests::of(&put.bytes);
    let new = NewExtent {
        id: put.tag.extent,
        origin: put.tag.origin,
        medium: label.medium,
        generation: label.generation,
        address: put.address,
        bytes: put.tag.bytes,
        digests: Some(digests.clone()),
    };
    let recorded = Recorded::committed(new, Owner::Move(JobId(1)), Epoch(1), RecordReceipt::after_commit());
    let verified = Verified::checked(recorded, DigestReceipt::of_stream(digests)).expect("these are the bytes");
    let written = Written::accepted(verified, put.receipt).expect("a receipt for these bytes");
    Synced::durable(written, sync).is_ok()
}

fn mounted(maker: &mut dyn Maker) -> (Label, Box<dyn Volume>) {
    let label = maker.fresh(ROOM);
    let volume = maker.mount().expect("a fresh medium mounts");
    (label, volume)
}

fn again(maker: &mut dyn Maker, volume: Box<dyn Volume>) -> Box<dyn Volume> {
    drop(volume);
    maker.mount().expect("the medium mounts again")
}

fn refused_as_another(fault: &Fault) -> bool {
    matches!(fault, Fault::NotThisExtent(_))
}

/// The label is the one that was given, the index names nothing, and identification succeeds.
pub fn a_fresh_medium_is_empty(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    assert_eq!(volume.label(), &label);
    assert_eq!(volume.revision(), label.revision);
    volume.identify().unwrap();
    assert!(entries(&mut *volume).is_empty() && volume.strangers().unwrap().is_empty());
    let space = volume.space().unwrap();
    assert_eq!(space.used, ByteCount::ZERO);
    match maker.nature().measure {
        Measure::Exact => assert_eq!(space.capacity, ROOM),
        Measure::Rough => assert!(space.capacity <= ROOM && space.capacity.0 > ROOM.0 / 4 * 3),
    }
    assert!(space.free <= space.capacity && space.free.0 > ROOM.0 / 2);
    volume.sync().unwrap();
}

/// Bytes, tag, digests and address come back from the medium.
pub fn what_was_synced_is_found_by_the_next_mount(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let put = put(&mut *volume, "reports/2019.tar", &pattern(300_000, 1)).unwrap();
    volume.sync().unwrap();
    for round in 0..2 {
        let found = volume.lookup(put.tag.extent).unwrap().expect("the index names it");
        assert_eq!((&found.tag, &found.address), (&put.tag, &put.address), "round {round}");
        assert_eq!(found.digests, Digests::of(&put.bytes));
        assert_eq!(entries(&mut *volume), [found]);
        assert_eq!(get(&mut *volume, &put.wanted(label.generation)).unwrap(), put.bytes);
        volume = again(maker, volume);
    }
    assert!(volume.lookup(ExtentId::fresh()).unwrap().is_none());
}

///
pub fn no_bytes_are_an_extent_too(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let put = put(&mut *volume, "empty", b"").unwrap();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(get(&mut *volume, &put.wanted(label.generation)).unwrap(), b"");
}

/// A finished extent that was never synced is not one.
pub fn what_was_not_synced_is_not_in_the_index(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    let kept = put(&mut *volume, "kept", b"1").unwrap();
    volume.sync().unwrap();
    put(&mut *volume, "lost", b"2").unwrap();
    let mut volume = again(maker, volume);
    let found = entries(&mut *volume);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].tag, kept.tag);
    put(&mut *volume, "later", b"3").unwrap();
    volume.sync().unwrap();
    assert_eq!(entries(&mut *again(maker, volume)).len(), 2);
}

/// Neither later writes nor those of another mount.
pub fn a_sync_covers_the_writes_before_it_and_no_others(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let before = put(&mut *volume, "before", b"1").unwrap();
    let first = volume.sync().unwrap();
    let after = put(&mut *volume, "after", b"2").unwrap();
    assert!(is_covered(&label, before, &first));
    assert!(!is_covered(&label, after, &first));
    let unsynced = put(&mut *volume, "unsynced", b"3").unwrap();
    let mut volume = again(maker, volume);
    put(&mut *volume, "more", b"4").unwrap();
    put(&mut *volume, "more", b"5").unwrap();
    put(&mut *volume, "more", b"6").unwrap();
    let later = volume.sync().unwrap();
    assert!(!is_covered(&label, unsynced, &later));
}

/// Not while it is reserved, not after a deletion, not by another mount.
pub fn an_address_is_given_once(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let origin = tag("same", 1).origin;
    let mut given = vec![volume.reserve(&origin, ExtentId::fresh()).unwrap()];
    given.push(volume.reserve(&origin, ExtentId::fresh()).unwrap());
    for _ in 0..3 {
        let put = put(&mut *volume, "same", b"x").unwrap();
        volume.sync().unwrap();
        volume.delete(&put.wanted(label.generation)).unwrap();
        volume.sync().unwrap();
        given.push(put.address);
        volume = again(maker, volume);
        let mut sorted = given.clone();
        sorted.sort();
        sorted.dedup();
        let written = &given[2..];
        assert!(
            written
                .iter()
                .all(|one| written.iter().filter(|other| one == *other).count() == 1)
        );
        assert!(
            sorted.len() + 2 >= given.len(),
            "only what was reserved and never written may come again"
        );
    }
}

/// Other digests, fewer bytes or more than were announced.
pub fn other_bytes_than_were_meant_are_refused(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    for (given, digests) in [("abc", "abd"), ("ab", "abc"), ("ab", "ab")] {
        let tag = tag("wrong", 3);
        let address = volume.reserve(&tag.origin, tag.extent).unwrap();
        let handle = volume.create(tag, &address).unwrap().unwrap();
        volume.write(handle, given.as_bytes()).unwrap();
        let refused = volume.finish(handle, Digests::of(digests.as_bytes())).unwrap_err();
        assert_eq!(refused.fault, Fault::Miswritten, "{given} {digests}");
    }
    let tag = tag("long", 3);
    let address = volume.reserve(&tag.origin, tag.extent).unwrap();
    let handle = volume.create(tag, &address).unwrap().unwrap();
    assert_eq!(volume.write(handle, b"abcd").unwrap_err().fault, Fault::Miswritten);
    volume.abandon(handle);
    volume.sync().unwrap();
    assert!(entries(&mut *volume).is_empty());
}

/// It has no entry, and is told until it is swept.
pub fn an_abandoned_extent_is_a_stranger(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let tag = tag("given up", 10);
    let address = volume.reserve(&tag.origin, tag.extent).unwrap();
    let handle = volume.create(tag.clone(), &address).unwrap().unwrap();
    volume.write(handle, b"12345").unwrap();
    assert!(volume.strangers().unwrap().is_empty(), "it is being written");
    volume.abandon(handle);
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    assert!(entries(&mut *volume).is_empty());
    let left = match maker.nature().remnant {
        Remnant::File => vec![address.clone()],
        Remnant::Nothing => vec![],
    };
    assert_eq!(volume.strangers().unwrap(), left);
    let wanted = Wanted {
        extent: tag.extent,
        oid: tag.origin.oid,
        address,
        bytes: tag.bytes,
        generation: label.generation,
        inode: None,
        span: None,
    };
    volume.delete(&wanted).unwrap();
    assert_eq!(volume.delete(&wanted).unwrap(), Deleted::Absent);
    volume.sync().unwrap();
    assert!(again(maker, volume).strangers().unwrap().is_empty());
}

/// I11.
pub fn a_deletion_is_of_one_extent_and_generation(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let one = put(&mut *volume, "one", b"1").unwrap();
    let two = put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    let other = Generation(label.generation.0 + 1);
    assert!(refused_as_another(
        &volume.delete(&one.wanted(other)).unwrap_err().fault
    ));
    assert_eq!(volume.delete(&one.wanted(label.generation)).unwrap(), Deleted::Gone);
    assert_eq!(volume.delete(&one.wanted(label.generation)).unwrap(), Deleted::Absent);
    volume.sync().unwrap();
    assert_eq!(volume.delete(&one.wanted(label.generation)).unwrap(), Deleted::Absent);
    let mut volume = again(maker, volume);
    assert_eq!(entries(&mut *volume).len(), 1);
    assert!(volume.lookup(one.tag.extent).unwrap().is_none());
    assert_eq!(volume.delete(&one.wanted(label.generation)).unwrap(), Deleted::Absent);
    assert_eq!(get(&mut *volume, &two.wanted(label.generation)).unwrap(), two.bytes);
}

///
pub fn an_orphan_never_takes_the_bytes_of_another_extent(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let live = put(&mut *volume, "shared", b"live").unwrap();
    let mut orphan = live.wanted(label.generation);
    orphan.extent = ExtentId::fresh();
    for round in 0..3 {
        let refused = volume.delete(&orphan).unwrap_err();
        assert!(refused_as_another(&refused.fault), "round {round}: {refused}");
        assert!(refused_as_another(&volume.isolate(&orphan, "x").unwrap_err().fault));
        if round == 0 {
            volume.sync().unwrap();
        } else {
            volume = again(maker, volume);
        }
    }
    assert_eq!(get(&mut *volume, &live.wanted(label.generation)).unwrap(), b"live");
}

/// Another size, generation, address or owner.
pub fn what_is_evidently_another_file_is_not_opened(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let one = put(&mut *volume, "one", b"111").unwrap();
    let two = put(&mut *volume, "two", b"222").unwrap();
    volume.sync().unwrap();
    let good = one.wanted(label.generation);
    let mut other = good.clone();
    other.bytes = ByteCount(4);
    let short = volume.open(&other, ReadFrom::Anywhere).unwrap_err();
    assert_eq!(short.fault, Fault::Short { expected: 4, got: 3 });
    let mut other = good.clone();
    other.generation = Generation(label.generation.0 + 1);
    assert!(refused_as_another(
        &volume.open(&other, ReadFrom::Anywhere).unwrap_err().fault
    ));
    let mut other = good.clone();
    other.address = two.address;
    assert!(refused_as_another(
        &volume.open(&other, ReadFrom::Anywhere).unwrap_err().fault
    ));
    volume.delete(&good).unwrap();
    volume.sync().unwrap();
    assert_eq!(volume.open(&good, ReadFrom::Anywhere).unwrap_err().fault, Fault::Absent);
}

/// Several at once, with seeks, of one extent and of two.
pub fn bytes_are_read_in_any_pieces(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let put = put(&mut *volume, "pieces", &pattern(200_003, 9)).unwrap();
    volume.sync().unwrap();
    let wanted = put.wanted(label.generation);
    let (one, two) = (
        volume.open(&wanted, ReadFrom::Medium).unwrap(),
        volume.open(&wanted, ReadFrom::Anywhere).unwrap(),
    );
    for (handle, offset, length) in [
        (one, 5, 7_usize),
        (two, 199_999, 100),
        (one, 100_000, 60_000),
        (two, 200_003, 9),
    ] {
        volume.seek(handle, offset).unwrap();
        let mut buffer = vec![0xee; length];
        let count = volume.read(handle, &mut buffer).unwrap();
        let start = offset as usize;
        let end = (start + length).min(put.bytes.len());
        assert_eq!(&buffer[..count], &put.bytes[start..end]);
    }
    volume.close(one);
    assert!(volume.read(one, &mut [0]).is_err());
    volume.close(two);
}

/// They are not an extent any more, and are not lost.
pub fn isolated_bytes_are_out_of_the_way(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let bad = put(&mut *volume, "bad", &pattern(1000, 2)).unwrap();
    volume.sync().unwrap();
    let used = volume.space().unwrap().used;
    volume
        .isolate(&bad.wanted(label.generation), "digest mismatch")
        .unwrap();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    assert!(volume.lookup(bad.tag.extent).unwrap().is_none() && entries(&mut *volume).is_empty());
    assert!(volume.open(&bad.wanted(label.generation), ReadFrom::Anywhere).is_err());
    assert_eq!(volume.space().unwrap().used, used, "the bytes are kept");
    assert!(volume.strangers().unwrap().is_empty());
}

/// The highest revision stays, whatever comes later.
pub fn an_index_commit_is_remembered(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    put(&mut *volume, "one", b"1").unwrap();
    for revision in [41, 40] {
        let stamp = IndexStamp {
            revision: Revision(revision),
            event_head: None,
        };
        volume.commit_index(stamp).unwrap();
        volume.commit_index(stamp).unwrap();
        assert_eq!(volume.revision(), Revision(41));
    }
    put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    assert_eq!(volume.revision(), Revision(41));
    assert_eq!(entries(&mut *volume).len(), 2);
}

/// And what fits is counted.
pub fn what_does_not_fit_is_not_begun(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    let before = volume.space().unwrap();
    put(&mut *volume, "some", &pattern(1 << 20, 0)).unwrap();
    volume.sync().unwrap();
    let after = volume.space().unwrap();
    assert!(after.used.0 >= before.used.0 + (1 << 20) && after.free < before.free);
    let tag = tag("much", after.free.0 + 1);
    let address = volume.reserve(&tag.origin, tag.extent).unwrap();
    assert_eq!(volume.create(tag, &address).unwrap(), None);
    assert_eq!(again(maker, volume).space().unwrap().used, after.used);
}

fn next(label: &Label) -> Label {
    Label {
        generation: Generation(label.generation.0 + 1),
        revision: Revision(label.revision.0 + 100),
        ..label.clone()
    }
}

/// Index entries and orphans go; the generation is new; names may be used again.
pub fn an_erasure_takes_what_is_named_and_tells_the_rest(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let named = put(&mut *volume, "named", b"1").unwrap();
    volume.sync().unwrap();
    let orphan = put(&mut *volume, "orphan", b"2").unwrap();
    let stranger = put(&mut *volume, "stranger", b"3").unwrap();
    let mut volume = again(maker, volume);
    let mut steps = Vec::new();
    let mut orphans = [orphan.wanted(label.generation), named.wanted(label.generation)].into_iter();
    let label = next(&label);
    let left = volume
        .erase(label.clone(), &mut orphans, &mut |step| steps.push(step))
        .unwrap();
    let stays = match maker.nature().remnant {
        Remnant::File => vec![stranger.address.clone()],
        Remnant::Nothing => vec![],
    };
    assert_eq!(left, stays);
    assert_eq!(steps, [EraseStep::Middle, EraseStep::BeforeLabel]);
    for _ in 0..2 {
        assert_eq!(volume.label(), &label);
        assert_eq!(volume.revision(), label.revision);
        assert!(entries(&mut *volume).is_empty());
        volume = again(maker, volume);
    }
    let again = put(&mut *volume, "named", b"4").unwrap();
    volume.sync().unwrap();
    assert_eq!(get(&mut *volume, &again.wanted(label.generation)).unwrap(), b"4");
    let old = named.wanted(Generation(label.generation.0 - 1));
    assert!(refused_as_another(&volume.delete(&old).unwrap_err().fault));
}

/// the same call, with the label already new, does nothing more.
pub fn an_erasure_may_be_repeated(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    put(&mut *volume, "one", b"1").unwrap();
    volume.sync().unwrap();
    let label = next(&label);
    let nothing = || std::iter::empty();
    volume.erase(label.clone(), &mut nothing(), &mut |_| {}).unwrap();
    volume.erase(label.clone(), &mut nothing(), &mut |_| {}).unwrap();
    let mut volume = again(maker, volume);
    let left = volume.erase(label.clone(), &mut nothing(), &mut |_| {}).unwrap();
    assert!(left.is_empty());
    put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    assert!(
        volume.erase(label.clone(), &mut nothing(), &mut |_| {}).is_err(),
        "it was used since"
    );
    let skipped = next(&next(&label));
    let mut volume = again(maker, volume);
    assert!(volume.erase(skipped, &mut nothing(), &mut |_| {}).is_err());
    assert_eq!(entries(&mut *again(maker, volume)).len(), 1);
}

/// Windows, mounts, deletions and open handles mixed.
pub fn an_index_in_many_windows_is_whole(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let mut expected = Vec::new();
    for round in 0..12_u8 {
        let mut puts = Vec::new();
        for number in 0..20 {
            puts.push(put(&mut *volume, &format!("r{round}/o{number}"), &pattern(200, round)).unwrap());
        }
        let gone = puts.swap_remove(7);
        volume.delete(&gone.wanted(label.generation)).unwrap();
        volume.sync().unwrap();
        let gone = puts.swap_remove(3);
        volume.delete(&gone.wanted(label.generation)).unwrap();
        volume.sync().unwrap();
        expected.extend(puts.into_iter().map(|put| put.tag));
        if round % 3 == 0 {
            volume = again(maker, volume);
        }
    }
    expected.sort_by_key(|tag| tag.extent);
    let found: Vec<ExtentTag> = entries(&mut *volume).into_iter().map(|entry| entry.tag).collect();
    assert!(
        found == expected,
        "{} entries, {} expected",
        found.len(),
        expected.len()
    );
    for tag in &expected {
        assert!(volume.lookup(tag.extent).unwrap().is_some());
    }
}

/// Either way the name is gone, and the next mount says the same.
pub fn a_deletion_frees_what_its_nature_says(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let kept = put(&mut *volume, "kept", &pattern(500_000, 1)).unwrap();
    let gone = put(&mut *volume, "gone", &pattern(3 << 20, 2)).unwrap();
    volume.sync().unwrap();
    let before = volume.space().unwrap();
    volume.delete(&gone.wanted(label.generation)).unwrap();
    volume.sync().unwrap();
    for round in 0..2 {
        let after = volume.space().unwrap();
        match maker.nature().deletion {
            Deletion::Frees => {
                assert_eq!(after.used.0, before.used.0 - (3 << 20), "round {round}");
                assert!(after.free > before.free);
            }
            Deletion::Keeps => {
                assert_eq!(after.used, before.used, "round {round}");
                assert!(after.free <= before.free);
            }
        }
        assert!(volume.lookup(gone.tag.extent).unwrap().is_none());
        volume = again(maker, volume);
    }
    assert_eq!(get(&mut *volume, &kept.wanted(label.generation)).unwrap(), kept.bytes);
}

/// Two that are written in turns, and a third that is synced in between.
pub fn extents_side_by_side_are_each_whole(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let (one, two) = (pattern(300_001, 3), pattern(200_002, 4));
    let begin = |volume: &mut dyn Volume, oid: &str, bytes: &[u8]| {
        let tag = tag(oid, bytes.len() as u64);
        let address = volume.reserve(&tag.origin, tag.extent).unwrap();
        let handle = volume.create(tag.clone(), &address).unwrap().expect("there is room");
        (tag, address, handle)
    };
    let (first, first_at, left) = begin(&mut *volume, "one", &one);
    let (second, second_at, right) = begin(&mut *volume, "two", &two);
    for (number, (a, b)) in one.chunks(30_011).zip(two.chunks(20_011)).enumerate() {
        assert_eq!(volume.write(left, a).unwrap(), Accepted::All);
        assert_eq!(volume.write(right, b).unwrap(), Accepted::All);
        if number == 4 {
            put(&mut *volume, "between", b"small").unwrap();
            volume.sync().unwrap();
            assert_eq!(
                entries(&mut *volume).len(),
                1,
                "those that are not finished do not count"
            );
        }
    }
    volume.finish(right, Digests::of(&two)).unwrap();
    volume.finish(left, Digests::of(&one)).unwrap();
    volume.sync().unwrap();
    for _ in 0..2 {
        for (tag, address, bytes) in [(&first, &first_at, &one), (&second, &second_at, &two)] {
            let wanted = Put {
                tag: tag.clone(),
                address: address.clone(),
                bytes: bytes.clone(),
                receipt: WriteReceipt::accepted(tag.extent, Digests::of(bytes), None, SERIAL),
            };
            assert_eq!(get(&mut *volume, &wanted.wanted(label.generation)).unwrap(), *bytes);
        }
        assert_eq!(entries(&mut *volume).len(), 3);
        volume = again(maker, volume);
    }
}

/// Reading between writes takes nothing from either, whether what is read was synced or not.
pub fn what_is_written_after_a_read_lies_where_it_is_found(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let old = put(&mut *volume, "old", &pattern(70_000, 5)).unwrap();
    volume.sync().unwrap();
    let young = put(&mut *volume, "young", &pattern(50_000, 6)).unwrap();
    let bytes = pattern(90_000, 7);
    let tag = tag("under way", bytes.len() as u64);
    let address = volume.reserve(&tag.origin, tag.extent).unwrap();
    let handle = volume.create(tag.clone(), &address).unwrap().unwrap();
    for piece in bytes.chunks(30_000) {
        volume.write(handle, piece).unwrap();
        for read in [&old, &young] {
            assert_eq!(get(&mut *volume, &read.wanted(label.generation)).unwrap(), read.bytes);
        }
    }
    volume.finish(handle, Digests::of(&bytes)).unwrap();
    let last = put(&mut *volume, "last", &pattern(10, 8)).unwrap();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    for read in [&old, &young, &last] {
        assert_eq!(get(&mut *volume, &read.wanted(label.generation)).unwrap(), read.bytes);
    }
    let found = volume.lookup(tag.extent).unwrap().expect("it was synced");
    let mut wanted = last.wanted(label.generation);
    (wanted.extent, wanted.address, wanted.bytes) = (tag.extent, address, tag.bytes);
    wanted.span = found.span;
    assert_eq!(get(&mut *volume, &wanted).unwrap(), bytes);
}

/// Whatever is done between two parts of a read, the second one goes on where the first ended.
pub fn a_read_goes_on_after_others_were_written(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let read = put(&mut *volume, "read", &pattern(600_000, 3)).unwrap();
    volume.sync().unwrap();
    let handle = volume.open(&read.wanted(label.generation), ReadFrom::Medium).unwrap();
    let mut bytes = Vec::new();
    for between in 0..6_u8 {
        let mut piece = vec![0; 100_000];
        let count = volume.read(handle, &mut piece).unwrap();
        bytes.extend_from_slice(&piece[..count]);
        let other = put(&mut *volume, &format!("other {between}"), &pattern(70_000, between)).unwrap();
        match between {
            0 => {}
            1 => drop(volume.sync().unwrap()),
            2 => {
                volume.sync().unwrap();
                assert!(volume.lookup(other.tag.extent).unwrap().is_some());
            }
            3 => volume.commit_index(STAMP).unwrap(),
            _ => {
                let wanted = other.wanted(label.generation);
                assert_eq!(get(&mut *volume, &wanted).unwrap(), other.bytes);
            }
        }
    }
    assert!(bytes == read.bytes, "every byte is its own");
}

/// Where a family tells one, it is the same everywhere, no other is believed, and no two share a byte.
pub fn a_place_says_where_the_bytes_are(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let puts: Vec<Put> = [0, 1, 40_000, 200_000, 7]
        .iter()
        .enumerate()
        .map(|(number, length)| put(&mut *volume, &format!("o{number}"), &pattern(*length, number as u8)).unwrap())
        .collect();
    volume.sync().unwrap();
    let mut volume = again(maker, volume);
    for put in &puts {
        let Some(span) = volume.lookup(put.tag.extent).unwrap().unwrap().span else {
            continue;
        };
        assert_eq!(span.bytes(), Some(put.tag.bytes.0));
        let mut wanted = put.wanted(label.generation);
        wanted.span = Some(span.clone());
        assert_eq!(get(&mut *volume, &wanted).unwrap(), put.bytes);
        if let Some(first) = wanted.span.as_mut().and_then(|span| span.0.first_mut()) {
            first.start_block += 1;
            assert!(refused_as_another(
                &volume.open(&wanted, ReadFrom::Medium).unwrap_err().fault
            ));
            assert!(refused_as_another(&volume.delete(&wanted).unwrap_err().fault));
        }
    }
}
