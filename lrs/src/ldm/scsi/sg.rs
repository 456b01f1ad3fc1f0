//! The kernel's way to a device: the generic SCSI driver, `/dev/sgN`, by SG_IO in its version 3 (`scsi/sg.h`).
//!
//! Data go straight between the device and the caller's buffer where that is aligned to pages and the kernel allows it;
//! otherwise the kernel copies through memory of its own, so a buffer of any alignment is safe.

mod ioctl;

use super::{Completion, Status, Transfer, Transport, TransportError};
use crate::ldm::holders;
use ioctl::{Direction, Request};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::{Mode, SFlag, fstat};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

/// The most that is asked of the driver for one command: LTO's largest record (READ BLOCK LIMITS, TAPE section 4). The
/// driver and the adapter usually grant less.
const TRANSFER_WANTED: usize = 8 << 20;

/// Less than this no driver grants: its default is 32 KiB (`SG_DEF_RESERVED_SIZE`).
const TRANSFER_LEAST: usize = 32 << 10;

/// `DID_TIME_OUT`, host status, and `DRIVER_TIMEOUT`, driver status.
const HOST_TIMED_OUT: u16 = 0x03;
const DRIVER_TIMED_OUT: u16 = 0x06;

/// `DRIVER_SENSE`: there are sense data. Not an error of the driver.
const DRIVER_SENSE: u16 = 0x08;

/// The driver status's low half; the high half are suggestions of old kernels.
const DRIVER_MASK: u16 = 0x0f;

/// Why a device node cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SgError {
    /// Nothing is there, or no device behind it.
    #[error("{0}: there is no such device")]
    NoSuchDevice(String),
    /// It is something else.
    #[error("{0} is no node of the generic SCSI driver: {1}")]
    NotGeneric(String, &'static str),
    /// Another program has it.
    #[error("{0} is in use: {1}")]
    Busy(String, String),
    /// This user may not.
    #[error("{0} may not be opened for reading and writing by this user")]
    NoPermission(String),
    /// Something else, by the kernel's word.
    #[error("{0} cannot be opened: {1}")]
    Other(String, Errno),
}

/// A device of this host.
#[derive(Debug)]
pub struct SgDevice {
    node: OwnedFd,
    name: String,
    transfer_max: usize,
}

impl SgDevice {
    /// Opens a node for this program alone: another one that has it open by the same node is an error, and while this one
    /// has it nobody else opens it.
    pub fn open(path: &Path) -> Result<Self, SgError> {
        let name = path.display().to_string();
        // Without O_NONBLOCK the driver waits for whoever has it, instead of saying that it is busy.
        let flags = OFlag::O_RDWR | OFlag::O_EXCL | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let node = open(path, flags, Mode::empty()).map_err(|errno| refusal(&name, errno))?;
        let found = fstat(&node).map_err(|errno| refusal(&name, errno))?;
        if SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT != SFlag::S_IFCHR {
            return Err(SgError::NotGeneric(name, "it is no character device"));
        }
        match ioctl::version(&node) {
            Ok(30_000..) => {}
            Ok(_) => return Err(SgError::NotGeneric(name, "its driver is older than version 3")),
            Err(_) => return Err(SgError::NotGeneric(name, "it does not know the driver's version")),
        }
        let granted = ioctl::reserve(&node, TRANSFER_WANTED).map_err(|errno| refusal(&name, errno))?;
        Ok(Self {
            node,
            name,
            transfer_max: granted.clamp(TRANSFER_LEAST, TRANSFER_WANTED),
        })
    }
}

fn refusal(name: &str, errno: Errno) -> SgError {
    let name = name.to_owned();
    match errno {
        Errno::ENOENT | Errno::ENXIO | Errno::ENODEV | Errno::ENOTDIR => SgError::NoSuchDevice(name),
        Errno::EISDIR => SgError::NotGeneric(name, "it is a directory"),
        Errno::EBUSY => {
            let holders = holders::told(Path::new(&name));
            SgError::Busy(name, holders)
        }
        Errno::EACCES | Errno::EPERM | Errno::EROFS => SgError::NoPermission(name),
        other => SgError::Other(name, other),
    }
}

impl Transport for SgDevice {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        assert!((6..=16).contains(&cdb.len()), "a command block has 6 to 16 bytes");
        let direction = match transfer {
            Transfer::None => Direction::None,
            Transfer::In(buffer) => Direction::In(buffer),
            Transfer::Out(bytes) => Direction::Out(bytes),
        };
        let request = Request {
            cdb,
            direction,
            timeout,
        };
        let answer = unsignalled(|| ioctl::send(&self.node, request)).map_err(TransportError::Host)?;
        completion(answer, timeout)
    }

    fn transfer_max(&self) -> usize {
        self.transfer_max
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// Calls with all signals of this thread held back. A signal would end the wait inside SG_IO while the command goes on;
/// the kernel would then start the call again and send the command a second time: a record written twice.
fn unsignalled<T>(call: impl FnOnce() -> nix::Result<T>) -> nix::Result<T> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    let answer = call();
    before.thread_set_mask()?;
    answer
}

/// What the driver's answer says.
fn completion(answer: ioctl::Answer, timeout: Duration) -> Result<Completion, TransportError> {
    let driver = answer.driver_status & DRIVER_MASK;
    if answer.host_status == HOST_TIMED_OUT || driver == DRIVER_TIMED_OUT {
        return Err(TransportError::TimedOut(timeout));
    }
    if answer.host_status != 0 || !matches!(driver, 0 | DRIVER_SENSE) {
        return Err(TransportError::Link {
            host: answer.host_status,
            driver: answer.driver_status,
        });
    }
    // Sense without a status is sense nevertheless: some adapters fetch it themselves and leave the status out.
    let status = match Status::from(answer.status) {
        Status::Good if driver == DRIVER_SENSE && !answer.sense.is_empty() => Status::CheckCondition,
        status => status,
    };
    // A residual that cannot be true (adapters that count over-long records do so) says nothing was left.
    let residual = usize::try_from(answer.residual).unwrap_or(0).min(answer.asked);
    Ok(Completion {
        status,
        sense: answer.sense,
        transferred: answer.asked - residual,
    })
}

#[cfg(test)]
mod tests;
