//! The catalogue, named by intent. `pg` keeps it in PostgreSQL, `mem` in memory; one conformance suite holds both.
//!
//! Every method is one transaction unless it says otherwise, and repeats itself, bounded, when the database asks for
//! that (40P01, 40001, 23503, a lost connection). A commit whose answer was lost is resolved by rereading. Methods that
//! age or stamp anything take `now` from the caller: the catalogue has no clock of its own.

use crate::model::event::NewEvent;
use crate::model::loss::Loss;
use crate::model::medium::Usage;
use crate::model::object::{LayoutEntry, ObjectDetail, Place};
use crate::model::{
    AdmState, ByteCount, CatalogueId, Compared, CopyNo, Epoch, Event, Extent, ExtentId, ExtentState, FsState,
    Generation, Health, Hold, Holder, Holding, Job, JobControl, JobError, JobId, JobKind, JobSpec, JobState, Lease,
    Medium, MediumId, Metadata, Move, MoveState, NewExtent, Object, ObjectId, Oid, Origin, Owner, Presence, ReadBack,
    Recorded, Resource, Revision, Seen, SessionId, Skip, Stamp, Standing, Substitution, Synced, Tally, Version,
    Versions,
};
use async_trait::async_trait;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What a catalogue answers when it does not do what was asked. Nothing was changed, unless `Unresolved`.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// No such thing.
    #[error("there is no {what} '{name}'")]
    NotFound {
        /// medium, object, version, extent or job.
        what: &'static str,
        /// As it was asked for.
        name: String,
    },
    /// Such a thing exists already. For a record, what is *address*: a row has the name that the medium thought free
    /// because no byte of it was ever written; the medium is asked for another.
    #[error("{what} '{name}' exists already")]
    Exists {
        /// medium, object ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The thing is not in the state the request needs, or somebody else was faster.
    #[error("{subject}: {why}")]
    Conflict {
        /// Which thing.
        subject: String,
        /// In words for an operator.
        why: String,
    },
    /// The medium is being erased, was erased since, or takes no new extents.
    #[error("medium {medium} is fenced: {why}")]
    Fenced {
        /// Which.
        medium: MediumId,
        /// In words.
        why: String,
    },
    /// Somebody else holds the lease now. Stop issuing commands.
    #[error("the lease on {resource} is no longer ours")]
    LeaseLost {
        /// On what.
        resource: String,
    },
    /// The lease is held by a living holder until then.
    #[error("{resource} is leased to another respoold until {until}")]
    LeaseHeld {
        /// On what.
        resource: String,
        /// Its end, margin included.
        until: Timestamp,
    },
    /// An invariant refused it: a bug of ours, or damage.
    #[error("invariant {invariant} refuses this: {detail}")]
    Invariant {
        /// I1 to I11.
        invariant: &'static str,
        /// What was tried.
        detail: String,
    },
    /// Some media saw a history that this catalogue does not have, or may have: it was restored from an older backup, and
    /// nothing is destroyed before they are reconciled (E-16).
    #[error("the catalogue may be older than what media hold ({0}): nothing is erased, swept or purged")]
    InDoubt(String),
    /// The catalogue cannot be reached or fails.
    #[error("the catalogue is not available: {0}")]
    Unavailable(String),
    /// The catalogue could lose what it commits, or is not ours, or has another schema. Not to be used.
    #[error("the catalogue cannot be trusted: {0}")]
    Unfit(String),
    /// What the catalogue holds contradicts itself.
    #[error("the catalogue contradicts itself: {0}")]
    Corrupt(String),
}

/// What catalogues answer.
pub type Result<T> = std::result::Result<T, CatalogueError>;

/// Which catalogue this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its id, on every medium.
    pub id: CatalogueId,
    /// Whether drills may be rehearsed in it.
    pub testing: bool,
    /// Its change counter now; raised by every state change.
    pub revision: Revision,
}

/// A medium to be added. It starts *in_service*, *ok*, *attached*, *blank* at generation 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMedium {
    /// Its identity, to be put on its label.
    pub id: MediumId,
    /// What the operator calls it.
    pub name: String,
    /// Tape or directory.
    pub family: crate::model::Family,
    /// E.g. `dir`.
    pub technology: String,
    /// Where it is.
    pub location: crate::model::Location,
    /// The operator's words.
    pub tags: BTreeSet<String>,
    /// The operator's class.
    pub class: Option<String>,
    /// The most bytes it is to hold.
    pub capacity: Option<ByteCount>,
}

