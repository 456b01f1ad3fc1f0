//! What an ordinary user may not read or write. Root may, so these commands run as somebody else.

use super::dumps::live;
use super::{RESPOOL, Refusals};
use respool_test_support::Site;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// A site of an ordinary user with medium a and object one on it.
fn ordinary() -> Site {
    let site = Site::ordinary(RESPOOL);
    site.disks(&["a"]);
    fs::write(site.root().join("file"), "bytes").unwrap();
    site.ok(&["put", "file", "one"]);
    site
}

#[test]
fn files_and_folders_that_may_not_be_read_or_written_are_refused() {
    let site = ordinary();
    let [locked, tree] = ["locked", "tree"].map(|name| site.folder(name));
    let closed = tree.join("closed");
    fs::create_dir(&closed).unwrap();
    for file in [site.root().join("secret"), tree.join("secret"), closed.join("inside")] {
        fs::write(&file, "secret").unwrap();
        mode(&file, 0);
    }
    fs::write(locked.join("there"), "precious").unwrap();
    mode(&locked, 0o555);
    mode(&closed, 0);
    let mut refusals = Refusals::new(&site, &["a"], "What the user may not read or write");
    refusals.note("Who runs respool is not root; the folder locked is read-only for everybody.");
    refusals.run("get one locked/copy", 2);
    refusals.run("get one locked/there --overwrite", 2);
    refusals.run("get one tree/closed/copy", 2);
    refusals.run("catalogue backup locked/backup", 3);
    assert_eq!(fs::read_dir(&locked).unwrap().count(), 1);
    refusals.note("Nobody may read secret, tree/secret and tree/closed.");
    refusals.run("put secret new", 2);
    refusals.run("put tree t --recursive", 2);
    mode(&closed, 0o755);
    refusals.note("tree/closed may be read now, and the file in it may not.");
    refusals.run("put tree t --recursive", 2);
    fs::write(tree.join("open"), "bytes").unwrap();
    refusals.note("There is one in the tree that may: it is stored.");
    refusals.disturbed("put tree t --recursive", 1);
    refusals.matches("permissions");
    assert_eq!(site.ok(&["object", "list"])["objects"].as_array().unwrap().len(), 2);
}

#[test]
fn a_config_that_may_not_be_read_is_refused() {
    let site = ordinary();
    let mut refusals = Refusals::new(&site, &["a"], "A config that the user may not read");
    let before = refusals.everything();
    site.stop();
    mode(&site.config(), 0);
    for typed in ["medium list", "put file new"] {
        refusals.disturbed(typed, 2);
        assert!(site.pid().is_none(), "no respoold runs");
    }
    mode(&site.config(), 0o644);
    site.ok(&["medium", "list"]);
    refusals.nothing_since(&before, "the config could not be read");
    refusals.matches("permissions-config");
}

/// The medium fails, which is told of it; nothing that counts is touched, and it can still be read.
#[test]
fn a_medium_that_may_not_be_written_any_more_is_an_environment_that_fails() {
    let site = ordinary();
    let folders = ["a", "a/objects", "a/.respool", "a/.respool/manifest"].map(|name| site.disk(name));
    let modes = folders
        .each_ref()
        .map(|folder| fs::metadata(folder).unwrap().permissions());
    let mut refusals = Refusals::new(&site, &["a"], "A medium whose folder lost its write permission");
    let (before, counted) = (refusals.everything(), live(&site));
    for folder in &folders {
        mode(folder, 0o555);
    }
    refusals.disturbed("put file new", 3);
    assert_eq!(live(&site), counted);
    refusals.disturbed("get one copy", 0);
    for (folder, mode) in folders.iter().zip(modes) {
        fs::set_permissions(folder, mode).unwrap();
    }
    refusals.note("It may be written again.");
    refusals.disturbed("medium trust a", 0);
    site.wait_until("what was begun is swept", || {
        site.extents(&["--state", "orphan"]).is_empty()
    });
    assert_eq!(live(&site), counted);
    assert!(before.same_objects(&refusals.everything()), "after the sweep");
    refusals.disturbed("put file new", 0);
    refusals.matches("permissions-medium");
}
