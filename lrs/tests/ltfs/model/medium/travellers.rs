//! What came from tapes of other software goes onto one of respool's, and no reader can tell it from theirs: the checker of
//! no common code compares it with the manifest of the tape that it came from.

use super::super::rig::{TAPE, To};
use super::bench::{expected, formatted, label, mounted, stamp};
use super::puts::{entries, get, put_as, tag};
use crate::fixtures::{Fixture, each, folder, unpack};
use crate::folder_drive::FolderDrive;
use crate::writing::judged_with;
use dss::model::{ByteCount, LtfsAttributes, LtfsKind, LtfsTimes, LtfsValue, LtfsXattr};
use lrs::ldm::fs::ExtentTag;
use lrs::ldm::fs::ltfs::index::{Node, walk};
use lrs::ldm::fs::ltfs::medium::Erasing;
use lrs::ldm::fs::ltfs::volume::{self, FileReader, RecordReader};
use serde_json::Value;
use std::collections::BTreeMap;

const ROOM: u64 = 64 << 20;

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// What an import knows of an entry of a manifest.
fn attributes(entry: &Value) -> LtfsAttributes {
    let path = text(&entry["path"]);
    let times = &entry["times"];
    let xattr = |(key, value): (&String, &Value)| LtfsXattr {
        key: key.clone(),
        value: match value.get("text") {
            Some(value) => LtfsValue::Text(text(value)),
            None => LtfsValue::Base64(text(&value["base64"])),
        },
    };
    LtfsAttributes {
        path: if path == "." { String::new() } else { path },
        kind: match entry["type"].as_str() {
            Some("dir") => LtfsKind::Directory,
            Some("symlink") => LtfsKind::Symlink {
                target: text(&entry["target"]),
            },
            _ => LtfsKind::File,
        },
        readonly: entry["readonly"].as_bool().expect("a truth"),
        times: LtfsTimes {
            creation: text(&times["creationtime"]),
            change: text(&times["changetime"]),
            modify: text(&times["modifytime"]),
            access: text(&times["accesstime"]),
            backup: text(&times["backuptime"]),
        },
        xattrs: entry["xattrs"]
            .as_object()
            .expect("attributes")
            .iter()
            .map(xattr)
            .collect(),
        unknown: entry["unknown"].as_array().into_iter().flatten().map(text).collect(),
    }
}

/// The bytes of every file of a tape.
fn contents(fixture: &Fixture) -> BTreeMap<String, Vec<u8>> {
    let mut drive = FolderDrive::open(&fixture.cartridge);
    let mounted = volume::mount(&mut drive).unwrap();
    let mut records = RecordReader::new(&mounted.labels);
    let mut all = BTreeMap::new();
    walk(&mounted.tree.root, |path, node| {
        if let Node::File(file) = node {
            let mut bytes = vec![0; usize::try_from(file.length).unwrap()];
            let mut reader = FileReader::new(&mounted, file).unwrap();
            assert_eq!(reader.read(&mut drive, &mut records, &mut bytes).unwrap(), bytes.len());
            all.insert(path.to_owned(), bytes);
        }
    });
    all
}

/// The extents that an import makes of a tape, in an order of its own.
fn travellers(fixture: &Fixture) -> Vec<(ExtentTag, Vec<u8>)> {
    let damaged = fixture.manifest["damage"]["affected_paths"].as_array();
    // Of a file that is damaged there the bytes are on another one.
    let contents = match damaged.is_some_and(|paths| !paths.is_empty()) {
        true => contents(&unpack(&folder().expect("there are fixtures"), "fragmented")),
        false => contents(fixture),
    };
    let entries = fixture.manifest["entries"].as_array().unwrap().iter().rev();
    let traveller = |(number, entry): (usize, &Value)| {
        let ltfs = attributes(entry);
        let bytes = match ltfs.kind {
            LtfsKind::File => contents[&ltfs.path].clone(),
            LtfsKind::Directory | LtfsKind::Symlink { .. } => Vec::new(),
        };
        let mut tag = tag(&format!("imported/{number}"), bytes.len() as u64);
        tag.header.bytes = ByteCount(bytes.len() as u64);
        tag.header.metadata.ltfs = Some(ltfs);
        (tag, bytes)
    };
    entries.enumerate().map(traveller).collect()
}

/// M-roundtrip: tree, names, bytes, five times, attributes, links, and nothing else.
#[test]
fn what_came_from_any_other_tape_is_on_ours_as_it_was() {
    each(|fixture| {
        let label = label();
        let rig = formatted(ROOM, &label);
        let (mut volume, drive, _) = mounted(&rig, 0, expected(&label, Erasing::No));
        let travellers = travellers(fixture);
        let mut puts = Vec::new();
        for (number, (tag, bytes)) in travellers.iter().enumerate() {
            puts.push(put_as(&mut *volume, tag.clone(), bytes).unwrap());
            match number % 97 {
                40 => volume.commit_index(stamp(5)).map(drop).unwrap(),
                20 | 80 => volume.sync().map(drop).unwrap(),
                _ => {}
            }
        }
        volume.commit_index(stamp(6)).unwrap();
        drop(volume);
        drive.lock().unwrap().unload().unwrap();
        drop(drive);
        rig.carry(TAPE, To::Slot);
        let manifest = folder()
            .expect("there are fixtures")
            .join(format!("{}.json", fixture.name()));
        let manifest = manifest.to_str().expect("a path of plain text");
        judged_with(
            &rig.path(TAPE),
            &["--manifest", manifest, "--all-times", "--preserve-unknown"],
        );
        let (mut volume, ..) = mounted(&rig, 1, expected(&label, Erasing::No));
        assert!(volume.strangers().unwrap().is_empty());
        let mut tags: Vec<_> = travellers.into_iter().map(|(tag, _)| tag).collect();
        tags.sort_by_key(|tag| tag.extent);
        let found: Vec<_> = entries(&mut *volume).into_iter().map(|entry| entry.tag).collect();
        assert!(found == tags, "{}", fixture.name());
        for put in &puts {
            assert!(get(&mut *volume, &put.wanted(label.generation)).unwrap() == put.bytes);
        }
    });
}
