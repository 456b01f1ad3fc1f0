//! Rules of writing: what is synced is there, and nothing else.

use super::puts::{ROOM, SERIAL, STAMP};
use super::{Maker, Measure, Put, again, entries, get, is_covered, mounted, pattern, put, tag};
use dss::model::evidence::WriteReceipt;
use dss::model::{Address, ByteCount, Digests, ExtentId};
use lrs::ldm::Fault;
use lrs::ldm::fs::{Accepted, ExtentTag, Volume};

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
    let same = tag("same", 1);
    let mut other = same.clone();
    other.extent = ExtentId::fresh();
    let mut given = vec![volume.reserve(&same).unwrap()];
    given.push(volume.reserve(&other).unwrap());
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

/// What was never begun leaves its name to the next attempt. A name of which anything may lie there stays: of another
/// extent, while it is written, once it is in the window, in the index, and deleted.
pub fn a_name_that_nothing_came_to_is_taken_back(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let attempt = || ExtentTag {
        extent: ExtentId::fresh(),
        ..tag("same", 1)
    };
    let (first, second) = (attempt(), attempt());
    let free = volume.reserve(&first).unwrap();
    volume.give_back(second.extent, &free);
    assert_ne!(
        volume.reserve(&second).unwrap(),
        free,
        "it is not the other's to give back"
    );
    volume.give_back(first.extent, &free);
    let third = attempt();
    assert_eq!(volume.reserve(&third).unwrap(), free);
    let stays = |volume: &mut dyn Volume, of: ExtentId, address: &Address, why: &str| {
        volume.give_back(of, address);
        assert_ne!(&volume.reserve(&attempt()).unwrap(), address, "{why}");
    };
    let handle = volume.create(third.clone(), &free).unwrap().unwrap();
    stays(&mut *volume, third.extent, &free, "it is being written");
    assert_eq!(volume.write(handle, b"x").unwrap(), Accepted::All);
    volume.finish(handle, Digests::of(b"x")).unwrap();
    stays(&mut *volume, third.extent, &free, "it is in the window");
    volume.sync().unwrap();
    stays(&mut *volume, third.extent, &free, "it is in the index");
    let gone = put(&mut *volume, "gone", b"x").unwrap();
    volume.sync().unwrap();
    volume.delete(&gone.wanted(label.generation)).unwrap();
    volume.give_back(gone.tag.extent, &gone.address);
    volume.sync().unwrap();
    volume.give_back(gone.tag.extent, &gone.address);
    let after = put(&mut *volume, "gone", b"y").unwrap();
    assert_ne!(after.address, gone.address, "it was deleted");
}

/// Other digests, fewer bytes or more than were announced.
pub fn other_bytes_than_were_meant_are_refused(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    for (given, digests) in [("abc", "abd"), ("ab", "abc"), ("ab", "ab")] {
        let tag = tag("wrong", 3);
        let address = volume.reserve(&tag).unwrap();
        let handle = volume.create(tag, &address).unwrap().unwrap();
        volume.write(handle, given.as_bytes()).unwrap();
        let refused = volume.finish(handle, Digests::of(digests.as_bytes())).unwrap_err();
        assert_eq!(refused.fault, Fault::Miswritten, "{given} {digests}");
    }
    let tag = tag("long", 3);
    let address = volume.reserve(&tag).unwrap();
    let handle = volume.create(tag, &address).unwrap().unwrap();
    assert_eq!(volume.write(handle, b"abcd").unwrap_err().fault, Fault::Miswritten);
    volume.abandon(handle);
    volume.sync().unwrap();
    assert!(entries(&mut *volume).is_empty());
}

/// more is said of one than any index takes. It is not there, which is told as its own fault; those before and after
/// it are, and the sync between covers them.
pub fn x01_what_cannot_be_said_of_an_extent_is_its_own_fault_and_harms_no_other(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let before = put(&mut *volume, "before", b"1").unwrap();
    let mut large = tag("large", 1);
    let user = &mut large.header.metadata.user;
    user.insert("note".to_owned(), "x".repeat(17 << 20));
    let address = volume.reserve(&large).unwrap();
    let refused = match volume.create(large, &address) {
        Ok(handle) => {
            let handle = handle.expect("there is room");
            volume.write(handle, b"2").unwrap();
            volume.finish(handle, Digests::of(b"2")).unwrap_err()
        }
        Err(refused) => refused,
    };
    assert!(refused.fault.is_of_extent(), "{refused}");
    let after = put(&mut *volume, "after", b"3").unwrap();
    volume.sync().unwrap();
    volume.commit_index(STAMP).unwrap();
    volume = again(maker, volume);
    assert_eq!(entries(&mut *volume).len(), 2);
    for put in [before, after] {
        assert_eq!(get(&mut *volume, &put.wanted(label.generation)).unwrap(), put.bytes);
    }
}

/// Two that are written in turns, and a third that is synced in between.
pub fn extents_side_by_side_are_each_whole(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let (one, two) = (pattern(300_001, 3), pattern(200_002, 4));
    let begin = |volume: &mut dyn Volume, oid: &str, bytes: &[u8]| {
        let tag = tag(oid, bytes.len() as u64);
        let address = volume.reserve(&tag).unwrap();
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

/// And what fits is counted.
pub fn what_does_not_fit_is_not_begun(maker: &mut dyn Maker) {
    let (_, mut volume) = mounted(maker);
    let before = volume.space().unwrap();
    put(&mut *volume, "some", &pattern(1 << 20, 0)).unwrap();
    volume.sync().unwrap();
    let after = volume.space().unwrap();
    assert!(after.used.0 >= before.used.0 + (1 << 20) && after.free < before.free);
    let tag = tag("much", after.free.0 + 1);
    let address = volume.reserve(&tag).unwrap();
    assert_eq!(volume.create(tag, &address).unwrap(), None);
    assert_eq!(again(maker, volume).space().unwrap().used, after.used);
}
