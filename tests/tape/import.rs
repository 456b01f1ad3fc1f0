//! Tapes that other software made: imported, read, and compacted onto tapes of respool's.

use super::house::{
    RESPOOL, all_readable, barcode, cartridge, fill, fixtures, independent_check, loft, media_of, mixed, refused, tapes,
};
use respool_test_support::Site;
use respool_test_support::site::QUICK;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A volume of other software and what its manifest says.
pub struct Fixture {
    name: String,
    manifest: Value,
    pub cartridge: PathBuf,
    room: tempfile::TempDir,
}

/// Unpacks a fixture; None, and says so, where there are none.
pub fn fixture(name: &str) -> Option<Fixture> {
    let Some(folder) = fixtures() else {
        println!("not run: no fixtures");
        return None;
    };
    let room = tempfile::tempdir().unwrap();
    let archive = folder.join(format!("{name}.tar.gz"));
    let done = Command::new("tar")
        .arg("xzf")
        .arg(archive)
        .arg("-C")
        .arg(room.path())
        .status();
    assert!(done.unwrap().success(), "tar of {name}");
    let manifest = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    Some(Fixture {
        name: name.to_owned(),
        manifest: serde_json::from_slice(&manifest).unwrap(),
        cartridge: room.path().join(name),
        room,
    })
}

impl Fixture {
    pub fn entries(&self) -> &[Value] {
        self.manifest["entries"].as_array().unwrap()
    }

    /// The digest of every file.
    fn digests(&self) -> BTreeMap<String, String> {
        let files = self.entries().iter().filter(|entry| entry["type"] == "file");
        files.map(|file| (text(&file["path"]), text(&file["sha256"]))).collect()
    }

    fn damaged(&self) -> BTreeSet<String> {
        let paths = self.manifest["damage"]["affected_paths"].as_array();
        paths.into_iter().flatten().map(text).collect()
    }

    fn count(&self, kind: &str) -> usize {
        self.entries().iter().filter(|entry| entry["type"] == kind).count()
    }

    /// Puts the cartridge into the library.
    pub fn insert(&self, site: &Site, barcode: &str) {
        let folder = self.cartridge.display().to_string();
        site.ok(&[
            "library",
            "insert",
            "lib0",
            &folder,
            "--barcode",
            barcode,
            "--technology",
            "lto9",
        ]);
    }

    /// What is not what the manifest says when all of it is got at once. What cannot be read is left out by that.
    fn unlike(&self, site: &Site, under: &str) -> BTreeSet<String> {
        let room = tempfile::tempdir_in(site.root()).unwrap();
        let folder = room.path().join("got");
        site.run(&["get", under, &folder.display().to_string(), "--recursive"]);
        let bytes = |path: &str| std::fs::read(folder.join(oid(path)));
        self.differing(|path| bytes(path).ok())
    }

    /// The same of a volume that was imported under its own names: one by one.
    pub fn unlike_alone(&self, site: &Site) -> BTreeSet<String> {
        self.differing(|path| site.try_get(&oid(path)).ok())
    }

    fn differing(&self, bytes: impl Fn(&str) -> Option<Vec<u8>>) -> BTreeSet<String> {
        let good = |path: &str, digest: &str| bytes(path).is_some_and(|bytes| hex(&Sha256::digest(bytes)) == digest);
        let bad = self.digests().into_iter().filter(|(path, digest)| !good(path, digest));
        bad.map(|(path, _)| path).collect()
    }
}

/// A site with a library of so many drives and blank cartridges, and room for more.
pub fn room(drives: u16, cartridges: u16) -> Site {
    room_with(QUICK, drives, cartridges)
}

/// The same with another config.
pub fn room_with(config: &str, drives: u16, cartridges: u16) -> Site {
    let site = Site::with_config(RESPOOL, config);
    let folder = site.root().join("lib0").display().to_string();
    let (drives, cartridges) = (drives.to_string(), cartridges.to_string());
    site.ok(&[
        "library",
        "add",
        "virtual",
        "lib0",
        &folder,
        "--drives",
        &drives,
        "--slots",
        "12",
        "--cartridges",
        &cartridges,
        "--technology",
        "lto9",
    ]);
    site
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value}")).to_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The name of an object for a path of these fixtures.
fn oid(path: &str) -> String {
    path.replace("%25", "%2525").replace('\n', "%0A").replace('\r', "%0D")
}

