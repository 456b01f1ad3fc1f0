//! A site with a virtual library.

pub use respool_test_support::house::*;

use respool_test_support::Site;
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

/// Runs a command that is to be refused, and answers its error.
#[track_caller]
pub fn refused(site: &Site, args: &[&str], code: &str) -> Value {
    let said = site.run(args).expect(2);
    assert_eq!(said["error"]["code"], code, "{said:#}");
    said["error"].clone()
}
