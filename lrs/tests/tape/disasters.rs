//! What goes wrong with a tape, rehearsed: nothing that was synced is lost, nothing is written over, and everything that
//! is doubtful stops the writing.

use crate::format::{STAMP, judged};
use crate::rigged::{Reel, expected};
use crate::volume::{Put, entries, get, is_covered, pattern, put, tag};
use dss::model::{ByteCount, Generation};
use lrs::ldm::Fault;
use lrs::ldm::drive::{Drive, Partition};
use lrs::ldm::error::Blame;
use lrs::ldm::fs::ltfs::medium::{Erasing, mount};
use lrs::ldm::fs::{Accepted, EraseStep, Label, ReadFrom, Volume, Wanted};
use std::collections::BTreeMap;
use std::path::Path;

/// Every record of the data partition.
fn records(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter_map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            let bytes = std::fs::read(entry.path()).unwrap();
            (name.starts_with("1_") && !name.ends_with("_E")).then_some((name, bytes))
        })
        .collect()
}

/// As the catalogue asks for it that was told where the bytes lie.
fn placed(reel: &Reel, volume: &mut dyn Volume, put: &Put) -> Wanted {
    let mut wanted = put.wanted(reel.label.generation);
    wanted.span = volume.lookup(put.tag.extent).unwrap().expect("it is named").span;
    wanted
}

fn next(label: &Label) -> Label {
    Label {
        generation: Generation(label.generation.0 + 1),
        ..label.clone()
    }
}

#[test]
fn nothing_on_the_tape_is_ever_written_over() {
    let mut reel = Reel::formatted();
    let mut before = records(reel.folder());
    for round in 0..6_u8 {
        let mut volume = reel.mounted();
        put(&mut *volume, &format!("synced {round}"), &pattern(40_000, round)).unwrap();
        volume.sync().unwrap();
        // What is not synced may be anybody's by the time it is found.
        put(&mut *volume, &format!("not {round}"), &pattern(100_000, round)).unwrap();
        if round % 2 == 1 {
            volume.commit_index(STAMP).unwrap();
        }
        drop(volume);
        let after = records(reel.folder());
        for (name, bytes) in &before {
            assert_eq!(after.get(name), Some(bytes), "round {round}: {name}");
        }
        assert!(after.len() > before.len());
        before = after;
    }
    let mut volume = reel.mounted();
    assert_eq!(
        entries(&mut *volume).len(),
        6 + 3,
        "a commit makes all of its window durable"
    );
    volume.commit_index(STAMP).unwrap();
    judged(reel.folder());
}

