//! Room beside the media for bytes that wait until a dock's other disk is in. Never the only place of anything: who
//! loses a spool reads the media again. It therefore makes nothing durable, and its file has no name.

use super::Op;
use super::faults::{Attempt, Effect, FaultPlan, Place};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The drive that a drill names to break the spool.
pub const DRILL_NAME: &str = "spool";

/// So many bytes stay free on the spool's file system: the catalogue may lie there, too.
const RESERVE: u64 = 64 << 20;

/// Why the spool does not serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// Its file system has no room.
    #[error("no space left for the spool in {0}")]
    Full(String),
    /// Its file system fails.
    #[error("the spool in {0} fails: {1}")]
    Io(String, Errno),
    /// It gave back fewer bytes than it took, or others.
    #[error("the spool in {0} gave back other bytes than it took")]
    Corrupt(String),
}

/// Where spools are made.
#[derive(Clone, Debug, Default)]
pub struct SpoolPlace {
    folder: Option<PathBuf>,
    faults: FaultPlan,
}

impl SpoolPlace {
    /// Below a folder, with a drill's faults or none.
    pub fn below(folder: &Path, faults: FaultPlan) -> Self {
        Self {
            folder: Some(folder.to_owned()),
            faults,
        }
    }

    /// In memory, for tests and simulation, with faults.
    pub fn in_memory(faults: FaultPlan) -> Self {
        Self { folder: None, faults }
    }

    /// Removes what a spool of an earlier life left: only a file system that knows no files without a name keeps any.
    pub fn clean(&self) -> Result<(), SpoolError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.failed(&error)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// An empty spool. Blocks.
    pub fn open(&self) -> Result<SpoolFile, SpoolError> {
        let store = match &self.folder {
            None => Store::Memory(Mutex::default()),
            Some(folder) => Store::File(self.nameless(folder).map_err(|error| self.failed(&error))?),
        };
        Ok(SpoolFile {
            store,
            place: self.clone(),
        })
    }

    fn nameless(&self, folder: &Path) -> io::Result<File> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).mode(0o600);
        match options.clone().custom_flags(OFlag::O_TMPFILE.bits()).open(folder) {
            Ok(file) => Ok(file),
            // Not every file system can (open(2), EOPNOTSUPP; EISDIR where the kernel does not know the flag).
            Err(error)
                if matches!(
                    Errno::from_raw(error.raw_os_error().unwrap_or(0)),
                    Errno::EOPNOTSUPP | Errno::EISDIR
                ) =>
            {
                let name = folder.join(format!("spool-{}", std::process::id()));
                let file = options.create(true).truncate(true).open(&name)?;
                fs::remove_file(&name)?;
                Ok(file)
            }
            Err(error) => Err(error),
        }
    }

    fn name(&self) -> String {
        self.folder
            .as_ref()
            .map_or_else(|| "memory".to_owned(), |folder| folder.display().to_string())
    }

    fn failed(&self, error: &io::Error) -> SpoolError {
        match Errno::from_raw(error.raw_os_error().unwrap_or(Errno::EIO as i32)) {
            Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG => SpoolError::Full(self.name()),
            errno => SpoolError::Io(self.name(), errno),
        }
    }
}

enum Store {
    Memory(Mutex<Vec<u8>>),
    File(File),
}

/// A spool. Gone when dropped, and with the process.
pub struct SpoolFile {
    store: Store,
    place: SpoolPlace,
}

impl SpoolFile {
    /// Whether so many bytes more leave enough to others.
    pub fn has_room(&self, bytes: u64) -> Result<(), SpoolError> {
        let Store::File(file) = &self.store else { return Ok(()) };
        let room = nix::sys::statvfs::fstatvfs(file).map_err(|errno| SpoolError::Io(self.place.name(), errno))?;
        let free = room.blocks_available() * room.fragment_size();
        match free >= bytes.saturating_add(RESERVE) {
            true => Ok(()),
            false => Err(SpoolError::Full(self.place.name())),
        }
    }

