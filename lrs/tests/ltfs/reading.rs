//! Every fixture is what its manifest says, and every damaged one is damaged there and nowhere else.

use crate::fixtures::{Fixture, each};
use crate::folder_drive::FolderDrive;
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::ltfs::Code;
use lrs::ldm::fs::ltfs::finding::Finding;
use lrs::ldm::fs::ltfs::index::{self, File, Keep, Location, Node, Times, XattrValue, walk};
use lrs::ldm::fs::ltfs::volume::{
    Contents, FileReader, Found, Known, Memory, Mounted, PartitionView, RecordReader, State, check, generations, mount,
};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What is damaged of a fixture, by its manifest.
pub fn damage(fixture: &Fixture) -> Option<&str> {
    fixture.manifest.pointer("/damage/kind").and_then(Value::as_str)
}

pub fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn times(times: &Times) -> Value {
    json!({
        "creationtime": times.creation.to_string(),
        "changetime": times.change.to_string(),
        "modifytime": times.modify.to_string(),
        "accesstime": times.access.to_string(),
        "backuptime": times.backup.to_string(),
    })
}

fn value(value: &XattrValue) -> Value {
    use base64::Engine;
    match value {
        XattrValue::Text(text) => json!({ "text": text }),
        XattrValue::Binary(bytes) => {
            json!({ "base64": base64::engine::general_purpose::STANDARD.encode(bytes) })
        }
    }
}

/// An entry in the manifest's form, without its digest.
fn entry(path: &str, node: Node<'_>) -> Value {
    let meta = node.meta();
    let xattrs: Map<_, _> = meta
        .xattrs
        .iter()
        .map(|xattr| (xattr.key.clone(), value(&xattr.value)))
        .collect();
    let mut out = json!({
        "path": path, "type": "dir", "uid": meta.uid, "readonly": meta.readonly, "times": times(&meta.times),
        "xattrs": xattrs,
    });
    if !meta.unknown.is_empty() {
        out["unknown"] = json!(meta.unknown);
    }
    if let Node::File(file) = node {
        out["size"] = json!(file.length);
        if let Some(open) = file.open_for_write {
            out["openforwrite"] = json!(open);
        }
        if let Some(target) = &file.symlink {
            (out["type"], out["target"]) = (json!("symlink"), json!(target));
        } else {
            let extents = file.extents.iter().map(|extent| {
                json!({
                    "fileoffset": extent.file_offset, "partition": extent.partition.to_string(),
                    "startblock": extent.block, "byteoffset": extent.byte_offset, "bytecount": extent.bytes,
                })
            });
            (out["type"], out["extents"]) = (json!("file"), extents.collect());
        }
    }
    out
}

pub fn tree(mounted: &Mounted) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    walk(&mounted.tree.root, |path, node| {
        assert!(all.insert(path.to_owned(), entry(path, node)).is_none(), "{path} twice");
    });
    all
}

/// The manifest's entries without digests, and the digests.
pub fn expected(fixture: &Fixture) -> (BTreeMap<String, Value>, BTreeMap<String, String>) {
    let (mut entries, mut digests) = (BTreeMap::new(), BTreeMap::new());
    for entry in fixture.manifest["entries"].as_array().unwrap() {
        let mut entry = entry.clone();
        let path = entry["path"].as_str().unwrap().to_owned();
        let fields = entry.as_object_mut().unwrap();
        fields.remove("created_as");
        if let Some(digest) = fields.remove("sha256") {
            digests.insert(path.clone(), digest.as_str().unwrap().to_owned());
        }
        entries.insert(path, entry);
    }
    (entries, digests)
}

fn place(location: Option<Location>) -> Value {
    location.map_or(
        Value::Null,
        |at| json!({"partition": at.partition.to_string(), "startblock": at.block}),
    )
}

fn generation(found: &Found) -> Value {
    json!({
        "generation": found.head.generation, "partition": found.head.location.partition.to_string(),
        "startblock": found.head.location.block, "records": found.records, "bytes": found.bytes,
        "previous": place(found.head.previous), "update_time": found.head.update_time.to_string(),
        "creator": found.head.creator, "files": found.files,
    })
}

/// Compares digests with the manifest's, and gathers what was read.
pub struct Digests {
    known: BTreeMap<String, String>,
    path: String,
    state: Sha256,
    pub seen: BTreeSet<String>,
}

impl Digests {
    pub fn new(known: BTreeMap<String, String>) -> Self {
        Self {
            known,
            path: String::new(),
            state: Sha256::new(),
            seen: BTreeSet::new(),
        }
    }
}

impl Known for Digests {
    fn begin(&mut self, path: &str, _file: &File) {
        (self.path, self.state) = (path.to_owned(), Sha256::new());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
    }

