//! The fixtures: where they are, and what their manifests say of them.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the fixtures; None: there is none here.
pub fn folder() -> Option<PathBuf> {
    let folder = match std::env::var_os("RESPOOL_FIXTURES") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/ltfs"),
    };
    folder.join("simple.json").is_file().then_some(folder)
}

/// A fixture, unpacked.
pub struct Fixture {
    /// What a correct reader finds.
    pub manifest: Value,
    /// The cartridge.
    pub cartridge: PathBuf,
    _room: tempfile::TempDir,
}

impl Fixture {
    /// Its name.
    pub fn name(&self) -> &str {
        self.manifest["fixture"].as_str().unwrap()
    }
}

/// Unpacks a fixture.
pub fn unpack(folder: &Path, name: &str) -> Fixture {
    let room = tempfile::tempdir().unwrap();
    let archive = folder.join(format!("{name}.tar.gz"));
    let done = Command::new("tar")
        .arg("xzf")
        .arg(archive)
        .arg("-C")
        .arg(room.path())
        .status()
        .unwrap();
    assert!(done.success(), "tar of {name}");
    let manifest = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
    Fixture {
        manifest: serde_json::from_slice(&manifest).unwrap(),
        cartridge: room.path().join(name),
        _room: room,
    }
}

/// All fixtures, one after the other; says so where there are none.
pub fn each(mut test: impl FnMut(&Fixture)) {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".tar.gz").map(str::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        println!("fixture {name}");
        test(&unpack(&folder, &name));
    }
}