#[test]
fn a_tail_is_named_by_its_log_and_indexed_before_anything_is_added() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let first = put(&mut *volume, "first", &pattern(60_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    let second = put(&mut *volume, "second", &pattern(60_000, 2)).unwrap();
    volume.delete(&first.wanted(reel.label.generation)).unwrap();
    volume.sync().unwrap();
    let end = reel.end();
    drop(volume);
    let mut volume = reel.mounted();
    assert_eq!(reel.end(), end, "a mount writes nothing");
    assert_eq!(entries(&mut *volume)[0].tag, second.tag);
    assert_eq!(volume.stamp(), Some(STAMP));
    put(&mut *volume, "third", b"3").unwrap();
    drop(volume);
    // Only what came before the third is whole now, and others see it too.
    let mut volume = reel.mounted();
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(volume.stamp(), Some(STAMP));
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
}

#[test]
fn a_failed_flush_voids_its_window_and_is_never_retried_into_success() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let kept = put(&mut *volume, "kept", &pattern(70_000, 1)).unwrap();
    let receipt = volume.sync().unwrap();
    let kept_wanted = kept.wanted(reel.label.generation);
    assert!(is_covered(&reel.label, kept, &receipt));
    let end = reel.end();
    let lost = put(&mut *volume, "lost", &pattern(70_000, 2)).unwrap();
    reel.plan(|plan| plan.flushes = Some(0));
    let failed = volume.sync().unwrap_err();
    assert!(
        matches!(failed.fault, Fault::Drive(_)) && failed.blame() == Blame::Medium,
        "{failed}"
    );
    reel.plan(|plan| plan.flushes = None);
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(put(&mut *volume, "more", b"1").unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(volume.commit_index(STAMP).unwrap_err().fault, Fault::NeedsReopen);
    assert!(!is_covered(&reel.label, lost, &receipt));
    assert_eq!(get(&mut *volume, &kept_wanted).unwrap(), pattern(70_000, 1));
    drop(volume);
    // The tape has none of what the flush was for.
    cut(&reel, end);
    let mut volume = reel.mounted();
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(get(&mut *volume, &kept_wanted).unwrap(), pattern(70_000, 1));
}

/// The tape ends at this block.
fn cut(reel: &Reel, end: u64) {
    let old = reel.end();
    std::fs::rename(
        reel.folder().join(format!("1_{old}_E")),
        reel.folder().join(format!("1_{end}_E")),
    )
    .unwrap();
    for block in end..old {
        for kind in ["R", "F"] {
            let _ = std::fs::remove_file(reel.folder().join(format!("1_{block}_{kind}")));
        }
    }
}

#[test]
fn whatever_the_tape_ends_in_the_windows_before_it_are_whole() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let mut ends = vec![(reel.end(), 0)];
    for round in 0..4_usize {
        put(&mut *volume, &format!("o{round}"), &pattern(30_000 * (round + 1), 1)).unwrap();
        if round == 2 {
            volume.commit_index(STAMP).unwrap();
        } else {
            volume.sync().unwrap();
        }
        ends.push((reel.end(), round + 1));
    }
    let begin = ends[0].0;
    drop(volume);
    let sealed = |end: u64| {
        let good = ends.iter().rev().find(|(sealed, _)| *sealed <= end);
        good.map_or(0, |(_, count)| *count)
    };
    // The index partition knows of a commit, which no cut of the other one may contradict: only the tail is cut.
    let committed = ends[3].0;
    for end in (committed..=reel.end()).rev() {
        cut(&reel, end);
        let mut volume = reel.mounted();
        assert_eq!(entries(&mut *volume).len(), sealed(end), "{end} of {begin}..");
    }
    cut(&reel, committed - 1);
    let mut volume = reel.mounted();
    assert!(matches!(
        volume.index().err().map(|error| error.fault),
        Some(Fault::Damaged(_))
    ));
    assert!(matches!(
        put(&mut *volume, "x", b"1").unwrap_err().fault,
        Fault::Damaged(_)
    ));
}

#[test]
fn a_log_that_cannot_be_read_stops_the_writing_and_no_extent_is_lost() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.sync().unwrap();
    let first_seal = reel.end() - 1;
    let two = put(&mut *volume, "two", &pattern(40_000, 2)).unwrap();
    volume.sync().unwrap();
    let (lines, seal) = (reel.end() - 2, reel.end() - 1);
    let wanted = [placed(&reel, &mut *volume, &one), placed(&reel, &mut *volume, &two)];
    drop(volume);
    for block in [first_seal, lines, seal] {
        let aside = std::fs::read(reel.record(block)).unwrap();
        for damage in [None, Some(flipped(&aside))] {
            match &damage {
                None => std::fs::remove_file(reel.record(block)).unwrap(),
                Some(bytes) => std::fs::write(reel.record(block), bytes).unwrap(),
            }
            let mut volume = reel.mounted();
            for (wanted, put) in wanted.iter().zip([&one, &two]) {
                assert_eq!(get(&mut *volume, wanted).unwrap(), put.bytes, "{block}");
            }
            let flipped_last = block == seal && damage.is_some();
            let named = volume.index().map(Iterator::count);
            if flipped_last {
                // A seal with a wrong bit is none, as of a write that was torn. The catalogue knows better.
                assert_eq!(named.ok(), Some(1));
                reel.least_end = wanted[1].span.as_ref().unwrap().end_block(1).unwrap();
                drop(volume);
                volume = reel.mounted();
                assert_eq!(get(&mut *volume, &wanted[1]).unwrap(), two.bytes);
                assert!(matches!(put_fault(&mut *volume), Fault::Damaged(_)));
                reel.least_end = 0;
            } else {
                assert!(
                    matches!(named.err().map(|error| error.fault), Some(Fault::Damaged(_))),
                    "{block}"
                );
                let refused = put_fault(&mut *volume);
                assert!(matches!(refused, Fault::Damaged(_)), "{block}: {refused}");
            }
            std::fs::write(reel.record(block), &aside).unwrap();
        }
    }
    assert_eq!(entries(&mut *reel.mounted()).len(), 2);
}