/// A change to a medium's row; None leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediumChange {
    /// Refused with `Conflict` unless the medium is in this state.
    pub expect_adm_state: Option<AdmState>,
    /// New administrative state. Never *erasing* or *quarantined*: those have methods of their own.
    pub adm_state: Option<AdmState>,
    /// Lock or unlock.
    pub locked: Option<bool>,
    /// New health.
    pub health: Option<Health>,
    /// New presence.
    pub presence: Option<Presence>,
    /// New file system state.
    pub fs_state: Option<FsState>,
    /// New tags.
    pub tags: Option<BTreeSet<String>>,
    /// New class.
    pub class: Option<Option<String>>,
    /// New capacity.
    pub capacity: Option<Option<ByteCount>>,
    /// New path (dir) when a disk is mounted elsewhere.
    pub path: Option<String>,
    /// The generation on the label, when a medium is added that has one.
    pub generation: Option<Generation>,
    /// Why, for the event.
    pub why: String,
}

/// Which extents to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtentFilter {
    /// Only on this medium.
    pub medium: Option<MediumId>,
    /// Only of this object, any version.
    pub oid: Option<Oid>,
    /// Only in this state.
    pub state: Option<ExtentState>,
}

/// Why a job ended whose source was erased in a history that this catalogue does not have.
pub(crate) fn erased_since(medium: &str) -> JobError {
    JobError {
        code: "erased_since".into(),
        blame: "medium".into(),
        subject: medium.into(),
        message: format!(
            "medium {medium} was erased after the backup was made that this catalogue was restored from; nothing is left \
             for this job to do, and its old bytes cannot be restored"
        ),
        next: "nothing; layouts follow to where the bytes are when the media are reconciled".into(),
        exit: 3,
    }
}

/// Why a job ended whose source was declared dead before it was erased.
pub(crate) fn source_given_up(medium: &str) -> JobError {
    JobError {
        code: "source_given_up".into(),
        blame: "medium".into(),
        subject: medium.into(),
        message: format!(
            "medium {medium} was declared dead before this job had erased it; nothing is left for this job to do, and its \
             old bytes cannot be restored"
        ),
        next: "nothing; what this job moved is where it was moved to".into(),
        exit: 3,
    }
}

/// Why a medium cannot be given up; None: it can.
pub(crate) fn not_given_up(medium: &Medium) -> Option<String> {
    let held = matches!(medium.adm_state, AdmState::Quarantined | AdmState::Erasing);
    match (held, medium.standing) {
        (false, _) => Some(format!("it is {}, neither quarantined nor erasing", medium.adm_state)),
        (true, Standing::Level) => Some(format!("it is {} and level: a job has it", medium.adm_state)),
        (true, Standing::Ahead | Standing::Unseen) => None,
    }
}

/// Which objects to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectFilter {
    /// Only names that begin so.
    pub prefix: Option<String>,
    /// Deleted and overwritten versions too.
    pub deleted: bool,
}

/// An object whose extents are durable, to be made visible in one transaction.
#[derive(Debug)]
pub struct NewObject {
    /// The row. Its version is decided by the commit: 1, or one more than the highest there is.
    pub object: Object,
    /// Whether an existing version may be superseded; it is marked deleted at `object.created_at`.
    pub overwrite: Overwrite,
    /// What fills its layouts: every copy complete.
    pub places: Vec<(Place, Synced)>,
}

/// Whether an existing object may get a new version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overwrite {
    /// An existing live version refuses the put.
    Refuse,
    /// An existing live version is superseded and kept for its undelete window.
    NewVersion,
}

/// One line of a source's manifest: a live extent and what must be known to plan its move.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestRow {
    /// The extent.
    pub extent: Extent,
    /// Whether every version that references it was deleted or overwritten.
    pub deleted_only: bool,
    /// The media that hold, in state *pending* or *sync*, another copy of any object that references it: no targets
    /// (I10).
    pub avoid: BTreeSet<MediumId>,
    /// The grouping of the object it was written for.
    pub grouping: Option<String>,
}

