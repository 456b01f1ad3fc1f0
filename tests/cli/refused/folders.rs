//! Directories that are no media, and media that are not the ones they should be.

use super::{RESPOOL, Refusals, files, site};
use nix::sys::stat::Mode;
use respool_test_support::{Site, Transcript};
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

#[test]
fn x25_a_medium_without_its_label_or_with_anothers_is_neither_read_nor_written() {
    let site = site(&["a", "b", "c"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let labels = ["a", "b", "c"].map(|name| site.disk(name).join(".respool/label.json"));
    let mut seen = Transcript::new("A medium whose label is gone, and one that has another's");
    site.stop();
    let own = fs::read(&labels[0]).unwrap();
    fs::remove_file(&labels[0]).unwrap();
    let others = fs::read(&labels[1]).unwrap();
    fs::write(&labels[2], &others).unwrap();
    let before = [files(&site.disk("a")), files(&site.disk("c"))];
    seen.note("The label of a is gone; c has the label of b.");
    let mut wrong = vec![];
    for (typed, codes) in [
        ("get one copy", [3, 4]),
        ("put file new --tags a", [2, 3]),
        ("repack a --to b", [3, 4]),
        ("medium format c", [2, 4]),
        ("put file new --tags c", [2, 3]),
        ("medium list", [0, 0]),
        ("check", [0, 4]),
    ] {
        let code = seen.run(&site, typed);
        if !codes.contains(&code) {
            wrong.push(format!("`{typed}` ended with {code}"));
        }
    }
    assert!(
        before == [files(&site.disk("a")), files(&site.disk("c"))],
        "nothing was written"
    );
    seen.note("The label of a is back.");
    fs::write(&labels[0], own).unwrap();
    seen.run(&site, "medium trust a");
    assert_eq!(seen.run(&site, "get one copy"), 0);
    seen.matches(&super::transcript("labels"));
    assert_eq!(wrong, [""; 0]);
}