    fn end(&mut self) -> Option<String> {
        let found = hex(std::mem::take(&mut self.state).finalize());
        let known = self.known.get(&self.path).expect("the manifest has every file");
        self.seen.insert(self.path.clone());
        (found != *known).then(|| format!("sha256 {found}, and {known} is known"))
    }
}

fn ends(fixture: &Fixture, mounted: &Mounted) {
    let manifest = &fixture.manifest;
    for view in [&mounted.index, &mounted.data] {
        let id = view.id.to_string();
        assert_eq!(json!(view.end), manifest["end_of_data"][&id]);
        let broken = matches!(
            (damage(fixture), id.as_str()),
            (Some("badxml"), "a") | (Some("badxml-dp"), "b")
        );
        if !broken {
            assert_eq!(generation(view.last.as_ref().unwrap()), manifest["last_index"][&id]);
            let tail: Vec<u64> = view.tail.iter().flat_map(|run| run.first..run.behind).collect();
            let expected = manifest["unindexed_tail"].get(&id).cloned().unwrap_or(json!([]));
            assert_eq!(json!(tail), expected);
        }
        memory(&manifest["coherency"][&id], view);
    }
}

fn memory(expected: &Value, view: &PartitionView) {
    let (Memory::Current(found) | Memory::Stale(found)) = &view.memory else {
        panic!("{:?}", view.memory)
    };
    assert_eq!(json!(found.change_reference), expected["vcr"]);
    assert_eq!(json!(found.generation), expected["count"]);
    assert_eq!(json!(found.block), expected["set_id"]);
    assert_eq!(json!(found.volume.to_string()), expected["uuid"]);
}

fn labels(fixture: &Fixture, mounted: &Mounted) {
    let (volume, label) = (&fixture.manifest["volume"], &mounted.labels.label);
    let found = json!({
        "uuid": label.volume.to_string(), "serial": mounted.labels.serial, "name": mounted.tree.root.meta.name,
        "blocksize": label.block_size, "compression": label.compression, "format_time": label.format_time.to_string(),
        "label_version": label.version, "index_partition": label.index.to_string(),
        "data_partition": label.data.to_string(),
        "scsi_partition": {
            label.index.to_string(): mounted.labels.index.0, label.data.to_string(): mounted.labels.data.0,
        },
    });
    assert_eq!(found, *volume);
    assert_eq!(mounted.labels.findings, []);
}

fn head(fixture: &Fixture, mounted: &Mounted) {
    let (manifest, head) = (&fixture.manifest, &mounted.tree.head);
    let policy = head
        .policy
        .as_ref()
        .map(|policy| json!({"size": policy.size, "names": policy.names}));
    assert_eq!(policy.unwrap_or(Value::Null), manifest["policy"]);
    assert_eq!(json!(head.comment), manifest["comment"]);
    assert_eq!(json!(head.lock.map(index::Lock::word)), manifest["lock"]);
    assert_eq!(json!(head.highest_uid), manifest["highest_uid"]);
    assert_eq!(json!(head.unknown), manifest["index_unknown"]);
    assert_eq!(json!(head.generation), manifest["current_index"]["generation"]);
    // Of a damaged index partition the same generation is taken from the other one.
    if damage(fixture) != Some("badxml") {
        assert_eq!(json!(head.location.block), manifest["current_index"]["startblock"]);
        assert_eq!(
            json!(head.location.partition.to_string()),
            manifest["current_index"]["partition"]
        );
    }
}

fn state(fixture: &Fixture) -> State {
    match (
        fixture.manifest["state"].as_str().unwrap(),
        fixture.name(),
        damage(fixture),
    ) {
        ("clean", "ip-newer", _) => State::IndexPartitionNewer,
        ("clean", ..) => State::Clean,
        ("unclean", ..) => State::DataPartitionNewer,
        ("unclean-tail", ..) => State::Tail,
        ("damaged", _, Some("badxml" | "badxml-dp")) => State::Incomplete,
        ("damaged", ..) => State::Clean,
        other => panic!("{other:?}"),
    }
}

/// What the checker is to find, whatever the paths.
fn codes(fixture: &Fixture) -> BTreeSet<Code> {
    BTreeSet::from_iter(match (damage(fixture), state(fixture)) {
        (Some("badxml"), _) => vec![Code::NoIndex, Code::IndexXml, Code::Coherency, Code::Tail],
        (Some("badxml-dp"), _) => vec![Code::BackPointer, Code::IndexXml, Code::Coherency, Code::Tail],
        (Some("flip"), _) => vec![Code::Content],
        (Some("short" | "missing"), _) => vec![Code::Unreadable],
        (Some(other), _) => panic!("{other}"),
        (None, State::DataPartitionNewer) => vec![Code::Unclean],
        (None, State::Tail) => vec![Code::Tail],
        (None, _) => vec![],
    })
}

