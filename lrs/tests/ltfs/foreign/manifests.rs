//! Every fixture, as its manifest says: what it holds, where, and every file's bytes; of damaged ones all that is whole.

use super::{drive, expected, read_whole, wanted};
use crate::fixtures::{Fixture, each};
use crate::reading::{self, damage, hex, paths};
use lrs::ldm::fs::Volume;
use lrs::ldm::fs::ltfs::foreign::{
    ForeignEntry, ForeignExpected, ForeignKind, ForeignState, ForeignSurvey, HashAlgorithm, StoredValue, in_tape_order,
    mount, survey,
};
use lrs::ldm::fs::ltfs::label::PartitionId;
use lrs::ldm::library::{Library, NewLibrary, Spec, Terms};
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::virt::Technology;
use lrs::ldm::{Disposition, Fault};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// An entry in the manifest's form, as far as it has one.
fn value(fixture: &Fixture, entry: &ForeignEntry) -> Value {
    let stored = |(key, value): &(String, StoredValue)| {
        let value = match value {
            StoredValue::Text(text) => json!({ "text": text }),
            StoredValue::Base64(text) => json!({ "base64": text }),
        };
        (key.clone(), value)
    };
    let times = &entry.times;
    let mut out = json!({
        "path": entry.path, "uid": entry.uid, "readonly": entry.readonly,
        "xattrs": entry.xattrs.iter().map(stored).collect::<Map<_, _>>(),
        "times": {
            "creationtime": times.creation, "changetime": times.change, "modifytime": times.modify,
            "accesstime": times.access, "backuptime": times.backup,
        },
    });
    match &entry.kind {
        ForeignKind::Directory => out["type"] = json!("dir"),
        ForeignKind::Symlink { target } => (out["type"], out["target"]) = (json!("symlink"), json!(target)),
        ForeignKind::File { bytes, span, holes } => {
            (out["type"], out["size"]) = (json!("file"), json!(bytes));
            assert_eq!(*holes, span.bytes() < Some(*bytes), "{}", entry.path);
            let places = fixture.manifest["volume"]["scsi_partition"].as_object().unwrap();
            let id = |number: u8| places.iter().find(|(_, place)| **place == json!(number)).unwrap().0;
            let extents = span.0.iter().map(|one| {
                json!({
                    "partition": id(one.partition), "startblock": one.start_block, "byteoffset": one.byte_offset,
                    "bytecount": one.bytes,
                })
            });
            out["extents"] = extents.collect();
        }
    }
    if !entry.unknown.is_empty() {
        out["unknown"] = json!(entry.unknown);
    }
    if let Some(open) = entry.open_for_write {
        out["openforwrite"] = json!(open);
    }
    out
}

/// The manifest's entries without what a survey does not tell, and the digests of the files.
fn known(fixture: &Fixture) -> (BTreeMap<String, Value>, BTreeMap<String, String>) {
    let (mut entries, digests) = reading::expected(fixture);
    for entry in entries.values_mut().filter_map(Value::as_object_mut) {
        if entry["type"] == json!("symlink") {
            entry.remove("size");
        }
        for extent in entry
            .get_mut("extents")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            extent.as_object_mut().unwrap().remove("fileoffset");
        }
    }
    (entries, digests)
}

fn head(fixture: &Fixture, survey: &ForeignSurvey) {
    let volume = &fixture.manifest["volume"];
    let found = json!([
        survey.volume.to_string(),
        survey.serial,
        survey.volume_name,
        survey.block_size
    ]);
    let named = ["uuid", "serial", "name", "blocksize"].map(|key| volume[key].clone());
    assert_eq!(found, json!(named));
    assert_eq!(
        json!(survey.generation),
        fixture.manifest["current_index"]["generation"]
    );
    let state = match (fixture.manifest["state"].as_str().unwrap(), damage(fixture)) {
        ("unclean", _) => ForeignState::DataPartitionNewer,
        ("unclean-tail", _) => ForeignState::Tail,
        ("damaged", Some("badxml")) => ForeignState::OneIndex(PartitionId::A),
        ("damaged", Some("badxml-dp")) => ForeignState::OneIndex(PartitionId::B),
        ("clean" | "damaged", _) => ForeignState::Whole,
        other => panic!("{other:?}"),
    };
    let lines = usize::from(matches!(state, ForeignState::OneIndex(_)));
    assert_eq!(survey.state, state);
    assert_eq!(survey.damage.len(), lines, "{:?}", survey.damage);
    let tail = fixture.manifest["unindexed_tail"].get("b").and_then(Value::as_array);
    let block = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap();
    let tail = tail.map(|blocks| (block(blocks.first()), block(blocks.last()) + 1));
    assert_eq!(survey.unindexed_tail, tail);
}