/// What travels with an extent on its medium, so that the medium alone rebuilds the object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectHeader {
    /// The object's size.
    pub bytes: ByteCount,
    /// Copies asked for.
    pub copies: CopyNo,
    /// Extents in this copy.
    pub copy_extents: i32,
    /// Its grouping.
    pub grouping: Option<String>,
    /// Its attributes.
    pub metadata: Metadata,
    /// When it was put.
    pub created_at: Timestamp,
}

/// A move to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveIntent {
    /// The extent whose layouts will be repointed.
    pub old: ExtentId,
    /// The extent to write. Its id is the caller's; size and digests must be the old one's (I3).
    pub new: NewExtent,
}

/// A swap to be made.
#[derive(Debug)]
pub struct SwapEntry {
    /// Where the layouts point now.
    pub old: ExtentId,
    /// Where they are to point.
    pub new: Synced,
}

/// What became of one entry of a swap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SwapOutcome {
    /// Every layout that pointed to the old extent points to the new one; the old one is an orphan.
    Swapped,
    /// No layout pointed to the old extent any more: the new one is an orphan.
    Vanished,
}

/// What a swap needs to know beside its entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwapTerms {
    /// Whose.
    pub job: JobId,
    /// The old extents' hold until the source is quarantined or reclaimed. Their bytes outlive read-back.
    pub hold: Hold,
    /// The age clock.
    pub now: Timestamp,
}

/// The most entries one swap transaction may have.
pub const SWAP_MAX: usize = 2_000;

/// More targets than any object has copies: what may go to none of them for its copies' sake is not looked for.
pub const STRANDED_MAX: usize = 16;

/// What the fence found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fence {
    /// The medium is *erasing* at this new generation: its bytes may go.
    Erasing(Generation),
    /// It still has live or pending extents, and stays as it was.
    InUse {
        /// Live extents.
        live: u64,
        /// Pending extents.
        pending: u64,
    },
    /// Its orphans may be the last good bytes of so many live extents, and stay.
    LastGood(u64),
}

/// Which job's restore did what to one move.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReturnOutcome {
    /// The layouts point to the old extent again; the new one is an orphan.
    Returned,
    /// No layout points to the new extent any more: deleted, overwritten or moved on. Not touched.
    MovedOn,
}

/// An extent found on a medium.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its id and what it was written for.
    pub extent: ExtentId,
    /// What it was written for.
    pub origin: Origin,
    /// Where it lies.
    pub address: crate::model::Address,
    /// What it digests to, by the medium's own index.
    pub digests: crate::model::Digests,
    /// The file's inode.
    pub inode: Option<u64>,
    /// The object it belongs to.
    pub header: ObjectHeader,
    /// Some: its bytes were read whole just now and are good.
    pub read: Option<Timestamp>,
}

/// Whether unknown objects become known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Adopt {
    /// They are only counted.
    No,
    /// Verified complete copies become objects.
    Yes,
    /// The same, for a medium of this catalogue's own lost history: also a version newer than any known one, unless a
    /// known one was made or deleted after it.
    Newer,
}

impl Adopt {
    /// Whether unknown objects may become known: every extent is read whole first, then.
    pub fn adopts(self) -> bool {
        match self {
            Self::No => false,
            Self::Yes | Self::Newer => true,
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Imported {
    /// Extents the catalogue knew already at this place.
    pub known: u64,
    /// Extents added, referenced by nothing and held.
    pub added: u64,
    /// Objects that are known now and were not.
    pub objects_adopted: u64,
    /// Copies added to objects that lacked them.
    pub copies_adopted: u64,
    /// Extents of objects that nobody knows, for want of `--adopt` or of the rest of the copy.
    pub unknown: u64,
    /// Names that belong to another object here: not touched.
    pub clashes: Vec<Oid>,
    /// Names with verified extents of different bytes for one place: none of them was taken.
    pub contradictions: Vec<Oid>,
    /// Objects of which extents found serve nothing: they are of unknown objects or, with `Adopt::Yes`, of a copy that a
    /// live object lacks as before. A spare of a copy that the object has does not count.
    pub unadopted: u64,
    /// The names of some of them.
    pub unadopted_names: Vec<Oid>,
}

/// What ended because its bytes are nowhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Copies of versions that have another one.
    pub copies: u64,
    /// Versions of which nothing is left.
    pub versions: Vec<(Oid, Version)>,
}

/// Whether a copy is given up, or only what that would do is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sure {
    /// Nothing is changed.
    No,
    /// It is given up.
    Yes,
}

/// What was given up with a copy, and what remains of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Released {
    /// The object's name.
    pub oid: Oid,
    /// Its version.
    pub version: Version,
    /// Which copy.
    pub copy: CopyNo,
    /// How many extents became orphans.
    pub extents: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// How many copies remain that count.
    pub remaining: u64,
    /// How many were asked for.
    pub asked: CopyNo,
}

