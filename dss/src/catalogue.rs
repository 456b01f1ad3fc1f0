//! The catalogue, named by intent. `pg` keeps it in PostgreSQL, `mem` in memory; one conformance suite holds both.
//!
//! Every method is one transaction unless it says otherwise, and repeats itself, bounded, when the database asks for
//! that (40P01, 40001, 23503, a lost connection). A commit whose answer was lost is resolved by rereading. Methods that
//! age or stamp anything take `now` from the caller: the catalogue has no clock of its own.

mod answered;
mod asked;
mod errors;
mod volume;

pub use answered::*;
pub use asked::*;
pub use errors::{CatalogueError, Result};
pub(crate) use errors::{
    drive_locked, drive_subject, erased_since, not_given_up, not_surplus, refuse_with_media, source_given_up,
};
pub use volume::{NewFile, NewVolume, VolumeAdopted};

use crate::model::event::NewEvent;
use crate::model::loss::Loss;
use crate::model::medium::Usage;
use crate::model::object::{LayoutEntry, ObjectDetail, Place};
use crate::model::{
    Address, ByteCount, Compared, Digested, DriveSeen, Epoch, Event, Extent, ExtentId, Generation, Hold, Holder,
    Holding, Job, JobControl, JobError, JobId, JobKind, JobSpec, JobState, KnownDrive, KnownHash, Lease, Library,
    Medium, MediumId, Move, MoveState, NewExtent, Object, ObjectId, Oid, Owner, ReadBack, Recorded, Resource, Revision,
    Seen, SessionId, Skip, Stamp, Standing, Substitution, Tally, Version, Versions,
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

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
    /// Adds a medium. A library has one tape of a barcode (`TapeExists`).
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
    /// The bytes of all extents of every medium, in any state, as [`Usage::used`]; media without any are left out. Costs
    /// the media alone, whatever they hold: for whoever looks for room.
    async fn used(&self) -> Result<BTreeMap<MediumId, ByteCount>>;
    /// What every medium holds, by name: one look at the whole catalogue, for whoever compares media with each other.
    async fn holdings(&self, now: Timestamp) -> Result<Vec<Holding>>;
    /// Of each medium, the bytes of its live extents that may go to none of these media, because each of them holds
    /// another copy of their objects (I10). Media without any are left out. Asked for more than [`STRANDED_MAX`] targets:
    /// nobody has a copy on each of so many, and the answer is empty.
    async fn stranded(&self, targets: &BTreeSet<MediumId>) -> Result<BTreeMap<MediumId, ByteCount>>;
    /// What would become of objects if these media were lost now; at most `limit` of them are named. Media that are dead
    /// or failed are lost already. Costs what these media hold, and changes nothing.
    async fn what_if_lost(&self, media: &BTreeSet<MediumId>, limit: u32) -> Result<Loss>;
    /// The tape of this barcode in a library, if it is a medium.
    async fn medium_at(&self, library: &str, barcode: &str) -> Result<Option<Medium>>;
    /// The block behind the last one of the data partition that a *sync* or *orphan* extent of the medium's present
    /// generation is known to lie on; 0 when none is. A tape that ends before it has lost something. Costs the same
    /// however many extents there are (E-13).
    async fn durable_end(&self, medium: MediumId) -> Result<u64>;
    /// Changes a medium's row. A tape is not put where another one is (`TapeExists`).
    async fn change_medium(&self, id: MediumId, change: MediumChange, now: Timestamp) -> Result<Medium>;

    // --- libraries and drives
    /// Adds a library.
    async fn add_library(&self, library: NewLibrary, now: Timestamp) -> Result<Library>;
    /// All libraries, by name.
    async fn libraries(&self) -> Result<Vec<Library>>;
    /// One library.
    async fn library(&self, name: &str) -> Result<Library>;
    /// Forgets a library and its drives. `Conflict` while any medium is in it.
    async fn forget_library(&self, name: &str, now: Timestamp) -> Result<()>;
    /// Notes which drives were found in a library, by bay. What the operator locked stays locked, whichever drive is
    /// there now; bays that are not named stay as they were last seen. Nothing new: nothing is changed.
    async fn note_drives(&self, library: &str, drives: &[DriveSeen]) -> Result<()>;
    /// Locks a drive, or unlocks it (None). Already so: nothing is changed.
    async fn lock_drive(&self, library: &str, bay: &str, why: Option<String>, now: Timestamp) -> Result<KnownDrive>;
    /// The drives of a library, by bay.
    async fn drives(&self, library: &str) -> Result<Vec<KnownDrive>>;

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
    /// Takes recorded extents back whose bytes nobody began to write: the evidence that they may be written ends here, so
    /// their rows are deleted, and no medium has to be asked. Those that are not *pending* any more stay; how many went.
    async fn withdraw(&self, recorded: Vec<Recorded>) -> Result<u64>;
    /// Of these addresses those that a row of this generation of a medium has, whatever became of it.
    async fn taken(&self, medium: MediumId, generation: Generation, addresses: &[Address])
    -> Result<BTreeSet<Address>>;
    /// One version of an object with its layouts; without a version, the live one.
    async fn object(&self, oid: &Oid, version: Option<Version>) -> Result<ObjectDetail>;
    /// One version by its id.
    async fn object_by_id(&self, id: ObjectId) -> Result<ObjectDetail>;
    /// Several versions by their ids; what is not found is left out.
    async fn objects_by_id(&self, ids: &[ObjectId]) -> Result<BTreeMap<ObjectId, ObjectDetail>>;
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
    /// Several extents; those without a row are left out.
    async fn extents_by_id(&self, ids: &[ExtentId]) -> Result<BTreeMap<ExtentId, Extent>>;
    /// Those of some extents that their media's own indexes do not name.
    async fn unindexed(&self, ids: &[ExtentId]) -> Result<BTreeSet<ExtentId>>;
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
    /// Notes that the medium's own index names these extents, as of this revision; of how many that was news.
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
    /// The jobs in one of these states that have or had one of these media as a source, newest first. Costs what was
    /// done with these media, however much was done with others.
    async fn jobs_of_sources(&self, media: &[MediumId], states: &[JobState]) -> Result<Vec<Job>>;
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
    /// Makes an LTFS volume of other software a medium, and every one of its files an object whose only extent is *sync*
    /// there: all of it or nothing, in one transaction. Nobody read their bytes, so that what they digest to is not known;
    /// only here, and only on such media, is an extent *sync* without that. Names of live objects refuse all of it; a name
    /// whose versions have all ended gets the next version. `Exists` or `TapeExists` when there is such a medium already.
    async fn adopt_volume(&self, volume: &NewVolume, now: Timestamp) -> Result<VolumeAdopted>;
    /// What other software said of the bytes of extents that nobody read since they were imported. Others, and those of
    /// which it said nothing, are left out.
    async fn known_hashes(&self, extents: &[ExtentId]) -> Result<BTreeMap<ExtentId, Vec<KnownHash>>>;
    /// Notes what imported extents digest to, once they were read whole, and that they were. Those of which it is known,
    /// or that are live no more on this medium, are left alone; how many were noted.
    async fn note_digests(&self, medium: MediumId, digested: &[Digested], now: Timestamp) -> Result<u64>;
}
