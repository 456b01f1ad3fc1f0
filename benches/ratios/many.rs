//! 100,000 small extents: the catalogue is asked for many at once, never for each.

use crate::figure::{Figure, Target};
use crate::house::{add_medium, make_files, run as command, site};
use crate::measure::{cold, timed};
use std::fs;

const EXTENTS: u64 = 100_000;
const BYTES: u64 = 4 << 10;
/// Extents of one transaction, at least.
const SHARED: f64 = 64.0;

pub fn run() -> Vec<Figure> {
    eprintln!("many: {EXTENTS} extents of {BYTES} bytes");
    let site = site();
    add_medium(&site, "a", 8 << 30);
    let given = site.folder("given");
    make_files(&given, EXTENTS, BYTES);
    command(&site, &["put", "--recursive", &given.display().to_string(), "things"]);
    fs::remove_dir_all(&given).expect("it is ours");
    add_medium(&site, "b", 8 << 30);
    cold();
    let committed = || -> f64 {
        let sum = site.sql("SELECT sum(xact_commit) FROM pg_stat_database WHERE datname = 'respool'");
        sum.parse().expect("a number")
    };
    let before = committed();
    let mut job = serde_json::Value::Null;
    let seconds = timed(|| {
        let more = ["--to", "b", "--verify", "none", "--keep-source"];
        job = command(&site, &[&["repack", "a"], more.as_slice()].concat());
    });
    // Backends tell the statistics what they did when they are idle, a second later at most.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let all = committed() - before;
    vec![Figure {
        name: format!("extents of one transaction, repack of {EXTENTS} of 4 KiB"),
        value: EXTENTS as f64 / all,
        unit: "",
        target: Target::AtLeast(SHARED),
        detail: format!(
            "{all:.0} transactions of all kinds, questions and upkeep included, in {seconds:.1} s; {} changed something",
            job["transactions"]
        ),
    }]
}
