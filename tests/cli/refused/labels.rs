//! media without their label, and with that of another medium or of another catalogue. Whoever notices first writes
//! nothing, reads nothing, and says what to do.

use super::dumps::files;
use super::{RESPOOL, Refusals, site};
use respool_test_support::Site;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

fn label(site: &Site, medium: &str) -> PathBuf {
    site.disk(medium).join(".respool/label.json")
}

/// Puts a label back as it was, times and all: the media are compared by them.
struct Lifted(PathBuf, PathBuf);

impl Lifted {
    fn off(site: &Site, medium: &str) -> Self {
        let (place, aside) = (label(site, medium), site.root().join(format!("label-of-{medium}")));
        let lifted = Self(place, aside);
        keeping_times(&lifted.0, || fs::rename(&lifted.0, &lifted.1).unwrap());
        lifted
    }

    fn back(self) {
        // Whatever lies there now goes.
        keeping_times(&self.0, || fs::rename(&self.1, &self.0).unwrap());
    }
}

/// The folder of a file is as old afterwards as it was.
fn keeping_times(file: &std::path::Path, change: impl FnOnce()) {
    let folder = fs::File::open(file.parent().unwrap()).unwrap();
    let modified = folder.metadata().unwrap().modified().unwrap();
    change();
    folder.set_modified(modified).unwrap();
}

#[test]
fn x25_a_medium_without_its_label_or_with_anothers_is_neither_read_nor_written() {
    let site = site(&["a", "b", "c"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let disks = ["a", "b", "c"];
    let mut refusals = Refusals::new(
        &site,
        &disks,
        "A medium whose label is gone, and one that has another's",
    );
    let before = refusals.everything();
    site.stop();
    let (own, other) = (Lifted::off(&site, "a"), Lifted::off(&site, "c"));
    keeping_times(&label(&site, "c"), || {
        fs::copy(label(&site, "b"), label(&site, "c")).unwrap();
    });
    refusals.note("The label of a is gone; c has the label of b.");
    let media = before.files_without(&[&label(&site, "a"), &label(&site, "c")]);
    for (typed, code) in [
        ("get one copy", 3),
        ("put file new --tags a", 2),
        ("repack a --to b", 3),
        ("medium format c", 2),
        ("put file new --tags c", 2),
        ("medium list", 0),
        ("check", 0),
    ] {
        refusals.disturbed(typed, code);
    }
    let now = refusals.everything();
    assert!(
        media == now.files_without(&[&label(&site, "a"), &label(&site, "c")]),
        "nothing was written"
    );
    refusals.note("The labels are back.");
    own.back();
    other.back();
    refusals.disturbed("medium trust a", 0);
    site.ok(&["medium", "trust", "c"]);
    refusals.only_told_since(&before, "without their labels");
    refusals.disturbed("get one copy", 0);
    refusals.matches("labels");
}

/// Each verb on a medium of which nobody knows yet that its label is gone.
#[test]
fn x25_whoever_notices_first_that_a_label_is_gone_touches_nothing() {
    let site = site(&["a", "b", "c"]);
    site.put_on("a", "one", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let disks = ["a", "b", "c"];
    let extent = site.extents(&["--oid", "one"])[0]["id"].as_str().unwrap().to_owned();
    let mut refusals = Refusals::new(&site, &disks, "A label that is gone, noticed first by each verb");
    for (typed, medium, code) in [
        ("put file new --tags a", "a", 3),
        ("repack a --to b", "a", 3),
        ("repack a --to c", "c", 3),
        ("extent migrate EXTENT --to c", "c", 3),
        ("medium format c", "c", 3),
        ("medium import c", "c", 3),
    ] {
        let before = refusals.everything();
        let lifted = Lifted::off(&site, medium);
        refusals.note(&format!("Nobody knows yet that the label of {medium} is gone."));
        refusals.disturbed(&typed.replace("EXTENT", &extent), code);
        lifted.back();
        site.ok(&["medium", "trust", medium]);
        refusals.only_told_since(&before, typed);
    }
    assert_eq!(site.get("one"), b"bytes");
    refusals.matches("labels-first");
}

/// Somebody mounted the disk of another catalogue where medium a should be.
#[test]
fn x25_a_medium_of_another_catalogue_is_neither_read_nor_written() {
    let site = site(&["a", "b"]);
    site.put_on("a", "one", b"bytes");
    site.put_on("b", "two", b"bytes");
    fs::write(site.root().join("file"), "new").unwrap();
    let stranger = Site::another(RESPOOL);
    stranger.disks(&["a"]);
    stranger.put_on("a", "one", b"others");
    stranger.stop();
    let disks = ["a", "b"];
    let mut refusals = Refusals::new(&site, &disks, "A medium of another catalogue in the place of a");
    let before = refusals.everything();
    let place = site.disk("a").display().to_string();
    for (typed, code) in [
        ("get one copy", 3),
        ("put file new --tags a", 2),
        ("repack a --to b", 3),
        ("repack b --to a", 2),
        ("medium format a", 2),
        ("medium import a", 3),
        ("medium import PLACE", 2),
    ] {
        site.stop();
        let away = site.root().join("away");
        fs::rename(site.disk("a"), &away).unwrap();
        let copied = Command::new("cp")
            .arg("-a")
            .arg(stranger.disk("a"))
            .arg(site.root())
            .status();
        assert!(copied.unwrap().success());
        let foreign = files(&site.disk("a"));
        refusals.disturbed(&typed.replace("PLACE", &place), code);
        assert!(foreign == files(&site.disk("a")), "`{typed}` touched the other's disk");
        fs::remove_dir_all(site.disk("a")).unwrap();
        fs::rename(&away, site.disk("a")).unwrap();
        site.ok(&["medium", "trust", "a"]);
        refusals.only_told_since(&before, typed);
    }
    assert_eq!(site.get("one"), b"bytes");
    refusals.matches("labels-foreign");
}
