//! Directories that cannot become media.

use super::{RESPOOL, Refusals};
use nix::sys::stat::Mode;
use respool_test_support::Site;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

#[test]
fn what_cannot_be_a_medium_is_refused_and_left_as_it_is() {
    let site = Site::ordinary(RESPOOL);
    site.disks(&["a"]);
    for name in ["full", "empty", "locked", "outside"] {
        site.folder(name);
    }
    fs::write(site.disk("full").join("precious"), "1").unwrap();
    fs::write(site.disk("file"), "1").unwrap();
    nix::unistd::mkfifo(&site.disk("fifo"), Mode::S_IRWXU).unwrap();
    symlink("empty", site.disk("link")).unwrap();
    symlink("nowhere", site.disk("dangling")).unwrap();
    symlink(site.disk("outside"), site.disk("a/link-out")).unwrap();
    fs::create_dir(site.disk("a/inside")).unwrap();
    fs::set_permissions(site.disk("a/inside"), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(site.disk("locked"), Permissions::from_mode(0o555)).unwrap();
    let others = ["a", "full", "empty", "locked", "outside"];
    let mut refusals = Refusals::new(&site, &others, "Directories that cannot become media");
    refusals.note("a is a medium; a/inside is a directory in it, a/link-out a symlink to the directory outside.");
    for (name, place) in [
        ("b", "missing"),
        ("b", "file"),
        ("b", "fifo"),
        ("b", "full"),
        ("b", "link"),
        ("b", "dangling"),
        ("b", "a"),
        ("b", "a/inside"),
        ("b", "a/link-out"),
        ("b", "."),
        ("b", "state"),
        ("a", "empty"),
        ("b/c", "empty"),
        ("..", "empty"),
    ] {
        refusals.run(&format!("dir add {name} {place}"), 2);
    }
    refusals.note("Who runs respoold is not root, and may not write here.");
    refusals.run("dir add b locked", 2);
    refusals.note("A size that is none.");
    refusals.run("dir add b empty --capacity lots", 2);
    refusals.matches("folders");
}
