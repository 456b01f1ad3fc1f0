//! A mount's way to whatever lies at a medium's path: each call may be the last of the life, may fail, and is held
//! against the rules of the disk (`rules`).

use super::faults::Kind;
use super::world::{Dead, Inner, Slot, There, World};
use crate::platter::{Key, Platter};
use lrs::ldm::disk::{Disk, DiskResult, FileId, Replace, Role, Room, Standing, Stat};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::sync::Arc;

pub struct ShakyDisk {
    world: Arc<World>,
    name: String,
    /// What was at the path when it was opened.
    there: There,
    visits: u64,
    files: BTreeMap<FileId, Open>,
    next: u64,
}

#[derive(Clone)]
struct Open {
    key: Key,
    role: Role,
    path: String,
}

/// What a call does to a disk, for faults that change it.
struct At<'a> {
    inner: &'a mut Inner,
    name: &'a str,
    other: bool,
}

impl At<'_> {
    fn slot(&mut self) -> &mut Slot {
        self.inner
            .matter
            .slots
            .get_mut(self.name)
            .expect("a medium of this run")
    }

    fn platter(&mut self) -> &mut Platter {
        let other = self.other;
        let slot = self.slot();
        if other { &mut slot.other } else { &mut slot.platter }
    }

    fn strikes(&mut self, kind: Kind) -> bool {
        self.inner.run.trouble.strikes(kind)
    }

    /// Some of the platter and all of the chance, at the same time.
    fn with_chance<T>(&mut self, work: impl FnOnce(&mut Platter, &mut crate::chance::Chance) -> T) -> T {
        let mut chance = self.inner.run.trouble.chance().clone();
        let answer = work(self.platter(), &mut chance);
        *self.inner.run.trouble.chance() = chance;
        answer
    }
}

impl ShakyDisk {
    /// What lies at the medium's path now.
    pub fn open_at(world: &Arc<World>, name: &str) -> DiskResult<Self> {
        let (there, visits) = {
            let mut inner = world.inner();
            world
                .effect_in(&mut inner, || format!("{name}: opened"))
                .map_err(|Dead| Errno::EIO)?;
            let slot = inner.matter.slots.get(name).ok_or(Errno::ENOENT)?;
            (slot.there, slot.visits)
        };
        if there == There::Nothing {
            return Err(Errno::ENOENT);
        }
        Ok(Self {
            world: Arc::clone(world),
            name: name.to_owned(),
            there,
            visits,
            files: BTreeMap::new(),
            next: 0,
        })
    }

    fn call<T>(&self, what: &str, at: &str, work: impl FnOnce(&mut At<'_>) -> DiskResult<T>) -> DiskResult<T> {
        let mut inner = self.world.inner();
        self.world
            .effect_in(&mut inner, || format!("{}: {what} {at}", self.name))
            .map_err(|Dead| Errno::EIO)?;
        let slot = &inner.matter.slots[&self.name];
        if slot.visits != self.visits {
            return Err(Errno::EIO);
        }
        let answer = work(&mut At {
            inner: &mut inner,
            name: &self.name,
            other: self.there == There::Another,
        });
        drop(inner);
        if let Err(error) = &answer {
            self.world.say(|| format!("{}: {what} {at}: {error}", self.name));
        }
        answer
    }

    /// A call that names something, and may fail without having done it.
    fn named<T>(&self, what: &str, at: &str, work: impl FnOnce(&mut Platter) -> DiskResult<T>) -> DiskResult<T> {
        self.call(what, at, |disk| {
            if disk.strikes(Kind::FailedName) {
                return Err(Errno::EIO);
            }
            work(disk.platter())
        })
    }

    fn file(&self, file: FileId) -> DiskResult<Open> {
        self.files.get(&file).cloned().ok_or(Errno::EBADF)
    }

    fn keep(&mut self, key: Key, path: &str, role: &Role) -> FileId {
        self.next += 1;
        let open = Open {
            key,
            role: role.clone(),
            path: path.to_owned(),
        };
        self.files.insert(FileId(self.next), open);
        FileId(self.next)
    }

    fn may_be_struck(&self) -> bool {
        self.name == self.world.victim && self.there == There::Itself
    }

    fn let_go(&self, key: Key) {
        let mut inner = self.world.inner();
        let slot = inner.matter.slots.get_mut(&self.name).expect("a medium of this run");
        match self.there {
            There::Another => slot.other.close(key),
            There::Itself | There::Nothing => slot.platter.close(key),
        }
    }
}

impl Disk for ShakyDisk {
    fn create(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        self.world.rule_of_writing(&self.name, path, role);
        let key = self.call("create", path, |disk| {
            if disk.strikes(Kind::NoSpace) {
                return Err(Errno::ENOSPC);
            }
            if disk.strikes(Kind::FailedName) {
                return Err(Errno::EIO);
            }
            disk.platter().create(path)
        })?;
        Ok(self.keep(key, path, role))
    }