impl Released {
    /// Refuses when nothing would remain.
    pub(crate) fn or_refuse(self) -> Result<Self> {
        if self.remaining > 0 {
            return Ok(self);
        }
        let why = "without this copy 0 verified copies of it remain on media that stay, are in reach and trusted";
        Err(CatalogueError::Conflict {
            subject: format!("{} version {}", self.oid, self.version),
            why: why.to_owned(),
        })
    }
}

/// Why an extent is no part of a surplus copy.
pub(crate) fn not_surplus(extent: ExtentId, why: String) -> CatalogueError {
    CatalogueError::Conflict {
        subject: format!("extent {extent}"),
        why,
    }
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// To be known.
    Note,
    /// To be looked at; nothing is broken. `check` stays ok.
    Warning,
    /// An invariant is broken.
    Error,
}

/// One thing that `respool check` found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// How bad.
    pub severity: Severity,
    /// I1 to I11, or a word of its own.
    pub invariant: String,
    /// Which object, extent or medium.
    pub subject: String,
    /// In words.
    pub detail: String,
}

/// What the age clock says of a time (DESIGN, section 6: *Time*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClockVerdict {
    /// Within 1 h back and 24 h forward of the highest time seen; the high-water mark was raised.
    Good,
    /// Further back than 1 h.
    Back {
        /// The highest time seen.
        seen: Timestamp,
    },
    /// Further forward than 24 h.
    Forward {
        /// The highest time seen.
        seen: Timestamp,
    },
}

/// A page of a listing that is ordered by id: give the last id seen to get the next page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Only what comes after.
    pub after: Option<T>,
    /// At most so many.
    pub limit: u32,
}

/// The catalogue. See the module's page for what all methods share.
#[async_trait]
pub trait Catalogue: Send + Sync {
    // --- the catalogue itself
    /// Which catalogue this is.
    async fn identity(&self) -> Result<Identity>;
    /// Compares a time with the persisted high-water clock and raises it when good.
    async fn observe_clock(&self, now: Timestamp) -> Result<ClockVerdict>;
    /// Sets the high-water clock to a time an operator vouches for.
    async fn accept_clock(&self, now: Timestamp) -> Result<()>;
    /// Every broken invariant and every oddity, without reading a byte of data.
    async fn findings(&self, now: Timestamp) -> Result<Vec<Finding>>;
    /// Chains events that are committed and not sealed yet; how many.
    async fn seal_events(&self, limit: u32) -> Result<u64>;
    /// The log, in order.
    async fn events(&self, page: Page<i64>) -> Result<Vec<Event>>;
    /// Appends an event that belongs to no change of the catalogue's own, such as a corrupt extent found by a get.
    async fn note(&self, event: NewEvent, now: Timestamp) -> Result<()>;

