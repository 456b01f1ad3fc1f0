//! The scheduler's handle. It asks, an owner task ([`owner`]) decides with the core and acts; this is the only way to
//! media for stores and engines.

mod allocation;
mod describe;
mod leases;
mod mounting;
mod owner;
mod report;

pub use crate::worker::{DriveGone, DriveHandle, Drives, LeaseGuard, Pace};
pub use allocation::Allocation;

pub use crate::core::status::DriveStatus;
pub use report::Reported;

use crate::core::drive::DriveId;
use crate::core::library::LibraryFacts;
use crate::core::request::{AllocationId, Priority, Refusal, Request};
use crate::core::scheduler::Event;
use crate::ldm::disk::Disk;
use crate::ldm::fs::{Volume, dir};
use crate::ldm::{MediaError, MediaResult};
use dss::catalogue::{Catalogue, CatalogueError};
use dss::model::{Family, Holder, Medium, MediumId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinError;

/// The most requests that wait at once; more wait outside, in the order of their coming.
pub const REQUESTS_MAX: usize = 1024;

/// Up to so many media are read from the catalogue one by one.
const ROWS_ONE_BY_ONE: usize = 16;

/// Who asks for leases and for how long, and who serves the drives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This life of this respoold.
    pub holder: Holder,
    /// How long a lease holds unless renewed.
    pub lease_seconds: u32,
    /// How long another holder waits beyond a lease's end.
    pub margin_seconds: u32,
    /// Who carries out the drives' commands.
    pub drives: Drives,
}

/// Where a medium is mounted, and what is known of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Berth {
    /// In this drive.
    pub drive: DriveId,
    /// tape: the block behind the last one that the catalogue knows to be durable; 0 for directories.
    pub durable_end: u64,
}

/// Finds a medium where the catalogue says it is, checks its label and opens it. Blocks; runs where the drive is served.
pub trait Mounter: Send + Sync {
    /// Opens a medium. One found *erasing* may have the row's generation or the one before. A tape is brought into the
    /// drive of its berth first, unless it is there already, as it is when it is mounted again.
    fn mount(&self, medium: &Medium, berth: &Berth) -> MediaResult<Box<dyn Volume>>;

    /// Takes the medium out of a drive after its volume was closed, or after a mount that failed and may have left it
    /// there. Nothing in it is success. Directories have nothing to do.
    fn unmount(&self, _drive: &DriveId) -> MediaResult<()> {
        Ok(())
    }

    /// Where a person finds what is on a medium, as files: a directory, or the folder of a virtual cartridge.
    fn folder_of(&self, medium: &Medium) -> Option<PathBuf> {
        match medium.family {
            Family::Dir => Some(PathBuf::from(&medium.location.path)),
            Family::Tape => None,
        }
    }

    /// Opens the disk at a path, whatever lies on it: one whose label is not known yet, or is to be written anew.
    fn disk(&self, name: &str, path: &Path) -> MediaResult<Box<dyn Disk>> {
        dir::open_disk(name, path)
    }
}

/// A cartridge that is brought into a drive as it is.
#[derive(Clone, Debug)]
pub struct Guest {
    /// What the scheduler needs to know of it. Mounted as blank, whatever it is.
    pub row: Medium,
    /// Whether the catalogue has it.
    pub known: Known,
}

/// Whether the catalogue has a guest as a medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has not.
    No,
    /// It has, under the id of the row.
    Medium,
}

/// The clock that stamps what goes into the catalogue.
pub trait AgeClock: Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// Why there is no allocation.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// The request cannot be granted, however long one waits.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A medium that the request names could not be mounted.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// The catalogue did not answer.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
}

/// A request that is not granted yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitingRequest {
    /// Its id.
    pub id: AllocationId,
    /// What it is for.
    pub purpose: String,
    /// How urgent it is.
    pub priority: Priority,
    /// How long it has waited.
    pub waited: Duration,
    /// For what, in words.
    pub why: String,
    /// The same taken apart: who holds it, since when, and what happens next.
    pub reasons: Vec<WaitReason>,
}

/// One thing that a request waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WaitReason {
    /// In words.
    pub text: String,
    /// What holds it, if somebody does.
    pub held_by: Option<String>,
    /// For how long.
    pub held_for: Option<Duration>,
    /// How long ago its holder was asked to give way, if it was.
    pub yield_asked: Option<Duration>,
    /// What happens next.
    pub next: String,
}

type Answer = Result<Allocation, AllocateError>;

