//! A drive's commands and whoever carries them out: one OS thread for each drive, or in a simulation one task. It owns
//! the mounted volume and runs one closure after another on it; nobody else touches the device. A panic in a closure
//! ends this drive and no other.
//!
//! Before each closure it is checked that the allocation it belongs to still stands, that the volume is still the mount
//! it was meant for, and, where it may write, that the lease has not ended (I7).

mod lease;
mod station;

pub use lease::LeaseGuard;

use crate::ldm::fs::Volume;
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use station::{Command, Job, Shared, answering};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Who carries out the commands of drives. The same code does, either way.
#[derive(Clone, Default)]
pub enum Drives {
    /// One OS thread for each: a device that blocks holds up nobody else.
    #[default]
    Threads,
    /// One task of the current runtime for each, for devices that never block: what happens depends on nothing but the
    /// runtime's clock and the pauses.
    Tasks(Arc<dyn Pace>),
}

impl std::fmt::Debug for Drives {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Threads => "Threads",
            Self::Tasks(_) => "Tasks",
        })
    }
}

/// How fast the drives of a simulation are.
pub trait Pace: Send + Sync {
    /// How long a drive takes before it begins its next command.
    fn pause(&self, drive: &str) -> Duration;
}

/// Why a drive did not run a closure. Nothing was done to the medium, unless the closure panicked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriveGone {
    /// A closure or a mount panicked. The drive is out of use until respoold is restarted.
    #[error("{drive} failed: {why}")]
    Failed {
        /// Which.
        drive: String,
        /// The panic's words.
        why: String,
    },
    /// Nothing is mounted, or something was mounted anew since this handle was made: whatever was open is closed.
    #[error("the volume in {drive} was unmounted or mounted again")]
    Remounted {
        /// Which.
        drive: String,
    },
    /// The lease on the medium ended or may have ended: no more commands (I7).
    #[error("the lease on the medium in {drive} has ended")]
    LeaseEnded {
        /// Which.
        drive: String,
    },
    /// The allocation was released.
    #[error("the allocation of {drive} was released")]
    Released {
        /// Which.
        drive: String,
    },
}

impl DriveGone {
    /// The same as an error of a medium, for callers that answer in those.
    pub fn on(&self, medium: &str) -> MediaError {
        MediaError {
            op: Op::Load,
            medium: medium.to_owned(),
            at: Some(self.to_string()),
            fault: Fault::Io(nix::errno::Errno::ENODEV),
        }
    }
}

/// What a handle is good for.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    /// Set when the allocation ends.
    pub(crate) released: Arc<AtomicBool>,
    /// For handles that may write.
    pub(crate) lease: Option<LeaseGuard>,
}

/// A drive, as the service holds it. Whoever serves it ends when all of these are gone.
#[derive(Clone)]
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

impl Worker {
    /// Has the drive served. `on_failure` is told once, when the drive is out of use.
    pub(crate) fn start(
        name: String,
        drives: &Drives,
        on_failure: impl FnOnce(String) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (commands, shared) = station::start(name, drives, on_failure)?;
        Ok(Self { commands, shared })
    }

    /// Mounts; what was mounted is unmounted first.
    pub(crate) async fn load(
        &self,
        mount: impl FnOnce() -> MediaResult<Box<dyn Volume>> + Send + 'static,
    ) -> Result<MediaResult<()>, DriveGone> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Mount {
            mount: Box::new(mount),
            done,
        })
        .await?;
        answer.await.map_err(|_| self.shared.gone())
    }

    /// Unmounts, after all that was asked before, and does what is to be done once the volume is closed.
    pub(crate) async fn unload(
        &self,
        after: impl FnOnce() -> MediaResult<()> + Send + 'static,
    ) -> Result<MediaResult<()>, DriveGone> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Unmount {
            after: Box::new(after),
            done,
        })
        .await?;
        answer.await.map_err(|_| self.shared.gone())
    }

    /// Runs a closure on whatever is mounted, for the scheduler's own questions.
    pub(crate) async fn ask<R: Send + 'static>(
        &self,
        question: impl FnOnce(&mut dyn Volume) -> R + Send + 'static,
    ) -> Result<R, DriveGone> {
        self.run(None, question).await
    }

    /// A handle for the present mount.
    pub(crate) fn handle(&self, pass: Pass) -> DriveHandle {
        DriveHandle {
            mount: self.shared.mount.load(Ordering::Acquire),
            worker: self.clone(),
            pass,
        }
    }

    async fn run<R: Send + 'static>(
        &self,
        pass: Option<(Pass, u64)>,
        work: impl FnOnce(&mut dyn Volume) -> R + Send + 'static,
    ) -> Result<R, DriveGone> {
        let (done, answer) = oneshot::channel();
        let job: Job = Box::new(move |volume| answering(done, || volume.map(work)));
        self.send(Command::Run { pass, job }).await?;
        answer.await.map_err(|_| self.shared.gone())?
    }

    async fn send(&self, command: Command) -> Result<(), DriveGone> {
        self.commands.send(command).await.map_err(|_| self.shared.gone())
    }
}

/// A granted medium's drive. Clones share it.
#[derive(Clone)]
pub struct DriveHandle {
    worker: Worker,
    pass: Pass,
    mount: u64,
}

impl DriveHandle {
    /// Runs a closure where the drive is served, after all that was asked before. It should do one bounded piece of work:
    /// a buffer, a sync. When the returned future is dropped, the closure may or may not run.
    pub async fn run<R: Send + 'static>(
        &self,
        work: impl FnOnce(&mut dyn Volume) -> R + Send + 'static,
    ) -> Result<R, DriveGone> {
        self.worker.run(Some((self.pass.clone(), self.mount)), work).await
    }

    /// The lease behind a handle that may write; long closures ask it between commands.
    pub fn lease(&self) -> Option<&LeaseGuard> {
        self.pass.lease.as_ref()
    }

    /// The drive's name, for messages.
    pub fn name(&self) -> &str {
        &self.worker.shared.name
    }
}
