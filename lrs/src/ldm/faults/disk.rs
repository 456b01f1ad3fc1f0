//! A disk on which the plan's faults happen.
//!
//! `read`, `write`, `open` and `delete` count calls on files of extents, `sync` counts syncs of the medium (or, with an
//! `oid` or `extent`, of that file), `mount` counts labels read to mount, `free_space` the questions for room. `load`,
//! `unload` and `locate` never happen on a directory. Media are formatted on the bare disk, so that a drill's counts
//! begin with their use.

use super::{Attempt, Effect, FaultPlan, Place, Range64};
use crate::ldm::Op;
use crate::ldm::disk::{Disk, DiskResult, FileId, LabelRead, Replace, Role, Room, Standing, Stat, Subject};
use crate::ldm::fs::dir::mislabelled;
use nix::errno::Errno;
use std::collections::HashMap;
use std::time::Duration;

/// How long a device that hangs does not answer. Ending the process ends it.
const HANG: Duration = Duration::from_secs(3600);

/// A directory has no blocks of its own: faults count these.
const BLOCK_BYTES: u64 = 4096;

/// No label is larger.
const LABEL_BYTES: usize = 64 << 10;

/// A disk with faults.
pub struct FaultyDisk<D> {
    disk: D,
    plan: FaultPlan,
    places: Vec<Place>,
    files: HashMap<FileId, File>,
    hang: Duration,
    /// One sync of a medium is many calls, from the first one to the one of its manifest.
    syncing: Syncing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Syncing {
    No,
    Yes,
}

struct File {
    role: Role,
    /// What is read instead of its content.
    instead: Option<Vec<u8>>,
}

impl<D: Disk> FaultyDisk<D> {
    /// The faults of this medium happen on this disk.
    pub fn new(disk: D, plan: FaultPlan, medium: &str) -> Self {
        Self {
            disk,
            plan,
            places: vec![Place::Medium(medium.to_owned())],
            files: HashMap::new(),
            hang: HANG,
            syncing: Syncing::No,
        }
    }

    /// So do those of the dock it is in.
    pub fn in_dock(mut self, dock: &str) -> Self {
        self.places.push(Place::Drive(dock.to_owned()));
        self
    }

    /// For tests: a device that hangs answers after this time.
    pub fn hanging_for(mut self, time: Duration) -> Self {
        self.hang = time;
        self
    }

    fn subject(&self, file: FileId) -> Option<Subject> {
        match &self.files.get(&file)?.role {
            Role::Extent(subject) => Some(subject.clone()),
            Role::Label(_) | Role::Manifest => None,
        }
    }

    fn attempt<'a>(&'a self, op: Op, subject: Option<&'a Subject>, bytes: Option<Range64>) -> Attempt<'a> {
        Attempt {
            places: &self.places,
            op,
            oid: subject.map(|subject| &subject.oid),
            extent: subject.map(|subject| subject.extent),
            bytes,
            block: bytes.map(|bytes| Range64 {
                start: bytes.start / BLOCK_BYTES,
                end: bytes.end.div_ceil(BLOCK_BYTES),
            }),
        }
    }

    /// An effect that is an error, or takes time. What changes bytes is left to the caller.
    fn suffer(&self, effect: Option<Effect>) -> DiskResult<Option<Effect>> {
        match effect {
            Some(Effect::Eio | Effect::Sense(_)) => Err(Errno::EIO),
            Some(Effect::Enospc) => Err(Errno::ENOSPC),
            Some(Effect::Hang) => {
                std::thread::sleep(self.hang);
                Err(Errno::ETIMEDOUT)
            }
            Some(Effect::Short | Effect::Flip | Effect::LostWrite | Effect::LabelMismatch) => Ok(effect),
            None => Ok(None),
        }
    }

    fn keep(&mut self, file: FileId, role: &Role, instead: Option<Vec<u8>>) -> FileId {
        let role = role.clone();
        self.files.insert(file, File { role, instead });
        file
    }

    /// The label as it would read on another medium.
    fn another_label(&mut self, file: FileId) -> DiskResult<Option<Vec<u8>>> {
        let mut text = vec![0; LABEL_BYTES];
        let count = self.disk.read_at(file, 0, &mut text)?;
        Ok(mislabelled(&text[..count]))
    }

    fn about_to_sync(&mut self, file: FileId) -> DiskResult<()> {
        match self.files.get(&file).map(|file| file.role.clone()) {
            Some(Role::Extent(subject)) => self.before_sync(Some(&subject)),
            Some(Role::Manifest) => {
                self.before_sync(None)?;
                self.syncing = Syncing::No;
                Ok(())
            }
            Some(Role::Label(_)) | None => Ok(()),
        }
    }

    fn before_sync(&mut self, subject: Option<&Subject>) -> DiskResult<()> {
        if let Some(subject) = subject {
            let single = self.plan.strike_single(&self.attempt(Op::Sync, Some(subject), None));
            self.suffer(single)?;
        }
        if self.syncing == Syncing::No {
            let whole = self.plan.strike_whole(&self.attempt(Op::Sync, None, None));
            self.suffer(whole)?;
            self.syncing = Syncing::Yes;
        }
        Ok(())
    }
}

/// Changes one bit, in the middle, where no header hides it.
fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
    }
}

