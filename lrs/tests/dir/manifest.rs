//! The manifest: what a crash may take from it and what it may not.

use super::support::{Bench, names};
use crate::volume::{Maker, Put, entries, get, put};
use dss::model::{ByteCount, ExtentId};
use lrs::ldm::Fault;
use lrs::ldm::fs::{Deleted, ReadFrom};
use std::fs;
use std::path::Path;

fn lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

/// Three extents, each synced alone.
fn three() -> (Bench, Vec<Put>) {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    let puts = ["a", "b", "c"]
        .map(|oid| {
            let put = put(&mut *volume, oid, oid.as_bytes()).unwrap();
            volume.sync().unwrap();
            put
        })
        .into();
    (bench, puts)
}

fn ids(bench: &Bench) -> Vec<ExtentId> {
    entries(&mut *bench.mounted())
        .iter()
        .map(|entry| entry.tag.extent)
        .collect()
}

#[test]
fn a_torn_tail_is_ignored_and_never_written_over() {
    let (bench, puts) = three();
    let path = bench.segment(2);
    let whole = fs::read(&path).unwrap();
    // The last confirmation is not synced, so a crash may take it; without it the last window may be torn anywhere.
    let durable = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    let seal = whole[..durable - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let window = whole[..seal - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for end in window..durable {
        fs::write(&path, &whole[..end]).unwrap();
        assert_eq!(ids(&bench), [puts[0].tag.extent, puts[1].tag.extent], "cut at {end}");
        // Parts that were not written may read as zeros.
        let mut holes = whole[..durable].to_vec();
        holes[window..=end.min(durable - 1)].fill(0);
        fs::write(&path, &holes).unwrap();
        assert_eq!(ids(&bench).len(), 2, "zeros to {end}");
    }
    fs::write(&path, &whole[..durable - 5]).unwrap();
    let mut volume = bench.mounted();
    assert_eq!(volume.strangers().unwrap(), [puts[2].address.clone()]);
    let again = put(&mut *volume, "c", b"again").unwrap();
    assert!(again.address.0.ends_with("+2"), "{}", again.address);
    volume.sync().unwrap();
    assert_eq!(fs::read(&path).unwrap(), &whole[..durable - 5]);
    drop(volume);
    assert_eq!(ids(&bench).len(), 3);
}

#[test]
fn a_flip_anywhere_in_what_was_durable_is_damage_and_extents_are_still_read() {
    let (bench, puts) = three();
    let path = bench.segment(2);
    let whole = fs::read(&path).unwrap();
    let durable = whole[..whole.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    for position in (0..durable).step_by(17).chain([durable - 1]) {
        let mut damaged = whole.clone();
        damaged[position] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let mut volume = bench.mounted();
        let told = |fault: Fault| matches!(fault, Fault::Damaged(_));
        assert!(
            volume.index().err().is_some_and(|error| told(error.fault)),
            "byte {position}"
        );
        assert!(told(volume.lookup(puts[0].tag.extent).unwrap_err().fault));
        assert!(told(put(&mut *volume, "d", b"").unwrap_err().fault));
        assert!(told(volume.space().unwrap_err().fault));
        let wanted = puts[2].wanted(bench.label.generation);
        assert!(told(volume.delete(&wanted).unwrap_err().fault));
        assert_eq!(get(&mut *volume, &wanted).unwrap(), b"c");
    }
}

#[test]
fn a_flip_after_the_mount_is_found_by_the_next_question() {
    let (bench, puts) = three();
    let mut volume = bench.mounted();
    let path = bench.segment(2);
    let mut text = fs::read(&path).unwrap();
    let digest = text.windows(8).position(|part| part == b"\"blake3\"").unwrap() + 20;
    text[digest] ^= 1;
    fs::write(&path, text).unwrap();
    assert!(matches!(
        volume.lookup(puts[0].tag.extent).unwrap_err().fault,
        Fault::Damaged(_)
    ));
    assert!(matches!(volume.index().err().unwrap().fault, Fault::Damaged(_)));
    assert!(volume.lookup(puts[1].tag.extent).unwrap().is_some());
}

#[test]
fn a_missing_or_shortened_segment_is_damage() {
    for (segment, cut) in [(1, None), (2, None), (2, Some(300)), (2, Some(0))] {
        let (bench, _) = three();
        let mut volume = bench.mounted();
        put(&mut *volume, "d", b"4").unwrap();
        volume.sync().unwrap();
        drop(volume);
        let path = bench.segment(segment);
        match cut {
            None => fs::remove_file(&path).unwrap(),
            Some(bytes) => fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .unwrap()
                .set_len(bytes)
                .unwrap(),
        }
        let refused = bench.mounted().index().err().unwrap();
        assert!(matches!(refused.fault, Fault::Damaged(_)), "{segment} {cut:?}");
    }
}

#[test]
fn each_mount_that_writes_begins_a_segment_and_reading_begins_none() {
    let (bench, _) = three();
    let folder = bench.path().join(".respool/manifest");
    for _ in 0..3 {
        let mut volume = bench.mounted();
        assert_eq!(entries(&mut *volume).len(), 3);
        volume.sync().unwrap();
    }
    assert_eq!(names(&folder), ["0001.jsonl", "0002.jsonl"]);
    let mut volume = bench.mounted();
    put(&mut *volume, "d", b"").unwrap();
    volume.sync().unwrap();
    assert_eq!(names(&folder).len(), 3);
    assert_eq!(
        lines(&bench.segment(3)).len(),
        5,
        "begin, extent, seal, nothing, durable"
    );
}

#[test]
fn bytes_synced_and_not_sealed_are_strangers_whose_name_stays_used() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    let lost = put(&mut *volume, "a", b"lost").unwrap();
    drop(volume);
    let mut volume = bench.mounted();
    assert_eq!(volume.space().unwrap().used, ByteCount(4));
    let kept = put(&mut *volume, "a", b"kept").unwrap();
    assert_ne!(kept.address, lost.address);
    volume.sync().unwrap();
    assert_eq!(volume.strangers().unwrap(), std::slice::from_ref(&lost.address));
    assert_eq!(
        volume.delete(&lost.wanted(bench.label.generation)).unwrap(),
        Deleted::Gone
    );
    volume.sync().unwrap();
    assert_eq!(
        get(&mut *volume, &kept.wanted(bench.label.generation)).unwrap(),
        b"kept"
    );
    assert_eq!(volume.space().unwrap().used, ByteCount(4));
}

#[test]
fn x_16_a_row_whose_file_never_was_cannot_take_the_bytes_that_got_its_name() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    let tag = crate::volume::tag("a", 4);
    // Recorded, then a crash before its file existed.
    let address = volume.reserve(&tag).unwrap();
    drop(volume);
    let mut volume = bench.mounted();
    let live = put(&mut *volume, "a", b"live").unwrap();
    assert_eq!(live.address, address);
    let mut orphan = live.wanted(bench.label.generation);
    orphan.extent = tag.extent;
    for _ in 0..2 {
        assert!(matches!(
            volume.delete(&orphan).unwrap_err().fault,
            Fault::NotThisExtent(_)
        ));
        volume.sync().unwrap();
    }
    assert_eq!(
        get(&mut *volume, &live.wanted(bench.label.generation)).unwrap(),
        b"live"
    );
}

#[test]
fn a_file_that_took_an_extents_place_is_not_deleted() {
    let (bench, puts) = three();
    let mut volume = bench.mounted();
    let path = bench.path().join(&puts[0].address.0);
    let kept_inode_busy = bench.path().join("objects/elsewhere");
    fs::rename(&path, &kept_inode_busy).unwrap();
    fs::write(&path, "a").unwrap();
    let wanted = puts[0].wanted(bench.label.generation);
    assert!(matches!(
        volume.delete(&wanted).unwrap_err().fault,
        Fault::NotThisExtent(_)
    ));
    assert!(matches!(
        volume.isolate(&wanted, "x").unwrap_err().fault,
        Fault::NotThisExtent(_)
    ));
    assert!(path.exists());
    let mut by_inode = puts[1].wanted(bench.label.generation);
    by_inode.inode = Some(1);
    assert!(matches!(
        volume.delete(&by_inode).unwrap_err().fault,
        Fault::NotThisExtent(_)
    ));
    assert!(
        volume.open(&by_inode, ReadFrom::Anywhere).is_ok(),
        "a copied disk is still read"
    );
}

#[test]
fn isolated_bytes_are_kept_with_their_reason() {
    let (bench, puts) = three();
    let mut volume = bench.mounted();
    volume
        .isolate(&puts[1].wanted(bench.label.generation), "digest mismatch")
        .unwrap();
    volume.sync().unwrap();
    let kept = bench
        .path()
        .join(".respool/isolated")
        .join(puts[1].tag.extent.to_string());
    assert_eq!(fs::read(kept).unwrap(), b"b");
    assert!(
        lines(&bench.segment(3))
            .iter()
            .any(|line| line.contains("digest mismatch"))
    );
}

#[test]
fn x_32_an_erasure_cut_off_anywhere_is_finished_by_the_same_call() {
    // Crashes are taken as copies of the directory, at every step that the erasure tells.
    let (bench, puts) = three();
    let mut volume = bench.mounted();
    volume.isolate(&puts[2].wanted(bench.label.generation), "bad").unwrap();
    let stranger = put(&mut *volume, "stranger", b"?").unwrap();
    volume.sync().unwrap();
    drop(volume);
    fs::write(bench.path().join("objects/foreign"), "not ours").unwrap();
    let mut next = bench.label.clone();
    next.generation.0 += 1;
    for stop in 0..2 {
        let mut copy = Bench::new();
        copy.label = bench.label.clone();
        copy.fresh(ByteCount(1 << 20));
        fs::remove_dir_all(copy.path()).unwrap();
        let status = std::process::Command::new("cp")
            .arg("-a")
            .arg(bench.path())
            .arg(copy.path())
            .status()
            .unwrap();
        assert!(status.success());
        // The copies have other inodes than the index says: what it names is left, like anybody's file.
        let mut volume = copy.mounted();
        let mut seen = 0;
        let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            volume.erase(next.clone(), &mut std::iter::empty(), &mut |_| {
                if seen == stop {
                    std::panic::panic_any("crash");
                }
                seen += 1;
            })
        }));
        assert!(crashed.is_err());
        std::mem::forget(volume);
        assert_eq!(copy.mounted().label().generation, bench.label.generation);
        let left = copy
            .mounted()
            .erase(next.clone(), &mut std::iter::empty(), &mut |_| {})
            .unwrap();
        assert!(left.len() == 4, "{left:?}");
    }
    for stop in 0..2 {
        let mut volume = bench.mounted();
        if volume.label().generation == next.generation {
            break;
        }
        let mut seen = 0;
        let crashed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            volume.erase(next.clone(), &mut std::iter::empty(), &mut |_| {
                if seen == stop {
                    std::panic::panic_any("crash");
                }
                seen += 1;
            })
        }));
        assert!(crashed.is_err());
        std::mem::forget(volume);
        assert_eq!(
            bench.mounted().label().generation,
            bench.label.generation,
            "not true before the label"
        );
    }
    let left = bench
        .mounted()
        .erase(next.clone(), &mut std::iter::empty(), &mut |_| {})
        .unwrap();
    assert_eq!(
        left.iter().map(|address| address.0.as_str()).collect::<Vec<_>>(),
        ["objects/foreign"]
    );
    assert_ne!(left, [stranger.address]);
    assert_eq!(bench.objects(), ["foreign"]);
    assert!(names(&bench.path().join(".respool/isolated")).is_empty());
    let mut volume = bench.mounted();
    assert_eq!(volume.label(), &next);
    assert!(entries(&mut *volume).is_empty());
    assert_eq!(
        names(&bench.path().join(".respool/manifest")).len(),
        1,
        "the old manifest is gone"
    );
    assert_eq!(volume.space().unwrap().used, ByteCount(8));
}
