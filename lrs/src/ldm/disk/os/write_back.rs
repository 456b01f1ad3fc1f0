//! Writing back what a file has in the host's memory, where the answer is heard.
//!
//! A file system that finds room for written bytes only when it writes them back (ext4's delayed allocation) throws them
//! away when it finds none, and says so to whoever asked for the writing, and to nobody later: an fsync finds nothing left
//! to write. fsync(2) asks for itself. posix_fadvise(2) drops the answer, and for syncfs(2) the kernel's own threads ask.

use crate::ldm::disk::DiskResult;
use nix::errno::Errno;
use std::fs::File;
use std::os::fd::AsRawFd;

/// Starts writing back everything of a file, and does not wait for the device. An error means that some of it is lost. A
/// host that cannot be asked in this way (a sandbox) has started nothing, and its sync hears of everything.
#[allow(unsafe_code)]
pub(super) fn write_back(file: &File) -> DiskResult<Asked> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and the call reads and writes no memory of ours.
    let answer = unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, libc::SYNC_FILE_RANGE_WRITE) };
    match Errno::result(answer) {
        Ok(_) => Ok(Asked::Heard),
        Err(Errno::ENOSYS | Errno::EPERM | Errno::ESPIPE | Errno::EINVAL) => Ok(Asked::Unknown),
        Err(error) => Err(error),
    }
}

/// Whether a file system was asked to write a file back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was, and what it had to allocate is allocated.
    Heard,
    /// The call is not known here.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_file_is_written_back_and_an_error_is_told() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[7; 10_000]).unwrap();
        assert_eq!(write_back(&file), Ok(Asked::Heard));
        let (pipe, _other) = nix::unistd::pipe().unwrap();
        assert_eq!(write_back(&File::from(pipe)), Ok(Asked::Unknown));
        // A handle that only names a file cannot write anything back.
        let only = nix::fcntl::open(".", nix::fcntl::OFlag::O_PATH, nix::sys::stat::Mode::empty()).unwrap();
        assert_eq!(write_back(&File::from(only)), Err(Errno::EBADF));
    }
}
