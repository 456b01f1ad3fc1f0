//! The task that owns the scheduler: turns messages into events of the core, and its effects into work on drives'
//! threads and in the catalogue. Decides nothing itself.

use super::allocation::{Allocation, Seat};
use super::describe::describe;
use super::leases::{LeaseBook, keep};
use super::mounting::{Trouble, bring, compare, mount, say, take_out, unmount};
use super::report::{Finding, failure, write_down};
use super::{AllocateError, Answer, Context, Guest, Known, Message, Reported};
use crate::core::drive::DriveId;
use crate::core::request::{AllocationId, Grant, Refusal};
use crate::core::scheduler::{Cause, Effect, Event, Scheduler};
use crate::ldm::MediaError;
use crate::worker::{LeaseGuard, Worker};
use dss::catalogue::CatalogueError;
use dss::model::{Medium, MediumId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, WeakUnboundedSender};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How often the core is told that time passes.
const TICK: Duration = Duration::from_secs(5);

struct Owner {
    scheduler: Scheduler,
    context: Arc<Context>,
    desk: WeakUnboundedSender<Message>,
    started: Instant,
    rows: BTreeMap<MediumId, Medium>,
    workers: BTreeMap<DriveId, Worker>,
    /// The drive that each tape was in last, for what is told of it when it is out already.
    lately: BTreeMap<MediumId, DriveId>,
    /// Cartridges that are brought into a drive as they are, by who asked for them.
    guests: BTreeMap<AllocationId, Guest>,
    leases: Arc<LeaseBook>,
    /// Leases on their way back; the next request for one waits for it.
    returning: BTreeMap<MediumId, JoinHandle<()>>,
    asking: BTreeMap<AllocationId, oneshot::Sender<Answer>>,
    granted: BTreeMap<AllocationId, watch::Sender<bool>>,
    troubles: BTreeMap<MediumId, Trouble>,
    /// What the core found out about media and drives, and the catalogue is to know.
    findings: Vec<Finding>,
    stopping: Vec<oneshot::Sender<()>>,
    stopped: bool,
}

/// Starts the owner and the renewal of leases.
pub(super) fn start(context: Arc<Context>, desk: WeakUnboundedSender<Message>, inbox: UnboundedReceiver<Message>) {
    let leases = Arc::new(LeaseBook::default());
    let renewal = tokio::spawn(keep(Arc::clone(&context), Arc::clone(&leases), desk.clone()));
    let owner = Owner {
        scheduler: Scheduler::new(),
        context,
        desk,
        started: Instant::now(),
        rows: BTreeMap::new(),
        workers: BTreeMap::new(),
        lately: BTreeMap::new(),
        guests: BTreeMap::new(),
        leases,
        returning: BTreeMap::new(),
        asking: BTreeMap::new(),
        granted: BTreeMap::new(),
        troubles: BTreeMap::new(),
        findings: Vec::new(),
        stopping: Vec::new(),
        stopped: false,
    };
    tokio::spawn(async move {
        owner.serve(inbox).await;
        renewal.abort();
    });
}

