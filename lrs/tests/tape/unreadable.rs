//! Indexes whose first record cannot be read: nobody knows how they began, so any of them may be one that counts.

use crate::format::{STAMP, touched_by_others};
use crate::rigged::Reel;
use crate::volume::{Put, entries, get, pattern, put};
use dss::model::Generation;
use lrs::ldm::Fault;
use lrs::ldm::fs::{Label, Wanted};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Files of a cartridge by their names.
type Files = BTreeMap<String, Vec<u8>>;

/// Every file of a cartridge whose name begins so: `0_` are the blocks of the index partition, `attr_` the cartridge's memory.
fn files(folder: &Path, begin: &str) -> Files {
    let all = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    all.filter_map(|entry| {
        let name = entry.file_name().into_string().unwrap();
        let bytes = fs::read(entry.path()).unwrap();
        name.starts_with(begin).then_some((name, bytes))
    })
    .collect()
}

/// These files, and no others whose names begin so.
fn put_back(folder: &Path, begin: &str, kept: &Files) {
    for name in files(folder, begin).keys() {
        fs::remove_file(folder.join(name)).unwrap();
    }
    for (name, bytes) in kept {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// The first block of the last index of a partition: behind its last filemark but one.
fn last_index(folder: &Path, partition: u8) -> u64 {
    let begin = format!("{partition}_");
    let mark = |name: &String| name.strip_prefix(&begin)?.strip_suffix("_F")?.parse().ok();
    let mut marks: Vec<u64> = files(folder, &begin).keys().filter_map(mark).collect();
    marks.sort_unstable();
    marks[marks.len() - 2] + 1
}

/// A record without its file is one that cannot be read (3/11/00). Answers what it was.
fn lose_record(folder: &Path, partition: u8, block: u64) -> Vec<u8> {
    let path = folder.join(format!("{partition}_{block}_R"));
    let kept = fs::read(&path).unwrap();
    fs::remove_file(path).unwrap();
    kept
}

/// A medium with an extent that its index names, and how the catalogue asks for that.
fn committed() -> (Reel, Put, Wanted) {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let one = put(&mut *volume, "one", &pattern(40_000, 1)).unwrap();
    volume.commit_index(STAMP).unwrap();
    let mut wanted = one.wanted(reel.label.generation);
    wanted.span = volume.lookup(one.tag.extent).unwrap().expect("it is named").span;
    drop(volume);
    (reel, one, wanted)
}

fn next(label: &Label) -> Label {
    Label {
        generation: Generation(label.generation.0 + 1),
        ..label.clone()
    }
}

/// Nothing is written to it, and it is not erased, as nobody knows whose files it has; what is known of is read.
fn is_read_and_left_alone(reel: &mut Reel, one: &Put, wanted: &Wanted, words: &str) {
    let before = files(reel.folder(), "");
    let mut volume = reel.mounted();
    let refused = put(&mut *volume, "more", b"1").unwrap_err().fault;
    assert!(
        matches!(&refused, Fault::Damaged(why) if why.contains("cannot be read") || why.contains("3/11/00")),
        "{refused}"
    );
    assert!(volume.index().is_err() && volume.commit_index(STAMP).is_err());
    assert_eq!(get(&mut *volume, wanted).unwrap(), one.bytes);
    drop(volume);
    let mut volume = reel.mounted();
    let refused = volume.erase(next(&reel.label), &mut std::iter::empty(), &mut |_| {});
    let refused = refused.unwrap_err().fault;
    assert!(
        matches!(&refused, Fault::Unfit(why) if why.contains("may hold files") && why.contains(words)),
        "{refused}"
    );
    assert_eq!(files(reel.folder(), ""), before);
}

/// I11, X-25: what is in the place of the index partition's index may be one of other software, which names files of theirs.
/// It is damage, and is told; what is written over it would be gone.
#[test]
fn i11_an_index_partition_whose_index_does_not_begin_to_be_read_is_damage() {
    let (mut reel, one, wanted) = committed();
    let block = last_index(reel.folder(), 0);
    let kept = lose_record(reel.folder(), 0, block);
    is_read_and_left_alone(&mut reel, &one, &wanted, "partition a has no index that can be read");
    // A drive that reads it after all finds the medium as it was.
    fs::write(reel.folder().join(format!("0_{block}_R")), kept).unwrap();
    let mut volume = reel.mounted();
    put(&mut *volume, "more", b"1").unwrap();
    volume.commit_index(STAMP).unwrap();
    assert_eq!(entries(&mut *volume).len(), 2);
}

/// I11: other software wrote a file and the data partition's index, and was stopped before the index partition's. That index
/// does not begin to be read: what it names goes with an erasure, so there is none.
#[test]
fn i11_a_later_index_that_does_not_begin_to_be_read_keeps_a_tape_from_being_erased() {
    let (mut reel, one, wanted) = committed();
    let before = ["0_", "attr_"].map(|begin| (begin, files(reel.folder(), begin)));
    touched_by_others(&mut reel);
    for (begin, kept) in &before {
        put_back(reel.folder(), begin, kept);
    }
    let block = last_index(reel.folder(), 1);
    lose_record(reel.folder(), 1, block);
    let words = format!("what may be an index at b:{block} cannot be read");
    is_read_and_left_alone(&mut reel, &one, &wanted, &words);
}