/// What the owner is told.
enum Message {
    Event(Event),
    Allocate(AllocationId, Request, oneshot::Sender<Answer>),
    /// A failed operation on a medium, kept for the refusal that follows from it.
    Trouble(MediumId, mounting::Trouble),
    Waiting(oneshot::Sender<Vec<WaitingRequest>>),
    /// A medium failed in its drive; the answer comes when the catalogue knows what follows.
    Failed(MediumId, MediaError, oneshot::Sender<Reported>),
    Drive(Box<Medium>, oneshot::Sender<Option<DriveStatus>>),
    Drives(oneshot::Sender<Vec<DriveStatus>>),
    /// How many drives of each library serve.
    Serving(oneshot::Sender<BTreeMap<String, usize>>),
    /// What is asked for under this id is to be brought into a drive as it is.
    Guest(AllocationId, Box<Guest>),
    Stop(oneshot::Sender<()>),
}

/// The owner's inbox. Unbounded, because a release must never wait; what it holds is bounded by [`REQUESTS_MAX`], the
/// allocations granted and one operation for each drive and lease.
type Desk = mpsc::UnboundedSender<Message>;

/// What the shell needs to act.
struct Context {
    settings: Settings,
    catalogue: Arc<dyn Catalogue>,
    mounter: Arc<dyn Mounter>,
    clock: Arc<dyn AgeClock>,
}

/// The Local Resource Scheduler. Clones are the same one; it ends with the last of them, in order with [`Lrs::stop`].
#[derive(Clone)]
pub struct Lrs {
    desk: Desk,
    context: Arc<Context>,
    next: Arc<AtomicU64>,
    room: Arc<Semaphore>,
}

impl Lrs {
    /// Starts the scheduler's tasks in the current tokio runtime.
    pub fn start(
        settings: Settings,
        catalogue: Arc<dyn Catalogue>,
        mounter: Arc<dyn Mounter>,
        clock: Arc<dyn AgeClock>,
    ) -> Self {
        let (desk, inbox) = mpsc::unbounded_channel();
        let context = Arc::new(Context {
            settings,
            catalogue,
            mounter,
            clock,
        });
        owner::start(Arc::clone(&context), desk.downgrade(), inbox);
        Self {
            desk,
            context,
            next: Arc::new(AtomicU64::new(1)),
            room: Arc::new(Semaphore::new(REQUESTS_MAX)),
        }
    }

    /// Waits until all that is asked can be had at once, and takes it. The request is cancelled when the future is
    /// dropped.
    pub async fn allocate(&self, request: Request) -> Result<Allocation, AllocateError> {
        self.refresh(&request).await?;
        self.request(request, None).await
    }

    async fn request(&self, request: Request, guest: Option<Guest>) -> Result<Allocation, AllocateError> {
        let _room = self.room.acquire().await.expect("the semaphore is never closed");
        let id = AllocationId(self.next.fetch_add(1, Ordering::Relaxed));
        let (answer, decided) = oneshot::channel();
        let cancel = CancelOnDrop { id, desk: &self.desk };
        let stopping = || AllocateError::Refused(Refusal::Stopping);
        if let Some(guest) = guest {
            // Without an owner the request below is refused.
            let _ = self.desk.send(Message::Guest(id, Box::new(guest)));
        }
        let sent = self.desk.send(Message::Allocate(id, request, answer));
        sent.map_err(|_| stopping())?;
        let outcome = decided.await.unwrap_or_else(|_| Err(stopping()));
        // An answer came: an allocation cancels itself when it is dropped.
        std::mem::forget(cancel);
        outcome
    }

    /// Has the scheduler know a request's media as the catalogue does now.
    async fn refresh(&self, request: &Request) -> Result<(), CatalogueError> {
        let candidates = request.writes.iter().flat_map(|want| &want.candidates);
        let ids: BTreeSet<MediumId> = request
            .reads
            .iter()
            .chain(&request.exclusive)
            .chain(candidates)
            .copied()
            .collect();
        if ids.len() <= ROWS_ONE_BY_ONE {
            for id in ids {
                let event = self.look_up(id, Event::MediumSeen).await?;
                self.tell(event);
            }
            return Ok(());
        }
        let mut gone = ids;
        for row in self.context.catalogue.media().await? {
            if gone.remove(&row.id) {
                self.tell(Event::MediumSeen(row));
            }
        }
        gone.into_iter().for_each(|id| self.tell(Event::MediumGone(id)));
        Ok(())
    }

    async fn look_up(&self, id: MediumId, found: impl FnOnce(Medium) -> Event) -> Result<Event, CatalogueError> {
        match self.context.catalogue.medium_by_id(id).await {
            Ok(row) => Ok(found(row)),
            Err(CatalogueError::NotFound { .. }) => Ok(Event::MediumGone(id)),
            Err(error) => Err(error),
        }
    }

    /// Reads a medium's row again: to be called after a medium was added, changed, erased or swept. Requests that gave
    /// it up try it again.
    pub async fn medium_changed(&self, id: MediumId) -> Result<(), CatalogueError> {
        let event = self.look_up(id, Event::MediumChanged).await?;
        self.tell(event);
        Ok(())
    }

