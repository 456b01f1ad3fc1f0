//! What lies on a simulated disk: what every reader sees now, and apart from it what the device holds for sure. A power
//! cut leaves anything between the two that a file system may leave: each page written since a file's last sync or not,
//! its size as of any of those writes, each change of a name or not. Only a rename is one change in both its folders,
//! as in every journal.
//!
//! Numbers of inodes are used again as soon as nothing can refer to them, as real file systems do.

mod cut;
mod rules;
mod wear;

use crate::chance::Chance;
use cut::lay;
use lrs::ldm::disk::{DiskResult, Kind, ROOT, Replace, Stat};
use nix::errno::Errno;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One file or folder, for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64);

const TOP: Key = Key(0);

#[derive(Clone, Debug, Default)]
struct File {
    durable: Vec<u8>,
    now: Vec<u8>,
    /// Since the last sync, in order.
    writes: Vec<(u64, Vec<u8>)>,
    wear: wear::Wear,
}

#[derive(Clone, Debug, Default)]
struct Folder {
    durable: BTreeMap<String, Key>,
    now: BTreeMap<String, Key>,
}

#[derive(Clone, Debug)]
enum Body {
    File(File),
    Folder(Folder),
}

#[derive(Clone, Debug)]
struct Node {
    inode: u64,
    body: Body,
}

/// What a name came to mean.
#[derive(Clone, Debug)]
struct Naming {
    folder: Key,
    name: String,
    means: Option<Key>,
}

/// All that lies on a disk. Clones share what does not change.
#[derive(Clone, Debug)]
pub struct Platter {
    nodes: BTreeMap<Key, Arc<Node>>,
    /// Changes of names that are not durable, in order; each happened whole or not at all.
    changes: Vec<Vec<Naming>>,
    open: BTreeMap<Key, usize>,
    next: u64,
}

impl Default for Platter {
    fn default() -> Self {
        let top = Node {
            inode: 2,
            body: Body::Folder(Folder::default()),
        };
        Self {
            nodes: BTreeMap::from([(TOP, Arc::new(top))]),
            changes: Vec::new(),
            open: BTreeMap::new(),
            next: 1,
        }
    }
}

impl Platter {
    pub fn create(&mut self, path: &str) -> DiskResult<Key> {
        let key = self.make(path, Body::File(File::default()))?;
        self.hold(key);
        Ok(key)
    }

    pub fn open(&mut self, path: &str) -> DiskResult<Key> {
        let key = self.find(path)?.ok_or(Errno::ENOENT)?;
        self.file(key).map_err(|_| Errno::EINVAL)?;
        self.hold(key);
        Ok(key)
    }

