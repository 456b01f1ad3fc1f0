//! Recording: nothing is written that has no *pending* row, and no row is made where bytes must not go.

use super::tables::{Tables, conflict, invariant};
use crate::catalogue::{CatalogueError, MoveIntent, Result};
use crate::model::evidence::RecordReceipt;
use crate::model::{
    AdmState, CopyNo, Epoch, Extent, ExtentState, Hold, JobId, KnownHash, Medium, MediumFormat, MediumId, Move,
    MoveState, NewExtent, ObjectId, Owner, Recorded, SessionId,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What was recorded, before its transaction commits: no evidence yet.
pub(super) struct Draft(Vec<(NewExtent, Owner, Epoch, Vec<KnownHash>)>);

impl Draft {
    /// To be called after the commit only.
    pub(super) fn committed(self) -> Vec<Recorded> {
        let recorded = |(extent, owner, epoch, hashes)| {
            Recorded::committed(extent, owner, epoch, RecordReceipt::after_commit()).knowing(hashes)
        };
        self.0.into_iter().map(recorded).collect()
    }
}

pub(super) fn fenced(medium: &Medium, why: impl ToString) -> CatalogueError {
    CatalogueError::Fenced {
        medium: medium.id,
        why: why.to_string(),
    }
}

impl Tables {
    pub(super) fn record_put(
        &mut self,
        session: SessionId,
        extents: Vec<NewExtent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Draft> {
        let owner = Owner::Put(session);
        let mut drafts = Vec::new();
        for extent in extents {
            let copies = BTreeSet::from([(extent.origin.object, extent.origin.copy)]);
            let epoch = self.record(&extent, owner, &copies, epochs, now)?;
            drafts.push((extent, owner, epoch, Vec::new()));
        }
        Ok(Draft(drafts))
    }

    pub(super) fn record_moves(
        &mut self,
        job: JobId,
        moves: Vec<MoveIntent>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Draft> {
        if !self.job(job)?.state.is_active() {
            return Err(conflict(job, "the job is not active"));
        }
        let owner = Owner::Move(job);
        let mut drafts = Vec::new();
        for intent in moves {
            let old = self.extent(intent.old)?;
            if old.state != ExtentState::Sync {
                return Err(conflict(old.id, "it is live no more: look again"));
            }
            // Of imported bytes it may have become known what they digest to since the caller looked.
            let mut new = intent.new;
            if new.digests.is_none() && self.medium(old.medium)?.format == MediumFormat::Ltfs {
                new.digests.clone_from(&old.digests);
            }
            if new.bytes != old.bytes || new.digests != old.digests {
                return Err(invariant(
                    "I3",
                    format!("{} differs from {} in size or digests", new.id, old.id),
                ));
            }
            if new.origin != old.origin {
                return Err(invariant(
                    "I3",
                    format!("{} and {} fill different places", new.id, old.id),
                ));
            }
            let copies = self.copies_of(old);
            let hashes = self.known_hashes(&[old.id]).remove(&old.id).unwrap_or_default();
            let epoch = self.record(&new, owner, &copies, epochs, now)?;
            self.insert_move(Move {
                job,
                old: intent.old,
                new: new.id,
                state: MoveState::Recorded,
            });
            drafts.push((new, owner, epoch, hashes));
        }
        Ok(Draft(drafts))
    }

    fn record(
        &mut self,
        new: &NewExtent,
        owner: Owner,
        copies: &BTreeSet<(ObjectId, CopyNo)>,
        epochs: &BTreeMap<MediumId, Epoch>,
        now: Timestamp,
    ) -> Result<Epoch> {
        self.check_epoch(new.medium, epochs.get(&new.medium).copied())?;
        self.check_target(new)?;
        for (object, copy) in copies {
            if self.media_of_other_copies(*object, *copy).contains(&new.medium) {
                return Err(invariant(
                    "I10",
                    format!("{} holds another copy of {}", new.medium, new.origin.oid),
                ));
            }
        }
        if self.extents.contains(&new.id) {
            return Err(CatalogueError::Exists {
                what: "extent",
                name: new.id.to_string(),
            });
        }
        let place = (new.medium, new.generation, new.address.clone());
        if self.addresses.contains(&place) {
            return Err(CatalogueError::Exists {
                what: "address",
                name: new.address.to_string(),
            });
        }
        let epoch = epochs[&new.medium];
        self.unindexed.insert(new.id);
        self.insert_extent(Extent {
            id: new.id,
            origin: new.origin.clone(),
            medium: new.medium,
            generation: new.generation,
            address: new.address.clone(),
            bytes: new.bytes,
            digests: new.digests.clone(),
            state: ExtentState::Pending,
            owner: Some((owner, epoch)),
            inode: None,
            span: None,
            hold: Hold::None,
            verified_at: None,
            created_at: now,
        });
        Ok(epoch)
    }

    fn check_target(&self, new: &NewExtent) -> Result<()> {
        let medium = self.medium(new.medium)?;
        if medium.locked {
            return Err(fenced(medium, "locked"));
        }
        if medium.format != MediumFormat::Respool {
            return Err(fenced(medium, "an LTFS volume of other software"));
        }
        if medium.standing != crate::model::Standing::Level {
            return Err(fenced(medium, medium.standing));
        }
        if medium.adm_state != AdmState::InService {
            return Err(fenced(medium, medium.adm_state));
        }
        if medium.generation != new.generation {
            return Err(fenced(medium, "it was erased since"));
        }
        match self.active_job_of(medium.id) {
            Some(job) => Err(fenced(medium, format!("it is a source of job {}", job.id))),
            None => Ok(()),
        }
    }

    /// Whether an extent that is there already may be referenced: its medium was not erased since.
    pub(super) fn check_reference(&self, extent: &Extent) -> Result<()> {
        let medium = self.medium(extent.medium)?;
        if medium.generation != extent.generation {
            return Err(fenced(medium, "it was erased since"));
        }
        if medium.adm_state == AdmState::Erasing {
            return Err(fenced(medium, medium.adm_state));
        }
        Ok(())
    }
}