/// What an object's metadata says of its entry, in the manifest's form.
fn entry_of(site: &Site, oid: &str) -> Value {
    let ltfs = site.ok(&["object", "show", oid])["metadata"]["ltfs"].clone();
    let xattrs = ltfs["xattrs"].as_array().cloned().unwrap_or_default();
    let pair = |one: &Value| (text(&one["key"]), one["value"].clone());
    let times = ["creation", "change", "modify", "access", "backup"]
        .map(|key| (format!("{key}time"), ltfs["times"][key].clone()));
    json!({
        "path": ltfs["path"], "readonly": ltfs["readonly"],
        "xattrs": xattrs.iter().map(pair).collect::<serde_json::Map<_, _>>(),
        "times": times.into_iter().collect::<serde_json::Map<_, _>>(),
    })
}

/// E-05, E-11: every fixture is what its manifest says after the import, read through the catalogue; and of damaged ones
/// exactly what is damaged cannot be read.
#[test]
fn e05_every_fixture_is_imported_as_its_manifest_says() {
    for group in [
        &[
            "simple",
            "packed",
            "fragmented",
            "empty",
            "ip-newer",
            "unclean-dp-newer",
            "unclean-tail",
        ][..],
        &["fragmented-short"],
        &["fragmented-missing"],
        &["fragmented-flip"],
        &["fragmented-badxml"],
        &["fragmented-badxml-dp"],
    ] {
        let site = room(1, 0);
        for (number, name) in group.iter().enumerate() {
            let Some(fixture) = fixture(name) else { return };
            println!("fixture {name}");
            let code = format!("FXT00{number}L9");
            fixture.insert(&site, &code);
            dry_run_changes_nothing(&site, &fixture, &code);
            is_imported(&site, &fixture, &code);
        }
    }
}

fn dry_run_changes_nothing(site: &Site, fixture: &Fixture, code: &str) {
    let before = site.ok(&["object", "list"]);
    let report = site.ok(&["tape", "import", code, "--under", &fixture.name, "--dry-run"]);
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["objects"], fixture.entries().len(), "{report:#}");
    assert_eq!(site.ok(&["object", "list"]), before);
    site.run(&["medium", "show", code]).expect(2);
}

fn is_imported(site: &Site, fixture: &Fixture, code: &str) {
    let report = site.ok(&["tape", "import", code, "--under", &fixture.name]);
    assert_eq!(report["volume"]["uuid"], fixture.manifest["volume"]["uuid"]);
    assert_eq!(report["files"], fixture.count("file"), "{report:#}");
    assert_eq!(report["directories"], fixture.count("dir"));
    assert_eq!(report["symlinks"], fixture.count("symlink"));
    assert_eq!(report["not_imported"], json!([]));
    let medium = site.medium(code);
    assert_eq!(
        (&medium["format"], &medium["adm_state"]),
        (&json!("ltfs"), &json!("read_only"))
    );
    let again = site.ok(&["tape", "import", code]);
    assert_eq!(again["known"], true, "{again:#}");
    for entry in fixture.entries() {
        let path = text(&entry["path"]);
        let full = match path.as_str() {
            "." => fixture.name.clone(),
            path => format!("{}/{path}", fixture.name),
        };
        let mut wanted = json!({
            "path": full, "readonly": entry["readonly"], "xattrs": entry["xattrs"], "times": entry["times"],
        });
        if wanted["xattrs"].is_null() {
            wanted["xattrs"] = json!({});
        }
        if entry == &fixture.entries()[0] || fixture.entries().len() < 60 {
            assert_eq!(entry_of(site, &oid(&full)), wanted, "{path}");
        }
    }
    assert_eq!(
        fixture.unlike(site, &fixture.name),
        fixture.damaged(),
        "{}",
        fixture.name
    );
}

