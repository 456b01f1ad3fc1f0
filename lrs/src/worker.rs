//! One OS thread per drive. It owns the mounted volume and runs one closure after another on it; nobody else touches
//! the device. A panic in a closure ends this drive and no other.
//!
//! Before each closure the thread checks that the allocation it belongs to still stands, that the volume is still the
//! mount it was meant for, and, where it may write, that the lease has not ended (I7).

use crate::ldm::fs::Volume;
use crate::ldm::{Fault, MediaError, MediaResult, Op};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};

/// The most commands that wait for one drive. A sender waits for room.
const COMMANDS_MAX: usize = 32;

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

/// A lease as its user sees it: an epoch, and until when commands may be issued.
#[derive(Clone, Debug)]
pub struct LeaseGuard(Arc<Mutex<Instant>>);

impl LeaseGuard {
    pub(crate) fn until(end: Instant) -> Self {
        Self(Arc::new(Mutex::new(end)))
    }

    pub(crate) fn prolong(&self, end: Instant) {
        *self.end() = end;
    }

    pub(crate) fn revoke(&self) {
        *self.end() = Instant::now();
    }

    /// Whether commands may still be issued. Long closures ask between commands.
    pub fn holds(&self) -> bool {
        Instant::now() < *self.end()
    }

    fn end(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
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

type Mount = Box<dyn FnOnce() -> MediaResult<Box<dyn Volume>> + Send>;
type Job = Box<dyn FnOnce(Result<&mut dyn Volume, DriveGone>) -> Result<(), Panic> + Send>;

/// A panic, and the caller who must not hear of it before the scheduler has.
struct Panic {
    words: String,
    _caller: Box<dyn std::any::Any>,
}

/// Runs what may panic, and answers its caller unless it did.
fn answering<R: 'static>(done: oneshot::Sender<R>, work: impl FnOnce() -> R) -> Result<(), Panic> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(answer) => {
            // Nobody listens any more when the caller's future was dropped; the work was done all the same.
            drop(done.send(answer));
            Ok(())
        }
        Err(panic) => Err(Panic {
            words: words(panic.as_ref()),
            _caller: Box::new(done),
        }),
    }
}

enum Command {
    Mount {
        mount: Mount,
        done: oneshot::Sender<MediaResult<()>>,
    },
    Unmount {
        done: oneshot::Sender<()>,
    },
    Run {
        pass: Option<(Pass, u64)>,
        job: Job,
    },
}

/// A drive's thread, as the service holds it. The thread ends when all of these are gone.
#[derive(Clone)]
pub(crate) struct Worker {
    commands: mpsc::Sender<Command>,
    shared: Arc<Shared>,
}

struct Shared {
    name: String,
    /// The number of the present mount; 0: none. No number is used twice.
    mount: AtomicU64,
    /// Why the drive is out of use.
    failed: Mutex<Option<String>>,
}

impl Shared {
    fn gone(&self) -> DriveGone {
        let failed = self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        DriveGone::Failed {
            drive: self.name.clone(),
            why: failed.clone().unwrap_or_else(|| "its thread ended".into()),
        }
    }

    fn fail(&self, why: &str) {
        *self.failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(why.to_owned());
        self.mount.store(0, Ordering::Release);
    }
}

impl Worker {
    /// Starts the thread. `on_failure` is told once, from the thread, when the drive is out of use.
    pub(crate) fn start(name: String, on_failure: impl FnOnce(String) + Send + 'static) -> std::io::Result<Self> {
        let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
        let shared = Arc::new(Shared {
            name,
            mount: AtomicU64::new(0),
            failed: Mutex::new(None),
        });
        let of_thread = Arc::clone(&shared);
        std::thread::Builder::new()
            .name(shared.name.clone())
            .spawn(move || drive_thread(inbox, &of_thread, on_failure))?;
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

    /// Unmounts, after all that was asked before.
    pub(crate) async fn unload(&self) -> Result<(), DriveGone> {
        let (done, answer) = oneshot::channel();
        self.send(Command::Unmount { done }).await?;
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
    /// Runs a closure on the drive's thread, after all that was asked before. It should do one bounded piece of work:
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

fn drive_thread(mut inbox: mpsc::Receiver<Command>, shared: &Shared, on_failure: impl FnOnce(String)) {
    static MOUNTS: AtomicU64 = AtomicU64::new(1);
    let mut volume: Option<Box<dyn Volume>> = None;
    while let Some(command) = inbox.blocking_recv() {
        let outcome = match command {
            Command::Mount { mount, done } => answering(done, || {
                shared.mount.store(0, Ordering::Release);
                drop(volume.take());
                volume = Some(mount()?);
                shared
                    .mount
                    .store(MOUNTS.fetch_add(1, Ordering::Relaxed), Ordering::Release);
                Ok(())
            }),
            Command::Unmount { done } => answering(done, || {
                shared.mount.store(0, Ordering::Release);
                drop(volume.take());
            }),
            Command::Run { pass, job } => match (check(pass.as_ref(), shared), &mut volume) {
                (Err(gone), _) => job(Err(gone)),
                (Ok(()), Some(volume)) => job(Ok(volume.as_mut())),
                (Ok(()), None) => job(Err(remounted(shared))),
            },
        };
        if let Err(panic) = outcome {
            let why = panic.words.clone();
            tracing::error!(drive = %shared.name, %why, "the drive's thread panicked; the drive is out of use");
            shared.fail(&why);
            // A volume that was left in the middle of something may panic again.
            drop(catch_unwind(AssertUnwindSafe(|| drop(volume.take()))));
            on_failure(why);
            return;
        }
    }
}

fn check(pass: Option<&(Pass, u64)>, shared: &Shared) -> Result<(), DriveGone> {
    let Some((pass, mount)) = pass else { return Ok(()) };
    let drive = || shared.name.clone();
    if pass.released.load(Ordering::Acquire) {
        return Err(DriveGone::Released { drive: drive() });
    }
    if *mount == 0 || *mount != shared.mount.load(Ordering::Acquire) {
        return Err(remounted(shared));
    }
    if pass.lease.as_ref().is_some_and(|lease| !lease.holds()) {
        return Err(DriveGone::LeaseEnded { drive: drive() });
    }
    Ok(())
}

fn remounted(shared: &Shared) -> DriveGone {
    DriveGone::Remounted {
        drive: shared.name.clone(),
    }
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
        .to_owned()
}
