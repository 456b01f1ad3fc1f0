//! Everything that outlives a life of respoold: the platters and where they are, the catalogue, the clocks, what clients
//! were told. Every call on a disk and on the catalogue passes here; one of them may be the last of its life.

use super::faults::{Kind, Trouble};
use super::ledger::Ledger;
use crate::chance::{Chance, mix};
use crate::platter::Platter;
use crate::robot::Robot;
use crate::universe::Crash;
use dss::mem::MemCatalogue;
use dss::model::{CatalogueId, Checkpoints, NoDrill, Step};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

/// No run has so many calls: something goes round and round.
const CALLS_MAX: u64 = 1_500_000;

/// What is found at a medium's path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum There {
    /// The medium.
    Itself,
    /// Nothing.
    Nothing,
    /// Another one, with a label of its own.
    Another,
}

/// A medium's place and its platters.
#[derive(Clone)]
pub struct Slot {
    pub platter: Platter,
    /// Somebody else's disk, which is put in its place at times. Nobody may touch it.
    pub other: Platter,
    pub there: There,
    /// Counts how often something else was put there: a handle is good for what it was opened on.
    pub visits: u64,
    /// All the room there is, in bytes.
    pub room: u64,
}

/// What a crash leaves, or takes back.
#[derive(Clone)]
pub struct Matter {
    pub slots: BTreeMap<String, Slot>,
    /// The tape library, where there is one.
    pub robot: Option<Robot>,
    pub ledger: Ledger,
    /// The age clock, in milliseconds, but for what passed in the present life.
    pub age: i64,
    pub ids: u64,
}

/// What is counted over all lives.
pub struct Run {
    pub trouble: Trouble,
    pub violations: Vec<String>,
    pub crashes: BTreeMap<&'static str, u64>,
    calls: u64,
    life: u32,
    trace: bool,
    /// Effects since the beginning of the run: what came first.
    order: u64,
}

pub struct Present {
    pub begun: Option<Instant>,
    /// The life ends before its n-th effect, in this way.
    end: Option<(u64, Crash)>,
    left: Option<Left>,
    /// The catalogue does not answer until then.
    pub outage: Option<Instant>,
}

/// What the next life begins with.
struct Left {
    matter: Matter,
    catalogue: MemCatalogue,
    crash: Crash,
    before: String,
}

pub struct Inner {
    pub matter: Matter,
    pub run: Run,
    pub present: Present,
    /// What was looked at already by the rules that hold after every transaction.
    pub seen: super::rules::Seen,
}

pub struct World {
    pub seed: u64,
    pub id: CatalogueId,
    pub catalogue: Arc<MemCatalogue>,
    pub victim: String,
    inner: Mutex<Inner>,
    died: Notify,
}

struct Steps(Weak<World>);

impl Checkpoints for Steps {
    fn reach(&self, step: Step) {
        // A step before a commit is told under the catalogue's lock, and nothing has changed since the call began.
        if let Some(world) = self.0.upgrade()
            && !step.as_str().ends_with(".before_commit")
        {
            // The next call finds out that the life is over.
            let _ = world.effect(|| step.as_str().to_owned());
        }
    }
}

/// A life that has ended hears nothing any more.
#[derive(Debug)]
pub struct Dead;

impl World {
    pub fn new(seed: u64, trace: bool, slots: BTreeMap<String, Slot>, victim: String) -> Arc<Self> {
        let id = CatalogueId(Uuid::from_u128(u128::from(mix(seed, 90)) | 1 << 100));
        let matter = Matter {
            slots,
            robot: None,
            ledger: Ledger::default(),
            age: 0,
            ids: 0,
        };
        let run = Run {
            trouble: Trouble::new(Chance::new(mix(seed, 91))),
            violations: Vec::new(),
            crashes: BTreeMap::new(),
            calls: 0,
            life: 0,
            trace,
            order: 0,
        };
        Self::of(seed, id, victim, matter, run, Default::default(), |steps| {
            MemCatalogue::new(id, true, steps)
        })
    }

    fn of(
        seed: u64,
        id: CatalogueId,
        victim: String,
        matter: Matter,
        run: Run,
        seen: super::rules::Seen,
        catalogue: impl FnOnce(Arc<dyn Checkpoints>) -> MemCatalogue,
    ) -> Arc<Self> {
        Arc::new_cyclic(|me: &Weak<Self>| Self {
            seed,
            id,
            catalogue: Arc::new(catalogue(Arc::new(Steps(me.clone())))),
            victim,
            inner: Mutex::new(Inner {
                matter,
                run,
                present: Present {
                    begun: None,
                    end: None,
                    left: None,
                    outage: None,
                },
                seen,
            }),
            died: Notify::new(),
        })
    }

    pub fn checkpoints(self: &Arc<Self>) -> Arc<dyn Checkpoints> {
        Arc::new(Steps(Arc::downgrade(self)))
    }

    pub fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // ------------------------------------------------------------------------------------------------------ lives

    /// A life begins, in a runtime; it ends at the latest before its n-th effect.
    pub fn begin_life(&self, end: Option<(u64, Crash)>) {
        let mut inner = self.inner();
        inner.present.begun = Some(Instant::now());
        inner.present.end = end;
        inner.run.life += 1;
        inner.run.calls = 0;
        let life = inner.run.life;
        drop(inner);
        self.say(|| format!("--- life {life}"));
    }

    /// Returns when the life has ended.
    pub async fn death(&self) {
        loop {
            let died = self.died.notified();
            if self.is_dead() {
                return;
            }
            died.await;
        }
    }

