//! What all media hold, summed for comparing them with each other.

use super::tables::Tables;
use crate::catalogue::STRANDED_MAX;
use crate::model::{ByteCount, ExtentState, Hold, Holding, Medium, MediumId};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

impl Tables {
    pub(super) fn holdings(&self, now: Timestamp) -> Vec<Holding> {
        let media = self.media_by_name();
        media.iter().map(|medium| self.holding(medium, now)).collect()
    }

    fn holding(&self, medium: &Medium, now: Timestamp) -> Holding {
        let mut holding = Holding {
            medium: medium.id,
            used: ByteCount::ZERO,
            live: ByteCount::ZERO,
            live_extents: 0,
            largest: ByteCount::ZERO,
            written_at: None,
            deleted: ByteCount::ZERO,
            deleted_at: None,
            dead: ByteCount::ZERO,
            held: ByteCount::ZERO,
            held_until: None,
            kept: ByteCount::ZERO,
            pending: 0,
            last_good: self.doubtful(medium.id).len() as u64,
            health_since: self.health_since.get(&medium.id).copied(),
        };
        for extent in self.extents_on(medium.id) {
            holding.used += extent.bytes;
            match (extent.state, extent.hold) {
                (ExtentState::Pending, _) => holding.pending += 1,
                (ExtentState::Sync, _) => {
                    holding.live += extent.bytes;
                    holding.live_extents += 1;
                    holding.largest = holding.largest.max(extent.bytes);
                    holding.written_at = holding.written_at.max(Some(extent.created_at));
                    if self.is_deleted_only(extent.id) {
                        holding.deleted += extent.bytes;
                        let versions = self.seats_of(extent.id).filter_map(|seat| self.objects.get(&seat.0));
                        let last = versions.filter_map(|version| version.deleted_at).max();
                        holding.deleted_at = holding.deleted_at.max(last);
                    }
                }
                (ExtentState::Orphan, hold) if hold.is_over(now) => holding.dead += extent.bytes,
                (ExtentState::Orphan, Hold::Until(end)) => {
                    holding.held += extent.bytes;
                    holding.held_until = holding.held_until.max(Some(end));
                }
                (ExtentState::Orphan, Hold::None | Hold::Forever) => holding.kept += extent.bytes,
            }
        }
        holding
    }

    pub(super) fn stranded(&self, targets: &BTreeSet<MediumId>) -> BTreeMap<MediumId, ByteCount> {
        let mut stranded = BTreeMap::new();
        if targets.len() > STRANDED_MAX {
            return stranded;
        }
        for extent in self.extents.values().filter(|extent| extent.state == ExtentState::Sync) {
            let seats = self.seats_of(extent.id);
            let others = seats.flat_map(|(object, copy, _)| self.media_of_other_copies(object, copy));
            let barred: BTreeSet<MediumId> = others.filter(|medium| targets.contains(medium)).collect();
            let elsewhere = targets.len() - usize::from(targets.contains(&extent.medium));
            if !barred.is_empty() && barred.len() >= elsewhere {
                *stranded.entry(extent.medium).or_insert(ByteCount::ZERO) += extent.bytes;
            }
        }
        stranded
    }
}