fn put_fault(volume: &mut dyn Volume) -> Fault {
    put(volume, "more", b"1").unwrap_err().fault
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// What a power cut leaves of a tape that was being written: the drive does not find the end any more (3/14/03, 8/14/03).
#[test]
fn a_lost_end_of_data_costs_no_extent_and_stops_the_writing() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    let two = put(&mut *volume, "two", &pattern(40_000, 2)).unwrap();
    volume.sync().unwrap();
    let wanted = [placed(&reel, &mut *volume, &one), placed(&reel, &mut *volume, &two)];
    drop(volume);
    let before = records(reel.folder());
    for (partition, key) in [(0, 3), (1, 3), (1, 8)] {
        let drive = reel.load();
        reel.plan(|plan| plan.lost_end = Some((Partition(partition), key)));
        let mut volume = mount(&drive, expected(&reel.label)).unwrap();
        for (wanted, put) in wanted.iter().zip([&one, &two]) {
            assert_eq!(get(&mut *volume, wanted).unwrap(), put.bytes, "{partition}");
        }
        let refused = put_fault(&mut *volume);
        assert!(
            matches!(&refused, Fault::Damaged(why) if why.contains("an end of data is lost")),
            "{refused}"
        );
        assert!(volume.index().is_err() && volume.commit_index(STAMP).is_err());
        volume.identify().unwrap();
    }
    assert_eq!(records(reel.folder()), before);
    assert_eq!(entries(&mut *reel.mounted()).len(), 2);
}

#[test]
fn a_tape_that_ends_before_what_the_catalogue_knows_is_not_written() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.sync().unwrap();
    drop(volume);
    reel.least_end = reel.end();
    drop(reel.mounted());
    reel.least_end += 1;
    let mut volume = reel.mounted();
    let refused = put_fault(&mut *volume);
    assert!(
        matches!(&refused, Fault::Damaged(why) if why.contains("the catalogue knows")),
        "{refused}"
    );
    assert_eq!(
        get(&mut *volume, &one.wanted(reel.label.generation)).unwrap(),
        one.bytes
    );
}

#[test]
fn early_warning_closes_the_tape_and_what_was_written_is_good() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let whole = put(&mut *volume, "whole", &pattern(50_000, 1)).unwrap();
    let from = reel.end() + 2;
    reel.plan(|plan| plan.warn_from = Some(from));
    let cut = tag("cut", 200_000);
    let address = volume.reserve(&cut).unwrap();
    let handle = volume.create(cut, &address).unwrap().unwrap();
    let ends = pattern(200_000, 2)
        .chunks(20_000)
        .map(|piece| volume.write(handle, piece).unwrap())
        .find(|accepted| *accepted == Accepted::EndOfMedium);
    assert_eq!(ends, Some(Accepted::EndOfMedium));
    volume.abandon(handle);
    assert_eq!(volume.space().unwrap().free, ByteCount(0));
    let more = tag("more", 1);
    let address = volume.reserve(&more).unwrap();
    assert_eq!(volume.create(more, &address).unwrap(), None);
    volume.sync().unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    judged(reel.folder());
    let mut volume = reel.mounted();
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(
        get(&mut *volume, &whole.wanted(reel.label.generation)).unwrap(),
        whole.bytes
    );
}

#[test]
fn a_commit_that_fails_between_both_partitions_loses_nothing() {
    for index_writes in 0..2 {
        let mut reel = Reel::formatted();
        let mut volume = reel.mounted();
        let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
        for number in 0..40 {
            put(&mut *volume, &format!("fill {number}"), b"1").unwrap();
        }
        reel.plan(|plan| plan.index_writes = Some(index_writes));
        let failed = volume.commit_index(STAMP).unwrap_err();
        assert!(matches!(failed.fault, Fault::Drive(_)), "{failed}");
        assert_eq!(put_fault(&mut *volume), Fault::NeedsReopen);
        drop(volume);
        let mut volume = reel.mounted();
        assert_eq!(entries(&mut *volume).len(), 41, "{index_writes}");
        assert_eq!(
            get(&mut *volume, &one.wanted(reel.label.generation)).unwrap(),
            one.bytes
        );
        put(&mut *volume, "two", b"2").unwrap();
        volume.commit_index(STAMP).unwrap();
        drop(volume);
        judged(reel.folder());
        assert_eq!(entries(&mut *reel.mounted()).len(), 42);
    }
}

