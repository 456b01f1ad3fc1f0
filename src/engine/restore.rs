//! `job restore`: the layouts go back to the old bytes, entry by entry, each read and verified first. What was deleted,
//! overwritten or moved on since is listed and not touched.

use crate::api::{Problem, exit};
use crate::host::Host;
use crate::mover::{Ring, read_back};
use crate::repack::job::{JobEvent, sources_of};
use dss::catalogue::{CatalogueError, Page, ReturnOutcome};
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
    let mut gone = 0;
    let mut by_medium: BTreeMap<MediumId, Vec<(Move, Extent)>> = BTreeMap::new();
    let Needs { given_up, referenced } = needs(host, &moves, done.job.created_at).await?;
    for one in moves {
        let old = match host.catalogue.extent(one.old).await {
            Ok(old) => old,
            Err(CatalogueError::NotFound { .. }) => {
                gone += 1;
                match host.catalogue.extent(one.new).await {
                    Ok(new) => done.erased.push((new.id, new.origin.oid)),
                    // Purged since: no object needs either, and no name is known any more.
                    Err(CatalogueError::NotFound { .. }) => {}
                    Err(error) => return Err(error.into()),
                }
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        if let Some(oid) = given_up.get(&one.new) {
            done.moved_on.push((one.new, oid.clone()));
            continue;
        }
        if old.state == ExtentState::Sync && is_orphan(host, one.new).await? {
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
    let mut verdicts: BTreeMap<ObjectId, Option<Oid>> = BTreeMap::new();
    let (mut given_up, mut needed, mut referenced) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for (object, entry) in host.catalogue.references(&news).await? {
        referenced.insert(entry.extent.id);
        let verdict = match verdicts.get(&object) {
            Some(known) => known.clone(),
            None => {
                let verdict = match host.catalogue.object_by_id(object).await {
                    Ok(found) => {
                        let deleted = found.object.deleted_at.is_some_and(|at| at > given);
                        deleted.then_some(found.object.oid)
                    }
                    // Purged in this moment: its layouts are gone, and the return finds that out by itself.
                    Err(CatalogueError::NotFound { .. }) => None,
                    Err(error) => return Err(error.into()),
                };
                verdicts.insert(object, verdict.clone());
                verdict
            }
        };
        match verdict {
            Some(oid) => drop(given_up.insert(entry.extent.id, oid)),
            None => drop(needed.insert(entry.extent.id)),
        }
    }
    given_up.retain(|extent, _| !needed.contains(extent));
    Ok(Needs { given_up, referenced })
}

/// Whether an extent is an orphan, or was one and is swept.
async fn is_orphan(host: &Arc<Host>, id: ExtentId) -> Result<bool, Problem> {
    match host.catalogue.extent(id).await {
        Ok(extent) => Ok(extent.state == ExtentState::Orphan),
        Err(CatalogueError::NotFound { .. }) => Ok(true),
        Err(error) => Err(error.into()),
    }
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
