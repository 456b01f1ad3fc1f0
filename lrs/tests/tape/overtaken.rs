//! What was synced behind respool's last index stays, whatever other software writes behind it: the log is the only place
//! that names it, and the catalogue may be lost.

use crate::format::{STAMP, touched_by_others, written_by_others};
use crate::paths::rewritten;
use crate::rigged::{Reel, Rigged};
use crate::volume::{Put, entries, get, pattern, put};
use dss::model::Generation;
use lrs::ldm::Fault;
use lrs::ldm::fs::ltfs::index::Entry;
use lrs::ldm::fs::ltfs::volume as ltfs;

/// An extent that an index names, and two windows behind it that only the log names. The block behind their index, and that
/// of the last seal.
fn with_windows(reel: &mut Reel) -> (Vec<Put>, u64, u64) {
    let mut volume = reel.mounted();
    let mut puts = vec![put(&mut *volume, "indexed", &pattern(50_000, 1)).unwrap()];
    volume.commit_index(STAMP).unwrap();
    for window in 0..2 {
        for number in 0..20 {
            let name = format!("window {window}/{number}");
            puts.push(put(&mut *volume, &name, &pattern(3000 + number, number as u8)).unwrap());
        }
        volume.sync().unwrap();
    }
    drop(volume);
    let mounted = ltfs::mount(&mut Rigged::open(reel.folder(), reel.capacity)).unwrap();
    (puts, mounted.data.last.unwrap().end, mounted.data.end - 1)
}

/// Other software finds a tape without an index at its end, writes one there, and then a file.
fn overtaken(reel: &mut Reel) {
    rewritten(reel, |_| {});
    touched_by_others(reel);
}

#[test]
fn e16_what_only_the_log_names_is_found_behind_any_number_of_indexes_of_others() {
    let mut reel = Reel::formatted();
    let (puts, ..) = with_windows(&mut reel);
    for round in 0..3 {
        match round {
            0 => overtaken(&mut reel),
            _ => rewritten(&reel, |_| {}),
        }
        let mut volume = reel.mounted();
        assert_eq!(entries(&mut *volume).len(), puts.len(), "{round}");
        for put in &puts {
            let wanted = put.wanted(reel.label.generation);
            assert_eq!(get(&mut *volume, &wanted).unwrap(), put.bytes, "{round}");
        }
        let refused = put(&mut *volume, "more", b"1").unwrap_err();
        assert!(
            matches!(&refused.fault, Fault::Unfit(why) if why.contains("other software")),
            "{refused}"
        );
    }
}

/// A part of the log that cannot be read is damage, and such a tape is not erased on the word of what is left.
#[test]
fn e16_a_log_that_was_overtaken_and_is_damaged_is_told() {
    let mut reel = Reel::formatted();
    let (puts, _, seal) = with_windows(&mut reel);
    overtaken(&mut reel);
    let whole = std::fs::read(reel.record(seal)).unwrap();
    std::fs::remove_file(reel.record(seal)).unwrap();
    let mut volume = reel.mounted();
    let refused = volume.lookup(puts[0].tag.extent).unwrap_err();
    assert!(matches!(&refused.fault, Fault::Damaged(_)), "{refused}");
    let mut next = reel.label.clone();
    next.generation = Generation(1);
    volume.erase(next, &mut std::iter::empty(), &mut |_| {}).unwrap_err();
    drop(volume);
    std::fs::write(reel.record(seal), whole).unwrap();
    assert_eq!(entries(&mut *reel.mounted()).len(), puts.len());
}

/// Where respool's index itself turned bad, nobody knows where its log begins.
#[test]
fn e16_an_index_that_was_overtaken_and_is_damaged_is_told() {
    let mut reel = Reel::formatted();
    let (puts, end, _) = with_windows(&mut reel);
    overtaken(&mut reel);
    std::fs::remove_file(reel.record(end - 2)).unwrap();
    let refused = reel.mounted().lookup(puts[0].tag.extent).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Damaged(words) if words.contains("what was synced after it")),
        "{refused}"
    );
}

/// What other software wrote and took away again is nobody's log: it is not read, however long it is, and what of it cannot
/// be read says nothing of the tape.
#[test]
fn what_others_left_behind_is_not_taken_for_a_log() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let ours = put(&mut *volume, "ours", &pattern(50_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    drop(volume);
    let raw = || ltfs::mount(&mut Rigged::open(reel.folder(), reel.capacity)).unwrap();
    let theirs = raw().data.last.unwrap().end;
    written_by_others(&mut reel, &pattern(4 << 20, 2));
    rewritten(&reel, |contents| {
        contents.retain(|entry| !matches!(entry, Entry::File(file) if file.meta.name == "theirs.txt"));
    });
    std::fs::remove_file(reel.record(theirs + 1)).unwrap();
    let mut volume = reel.mounted();
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(
        get(&mut *volume, &ours.wanted(reel.label.generation)).unwrap(),
        ours.bytes
    );
    let refused = put(&mut *volume, "more", b"1").unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("other software")),
        "{refused}"
    );
}
