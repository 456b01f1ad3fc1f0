//! `job restore`: the layouts go back to the old bytes, entry by entry, each read and verified first. What was deleted,
//! overwritten or moved on since is listed and not touched.

use crate::api::{Problem, exit};
use crate::host::Host;
use crate::mover::{Ring, read_back};
use crate::repack::job::{JobEvent, sources_of};
use dss::catalogue::{Page, ReturnOutcome};
use dss::model::{
    Extent, ExtentId, ExtentState, Job, JobId, JobState, MediumId, Move, MoveState, ObjectId, Oid, ReadBack,
};
use jiff::Timestamp;
use lrs::core::{Priority, Request};
use lrs::service::Allocation;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many entries are verified and returned in one transaction.
const PAGE: u32 = 200;

/// What a restore did.
#[derive(Debug)]
pub struct Restored {
    /// The job as it is now.
    pub job: Job,
    /// Entries whose layouts are back on the old bytes.
    pub returned: u64,
    /// Entries deleted, overwritten or moved on since: new extent and name.
    pub moved_on: Vec<(ExtentId, Oid)>,
    /// Entries whose old bytes are erased: new extent and name. Their objects stay where they are.
    pub erased: Vec<(ExtentId, Oid)>,
    /// Entries whose old bytes do not verify: they stay where they are.
    pub failed: Vec<(ExtentId, Oid, String)>,
}

impl Restored {
    /// The exit code this deserves.
    pub fn exit(&self) -> u8 {
        if !self.failed.is_empty() {
            exit::INTEGRITY
        } else if !self.moved_on.is_empty() || !self.erased.is_empty() {
            exit::SKIPS
        } else {
            exit::DONE
        }
    }
}

/// Restores a job that rests, as long as its sources are not being erased.
pub async fn restore(host: &Arc<Host>, id: JobId) -> Result<Restored, Problem> {
    let job = host.catalogue.job(id).await?;
    let from = sources_of(JobEvent::Restore);
    if !from.contains(&job.state) {
        return Err(Problem::refused(
            "not_restorable",
            format!("job {id}"),
            format!(
                "job {id} is {}: only a job that rests, and whose sources are not erased, can be restored",
                job.state
            ),
        )
        .next("pause or cancel it first, or read `respool job show` for what became of it"));
    }
    let mut done = Restored {
        job,
        returned: 0,
        moved_on: vec![],
        erased: vec![],
        failed: vec![],
    };
    let memory = &host.config.memory;
    let mut ring = Ring::new(memory.chunk.0 as usize * 2, memory.chunk.0 as usize);
    let mut after = None;
    let mut gone = 0_u64;
    loop {
        let states = [MoveState::Swapped, MoveState::ReadBack];
        let moves = host.catalogue.moves(id, &states, Page { after, limit: PAGE }).await?;
        let Some(last) = moves.last() else { break };
        after = Some(last.new);
        gone += restore_page(host, &mut done, moves, &mut ring).await?;
    }
    let nothing = done.returned == 0 && done.moved_on.is_empty() && done.failed.is_empty();
    if gone > 0 && nothing && !returned_before(host, id).await? {
        return Err(Problem::refused(
            "erased",
            format!("job {id}"),
            format!("the old bytes of job {id} are erased; its objects stay where they are"),
        )
        .next("nothing is lost: `respool object show` tells where each object is"));
    }
    finish(host, done, &from).await
}

/// Whether an earlier try, that was cut short, brought anything back: then this one ends what it began.
async fn returned_before(host: &Arc<Host>, id: JobId) -> Result<bool, Problem> {
    let first = Page { after: None, limit: 1 };
    Ok(!host
        .catalogue
        .moves(id, &[MoveState::Returned], first)
        .await?
        .is_empty())
}

/// Returns one page; how many of its entries have no old extent any more.
async fn restore_page(
    host: &Arc<Host>,
    done: &mut Restored,
    moves: Vec<Move>,
    ring: &mut Ring,
) -> Result<u64, Problem> {
    let (gone, by_medium) = to_be_read(host, done, moves).await?;
    for (medium, entries) in by_medium {
        let request = Request {
            purpose: format!("restore of job {}", done.job.id),
            priority: Priority::Repack,
            reads: vec![medium],
            writes: vec![],
            exclusive: vec![],
        };
        // Held until the layouts point there: nothing sweeps or erases what was just found good.
        let allocation = host.lrs.allocate(request).await?;
        let returned = restore_entries(host, done, &allocation, entries, ring).await;
        allocation.release().await;
        returned?;
    }
    Ok(gone)
}

/// Moves with the old extents that are to be read for them, by medium.
type ByMedium = BTreeMap<MediumId, Vec<(Move, Extent)>>;

