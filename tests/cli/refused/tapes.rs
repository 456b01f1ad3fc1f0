//! Libraries that cannot be used, cartridges that become no medium, and tapes that are not where or what they should be.

use super::{RESPOOL, Refusals};
use lrs::ldm::virt::{Card, Kind, Tab, Technology, VirtualLibrary};
use respool_test_support::Site;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// A site with a library `lib0` of two drives, and tapes of these names in its first slots.
fn loft(names: &[&str], slots: u16) -> Site {
    let site = Site::new(RESPOOL);
    let (slots, cartridges) = (slots.to_string(), names.len().to_string());
    let shape = ["--drives", "2", "--slots", &slots, "--cartridges", &cartridges];
    site.ok(&[&["library", "add", "virtual", "lib0", "lib0"][..], &shape].concat());
    for (number, name) in names.iter().enumerate() {
        site.ok(&["tape", "add", &barcode(number), "--name", name, "--tags", name]);
    }
    site
}

fn barcode(number: usize) -> String {
    format!("RSP{number:03}L9")
}

fn folder(site: &Site, code: &str) -> PathBuf {
    site.disk("lib0").join("cartridges").join(code)
}

/// Cartridges that somebody puts in by hand while respoold is stopped.
fn put_in(site: &Site, cards: &[Card]) {
    site.stop();
    let library = VirtualLibrary::open(&site.disk("lib0")).unwrap();
    for card in cards {
        library.add(card).unwrap();
    }
}

/// Data that no label begins, on a cartridge that was blank.
fn write_junk(folder: &Path) {
    fs::write(folder.join("0_0_R"), "the accounts of 1998").unwrap();
    fs::rename(folder.join("0_0_E"), folder.join("0_1_E")).unwrap();
}

/// A copy of a tape's cartridge, each of its records changed.
fn copied(from: &Path, to: &Path, change: impl Fn(&str) -> String) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        match fs::read_to_string(entry.path()) {
            Ok(text) => fs::write(place, change(&text)).unwrap(),
            Err(_) => drop(fs::copy(entry.path(), place).unwrap()),
        }
    }
}

/// Changes what the library has noted of what is where, while respoold is stopped.
fn rearrange(site: &Site, change: impl FnOnce(&mut serde_json::Map<String, Value>)) {
    site.stop();
    let file = site.disk("lib0/library.json");
    let mut library: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    change(library["elements"].as_object_mut().unwrap());
    fs::write(&file, library.to_string()).unwrap();
}

/// Serial numbers of drives are other ones in every library.
fn hide_serials(refusals: &mut Refusals<'_>) {
    let file = refusals.site.disk("lib0/library.json");
    let library: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    for (number, serial) in library["drives"].as_array().unwrap().iter().enumerate() {
        refusals
            .seen
            .hide(serial.as_str().unwrap(), &format!("SERIAL-{number}"));
    }
}

#[test]
fn what_is_no_library_is_refused_and_left_as_it_is() {
    let site = loft(&["a"], 3);
    fs::write(site.root().join("file"), "new").unwrap();
    fs::create_dir(site.root().join("full")).unwrap();
    std::os::unix::fs::symlink("lib0", site.root().join("link")).unwrap();
    fs::write(site.root().join("full/precious"), "precious").unwrap();
    let mut refusals = Refusals::new(&site, &["lib0", "full"], "Libraries and drives that are not there");
    for (typed, code) in [
        ("library add scsi lib1 /dev/sg99", 2),
        ("library add scsi lib1 /dev/null", 2),
        ("library add scsi lib1 file", 2),
        ("library add virtual lib0 other", 2),
        ("library add virtual lib1 lib0", 2),
        ("library add virtual lib1 link", 2),
        ("library add virtual lib1 full", 2),
        ("library add virtual lib1 file", 2),
        ("library add virtual lib1 other --slots 2 --cartridges 3", 2),
        ("library add virtual lib1 other --technology lto7-m8", 2),
        ("library list lib9", 2),
        ("library scan lib9", 2),
        ("library forget lib9", 2),
        ("library forget lib0", 2),
        ("drive lock drv9", 2),
        ("drive status lib9/drv0", 2),
    ] {
        refusals.run(typed, code);
    }
    assert!(!site.root().join("other").exists() && !site.root().join(".other.new").exists());
    refusals.matches("tapes-libraries");
}