    fn open(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        let key = self.named("open", path, |platter| platter.open(path))?;
        self.world.opened(&self.name, path);
        Ok(self.keep(key, path, role))
    }

    fn close(&mut self, file: FileId) {
        if let Some(open) = self.files.remove(&file) {
            self.let_go(open.key);
        }
    }

    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        let open = self.file(file)?;
        self.named("stat_file", &open.path, |platter| platter.stat_key(open.key))
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        let open = self.file(file)?;
        let at = format!("{} {offset}+{}", open.path, buffer.len());
        self.call("read", &at, |disk| {
            if disk.strikes(Kind::ReadError) {
                return Err(Errno::EIO);
            }
            let mut count = disk.platter().read(open.key, offset, buffer)?;
            if count > 1 && disk.strikes(Kind::ShortRead) {
                count = 1 + disk.inner.run.trouble.chance().below(count - 1);
            }
            if count > 0 && disk.strikes(Kind::FlippedRead) {
                let chance = disk.inner.run.trouble.chance();
                buffer[chance.below(count)] ^= 1 << chance.below(8);
            }
            Ok(count)
        })
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let open = self.file(file)?;
        self.world.rule_of_changing(&self.name, self.there, "written to");
        let at = format!("{} {offset}+{}", open.path, bytes.len());
        let may_be_struck = self.may_be_struck() && matches!(open.role, Role::Extent(_));
        self.call("write", &at, |disk| {
            let room = disk.slot().room;
            let full = disk.platter().used() + bytes.len() as u64 > room;
            let failed = if full || disk.strikes(Kind::NoSpace) {
                Some(Errno::ENOSPC)
            } else if disk.strikes(Kind::WriteError) {
                Some(Errno::EIO)
            } else {
                None
            };
            if let Some(error) = failed {
                // An unknown part of it is written.
                let part = if full {
                    0
                } else {
                    disk.inner.run.trouble.chance().below(bytes.len() + 1)
                };
                disk.platter().write(open.key, offset, &bytes[..part])?;
                return Err(error);
            }
            disk.platter().write(open.key, offset, bytes)?;
            if may_be_struck && disk.strikes(Kind::LostWrite) {
                disk.with_chance(|platter, chance| platter.lose(open.key, offset, bytes.len(), chance))?;
            }
            Ok(())
        })
    }

    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        let open = self.file(file)?;
        self.call("sync_file", &open.path, |disk| {
            if disk.strikes(Kind::FailedSync) {
                disk.with_chance(|platter, chance| platter.fail_sync(open.key, chance))?;
                return Err(Errno::EIO);
            }
            disk.platter().sync_file(open.key)
        })
    }

    fn drop_cache(&mut self, file: FileId, _offset: u64, _bytes: u64) {
        if let Ok(open) = self.file(file) {
            // Advice: nobody hears whether it was taken.
            let _ = self.call("drop_cache", &open.path, |disk| disk.platter().drop_cache(open.key));
        }
    }

    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        self.named("stat", path, |platter| platter.stat(path))
    }

    fn unlink(&mut self, path: &str, role: &Role) -> DiskResult<()> {
        self.world.rule_of_changing(&self.name, self.there, "removed from");
        self.world.rule_of_removal(&self.name, path, role);
        self.named("unlink", path, |platter| platter.unlink(path))
    }

    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        self.world.rule_of_changing(&self.name, self.there, "renamed on");
        let at = format!("{from} to {to}");
        self.named("rename", &at, |platter| platter.rename(from, to, replace))
    }

    fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        self.named("mkdir", path, |platter| platter.mkdir(path))
    }

    fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        self.named("rmdir", path, |platter| platter.rmdir(path))
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        self.call("sync_dir", path, |disk| {
            if disk.strikes(Kind::FailedFolderSync) {
                return Err(Errno::EIO);
            }
            disk.platter().sync_dir(path)
        })
    }

    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()> {
        let names = self.named("list", path, |platter| platter.list(path))?;
        names.into_iter().for_each(visit);
        Ok(())
    }

    fn room(&mut self) -> DiskResult<Room> {
        self.call("room", "", |disk| {
            if disk.strikes(Kind::FailedRoom) {
                return Err(Errno::EIO);
            }
            let (total, used) = (disk.slot().room, disk.platter().used());
            Ok(Room {
                total,
                free: total.saturating_sub(used),
            })
        })
    }

    fn standing(&mut self) -> DiskResult<Standing> {
        let mut inner = self.world.inner();
        self.world
            .effect_in(&mut inner, || format!("{}: standing", self.name))
            .map_err(|Dead| Errno::EIO)?;
        let same = inner.matter.slots[&self.name].visits == self.visits;
        Ok(if same { Standing::InPlace } else { Standing::Gone })
    }
}

impl Drop for ShakyDisk {
    fn drop(&mut self) {
        for open in std::mem::take(&mut self.files).into_values() {
            self.let_go(open.key);
        }
    }
}
