//! What the tests of the real program put, and what must hold when they end.

use crate::Site;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The objects as they must be: live ones by name.
pub type Held = BTreeMap<String, Vec<u8>>;

/// Bytes that repeat nowhere, the same for the same seed.
pub fn filling(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

/// Puts many objects at once, named `prefix/0000` and so on, with the arguments of `put`.
pub fn fill(site: &Site, prefix: &str, sizes: &[usize], more: &[&str]) -> Held {
    let folder = tempfile::tempdir_in(site.root()).unwrap();
    let mut held = Held::new();
    for (number, size) in sizes.iter().enumerate() {
        let bytes = filling(number as u64 + 7 * prefix.len() as u64, *size);
        fs::write(folder.path().join(format!("{number:04}")), &bytes).unwrap();
        held.insert(format!("{prefix}/{number:04}"), bytes);
    }
    let path = folder.path().display().to_string();
    let put = site.ok(&[&["put", &path, prefix, "--recursive"], more].concat());
    assert_eq!(put["objects"].as_array().unwrap().len(), sizes.len(), "{put:#}");
    held
}

/// Sizes that meet every branch of the data path: nothing, a byte, around a buffer, several extents.
pub fn mixed(count: usize) -> Vec<usize> {
    const SIZES: [usize; 8] = [0, 1, 900, 4_096, 5_000, 16_384, 16_385, 2_500];
    (0..count).map(|number| SIZES[number % SIZES.len()]).collect()
}

/// One job's number, from its report.
pub fn job_of(report: &Value) -> String {
    report["job"].as_u64().expect("a report names its job").to_string()
}

/// The newest job's report.
pub fn newest_job(site: &Site) -> Option<Value> {
    let list = site.ok(&["job", "list"]);
    list["jobs"].as_array().expect("a list").first().cloned()
}

/// Every object by `get`, each byte compared, and nothing else is live.
#[track_caller]
pub fn all_readable(site: &Site, held: &Held) {
    for (oid, bytes) in held {
        assert!(site.get(oid) == *bytes, "{oid} has other bytes than were put");
    }
    let listed = site.ok(&["object", "list"]);
    let listed: BTreeSet<&str> = listed["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["oid"].as_str().unwrap())
        .collect();
    let known: BTreeSet<&str> = held.keys().map(String::as_str).collect();
    assert_eq!(listed, known);
}

/// `check` has nothing to say, nothing is pending, every file has a row and every *sync* row its file.
#[track_caller]
pub fn sound(site: &Site) {
    let report = site.ok(&["check"]);
    assert_eq!(report["ok"], true, "{report:#}");
    assert_eq!(report["findings"].as_array().map(Vec::len), Some(0), "{report:#}");
    let pending = site.extents(&["--state", "pending"]);
    assert!(pending.is_empty(), "pending: {pending:#?}");
    files_and_rows_agree(site);
}

/// Every file has a row and every *sync* row its file, at its full size.
#[track_caller]
pub fn files_and_rows_agree(site: &Site) {
    let media = site.ok(&["medium", "list"]);
    for medium in media["media"].as_array().unwrap() {
        let name = medium["name"].as_str().unwrap();
        let rows = site.extents(&["--medium", name]);
        let addresses: BTreeSet<&str> = rows.iter().map(|row| row["address"].as_str().unwrap()).collect();
        for file in site.files(name) {
            assert!(addresses.contains(file.as_str()), "{name}/{file} has no row");
        }
        if medium["family"] == "tape" {
            spans_are_known(&rows);
            continue;
        }
        let folder = Path::new(medium["path"].as_str().unwrap());
        for row in rows.iter().filter(|row| row["state"] == "sync") {
            let file = folder.join(row["address"].as_str().unwrap());
            let found = fs::metadata(&file).map(|found| found.len());
            assert_eq!(
                found.ok(),
                row["bytes"].as_u64(),
                "{} is not what {row:#} says",
                file.display()
            );
        }
    }
}

/// Every *sync* row of a tape says where its bytes lie.
#[track_caller]
fn spans_are_known(rows: &[Value]) {
    for row in rows.iter().filter(|row| row["state"] == "sync" && row["bytes"] != 0) {
        assert!(row["start_block"].is_u64() && row["blocks"].is_u64(), "{row:#}");
    }
}

/// The end of every test: sound, and everything readable.
#[track_caller]
pub fn all_is_well(site: &Site, held: &Held) {
    sound(site);
    all_readable(site, held);
}

/// The names of the media that hold an object's live version.
pub fn media_of(site: &Site, oid: &str) -> Vec<String> {
    let shown = site.ok(&["object", "show", oid]);
    let extents = shown["extents"].as_array().unwrap();
    extents
        .iter()
        .map(|extent| extent["medium"].as_str().unwrap().to_owned())
        .collect()
}
