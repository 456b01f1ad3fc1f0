//! What lies where before the first kill.

use super::house::fill;
use super::ledger::{Content, Ledger};
use super::plan::Between;
use respool_test_support::Site;
use serde_json::Value;

/// Small windows: a repack of 3,000 extents has some sixty.
pub const CONFIG: &str = r#"
[store]
extent_max_bytes = "64 KiB"
undelete_window = "20s"
[repack]
sync_bytes = "128 KiB"
sync_seconds = 5
[daemon]
idle_exit = "5m"
lease_seconds = 5
[memory]
ring = "64 KiB"
chunk = "16 KiB"
"#;
/// What one kill may have copied again: a window, the ring and the largest extent.
pub const AGAIN: u64 = (128 << 10) + (64 << 10) + 9_000;

const OBJECTS: usize = 2_940;
const TWICE: usize = 60;
const SIZES: [usize; 8] = [0, 1, 700, 1_500, 2_500, 4_096, 4_097, 9_000];
/// Every so many of the first objects one belongs to a client that changes it.
const CHANGED: usize = 10;
const CHANGERS: usize = 2;

/// The media that the repack goes between, and a third one.
fn make_media(site: &Site, between: Between) {
    match between {
        Between::Disks => site.disks(&["a", "b", "c"]),
        Between::Tapes => {
            let folder = site.root().join("library").display().to_string();
            let made = ["library", "add", "virtual", "library", &folder, "--technology", "lto9"];
            site.ok(&[&made[..], &["--drives", "2", "--slots", "4", "--cartridges", "2"]].concat());
            for (name, barcode) in [("a", "RSP000L9"), ("b", "RSP001L9")] {
                site.ok(&["tape", "add", barcode, "--name", name, "--tags", name]);
            }
            site.disks(&["c"]);
        }
    }
}

/// 3,000 extents on a, some with a second copy on c. Answers who keeps what: the reader's, and each changer's.
pub fn prepare(site: &Site, ledger: &Ledger, between: Between) -> (Vec<String>, Vec<Vec<String>>) {
    make_media(site, between);
    site.ok(&["medium", "set", "c", "tags=c,second"]);
    for medium in ["a", "b"] {
        site.ok(&["medium", "set", medium, &format!("tags={medium},first,second")]);
    }
    site.ok(&["medium", "lock", "b"]);
    let sizes = |count: usize| -> Vec<usize> { (0..count).map(|number| SIZES[number % SIZES.len()]).collect() };
    let (mut kept, mut given) = (vec![], vec![vec![]; CHANGERS]);
    for (prefix, count, more) in [
        ("things", OBJECTS, ["--tags", "a"].as_slice()),
        ("twice", TWICE, &["--copies", "2", "--tags", "second"]),
    ] {
        let held = fill(site, prefix, &sizes(count), more);
        for (number, (oid, bytes)) in held.into_iter().enumerate() {
            let seed = number as u64 + 7 * prefix.len() as u64;
            let content = Content {
                seed,
                bytes: bytes.len(),
            };
            assert!(content.bytes() == bytes, "the ledger makes what was put");
            ledger.is(&oid, Some(content));
            match number % CHANGED {
                0 => given[number / CHANGED % CHANGERS].push(oid),
                _ => kept.push(oid),
            }
        }
    }
    site.ok(&["medium", "unlock", "b"]);
    (kept, given)
}

/// The steps that a repack between two media comes to, each with a drive of its own.
pub fn step_names(site: &Site) -> Vec<String> {
    let listed = site.ok(&["drill", "steps"]);
    let steps = listed["steps"].as_array().expect("a list of steps");
    let name = |step: &Value| step.as_str().or(step["name"].as_str()).expect("a name").to_owned();
    let (spooled, here): (Vec<String>, Vec<String>) =
        steps.iter().map(name).partition(|step| step.starts_with("spool."));
    println!("not killed in {}: they need two disks of one dock", spooled.join(", "));
    here
}
