//! Everything that outlives a process: the platters, the catalogue, the age clock, the ids given, and what clients were
//! told. It hears of every call on a disk and on the catalogue and of every step of a job, and can note itself there, so
//! that one undisturbed run gives every instant at which the run could have ended.

use crate::chance::{Chance, mix};
use crate::platter::Platter;
use crate::robot::{Hears, Robot, Then, words};
use dss::mem::MemCatalogue;
use dss::model::{CatalogueId, Checkpoints, Step};
use jiff::Timestamp;
use lrs::ldm::disk::DiskResult;
use lrs::service::AgeClock;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time;
use uuid::{Builder, Uuid};

/// When every simulation begins, in milliseconds since 1970.
const BEGINNING: i64 = 1_700_000_000_000;

/// How long after a crash respoold is there again.
const RESTART: Duration = Duration::from_secs(5);

/// What clients were told, and what they asked for without an answer.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// Puts acknowledged.
    pub stored: BTreeSet<String>,
    /// Deletions asked for, answered or not.
    pub deleting: BTreeSet<String>,
    /// Deletions acknowledged.
    pub deleted: BTreeSet<String>,
    /// Undeletions asked for, answered or not.
    pub undeleting: BTreeSet<String>,
    /// Undeletions acknowledged.
    pub undeleted: BTreeSet<String>,
    /// Deleted ones whose window is over or about to be.
    pub ending: BTreeSet<String>,
}

#[derive(Clone)]
struct Matter {
    disks: BTreeMap<String, Platter>,
    /// The tape library, where there is one.
    robot: Option<Robot>,
    told: Told,
    /// The age clock, but for what passed in the present life.
    age: Duration,
    seed: u64,
    /// How many ids were given.
    ids: u64,
}

/// One instant of a run.
pub struct Instant {
    matter: Matter,
    catalogue: MemCatalogue,
    id: CatalogueId,
    /// What was about to happen, or had just happened.
    pub before: String,
    /// Whether anything that outlives the process is other than at the instant noted before.
    pub changed: bool,
}

/// How a life ends.
#[derive(Clone, Copy, Debug)]
pub enum Crash {
    /// The process alone, as by SIGKILL.
    Kill,
    /// The host; this seed chooses what is left of what was not durable.
    Power(u64),
    /// The host, and nothing is left of it.
    Worst,
}

struct Inner {
    matter: Matter,
    /// When the present life began, on its own clock.
    life: Option<time::Instant>,
    noted: Option<Vec<Instant>>,
    /// Whether something changed since the last instant was noted.
    changed: bool,
    trace: Option<Vec<String>>,
    /// So many commands to drives are still to come before one of them finds its drive reset.
    reset: Option<usize>,
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
        if let Some(universe) = self.0.upgrade() {
            let mut inner = universe.inner();
            inner.write(|| step.as_str().to_owned());
            if !step.as_str().ends_with(".before_commit") {
                universe.note(&mut inner, || step.as_str().to_owned());
            }
        }
    }
}

impl Universe {
    pub fn new(seed: u64) -> Arc<Self> {
        let id = CatalogueId(Uuid::from_u128(u128::from(seed) | 7 << 76));
        let matter = Matter {
            disks: BTreeMap::new(),
            robot: None,
            told: Told::default(),
            age: Duration::ZERO,
            seed,
            ids: 0,
        };
        Self::of(matter, id, |steps| MemCatalogue::new(id, true, steps))
    }

    /// Goes on after a crash at an instant.
    pub fn after(instant: &Instant, crash: Crash) -> Arc<Self> {
        let mut matter = instant.matter.clone();
        matter.age += RESTART;
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
        matter.robot = matter.robot.map(|robot| robot.after(crash));
        Self::of(matter, instant.id, |steps| instant.catalogue.snapshot(steps))
    }