/// E-05, E-11, X-06: compacted in one command, with paths, times and attributes; the source is kept as it was.
#[test]
fn e11_a_foreign_tape_is_compacted_onto_a_blank_one_in_one_command() {
    let Some(fixture) = fixture("simple") else { return };
    let site = room(2, 1);
    fixture.insert(&site, "FXT001L9");
    let report = site.ok(&["tape", "compact", "FXT001L9", "--onto", &barcode(0)]);
    assert_eq!(report["extents"]["remaining"], 0, "{report:#}");
    assert_eq!(report["read_back"]["failed"], 0, "{report:#}");
    assert_eq!(report["state"], "quarantined", "{report:#}");
    assert_eq!(fixture.unlike_alone(&site), BTreeSet::new());
    let source = site.medium("FXT001L9");
    assert_eq!(
        (&source["format"], &source["fs_state"]),
        (&json!("ltfs"), &json!("used"))
    );
    assert_eq!(site.ok(&["check"])["ok"], true);
    let sums = folder_sums(Path::new(&cartridge(&site, "FXT001L9")));
    site.stop();
    assert_eq!(sums, folder_sums(&fixture.cartridge), "the source is as it was");
    independent_check(&site, &[&barcode(0)], &[]);
    drop(fixture.room);
}

/// E-05, E-11, X-06: whatever can be read of a volume is on the new tape as the manifest says: names, bytes, all five times,
/// attributes, links, and nothing else. The independent checker says so.
#[test]
fn e05_e11_every_fixture_that_lost_nothing_is_compacted_to_what_its_manifest_says() {
    let Some(folder) = fixtures() else {
        println!("not run: no fixtures");
        return;
    };
    let names = std::fs::read_dir(&folder).unwrap().filter_map(|entry| {
        let name = entry.unwrap().file_name().into_string().unwrap();
        name.strip_suffix(".json").map(str::to_owned)
    });
    let mut compacted = 0;
    for name in names.collect::<BTreeSet<String>>() {
        let Some(fixture) = fixture(&name).filter(|fixture| fixture.damaged().is_empty()) else {
            continue;
        };
        println!("fixture {name}");
        let site = room(2, 1);
        fixture.insert(&site, "FXT001L9");
        let report = site.ok(&["tape", "compact", "FXT001L9", "--onto", &barcode(0)]);
        assert_eq!(report["extents"]["remaining"], 0, "{name}: {report:#}");
        let manifest = folder.join(format!("{name}.json")).display().to_string();
        let words = ["--manifest", &manifest, "--all-times", "--preserve-unknown"];
        independent_check(&site, &[&barcode(0)], &words);
        compacted += 1;
    }
    assert!(compacted >= 8, "{compacted} fixtures have lost nothing");
}

/// The records of a cartridge, by name. What a drive keeps beside them is no part of it.
pub fn folder_sums(folder: &Path) -> BTreeMap<String, String> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(|entry| entry.unwrap());
    let records = entries.filter(|entry| entry.file_type().is_file());
    let sum = |entry: walkdir::DirEntry| {
        let name = entry.path().strip_prefix(folder).unwrap().display().to_string();
        (name, hex(&Sha256::digest(std::fs::read(entry.path()).unwrap())))
    };
    let is_record = |name: &str| ["_R", "_F", "_E"].iter().any(|end| name.ends_with(end));
    records.map(sum).filter(|(name, _)| is_record(name)).collect()
}

/// E-11: several sources merge onto one tape, with one drive, by way of the spool. Erased, a source is one of ours.
#[test]
fn e11_two_foreign_tapes_are_merged_onto_one_and_erased() {
    let (Some(one), Some(other)) = (fixture("ip-newer"), fixture("unclean-tail")) else {
        return;
    };
    let site = room(1, 1);
    one.insert(&site, "FXT001L9");
    other.insert(&site, "FXT002L9");
    site.ok(&[
        "tape", "import", "FXT001L9", "--under", "one", "--name", "first", "--tags", "reuse",
    ]);
    site.ok(&["tape", "import", "FXT002L9", "--under", "other"]);
    let report = site.ok(&[
        "tape",
        "compact",
        "first",
        "FXT002L9",
        "--onto",
        &barcode(0),
        "--quarantine",
        "0s",
    ]);
    assert_eq!(report["state"], "done", "{report:#}");
    assert_eq!(one.unlike(&site, "one"), BTreeSet::new());
    assert_eq!(other.unlike(&site, "other"), BTreeSet::new());
    let erased = site.medium("first");
    assert_eq!(
        (&erased["format"], &erased["adm_state"], &erased["fs_state"]),
        (&json!("respool"), &json!("in_service"), &json!("empty")),
        "{erased:#}"
    );
    assert!(
        erased["capacity_bytes"].as_u64() > Some(0),
        "it told how much it takes: {erased:#}"
    );
    assert_eq!(site.ok(&["check"])["ok"], true);
    site.put("new", b"bytes", &["--tags", "reuse"]);
    assert_eq!(media_of(&site, "new"), ["first"], "it takes extents again");
}

