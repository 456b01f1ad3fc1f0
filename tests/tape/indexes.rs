//! Indexes that cannot be read: the other partition's is used, and without any the tape is refused with what it says.

use super::house::{Held, all_is_well, all_readable, cartridge, fill, independent_check, loft, mixed};
use respool_test_support::Site;
use std::fs;
use std::path::PathBuf;

/// The records of a tape that begin an index, in a partition, in their order.
fn indexes(site: &Site, name: &str, partition: u8) -> Vec<PathBuf> {
    let folder = cartridge(site, name);
    let begins = format!("{partition}_");
    let mut found: Vec<(u64, PathBuf)> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let file = path.file_name()?.to_str()?;
            let block = file.strip_prefix(&begins)?.strip_suffix("_R")?.parse().ok()?;
            let text = fs::read(&path).ok()?;
            let is_index = text.windows(11).take(200).any(|part| part == b"<ltfsindex ");
            is_index.then_some((block, path))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}

/// An index that is no XML any more, of the same length.
fn spoil(index: &PathBuf) -> Vec<u8> {
    let kept = fs::read(index).unwrap();
    fs::write(index, vec![b'x'; kept.len()]).unwrap();
    kept
}

fn put_away(site: &Site) -> Held {
    let held = fill(site, "things", &mixed(16), &["--tags", "a"]);
    site.ok(&["tape", "unload", "a"]);
    held
}

#[test]
fn an_index_that_is_spoilt_is_read_in_the_other_partition() {
    let site = loft(1, &["a"]);
    let mut held = put_away(&site);
    let last = indexes(&site, "a", 0).pop().expect("a tape has an index");
    site.stop();
    let kept = spoil(&last);
    all_readable(&site, &held);
    let check = site.run(&["tape", "check", "a"]);
    assert_eq!(check.code, 4, "it is told: {check:?}");
    assert_ne!(check.json["findings"].as_array().map(Vec::len), Some(0), "{check:?}");
    // Nobody wrote over it unasked.
    assert_eq!(fs::read(&last).unwrap(), vec![b'x'; kept.len()]);
    all_is_well(&site, &held);
    // The next write makes the tape whole again.
    site.put("more", b"more", &["--tags", "a"]);
    held.insert("more".to_owned(), b"more".to_vec());
    all_is_well(&site, &held);
    site.ok(&["tape", "unload", "a"]);
    site.ok(&["tape", "check", "a"]);
    independent_check(&site, &["a"], &[]);
}

/// The last index of the data partition is damage: what it named is read, and nothing is appended behind it.
#[test]
fn a_data_partition_whose_last_index_is_spoilt_is_read_and_not_written() {
    let site = loft(1, &["a"]);
    let held = put_away(&site);
    let last = indexes(&site, "a", 1).pop().expect("a tape has an index");
    site.stop();
    let kept = spoil(&last);
    all_readable(&site, &held);
    let check = site.run(&["tape", "check", "a"]);
    assert_eq!(check.code, 4, "it is told: {check:?}");
    let refused = site.try_put("more", b"more", &["--tags", "a"]);
    assert!([2, 3, 4].contains(&refused.code), "{refused:?}");
    all_readable(&site, &held);
    site.stop();
    assert_eq!(fs::read(&last).unwrap(), vec![b'x'; kept.len()], "it is left as it is");
    fs::write(&last, kept).unwrap();
    site.ok(&["medium", "trust", "a"]);
    all_is_well(&site, &held);
}

/// Without any index nothing says what the records are. Nothing is written, and what is in the way is told.
#[test]
fn a_tape_whose_indexes_are_all_spoilt_is_refused_and_left_as_it_is() {
    let site = loft(1, &["a", "b"]);
    let held = put_away(&site);
    site.stop();
    let all: Vec<PathBuf> = [0, 1]
        .into_iter()
        .flat_map(|partition| indexes(&site, "a", partition))
        .collect();
    assert!(all.len() >= 3, "{all:?}");
    site.stop();
    let kept: Vec<Vec<u8>> = all.iter().map(spoil).collect();
    fs::write(site.root().join("file"), "more").unwrap();
    for (command, code) in [
        (&["get", "things/0003", "copy"][..], 3),
        (&["put", "file", "more", "--tags", "a"], 2),
        (&["repack", "a", "--to", "b", "--quarantine", "0"], 4),
        (&["tape", "check", "a"], 4),
    ] {
        let refused = site.run(command);
        assert_eq!(refused.code, code, "{command:?}: {refused:?}");
        let said = &refused.stderr;
        assert!(
            said.contains("no valid index") && said.contains("next:"),
            "{command:?}: {said}"
        );
    }
    site.stop();
    for (index, kept) in all.iter().zip(kept) {
        assert_eq!(fs::read(index).unwrap(), vec![b'x'; kept.len()], "it is left as it is");
        fs::write(index, kept).unwrap();
    }
    site.ok(&["medium", "trust", "a"]);
    all_is_well(&site, &held);
    independent_check(&site, &["a", "b"], &[]);
}
