//! Directories that cannot become media.

use super::{RESPOOL, Refusals, site};
use nix::sys::stat::Mode;
use respool_test_support::{Mount, Site};
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
    symlink(site.disk("a"), site.disk("way-in")).unwrap();
    fs::create_dir(site.disk("a/inside")).unwrap();
    fs::set_permissions(site.disk("a/inside"), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(site.disk("locked"), Permissions::from_mode(0o555)).unwrap();
    let others = ["a", "full", "empty", "locked", "outside"];
    let mut refusals = Refusals::new(&site, &others, "Directories that cannot become media");
    refusals.note("a is a medium; a/inside is a directory in it, a/link-out a symlink to the directory outside.");
    refusals.note("way-in is a symlink to a.");
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
        ("b", "way-in/inside"),
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

#[test]
fn a_directory_on_a_read_only_file_system_is_refused() {
    let site = site(&["a"]);
    let Some(disk) = Mount::new(&site.disk("cdrom"), "1m") else {
        return;
    };
    disk.again("ro");
    let mut refusals = Refusals::new(
        &site,
        &["a", "cdrom"],
        "A directory on a file system that is mounted read-only",
    );
    refusals.run("dir add b cdrom", 2);
    refusals.matches("folders-read-only");
}

/// What counts is where a directory lies, not the way that was typed: `/mnt` may be a symlink, and a medium that was added
/// through one is found again when the symlink leads elsewhere.
#[test]
fn a_medium_lies_where_the_way_to_it_led_when_it_was_added() {
    let site = site(&["a"]);
    let outside = site.folder("outside");
    fs::create_dir(outside.join("disk")).unwrap();
    symlink(&outside, site.disk("a/way-out")).unwrap();
    let mut refusals = Refusals::new(
        &site,
        &["a"],
        "A directory that is reached through a symlink in a medium",
    );
    refusals
        .note("a is a medium; a/way-out in it is a symlink to outside. The disk lies in outside, not in the medium.");
    refusals.disturbed("dir add b a/way-out/disk --tags b --capacity 1GiB", 0);
    site.put_on("b", "one", b"bytes");
    fs::remove_file(site.disk("a/way-out")).unwrap();
    refusals.note("The symlink is gone. The medium is where it was.");
    refusals.disturbed("get one copy", 0);
    refusals.run("dir add c a/way-out/disk", 2);
    refusals.run("dir add c outside/disk", 2);
    refusals.matches("folders-symlink");
}