#[test]
fn what_is_no_cartridge_is_not_brought_into_a_library() {
    let site = loft(&["a", "b"], 3);
    fs::write(site.root().join("file"), "new").unwrap();
    fs::create_dir(site.root().join("empty")).unwrap();
    copied(&folder(&site, &barcode(0)), &site.root().join("tape"), str::to_owned);
    let mut refusals = Refusals::new(&site, &["lib0", "tape"], "Folders that no library takes as cartridges");
    for (typed, code) in [
        ("library insert lib0 missing --barcode NEW001L9", 2),
        ("library insert lib0 file --barcode NEW001L9", 2),
        ("library insert lib0 tape --barcode new-1", 2),
        ("library insert lib0 tape --barcode CLN001L9", 2),
        ("library insert lib0 tape --barcode RSP000L9", 2),
        ("library insert lib9 tape --barcode NEW001L9", 2),
    ] {
        refusals.run(typed, code);
    }
    // It was begun, and nothing is left of it.
    let before = refusals.everything();
    refusals.disturbed("library insert lib0 empty --barcode NEW001L9", 2);
    refusals.only_handled_since(&before, "an empty folder is no cartridge");
    refusals.note("The last slot is filled.");
    site.ok(&["library", "insert", "lib0", "tape", "--barcode", "NEW000L9"]);
    refusals.run("library insert lib0 tape --barcode NEW001L9", 2);
    refusals.matches("tapes-insert");
}

/// A cartridge that holds anything, or cannot be written, is not formatted to make room, whatever the verb.
#[test]
fn a_cartridge_that_is_not_blank_or_not_fit_is_not_formatted() {
    let site = loft(&["a"], 12);
    let cards = [
        Card::blank("FOR001L9", Technology::Lto9),
        Card::blank("TAB001L9", Technology::Lto9).with_tab(Tab::Protected),
        Card::blank("WRM001LZ", Technology::Lto9).of_kind(Kind::Worm),
        Card::blank("OLD001L6", Technology::Lto6),
        Card::blank("OLD001", Technology::Lto6),
        Card::blank("CLN001L9", Technology::Lto9).of_kind(Kind::Cleaning),
        Card::blank("BLK001L9", Technology::Lto9),
    ];
    put_in(&site, &cards);
    write_junk(&folder(&site, "FOR001L9"));
    let tape = folder(&site, &barcode(0));
    copied(&tape, &site.root().join("newer"), |text| {
        text.replace("<ltfslabel version=\"2.4.0\">", "<ltfslabel version=\"3.0.0\">")
    });
    copied(&tape, &site.root().join("ours"), str::to_owned);
    for (from, code) in [("newer", "NWR001L9"), ("ours", "OUR001L9")] {
        site.ok(&["library", "insert", "lib0", from, "--barcode", code]);
    }
    let mut refusals = Refusals::new(&site, &["lib0"], "Cartridges of which no medium is made");
    hide_serials(&mut refusals);
    let before = refusals.everything();
    for code in [
        "FOR001L9", "NWR001L9", "OUR001L9", "TAB001L9", "WRM001LZ", "OLD001L6", "OLD001", "CLN001L9",
    ] {
        refusals.disturbed(&format!("tape add {code}"), 2);
    }
    for code in ["FOR001L9", "OUR001L9"] {
        refusals.disturbed(&format!("tape format {code}"), 2);
    }
    for code in ["BLK001L9", "FOR001L9", "NWR001L9", "CLN001L9"] {
        refusals.disturbed(&format!("tape check {code}"), 2);
    }
    for typed in [
        "tape add RSP000L9",
        "tape add NOT001L9",
        "tape unload BLK001L9",
        "tape check NOT001L9",
    ] {
        refusals.disturbed(typed, 2);
    }
    refusals.only_handled_since(&before, "no medium was made");
    refusals.matches("tapes-unfit");
}

/// Barcodes that are not read, or that two cartridges have: none of them is touched.
#[test]
fn a_cartridge_without_a_barcode_and_two_with_the_same_are_not_touched() {
    let site = loft(&["a"], 6);
    put_in(
        &site,
        &["ONE001L9", "TWO001L9", "SAM001L9"].map(|code| Card::blank(code, Technology::Lto9)),
    );
    rearrange(&site, |elements| {
        let at = |elements: &serde_json::Map<String, Value>, code: &str| {
            let found = elements.iter().find(|(_, content)| content["barcode"] == code);
            found.unwrap().0.clone()
        };
        let (one, two) = (at(elements, "ONE001L9"), at(elements, "TWO001L9"));
        elements[&one]["barcode"] = "".into();
        elements[&two]["barcode"] = "SAM001L9".into();
    });
    site.ok(&["medium", "list"]);
    let mut refusals = Refusals::new(&site, &["lib0"], "Cartridges that are not told from others");
    let before = refusals.everything();
    refusals.disturbed("library scan lib0", 0);
    for typed in [
        "tape add ONE001L9",
        "tape add SAM001L9",
        "tape format SAM001L9",
        "tape check SAM001L9",
    ] {
        refusals.disturbed(typed, 2);
    }
    refusals.disturbed("tape list", 0);
    refusals.only_handled_since(&before, "nothing was loaded");
    refusals.matches("tapes-barcodes");
}

