//! One mount's way to a platter. Every call is told to the universe first: it may be the last one that happens.

use crate::platter::{Key, Platter};
use crate::universe::{Effect, Universe};
use lrs::ldm::disk::{Disk, DiskResult, FileId, Replace, Role, Room, Standing, Stat};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Room for everything a simulation writes.
const TOTAL: u64 = 1 << 30;

pub struct SimDisk {
    universe: Arc<Universe>,
    name: String,
    files: BTreeMap<FileId, Key>,
    next: u64,
}

impl SimDisk {
    pub fn new(universe: &Arc<Universe>, name: &str) -> Self {
        Self {
            universe: Arc::clone(universe),
            name: name.to_owned(),
            files: BTreeMap::new(),
            next: 0,
        }
    }

    fn look<T>(&self, what: &str, at: &str, work: impl FnOnce(&mut Platter) -> DiskResult<T>) -> DiskResult<T> {
        self.universe.call(&self.name, (what, at), Effect::Look, work)
    }

    fn change<T>(&self, what: &str, at: &str, work: impl FnOnce(&mut Platter) -> DiskResult<T>) -> DiskResult<T> {
        self.universe.call(&self.name, (what, at), Effect::Change, work)
    }

    fn key(&self, file: FileId) -> DiskResult<Key> {
        self.files.get(&file).copied().ok_or(Errno::EBADF)
    }

    fn keep(&mut self, key: Key) -> FileId {
        self.next += 1;
        self.files.insert(FileId(self.next), key);
        FileId(self.next)
    }
}

impl Disk for SimDisk {
    fn create(&mut self, path: &str, _role: &Role) -> DiskResult<FileId> {
        let key = self.change("create", path, |platter| platter.create(path))?;
        Ok(self.keep(key))
    }

    fn open(&mut self, path: &str, _role: &Role) -> DiskResult<FileId> {
        let key = self.look("open", path, |platter| platter.open(path))?;
        Ok(self.keep(key))
    }

    fn close(&mut self, file: FileId) {
        if let Some(key) = self.files.remove(&file) {
            self.universe.quietly(&self.name, |platter| platter.close(key));
        }
    }

    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        let key = self.key(file)?;
        self.look("stat_file", "", |platter| platter.stat_key(key))
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        let key = self.key(file)?;
        self.look("read", "", |platter| platter.read(key, offset, buffer))
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let key = self.key(file)?;
        let at = format!("{offset}+{} crc {:08x}", bytes.len(), crc32fast::hash(bytes));
        self.change("write", &at, |platter| platter.write(key, offset, bytes))
    }

    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        let key = self.key(file)?;
        self.change("sync_file", "", |platter| platter.sync_file(key))
    }

    fn drop_cache(&mut self, _file: FileId, _offset: u64, _bytes: u64) {}

    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        self.look("stat", path, |platter| platter.stat(path))
    }

    fn unlink(&mut self, path: &str, _role: &Role) -> DiskResult<()> {
        self.change("unlink", path, |platter| platter.unlink(path))
    }

    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        self.change("rename", from, |platter| platter.rename(from, to, replace))
    }

    fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        self.change("mkdir", path, |platter| platter.mkdir(path))
    }

    fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        self.change("rmdir", path, |platter| platter.rmdir(path))
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        self.change("sync_dir", path, |platter| platter.sync_dir(path))
    }

    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()> {
        let names = self.look("list", path, |platter| platter.list(path))?;
        names.into_iter().for_each(visit);
        Ok(())
    }

    fn room(&mut self) -> DiskResult<Room> {
        let used = self.look("room", "", |platter| Ok(platter.used()))?;
        Ok(Room {
            total: TOTAL,
            free: TOTAL - used,
        })
    }

    fn standing(&mut self) -> DiskResult<Standing> {
        self.look("standing", "", |_| Ok(Standing::InPlace))
    }
}

impl Drop for SimDisk {
    fn drop(&mut self) {
        for key in std::mem::take(&mut self.files).into_values() {
            self.universe.quietly(&self.name, |platter| platter.close(key));
        }
    }
}