    pub fn is_dead(&self) -> bool {
        self.inner().present.left.is_some()
    }

    /// The life ends now, unless it has.
    pub fn end_now(&self, crash: Crash) {
        let mut inner = self.inner();
        if inner.present.left.is_none() {
            self.die(&mut inner, crash, "the end of the life".to_owned());
        }
    }

    fn die(&self, inner: &mut Inner, crash: Crash, before: String) {
        let passed = inner
            .present
            .begun
            .map_or(0, |begun| begun.elapsed().as_millis() as i64);
        let mut matter = inner.matter.clone();
        matter.age += passed;
        inner.present.left = Some(Left {
            matter,
            catalogue: self.catalogue.snapshot(Arc::new(NoDrill)),
            crash,
            before,
        });
        self.died.notify_waiters();
        self.died.notify_one();
    }

    /// Where a life goes on after it ended. `down` passes meanwhile.
    pub fn next(self: Arc<Self>, down: Duration) -> Arc<Self> {
        let (mut matter, mut run, seen, left) = {
            let mut inner = self.inner();
            let left = inner.present.left.take().expect("a life ends before the next begins");
            let run = std::mem::replace(&mut inner.run, empty_run());
            let seen = std::mem::take(&mut inner.seen);
            (left.matter.clone(), run, seen, left)
        };
        let (word, seeds) = match left.crash {
            Crash::Kill => ("kill", None),
            Crash::Worst => ("power cut, worst", Some(None)),
            Crash::Power(seed) => ("power cut", Some(Some(seed))),
        };
        *run.crashes.entry(word).or_default() += 1;
        if run.trace {
            println!("*** {word} before: {}", left.before);
        }
        matter.age += down.as_millis() as i64;
        for (number, slot) in (0..).zip(matter.slots.values_mut()) {
            let platter = std::mem::take(&mut slot.platter);
            slot.platter = match seeds {
                None => platter.killed(),
                Some(None) => platter.cut_at_worst(),
                Some(Some(seed)) => platter.cut(&mut Chance::new(mix(seed, number))),
            };
            slot.visits += 1;
        }
        matter.robot = matter.robot.map(|robot| robot.after(left.crash));
        matter.ledger.hung_up();
        // Another respoold that held a medium leaves its lease to end by itself.
        let mut seen = seen;
        seen.elsewhere.clear();
        Self::of(self.seed, self.id, self.victim.clone(), matter, run, seen, |steps| {
            left.catalogue.snapshot(steps)
        })
    }

    // ---------------------------------------------------------------------------------------------------- effects

    /// Something is about to happen, or just has: the life may end here.
    pub fn effect(&self, what: impl FnOnce() -> String) -> Result<(), Dead> {
        let mut inner = self.inner();
        self.effect_in(&mut inner, what)
    }

    pub fn effect_in(&self, inner: &mut Inner, what: impl FnOnce() -> String) -> Result<(), Dead> {
        if inner.present.left.is_some() {
            return Err(Dead);
        }
        inner.run.calls += 1;
        inner.run.order += 1;
        let ends = inner.present.end.filter(|(at, _)| inner.run.calls >= *at);
        if inner.run.calls > CALLS_MAX {
            inner
                .run
                .violations
                .push("it goes round and round without an end".to_owned());
            self.die(inner, Crash::Kill, what());
            return Err(Dead);
        }
        if let Some((_, crash)) = ends {
            let before = what();
            self.die(inner, crash, before);
            return Err(Dead);
        }
        if inner.run.trace {
            println!("{} {}", stamp(inner), what());
        }
        Ok(())
    }

    /// A line of the trace.
    pub fn say(&self, what: impl FnOnce() -> String) {
        let inner = self.inner();
        if inner.run.trace && inner.present.left.is_none() {
            println!("{} {}", stamp(&inner), what());
        }
    }

    /// A rule is broken.
    pub fn broken(&self, what: String) {
        let mut inner = self.inner();
        if inner.present.left.is_some() || inner.run.violations.len() >= 10 {
            return;
        }
        if inner.run.trace {
            println!("{} !!! {what}", stamp(&inner));
        }
        inner.run.violations.push(what);
    }

    /// What comes first has the lower number.
    pub fn order(&self) -> u64 {
        self.inner().run.now()
    }

    /// What clients ask and are told, as long as the life lasts.
    pub fn ledger<T>(&self, note: impl FnOnce(&mut Ledger, u64) -> T) -> Option<T> {
        let mut inner = self.inner();
        if inner.present.left.is_some() {
            return None;
        }
        let order = inner.run.now();
        Some(note(&mut inner.matter.ledger, order))
    }

    pub fn strikes(&self, kind: Kind) -> bool {
        self.inner().run.trouble.strikes(kind)
    }

    pub fn set_calm(&self, calm: bool) {
        self.inner().run.trouble.set_calm(calm);
    }
}

fn stamp(inner: &Inner) -> String {
    let at = inner.present.begun.map_or(0, |begun| begun.elapsed().as_millis());
    format!("{:2} {at:>9}", inner.run.life)
}

fn empty_run() -> Run {
    Run {
        trouble: Trouble::new(Chance::new(0)),
        violations: Vec::new(),
        crashes: BTreeMap::new(),
        calls: 0,
        life: 0,
        trace: false,
        order: 0,
    }
}

impl Run {
    /// What comes first has the lower number.
    pub fn now(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub fn lives(&self) -> u32 {
        self.life
    }
}
