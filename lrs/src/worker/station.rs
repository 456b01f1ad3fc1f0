//! Where a drive's commands are carried out, one after the other: the mounted volume, and the loop around it, which a
//! thread or a task runs. Nobody else touches the device.

use super::{DriveGone, Drives, Pace, Pass};
use crate::ldm::MediaResult;
use crate::ldm::fs::Volume;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// The most commands that wait for one drive. A sender waits for room.
const COMMANDS_MAX: usize = 32;

pub(super) type Mount = Box<dyn FnOnce() -> MediaResult<Box<dyn Volume>> + Send>;
/// What is done once the volume is closed.
pub(super) type After = Box<dyn FnOnce() -> MediaResult<()> + Send>;
pub(super) type Job = Box<dyn FnOnce(Result<&mut dyn Volume, DriveGone>) -> Result<(), Panic> + Send>;

pub(super) enum Command {
    Mount {
        mount: Mount,
        done: oneshot::Sender<MediaResult<()>>,
    },
    Unmount {
        after: After,
        done: oneshot::Sender<MediaResult<()>>,
    },
    Run {
        pass: Option<(Pass, u64)>,
        job: Job,
    },
}

/// A panic, and the caller who must not hear of it before the scheduler has.
pub(super) struct Panic {
    words: String,
    _caller: Box<dyn Any>,
}

/// Runs what may panic, and answers its caller unless it did.
pub(super) fn answering<R: 'static>(done: oneshot::Sender<R>, work: impl FnOnce() -> R) -> Result<(), Panic> {
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

/// What the station and the handles to its drive both know.
pub(super) struct Shared {
    pub(super) name: String,
    /// The number of the present mount; 0: none. No number is used twice.
    pub(super) mount: AtomicU64,
    /// Why the drive is out of use.
    failed: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn gone(&self) -> DriveGone {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        DriveGone::Failed {
            drive: self.name.clone(),
            why: failed.clone().unwrap_or_else(|| "nobody serves it any more".into()),
        }
    }

    fn fail(&self, why: &str) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(why.to_owned());
        self.mount.store(0, Ordering::Release);
    }
}

/// Has a drive served as chosen, until every sender of commands is gone. `on_failure` is told once, by whoever serves,
/// when the drive is out of use.
pub(super) fn start(
    name: String,
    drives: &Drives,
    on_failure: impl FnOnce(String) + Send + 'static,
) -> std::io::Result<(mpsc::Sender<Command>, Arc<Shared>)> {
    let (commands, inbox) = mpsc::channel(COMMANDS_MAX);
    let shared = Arc::new(Shared {
        name: name.clone(),
        mount: AtomicU64::new(0),
        failed: Mutex::new(None),
    });
    let station = Station {
        shared: Arc::clone(&shared),
        volume: None,
        on_failure,
    };
    match drives {
        Drives::Threads => {
            let thread = std::thread::Builder::new().name(name);
            thread.spawn(move || in_thread(station, inbox))?;
        }
        Drives::Tasks(pace) => drop(tokio::spawn(in_task(station, inbox, Arc::clone(pace)))),
    }
    Ok((commands, shared))
}

fn in_thread(mut station: Station<impl FnOnce(String)>, mut inbox: mpsc::Receiver<Command>) {
    while let Some(command) = inbox.blocking_recv() {
        match station.serve(command) {
            Some(remaining) => station = remaining,
            None => return,
        }
    }
}

async fn in_task(mut station: Station<impl FnOnce(String)>, mut inbox: mpsc::Receiver<Command>, pace: Arc<dyn Pace>) {
    while let Some(command) = inbox.recv().await {
        tokio::time::sleep(pace.pause(&station.shared.name)).await;
        match station.serve(command) {
            Some(remaining) => station = remaining,
            None => return,
        }
    }
}

struct Station<F> {
    shared: Arc<Shared>,
    volume: Option<Box<dyn Volume>>,
    on_failure: F,
}

impl<F: FnOnce(String)> Station<F> {
    /// Serves one command. None: it panicked, and the drive is out of use.
    fn serve(mut self, command: Command) -> Option<Self> {
        let Err(panic) = self.carry_out(command) else {
            return Some(self);
        };
        let why = panic.words.clone();
        tracing::error!(drive = %self.shared.name, %why, "a command panicked; the drive is out of use");
        self.shared.fail(&why);
        // A volume that was left in the middle of something may panic again.
        drop(catch_unwind(AssertUnwindSafe(|| drop(self.volume.take()))));
        (self.on_failure)(why);
        None
    }

    fn carry_out(&mut self, command: Command) -> Result<(), Panic> {
        static MOUNTS: AtomicU64 = AtomicU64::new(1);
        let Self { shared, volume, .. } = self;
        match command {
            Command::Mount { mount, done } => answering(done, || {
                shared.mount.store(0, Ordering::Release);
                drop(volume.take());
                *volume = Some(mount()?);
                let number = MOUNTS.fetch_add(1, Ordering::Relaxed);
                shared.mount.store(number, Ordering::Release);
                Ok(())
            }),
            Command::Unmount { after, done } => answering(done, || {
                shared.mount.store(0, Ordering::Release);
                drop(volume.take());
                after()
            }),
            Command::Run { pass, job } => match (check(pass.as_ref(), shared), volume) {
                (Err(gone), _) => job(Err(gone)),
                (Ok(()), Some(volume)) => job(Ok(volume.as_mut())),
                (Ok(()), None) => job(Err(remounted(shared))),
            },
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

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
        .to_owned()
}
