//! Rules of taking away: only what was meant goes.

use super::{Deletion, Maker, Remnant, again, entries, get, mounted, next, pattern, put, refused_as_another, tag};
use dss::model::{ExtentId, Generation};
use lrs::ldm::fs::{Deleted, EraseStep, ReadFrom, Wanted};

/// It has no entry, and is told until it is swept.
pub fn an_abandoned_extent_is_a_stranger(maker: &mut dyn Maker) {
    let (label, mut volume) = mounted(maker);
    let tag = tag("given up", 10);
    let address = volume.reserve(&tag).unwrap();
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
