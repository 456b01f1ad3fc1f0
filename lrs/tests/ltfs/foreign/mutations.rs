//! Indexes that nobody wrote, on a tape: a survey of it answers or refuses, and never panics; nor does reading what it says.

use super::{drive, expected, read_whole, wanted};
use crate::fixtures::{Fixture, folder, unpack};
use crate::fuzz::{changes, document, extent, file, mutated};
use lrs::ldm::fs::Wanted;
use lrs::ldm::fs::ltfs::foreign::{EntryFault, ForeignEntry, in_tape_order, mount, survey};
use proptest::prelude::*;

/// Places of the last index of each partition of the fixture that the document is of.
const ON_INDEX: &str = "0_5_R";
const ON_DATA: &str = "1_40_R";

/// Surveys a volume, and reads everything that it is said to hold. Answers how many entries there were.
fn tried(fixture: &Fixture) -> usize {
    let tape = drive(&fixture.cartridge);
    let Ok(surveyed) = survey(&tape, "mutated") else {
        return 0;
    };
    let volume = surveyed.volume;
    let mut entries: Vec<ForeignEntry> = surveyed.entries.collect();
    in_tape_order(&mut entries);
    let mut volume = mount(&tape, expected(volume)).unwrap();
    for entry in &entries {
        let Some(wanted) = wanted(entry).filter(|wanted| wanted.bytes.0 < 1 << 22) else {
            continue;
        };
        let by_path = Wanted {
            span: None,
            ..wanted.clone()
        };
        let by_path = read_whole(&mut *volume, &by_path, 4096);
        match &entry.damaged {
            Some(EntryFault::Bytes(why)) => assert!(by_path.is_err(), "{}: {why}", entry.path),
            // What is wrong with a directory above it.
            Some(EntryFault::NoWay(_)) => {}
            None => assert_eq!(by_path, read_whole(&mut *volume, &wanted, 100), "{}", entry.path),
        }
    }
    entries.len()
}

/// The same document as the other partition has it.
fn on_data(document: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(document);
    let place = |partition: &str, block: u64| {
        format!("<location><partition>{partition}</partition><startblock>{block}</startblock></location>")
    };
    text.replace(&place("a", 5), &place("b", 40)).into_bytes()
}

fn put(fixture: &Fixture, document: &[u8]) {
    std::fs::write(fixture.cartridge.join(ON_INDEX), document).unwrap();
    std::fs::write(fixture.cartridge.join(ON_DATA), on_data(document)).unwrap();
}

/// Two files, a directory and a link, in numbers and names that a test chooses.
fn tree(block: u64, offset: u64, bytes: u64, length: u64, name: &str) -> String {
    let one = file(&length.to_string(), &extent(&block.to_string(), &bytes.to_string()))
        .replace("<byteoffset>0", &format!("<byteoffset>{offset}"))
        .replace("<fileoffset>0", &format!("<fileoffset>{}", offset / 3))
        .replace("a%3A", name);
    let link = file("0", "")
        .replace("<extentinfo></extentinfo>", "<symlink>nowhere</symlink>")
        .replace("a%3A", "link");
    let inside = file("10", &extent("14", "10")).replace("a%3A", "inside");
    let meta = &one[one.find("<readonly>").unwrap()..one.find("<fileuid>").unwrap()];
    let directory = format!(
        "<directory><name percentencoded=\"true\">{name}</name>{meta}<fileuid>9</fileuid><contents>{inside}</contents></directory>"
    );
    format!("{one}{directory}{link}")
}

#[test]
fn a_survey_of_a_mutated_index_never_panics() {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let fixture = unpack(&folder, "simple");
    put(&fixture, document(&tree(14, 0, 10, 10, "whole")).as_bytes());
    assert_eq!(tried(&fixture), 5, "the document by itself is one");
    let base = document(&tree(14, 0, 10, 10, "whole"));
    let listed = std::cell::Cell::new(0);
    proptest!(ProptestConfig::with_cases(700), |(changes in changes())| {
        put(&fixture, &mutated(base.as_bytes(), &changes));
        listed.set(listed.get() + usize::from(tried(&fixture) > 0));
    });
    let listed = listed.get();
    println!("{listed} of the mutated ones were indexes all the same");
    assert!(listed > 2, "what is no index at all tests little");
}

/// what cannot be true is told, whatever the numbers are.
#[test]
fn a_survey_of_absurd_numbers_and_names_never_panics() {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let fixture = unpack(&folder, "simple");
    let number = prop_oneof![
        0..70_u64,
        Just(u64::MAX),
        Just(u64::MAX - 1),
        Just(1 << 56),
        Just((1 << 56) + 1),
        any::<u64>()
    ];
    let name = prop_oneof![
        Just("".to_owned()),
        Just("..".to_owned()),
        Just("a%2Fb".to_owned()),
        Just("link".to_owned()),
        "[a-c]{1,2}"
    ];
    let numbers = [number.clone(), number.clone(), number.clone(), number];
    proptest!(ProptestConfig::with_cases(250), |([block, offset, bytes, length] in numbers, name in name)| {
        put(&fixture, document(&tree(block, offset, bytes, length, &name)).as_bytes());
        prop_assert_eq!(tried(&fixture), 5);
    });
}
