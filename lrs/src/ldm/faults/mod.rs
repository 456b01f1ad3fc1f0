//! Rehearsed disasters: which operation fails, how, and how often. One plan is shared by everything that touches media
//! and by the steps at which the process may end; it counts across all of them.
//!
//! The plan decides, `disk` and the drives act. Without a plan nothing of this is in the way.

mod crash;
mod disk;
mod file;

pub use crash::CrashCheckpoints;
pub use disk::FaultyDisk;
pub use file::FaultFileError;

use super::Op;
use super::disk::LabelRead;
use dss::model::{ExtentId, Oid, Step};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// SCSI sense: what a drive says it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional sense code.
    pub asc: u8,
    /// Its qualifier.
    pub ascq: u8,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The device fails.
    Eio,
    /// There is no room.
    Enospc,
    /// A read ends before the file does.
    Short,
    /// One bit changes on its way.
    Flip,
    /// The device does not answer for an hour.
    Hang,
    /// The device says it has the bytes, and has zeros.
    LostWrite,
    /// The label names another medium.
    LabelMismatch,
    /// A drive answers with this sense; where there is no drive, the device fails.
    Sense(Sense),
}

/// Where an operation happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a medium, by name.
    Medium(String),
    /// In a drive, by name.
    Drive(String),
    /// In a library, by name.
    Library(String),
}

/// One operation, as the plan sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// Every name the operation goes by: its medium, its drive, its library.
    pub places: &'a [Place],
    /// What is done.
    pub op: Op,
    /// For which object.
    pub oid: Option<&'a Oid>,
    /// With which extent.
    pub extent: Option<ExtentId>,
    /// The bytes of the extent that are touched.
    pub bytes: Option<Range64>,
    /// The block, where the medium counts blocks (tape); directories count 4,096 bytes.
    pub block: Option<Range64>,
}

/// From, and up to but not including.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range64 {
    /// The first.
    pub start: u64,
    /// One behind the last.
    pub end: u64,
}

impl From<Range<u64>> for Range64 {
    fn from(range: Range<u64>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

impl<'a> Attempt<'a> {
    /// An operation that concerns no extent.
    pub fn of(places: &'a [Place], op: Op) -> Self {
        Self {
            places,
            op,
            oid: None,
            extent: None,
            bytes: None,
            block: None,
        }
    }
}

/// When a fault fires.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Filter {
    place: Place,
    op: Op,
    oid: Option<Oid>,
    extent: Option<ExtentId>,
    after_bytes: Option<u64>,
    block: Option<u64>,
}

impl Filter {
    fn matches(&self, attempt: &Attempt<'_>) -> bool {
        self.op == attempt.op
            && attempt.places.contains(&self.place)
            && self.oid.as_ref().is_none_or(|oid| attempt.oid == Some(oid))
            && self.extent.is_none_or(|extent| attempt.extent == Some(extent))
            && self
                .after_bytes
                .is_none_or(|after| attempt.bytes.is_some_and(|bytes| bytes.end > after))
            && self.block.is_none_or(|block| {
                attempt
                    .block
                    .is_some_and(|blocks| (blocks.start..blocks.end).contains(&block))
            })
    }

    /// Whether it speaks of certain extents.
    fn is_of_an_extent(&self) -> bool {
        self.oid.is_some() || self.extent.is_some() || self.after_bytes.is_some() || self.block.is_some()
    }

    /// Labels are read to mount and to identify; the operation says which of the two is meant.
    fn is_of_label(&self, places: &[Place], why: LabelRead) -> bool {
        let fits = match why {
            LabelRead::Mount => matches!(self.op, Op::Mount | Op::Load | Op::Open),
            LabelRead::Identify => matches!(self.op, Op::Write | Op::Sync),
        };
        fits && places.contains(&self.place)
    }
}

/// How often a thing has matched and fired.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Count {
    /// It fires from this match on, counted from 1.
    nth: u64,
    /// So often; 0 is always.
    times: u64,
    matched: u64,
    fired: u64,
}

impl Count {
    fn strike(&mut self) -> bool {
        self.matched += 1;
        let fires = self.matched >= self.nth && (self.times == 0 || self.fired < self.times);
        self.fired += u64::from(fires);
        fires
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    filter: Filter,
    effect: Effect,
    count: Count,
}

/// How a step ends what passes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process, as SIGKILL does.
    Kill,
    /// The task, as a bug does.
    Panic,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Crash {
    step: Step,
    end: End,
    count: Count,
}

#[derive(Debug, Default)]
struct Inner {
    faults: Vec<Fault>,
    crashes: Vec<Crash>,
    trace: Option<PathBuf>,
}

/// A plan of faults, shared by all its clones.
#[derive(Clone, Debug, Default)]
pub struct FaultPlan {
    inner: Arc<Mutex<Inner>>,
}

impl FaultPlan {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads a fault file.
    pub fn load(path: &Path) -> Result<Self, FaultFileError> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| FaultFileError::unreadable(&name, &error))?;
        Self::parse(&text, &name)
    }

    /// Reads the text of a fault file; `name` is for messages.
    pub fn parse(text: &str, name: &str) -> Result<Self, FaultFileError> {
        let inner = file::parse(text, name)?;
        Ok(Self {
            inner: Arc::new(Mutex::new(inner)),
        })
    }

    /// Whether nothing can go wrong, and nobody wants to know the steps.
    pub fn is_empty(&self) -> bool {
        self.with(|inner| inner.faults.is_empty() && inner.crashes.is_empty() && inner.trace.is_none())
    }

    /// The file in which the last step that was passed is kept.
    pub fn trace(&self) -> Option<PathBuf> {
        self.with(|inner| inner.trace.clone())
    }

    /// Counts an operation against every fault it matches, and answers what becomes of it: the first that fires.
    pub fn strike(&self, attempt: &Attempt<'_>) -> Option<Effect> {
        self.strike_if(|fault| fault.effect != Effect::LabelMismatch && fault.filter.matches(attempt))
    }

    /// The same for one sync of a whole medium: faults of single extents are counted where their file is synced.
    pub fn strike_whole(&self, attempt: &Attempt<'_>) -> Option<Effect> {
        self.strike_if(|fault| !fault.filter.is_of_an_extent() && fault.filter.matches(attempt))
    }

    /// The same for one extent among many that are handled at once.
    pub fn strike_single(&self, attempt: &Attempt<'_>) -> Option<Effect> {
        self.strike_if(|fault| fault.filter.is_of_an_extent() && fault.filter.matches(attempt))
    }

    /// Whether a label that is being read names another medium.
    pub fn strike_label(&self, places: &[Place], why: LabelRead) -> bool {
        self.strike_if(|fault| fault.effect == Effect::LabelMismatch && fault.filter.is_of_label(places, why))
            .is_some()
    }

    /// Whether the process or the task is to end now.
    pub fn crash_at(&self, step: Step) -> Option<End> {
        self.with(|inner| {
            let mut end = None;
            for crash in inner.crashes.iter_mut().filter(|crash| crash.step == step) {
                if crash.count.strike() {
                    end = end.or(Some(crash.end));
                }
            }
            end
        })
    }

    fn strike_if(&self, matches: impl Fn(&Fault) -> bool) -> Option<Effect> {
        self.with(|inner| {
            let mut struck = None;
            for fault in inner.faults.iter_mut().filter(|fault| matches(fault)) {
                if fault.count.strike() {
                    struck = struck.or(Some(fault.effect));
                }
            }
            struck
        })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