/// Names that are taken refuse all of it, before anything is done.
#[test]
fn names_that_are_taken_are_listed_and_nothing_is_imported() {
    let (Some(one), Some(other)) = (fixture("unclean-dp-newer"), fixture("unclean-tail")) else {
        return;
    };
    let site = room(2, 1);
    one.insert(&site, "FXT001L9");
    other.insert(&site, "FXT002L9");
    let said = site
        .run(&["tape", "compact", "FXT001L9", "FXT002L9", "--onto", &barcode(0)])
        .expect(2);
    assert_eq!(said["error"]["code"], "clash", "{said:#}");
    assert!(
        !said["imported"][0]["clashes"].as_array().unwrap().is_empty(),
        "{said:#}"
    );
    for nothing in ["FXT001L9", "FXT002L9", &barcode(0)] {
        site.run(&["medium", "show", nothing]).expect(2);
    }
    site.ok(&["tape", "import", "FXT001L9"]);
    let said = site.run(&["tape", "import", "FXT002L9"]).expect(2);
    assert_eq!(said["error"]["code"], "clash", "{said:#}");
    assert_eq!(
        said["clashing"].as_u64(),
        said["clashes"].as_array().map(|all| all.len() as u64)
    );
    site.run(&["medium", "show", "FXT002L9"]).expect(2);
    assert_eq!(one.unlike_alone(&site), BTreeSet::new());
}

/// what other software said of the bytes is compared, and a medium is refused nothing else by that.
#[test]
fn x07_verify_reads_everything_once_and_tells_what_differs() {
    let Some(fixture) = fixture("simple") else { return };
    let site = room(1, 0);
    fixture.insert(&site, "FXT001L9");
    let report = site.ok(&["tape", "import", "FXT001L9", "--verify"]);
    let with_bytes = fixture
        .entries()
        .iter()
        .filter(|entry| entry["size"].as_u64().is_some_and(|size| size > 0));
    assert_eq!(
        report["verified"]["extents"],
        with_bytes.filter(|entry| entry["type"] == "file").count(),
        "{report:#}"
    );
    let extents = site.extents(&["--medium", "FXT001L9"]);
    assert!(
        extents.iter().all(|extent| extent["blake3"].is_string()),
        "{extents:#?}"
    );
    let again = site.ok(&["tape", "import", "FXT001L9", "--verify"]);
    assert_eq!(
        (&again["known"], &again["verified"]["extents"]),
        (&json!(true), &json!(0)),
        "{again:#}"
    );
}

/// E-05: all below a name is a tree again, with its directories, links and times.
#[test]
fn e05_an_imported_tree_is_got_as_a_tree() {
    let Some(fixture) = fixture("simple") else { return };
    let site = room(1, 0);
    fixture.insert(&site, "FXT001L9");
    site.ok(&["tape", "import", "FXT001L9", "--under", "t"]);
    let folder = site.root().join("got");
    let into = folder.display().to_string();
    site.ok(&["get", "t", &into, "--recursive"]);
    for entry in fixture.entries().iter().filter(|entry| entry["path"] != ".") {
        let path = folder.join(oid(&text(&entry["path"])));
        let found = std::fs::symlink_metadata(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        match entry["type"].as_str().unwrap() {
            "dir" => assert!(found.is_dir(), "{}", path.display()),
            "symlink" => assert_eq!(std::fs::read_link(&path).unwrap().to_str(), entry["target"].as_str()),
            _ => assert_eq!(found.len(), entry["size"].as_u64().unwrap()),
        }
        let time: jiff::Timestamp = text(&entry["times"]["modifytime"]).parse().unwrap();
        let shown = jiff::Timestamp::try_from(found.modified().unwrap()).unwrap();
        assert_eq!(shown, time, "{}", path.display());
        has_its_attributes(&path, entry);
    }
}

/// What a file or directory was given on the volume it is given back: attributes, and that it may not be changed.
fn has_its_attributes(path: &Path, entry: &Value) {
    use base64::Engine;
    if entry["type"] == "symlink" {
        return;
    }
    for (key, value) in entry["xattrs"].as_object().into_iter().flatten() {
        let wanted = match (value["text"].as_str(), value["base64"].as_str()) {
            (Some(text), _) => text.as_bytes().to_vec(),
            (None, Some(text)) => {
                let text: String = text.split_ascii_whitespace().collect();
                base64::engine::general_purpose::STANDARD.decode(text).unwrap()
            }
            (None, None) => panic!("{value}"),
        };
        let found = xattr::get(path, format!("user.{key}")).unwrap();
        assert_eq!(found, Some(wanted), "{key} of {}", path.display());
    }
    if entry["type"] == "file" && entry["readonly"] == true {
        let mode = std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o400, "{}", path.display());
    }
}

