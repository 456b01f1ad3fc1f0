//! Everything that outlives a process: the platters, the catalogue, the age clock, and what clients were told. It can
//! note itself before every call on a disk and after every step of a job, so that one undisturbed run gives every
//! instant at which the run could have ended.

use crate::chance::{Chance, mix};
use crate::platter::Platter;
use dss::mem::MemCatalogue;
use dss::model::{CatalogueId, Checkpoints, Step};
use jiff::Timestamp;
use lrs::ldm::disk::DiskResult;
use lrs::service::AgeClock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// What clients were told, and what they asked for without an answer.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Puts acknowledged.
    pub stored: BTreeSet<String>,
    /// Deletions asked for, answered or not.
    pub deleting: BTreeSet<String>,
    /// Deletions acknowledged.
    pub deleted: BTreeSet<String>,
}

#[derive(Clone)]
struct Matter {
    disks: BTreeMap<String, Platter>,
    told: Told,
    seconds: i64,
}

/// One instant of a run.
pub struct Instant {
    matter: Matter,
    catalogue: MemCatalogue,
    id: CatalogueId,
    /// What was about to happen, or had just happened.
    pub before: String,
}

/// How a life ends.
#[derive(Clone, Copy, Debug)]
pub enum Crash {
    /// The process alone.
    Kill,
    /// The host; this seed chooses what is left of what was not durable.
    Power(u64),
    /// The host, and nothing is left of it.
    Worst,
}

struct Inner {
    matter: Matter,
    noted: Option<Vec<Instant>>,
}

pub struct Universe {
    pub catalogue: Arc<MemCatalogue>,
    pub id: CatalogueId,
    inner: Mutex<Inner>,
}

/// Notes an instant after a step. Steps before a commit are told under the catalogue's lock, and nothing has changed
/// since the instant before.
struct Steps(Weak<Universe>);

impl Checkpoints for Steps {
    fn reach(&self, step: Step) {
        if let Some(universe) = self.0.upgrade()
            && !step.as_str().ends_with(".before_commit")
        {
            universe.note(&mut universe.inner(), || step.as_str().to_owned());
        }
    }
}

impl Universe {
    pub fn new() -> Arc<Self> {
        let (id, matter) = (
            CatalogueId::fresh(),
            Matter {
                disks: BTreeMap::new(),
                told: Told::default(),
                seconds: 1_700_000_000,
            },
        );
        Self::of(matter, id, |steps| MemCatalogue::new(id, true, steps))
    }

    /// Goes on after a crash at an instant.
    pub fn after(instant: &Instant, crash: Crash) -> Arc<Self> {
        let mut matter = instant.matter.clone();
        let disks = std::mem::take(&mut matter.disks).into_iter();
        matter.disks = (0..)
            .zip(disks)
            .map(|(number, (name, platter))| {
                let left = match crash {
                    Crash::Kill => platter.killed(),
                    Crash::Worst => platter.cut_at_worst(),
                    Crash::Power(seed) => platter.cut(&mut Chance::new(mix(seed, number))),
                };
                (name, left)
            })
            .collect();
        Self::of(matter, instant.id, |steps| instant.catalogue.snapshot(steps))
    }

    fn of(matter: Matter, id: CatalogueId, catalogue: impl FnOnce(Arc<dyn Checkpoints>) -> MemCatalogue) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            catalogue: Arc::new(catalogue(Arc::new(Steps(me.clone())))),
            id,
            inner: Mutex::new(Inner { matter, noted: None }),
        })
    }

    pub fn checkpoints(self: &Arc<Self>) -> Arc<dyn Checkpoints> {
        Arc::new(Steps(Arc::downgrade(self)))
    }

    pub fn add_disk(&self, name: &str) {
        self.inner().matter.disks.insert(name.to_owned(), Platter::default());
    }

    /// The present instant.
    pub fn now(&self, what: &str) -> Instant {
        self.instant(&self.inner(), what.to_owned())
    }

    pub fn begin_noting(&self) {
        self.inner().noted = Some(Vec::new());
    }

    pub fn end_noting(&self) -> Vec<Instant> {
        self.inner().noted.take().unwrap_or_default()
    }

    pub fn told(&self) -> Told {
        self.inner().matter.told.clone()
    }

    pub fn tell(&self, what: impl FnOnce(&mut Told)) {
        what(&mut self.inner().matter.told);
    }

    /// One call on a disk; whoever else calls waits.
    pub fn call<T>(
        &self,
        disk: &str,
        what: &str,
        at: &str,
        work: impl FnOnce(&mut Platter) -> DiskResult<T>,
    ) -> DiskResult<T> {
        let mut inner = self.inner();
        self.note(&mut inner, || format!("{disk}: {what} {at}"));
        work(inner.matter.disks.get_mut(disk).expect("a disk that was added"))
    }

    /// A call that no instant is worth noting for.
    pub fn quietly<T>(&self, disk: &str, work: impl FnOnce(&mut Platter) -> T) -> T {
        work(self.inner().matter.disks.get_mut(disk).expect("a disk that was added"))
    }

    fn note(&self, inner: &mut Inner, what: impl FnOnce() -> String) {
        if inner.noted.is_none() {
            return;
        }
        let instant = self.instant(inner, what());
        inner.noted.get_or_insert_default().push(instant);
    }

    fn instant(&self, inner: &Inner, before: String) -> Instant {
        Instant {
            matter: inner.matter.clone(),
            catalogue: self.catalogue.snapshot(Arc::new(dss::model::NoDrill)),
            id: self.id,
            before,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AgeClock for Universe {
    /// One second later whenever it is asked.
    fn now(&self) -> Timestamp {
        let mut inner = self.inner();
        inner.matter.seconds += 1;
        Timestamp::from_second(inner.matter.seconds).expect("a time near ours")
    }
}