/// the labels of two cartridges were exchanged: what is read behind a barcode is another medium.
#[test]
fn x25_a_tape_behind_the_barcode_of_another_is_neither_read_nor_written() {
    let site = loft(&["a", "b"], 4);
    site.put("one", b"bytes", &["--tags", "a"]);
    fs::write(site.root().join("file"), "new").unwrap();
    let codes = [barcode(0), barcode(1)];
    for code in &codes {
        site.ok(&["tape", "unload", code]);
    }
    let mut refusals = Refusals::new(&site, &["lib0"], "Tapes whose barcodes were exchanged");
    let before = refusals.everything();
    site.stop();
    exchange(&site, &codes);
    refusals.note("The cartridges of a and b have each other's barcode.");
    for (typed, code) in [
        ("get one copy", 3),
        ("put file new --tags a", 2),
        ("repack a --to b", 3),
        ("medium format b", 3),
        ("tape format b", 2),
    ] {
        refusals.disturbed(typed, code);
    }
    refusals.disturbed("medium list", 0);
    for code in &codes {
        site.run(&["tape", "unload", code]);
    }
    site.stop();
    exchange(&site, &codes);
    refusals.note("Each has its own again.");
    refusals.disturbed("medium trust a", 0);
    refusals.disturbed("medium trust b", 0);
    refusals.disturbed("get one copy", 0);
    for code in &codes {
        site.ok(&["tape", "unload", code]);
    }
    refusals.only_handled_since(&before, "nothing was read as another's, and nothing written");
    refusals.matches("tapes-exchanged");
}

fn exchange(site: &Site, codes: &[String; 2]) {
    let [one, other] = codes.each_ref().map(|code| folder(site, code));
    let aside = site.root().join("aside");
    fs::rename(&one, &aside).unwrap();
    fs::rename(&other, &one).unwrap();
    fs::rename(&aside, &other).unwrap();
}

/// A library whose folder is gone when respoold starts is told wherever it is needed; everything else is served.
#[test]
fn a_library_that_is_gone_at_the_start_keeps_nobody_from_the_others() {
    let site = loft(&["a"], 3);
    site.put("one", b"bytes", &["--tags", "a"]);
    site.ok(&[
        "library", "add", "virtual", "lib1", "lib1", "--drives", "1", "--slots", "2",
    ]);
    site.ok(&[
        "tape",
        "add",
        "RSP000L9",
        "--library",
        "lib1",
        "--name",
        "b",
        "--tags",
        "b",
    ]);
    site.put("two", b"others", &["--tags", "b"]);
    fs::write(site.root().join("file"), "new").unwrap();
    let mut refusals = Refusals::new(&site, &["lib0", "lib1"], "A library whose folder is gone");
    let before = refusals.everything();
    site.stop();
    fs::rename(site.disk("lib0"), site.disk("moved")).unwrap();
    for (typed, code) in [
        ("library list", 0),
        ("library scan lib0", 3),
        ("get one copy", 3),
        ("tape check a", 3),
        ("repack a --to b", 3),
        ("drive lock lib0/drv0", 3),
        ("tape list", 0),
        ("get two other", 0),
    ] {
        refusals.disturbed(typed, code);
    }
    fs::rename(site.disk("moved"), site.disk("lib0")).unwrap();
    refusals.note("It is back.");
    refusals.disturbed("library scan lib0", 0);
    refusals.disturbed("get one copy", 0);
    refusals.only_handled_since(&before, "without its folder");
    refusals.matches("tapes-away");
}

#[test]
fn a_library_that_another_respoold_has_is_not_shared() {
    let (site, other) = (loft(&["a"], 3), Site::another(RESPOOL));
    let theirs = other.root().join("theirs");
    fs::create_dir(&theirs).unwrap();
    other.ok(&["library", "add", "virtual", "theirs", "theirs/lib", "--slots", "2"]);
    std::os::unix::fs::symlink(theirs.join("lib"), site.root().join("theirs")).unwrap();
    let mut refusals = Refusals::new(&site, &["lib0"], "A library that another respoold has");
    let holder = other.pid().expect("it told its number").to_string();
    refusals.seen.hide(&format!("(pid {holder})"), "(pid PID)");
    refusals.run("library add virtual lib1 theirs", 2);
    refusals.matches("tapes-busy");
    other.ok(&["library", "scan", "theirs"]);
}

/// What an ordinary user may not do is told with the path, and nothing is made.
#[test]
fn a_library_that_may_not_be_read_or_made_is_refused() {
    let site = Site::ordinary(RESPOOL);
    site.folder("locked");
    fs::set_permissions(site.root().join("locked"), Permissions::from_mode(0o555)).unwrap();
    let theirs = site.folder("theirs");
    site.ok(&["library", "add", "virtual", "lib0", "theirs/lib", "--slots", "2"]);
    site.ok(&["library", "forget", "lib0"]);
    site.stop();
    fs::set_permissions(theirs.join("lib"), Permissions::from_mode(0o000)).unwrap();
    site.ok(&["medium", "list"]);
    let mut refusals = Refusals::new(&site, &["locked"], "Folders that may not be read or written");
    refusals.run("library add virtual lib0 locked/lib", 2);
    refusals.run("library add virtual lib0 theirs/lib", 2);
    fs::set_permissions(theirs.join("lib"), Permissions::from_mode(0o755)).unwrap();
    refusals.matches("tapes-permissions");
}
