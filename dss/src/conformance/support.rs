//! What the cases share beside their world: times, names, what a catalogue under test brings along.

use crate::catalogue::{Catalogue, CatalogueError, NewMedium, Overwrite, Page, Result};
use crate::model::evidence::EvidenceError;
use crate::model::object::Place;
use crate::model::{
    Checkpoints, CopyNo, Digested, Extent, ExtentId, ExtentIndex, Family, JobSpec, KnownHash, Location, MediumId,
    Object, Oid, Quarantine, ReadBack, Recorded, Span, Step, Synced, VerifyMode,
};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// What a catalogue under test must offer beside the trait.
#[async_trait::async_trait]
pub trait Backend: Send + Sync {
    /// The catalogue, empty, with no medium.
    fn catalogue(&self) -> Arc<dyn Catalogue>;
    /// Makes an object version of one copy whose only extent is one that is *sync* already, for E-03. No method of the
    /// trait does this; the tables allow it.
    async fn share(&self, extent: ExtentId, object: Object);
    /// Everything up to *Synced* for bytes that were recorded, as a data path would have gathered it. Here, because this
    /// crate makes no evidence for things that did not happen; test binaries may.
    fn synced(&self, recorded: Recorded, bytes: &[u8]) -> Synced;
    /// The same for bytes that lie there on a tape.
    fn synced_at(&self, recorded: Recorded, bytes: &[u8], span: Span) -> Synced;
    /// The proof that an extent was read back whole and is good; likewise.
    fn read_back(&self, extent: &Extent) -> ReadBack;
    /// What an imported extent digests to whose bytes are these, and of which other software said so; likewise.
    fn digested(
        &self,
        extent: &Extent,
        bytes: &[u8],
        known: &[KnownHash],
    ) -> std::result::Result<Digested, EvidenceError>;
}

/// Ends a change at a named step, once, as a failing database would: by unwinding out of the call.
#[derive(Default)]
pub struct Trap(Mutex<Option<Step>>);

impl Trap {
    /// The next time this step is reached, the call unwinds.
    pub fn set(&self, step: Step) {
        *self.0.lock().expect("nobody panics with it") = Some(step);
    }
}

impl Checkpoints for Trap {
    fn reach(&self, step: Step) {
        let sprung = {
            let mut armed = self.0.lock().expect("nobody panics with it");
            armed.take_if(|armed| *armed == step).is_some()
        };
        if sprung {
            std::panic::panic_any(step);
        }
    }
}

/// A put to be made: per copy its extents, each on a medium with its bytes.
#[derive(Clone, Debug)]
pub struct Put {
    /// Its name.
    pub oid: &'static str,
    /// Its copies.
    pub copies: Vec<Vec<(MediumId, &'static str)>>,
    /// Its grouping.
    pub grouping: Option<&'static str>,
    /// Whether it may supersede.
    pub overwrite: Overwrite,
}

/// A time, so many seconds into the test.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).expect("it is in range")
}

/// A name.
pub fn oid(name: &str) -> Oid {
    Oid::new(name).expect("tests use good names")
}

/// The first page, long enough for every case.
pub fn all<T>() -> Page<T> {
    Page {
        after: None,
        limit: 10_000,
    }
}

/// The place that a single extent of the first copy fills.
pub const FIRST: Place = Place {
    copy: CopyNo(0),
    index: ExtentIndex(0),
};

/// What a repack of these media asks for.
pub fn spec(sources: &[MediumId]) -> JobSpec {
    JobSpec {
        sources: sources.to_vec(),
        only: BTreeSet::new(),
        to: None,
        to_tags: BTreeSet::new(),
        quarantine: Quarantine::None,
        verify: VerifyMode::Full,
        drop_deleted: false,
        limit_bytes: None,
        limit_seconds: None,
    }
}

/// A medium that could be added.
pub fn new_medium(name: &str) -> NewMedium {
    NewMedium {
        id: MediumId::fresh(),
        name: name.to_owned(),
        family: Family::Dir,
        technology: "dir".to_owned(),
        location: Location {
            path: format!("/media/{name}"),
            dock: None,
            library: None,
        },
        tags: BTreeSet::new(),
        class: None,
        capacity: None,
    }
}

/// Whether a refusal is a `Conflict`.
pub fn is_conflict<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(CatalogueError::Conflict { .. }))
}

/// Whether a refusal is `Fenced`.
pub fn is_fenced<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(CatalogueError::Fenced { .. }))
}

/// Whether a refusal is `LeaseLost`.
pub fn is_lease_lost<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(CatalogueError::LeaseLost { .. }))
}

/// Whether a refusal is `NotFound`.
pub fn is_not_found<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(CatalogueError::NotFound { .. }))
}

/// Whether a refusal is `Exists`.
pub fn is_exists<T>(answer: &Result<T>) -> bool {
    matches!(answer, Err(CatalogueError::Exists { .. }))
}

/// Whether this invariant refused.
pub fn is_invariant<T>(answer: &Result<T>, name: &str) -> bool {
    matches!(answer, Err(CatalogueError::Invariant { invariant, .. }) if *invariant == name)
}