impl Owner {
    async fn serve(mut self, mut inbox: UnboundedReceiver<Message>) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        while !self.stopped {
            tokio::select! {
                // A tick comes once in its period, so it cannot keep a message waiting; messages that never end could
                // keep it from coming at all.
                biased;
                _ = ticks.tick() => self.tell(Event::Tick),
                message = inbox.recv() => match message {
                    Some(message) => self.hear(message),
                    None => return,
                },
            }
        }
        inbox.close();
        for (_, returning) in std::mem::take(&mut self.returning) {
            // A lease that could not be given back ends by itself.
            let _ = returning.await;
        }
        self.workers.clear();
        for waiting in self.stopping.drain(..) {
            reply(waiting, ());
        }
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Event(Event::Release(id)) => self.end(id, Event::Release(id)),
            Message::Event(Event::Cancel(id)) => self.end(id, Event::Cancel(id)),
            Message::Event(event) => self.tell(event),
            Message::Allocate(id, request, answer) => {
                self.asking.insert(id, answer);
                self.tell(Event::Submit(id, request));
            }
            Message::Trouble(medium, trouble) => {
                self.troubles.insert(medium, trouble);
            }
            Message::Waiting(answer) => {
                let (scheduler, now) = (&self.scheduler, self.started.elapsed());
                let all = scheduler.waiting().map(|waiting| describe(scheduler, waiting, now));
                reply(answer, all.collect());
            }
            Message::Failed(medium, error, answer) => self.failed(medium, &error, answer),
            Message::Drive(medium, answer) => {
                let drive = self.scheduler.drive_of(&medium);
                reply(answer, drive.map(|drive| self.scheduler.drive_status(&drive)));
            }
            Message::Drives(answer) => reply(answer, self.scheduler.drive_list()),
            Message::Serving(answer) => reply(answer, self.scheduler.serving()),
            Message::Guest(id, guest) => self.welcome(id, *guest),
            Message::Stop(answer) => {
                self.stopping.push(answer);
                self.tell(Event::Stop);
            }
        }
    }

    /// Whoever asked under this id has the cartridge mounted as it is, and nobody else has.
    fn welcome(&mut self, id: AllocationId, guest: Guest) {
        let row = guest.row.clone();
        self.guests.insert(id, guest);
        self.tell(Event::MediumSeen(row));
    }

    /// A request or an allocation ends. What a guest leaves mounted is nothing that the next one can use, and is distrusted
    /// before anybody can be granted it.
    fn end(&mut self, id: AllocationId, event: Event) {
        let guest = self.guests.remove(&id);
        if let Some(guest) = &guest {
            self.tell(Event::Distrust(guest.row.id));
        }
        self.tell(event);
        if let Some(guest) = guest.filter(|guest| guest.known == Known::No) {
            self.forget(guest.row.id);
        }
    }

    fn forget(&mut self, medium: MediumId) {
        self.rows.remove(&medium);
        self.tell(Event::MediumGone(medium));
    }

    /// The guest that a medium is in a drive for, or on its way there. What it claims nobody else does.
    fn guest_of(&self, medium: MediumId) -> Option<&Guest> {
        let here = |id: &AllocationId| self.granted.contains_key(id) || self.scheduler.prepares(*id);
        let mut guests = self.guests.iter();
        let found = guests.find(|(id, guest)| guest.row.id == medium && here(id));
        found.map(|(_, guest)| guest)
    }

    /// A medium failed: the core judges, the catalogue is told, then whoever told it is.
    fn failed(&mut self, medium: MediumId, error: &MediaError, answer: oneshot::Sender<Reported>) {
        // What fails with a cartridge as it is, is told to whoever brought it.
        let row = self.rows.get(&medium).filter(|_| self.guest_of(medium).is_none());
        let evidence = row.and_then(|row| {
            let drive = self.scheduler.drive_of(row);
            failure(row, drive.or_else(|| self.lately.get(&medium).cloned())?, error)
        });
        let reported = match evidence {
            None => Reported::NoEvidence,
            Some(failure) => {
                let drive = failure.drive.clone();
                self.tell(Event::Failed(failure));
                match self.scheduler.verdict(medium, &drive) {
                    (Some(why), _) => Reported::Medium(why),
                    (None, Some(why)) => Reported::Drive(why),
                    (None, None) => Reported::Counted,
                }
            }
        };
        let findings = std::mem::take(&mut self.findings);
        let (context, desk) = (Arc::clone(&self.context), self.desk.upgrade());
        tokio::spawn(async move {
            write_down(context, desk, findings).await;
            reply(answer, reported);
        });
    }

    fn tell(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            self.note(&event);
            for effect in self.scheduler.on(event, self.started.elapsed()) {
                tracing::debug!(?effect, "scheduler");
                events.extend(self.act(effect));
            }
        }
    }

    /// Keeps what the shell needs to know itself.
    fn note(&mut self, event: &Event) {
        match event {
            Event::MediumChanged(row) | Event::MediumSeen(row) => {
                self.rows.insert(row.id, row.clone());
            }
            Event::Cancel(id) | Event::Release(id) => {
                self.asking.remove(id);
                self.granted.remove(id);
            }
            Event::Submit(..)
            | Event::Loaded { .. }
            | Event::LoadFailed { .. }
            | Event::Unloaded(_)
            | Event::DriveFailed { .. }
            | Event::SpaceProbed { .. }
            | Event::MediumGone(_)
            | Event::Distrust(_)
            | Event::Reopened(_)
            | Event::Failed(_)
            | Event::LeaseTaken(..)
            | Event::LeaseFailed(..)
            | Event::LeaseLost(_)
            | Event::Library(_)
            | Event::DriveLock { .. }
            | Event::LetGo(_)
            | Event::Tick
            | Event::Stop => {}
        }
    }

    /// Does what the core decided. Long work goes to tasks; what is known at once is answered as an event.
    fn act(&mut self, effect: Effect) -> Option<Event> {
        match effect {
            Effect::Load { drive, medium } => return self.load(drive, medium),
            Effect::Unload(drive) => self.unload(drive),
            Effect::ProbeSpace { id, drive, medium } => self.probe(id, &drive, medium),
            Effect::TakeLease(medium) => self.take_lease(medium),
            Effect::ReleaseLease(medium) => self.release_lease(medium),
            Effect::Grant(grant) => self.grant(grant),
            Effect::Refuse { id, refusal, cause } => {
                self.refuse(id, refusal, cause);
                let guest = self.guests.remove(&id).filter(|guest| guest.known == Known::No)?;
                self.rows.remove(&guest.row.id);
                return Some(Event::MediumGone(guest.row.id));
            }
            Effect::Suspect { medium, why } => self.findings.push(Finding::Suspect(medium, why)),
            Effect::DriveOut { drive, why } => self.findings.push(Finding::DriveOut(drive, why)),
            Effect::AskYield(id) => {
                if let Some(granted) = self.granted.get(&id) {
                    granted.send_replace(true);
                }
            }
            Effect::Stopped => self.stopped = true,
        }
        None
    }

    /// Runs work that answers with messages.
    fn spawn(&self, work: impl Future<Output = Event> + Send + 'static) {
        let desk = self.desk.clone();
        tokio::spawn(async move {
            let event = work.await;
            if let Some(desk) = desk.upgrade() {
                // Without an owner nobody waits for the answer.
                let _ = desk.send(Message::Event(event));
            }
        });
    }

    fn worker(&mut self, drive: &DriveId) -> std::io::Result<Worker> {
        if let Some(worker) = self.workers.get(drive) {
            return Ok(worker.clone());
        }
        let (desk, failed) = (self.desk.clone(), drive.clone());
        let worker = Worker::start(drive.to_string(), &self.context.settings.drives, move |why| {
            if let Some(desk) = desk.upgrade() {
                // Without an owner nobody uses the drive any more.
                let _ = desk.send(Message::Event(Event::DriveFailed { drive: failed, why }));
            }
        })?;
        self.workers.insert(drive.clone(), worker.clone());
        Ok(worker)
    }

    fn load(&mut self, drive: DriveId, medium: MediumId) -> Option<Event> {
        let worker = match self.worker(&drive) {
            Ok(worker) => worker,
            Err(error) => {
                let why = format!("no thread for it: {error}");
                return Some(Event::LoadFailed { drive, medium, why });
            }
        };
        let context = Arc::clone(&self.context);
        let desk = self.desk.upgrade()?;
        if drive.library().is_some() {
            self.lately.insert(medium, drive.clone());
        }
        if let Some(guest) = self.guest_of(medium) {
            let row = guest.row.clone();
            self.spawn(async move {
                match bring(&context, &desk, &worker, &drive, row).await {
                    Ok(()) => Event::Loaded { drive, medium },
                    Err(error) => {
                        let why = error.to_string();
                        say(&desk, Message::Trouble(medium, Trouble::Media(error)));
                        Event::LoadFailed { drive, medium, why }
                    }
                }
            });
            return None;
        }
        self.spawn(async move {
            let trouble = match context.catalogue.medium_by_id(medium).await {
                Ok(row) => {
                    say(&desk, Message::Event(Event::MediumSeen(row.clone())));
                    let mounted = mount(&context, &desk, &worker, &drive, row.clone()).await;
                    let compared = compare(&context, &desk, &worker, &row, &mounted).await;
                    match (mounted, compared) {
                        (Ok(()), Ok(())) => return Event::Loaded { drive, medium },
                        (Err(trouble), _) => {
                            if let Trouble::Media(error) = &trouble {
                                // Nobody waits for the verdict.
                                say(&desk, Message::Failed(medium, error.clone(), oneshot::channel().0));
                            }
                            trouble
                        }
                        (Ok(()), Err(error)) => {
                            // Nobody may use it before it was compared.
                            take_out(&context, &desk, &worker, &drive).await;
                            Trouble::Catalogue(error)
                        }
                    }
                }
                Err(error) => Trouble::Catalogue(error),
            };
            let why = trouble.words();
            say(&desk, Message::Trouble(medium, trouble));
            Event::LoadFailed { drive, medium, why }
        });
        None
    }

    fn unload(&mut self, drive: DriveId) {
        let Some(worker) = self.workers.get(&drive).cloned() else {
            return;
        };
        // A directory's own drive has no work until it is loaded again; its thread need not wait for that.
        if matches!(drive, DriveId::Own(_)) {
            self.workers.remove(&drive);
        }
        let (context, medium) = (Arc::clone(&self.context), self.scheduler.drive_status(&drive).medium);
        let Some(desk) = self.desk.upgrade() else { return };
        self.spawn(async move {
            let why = match unmount(&context, &worker, &drive).await {
                Ok(Ok(())) => return Event::Unloaded(drive),
                Ok(Err(error)) => {
                    let why = error.to_string();
                    if let Some(medium) = medium {
                        // Nobody waits for the verdict.
                        say(&desk, Message::Failed(medium, error, oneshot::channel().0));
                    }
                    why
                }
                Err(gone) => gone.to_string(),
            };
            Event::DriveFailed { drive, why }
        });
    }

    fn probe(&self, id: AllocationId, drive: &DriveId, medium: MediumId) {
        let (worker, drive) = (self.workers.get(drive).cloned(), drive.clone());
        self.spawn(async move {
            let answer = match worker {
                Some(worker) => worker
                    .ask(|volume| volume.space())
                    .await
                    .map_err(|gone| gone.to_string()),
                None => Err("its drive has no thread".into()),
            };
            let free = answer.and_then(|space| space.map(|space| space.free).map_err(|error| error.to_string()));
            Event::SpaceProbed {
                id,
                drive,
                medium,
                free,
            }
        });
    }

    fn take_lease(&mut self, medium: MediumId) {
        if self
            .guests
            .values()
            .any(|guest| guest.row.id == medium && guest.known == Known::No)
        {
            let no_row = "the catalogue does not know it".to_owned();
            self.spawn(async move { Event::LeaseFailed(medium, no_row) });
            return;
        }
        let (context, leases) = (Arc::clone(&self.context), Arc::clone(&self.leases));
        let returning = self.returning.remove(&medium);
        let Some(desk) = self.desk.upgrade() else { return };
        self.spawn(async move {
            if let Some(returning) = returning {
                // A lease that could not be given back is ours to take again.
                let _ = returning.await;
            }
            match leases.take(&context, medium).await {
                Ok(epoch) => Event::LeaseTaken(medium, epoch),
                Err(error) => {
                    let why = error.to_string();
                    say(&desk, Message::Trouble(medium, Trouble::Catalogue(error)));
                    Event::LeaseFailed(medium, why)
                }
            }
        });
    }

    fn release_lease(&mut self, medium: MediumId) {
        let Some(lease) = self.leases.end(medium) else { return };
        let context = Arc::clone(&self.context);
        let returning = tokio::spawn(async move {
            if let Err(error) = context.catalogue.release_lease(&lease).await {
                tracing::warn!(resource = %lease.resource.key(), %error, "the lease was not given back; it ends by itself");
            }
        });
        self.returning.retain(|_, of| !of.is_finished());
        self.returning.insert(medium, returning);
    }

    fn grant(&mut self, grant: Grant) {
        let id = grant.id;
        let Some(desk) = self.desk.upgrade() else { return };
        let Some(answer) = self.asking.remove(&id) else { return };
        let drives: BTreeMap<MediumId, DriveId> = self
            .scheduler
            .held(id)
            .iter()
            .map(|claim| (claim.medium, claim.drive.clone()))
            .collect();
        let written: BTreeSet<MediumId> = grant
            .writes
            .iter()
            .chain(&grant.exclusive)
            .map(|of| of.medium)
            .collect();
        let used = grant.reads.iter().map(|of| of.medium).chain(written.iter().copied());
        let seats = used.collect::<BTreeSet<_>>().into_iter().map(|medium| {
            let row = self
                .rows
                .get(&medium)
                .expect("the row of a granted medium was seen")
                .clone();
            let drive = drives[&medium].clone();
            let worker = self.workers.get(&drive).expect("a granted medium is mounted").clone();
            // A lease that was lost since is as good as one that has ended.
            let guard = || {
                self.leases
                    .guard(medium)
                    .unwrap_or_else(|| LeaseGuard::until(self.started))
            };
            let lease = written.contains(&medium).then(guard);
            let seat = Seat {
                row,
                drive,
                worker,
                lease,
            };
            (medium, seat)
        });
        let seats = seats.collect();
        let (asked, yielding) = watch::channel(false);
        self.granted.insert(id, asked);
        let allocation = Allocation::new(grant, seats, yielding, Arc::clone(&self.context), desk);
        // Whoever asked may have gone; the allocation then releases itself.
        let _ = answer.send(Ok(allocation));
    }

    fn refuse(&mut self, id: AllocationId, refusal: Refusal, cause: Option<Cause>) {
        let Some(answer) = self.asking.remove(&id) else { return };
        let trouble = cause.and_then(|cause| match cause {
            Cause::Load(medium) | Cause::Lease(medium) => self.troubles.remove(&medium),
        });
        let error = match trouble {
            Some(Trouble::Media(error)) => AllocateError::Media(error),
            Some(Trouble::Catalogue(CatalogueError::LeaseHeld { .. })) | None => AllocateError::Refused(refusal),
            Some(Trouble::Catalogue(error)) => AllocateError::Catalogue(error),
        };
        reply(answer, Err(error));
    }
}

/// Answers whoever asked, who may have gone.
fn reply<T>(to: oneshot::Sender<T>, with: T) {
    let _ = to.send(with);
}
