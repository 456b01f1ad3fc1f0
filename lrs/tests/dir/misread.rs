//! A device that gives other bytes once than it gives the next time.

use super::support::Bench;
use crate::volume::{entries, put};
use lrs::ldm::Fault;
use lrs::ldm::disk::{Disk, DiskResult, FileId, Replace, Role, Room, Standing, Stat};
use lrs::ldm::fs::Volume;
use lrs::ldm::fs::dir::mount;
use std::fs;

/// Turns over one bit of one byte of a file, the first time that the byte is read.
struct Misreading {
    disk: Box<dyn Disk>,
    path: String,
    at: u64,
    file: Option<FileId>,
    done: bool,
}

impl Disk for Misreading {
    fn open(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        let file = self.disk.open(path, role)?;
        if path == self.path {
            self.file = Some(file);
        }
        Ok(file)
    }

    fn read_at(&mut self, file: FileId, offset: u64, buffer: &mut [u8]) -> DiskResult<usize> {
        let count = self.disk.read_at(file, offset, buffer)?;
        let read = offset..offset + count as u64;
        if self.file == Some(file) && !self.done && read.contains(&self.at) {
            self.done = true;
            buffer[(self.at - offset) as usize] ^= 4;
        }
        Ok(count)
    }

    fn create(&mut self, path: &str, role: &Role) -> DiskResult<FileId> {
        self.disk.create(path, role)
    }

    fn close(&mut self, file: FileId) {
        self.disk.close(file);
    }

    fn stat_file(&mut self, file: FileId) -> DiskResult<Stat> {
        self.disk.stat_file(file)
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        self.disk.write_at(file, offset, bytes)
    }

    fn sync_file(&mut self, file: FileId) -> DiskResult<()> {
        self.disk.sync_file(file)
    }

    fn drop_cache(&mut self, file: FileId, offset: u64, bytes: u64) {
        self.disk.drop_cache(file, offset, bytes);
    }

    fn stat(&mut self, path: &str) -> DiskResult<Option<Stat>> {
        self.disk.stat(path)
    }

    fn unlink(&mut self, path: &str, role: &Role) -> DiskResult<()> {
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
        self.disk.room()
    }

    fn standing(&mut self) -> DiskResult<Standing> {
        self.disk.standing()
    }
}

fn misread(bench: &Bench, segment: &str, at: u64) -> Box<dyn Volume> {
    let disk = Misreading {
        disk: bench.disk(),
        path: format!(".respool/manifest/{segment}"),
        at,
        file: None,
        done: false,
    };
    mount(Box::new(disk), bench.expected()).unwrap()
}

/// E-15: a power cut took the confirmation of the last seal, and the next mount misreads a byte of what it sealed. Passing
/// that over as a torn write would lose what was *sync*, and nothing written next would fit any more.
#[test]
fn e15_a_seal_that_is_misread_once_is_not_passed_over_as_a_torn_write() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    put(&mut *volume, "a", b"a").unwrap();
    volume.sync().unwrap();
    put(&mut *volume, "b", b"b").unwrap();
    volume.sync().unwrap();
    drop(volume);
    let path = bench.segment(2);
    let whole = fs::read(&path).unwrap();
    let line = |end: usize| whole[..end - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    let confirmation = line(whole.len());
    let sealed = confirmation - 1;
    let window = line(line(sealed));
    fs::write(&path, &whole[..sealed]).unwrap();
    for at in window..sealed {
        let mut volume = misread(&bench, "0002.jsonl", at as u64);
        let told = |fault: Fault| matches!(fault, Fault::Damaged(_));
        assert!(
            put(&mut *volume, "c", b"c").is_err_and(|error| told(error.fault)),
            "byte {at}"
        );
        assert_eq!(fs::read(&path).unwrap(), &whole[..sealed]);
        assert!(!bench.segment(3).exists(), "byte {at}: something was written");
    }
    assert_eq!(entries(&mut *bench.mounted()).len(), 2);
}