    // --- its history
    /// Seals what is committed and answers the end of the chain, with the revision. Both survive a crash of the database
    /// when they are answered: a medium that bears them is never ahead by an accident.
    async fn stamp(&self) -> Result<Stamp>;
    /// Compares what a medium says with what this catalogue knows, and keeps the outcome. *Ahead* stays until the medium
    /// was reconciled: it takes no new extents, and `removable`, `purge` and `fence_medium` are refused for all media.
    /// Orphans on it are held for ever, and rows of puts that were never committed go, so that an import can find what
    /// became of them. A medium that is behind is suspect, and nothing that was read back from it counts any more, whatever
    /// its health was.
    async fn compare_medium(&self, medium: MediumId, seen: Seen, now: Timestamp) -> Result<Compared>;
    /// Moves a medium's standing from one to another: *unseen* to what a look at its index found, *ahead* to *level*
    /// after it was reconciled. `Conflict` when it stands otherwise.
    async fn set_standing(
        &self,
        medium: MediumId,
        (from, to): (Standing, Standing),
        why: &str,
        now: Timestamp,
    ) -> Result<Medium>;
    /// Makes the revision greater than this one, so that no medium is ahead for its revision alone any more.
    async fn raise_revision(&self, above: Revision) -> Result<()>;
    /// Points layouts from extents whose bytes are gone to extents of the same place and digests that were just read and
    /// verified. The new ones become *sync*, the old ones orphans that are held for ever. Answers for each pair whether
    /// any layout was repointed; a pair of different bytes or places, or one that would bring two copies together, is
    /// left alone.
    async fn repoint_found(&self, pairs: &[(ExtentId, ReadBack)], now: Timestamp) -> Result<Vec<bool>>;
    /// What may stand in for extents whose bytes are gone: every orphan of the same place and digests, with the extent
    /// that it may replace.
    async fn stand_ins(&self, gone: &[ExtentId]) -> Result<Vec<(ExtentId, Extent)>>;
    /// Takes over the generation on the label of a medium that is ahead, when it was erased behind the catalogue's back.
    /// What layouts name of an earlier generation stays, without bytes, until they follow elsewhere or it is forgotten;
    /// the medium cannot stand level before. Other rows of earlier generations go with their bytes. A job that waited to
    /// erase it, and has no other source to erase, has failed and says why. `Conflict` while anything is pending.
    async fn take_generation(&self, medium: MediumId, generation: Generation, now: Timestamp) -> Result<Medium>;
    /// Declares a medium dead, *failed* and *missing* that is quarantined or being erased and not level: an operator says
    /// that it is gone, and it holds nothing up any more. A job that waited to erase it, and has no other source to
    /// erase, has failed and says why. `Conflict` when it is level, since its job ends that, or in any other state, from
    /// which [`Catalogue::change_medium`] leads.
    async fn give_up(&self, medium: MediumId, why: &str, now: Timestamp) -> Result<Medium>;
    /// Ends copies of which these extents of a medium are a part: an operator says that their bytes are nowhere. A
    /// version without another copy is forgotten without a tombstone, and orphans of the same bytes are held for ever, so
    /// that an import can still bring it back. What is not live on this medium any more is left alone. `Conflict` when the medium is level: nothing is missing on it.
    async fn forget_gone(&self, medium: MediumId, extents: &[ExtentId], now: Timestamp) -> Result<Gone>;

    // --- media
    /// Adds a medium.
    async fn add_medium(&self, medium: NewMedium, now: Timestamp) -> Result<Medium>;
    /// Forgets a medium that has no extent row and was never labelled: the undo of a failed `dir add`.
    async fn forget_medium(&self, id: MediumId) -> Result<()>;
    /// All media, by name.
    async fn media(&self) -> Result<Vec<Medium>>;
    /// One medium by its name.
    async fn medium(&self, name: &str) -> Result<Medium>;
    /// One medium by its id.
    async fn medium_by_id(&self, id: MediumId) -> Result<Medium>;
    /// What a medium holds; costs its own extents.
    async fn usage(&self, id: MediumId, now: Timestamp) -> Result<Usage>;
    /// What every medium holds, by name: one look at the whole catalogue, for whoever compares media with each other.
    async fn holdings(&self, now: Timestamp) -> Result<Vec<Holding>>;
    /// Of each medium, the bytes of its live extents that may go to none of these media, because each of them holds
    /// another copy of their objects (I10). Media without any are left out. Asked for more than [`STRANDED_MAX`] targets:
    /// nobody has a copy on each of so many, and the answer is empty.
    async fn stranded(&self, targets: &BTreeSet<MediumId>) -> Result<BTreeMap<MediumId, ByteCount>>;
    /// What would become of objects if these media were lost now; at most `limit` of them are named. Media that are dead
    /// or failed are lost already. Costs what these media hold, and changes nothing.
    async fn what_if_lost(&self, media: &BTreeSet<MediumId>, limit: u32) -> Result<Loss>;
    /// Changes a medium's row.
    async fn change_medium(&self, id: MediumId, change: MediumChange, now: Timestamp) -> Result<Medium>;

