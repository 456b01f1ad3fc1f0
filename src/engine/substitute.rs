//! Extents that could not be read: blamed, then read from another copy (E-12), or skipped with every reason. Those that no
//! target can keep are skipped with theirs.

use super::Run;
use super::round::Round;
use super::targets::{Reads, Targets};
use crate::api::Problem;
use crate::mover::{Misfit, ReadFailure};
use crate::repack::manifest::Manifest;
use crate::repack::substitute::{Doubt, Other, Resort, against_reading, next_reader, resort};
use dss::model::event::NewEvent;
use dss::model::{Extent, ExtentId, Medium, MediumId, ObjectId, Oid, Skip, Substitution};
use lrs::core::Refusal;
use lrs::service::AllocateError;
use std::collections::{BTreeMap, BTreeSet};

/// One extent that did not come through.
pub(super) struct Bad {
    /// The extent that was to be moved.
    pub(super) old: ExtentId,
    /// What was read: itself, or its like in another copy.
    pub(super) read: ExtentId,
    /// Where.
    pub(super) medium: MediumId,
    /// Of which object.
    pub(super) oid: Oid,
    /// What happened.
    pub(super) failure: ReadFailure,
}

/// What can be done about the extents in doubt.
pub(super) enum Recourse {
    /// A round that reads another copy.
    Round(Box<Round>),
    /// So many of them were skipped: there is nothing else to be read.
    Skipped(u64),
    /// Nothing is in doubt.
    None,
}

