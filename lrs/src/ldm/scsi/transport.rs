//! The way of one SCSI command to a device and of its answer back. Everything above builds command blocks and reads data
//! and sense; below it is either the kernel (`sg`) or the device model, and nobody above can tell which.

use nix::errno::Errno;
use std::time::Duration;

/// The bytes that go along with a command.
#[derive(Debug)]
pub enum Transfer<'a> {
    /// None.
    None,
    /// From the device.
    In(&'a mut [u8]),
    /// To the device.
    Out(&'a [u8]),
}

impl Transfer<'_> {
    /// How many bytes at most.
    pub fn bytes(&self) -> usize {
        match self {
            Self::None => 0,
            Self::In(buffer) => buffer.len(),
            Self::Out(bytes) => bytes.len(),
        }
    }
}

/// SCSI status of a command (SAM-5, table 43).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// 00h.
    Good,
    /// 02h: the sense data say what.
    CheckCondition,
    /// 08h.
    Busy,
    /// 18h: another initiator has reserved the device.
    ReservationConflict,
    /// 28h.
    TaskSetFull,
    /// Anything else.
    Other(u8),
}

impl From<u8> for Status {
    fn from(byte: u8) -> Self {
        match byte {
            0x00 => Self::Good,
            0x02 => Self::CheckCondition,
            0x08 => Self::Busy,
            0x18 => Self::ReservationConflict,
            0x28 => Self::TaskSetFull,
            other => Self::Other(other),
        }
    }
}

/// What a device answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// Its status.
    pub status: Status,
    /// Sense data as they came, fixed or descriptor format; empty without any.
    pub sense: Vec<u8>,
    /// How many bytes were moved: what was asked for less the residual.
    pub transferred: usize,
}

/// Why there is no answer. What became of the command is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The host could not send it.
    #[error("{_0}")]
    Host(Errno),
    /// The device did not answer in time, and the command was aborted.
    #[error("no answer in {} s", _0.as_secs())]
    TimedOut(Duration),
    /// The adapter or the link lost it (host status, driver status of the SG driver).
    #[error("the link failed: host status {host:#04x}, driver status {driver:#04x}")]
    Link {
        /// Host status.
        host: u16,
        /// Driver status.
        driver: u16,
    },
}

/// One device on its bus. Calls block; one thread calls.
pub trait Transport: Send {
    /// Sends a command block of 6 to 16 bytes and waits for its end, at most so long. An `In` buffer holds nothing of
    /// use beyond the bytes that were moved, nor after a failed read.
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError>;

    /// The most bytes that one command can carry.
    fn transfer_max(&self) -> usize;

    /// What it is called: a device node, or the device model's name for it.
    fn name(&self) -> &str;
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        (**self).execute(cdb, transfer, timeout)
    }

    fn transfer_max(&self) -> usize {
        (**self).transfer_max()
    }

    fn name(&self) -> &str {
        (**self).name()
    }
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        (**self).execute(cdb, transfer, timeout)
    }

    fn transfer_max(&self) -> usize {
        (**self).transfer_max()
    }

    fn name(&self) -> &str {
        (**self).name()
    }
}