/// Compares everything that a manifest says with what is surveyed and read.
fn as_the_manifest_says(fixture: &Fixture, survey: ForeignSurvey, volume: &mut dyn Volume) {
    head(fixture, &survey);
    let mut entries: Vec<ForeignEntry> = survey.entries.collect();
    let (known, digests) = known(fixture);
    let found: BTreeMap<String, Value> = entries
        .iter()
        .map(|entry| (entry.path.clone(), value(fixture, entry)))
        .collect();
    assert_eq!(found.len(), entries.len(), "each path once");
    assert_eq!(found, known);
    in_tape_order(&mut entries);
    let (mut failed, mut read, mut last) = (BTreeSet::new(), 0, None);
    for (number, entry) in entries.iter().enumerate() {
        assert_eq!(entry.damaged, None, "{}", entry.path);
        let ForeignKind::File { span, .. } = &entry.kind else {
            continue;
        };
        let start = span
            .first()
            .map(|one| (one.partition, one.start_block, one.byte_offset));
        assert!(start >= last, "in the order of the tape");
        last = start;
        let wanted = wanted(entry).unwrap();
        match read_whole(volume, &wanted, 500 + number % 9000) {
            Ok(bytes) if hex(Sha256::digest(&bytes)) == digests[&entry.path] => read += 1,
            Ok(_) => drop(failed.insert(entry.path.clone())),
            Err(error) => {
                let whose = (
                    error.disposition(),
                    matches!(error.fault, Fault::Short { .. } | Fault::Drive(_)),
                );
                assert_eq!(whose, (Disposition::Skip, true), "{error}");
                failed.insert(entry.path.clone());
            }
        }
    }
    assert_eq!(failed, paths(fixture));
    assert_eq!(read + failed.len(), digests.len(), "every file was tried");
}

fn imported(fixture: &Fixture) -> ForeignExpected {
    let manifest = &fixture.manifest;
    ForeignExpected {
        index_generation: manifest["current_index"]["generation"].as_u64(),
        ..expected(manifest["volume"]["uuid"].as_str().unwrap().parse().unwrap())
    }
}

/// what cannot be read fails for itself, and nothing else with it.
#[test]
fn every_fixture_is_surveyed_and_read_as_its_manifest_says() {
    each(|fixture| {
        let drive = drive(&fixture.cartridge);
        let surveyed = survey(&drive, fixture.name()).unwrap();
        let mut volume = mount(&drive, imported(fixture)).unwrap();
        as_the_manifest_says(fixture, surveyed, &mut *volume);
    });
}

/// The same through a library, its arm, and the driver of real drives.
#[test]
fn every_fixture_is_surveyed_and_read_so_in_a_library() {
    each(|fixture| {
        let room = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .unwrap();
        let new = NewLibrary {
            technology: Technology::Lto8,
            drives: 1,
            slots: 2,
            mail_slots: 0,
            cartridges: 0,
        };
        Library::create(room.path(), &new).unwrap();
        let spec = Spec::Virtual {
            name: "lib0".to_owned(),
            folder: room.path().to_owned(),
        };
        let library = Library::open(&spec, &Terms::usual(Key::new(7).unwrap())).unwrap();
        let barcode = "FXT001L8";
        library
            .insert(&fixture.cartridge, barcode, Some(Technology::Lto8))
            .unwrap();
        let surveyed = library.survey("drv0", barcode).unwrap();
        let mut volume = library.mount_foreign("drv0", barcode, imported(fixture)).unwrap();
        as_the_manifest_says(fixture, surveyed, &mut *volume);
        assert!(library.survey("drv0", barcode).is_err(), "the bay is the volume's");
        library.unmount("drv0").unwrap();
        assert_eq!(volume.identify().unwrap_err().fault, Fault::NeedsReopen);
        library.survey("drv0", barcode).unwrap();
    });
}

#[test]
fn digests_that_others_left_are_told() {
    each(|fixture| {
        if fixture.name() != "simple" {
            return;
        }
        let surveyed = survey(&drive(&fixture.cartridge), "simple").unwrap();
        let hashes: Vec<_> = surveyed.entries.filter(|entry| !entry.hashes.is_empty()).collect();
        let digest = reading::expected(fixture).1["docs/readme.txt"].clone();
        assert_eq!(hashes.len(), 1);
        assert_eq!(hashes[0].path, "docs/readme.txt");
        assert_eq!(hashes[0].hashes, [(HashAlgorithm::Sha256, digest)]);
    });
}
