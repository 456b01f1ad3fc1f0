//! A site with a virtual library.

pub use respool_test_support::house::*;

use lrs::ldm::virt::{Card, LibrarySpec, Technology, VirtualLibrary};
use respool_test_support::Site;
use respool_test_support::site::QUICK;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program under test; respoold lies beside it.
pub const RESPOOL: &str = env!("CARGO_BIN_EXE_respool");

/// A site with a library `lib0` of LTO-9 drives and as many blank cartridges as slots, but for two slots.
pub fn library(drives: u16, cartridges: u16) -> Site {
    let site = Site::new(RESPOOL);
    add_library(&site, drives, cartridges);
    site
}

/// Adds it to a site.
pub fn add_library(site: &Site, drives: u16, cartridges: u16) {
    let folder = site.root().join("lib0").display().to_string();
    let (drives, slots, cartridges) = (drives.to_string(), (cartridges + 2).to_string(), cartridges.to_string());
    site.ok(&[
        "library",
        "add",
        "virtual",
        "lib0",
        &folder,
        "--drives",
        &drives,
        "--slots",
        &slots,
        "--cartridges",
        &cartridges,
        "--technology",
        "lto9",
    ]);
}

/// The barcode of a cartridge of a new library.
pub fn barcode(number: usize) -> String {
    format!("RSP{number:03}L9")
}

/// Makes media of the library's first cartridges; each name is also its tag.
pub fn tapes(site: &Site, names: &[&str]) {
    for (number, name) in names.iter().enumerate() {
        site.ok(&["tape", "add", &barcode(number), "--name", name, "--tags", name]);
    }
}

/// A site with a library of so many drives, and these tapes.
pub fn loft(drives: u16, names: &[&str]) -> Site {
    let site = library(drives, names.len() as u16);
    tapes(&site, names);
    site
}

/// The folder of the fixtures of other LTFS software; None: there is none here.
pub fn fixtures() -> Option<PathBuf> {
    let folder = match std::env::var_os("RESPOOL_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/ltfs"),
    };
    folder.join("check_volume.py").is_file().then_some(folder)
}

/// Has the independent checker look at tapes, which nobody may be writing: respoold is stopped for it.
#[track_caller]
pub fn independent_check(site: &Site, names: &[&str], more: &[&str]) {
    let Some(folder) = fixtures() else {
        println!("not run: no fixtures, so that no independent checker looked at the tapes");
        return;
    };
    let paths: Vec<String> = names.iter().map(|name| cartridge(site, name)).collect();
    site.stop();
    for path in paths {
        let checked = Command::new("python3")
            .arg(folder.join("check_volume.py"))
            .args(["--require-clean", "--require-mam"])
            .args(more)
            .arg(&path)
            .output()
            .expect("python3 can be run");
        let said = String::from_utf8_lossy(&checked.stdout).into_owned() + &String::from_utf8_lossy(&checked.stderr);
        assert!(checked.status.success(), "{path}: {said}");
    }
}

/// The folder of a tape's cartridge.
#[track_caller]
pub fn cartridge(site: &Site, name: &str) -> String {
    let medium = site.medium(name);
    medium["path"]
        .as_str()
        .expect("a virtual cartridge has a folder")
        .to_owned()
}

/// One fault, as a drill's file has it. `place` is `medium` with a barcode, `drive`, or `library`.
pub fn fault(place: (&str, &str), op: &str, error: &str, more: &str) -> String {
    let (kind, name) = place;
    format!("[[fault]]\n{kind} = \"{name}\"\nop = \"{op}\"\nerror = \"{error}\"\n{more}\n")
}

/// The names of what a report lists as skipped, in order.
pub fn skipped(report: &Value) -> Vec<String> {
    let list = report["skipped"].as_array().expect("a report lists what it skipped");
    let mut names: Vec<String> = list
        .iter()
        .map(|skip| skip["oid"].as_str().expect("an extent has an object").to_owned())
        .collect();
    names.sort();
    names
}

/// A site like that of `loft`, on which an extent of a few hundred kilobytes is one, and so is the window of a sync: extents
/// share records, and some reach over several.
pub fn long_loft(drives: u16, names: &[&str]) -> Site {
    let config = QUICK.replace("64 KiB", "4 MiB").replace("128 KiB", "8 MiB");
    let site = Site::with_config(RESPOOL, &config);
    add_library(&site, drives, names.len() as u16);
    tapes(&site, names);
    site
}

/// Where the bytes of an object's only extent lie: the first record, and how many records have some of them.
pub fn records_of(site: &Site, oid: &str) -> (u64, u64) {
    let rows = site.extents(&["--oid", oid, "--state", "sync"]);
    assert_eq!(rows.len(), 1, "{rows:#?}");
    let number = |key: &str| rows[0][key].as_u64().expect("a tape says where");
    (number("start_block"), number("blocks"))
}

/// The objects on a medium that have bytes in a record, in order.
pub fn in_record(site: &Site, medium: &str, block: u64) -> Vec<String> {
    let rows = site.extents(&["--medium", medium, "--state", "sync"]);
    let number = |row: &Value, key: &str| row[key].as_u64().unwrap_or(0);
    let reaches = |row: &&Value| {
        let first = number(row, "start_block");
        (first..first + number(row, "blocks")).contains(&block)
    };
    let mut names: Vec<String> = rows
        .iter()
        .filter(reaches)
        .map(|row| row["oid"].as_str().expect("an extent has an object").to_owned())
        .collect();
    names.sort();
    names
}

/// The file of a record of the partition that holds data, in the folder of a tape's cartridge.
pub fn record_file(site: &Site, name: &str, block: u64) -> PathBuf {
    Path::new(&cartridge(site, name)).join(format!("1_{block}_R"))
}

/// Brings a blank cartridge of another size, purpose or generation into the library, and answers its barcode. It is made in
/// a library beside, as somebody else would make it.
pub fn bring(site: &Site, card: &Card) -> String {
    let elsewhere = site.root().join("elsewhere");
    if !elsewhere.exists() {
        let shape = LibrarySpec {
            technology: Technology::Lto9,
            drives: 1,
            slots: 20,
            mail_slots: 0,
        };
        VirtualLibrary::create(&elsewhere, &shape).expect("a library can be made");
    }
    let other = VirtualLibrary::open(&elsewhere).expect("it is a library");
    other.add(card).expect("there is a free slot");
    let folder = other.cartridge_path(&card.barcode).expect("it was just made");
    let folder = folder.display().to_string();
    site.ok(&["library", "insert", "lib0", &folder, "--barcode", &card.barcode]);
    card.barcode.clone()
}

/// Runs a command that is to be refused, and answers its error.
#[track_caller]
pub fn refused(site: &Site, args: &[&str], code: &str) -> Value {
    let said = site.run(args).expect(2);
    assert_eq!(said["error"]["code"], code, "{said:#}");
    said["error"].clone()
}