#[test]
fn an_unreadable_block_is_its_extents_fault_and_others_are_read() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let good = put(&mut *volume, "good", &pattern(100_000, 1)).unwrap();
    let bad = put(&mut *volume, "bad", &pattern(100_000, 2)).unwrap();
    volume.commit_index(STAMP).unwrap();
    let wanted = placed(&reel, &mut *volume, &bad);
    let block = wanted.span.as_ref().unwrap().0[0].start_block + 2;
    std::fs::remove_file(reel.record(block)).unwrap();
    drop(volume);
    let mut volume = reel.mounted();
    let failed = get(&mut *volume, &wanted).unwrap_err();
    assert_eq!(failed.blame(), Blame::Extent, "{failed}");
    assert!(failed.to_string().contains(&format!("p1:{block}")), "{failed}");
    assert_eq!(
        get(&mut *volume, &good.wanted(reel.label.generation)).unwrap(),
        good.bytes
    );
    // A record that is short is never filled up with what follows.
    std::fs::write(reel.record(block), [7; 100]).unwrap();
    drop(volume);
    let mut volume = reel.mounted();
    let failed = get(&mut *volume, &wanted).unwrap_err();
    assert!(
        matches!(failed.fault, Fault::Short { .. }) && failed.is_integrity(),
        "{failed}"
    );
}

#[test]
fn a_cartridge_that_may_have_changed_is_neither_read_nor_written() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.sync().unwrap();
    let wanted = one.wanted(reel.label.generation);
    reel.plan(|plan| plan.all = Some((6, 0x28, 0)));
    assert!(get(&mut *volume, &wanted).is_err());
    reel.plan(|plan| plan.all = None);
    assert_eq!(get(&mut *volume, &wanted).unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(put_fault(&mut *volume), Fault::NeedsReopen);
    assert!(volume.identify().is_err());
    drop(volume);
    assert_eq!(get(&mut *reel.mounted(), &wanted).unwrap(), one.bytes);
}

/// Another program of this host rewinds the drive: no attention is told, and the cartridge is the same.
#[test]
fn a_tape_that_was_moved_by_somebody_else_is_not_written() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.sync().unwrap();
    let before = records(reel.folder());
    volume.identify().unwrap();
    reel.drive.as_ref().unwrap().lock().unwrap().rewind().unwrap();
    let failed = volume.identify().unwrap_err();
    assert!(failed.to_string().contains("it stands at p0:0"), "{failed}");
    assert_eq!(put_fault(&mut *volume), Fault::NeedsReopen);
    assert!(volume.sync().is_err() && volume.commit_index(STAMP).is_err());
    let wanted = one.wanted(reel.label.generation);
    assert_eq!(get(&mut *volume, &wanted).unwrap_err().fault, Fault::NeedsReopen);
    drop(volume);
    assert_eq!(records(reel.folder()), before);
    assert_eq!(get(&mut *reel.mounted(), &wanted).unwrap(), one.bytes);
}

/// The one attention of a change goes to whoever asks first.
#[test]
fn a_loss_that_somebody_else_was_told_of_stops_the_volume() {
    for taken_up in [false, true] {
        let mut reel = Reel::formatted();
        let mut volume = reel.mounted();
        let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
        volume.sync().unwrap();
        let before = records(reel.folder());
        reel.plan(|plan| plan.all = Some((6, 0x29, 0)));
        let drive = reel.drive.clone().unwrap();
        assert!(drive.lock().unwrap().position().is_err());
        reel.plan(|plan| plan.all = None);
        if taken_up {
            drive.lock().unwrap().take_up();
        }
        drive.lock().unwrap().rewind().unwrap();
        assert_eq!(volume.identify().unwrap_err().fault, Fault::NeedsReopen);
        assert_eq!(put_fault(&mut *volume), Fault::NeedsReopen);
        let wanted = one.wanted(reel.label.generation);
        assert_eq!(get(&mut *volume, &wanted).unwrap_err().fault, Fault::NeedsReopen);
        drop(volume);
        assert_eq!(records(reel.folder()), before);
    }
}

#[test]
fn another_cartridge_in_the_drive_is_told_before_anything_is_recorded() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    volume.identify().unwrap();
    let attribute = reel.folder().join("attr_0_820");
    let mut raw = std::fs::read(&attribute).unwrap();
    *raw.last_mut().unwrap() ^= 1;
    std::fs::write(&attribute, raw).unwrap();
    let refused = volume.identify().unwrap_err();
    assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    assert_eq!(put_fault(&mut *volume), Fault::NeedsReopen);
}

