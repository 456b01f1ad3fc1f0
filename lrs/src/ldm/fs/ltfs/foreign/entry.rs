//! What a volume holds, one entry after the other, as an import takes it. Pure.

use super::hashes::{self, HashAlgorithm};
use super::place;
use crate::ldm::fs::ltfs::index::{Directory, Entry, File, Meta, Times, Xattr, XattrValue};
use crate::ldm::fs::ltfs::volume::Labels;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dss::model::Span;
use std::collections::BTreeMap;
use std::fmt;
use std::vec::IntoIter;

/// One file, directory or symbolic link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignEntry {
    /// Its path in the tree, in normal form C, with `/` between names; the root is `.`. The address of a file's extent.
    pub path: String,
    /// What it is.
    pub kind: ForeignKind,
    /// May not be changed.
    pub readonly: bool,
    /// Its five times.
    pub times: ForeignTimes,
    /// Its extended attributes, in their order.
    pub xattrs: Vec<(String, StoredValue)>,
    /// Its number on the volume.
    pub uid: u64,
    /// Elements of its description that this program does not know, each as XML text.
    pub unknown: Vec<String>,
    /// Digests that its attributes hold.
    pub hashes: Vec<(HashAlgorithm, String)>,
    /// Whether it was open when the index was written: such a file may not have been written whole.
    pub open_for_write: Option<bool>,
    /// What is wrong with it, as far as the tree tells. What cannot be read of the tape shows only when it is read.
    pub damaged: Option<EntryFault>,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryFault {
    /// No path leads to it and to nothing else, for this reason: nobody can ask for it.
    NoWay(String),
    /// Its bytes cannot be had, for this reason.
    Bytes(String),
}

impl EntryFault {
    /// The reason.
    pub fn why(&self) -> &str {
        match self {
            Self::NoWay(why) | Self::Bytes(why) => why,
        }
    }
}

impl fmt::Display for EntryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.why())
    }
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForeignKind {
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// Where its bytes lie; nothing where the tree says what cannot be.
        span: Span,
        /// Whether some of its bytes lie nowhere: those are zeros.
        holes: bool,
    },
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink {
        /// Where it leads.
        target: String,
    },
}

/// The five times as LTFS writes them: UTC, with nine decimals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignTimes {
    /// `creationtime`.
    pub creation: String,
    /// `changetime`: of its metadata.
    pub change: String,
    /// `modifytime`: of its contents.
    pub modify: String,
    /// `accesstime`.
    pub access: String,
    /// `backuptime`.
    pub backup: String,
}

impl From<&Times> for ForeignTimes {
    fn from(times: &Times) -> Self {
        Self {
            creation: times.creation.to_string(),
            change: times.change.to_string(),
            modify: times.modify.to_string(),
            access: times.access.to_string(),
            backup: times.backup.to_string(),
        }
    }
}

/// The value of an extended attribute, in the form it is stored in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredValue {
    /// As text.
    Text(String),
    /// As base64; here without its line breaks.
    Base64(String),
}

/// Sorts entries so that reading them in this order goes through the tape once. What has no bytes on it comes first.
pub fn in_tape_order(entries: &mut [ForeignEntry]) {
    entries.sort_by(|a, b| (start(a), &a.path).cmp(&(start(b), &b.path)));
}

fn start(entry: &ForeignEntry) -> Option<(u8, u64, u64)> {
    match &entry.kind {
        ForeignKind::File { span, .. } => {
            let first = span.first()?;
            Some((first.partition, first.start_block, first.byte_offset))
        }
        ForeignKind::Directory | ForeignKind::Symlink { .. } => None,
    }
}

/// The entries of a tree, made as they are taken: the tree in memory gets smaller on the way.
pub struct ForeignEntries {
    root: Option<Meta>,
    levels: Vec<Level>,
    path: String,
    labels: Labels,
    damaged: BTreeMap<String, EntryFault>,
}

/// A directory on the way.
struct Level {
    rest: IntoIter<Entry>,
    /// Bytes of its path.
    length: usize,
}

impl ForeignEntries {
    /// Of a tree; `damaged` says why, by path.
    pub(super) fn of(root: Directory, labels: Labels, damaged: BTreeMap<String, EntryFault>) -> Self {
        let level = Level {
            rest: root.contents.into_iter(),
            length: 0,
        };
        Self {
            root: Some(root.meta),
            levels: vec![level],
            path: String::new(),
            labels,
            damaged,
        }
    }

    fn entry(&self, path: &str, meta: Meta, kind: ForeignKind) -> ForeignEntry {
        let xattrs: Vec<_> = meta.xattrs.into_iter().map(stored).collect();
        let hash = |(key, value): &(String, StoredValue)| hashes::hash(key, value);
        ForeignEntry {
            path: path.to_owned(),
            kind,
            readonly: meta.readonly,
            times: ForeignTimes::from(&meta.times),
            hashes: xattrs.iter().filter_map(hash).collect(),
            xattrs,
            uid: meta.uid,
            unknown: meta.unknown,
            open_for_write: None,
            damaged: self.damaged.get(path).cloned(),
        }
    }

    fn file(&self, path: &str, file: File) -> ForeignEntry {
        let kind = match file.symlink {
            Some(target) => ForeignKind::Symlink { target },
            None => ForeignKind::File {
                bytes: file.length,
                span: place::span(&file.extents, &self.labels).unwrap_or_default(),
                holes: place::has_holes(file.length, &file.extents),
            },
        };
        ForeignEntry {
            open_for_write: file.open_for_write,
            ..self.entry(path, file.meta, kind)
        }
    }
}

impl Iterator for ForeignEntries {
    type Item = ForeignEntry;

    fn next(&mut self) -> Option<ForeignEntry> {
        if let Some(meta) = self.root.take() {
            return Some(self.entry(super::tree::ROOT, meta, ForeignKind::Directory));
        }
        let (entry, length) = loop {
            let level = self.levels.last_mut()?;
            match level.rest.next() {
                Some(entry) => break (entry, level.length),
                None => drop(self.levels.pop()),
            }
        };
        self.path.truncate(length);
        let path = join(&self.path, &super::tree::meta(&entry).name);
        Some(match entry {
            Entry::File(file) => self.file(&path, file),
            Entry::Directory(directory) => {
                self.levels.push(Level {
                    rest: directory.contents.into_iter(),
                    length: path.len(),
                });
                let found = self.entry(&path, directory.meta, ForeignKind::Directory);
                self.path = path;
                found
            }
        })
    }
}

/// The path of a name in the directory of this path.
pub(super) fn join(way: &str, name: &str) -> String {
    if way.is_empty() {
        name.to_owned()
    } else {
        format!("{way}/{name}")
    }
}

fn stored(xattr: Xattr) -> (String, StoredValue) {
    let value = match xattr.value {
        XattrValue::Text(text) => StoredValue::Text(text),
        XattrValue::Binary(bytes) => StoredValue::Base64(STANDARD.encode(bytes)),
    };
    (xattr.key, value)
}

impl fmt::Debug for ForeignEntries {
    /// Without the tree, which may have millions of files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForeignEntries")
            .field("path", &self.path)
            .field("damaged", &self.damaged.len())
            .finish_non_exhaustive()
    }
}
