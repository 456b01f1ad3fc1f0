//! Ctrl-C in the middle of a folder: what was stored or read is counted truthfully, and the way on is named.

use crate::hold::Hold;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use respool_test_support::site::QUICK;
use respool_test_support::{Simulates, Site};
use serde_json::Value;
use std::fs::{self, File};
use std::io::Write;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");
/// Files of a megabyte: more than what client and respoold hold between them.
const FILES: usize = 80;
const PUT: [&str; 6] = ["put", "--recursive", "tree", "t", "--tags", "a"];
const WAY_ON: &str = "put tree t --recursive --skip-existing --tags a";

/// A site with a medium and a folder that takes a while.
fn site() -> Site {
    let site = Site::with_config(RESPOOL, &QUICK.replace("64 KiB", "1 MiB"));
    site.disks(&["a"]);
    let tree = site.folder("tree");
    for index in 0..FILES {
        // All holes: only what is stored of them takes room.
        let file = File::create(tree.join(format!("{index:03}"))).unwrap();
        file.set_len(1 << 20).unwrap();
    }
    site
}

fn count(result: &Value, list: &str) -> usize {
    result[list]
        .as_array()
        .unwrap_or_else(|| panic!("no {list} in {result:#}"))
        .len()
}

/// Goes on with it until nothing is left to store: what was on its way may still come.
fn goes_on(site: &Site) {
    let words: Vec<&str> = WAY_ON.split(' ').collect();
    site.wait_until("the rest is stored", || site.run(&words).code == 0);
    assert_eq!(count(&site.ok(&words), "existing"), FILES);
    assert_eq!(count(&site.ok(&["object", "list"]), "objects"), FILES);
    site.ok(&["check"]);
}

#[test]
fn ctrl_c_in_a_put_waits_for_what_was_sent_and_counts_it() {
    let site = site();
    let held = Hold::of(&site, "a");
    let put = site.start(&PUT);
    Hold::stops(&site, 1);
    put.signal(Signal::SIGINT);
    held.release();
    let outcome = put.wait();
    assert!(outcome.stderr.contains("Ctrl-C again returns at once"), "{outcome:?}");
    let result = outcome.expect(5);
    let stored = count(&result, "objects");
    assert!(stored < FILES, "it was interrupted: {stored}");
    assert_eq!(count(&result, "refused"), 0, "{result:#}");
    assert_eq!(result["error"]["code"], "interrupted");
    let message = result["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{stored} of {FILES} files are stored")),
        "{message}"
    );
    let next = result["error"]["next"].as_str().unwrap();
    let way_on = format!("`respool --config {} {WAY_ON}`", site.config().display());
    assert!(next.contains(&way_on), "{next}");
    assert_eq!(
        count(&site.ok(&["object", "list"]), "objects"),
        stored,
        "no more and no less"
    );
    assert!(site.extents(&["--state", "pending"]).is_empty());
    goes_on(&site);
}