impl<D: Disk> Disk for FaultyDisk<D> {
    fn create(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        let file = self.disk.create(path, role)?;
        Ok(self.keep(file, role, None))
    }

    fn open(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        let effect = match role {
            Role::Extent(subject) => self.plan.strike(&self.attempt(Op::Open, Some(subject), None)),
            Role::Label(LabelRead::Mount) => self.plan.strike(&self.attempt(Op::Mount, None, None)),
            Role::Label(LabelRead::Identify) | Role::Manifest => None,
        };
        self.suffer(effect)?;
        let file = self.disk.open(path, role)?;
        let instead = match role {
            Role::Label(why) if self.plan.strike_label(&self.places, *why) => self.another_label(file)?,
            Role::Label(_) | Role::Extent(_) | Role::Manifest => None,
        };
        // A manifest that is only opened is read, or settled before another segment: not a sync of its own.
        Ok(match role {
            Role::Manifest => file,
            Role::Extent(_) | Role::Label(_) => self.keep(file, role, instead),
        })
    }

    fn close(&mut self, file: FileId) {
        self.files.remove(&file);
        self.disk.close(file);
    }

    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        self.disk.stat_file(file)
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        if let Some(instead) = self.files.get(&file).and_then(|file| file.instead.as_ref()) {
            let start = usize::try_from(offset).unwrap_or(usize::MAX).min(instead.len());
            let count = buffer.len().min(instead.len() - start);
            buffer[..count].copy_from_slice(&instead[start..start + count]);
            return Ok(count);
        }
        let Some(subject) = self.subject(file) else {
            return self.disk.read_at(file, offset, buffer);
        };
        let bytes = Range64::from(offset..offset + buffer.len() as u64);
        let effect = self.plan.strike(&self.attempt(Op::Read, Some(&subject), Some(bytes)));
        match self.suffer(effect)? {
            Some(Effect::Short) => Ok(0),
            Some(Effect::Flip) => {
                let count = self.disk.read_at(file, offset, buffer)?;
                flip(&mut buffer[..count]);
                Ok(count)
            }
            Some(_) | None => self.disk.read_at(file, offset, buffer),
        }
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let Some(subject) = self.subject(file) else {
            return self.disk.write_at(file, offset, bytes);
        };
        let touched = Range64::from(offset..offset + bytes.len() as u64);
        let effect = self
            .plan
            .strike(&self.attempt(Op::Write, Some(&subject), Some(touched)));
        match self.suffer(effect)? {
            Some(Effect::LostWrite) => self.disk.write_at(file, offset, &vec![0; bytes.len()]),
            Some(Effect::Flip) => {
                let mut changed = bytes.to_vec();
                flip(&mut changed);
                self.disk.write_at(file, offset, &changed)
            }
            Some(_) | None => self.disk.write_at(file, offset, bytes),
        }
    }

    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        self.about_to_sync(file)?;
        self.disk.sync_file(file)
    }

    fn sync_files(&mut self, files: &[FileId]) -> DiskResult<()> {
        files.iter().try_for_each(|file| self.about_to_sync(*file))?;
        self.disk.sync_files(files)
    }

    fn write_back(&mut self, file: FileId) -> DiskResult<()> {
        self.disk.write_back(file)
    }

    fn read_ahead(&mut self, path: &str) {
        self.disk.read_ahead(path);
    }

    fn drop_cache(&mut self, file: FileId, offset: u64, bytes: u64) {
        self.disk.drop_cache(file, offset, bytes);
    }

    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        self.disk.stat(path)
    }

    fn unlink(&mut self, path: &str, role: &Role) -> DiskResult<()> {
        if let Role::Extent(subject) = role {
            let effect = self.plan.strike(&self.attempt(Op::Delete, Some(subject), None));
            self.suffer(effect)?;
        }
        self.disk.unlink(path, role)
    }

    fn rename(&mut self, from: &str, to: &str, replace: Replace) -> DiskResult<()> {
        self.disk.rename(from, to, replace)
    }

    fn mkdir(&mut self, path: &str) -> DiskResult<()> {
        self.disk.mkdir(path)
    }

    fn rmdir(&mut self, path: &str) -> DiskResult<()> {
        self.disk.rmdir(path)
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        self.disk.sync_dir(path)
    }

    fn list(&mut self, path: &str, visit: &mut dyn FnMut(String)) -> DiskResult<()> {
        self.disk.list(path, visit)
    }

    fn room(&mut self) -> DiskResult<Room> {
        let effect = self.plan.strike(&self.attempt(Op::FreeSpace, None, None));
        self.suffer(effect)?;
        self.disk.room()
    }

    fn standing(&mut self) -> DiskResult<Standing> {
        self.disk.standing()
    }
}
