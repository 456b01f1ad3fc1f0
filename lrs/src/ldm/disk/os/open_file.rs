//! One open file, and the way its bytes go: large aligned pieces go straight between the caller's buffer and the device
//! (O_DIRECT), everything else through the host's memory. A repack reads and writes every byte once: what it leaves in
//! memory would push out what others need, and copying it there costs more processor time than all digests. And what is
//! read back straight from the device is what the device holds.
//!
//! Direct pieces end on a block's border, and what is written through memory begins on one, so that the two ways never
//! touch the same block of a file (open(2), NOTES on O_DIRECT).

use super::errno;
use crate::ldm::disk::DiskResult;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;

/// Pieces from this size on go straight to and from the device; smaller ones would wait for it more often than they save.
pub const DIRECT_FROM: usize = 1 << 20;

/// What buffers, offsets and lengths of direct pieces are multiples of: the largest logical block of common devices.
const BLOCK: usize = 4096;

/// Whether a file system lets bytes pass the host's memory by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bypass {
    /// As far as is known.
    Offered,
    /// It was tried once and refused.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Memory,
    Device,
}

/// An open file.
#[derive(Debug)]
pub(super) struct OpenFile {
    file: File,
    way: Way,
}

impl OpenFile {
    pub(super) fn new(file: OwnedFd) -> Self {
        Self {
            file: File::from(file),
            way: Way::Memory,
        }
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Reads some bytes; 0 at the end only.
    pub(super) fn read_at(&mut self, offset: u64, buffer: &mut [u8], bypass: &mut Bypass) -> DiskResult<usize> {
        self.take(way_of(buffer, offset, *bypass), bypass);
        loop {
            match self.file.read_at(buffer, offset).map_err(|error| errno(&error)) {
                Err(Errno::EINTR) => {}
                Err(Errno::EINVAL) if self.way == Way::Device => self.give_up(bypass),
                answer => return answer,
            }
        }
    }

    /// Writes all the bytes, or fails with an unknown part of them written.
    pub(super) fn write_at(&mut self, offset: u64, bytes: &[u8], bypass: &mut Bypass) -> DiskResult<()> {
        self.take(way_of(bytes, offset, *bypass), bypass);
        loop {
            match self.file.write_all_at(bytes, offset).map_err(|error| errno(&error)) {
                // Nothing is lost: the same bytes go to the same place once more.
                Err(Errno::EINVAL) if self.way == Way::Device => self.give_up(bypass),
                answer => return answer,
            }
        }
    }

    fn give_up(&mut self, bypass: &mut Bypass) {
        *bypass = Bypass::Refused;
        self.take(Way::Memory, bypass);
    }

    fn take(&mut self, way: Way, bypass: &mut Bypass) {
        if self.way == way {
            return;
        }
        let flags = match way {
            Way::Memory => OFlag::empty(),
            Way::Device => OFlag::O_DIRECT,
        };
        match fcntl(&self.file, FcntlArg::F_SETFL(flags)) {
            Ok(_) => self.way = way,
            // A file system without direct I/O says so here; taking the flag away cannot fail for that reason.
            Err(_) => *bypass = Bypass::Refused,
        }
    }
}

fn way_of(bytes: &[u8], offset: u64, bypass: Bypass) -> Way {
    let aligned = (bytes.as_ptr() as usize).is_multiple_of(BLOCK)
        && bytes.len().is_multiple_of(BLOCK)
        && offset.is_multiple_of(BLOCK as u64);
    match bypass {
        Bypass::Offered if aligned && bytes.len() >= DIRECT_FROM => Way::Device,
        Bypass::Offered | Bypass::Refused => Way::Memory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A buffer that begins on a block's border.
    fn aligned(storage: &mut Vec<u8>, length: usize) -> &mut [u8] {
        storage.resize(length + BLOCK, 0);
        let start = storage.as_ptr().align_offset(BLOCK);
        &mut storage[start..start + length]
    }

    fn pattern(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 7 % 251) as u8).collect()
    }

    #[test]
    fn what_is_written_either_way_reads_the_same_either_way() {
        for mut bypass in [Bypass::Offered, Bypass::Refused] {
            let found = tempfile::tempfile().unwrap();
            let mut file = OpenFile::new(found.try_clone().unwrap().into());
            // Two large pieces and a rest that no block holds whole.
            let (whole, rest) = (2 * DIRECT_FROM, 777);
            let bytes = pattern(whole + rest);
            let mut storage = Vec::new();
            let piece = aligned(&mut storage, DIRECT_FROM);
            for (number, part) in bytes[..whole].chunks(DIRECT_FROM).enumerate() {
                piece.copy_from_slice(part);
                file.write_at((number * DIRECT_FROM) as u64, piece, &mut bypass)
                    .unwrap();
            }
            file.write_at(whole as u64, &bytes[whole..], &mut bypass).unwrap();
            file.file().sync_all().unwrap();
            for mut bypass in [Bypass::Offered, Bypass::Refused] {
                let mut reader = OpenFile::new(found.try_clone().unwrap().into());
                let (mut read, mut storage) = (Vec::new(), Vec::new());
                loop {
                    let piece = aligned(&mut storage, DIRECT_FROM);
                    match reader.read_at(read.len() as u64, piece, &mut bypass).unwrap() {
                        0 => break,
                        count => read.extend_from_slice(&piece[..count]),
                    }
                }
                assert!(read == bytes, "{bypass:?}");
            }
        }
    }

    #[test]
    fn only_large_aligned_pieces_pass_memory_by() {
        let mut storage = Vec::new();
        let piece = &*aligned(&mut storage, DIRECT_FROM + BLOCK);
        let (large, small) = (&piece[..DIRECT_FROM], &piece[..DIRECT_FROM - BLOCK]);
        assert_eq!(way_of(large, 0, Bypass::Offered), Way::Device);
        assert_eq!(way_of(large, 8192, Bypass::Offered), Way::Device);
        assert_eq!(way_of(large, 0, Bypass::Refused), Way::Memory);
        assert_eq!(way_of(large, 512, Bypass::Offered), Way::Memory);
        assert_eq!(way_of(small, 0, Bypass::Offered), Way::Memory);
        assert_eq!(way_of(&piece[..DIRECT_FROM + 1], 0, Bypass::Offered), Way::Memory);
        assert_eq!(way_of(&piece[1..=DIRECT_FROM], 0, Bypass::Offered), Way::Memory);
    }
}