/// What is to be read of a page, and how many of its entries have no old extent any more. The rest is told as it is.
async fn to_be_read(host: &Arc<Host>, done: &mut Restored, moves: Vec<Move>) -> Result<(u64, ByMedium), Problem> {
    let mut gone = 0;
    let mut by_medium = ByMedium::new();
    let Needs { given_up, referenced } = needs(host, &moves, done.job.created_at).await?;
    let ids: Vec<ExtentId> = moves.iter().flat_map(|one| [one.old, one.new]).collect();
    let extents = host.catalogue.extents_by_id(&ids).await?;
    for one in moves {
        let new = extents.get(&one.new);
        let Some(old) = extents.get(&one.old).cloned() else {
            gone += 1;
            // Without a new one, too, it was purged since: no object needs either, and no name is known any more.
            done.erased.extend(new.map(|new| (new.id, new.origin.oid.clone())));
            continue;
        };
        if let Some(oid) = given_up.get(&one.new) {
            done.moved_on.push((one.new, oid.clone()));
            continue;
        }
        // An orphan, or one that is swept already.
        let left = new.is_none_or(|new| new.state == ExtentState::Orphan);
        if old.state == ExtentState::Sync && left {
            // Returned before, by a restore that was cut short or by a failed read-back.
            continue;
        }
        if !referenced.contains(&one.new) {
            // Its old bytes may be swept in this moment: they are not read.
            done.moved_on.push((one.new, old.origin.oid));
            continue;
        }
        by_medium.entry(old.medium).or_default().push((one, old));
    }
    Ok((gone, by_medium))
}

/// What needs the new extents of some moves.
struct Needs {
    /// Those that only versions need which were deleted or overwritten after the job was given, with a name. Their
    /// layouts stay where they are: a restore undoes what the job did, and what somebody did since stands. One that was
    /// deleted before went along with the job, and comes back with it.
    given_up: BTreeMap<ExtentId, Oid>,
    /// Those that a layout points to. What none points to was purged or moved on, and does not come back.
    referenced: BTreeSet<ExtentId>,
}

async fn needs(host: &Arc<Host>, moves: &[Move], given: Timestamp) -> Result<Needs, Problem> {
    let news: Vec<ExtentId> = moves.iter().map(|one| one.new).collect();
    let references = host.catalogue.references(&news).await?;
    let objects: BTreeSet<ObjectId> = references.iter().map(|(object, _)| *object).collect();
    let objects: Vec<ObjectId> = objects.into_iter().collect();
    let objects = host.catalogue.objects_by_id(&objects).await?;
    let (mut given_up, mut needed, mut referenced) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for (object, entry) in references {
        let extent = entry.extent.id;
        referenced.insert(extent);
        // One that is not found was purged in this moment: its layouts are gone, and the return finds that out by itself.
        let found = objects.get(&object).map(|found| &found.object);
        match found.filter(|found| found.deleted_at.is_some_and(|at| at > given)) {
            Some(deleted) => drop(given_up.insert(extent, deleted.oid.clone())),
            None => drop(needed.insert(extent)),
        }
    }
    given_up.retain(|extent, _| !needed.contains(extent));
    Ok(Needs { given_up, referenced })
}

/// Verifies the entries of one medium, then returns those that are good.
async fn restore_entries(
    host: &Arc<Host>,
    done: &mut Restored,
    allocation: &Allocation,
    entries: Vec<(Move, Extent)>,
    ring: &mut Ring,
) -> Result<(), Problem> {
    let mut proofs: Vec<(Move, ReadBack)> = vec![];
    let mut names = vec![];
    for (one, old) in entries {
        match read_back(&allocation.volume(old.medium), &old, ring).await {
            Ok(proof) => {
                names.push((one.new, old.origin.oid.clone()));
                proofs.push((one, proof));
            }
            Err(why) => done.failed.push((old.id, old.origin.oid.clone(), why.to_string())),
        }
    }
    if proofs.is_empty() {
        return Ok(());
    }
    let outcomes = host
        .catalogue
        .return_batch(done.job.id, &proofs, host.clock.now())
        .await?;
    for (outcome, name) in outcomes.into_iter().zip(names) {
        match outcome {
            ReturnOutcome::Returned => done.returned += 1,
            ReturnOutcome::MovedOn => done.moved_on.push(name),
        }
    }
    Ok(())
}

/// The job is *restored*, and its sources are *read_only* again, unless something did not verify.
async fn finish(host: &Arc<Host>, mut done: Restored, from: &[JobState]) -> Result<Restored, Problem> {
    if !done.failed.is_empty() {
        return Ok(done);
    }
    let now = host.clock.now();
    let tally = done.job.tally.clone();
    done.job = host
        .catalogue
        .advance_job(done.job.id, from, JobState::Restored, &tally, None, now)
        .await?;
    for source in done.job.spec.sources.clone() {
        host.lrs.medium_changed(source).await?;
    }
    Ok(done)
}
