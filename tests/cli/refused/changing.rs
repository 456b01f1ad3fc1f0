//! Files that change while they are put: refused like any other, whether nothing of them was recorded yet or all of it was.

use super::dumps::live;
use super::{RESPOOL, Refusals, site};
use crate::hold::Hold;
use respool_test_support::site::{QUICK, Site};
use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

/// How large the file is that changes: more than what may be on its way to a medium.
const LARGE: u64 = 32 << 20;
/// The kernel says that this file is empty, and whoever reads it finds bytes: it grows whenever it is read.
const GROWS: &str = "/proc/version";
/// This one is said to have a page of bytes, and has a few.
const SHRINKS: &str = "/sys/kernel/uevent_seqnum";

/// Small objects are gathered and recorded when they are complete: nothing of these ever was.
#[test]
fn a_small_file_that_changes_while_it_is_read_touches_nothing() {
    let site = site(&["a"]);
    site.put_on("a", "one", b"bytes");
    let said = |file: &str| Path::new(file).metadata().unwrap().size();
    assert_eq!(said(GROWS), 0, "it is not what this test takes it for");
    // A page, however large that is on this host.
    assert!(said(SHRINKS) >= 4096, "nor is this one");
    let mut refusals = Refusals::new(&site, &["a"], "Small files that change while they are put");
    refusals.note(&format!(
        "{GROWS} is longer than the kernel says whenever it is read, {SHRINKS} is shorter."
    ));
    refusals.run(&format!("put {GROWS} new"), 2);
    refusals.run(&format!("put {SHRINKS} new"), 2);
    refusals.run(&format!("put {GROWS} one --overwrite"), 2);
    refusals.run("object show new", 2);
    fs::create_dir(site.root().join("tree")).unwrap();
    symlink(GROWS, site.root().join("tree/grows")).unwrap();
    refusals.note("A tree of nothing else, and one with a file that is as it should be.");
    refusals.run("put tree t --recursive --follow", 2);
    fs::write(site.root().join("tree/good"), "bytes").unwrap();
    refusals.disturbed("put tree t --recursive --follow", 1);
    refusals.matches("changing-small");
    assert_eq!(site.get("t/good"), b"bytes");
    assert_eq!(site.get("one"), b"bytes");
}

/// A large object is recorded before its first byte is asked for. What was begun is given up, and swept like whatever
/// nobody needs.
#[test]
fn a_large_file_that_changes_while_it_is_read_leaves_nothing_that_counts() {
    // In one extent: all of it is recorded before the first byte is asked for.
    let config = QUICK.replace("extent_max_bytes = \"64 KiB\"", "extent_max_bytes = \"64 MiB\"");
    let site = Site::with_config(RESPOOL, &config);
    site.disks(&["a"]);
    site.put_on("a", "one", b"bytes");
    let mut refusals = Refusals::new(&site, &["a"], "Files that change while they are put");
    let (everything, counted) = (refusals.everything(), live(&site));
    for (length, how) in [(1 << 20, "shorter"), (LARGE + 1, "longer")] {
        refusals.note(&format!("Somebody makes the file {how} while it is read."));
        put_and_resize(&mut refusals, length);
        assert_eq!(live(&site), counted, "a file that became {how}");
        let left = site.extents(&["--state", "orphan"]);
        assert!(!left.is_empty(), "of this one something was begun");
        assert!(site.extents(&["--state", "pending"]).is_empty());
    }
    refusals.run("object show new", 2);
    refusals.run("get new copy", 2);
    site.wait_until("what was begun is swept", || site.files("a") == ["objects/one@1.0.0"]);
    site.wait_until("its rows are gone", || site.extents(&["--state", "orphan"]).is_empty());
    let (before, after) = (
        everything.untold().unindexed(),
        refusals.everything().untold().unindexed(),
    );
    assert_eq!(before.differs(&after), [""; 0], "after the sweep");
    refusals.matches("changing");
    site.ok(&["check"]);
}

/// The put waits for a row of the catalogue, with most of the file unread, while its length changes.
fn put_and_resize(refusals: &mut Refusals<'_>, length: u64) {
    let site = refusals.site;
    let file = site.root().join("file");
    File::create(&file).unwrap().set_len(LARGE).unwrap();
    let holder = Hold::of(site, "a");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            Hold::stops(site, 1);
            File::options()
                .write(true)
                .open(&file)
                .unwrap()
                .set_len(length)
                .unwrap();
            holder.release();
        });
        refusals.disturbed("put file new", 2);
    });
}