    fn of(matter: Matter, id: CatalogueId, catalogue: impl FnOnce(Arc<dyn Checkpoints>) -> MemCatalogue) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            catalogue: Arc::new(catalogue(Arc::new(Steps(me.clone())))),
            id,
            inner: Mutex::new(Inner {
                matter,
                life: None,
                noted: None,
                changed: true,
                trace: None,
                reset: None,
            }),
        })
    }

    pub fn checkpoints(self: &Arc<Self>) -> Arc<dyn Checkpoints> {
        Arc::new(Steps(Arc::downgrade(self)))
    }

    /// The seed of everything that depends on chance in the present life.
    pub fn seed(&self) -> u64 {
        let inner = self.inner();
        mix(inner.matter.seed, inner.matter.ids)
    }

    /// Called in the runtime of a life, before anything else.
    pub fn begin_life(&self) {
        self.inner().life = Some(time::Instant::now());
    }

    /// Called in the runtime of a life, after everything else.
    pub fn end_life(&self) {
        let mut inner = self.inner();
        inner.matter.age = inner.age();
        inner.life = None;
    }

    /// An id that was never given: after all that were, and told apart by the seed.
    pub fn fresh_id(&self) -> Uuid {
        let mut inner = self.inner();
        inner.matter.ids += 1;
        let (number, seed) = (inner.matter.ids, inner.matter.seed);
        let random = [mix(seed, number), mix(!seed, number)].map(u64::to_be_bytes).concat();
        let tail: [u8; 10] = random[..10].try_into().expect("there are sixteen");
        Builder::from_unix_timestamp_millis(BEGINNING as u64 + number, &tail).into_uuid()
    }

    pub fn add_disk(&self, name: &str) {
        self.inner().matter.disks.insert(name.to_owned(), Platter::default());
    }

    pub fn add_robot(&self, drives: u16) {
        self.inner().matter.robot = Some(Robot::new(drives));
    }

    /// The tape library itself, if there is one.
    pub fn robot(&self) -> Option<Robot> {
        self.inner().matter.robot.as_ref().map(Robot::itself)
    }

    /// The power of the drive that gets the n-th command from now on goes before it, and comes back.
    pub fn reset_before(&self, number: usize) {
        self.inner().reset = Some(number);
    }

    /// Whether that has not happened.
    pub fn awaits_reset(&self) -> bool {
        self.inner().reset.is_some()
    }

    /// Brings a disk from another universe, as it lies there.
    pub fn take_disk(&self, from: &Self, name: &str) {
        let platter = from.quietly(name, |platter| platter.clone().killed());
        self.inner().matter.disks.insert(name.to_owned(), platter);
    }

    /// The bytes of a file, told to nobody; None where there is no such file.
    pub fn content(&self, disk: &str, path: &str) -> Option<Vec<u8>> {
        self.quietly(disk, |platter| platter.content(path).ok()?.map(<[u8]>::to_vec))
    }

    pub fn has_disk(&self, name: &str) -> bool {
        self.inner().matter.disks.contains_key(name)
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

    pub fn begin_trace(&self) {
        self.inner().trace = Some(Vec::new());
    }

    /// Everything that happened since: when, and what.
    pub fn end_trace(&self) -> Vec<String> {
        self.inner().trace.take().unwrap_or_default()
    }

    pub fn told(&self) -> Told {
        self.inner().matter.told.clone()
    }

    pub fn tell(&self, what: impl FnOnce(&mut Told)) {
        let mut inner = self.inner();
        inner.changed = true;
        what(&mut inner.matter.told);
    }

    /// One call on a disk, which may change what lies there.
    pub fn call<T>(
        &self,
        disk: &str,
        (what, at): (&str, &str),
        effect: Effect,
        work: impl FnOnce(&mut Platter) -> DiskResult<T>,
    ) -> DiskResult<T> {
        let mut inner = self.inner();
        inner.write(|| format!("{disk}: {what} {at}"));
        self.note(&mut inner, || format!("{disk}: {what} {at}"));
        inner.changed |= effect == Effect::Change;
        let answer = work(inner.matter.disks.get_mut(disk).expect("a disk that was added"));
        if let Err(error) = &answer {
            inner.write(|| format!("{disk}: {what} {at}: {error}"));
        }
        answer
    }

    /// A call that no instant is worth noting for.
    pub fn quietly<T>(&self, disk: &str, work: impl FnOnce(&mut Platter) -> T) -> T {
        work(self.inner().matter.disks.get_mut(disk).expect("a disk that was added"))
    }

    /// Something happens after this that is neither a call on a disk nor a step: a call on the catalogue, say.
    pub fn happens(&self, effect: Effect, what: impl Fn() -> String) {
        let mut inner = self.inner();
        inner.write(&what);
        self.note(&mut inner, what);
        inner.changed |= effect == Effect::Change;
    }

    /// Adds a line to the trace, if one is kept.
    pub fn write(&self, what: impl FnOnce() -> String) {
        self.inner().write(what);
    }

    fn note(&self, inner: &mut Inner, what: impl FnOnce() -> String) {
        if inner.noted.is_none() {
            return;
        }
        let instant = self.instant(inner, what());
        inner.changed = false;
        inner.noted.get_or_insert_default().push(instant);
    }

    fn instant(&self, inner: &Inner, before: String) -> Instant {
        let mut matter = inner.matter.clone();
        matter.age = inner.age();
        Instant {
            matter,
            catalogue: self.catalogue.snapshot(Arc::new(dss::model::NoDrill)),
            id: self.id,
            before,
            changed: inner.changed,
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A command to a drive or to the arm may be the last one.
impl Hears for Universe {
    fn before(&self, device: &str, cdb: &[u8]) -> Then {
        let mut inner = self.inner();
        let what = || format!("{device}: {}", words(cdb));
        inner.write(what);
        self.note(&mut inner, what);
        let effect = inner.matter.robot.as_ref().map(|robot| robot.effect(cdb));
        inner.changed |= effect == Some(Effect::Change);
        if let (Some(left), Some(number)) = (inner.reset, device.strip_prefix("drv")) {
            inner.reset = left.checked_sub(1);
            if let (0, Some(robot)) = (left, &inner.matter.robot) {
                robot
                    .model()
                    .drive_power_cut(number.parse().expect("drives are numbered"));
                inner.write(|| format!("{device}: its power goes, and comes back"));
            }
        }
        Then::GoOn
    }
}

/// Whether a call may change anything that outlives the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Look,
    Change,
}

impl Inner {
    fn age(&self) -> Duration {
        self.matter.age + self.life.map_or(Duration::ZERO, |begun| begun.elapsed())
    }

    fn write(&mut self, what: impl FnOnce() -> String) {
        let age = self.age();
        if let Some(trace) = &mut self.trace {
            trace.push(format!("{:10.3} {}", age.as_secs_f64(), what()));
        }
    }
}

impl AgeClock for Universe {
    /// The time of the life's own clock, which goes on from where the life before it ended.
    fn now(&self) -> Timestamp {
        let age = i64::try_from(self.inner().age().as_micros()).expect("a short time");
        Timestamp::from_microsecond(BEGINNING * 1_000 + age).expect("a time near ours")
    }
}