/// What the repack would refuse is refused before a source is imported or the target formatted.
#[test]
fn a_source_that_cannot_be_emptied_refuses_all_of_it() {
    let Some(fixture) = fixture("simple") else { return };
    let site = room(2, 3);
    fixture.insert(&site, "FXT001L9");
    tapes(&site, &["a", "b"]);
    site.put("x", b"bytes", &["--tags", "a"]);
    site.ok(&["repack", "a", "--to", "b"]);
    let before = site.ok(&["medium", "list"]);
    let compact = ["tape", "compact", "FXT001L9", "a", "--onto", &barcode(2)];
    refused(&site, &compact, "conflict");
    refused(&site, &[&compact[..], &["--plan"]].concat(), "conflict");
    let known = ["tape", "compact", "b", "--onto", &barcode(2), "--under", "p"];
    refused(&site, &known, "nothing_under");
    site.run(&["medium", "show", "FXT001L9"]).expect(2);
    let names = |list: &Value| -> BTreeSet<String> {
        let media = list["media"].as_array().unwrap().iter();
        media.map(|medium| text(&medium["name"])).collect()
    };
    assert_eq!(names(&site.ok(&["medium", "list"])), names(&before));
    // The same words again, when some of it was done before.
    site.ok(&["tape", "import", "FXT001L9", "--under", "p"]);
    let again = ["tape", "compact", "FXT001L9", "--onto", &barcode(2), "--under", "p"];
    site.ok(&again);
}

/// E-16: the tape alone makes every object known in a catalogue that never saw it.
#[test]
fn e16_a_lost_catalogue_is_rebuilt_from_a_tape() {
    let site = loft(1, &["a"]);
    let held = fill(&site, "things", &mixed(20), &["--tags", "a"]);
    site.stop();
    let new = Site::another(RESPOOL);
    let folder = site.root().join("lib0").display().to_string();
    new.ok(&["library", "add", "virtual", "lib0", &folder]);
    // It says itself what it holds and is called: nothing that is asked for is left out in silence.
    for wish in [
        &["--under", "p"][..],
        &["--name", "b"],
        &["--tags", "t"],
        &["--class", "c"],
        &["--verify"],
    ] {
        refused(&new, &[&["tape", "import", &barcode(0)], wish].concat(), "not_foreign");
    }
    let report = new.ok(&["tape", "import", &barcode(0), "--name", "a"]);
    assert_eq!(report["adopted"]["objects_adopted"], held.len(), "{report:#}");
    all_readable(&new, &held);
    let medium = new.medium("a");
    assert_eq!(
        (&medium["format"], &medium["adm_state"]),
        (&json!("respool"), &json!("read_only")),
        "{medium:#}"
    );
    assert_eq!(new.ok(&["tape", "import", &barcode(0)])["known"], true);
    assert_eq!(
        new.ok(&["medium", "import", "a"])["medium_added"],
        false,
        "as a disk that is known"
    );
}

/// What is no volume of other software is refused, and told apart.
#[test]
fn what_holds_no_volume_is_refused() {
    let site = room(1, 2);
    refused(&site, &["tape", "import", &barcode(0)], "no_volume");
    tapes(&site, &["a"]);
    let known = site.ok(&["tape", "import", "a"]);
    // The same words again change nothing, and others would not.
    site.ok(&["tape", "import", "a", "--name", "a", "--under", "x"]);
    for wish in [["--name", "b"], ["--tags", "lab"], ["--class", "cold"]] {
        refused(&site, &[&["tape", "import", "a"], &wish[..]].concat(), "exists");
    }
    assert_eq!(known["known"], true);
    refused(&site, &["tape", "compact", "a", "--onto", "a"], "same_tape");
    refused(&site, &["tape", "import", "a", "--verify"], "not_foreign");
}