    /// What the request with this purpose waits for, in words; None when no such request waits.
    pub async fn explain(&self, purpose: &str) -> Option<String> {
        let waiting = self.waiting().await;
        waiting.into_iter().find(|of| of.purpose == purpose).map(|of| of.why)
    }

    /// The requests that wait, in the order in which they are served.
    pub async fn waiting(&self) -> Vec<WaitingRequest> {
        let (answer, list) = oneshot::channel();
        match self.desk.send(Message::Waiting(answer)) {
            Ok(()) => list.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// What the drive of a medium is doing: of a tape the one that it is in, or on its way in or out of. None when it is in
    /// none, or the scheduler is gone.
    pub async fn drive_of(&self, medium: &Medium) -> Option<DriveStatus> {
        let (answer, status) = oneshot::channel();
        let question = Message::Drive(Box::new(medium.clone()), answer);
        self.desk.send(question).ok()?;
        status.await.ok()?
    }

    /// What all drives that are known are doing, those of every library included, in order.
    pub async fn drives(&self) -> Vec<DriveStatus> {
        let (answer, list) = oneshot::channel();
        match self.desk.send(Message::Drives(answer)) {
            Ok(()) => list.await.unwrap_or_default(),
            Err(_) => Vec::new(),
        }
    }

    /// How many drives of each library serve, locked and failed ones left out.
    pub async fn library_drives(&self) -> BTreeMap<String, usize> {
        let (answer, counts) = oneshot::channel();
        match self.desk.send(Message::Serving(answer)) {
            Ok(()) => counts.await.unwrap_or_default(),
            Err(_) => BTreeMap::new(),
        }
    }

    /// Brings a cartridge into a drive as it is: what is on it is neither read nor compared. One that is a medium is nobody
    /// else's meanwhile, and is mounted anew for whoever comes next. A volume may be mounted of it still: whoever brought it
    /// unmounts that first.
    pub async fn visit(&self, guest: Guest, purpose: String) -> Result<Allocation, AllocateError> {
        let medium = guest.row.id;
        let (reads, exclusive) = match guest.known {
            Known::No => (vec![medium], vec![]),
            Known::Medium => (vec![], vec![medium]),
        };
        let request = Request {
            purpose,
            priority: Priority::Put,
            reads,
            writes: vec![],
            exclusive,
        };
        self.request(request, Some(guest)).await
    }

    /// A library was added, or its drives changed: replaces what was known of it.
    pub fn library(&self, facts: LibraryFacts) {
        self.tell(Event::Library(facts));
    }

    /// Locks a drive, with the reason, or unlocks it: nobody new gets it, and who uses it is asked to give way.
    pub fn lock_drive(&self, drive: DriveId, locked: Option<String>) {
        self.tell(Event::DriveLock { drive, locked });
    }

    /// Has a medium unloaded as soon as nobody uses it.
    pub fn let_go(&self, medium: MediumId) {
        self.tell(Event::LetGo(medium));
    }

    /// Refuses what waits, asks every allocation to yield, waits until all are released, then unmounts everything and
    /// gives the leases back. Allocations that nobody releases hold it up.
    pub async fn stop(&self) {
        let (answer, stopped) = oneshot::channel();
        if self.desk.send(Message::Stop(answer)).is_ok() {
            // An owner that ended without an answer has stopped, too.
            let _ = stopped.await;
        }
    }

    /// Whoever finds media, for work on a disk in a drive's own closures.
    pub fn mounter(&self) -> Arc<dyn Mounter> {
        Arc::clone(&self.context.mounter)
    }

    /// Has a look at a disk that no drive serves, as drives are served: beside everything else, or as a part of it. An
    /// error is a panic of the look.
    pub async fn look_at<R: Send + 'static>(
        &self,
        name: &str,
        path: &Path,
        look: impl FnOnce(Box<dyn Disk>) -> MediaResult<R> + Send + 'static,
    ) -> Result<MediaResult<R>, JoinError> {
        let (mounter, name, path) = (self.mounter(), name.to_owned(), PathBuf::from(path));
        let look = move || look(mounter.disk(&name, &path)?);
        match &self.context.settings.drives {
            Drives::Threads => tokio::task::spawn_blocking(look).await,
            Drives::Tasks(pace) => {
                tokio::time::sleep(pace.pause("no drive")).await;
                Ok(look())
            }
        }
    }

    fn tell(&self, event: Event) {
        // Without an owner nothing is scheduled any more, and the next question says so.
        let _ = self.desk.send(Message::Event(event));
    }
}

struct CancelOnDrop<'a> {
    id: AllocationId,
    desk: &'a Desk,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        // Without an owner there is nothing to cancel.
        let _ = self.desk.send(Message::Event(Event::Cancel(self.id)));
    }
}
