//! What a refusal must leave as it is: every row of the catalogue, and of every path on the media whatever can be seen of
//! it from outside.

use respool_test_support::Site;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use walkdir::{DirEntry, WalkDir};

/// All rows of the catalogue, each as its table and its text, but for what changes while nobody asks for anything: leases,
/// the age clock, the sealing of the event chain.
const ROWS: &str = "SELECT format('SELECT %L, (to_jsonb(t) - ARRAY[''clock'', ''chain_length'', ''chain_head'', ''link'', \
     ''prev_hash'', ''this_hash''])::text FROM public.%I t ORDER BY 2', tablename, tablename) \
     FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('lease', 'commit_mark', '_sqlx_migrations') \
     ORDER BY 1 \\gexec";
/// What counts: the objects, where they are, and the bytes of it on every medium. What is an orphan counts for nothing.
const LIVE: &str = "SELECT 'object', to_jsonb(t)::text FROM object t ORDER BY 2; \
     SELECT 'copy', to_jsonb(t)::text FROM copy t ORDER BY 2; \
     SELECT 'layout', to_jsonb(t)::text FROM layout t ORDER BY 2; \
     SELECT 'extent', to_jsonb(t)::text FROM extent t WHERE state = 'sync' ORDER BY 2";
/// How many lines and paths are told that differ.
const TOLD: usize = 6;

/// The catalogue and the media at one moment.
#[derive(Clone)]
pub struct Dump {
    rows: Vec<String>,
    files: Files,
}

impl Dump {
    /// Of this site, with these media.
    pub fn of(site: &Site, disks: &[&str]) -> Self {
        let media = disks.iter().map(|name| site.disk(name));
        Self {
            rows: lines(&site.sql(ROWS)),
            files: media.flat_map(|disk| files(&disk)).collect(),
        }
    }

    /// Without the events: a failure is told there, and touches nothing else.
    pub fn untold(&self) -> Self {
        let rows = self.rows.iter().filter(|row| !row.starts_with("event|"));
        Self {
            rows: rows.cloned().collect(),
            files: self.files.clone(),
        }
    }

    /// Without the index of the media: it has a line for whatever was begun or removed since.
    pub fn unindexed(&self) -> Self {
        let is_index = |path: &Path| path.components().any(|part| part.as_os_str() == ".respool");
        let mut files = self.files.clone();
        files.retain(|path, _| !is_index(path));
        for seen in files.values_mut().filter(|seen| seen.bytes.is_none()) {
            // A folder that got a file and lost it again.
            seen.mtime = (0, 0);
        }
        Self {
            rows: self.rows.clone(),
            files,
        }
    }

    /// Without what changes when a cartridge is brought into a drive and put away again: where it lies, and how often it was
    /// loaded, which its memory counts.
    pub fn unhandled(&self) -> Self {
        let handled = |path: &Path| {
            path.file_name()
                .is_some_and(|name| name == "library.json" || name == "attr_0_3")
        };
        let mut files = self.files.clone();
        files.retain(|path, _| !handled(path));
        for seen in files.values_mut().filter(|seen| seen.bytes.is_none()) {
            seen.mtime = (0, 0);
        }
        Self {
            rows: self.rows.clone(),
            files,
        }
    }

    /// The media, but for what whoever makes the disturbance has done himself.
    pub fn files_without(&self, paths: &[&Path]) -> Files {
        let mut files = self.files.clone();
        files.retain(|path, _| !paths.contains(&path.as_path()));
        files
    }

    /// Whether the same objects lie on the media, whatever the catalogue has noted of these.
    pub fn same_objects(&self, other: &Self) -> bool {
        self.unindexed().files == other.unindexed().files
    }

    /// What is only in one of the two, a few of them.
    pub fn differs(&self, other: &Self) -> Vec<String> {
        let rows = |one: &Self, two: &Self, sign: &str| -> Vec<String> {
            let only = one.rows.iter().filter(|row| !two.rows.contains(row));
            only.map(|row| format!("{sign} {row:.300}")).collect()
        };
        let paths = self.files.keys().chain(other.files.keys());
        let mut paths: Vec<String> = paths
            .filter(|path| self.files.get(*path) != other.files.get(*path))
            .map(|path| path.display().to_string())
            .collect();
        paths.dedup();
        let mut all = [rows(self, other, "-"), rows(other, self, "+"), paths].concat();
        all.truncate(TOLD);
        all
    }
}

impl PartialEq for Dump {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows && self.files == other.files
    }
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

/// The live state of a site: what an object that was not stored must not have changed.
pub fn live(site: &Site) -> Vec<String> {
    lines(&site.sql(LIVE))
}

/// Every path below a medium.
pub type Files = BTreeMap<PathBuf, Seen>;

/// What can be seen of a path, a symlink not followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    mode: u32,
    mtime: (i64, i64),
    attributes: BTreeMap<OsString, Vec<u8>>,
    target: Option<PathBuf>,
    /// None for what is no file.
    bytes: Option<Vec<u8>>,
}

/// Everything on a medium.
pub fn files(disk: &Path) -> Files {
    let entries = WalkDir::new(disk)
        .into_iter()
        .map(|entry| entry.expect("it can be read"));
    entries.map(|entry| (entry.path().to_owned(), seen(&entry))).collect()
}

fn seen(entry: &DirEntry) -> Seen {
    let (path, kind) = (entry.path(), entry.file_type());
    let found = fs::symlink_metadata(path).expect("it is there");
    let names = xattr::list(path).into_iter().flatten();
    Seen {
        mode: found.mode(),
        mtime: (found.mtime(), found.mtime_nsec()),
        attributes: names
            .filter_map(|name| Some((name.clone(), xattr::get(path, &name).ok()??)))
            .collect(),
        target: kind
            .is_symlink()
            .then(|| fs::read_link(path).expect("it can be followed")),
        bytes: kind.is_file().then(|| fs::read(path).expect("it can be read")),
    }
}

#[test]
fn every_change_of_a_path_is_noticed() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("file"), folder.path().join("link"));
    fs::write(&file, "bytes").unwrap();
    symlink("file", &link).unwrap();
    let first = files(folder.path());
    assert_eq!(first, files(folder.path()), "looking changes nothing");
    let at = |seconds| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let changes: [(&str, &dyn Fn()); 5] = [
        ("mode", &|| {
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        }),
        ("mtime", &|| {
            let opened = fs::File::options().write(true).open(&file).unwrap();
            opened.set_modified(at(1)).unwrap();
        }),
        ("bytes", &|| {
            fs::write(&file, "bites").unwrap();
            let opened = fs::File::options().write(true).open(&file).unwrap();
            opened.set_modified(at(1)).unwrap();
        }),
        ("target", &|| {
            fs::remove_file(&link).unwrap();
            symlink("elsewhere", &link).unwrap();
        }),
        ("attribute", &|| {
            xattr::set(&file, "user.colour", b"red").unwrap();
        }),
    ];
    let mut before = first;
    for (what, change) in changes {
        change();
        let after = files(folder.path());
        assert_ne!(before, after, "{what}");
        before = after;
    }
}