#[test]
fn an_erasure_that_was_cut_off_is_ended_and_nothing_else_is_done_before() {
    for stop in [EraseStep::Middle, EraseStep::BeforeLabel] {
        let mut reel = Reel::formatted();
        let mut volume = reel.mounted();
        put(&mut *volume, "one", b"1").unwrap();
        volume.commit_index(STAMP).unwrap();
        let label = next(&reel.label);
        let cut_off = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            volume.erase(label.clone(), &mut std::iter::empty(), &mut |step| {
                assert!(step != stop, "as if the process ended here");
            })
        }));
        assert!(cut_off.is_err());
        drop(volume);
        let refused = reel.try_mount().err().expect("it has no label");
        assert!(
            matches!(refused.fault, Fault::Unlabelled(_) | Fault::Damaged(_)),
            "{stop:?}: {refused}"
        );
        reel.erasing = Erasing::Begun;
        let mut volume = reel.mounted();
        assert_eq!(volume.label().generation, label.generation);
        assert!(volume.index().is_err() && put(&mut *volume, "x", b"1").is_err());
        let mut steps = Vec::new();
        volume
            .erase(label.clone(), &mut std::iter::empty(), &mut |step| steps.push(step))
            .unwrap();
        assert_eq!(steps, [EraseStep::Middle, EraseStep::BeforeLabel]);
        assert_eq!(volume.label(), &label);
        let two = put(&mut *volume, "two", b"2").unwrap();
        volume.commit_index(STAMP).unwrap();
        drop(volume);
        judged(reel.folder());
        reel.erasing = Erasing::No;
        let mut volume = reel.mounted();
        assert_eq!(get(&mut *volume, &two.wanted(label.generation)).unwrap(), b"2");
    }
}

#[test]
fn a_blank_tape_is_not_taken_for_a_medium_that_is_being_erased() {
    let mut reel = Reel::formatted();
    reel.erasing = Erasing::Begun;
    for entry in std::fs::read_dir(reel.folder()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for partition in 0..2 {
        std::fs::write(reel.folder().join(format!("{partition}_0_E")), []).unwrap();
    }
    let refused = reel.try_mount().err().expect("any tape may be blank");
    assert!(matches!(refused.fault, Fault::Unlabelled(_)), "{refused}");
}

#[test]
fn an_index_that_reads_otherwise_than_it_was_written_is_found_out() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", b"1").unwrap();
    let two = put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    // The drive said that it wrote the seal.
    let seal = reel.record(reel.end() - 1);
    let bytes = std::fs::read(&seal).unwrap();
    std::fs::write(&seal, vec![0; bytes.len()]).unwrap();
    let failed = volume.lookup(one.tag.extent).unwrap_err();
    assert!(matches!(failed.fault, Fault::Damaged(_)), "{failed}");
    assert!(volume.index().is_err());
    assert!(
        volume
            .open(&two.wanted(reel.label.generation), ReadFrom::Medium)
            .is_ok()
    );
    assert!(put(&mut *volume, "three", b"3").is_err());
}

#[test]
fn data_that_look_like_a_seal_are_none() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    put(&mut *volume, "one", b"1").unwrap();
    volume.sync().unwrap();
    let seal = std::fs::read(reel.record(reel.end() - 1)).unwrap();
    put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    // A copy of the first seal in a record of its own, the last one on the tape.
    let copy = put(&mut *volume, "copy", &seal).unwrap();
    assert_eq!(get(&mut *volume, &copy.wanted(reel.label.generation)).unwrap(), seal);
    assert_eq!(std::fs::read(reel.record(reel.end() - 1)).unwrap(), seal);
    drop(volume);
    assert_eq!(entries(&mut *reel.mounted()).len(), 2);
}

#[test]
fn a_name_that_was_taken_away_is_not_given_again_after_a_commit() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "same", b"1").unwrap();
    volume.commit_index(STAMP).unwrap();
    volume.delete(&one.wanted(reel.label.generation)).unwrap();
    volume.commit_index(STAMP).unwrap();
    for _ in 0..2 {
        drop(volume);
        volume = reel.mounted();
        let mut same = one.tag.clone();
        same.extent = dss::model::ExtentId::fresh();
        let address = volume.reserve(&same).unwrap();
        assert_ne!(address, one.address);
        put(&mut *volume, "another", b"2").unwrap();
        volume.commit_index(STAMP).unwrap();
    }
}
