//! What the operator sees when things go wrong that no command can mend: reviewed transcripts in `tests/transcripts`.
//! Read a changed one as an operator would: what failed, on which medium, what was done about it, what to do next.

use super::house::{all_is_well, fill, mixed, site};
use super::swaps::HeldSwap;
use dss::model::ByteCount;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use respool_test_support::{Mount, Simulates, Site, Transcript};
use std::fs;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name)
}

fn in_hours(hours: i64) -> String {
    (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(hours)).to_string()
}

/// A file system of its own for a medium.
fn mounted(site: &Site, name: &str) -> Option<Mount> {
    Mount::new(&site.disk(name), "2m")
}

#[test]
fn a_wrong_clock_as_the_operator_sees_it() {
    let mut site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    let mut seen = Transcript::new("The clock of this host is wrong, forward and back");
    seen.run(&site, "repack a --quarantine 7d");
    seen.note("The clock jumps eight days forward.");
    site.at(&in_hours(8 * 24));
    site.ok(&["job", "list"]);
    seen.run(&site, "job show 1");
    seen.run(&site, "check");
    seen.run(&site, "job wait 1");
    assert_eq!(site.files("a").len(), 8, "nothing is erased for a clock that jumped");
    seen.note("The clock is set right again: nothing was destroyed in between.");
    site.at(&in_hours(0));
    seen.run(&site, "job show 1");
    seen.run(&site, "check");
    seen.note("It jumps two hours back.");
    site.at(&in_hours(-2));
    seen.run(&site, "check");
    seen.run(&site, "job show 1");
    seen.note("Eight days later, really.");
    site.at(&in_hours(8 * 24));
    seen.run(&site, "check");
    seen.run(&site, "clock accept");
    site.wait_until("the source is reclaimed", || {
        site.ok(&["job", "show", "1"])["state"] == "done"
    });
    seen.run(&site, "check");
    seen.run(&site, "job show 1");
    seen.matches(&file("wrong-clock.txt"));
    all_is_well(&site, &held);
}

#[test]
fn a_read_only_file_system_as_the_operator_sees_it() {
    let site = site(&["a", "c"]);
    let Some(disk) = mounted(&site, "b") else { return };
    site.ok(&["dir", "add", "b", "b", "--tags", "b"]);
    let held = fill(&site, "things", &mixed(8), &["--tags", "a"]);
    fs::write(site.root().join("file"), b"new").unwrap();
    let mut seen = Transcript::new("The disk of medium b has become read-only, as file systems do that found an error");
    disk.again("ro");
    seen.run(&site, "put file new --tags b");
    seen.run(&site, "repack a --to b --quarantine 0");
    seen.run(&site, "medium show b");
    seen.run(&site, "check");
    seen.note("Another target will do.");
    seen.run(&site, "repack a --quarantine 0");
    seen.note("The disk is mended.");
    disk.again("rw");
    seen.run(&site, "medium trust b");
    seen.run(&site, "repack c --to b --quarantine 0");
    seen.matches(&file("read-only.txt"));
    all_is_well(&site, &held);
    site.stop();
}

#[test]
fn a_full_file_system_as_the_operator_sees_it() {
    let site = site(&["a", "c"]);
    let Some(disk) = mounted(&site, "b") else { return };
    site.ok(&["dir", "add", "b", "b", "--tags", "b"]);
    let held = fill(&site, "things", &[60_000; 12], &["--tags", "a"]);
    let mut seen = Transcript::new("The disk of medium b fills up while a repack writes to it");
    let swap = HeldSwap::first(&site);
    let repack = site.start(&["repack", "a", "--to", "b", "--quarantine", "0", "--detach"]);
    swap.stands(&site);
    // Somebody else's file takes the rest, between two windows.
    let ballast = disk.path().join("somebody-elses");
    let left = 4 << 20;
    assert!(fs::write(&ballast, vec![0; left]).is_err(), "it is full now");
    swap.release();
    let job = repack.wait().expect(0)["job"].to_string();
    seen.note("A detached repack from a to b is under way when somebody else fills the disk.");
    seen.run(&site, &format!("job wait {job}"));
    seen.run(&site, "medium show b");
    fs::write(site.root().join("file"), vec![7; 50_000]).unwrap();
    seen.run(&site, "put file new --tags b");
    seen.run(&site, "repack a --to b --plan");
    seen.run(&site, "repack a --to b");
    seen.note("Any other target will do: c has room.");
    seen.run(&site, "repack a --quarantine 0");
    seen.run(&site, "check");
    seen.note("The other file is removed; the medium takes extents again when the operator says so.");
    fs::remove_file(&ballast).unwrap();
    seen.run(&site, "medium trust b");
    seen.run(&site, "put file new --tags b");
    seen.matches(&file("full.txt"));
    let mut held = held;
    held.insert("new".into(), vec![7; 50_000]);
    all_is_well(&site, &held);
    site.stop();
}

#[test]
fn x05_a_catalogue_gone_in_the_middle_of_a_swap_as_the_operator_sees_it() {
    Simulates::KilledProcess.say();
    let site = site(&["a", "b"]);
    let held = fill(&site, "things", &mixed(40), &["--tags", "a"]);
    let mut seen = Transcript::new("PostgreSQL is killed while a swap is in its transaction, and does not start again");
    let swap = HeldSwap::onto(&site, "b");
    let mut repack = site.spoken(&["repack", "a", "--to", "b", "--quarantine", "0"]);
    let mut told = Transcript::new("");
    told.hide_place(&site);
    let follower = std::thread::spawn(move || {
        (
            told.command("respool repack a --to b --quarantine 0", {
                repack.stdin(std::process::Stdio::null());
                repack
            }),
            told,
        )
    });
    let swap = swap.wait();
    // It cannot come back before this file does.
    let control = site.state().join("pg/global/pg_control");
    let beside = site.state().join("pg/global/beside");
    let postmaster = fs::read_to_string(site.state().join("pg/postmaster.pid")).unwrap();
    let postmaster: i32 = postmaster.lines().next().unwrap().parse().unwrap();
    fs::rename(&control, &beside).unwrap();
    kill(Pid::from_raw(postmaster), Signal::SIGKILL).unwrap();
    drop(swap);
    let (code, told) = follower.join().unwrap();
    assert_eq!(code, 3);
    seen.append(told);
    seen.run(&site, "job show 1");
    seen.note("The cause is mended. Nobody restarts anything.");
    fs::rename(&beside, &control).unwrap();
    site.wait_until("the catalogue is back", || site.run(&["job", "show", "1"]).code == 0);
    // How much was under way is a matter of chance.
    let report = site.ok(&["job", "wait", "1"]);
    let again = ByteCount(report["bytes_recopied"].as_u64().unwrap());
    seen.hide(&format!("copied again: {again}"), "copied again: SOME");
    seen.run(&site, "job wait 1");
    seen.run(&site, "check");
    seen.matches(&file("catalogue-gone.txt"));
    all_is_well(&site, &held);
    // the next repack destroys nothing.
    site.ok(&["repack", "b", "--to", "a", "--quarantine", "0"]);
    all_is_well(&site, &held);
}
