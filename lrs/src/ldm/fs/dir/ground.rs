//! The disk that all parts of one mounted medium share, and how its answers become errors that name the medium.

use crate::ldm::disk::{Disk, DiskResult};
use crate::ldm::fs::name;
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use dss::model::Address;
use nix::errno::Errno;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk and the name of the medium on it. One thread works with it at a time; an index being read shares it.
#[derive(Clone)]
pub(super) struct Ground {
    disk: Arc<Mutex<Box<dyn Disk>>>,
    medium: Arc<str>,
}

impl Ground {
    pub(super) fn new(disk: Box<dyn Disk>, medium: &str) -> Self {
        Self {
            disk: Arc::new(Mutex::new(disk)),
            medium: medium.into(),
        }
    }

    pub(super) fn disk(&self) -> MutexGuard<'_, Box<dyn Disk>> {
        // A panic between two system calls leaves nothing here half changed.
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault(&self, op: Op, at: Option<&str>, fault: Fault) -> MediaError {
        MediaError {
            op,
            medium: self.medium.to_string(),
            at: at.map(str::to_owned),
            fault,
        }
    }

    pub(super) fn error(&self, op: Op, at: &str, errno: Errno) -> MediaError {
        let fault = match errno {
            Errno::ENOSPC | Errno::EDQUOT => Fault::NoSpace,
            Errno::ENOENT if matches!(op, Op::Open | Op::Read | Op::Delete) => Fault::Absent,
            // Where a file of ours should be lies something that we never make.
            Errno::ELOOP | Errno::EXDEV | Errno::EINVAL if op == Op::Open => {
                Fault::NotThisExtent("it is not a regular file of this directory".to_owned())
            }
            other => Fault::Io(other),
        };
        self.fault(op, Some(at), fault)
    }

    /// One system call, its failure named.
    pub(super) fn call<T>(
        &self,
        op: Op,
        at: &str,
        work: impl FnOnce(&mut Box<dyn Disk>) -> DiskResult<T>,
    ) -> MediaResult<T> {
        work(&mut self.disk()).map_err(|errno| self.error(op, at, errno))
    }

    pub(super) fn damaged(&self, op: Op, at: &str, what: impl Into<String>) -> MediaError {
        self.fault(op, Some(at), Fault::Damaged(what.into()))
    }

    /// The name in an address; refused when it could mean anything but one entry of the extents' folder.
    pub(super) fn name_of<'a>(&self, op: Op, address: &'a Address) -> MediaResult<&'a str> {
        name::of_address(address).ok_or_else(|| {
            let fault = Fault::NotThisExtent("the address is not one of this format".to_owned());
            self.fault(op, Some(&address.0), fault)
        })
    }
}
