//! The invariants, looked for in every row: what `findings` answers, and what debug builds assert after each change.

use super::objects::is_complete;
use super::tables::Tables;
use crate::catalogue::{Finding, Severity};
use crate::model::event::chain_hash;
use crate::model::{
    AdmState, ByteCount, CopyNo, Extent, ExtentIndex, ExtentState, Family, Medium, MediumFormat, MediumId, MoveState,
    Object, Oid, Revision, Standing,
};
use crate::overlap::{Laid, Overlaps, told};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Collects findings of one severity.
struct Finder {
    severity: Severity,
    found: Vec<Finding>,
}

impl Finder {
    fn new(severity: Severity) -> Self {
        Self {
            severity,
            found: Vec::new(),
        }
    }

    /// Notes a finding when what must hold does not.
    fn must(&mut self, holds: bool, invariant: &str, subject: impl ToString, detail: &str) {
        if !holds {
            self.found.push(Finding {
                severity: self.severity,
                invariant: invariant.to_owned(),
                subject: subject.to_string(),
                detail: detail.to_owned(),
            });
        }
    }
}

/// The stretches of an extent.
fn laid(extent: &Extent) -> impl Iterator<Item = Laid> {
    let stretches = extent.span.as_ref().map_or(&[] as &[_], |span| &span.0);
    stretches.iter().map(|stretch| Laid {
        tape: extent.medium,
        generation: extent.generation,
        stretch: *stretch,
        extent: extent.id,
    })
}

impl Tables {
    /// Every broken invariant.
    pub(super) fn violations(&self) -> Vec<Finding> {
        let mut finder = Finder::new(Severity::Error);
        for extent in self.extents.values() {
            self.check_extent(extent, &mut finder);
        }
        for (seat, id) in self.layouts.iter() {
            let state = self.extents.get(id).map(|extent| extent.state);
            finder.must(
                state == Some(ExtentState::Sync),
                "I1",
                id,
                "a layout references an extent that is not sync",
            );
            finder.must(self.objects.contains(&seat.0), "I1", seat.0, "a layout of no object");
        }
        self.check_moves(&mut finder);
        let mut live: BTreeSet<&Oid> = BTreeSet::new();
        for object in self.objects.values() {
            self.check_object(object, &mut finder);
            let only = object.deleted_at.is_some() || live.insert(&object.oid);
            finder.must(only, "version", &object.oid, "two live versions");
        }
        for medium in self.media.values() {
            self.check_medium(medium, &mut finder);
        }
        self.check_sources(&mut finder);
        finder.found
    }

    /// Oddities that break nothing, and the chain of events, which is too long to be looked at after every change.
    pub(super) fn oddities(&self, now: Timestamp) -> Vec<Finding> {
        let mut finder = Finder::new(Severity::Error);
        let mut previous = [0; 32];
        for (seq, seal) in self.seals.iter() {
            previous = self
                .events
                .get(seq)
                .map_or(previous, |event| chain_hash(&previous, event));
            finder.must(
                previous == *seal,
                "chain",
                seq,
                "the event is not the one that was sealed",
            );
        }
        for medium in self.media.values().filter(|medium| medium.adm_state != AdmState::Dead) {
            let level = medium.standing == Standing::Level;
            finder.must(level, "E-16", &medium.name, medium.standing.as_str());
        }
        finder.severity = Severity::Warning;
        for object in self.objects.values().filter(|object| object.deleted_at.is_none()) {
            let copies: BTreeSet<CopyNo> = self.seats(object.id).map(|(seat, _)| seat.1).collect();
            let enough = copies.len() >= usize::try_from(object.copies.0).unwrap_or(0);
            finder.must(enough, "copies", &object.oid, "fewer copies than asked for");
        }
        self.check_tapes(&mut finder);
        finder.severity = Severity::Note;
        for extent in self.extents.values() {
            let dead = extent
                .owner
                .is_some_and(|(_, epoch)| !self.epoch_lives(extent.medium, epoch));
            finder.must(
                !dead,
                "pending",
                extent.id,
                "its owner's epoch is dead: it will be swept",
            );
            let waits = extent.state == ExtentState::Orphan && extent.hold.is_over(now);
            finder.must(!waits, "orphan", extent.id, "its bytes may go");
        }
        finder.found
    }

    /// Where on their tapes extents lie. Tapes that respool never wrote an index to are other software's, whose files need
    /// not all have a place that can be told, and may share bytes.
    fn check_tapes(&self, finder: &mut Finder) {
        let ours = |medium: &&Medium| medium.family == Family::Tape && medium.revision > Revision(0);
        for medium in self.media.values().filter(ours) {
            finder.severity = Severity::Warning;
            for extent in self.extents_on(medium.id) {
                let known = extent.state != ExtentState::Sync || extent.span.is_some();
                finder.must(known, "tape", extent.id, "it is not known where on its tape it lies");
            }
            finder.severity = Severity::Error;
            let mut laid: Vec<Laid> = self.extents_on(medium.id).flat_map(laid).collect();
            laid.sort();
            let mut overlaps = Overlaps::default();
            for one in laid {
                let extent = one.extent;
                if let Some(before) = overlaps.next(one) {
                    finder.must(false, "I11", extent, &told(extent, &before, &medium.name));
                }
            }
        }
    }