    pub fn close(&mut self, key: Key) {
        if let Some(count) = self.open.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&key);
            }
        }
    }

    pub fn stat_key(&self, key: Key) -> DiskResult<Stat> {
        let node = self.nodes.get(&key).ok_or(Errno::EBADF)?;
        let (kind, bytes) = match &node.body {
            Body::File(file) => (Kind::File, file.now.len() as u64),
            Body::Folder(_) => (Kind::Directory, 0),
        };
        Ok(Stat {
            kind,
            inode: node.inode,
            bytes,
        })
    }

    pub fn stat(&self, path: &str) -> DiskResult<Option<Stat>> {
        match self.find(path) {
            Ok(found) => found.map(|key| self.stat_key(key)).transpose(),
            Err(Errno::ENOENT) => Ok(None),
            Err(other) => Err(other),
        }
    }

    pub fn read(&self, key: Key, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        let now = &self.file(key)?.now;
        let start = (offset as usize).min(now.len());
        let count = buffer.len().min(now.len() - start);
        buffer[..count].copy_from_slice(&now[start..start + count]);
        Ok(count)
    }

    pub fn write(&mut self, key: Key, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let file = self.file_mut(key)?;
        lay(&mut file.now, offset, bytes);
        file.writes.push((offset, bytes.to_vec()));
        file.wear.written(offset, bytes.len());
        Ok(())
    }

    pub fn sync_file(&mut self, key: Key) -> DiskResult<()> {
        let file = self.file_mut(key)?;
        file.durable = file.after_sync();
        file.writes.clear();
        Ok(())
    }

    pub fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        let folder = self.folder_at(path)?;
        let mut waiting: Vec<Vec<Naming>> = Vec::new();
        for change in std::mem::take(&mut self.changes) {
            if change.iter().any(|naming| naming.folder == folder) {
                // What an earlier change made of the same name is overtaken.
                for earlier in &mut waiting {
                    earlier.retain(|old| {
                        !change
                            .iter()
                            .any(|new| (new.folder, &new.name) == (old.folder, &old.name))
                    });
                }
                self.settle(&change);
            } else {
                waiting.push(change);
            }
        }
        waiting.retain(|change| !change.is_empty());
        self.changes = waiting;
        Ok(())
    }

    pub fn unlink(&mut self, path: &str) -> DiskResult<()> {
        let (folder, name) = self.parent(path)?;
        let key = *self.folder(folder)?.now.get(name).ok_or(Errno::ENOENT)?;
        self.file(key).map_err(|_| Errno::EISDIR)?;
        self.rename_all(vec![naming(folder, name, None)])
    }

    pub fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        let ((old, old_name), (new, new_name)) = (self.parent(from)?, self.parent(to)?);
        let key = *self.folder(old)?.now.get(old_name).ok_or(Errno::ENOENT)?;
        if replace == Replace::No && self.folder(new)?.now.contains_key(new_name) {
            return Err(Errno::EEXIST);
        }
        self.rename_all(vec![naming(old, old_name, None), naming(new, new_name, Some(key))])
    }

    pub fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        self.make(path, Body::Folder(Folder::default())).map(|_| ())
    }

    pub fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        let (folder, name) = self.parent(path)?;
        let key = *self.folder(folder)?.now.get(name).ok_or(Errno::ENOENT)?;
        if !self.folder(key)?.now.is_empty() {
            return Err(Errno::ENOTEMPTY);
        }
        self.rename_all(vec![naming(folder, name, None)])
    }

    /// The bytes of a file, as every reader sees them.
    pub fn content(&self, path: &str) -> DiskResult<Option<&[u8]>> {
        let key = self.find(path)?;
        key.map(|key| Ok(&self.file(key)?.now[..])).transpose()
    }

    /// In an order that nobody may rely on.
    pub fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        Ok(self.folder(self.folder_at(path)?)?.now.keys().rev().cloned().collect())
    }

    pub fn used(&self) -> u64 {
        let size = |node: &Arc<Node>| match &node.body {
            Body::File(file) => file.now.len() as u64,
            Body::Folder(_) => 0,
        };
        self.nodes.values().map(size).sum()
    }

    /// The process is gone and the host runs on: nothing is lost, and nothing becomes durable by it.
    pub fn killed(mut self) -> Self {
        self.open.clear();
        self
    }

    /// The power fails: right after everything came down, before anything did, or somewhere between.
    pub fn cut(self, chance: &mut Chance) -> Self {
        let kept = chance.below(5);
        self.cut_keeping(kept, chance)
    }

    /// The power fails, and nothing is left but what is durable.
    pub fn cut_at_worst(self) -> Self {
        self.cut_keeping(0, &mut Chance::new(0))
    }

    /// Keeps so many of four changes. What is left is durable.
    fn cut_keeping(mut self, kept: usize, chance: &mut Chance) -> Self {
        for change in std::mem::take(&mut self.changes) {
            if chance.quarters(kept) {
                self.settle(&change);
            }
        }
        for node in self.nodes.values_mut() {
            match &mut Arc::make_mut(node).body {
                Body::File(file) => *file = file.after_cut(kept, chance),
                Body::Folder(folder) => folder.now = folder.durable.clone(),
            }
        }
        self.open.clear();
        let reachable = self.reachable();
        self.nodes.retain(|key, _| reachable.contains(key));
        self
    }

    fn reachable(&self) -> BTreeSet<Key> {
        let (mut found, mut next) = (BTreeSet::new(), vec![TOP]);
        while let Some(key) = next.pop() {
            if found.insert(key)
                && let Body::Folder(folder) = &self.nodes[&key].body
            {
                next.extend(folder.now.values());
            }
        }
        found
    }

    fn settle(&mut self, change: &[Naming]) {
        for naming in change {
            let folder = self
                .folder_mut(naming.folder)
                .expect("folders stay while names change in them");
            set(&mut folder.durable, naming);
        }
    }

    fn rename_all(&mut self, change: Vec<Naming>) -> DiskResult<()> {
        for naming in &change {
            set(&mut self.folder_mut(naming.folder)?.now, naming);
        }
        self.changes.push(change);
        Ok(())
    }

    fn make(&mut self, path: &str, body: Body) -> DiskResult<Key> {
        let (folder, name) = self.parent(path)?;
        if self.folder(folder)?.now.contains_key(name) {
            return Err(Errno::EEXIST);
        }
        let key = Key(self.next);
        self.next += 1;
        let inode = self.free_inode();
        self.nodes.insert(key, Arc::new(Node { inode, body }));
        self.rename_all(vec![naming(folder, name, Some(key))])?;
        Ok(key)
    }

    /// The lowest number that no file has which is open, named, or may be named after a power cut.
    fn free_inode(&mut self) -> u64 {
        let mut held: BTreeSet<Key> = self.open.keys().copied().chain([TOP]).collect();
        for node in self.nodes.values() {
            if let Body::Folder(folder) = &node.body {
                held.extend(folder.durable.values().chain(folder.now.values()));
            }
        }
        held.extend(self.changes.iter().flatten().filter_map(|naming| naming.means));
        self.nodes.retain(|key, _| held.contains(key));
        let used: BTreeSet<u64> = self.nodes.values().map(|node| node.inode).collect();
        (3..).find(|number| !used.contains(number)).expect("there are enough")
    }

    fn hold(&mut self, key: Key) {
        *self.open.entry(key).or_default() += 1;
    }

    fn find(&self, path: &str) -> DiskResult<Option<Key>> {
        if path == ROOT {
            return Ok(Some(TOP));
        }
        let (folder, name) = self.parent(path)?;
        Ok(self.folder(folder)?.now.get(name).copied())
    }

    fn parent<'a>(&self, path: &'a str) -> DiskResult<(Key, &'a str)> {
        let (folder, name) = path.rsplit_once('/').unwrap_or((ROOT, path));
        if matches!(name, "" | "." | "..") {
            return Err(Errno::EINVAL);
        }
        Ok((self.folder_at(folder)?, name))
    }

    fn folder_at(&self, path: &str) -> DiskResult<Key> {
        let mut here = TOP;
        for part in path.split('/').filter(|part| *part != ROOT) {
            here = *self.folder(here)?.now.get(part).ok_or(Errno::ENOENT)?;
        }
        self.folder(here)?;
        Ok(here)
    }

    fn folder(&self, key: Key) -> DiskResult<&Folder> {
        match &self.nodes.get(&key).ok_or(Errno::ENOENT)?.body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn folder_mut(&mut self, key: Key) -> DiskResult<&mut Folder> {
        match &mut Arc::make_mut(self.nodes.get_mut(&key).ok_or(Errno::ENOENT)?).body {
            Body::Folder(folder) => Ok(folder),
            Body::File(_) => Err(Errno::ENOTDIR),
        }
    }

    fn file(&self, key: Key) -> DiskResult<&File> {
        match &self.nodes.get(&key).ok_or(Errno::EBADF)?.body {
            Body::File(file) => Ok(file),
            Body::Folder(_) => Err(Errno::EISDIR),
        }
    }

    fn file_mut(&mut self, key: Key) -> DiskResult<&mut File> {
        match &mut Arc::make_mut(self.nodes.get_mut(&key).ok_or(Errno::EBADF)?).body {
            Body::File(file) => Ok(file),
            Body::Folder(_) => Err(Errno::EISDIR),
        }
    }
}

fn naming(folder: Key, name: &str, means: Option<Key>) -> Naming {
    Naming {
        folder,
        name: name.to_owned(),
        means,
    }
}

fn set(names: &mut BTreeMap<String, Key>, naming: &Naming) {
    match naming.means {
        Some(key) => names.insert(naming.name.clone(), key),
        None => names.remove(&naming.name),
    };
}