/// Presses Ctrl-C until a command has ended.
fn press(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it does not return");
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
        thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn a_second_ctrl_c_in_a_put_returns_at_once_and_says_what_is_not_known() {
    let site = site();
    let held = Hold::of(&site, "a");
    let mut put = site.command(&PUT).spawn().unwrap();
    Hold::stops(&site, 1);
    // Nobody lets go of the row: it does not wait for that.
    assert_eq!(press(&mut put), Some(5));
    let output = put.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = result["error"]["message"].as_str().unwrap();
    assert!(message.contains("may be stored, too"), "{message}");
    assert!(result["error"]["next"].as_str().unwrap().contains(WAY_ON), "{result:#}");
    held.release();
    goes_on(&site);
}

#[test]
fn ctrl_c_in_a_get_keeps_what_was_read_and_names_the_way_on() {
    Simulates::KilledProcess.say();
    let site = Site::new(RESPOOL);
    site.disks(&["a"]);
    for name in ["1", "2", "3", "4"] {
        site.put_on("a", &format!("t/{name}"), &[7; 100_000]);
    }
    site.faults("[[fault]]\nmedium = \"a\"\nop = \"read\"\noid = \"t/3\"\nerror = \"hang\"\ntimes = 1\n");
    let get = site.start(&["get", "--recursive", "t", "out"]);
    let out = site.root().join("out");
    site.wait_until("two are read, and the third has begun", || {
        out.join("2").exists() && fs::read_dir(&out).unwrap().count() == 3
    });
    get.signal(Signal::SIGINT);
    let result = get.wait().expect(5);
    assert_eq!(count(&result, "objects"), 2, "{result:#}");
    let message = result["error"]["message"].as_str().unwrap();
    assert!(message.contains("2 of 4 objects"), "{message}");
    let next = result["error"]["next"].as_str().unwrap();
    assert!(next.contains(" get t out --recursive --skip-existing`"), "{next}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 2, "nothing of the third is left");
    // A device that hangs is left only by ending the process.
    site.kill();
    site.heal();
    let rest = site.ok(&["get", "t", "out", "--recursive", "--skip-existing"]);
    assert_eq!((count(&rest, "existing"), count(&rest, "objects")), (2, 2), "{rest:#}");
    assert!(fs::read(out.join("3")).unwrap() == [7_u8; 100_000]);
}

/// With these objects, of which the second is held by somebody.
fn second_held(site: &Site, names: &[&str]) -> Child {
    site.disks(&["a"]);
    for name in names {
        site.put_on("a", name, b"x");
    }
    let mut psql = site.psql().spawn().unwrap();
    let begin = format!(
        "BEGIN; SELECT 'held' FROM object WHERE oid = '{}' FOR UPDATE;\n",
        names[1]
    );
    psql.stdin.as_mut().unwrap().write_all(begin.as_bytes()).unwrap();
    let held = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND query LIKE '%held%'";
    site.wait_until("the row is held", || site.sql(held) != "0");
    psql
}

fn let_go(mut psql: Child) {
    psql.stdin.take().unwrap().write_all(b"COMMIT;").unwrap();
    assert!(psql.wait().unwrap().success());
}

#[test]
fn ctrl_c_in_a_deletion_ends_after_the_object_under_way_and_names_the_rest() {
    let site = Site::new(RESPOOL);
    let names = ["1", "2", "3", "4", "5", "6"];
    let held = second_held(&site, &names);
    let delete = site.start(&[&["delete"][..], &names].concat());
    Hold::stops(&site, 1);
    delete.signal(Signal::SIGINT);
    let_go(held);
    let result = delete.wait().expect(5);
    let deleted = count(&result, "objects");
    assert!(
        (2..6).contains(&deleted),
        "the one under way was waited for: {result:#}"
    );
    let message = result["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(&format!("{deleted} of 6 objects are deleted")),
        "{message}"
    );
    let next = result["error"]["next"].as_str().unwrap();
    let rest = format!(" delete {}`", names[deleted..].join(" "));
    assert!(next.contains(&rest), "{next}");
    let listed = site.ok(&["object", "list"]);
    assert_eq!(count(&listed, "objects"), 6 - deleted, "no more and no less");
}

#[test]
fn a_second_ctrl_c_in_a_deletion_names_what_may_be_deleted_already() {
    let site = Site::new(RESPOOL);
    let names = ["1", "2", "3", "4"];
    let held = second_held(&site, &names);
    let mut delete = site.command(&[&["delete"][..], &names].concat()).spawn().unwrap();
    Hold::stops(&site, 1);
    assert_eq!(press(&mut delete), Some(5));
    let output = delete.wait_with_output().unwrap();
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(count(&result, "objects"), 1, "{result:#}");
    let message = result["error"]["message"].as_str().unwrap();
    assert!(message.contains("'2' may be deleted, too"), "{message}");
    let next = result["error"]["next"].as_str().unwrap();
    assert!(
        next.contains(" object show 2`") && next.contains(" delete 3 4`"),
        "{next}"
    );
    let_go(held);
}
