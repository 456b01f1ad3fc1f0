//! Whether an orphan is the last that is known to be good.

use super::tables::Tables;
use crate::model::{AdmState, Extent, ExtentState, Health, Medium, MediumId, Presence};

impl Tables {
    /// The live extents that a medium's orphans may have to stand in for.
    pub(super) fn doubtful(&self, medium: MediumId) -> Vec<Extent> {
        let mut found: Vec<Extent> = self
            .extents_on(medium)
            .flat_map(|orphan| self.relying_on(orphan))
            .cloned()
            .collect();
        found.sort_by_key(|extent| extent.id);
        found.dedup_by_key(|extent| extent.id);
        found
    }

    /// The live extents in doubt that fill the place of an orphan with the bytes it holds.
    pub(super) fn relying_on<'a>(&'a self, orphan: &'a Extent) -> impl Iterator<Item = &'a Extent> {
        let place = |extent: &Extent| (extent.origin.copy, extent.origin.index);
        self.extents_written_for(orphan.origin.object)
            .filter(|_| self.may_hold_bytes(orphan))
            .filter(move |live| live.state == ExtentState::Sync && place(live) == place(orphan))
            .filter(|live| live.digests == orphan.digests && self.is_doubtful(live))
    }

    /// Whatever its medium's index named was durable once, whoever looked at it since.
    pub(super) fn may_hold_bytes(&self, orphan: &Extent) -> bool {
        orphan.state == ExtentState::Orphan && self.is_where_it_was(orphan) && !self.unindexed.contains(&orphan.id)
            || self.still_holds_bytes(orphan)
    }

    fn is_doubtful(&self, live: &Extent) -> bool {
        let medium = self.media.get(&live.medium).expect("an extent lies on a known medium");
        is_gone(medium) || (medium.health != Health::Ok && live.verified_at.is_none())
    }
}

fn is_gone(medium: &Medium) -> bool {
    medium.adm_state == AdmState::Dead || medium.presence == Presence::Missing || medium.health == Health::Failed
}