pub fn paths(fixture: &Fixture) -> BTreeSet<String> {
    let affected = fixture
        .manifest
        .pointer("/damage/affected_paths")
        .and_then(Value::as_array);
    affected
        .into_iter()
        .flatten()
        .map(|path| path.as_str().unwrap().to_owned())
        .collect()
}

/// Mounts a fixture in a drive and compares everything that its manifest says, the files' bytes included.
pub fn as_the_manifest_says(fixture: &Fixture, drive: &mut dyn Drive) {
    let mounted = mount(drive).unwrap();
    labels(fixture, &mounted);
    head(fixture, &mounted);
    ends(fixture, &mounted);
    assert_eq!(mounted.state, state(fixture));
    let (entries, digests) = expected(fixture);
    assert_eq!(tree(&mounted), entries);
    for gone in fixture.manifest["deleted_paths"].as_array().into_iter().flatten() {
        assert!(!entries.contains_key(gone.as_str().unwrap()));
    }

    let (all, _) = generations(drive, &mounted).unwrap();
    if !matches!(damage(fixture), Some("badxml" | "badxml-dp")) {
        let all: Value = all.iter().map(generation).collect();
        assert_eq!(all, fixture.manifest["generations"]);
    }

    let mut known = Digests::new(digests.clone());
    let findings = check(drive, &mounted, Contents::Read(&mut known)).unwrap();
    println!(
        "{}",
        findings
            .iter()
            .map(|finding| format!("  {finding}\n"))
            .collect::<String>()
    );
    let found: BTreeSet<_> = findings.iter().map(|finding| finding.code).collect();
    assert_eq!(found, codes(fixture));
    let of_paths = |finding: &&Finding| matches!(finding.code, Code::Content | Code::Unreadable);
    let failed: BTreeSet<_> = findings
        .iter()
        .filter(of_paths)
        .map(|finding| finding.at.clone())
        .collect();
    assert_eq!(failed, paths(fixture));
    let unreadable = findings
        .iter()
        .filter(|finding| finding.code == Code::Unreadable)
        .count();
    assert_eq!(known.seen.len() + unreadable, digests.len(), "every file was read");
}

#[test]
fn every_fixture_is_what_its_manifest_says() {
    each(|fixture| as_the_manifest_says(fixture, &mut FolderDrive::open(&fixture.cartridge)));
}

#[test]
fn reading_in_small_and_odd_pieces_gives_the_same_bytes() {
    each(|fixture| {
        if !matches!(fixture.name(), "simple" | "fragmented" | "packed") {
            return;
        }
        let mut drive = FolderDrive::open(&fixture.cartridge);
        let mounted = mount(&mut drive).unwrap();
        let mut records = RecordReader::new(&mounted.labels);
        let (_, digests) = expected(fixture);
        let mut files = Vec::new();
        walk(&mounted.tree.root, |path, node| match node {
            Node::File(file) if file.symlink.is_none() => files.push((path.to_owned(), file)),
            _ => {}
        });
        for (number, (path, file)) in files.into_iter().enumerate() {
            let mut buffer = vec![0xee; 509 + number % 7000];
            let (mut digest, mut total) = (Sha256::new(), 0);
            let mut reader = FileReader::new(&mounted, file).unwrap();
            loop {
                let length = reader.read(&mut drive, &mut records, &mut buffer).unwrap();
                digest.update(&buffer[..length]);
                total += length as u64;
                if length == 0 {
                    break;
                }
            }
            assert_eq!(
                (total, hex(digest.finalize())),
                (file.length, digests[&path].clone()),
                "{path}"
            );
        }
    });
}

#[test]
fn packed_files_are_read_without_going_back() {
    each(|fixture| {
        if fixture.name() != "packed" {
            return;
        }
        let mut drive = FolderDrive::open(&fixture.cartridge);
        let mounted = mount(&mut drive).unwrap();
        let mut known = Digests::new(expected(fixture).1);
        let mounted_after = drive.moves;
        assert_eq!(check(&mut drive, &mounted, Contents::Unread).unwrap(), []);
        let unread_after = drive.moves;
        assert_eq!(check(&mut drive, &mounted, Contents::Read(&mut known)).unwrap(), []);
        // The same questions again, and one locate to the first record.
        let questions = unread_after - mounted_after;
        assert_eq!(drive.moves - unread_after, questions + 1);
    });
}

#[test]
fn every_index_comes_back_as_it_was_written() {
    each(|fixture| {
        let mut drive = FolderDrive::open(&fixture.cartridge);
        let tree = mount(&mut drive).unwrap().tree;
        let mut bytes = Vec::new();
        index::write(&tree, &mut bytes).unwrap();
        let again = index::read(bytes.as_slice(), Keep::Tree).unwrap();
        assert_eq!(again.index, tree);
    });
}