    /// Writes all of it there. Blocks.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> Result<(), SpoolError> {
        let mut zeros = vec![];
        let bytes = match self.strike(Op::Write)? {
            Some(Effect::LostWrite | Effect::Flip) => {
                zeros.resize(bytes.len(), 0);
                &zeros
            }
            _ => bytes,
        };
        match &self.store {
            Store::File(file) => file
                .write_all_at(bytes, offset)
                .map_err(|error| self.place.failed(&error)),
            Store::Memory(memory) => {
                let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                let offset = usize::try_from(offset).expect("what is in memory can be counted");
                let end = offset + bytes.len();
                if memory.len() < end {
                    memory.resize(end, 0);
                }
                memory[offset..end].copy_from_slice(bytes);
                Ok(())
            }
        }
    }

    /// Fills the buffer from there. Blocks.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<(), SpoolError> {
        let effect = self.strike(Op::Read)?;
        match &self.store {
            Store::File(file) => file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => SpoolError::Corrupt(self.place.name()),
                _ => self.place.failed(&error),
            })?,
            Store::Memory(memory) => {
                let memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                let offset = usize::try_from(offset).expect("what is in memory can be counted");
                let there = memory.get(offset..offset + buffer.len());
                buffer.copy_from_slice(there.ok_or_else(|| SpoolError::Corrupt(self.place.name()))?);
            }
        }
        if let (Some(Effect::Flip), Some(first)) = (effect, buffer.first_mut()) {
            *first ^= 1;
        }
        Ok(())
    }

    /// That it gave back other bytes than it took.
    pub fn corrupt(&self) -> SpoolError {
        SpoolError::Corrupt(self.place.name())
    }

    /// Whether work on it never waits for a device.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.store, Store::Memory(_))
    }

    /// Gives its room back.
    pub fn clear(&self) -> Result<(), SpoolError> {
        match &self.store {
            Store::File(file) => file.set_len(0).map_err(|error| self.place.failed(&error)),
            Store::Memory(memory) => {
                *memory.lock().unwrap_or_else(PoisonError::into_inner) = vec![];
                Ok(())
            }
        }
    }

    /// What a drill makes of an operation, when it does not fail.
    fn strike(&self, op: Op) -> Result<Option<Effect>, SpoolError> {
        let places = [Place::Drive(DRILL_NAME.to_owned())];
        match self.place.faults.strike(&Attempt::of(&places, op)) {
            Some(Effect::Enospc) => Err(SpoolError::Full(self.place.name())),
            Some(Effect::Short) => Err(SpoolError::Corrupt(self.place.name())),
            Some(Effect::Eio | Effect::Hang | Effect::LabelMismatch | Effect::Sense(_)) => {
                Err(SpoolError::Io(self.place.name(), Errno::EIO))
            }
            other @ (Some(Effect::Flip | Effect::LostWrite) | None) => Ok(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(toml: &str) -> (tempfile::TempDir, [SpoolPlace; 2]) {
        let folder = tempfile::tempdir().unwrap();
        let faults = || FaultPlan::parse(toml, "drill.toml").unwrap();
        let places = [
            SpoolPlace::below(&folder.path().join("spool"), faults()),
            SpoolPlace::in_memory(faults()),
        ];
        (folder, places)
    }

    #[test]
    fn x10_what_goes_in_comes_out_and_no_name_is_left() {
        let (folder, places) = both("");
        for place in &places {
            let spool = place.open().unwrap();
            spool.has_room(1).unwrap();
            spool.write_at(b"one", 0).unwrap();
            spool.write_at(b"twotwo", 3).unwrap();
            let mut buffer = [0; 6];
            spool.read_at(&mut buffer, 3).unwrap();
            assert_eq!(&buffer, b"twotwo");
            assert!(matches!(spool.read_at(&mut buffer, 4), Err(SpoolError::Corrupt(_))));
            spool.clear().unwrap();
            assert!(matches!(spool.read_at(&mut buffer, 0), Err(SpoolError::Corrupt(_))));
        }
        assert_eq!(fs::read_dir(folder.path().join("spool")).unwrap().count(), 0);
        fs::write(folder.path().join("spool/spool-1"), b"left").unwrap();
        places[0].clean().unwrap();
        places[0].clean().unwrap();
        assert!(!folder.path().join("spool").exists());
    }

    #[test]
    fn x10_the_last_room_is_left_to_the_catalogue() {
        let (_folder, places) = both("");
        let spool = places[0].open().unwrap();
        assert!(matches!(spool.has_room(u64::MAX / 2), Err(SpoolError::Full(_))));
    }

    #[test]
    fn a_drill_breaks_the_spool_by_its_name() {
        for (op, error) in [("write", "enospc"), ("write", "eio"), ("read", "short")] {
            let (_folder, places) = both(&format!(
                "[[fault]]\ndrive = \"spool\"\nop = \"{op}\"\nerror = \"{error}\"\n"
            ));
            for place in &places {
                let spool = place.open().unwrap();
                let first = spool.write_at(b"x", 0).and_then(|()| spool.read_at(&mut [0], 0));
                assert!(first.is_err(), "{op} {error}");
            }
        }
    }
}