    // --- leases
    /// Takes a lease, under the next epoch. A lease of an earlier life in the same seat is taken over at once, any
    /// other only `margin_seconds` after its end.
    async fn take_lease(
        &self,
        resource: &Resource,
        holder: &Holder,
        seconds: u32,
        margin_seconds: u32,
        now: Timestamp,
    ) -> Result<Lease>;
    /// Prolongs all leases of a holder; those that were lost are left out of the answer.
    async fn renew_leases(&self, holder: &Holder, seconds: u32, now: Timestamp) -> Result<Vec<Lease>>;
    /// Gives a lease back; its epoch is dead from then on. Not ours any more: nothing happens.
    async fn release_lease(&self, lease: &Lease) -> Result<()>;

    // --- puts and objects
    /// Inserts pending extents owned by a stream of puts. `epochs` names the lease epoch on every medium used.
    async fn record_put(
        &self,
        session: SessionId,
        extents: Vec<NewExtent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>>;
    /// Makes objects visible: rows, copies, layouts, extents to *sync*, older live versions to deleted. Each object for
    /// itself succeeds or is refused (`Exists` ...); a refused object's pending extents become orphans. One transaction.
    /// Refused are also copies that are not whole (every index from 0, the object's size), extents of another place,
    /// and what a lost lease or the fence forbids; a medium that became *read_only* since is no reason. A version
    /// number is never given twice: ended versions count. `Conflict` when another put of the name came first: the
    /// media name these bytes by the version they were recorded for, and only that one may be given.
    async fn commit_put(&self, objects: Vec<NewObject>, now: Timestamp) -> Result<Vec<Result<Object>>>;
    /// What the versions of names are now, in the order asked. Another put may come first: `commit_put` decides.
    async fn versions(&self, oids: &[Oid]) -> Result<Vec<Versions>>;
    /// Turns pending extents of an owner into orphans: all of them, or only those named.
    async fn abandon(&self, owner: Owner, only: Option<&[ExtentId]>, now: Timestamp) -> Result<u64>;
    /// One version of an object with its layouts; without a version, the live one.
    async fn object(&self, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail>;
    /// One version by its id.
    async fn object_by_id(&self, id: ObjectId) -> Result<ObjectDetail>;
    /// Objects ordered by (oid, version), at most `limit`, after the given one.
    async fn list_objects(
        &self,
        filter: &ObjectFilter,
        after: Option<(Oid, Version)>,
        limit: u32,
    ) -> Result<Vec<ObjectDetail>>;
    /// Marks the live version deleted.
    async fn delete_object(&self, oid: &Oid, now: Timestamp) -> Result<Object>;
    /// Makes the newest deleted version live again, if no live one exists (`Conflict`) and its bytes are still
    /// referenced: ended versions do not count (`NotFound` when there is no other).
    async fn undelete_object(&self, oid: &Oid, now: Timestamp) -> Result<Object>;
    /// Ends versions deleted at or before `deleted_before`: layouts go, extents without any become orphans. Versions
    /// with an extent on a source of an active job, or of a medium's newest job when that failed, are left alone. At
    /// most `limit` versions; how many. An ended version is found no more; its row stays as a tombstone for `import`.
    async fn purge(&self, deleted_before: Timestamp, limit: u32, now: Timestamp) -> Result<u64>;
    /// The orphans that still hold the bytes of a layout's place, newest first: what a failing get falls back to. They
    /// were durable once (swapped away, read whole, or named by its medium's index); what never became *sync* is not offered.
    async fn fallbacks(&self, object: ObjectId, entry: Place) -> Result<Vec<Extent>>;
    /// The live extents that lie on media in doubt and whose bytes an orphan on this medium holds, too: that orphan may be
    /// the last of them that is good. In doubt is a medium that is dead, missing or failed; and one that is suspect or
    /// failing, for what was not read back from it since.
    async fn doubtful(&self, medium: MediumId) -> Result<Vec<Extent>>;
    /// Gives up the copy that an extent is a part of, whole: its extents become orphans. Unless `sure`, only tells what
    /// that would do. Refused with `Conflict` when no
    /// other copy of the version counts (I10): whole, verified, and on media that stay, are in reach, trusted and not being
    /// emptied; also for an extent that serves several objects or none, and with `InDoubt` as `removable` is.
    async fn release_copy(&self, extent: ExtentId, sure: Sure, now: Timestamp) -> Result<Released>;
    /// The header that travels with an extent on its medium.
    async fn headers(&self, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, ObjectHeader>>;
    /// Every layout entry, of any object, filled by one of these extents.
    async fn references(&self, extents: &[ExtentId]) -> Result<Vec<(ObjectId, LayoutEntry)>>;

    // --- extents
    /// One extent.
    async fn extent(&self, id: ExtentId) -> Result<Extent>;
    /// Extents ordered by id.
    async fn extents(&self, filter: &ExtentFilter, page: Page<ExtentId>) -> Result<Vec<Extent>>;
    /// The live extents of a source, by id: referenced by a layout. Costs the source's own extents.
    async fn manifest(&self, source: MediumId, page: Page<ExtentId>) -> Result<Vec<ManifestRow>>;
    /// Turns pending extents whose epoch is dead into orphans; per owner, how many bytes.
    async fn sweep_pending(
        &self,
        medium: Option<MediumId>,
        now: Timestamp,
    ) -> Result<BTreeMap<Owner, (u64, ByteCount)>>;
    /// Orphans of a medium whose hold is over and whose bytes may be removed one by one: the medium is not quarantined,
    /// not erasing, not locked, and no orphan shares its address with a live or pending extent. By id.
    async fn removable(&self, medium: MediumId, page: Page<ExtentId>, now: Timestamp) -> Result<Vec<Extent>>;
    /// Deletes orphan rows whose bytes are gone from the medium, at the generation given.
    async fn forget_orphans(&self, medium: MediumId, generation: Generation, extents: &[ExtentId]) -> Result<u64>;
    /// Notes that the medium's own index names these extents, as of this revision.
    async fn mark_indexed(&self, medium: MediumId, revision: Revision, extents: &[ExtentId]) -> Result<u64>;
    /// Notes that a medium failed us: health, an event, the extents' confidence. What was read back before it counts no
    /// more, as when `change_medium` makes its health anything but *ok*.
    async fn suspect(&self, medium: MediumId, why: &str, now: Timestamp) -> Result<()>;

    // --- jobs
    /// Inserts a job (*queued*); a repack makes its sources that are *in_service* *read_only*, a migration of single
    /// extents leaves them in use. A source of an active job, or one that is quarantined, erasing or dead, refuses it.
    async fn create_job(&self, kind: JobKind, spec: JobSpec, now: Timestamp) -> Result<Job>;
    /// One job.
    async fn job(&self, id: JobId) -> Result<Job>;
    /// All jobs, newest first, at most `limit`.
    async fn jobs(&self, limit: u32) -> Result<Vec<Job>>;
    /// The jobs that still hold their sources ([`JobState::is_active`]), newest first. Costs these alone, however many
    /// have ended.
    async fn active_jobs(&self) -> Result<Vec<Job>>;
    /// Moves a job from one of the expected states; stores its tally. `Conflict` when it is in none of them. Entering a
    /// state that is not active frees its sources for other jobs, going back claims them again; the first error stays.
    /// Where an operator's wish means nothing any more (quarantined, reclaiming, ended), an earlier one is forgotten. A
    /// migration that is done lets go of the bytes it moved away from: nobody erases their medium. A job that is
    /// restored ends the quarantine of its sources with the same transaction, as `end_quarantine` does: a job that is
    /// *quarantined* without any quarantined source would wait for ever.
    async fn advance_job(
        &self,
        id: JobId,
        expected: &[JobState],
        to: JobState,
        tally: &Tally,
        error: Option<&JobError>,
        now: Timestamp,
    ) -> Result<Job>;
    /// What the operator wants of a job next. `Conflict` when the job is not, or no more, where that means anything.
    async fn control_job(&self, id: JobId, control: JobControl, now: Timestamp) -> Result<Job>;
    /// Adds to what a job could not move; the same extent again replaces its reason.
    async fn add_skips(&self, id: JobId, skips: &[Skip], now: Timestamp) -> Result<()>;
    /// Forgets skips, before they are tried again.
    async fn clear_skips(&self, id: JobId) -> Result<()>;
    /// Inserts the target extents of a batch *pending*, each owned by this job's move. Checks every target's mode,
    /// generation and lease epoch (`LeaseLost` first), I3 and I10; a source of an active job is no target (`Fenced`). An
    /// old extent that is not *sync* any more is a `Conflict`: look at the source again.
    async fn record_moves(
        &self,
        job: JobId,
        moves: Vec<MoveIntent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Vec<Recorded>>;
    /// Notes of recorded moves that their bytes are read from another copy (E-12). A job tells of those that were
    /// swapped, and the swap makes the event. Noted again: nothing happens.
    async fn note_substitutions(&self, job: JobId, substitutions: &[Substitution]) -> Result<()>;
    /// Swaps at most [`SWAP_MAX`] entries atomically, in the order of `entries`: new to *sync*, layouts old to new
    /// (compare and set), old to *orphan* where no layout remains. An entry that was swapped already answers `Swapped`.
    async fn swap_batch(&self, terms: SwapTerms, entries: &[SwapEntry]) -> Result<Vec<SwapOutcome>>;
    /// Moves of a job in one of these states, by new extent.
    async fn moves(&self, job: JobId, states: &[MoveState], page: Page<ExtentId>) -> Result<Vec<Move>>;
    /// Notes that new extents of one medium were read back and are good. `medium` is its row from before the first was
    /// read: when something spoke against the medium since (`doubts`), nothing is noted and the answer is false.
    async fn mark_read_back(&self, job: JobId, medium: &Medium, extents: &[ReadBack], now: Timestamp) -> Result<bool>;
    /// Points layouts back from new to old extents, whose bytes were just read and verified. Old to *sync*, layouts
    /// new to old, new to *orphan*. A layout of a deleted version follows too, and the version stays deleted. An entry
    /// that was returned already answers `Returned`.
    async fn return_batch(
        &self,
        job: JobId,
        entries: &[(Move, ReadBack)],
        now: Timestamp,
    ) -> Result<Vec<ReturnOutcome>>;
    /// Quarantines an emptied source: nothing pending, and nothing live but, when the job's spec says `drop_deleted`,
    /// extents referenced only by deleted or overwritten versions; else `Conflict`. What the job moved off it is held until
    /// then. Other orphans keep their own hold, or none: it counts again when the quarantine ends without an erase.
    async fn quarantine(&self, job: JobId, medium: MediumId, hold: Hold, now: Timestamp) -> Result<()>;
    /// Ends the quarantine of a job's sources, as they will not be erased: they are *read_only* again, or what the
    /// operator had said that takes nothing new either.
    async fn end_quarantine(&self, job: JobId, now: Timestamp) -> Result<()>;
    /// The fence of I6, in statements of their own: lock the medium's row, recheck, persist *erasing* with the next
    /// generation. With `drop_deleted`, layouts of versions that are deleted or overwritten go first, in the same
    /// transaction. A medium found *erasing* answers its present generation. `job` None: an operator formats an empty
    /// medium, also one whose quarantine is over and whose job has ended without erasing it. Refused with `Conflict`
    /// while a quarantine lasts, or when it is another job's, and with `Fenced` while the medium is locked. Refused or in
    /// use: nothing was dropped. A copy dropped goes whole, its extents on other media too.
    async fn fence_medium(
        &self,
        medium: MediumId,
        job: Option<JobId>,
        drop_deleted: bool,
        epoch: Epoch,
        now: Timestamp,
    ) -> Result<Fence>;
    /// After the new label was read back: orphan rows of earlier generations go, groupings go, the medium is *empty* and
    /// has the administrative status that the operator last gave it; its health stays what it is.
    async fn finish_erase(&self, medium: MediumId, generation: Generation, now: Timestamp) -> Result<()>;

    // --- import
    /// Adds what a medium holds. Never makes a newer version of a known object, undoes a delete or changes a layout: an
    /// unknown version of a known name is adopted only when a newer one is known (it was overwritten, then); the same or
    /// a newer version is a clash. All versions that one import finds of an unknown name become known. Extents added are
    /// held for ever; a known live object that lacks a copy gains it (with `Adopt::Yes`, whole and read).
    ///
    /// Several extents may be found for one place of a copy: the newest verified one is taken, the others are added. When
    /// their bytes differ, or differ from verified ones on record, the copy is not adopted and its name told. What an
    /// earlier import added on this medium counts as found when it is found and read again; so do orphans held for ever
    /// of a version that was forgotten (`forget_gone`), which becomes known again.
    async fn import(&self, medium: MediumId, found: Vec<Found>, adopt: Adopt, now: Timestamp) -> Result<Imported>;
}
