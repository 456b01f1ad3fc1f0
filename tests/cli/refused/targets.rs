//! Repacks that have nowhere to go, and media that somebody else has.

use super::{Refusals, site};
use std::fs;

/// Bytes of each object on medium a.
const OBJECT: usize = 30_000;

#[test]
fn e02_a_repack_without_a_fitting_target_is_refused_with_the_bytes_missing() {
    let site = site(&["a", "b", "c"]);
    for name in ["one", "two", "three"] {
        site.put_on("a", name, &[7; OBJECT]);
    }
    site.ok(&["medium", "set", "b", "capacity=40000"]);
    site.ok(&["medium", "set", "c", "adm_state=read_only"]);
    let disks = ["a", "b", "c"];
    let mut refusals = Refusals::new(&site, &disks, "Repacks that find no target, and puts that find no room");
    refusals.note("Medium a holds three objects of 30,000 bytes. It is not its own target.");
    refusals.run("repack a --to a", 2);
    let extent = site.extents(&["--oid", "one"])[0]["id"].as_str().unwrap().to_owned();
    refusals.run(&format!("extent migrate {extent} --to a"), 2);
    refusals.note("Medium b is to hold 40,000 bytes, c is read-only.");
    refusals.run("repack a --to b", 2);
    refusals.run("repack a", 2);
    refusals.run("repack a --to c", 2);
    refusals.run("repack a --plan", 2);
    refusals.note("No medium has this tag.");
    refusals.run("repack a --to-tags offsite", 2);
    fs::write(site.root().join("file"), vec![1; 2 * OBJECT]).unwrap();
    refusals.run("put file new --tags offsite", 2);
    refusals.run("put file new --tags b", 2);
    refusals.run("put file new --copies 3", 2);
    refusals.note("With live data nothing is formatted.");
    refusals.run("medium check-erase a", 2);
    refusals.run("medium format a", 2);
    refusals.run("medium dead a", 2);
    refusals.matches("targets");
}

#[test]
fn a_medium_that_is_locked_or_in_use_is_left_alone() {
    let site = site(&["a", "b", "c"]);
    for name in ["one", "two", "three"] {
        site.put_on("a", name, &[7; OBJECT]);
    }
    site.put_on("b", "four", &[8; OBJECT]);
    site.put_on("c", "five", &[9; OBJECT]);
    fs::write(site.root().join("file"), "new").unwrap();
    let disks = ["a", "b", "c"];
    let mut refusals = Refusals::new(&site, &disks, "Media that are locked, or in use by another job");
    site.ok(&["medium", "lock", "a"]);
    refusals.note("Medium a is locked.");
    refusals.run("repack a", 2);
    refusals.run("repack b --to a", 2);
    refusals.run("get one copy", 3);
    refusals.run("put file new --tags a", 2);
    refusals.run("medium format a", 2);
    site.ok(&["medium", "unlock", "a"]);
    let job = site.run(&["repack", "a", "--to", "b", "--limit-bytes", "1"]);
    assert_eq!(job.code, 5, "{job:?}");
    refusals.note("Job 1 from a to b is paused.");
    refusals.run("repack a", 2);
    refusals.run("repack b", 2);
    refusals.run("repack c --to a", 2);
    refusals.run("repack c a", 2);
    let left = site.extents(&["--medium", "a", "--state", "sync"]);
    let left = left[0]["id"].as_str().unwrap();
    refusals.run(&format!("extent migrate {left} --to c"), 2);
    refusals.run("medium format a", 2);
    refusals.run("medium format b", 2);
    refusals.run("put file new --tags a", 2);
    site.ok(&["job", "cancel", "1"]);
    refusals.note("It is cancelled.");
    for verb in ["pause", "resume", "cancel"] {
        refusals.run(&format!("job {verb} 1"), 2);
    }
    refusals.matches("in-use");
}