    fn check_extent(&self, extent: &Extent, finder: &mut Finder) {
        let referenced = self.seats_of(extent.id).next().is_some();
        let pending = extent.state == ExtentState::Pending;
        let owned = extent.owner.is_some();
        finder.must(
            pending == owned,
            "I2",
            extent.id,
            "pending and owned do not go together",
        );
        finder.must(
            referenced == (extent.state == ExtentState::Sync),
            "I2",
            extent.id,
            "sync and referenced do not go together",
        );
        let digests = extent.digests.as_ref();
        let fits = extent.span.as_ref().is_none_or(|span| span.fits(extent.bytes));
        finder.must(fits, "I3", extent.id, "its place on the tape has more bytes");
        let consistent = digests.is_none_or(|known| known.is_consistent() && known.bytes == extent.bytes);
        let other = |medium: &Medium| medium.format == MediumFormat::Ltfs && extent.bytes > ByteCount::ZERO;
        let imported = self.media.get(&extent.medium).is_some_and(other);
        let known = extent.state != ExtentState::Sync || digests.is_some() || imported;
        finder.must(
            consistent && known,
            "I3",
            extent.id,
            "its digests contradict themselves or its size",
        );
        let place = (extent.medium, extent.generation, extent.address.clone());
        finder.must(
            self.addresses.get(&place) == Some(&extent.id),
            "I11",
            extent.id,
            "another extent has its address",
        );
        let Some(medium) = self.media.get(&extent.medium) else {
            finder.must(false, "I6", extent.id, "its medium is unknown");
            return;
        };
        let in_use = extent.state != ExtentState::Orphan;
        finder.must(
            !in_use
                || (medium.generation == extent.generation && medium.adm_state != AdmState::Erasing)
                // E-16 says so, and that it is to be reconciled.
                || (medium.generation > extent.generation && medium.standing == Standing::Ahead),
            "I6",
            extent.id,
            "it is in use on a medium that was erased or is being erased",
        );
    }

    fn check_moves(&self, finder: &mut Finder) {
        for entry in self.moves.values() {
            let (old, new) = (self.extents.get(&entry.old), self.extents.get(&entry.new));
            if let (Some(old), Some(new)) = (old, new) {
                // An imported extent may have been read since its move was recorded.
                let unread = new.state == ExtentState::Pending && new.digests.is_none();
                let digests = unread || old.digests == new.digests;
                let same = old.bytes == new.bytes && digests && old.origin == new.origin;
                finder.must(same, "I3", new.id, "a move changed size, digests or place");
            }
            let open = entry.state == MoveState::Recorded;
            let pending = new.is_some_and(|new| new.state == ExtentState::Pending);
            finder.must(open == pending, "I2", entry.new, "its move and its state disagree");
        }
    }

    fn check_object(&self, object: &Object, finder: &mut Finder) {
        if self.is_ended(object.id) {
            finder.must(
                object.deleted_at.is_some(),
                "I5",
                &object.oid,
                "a live version has no copy",
            );
            return;
        }
        let mut media: BTreeMap<MediumId, CopyNo> = BTreeMap::new();
        let mut copies: BTreeMap<CopyNo, BTreeMap<(CopyNo, ExtentIndex), ByteCount>> = BTreeMap::new();
        for ((_, copy, index), id) in self.seats(object.id) {
            let Some(extent) = self.extents.get(&id) else { continue };
            let filled = copies.entry(copy).or_default();
            filled.insert((CopyNo(0), index), extent.bytes);
            let first = *media.entry(extent.medium).or_insert(copy);
            finder.must(first == copy, "I10", &object.oid, "two copies share a medium");
        }
        let one = Object {
            copies: CopyNo(1),
            ..object.clone()
        };
        let whole = copies.into_values().all(|filled| is_complete(&one, filled));
        finder.must(whole, "I4", &object.oid, "a copy has a gap or another size");
    }

    fn check_medium(&self, medium: &Medium, finder: &mut Finder) {
        let held = medium.adm_state == AdmState::Quarantined;
        let emptied = held || medium.adm_state == AdmState::Erasing;
        finder.must(
            held || medium.quarantined_until.is_none(),
            "I8",
            &medium.name,
            "a quarantine without its state",
        );
        finder.must(
            emptied || medium.emptied_by.is_none(),
            "I8",
            &medium.name,
            "emptied by a job and in use again",
        );
        let mut extents = self.extents_on(medium.id);
        let pending = held && extents.any(|extent| extent.state == ExtentState::Pending);
        finder.must(
            !pending,
            "I6",
            &medium.name,
            "something is being written to a quarantined medium",
        );
    }

    fn check_sources(&self, finder: &mut Finder) {
        let mut taken: BTreeSet<MediumId> = BTreeSet::new();
        for job in self.jobs.values().filter(|job| job.state.is_active()) {
            for source in job.spec.sources.iter().collect::<BTreeSet<_>>() {
                finder.must(
                    taken.insert(*source),
                    "job",
                    source,
                    "it is a source of two active jobs",
                );
            }
        }
    }
}