impl Run<'_> {
    /// Blames what failed, and skips what cannot be had elsewhere; the rest waits for a round of its own, when all else
    /// is given back (hop 4). Answers how many extents this settles for now.
    pub(super) async fn doubt(&mut self, bad: Vec<Bad>) -> Result<u64, Problem> {
        if bad.is_empty() {
            return Ok(0);
        }
        self.blame(&bad).await?;
        for one in &bad {
            let reason = one.failure.to_string();
            let name = self.name_of(one.medium).await;
            let doubt = self
                .doubts
                .entry(one.old)
                .or_insert_with(|| Doubt::new(one.oid.clone(), one.medium, reason.clone()));
            doubt.integrity |= one.failure.is_integrity();
            if one.read == one.old {
                doubt.wrong_bytes |= one.failure.is_wrong_bytes();
            } else {
                doubt.failed(one.read, &name, &reason);
            }
        }
        let olds: Vec<ExtentId> = bad.iter().map(|one| one.old).collect();
        self.resorts(&olds).await?;
        Ok(olds.len() as u64)
    }

    /// Every failed read of a medium is an event; wrong or missing bytes make it suspect.
    async fn blame(&self, bad: &[Bad]) -> Result<(), Problem> {
        let mut wrong = BTreeSet::new();
        for one in bad {
            let reason = one.failure.to_string();
            if one.failure.is_integrity() {
                self.note_bad("extent.corrupt", one.read, &one.oid, one.medium, &reason)
                    .await?;
                wrong.insert(one.medium);
            } else if let ReadFailure::Media(error) = &one.failure {
                self.note_bad("extent.unreadable", one.read, &one.oid, one.medium, &reason)
                    .await?;
                self.host.lrs.report(one.medium, error).await;
            }
        }
        self.distrust(wrong).await
    }

    async fn note_bad(
        &self,
        kind: &'static str,
        extent: ExtentId,
        oid: &Oid,
        medium: MediumId,
        reason: &str,
    ) -> Result<(), Problem> {
        let event = NewEvent {
            kind,
            subject: extent.to_string(),
            detail: serde_json::json!({ "oid": oid, "medium": medium, "job": self.job.id, "reason": reason }),
        };
        Ok(self.host.catalogue.note(event, self.host.clock.now()).await?)
    }

    async fn distrust(&self, media: BTreeSet<MediumId>) -> Result<(), Problem> {
        for medium in media {
            let why = "it returned bytes that fail their digests";
            self.host.catalogue.suspect(medium, why, self.host.clock.now()).await?;
        }
        Ok(())
    }

    /// Evidence that did not fit together: nobody knows which side is wrong, so nothing is read elsewhere.
    pub(super) async fn refuse(&mut self, refused: Vec<(ExtentId, Oid, String)>) -> Result<u64, Problem> {
        let mut skips = vec![];
        for (extent, oid, reason) in refused {
            let medium = self.host.catalogue.extent(extent).await?.medium;
            self.note_bad("extent.corrupt", extent, &oid, medium, &reason).await?;
            skips.push(Skip {
                extent,
                oid,
                medium,
                reason,
                integrity: true,
            });
        }
        self.distrust(skips.iter().map(|skip| skip.medium).collect()).await?;
        let count = skips.len() as u64;
        self.skip(skips).await?;
        Ok(count)
    }

    /// What their targets cannot keep, for what is said of them: every other tape would refuse them as well, and nothing is
    /// wrong with the bytes, wherever they lie. They stay there, each with its reason. Answers how many.
    pub(super) async fn leave_out(&mut self, misfits: Vec<Misfit>) -> Result<u64, Problem> {
        if misfits.is_empty() {
            return Ok(0);
        }
        let olds: Vec<ExtentId> = misfits.iter().map(|one| one.old).collect();
        let rows = self.host.catalogue.extents_by_id(&olds).await?;
        let mut skips = vec![];
        for Misfit { old, oid, error } in misfits {
            if let Some(spool) = &mut self.spool {
                spool.forget(old);
            }
            // Its own bytes may have been bad as well.
            let (reason, integrity) = match self.doubts.remove(&old) {
                Some(doubt) => (format!("{}; {error}", doubt.reason), doubt.integrity),
                None => (error.to_string(), false),
            };
            // One that is gone by now is nobody's trouble any more.
            let Some(medium) = rows.get(&old).map(|row| row.medium) else {
                continue;
            };
            self.note_bad("extent.unrepresentable", old, &oid, medium, &reason)
                .await?;
            skips.push(Skip {
                extent: old,
                oid,
                medium,
                reason,
                integrity,
            });
        }
        let count = skips.len() as u64;
        self.skip(skips).await?;
        Ok(count)
    }

    /// Where each of these can be read; those that can be read nowhere are skipped.
    async fn resorts(&mut self, olds: &[ExtentId]) -> Result<BTreeMap<ExtentId, (ExtentId, MediumId)>, Problem> {
        let others = self.others(olds).await?;
        let (mut found, mut skips) = (BTreeMap::new(), vec![]);
        for old in olds {
            let Some(doubt) = self.doubts.get(old) else { continue };
            match resort(doubt, others.get(old).map_or(&[][..], Vec::as_slice)) {
                Resort::Read(extent, medium) => {
                    found.insert(*old, (extent, medium));
                }
                Resort::Leave(reason) => skips.push(Skip {
                    extent: *old,
                    oid: doubt.oid.clone(),
                    medium: doubt.medium,
                    reason,
                    integrity: doubt.integrity,
                }),
            }
        }
        for skip in &skips {
            self.doubts.remove(&skip.extent);
        }
        self.skip(skips).await?;
        Ok(found)
    }

    /// The extents of other copies with the same place and the same digests, of every object that the extent serves. All
    /// copies of an object are cut alike.
    async fn others(&self, olds: &[ExtentId]) -> Result<BTreeMap<ExtentId, Vec<Other>>, Problem> {
        let media = self.host.catalogue.media().await?;
        let media: BTreeMap<MediumId, Medium> = media.into_iter().map(|medium| (medium.id, medium)).collect();
        let mut others: BTreeMap<ExtentId, Vec<Other>> = BTreeMap::new();
        let references = self.host.catalogue.references(olds).await?;
        let served: BTreeSet<ObjectId> = references.iter().map(|(object, _)| *object).collect();
        let served: Vec<ObjectId> = served.into_iter().collect();
        let details = self.host.catalogue.objects_by_id(&served).await?;
        for (object, entry) in references {
            // Ended in this moment: nothing is read for it any more.
            let Some(detail) = details.get(&object) else { continue };
            let old = &entry.extent;
            let like = |extent: &Extent| extent.medium != old.medium && extent.digests == old.digests;
            let alike = detail.entries.iter();
            let alike = alike.filter(|other| other.index == entry.index && like(&other.extent));
            let found = others.entry(old.id).or_default();
            for extent in alike.map(|other| &other.extent) {
                let Some(medium) = media.get(&extent.medium) else {
                    continue;
                };
                if found.iter().all(|known| known.extent != extent.id) {
                    let shut = self.shut.get(&medium.id).cloned();
                    found.push(Other {
                        extent: extent.id,
                        medium: medium.id,
                        name: medium.name.clone(),
                        against: against_reading(medium).or(shut),
                    });
                }
            }
        }
        Ok(others)
    }

    /// When nothing else is left to be moved: a round for what is in doubt. ONE allocation will hold the other copy for
    /// read and the targets for write.
    pub(super) async fn plan_substitution(
        &mut self,
        mut doubtful: Manifest,
        targets: &mut Targets,
    ) -> Result<Recourse, Problem> {
        if doubtful.items.is_empty() {
            return Ok(Recourse::None);
        }
        let olds: Vec<ExtentId> = doubtful.items.iter().map(|item| item.extent).collect();
        let mut resorts = self.resorts(&olds).await?;
        let skipped = (olds.len() - resorts.len()) as u64;
        let mut last = None;
        while let Some((medium, others)) = next_reader(&resorts) {
            resorts.retain(|old, _| !others.contains_key(old));
            let (part, rest) = doubtful.parted(|item| others.contains_key(&item.extent));
            doubtful = rest;
            let reads = vec![medium];
            let routed = targets.route(self.host, &part, Reads::InTheirPlace(&medium)).await?;
            let round = Round::new(routed, reads, others);
            let placed = !round.plan.steps.is_empty();
            last = Some(round);
            if placed {
                break;
            }
        }
        Ok(match last {
            Some(round) => Recourse::Round(Box::new(round)),
            None => Recourse::Skipped(skipped),
        })
    }

    /// Whether a refusal is because of the medium of another copy: it is not asked for again in this run.
    pub(super) async fn ruled_out(&mut self, error: &AllocateError) -> bool {
        let Some([medium]) = self
            .round
            .as_ref()
            .filter(|round| !round.others.is_empty())
            .map(|round| &round.reads[..])
        else {
            return false;
        };
        let medium = *medium;
        let name = self.name_of(medium).await;
        let (blamed, why) = match error {
            AllocateError::Refused(
                Refusal::Unusable { medium, why }
                | Refusal::NoAnswer { medium, why }
                | Refusal::LeasedElsewhere { medium, why },
            ) => (medium, why.clone()),
            AllocateError::Media(error) => (&error.medium, error.to_string()),
            AllocateError::Refused(
                Refusal::NoTarget { .. } | Refusal::SharedDock { .. } | Refusal::FewDrives { .. } | Refusal::Stopping,
            )
            | AllocateError::Catalogue(_) => return false,
        };
        if *blamed != name {
            return false;
        }
        self.shut.insert(medium, why);
        true
    }

    /// Lists extents that the catalogue cannot explain. Their medium is not to blame.
    pub(super) async fn leave(&mut self, strays: Vec<Extent>) -> Result<(), Problem> {
        let reason = "the catalogue calls it sync and no object needs it: see `respool check`";
        let skips = strays.into_iter().map(|stray| Skip {
            extent: stray.id,
            oid: stray.origin.oid,
            medium: stray.medium,
            reason: reason.to_owned(),
            integrity: true,
        });
        self.skip(skips.collect()).await
    }

    /// Lists what stays where it is; the rest goes on.
    async fn skip(&mut self, skips: Vec<Skip>) -> Result<(), Problem> {
        if skips.is_empty() {
            return Ok(());
        }
        self.skipped.extend(skips.iter().map(|skip| skip.extent));
        self.tally.transactions += 1;
        let now = self.host.clock.now();
        self.host.catalogue.add_skips(self.job.id, &skips, now).await?;
        Ok(())
    }
}

/// What is noted of recorded moves whose bytes come from another copy.
pub(super) fn substitution(
    doubts: &BTreeMap<ExtentId, Doubt>,
    old: &Extent,
    new: ExtentId,
    read_from: MediumId,
) -> Option<Substitution> {
    let doubt = doubts.get(&old.id)?;
    Some(Substitution {
        extent: old.id,
        new,
        oid: doubt.oid.clone(),
        medium: doubt.medium,
        read_from,
        reason: doubt.reason.clone(),
        wrong_bytes: doubt.wrong_bytes,
    })
}
