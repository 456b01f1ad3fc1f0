//! What a tape says may have been written by anybody who knows how lines and seals are made. Whatever it says, what is known
//! of other extents is not lost by it.

use crate::format::{STAMP, judged};
use crate::paths::imported;
use crate::rigged::Reel;
use crate::volume::{entries, get, put, put_as};
use dss::model::LtfsKind;
use lrs::ldm::Fault;
use std::fs;

/// A line whose CRC is right again.
fn closed(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    let crc = format!("{:08x}", crc32fast::hash(&line[19..]));
    line[10..18].copy_from_slice(crc.as_bytes());
    line
}

/// Changes what the lines of the last window say, and seals them as they are then.
fn forge(reel: &Reel, change: impl Fn(&str) -> String) {
    let seal = reel.record(reel.end() - 1);
    let sealed = fs::read_to_string(&seal).unwrap();
    let told: serde_json::Value = serde_json::from_str(&sealed).unwrap();
    let told = &told["seal"];
    assert_eq!(
        (&told["of"], told["first"].as_u64()),
        (&"window".into(), Some(reel.end() - 2))
    );
    let lines = reel.record(reel.end() - 2);
    let text = fs::read_to_string(&lines).unwrap();
    let forged: Vec<Vec<u8>> = text
        .lines()
        .map(|line| closed(change(line).as_bytes()))
        .map(|line| [line, b"\n".to_vec()].concat())
        .collect();
    let forged = forged.concat();
    assert!(forged != text.as_bytes() && forged.len() == text.len());
    fs::write(&lines, &forged).unwrap();
    let was = format!("\"crc32\":{},\"used\"", told["crc32"]);
    let is = format!("\"crc32\":{},\"used\"", crc32fast::hash(&forged));
    assert!(sealed.contains(&was), "{sealed}");
    fs::write(&seal, closed(sealed.replace(&was, &is).as_bytes())).unwrap();
}

/// A directory of which the log says that it digested bytes. Nothing lies anywhere that could be kept; an index that was
/// to name it would name nothing else any more either.
#[test]
fn bytes_that_lie_nowhere_cannot_be_isolated_and_take_no_index_along() {
    let mut reel = Reel::formatted();
    let mut volume = reel.mounted();
    let good = put(&mut *volume, "good", b"1").unwrap();
    let bad = put_as(&mut *volume, imported("d", LtfsKind::Directory, 0), b"").unwrap();
    volume.sync().unwrap();
    drop(volume);
    forge(&reel, |line| {
        line.replace("\"digests\":{\"bytes\":0,", "\"digests\":{\"bytes\":5,")
    });
    let mut volume = reel.mounted();
    let wanted = bad.wanted(reel.label.generation);
    let refused = volume.isolate(&wanted, "its digest is another one").unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::NotThisExtent(why) if why.contains("cannot be kept")),
        "{refused}"
    );
    volume.commit_index(STAMP).unwrap();
    assert_eq!(entries(&mut *volume).len(), 2);
    drop(volume);
    judged(reel.folder());
    let mut volume = reel.mounted();
    assert_eq!(get(&mut *volume, &good.wanted(reel.label.generation)).unwrap(), b"1");
    // What is isolated all the same is what has bytes.
    volume
        .isolate(&good.wanted(reel.label.generation), "its digest is another one")
        .unwrap();
    volume.commit_index(STAMP).unwrap();
    assert_eq!(entries(&mut *volume).len(), 1);
}
