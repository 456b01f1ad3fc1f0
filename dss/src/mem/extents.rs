//! Extents: what lives on a medium, what may go from it, and what is known of it.

use super::tables::Tables;
use crate::catalogue::{ExtentFilter, ManifestRow, Page, Result};
use crate::model::{
    Address, AdmState, ByteCount, Extent, ExtentId, ExtentState, Generation, Hold, MediumId, Owner, Revision, Span,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

impl Tables {
    /// Whether every version that references an extent was deleted or overwritten.
    pub(super) fn is_deleted_only(&self, extent: ExtentId) -> bool {
        self.seats_of(extent)
            .filter_map(|seat| self.objects.get(&seat.0))
            .all(|object| object.deleted_at.is_some())
    }

    pub(super) fn extents_by_id(&self, ids: &[ExtentId]) -> BTreeMap<ExtentId, Extent> {
        let found = ids.iter().filter_map(|id| self.extents.get(id));
        found.map(|extent| (extent.id, extent.clone())).collect()
    }

    pub(super) fn unindexed_of(&self, ids: &[ExtentId]) -> BTreeSet<ExtentId> {
        ids.iter().filter(|id| self.unindexed.contains(id)).copied().collect()
    }

    pub(super) fn taken(&self, medium: MediumId, generation: Generation, addresses: &[Address]) -> BTreeSet<Address> {
        let is_taken = |address: &&Address| self.addresses.contains(&(medium, generation, (*address).clone()));
        addresses.iter().filter(is_taken).cloned().collect()
    }

    pub(super) fn extents_page(&self, filter: &ExtentFilter, page: Page<ExtentId>) -> Vec<Extent> {
        let wanted = |extent: &&Extent| {
            filter.state.is_none_or(|state| extent.state == state)
                && filter
                    .indexed
                    .is_none_or(|indexed| self.unindexed.contains(&extent.id) != indexed)
                && filter.oid.as_ref().is_none_or(|oid| extent.origin.oid == *oid)
                && page.after.is_none_or(|after| extent.id > after)
        };
        let limit = page.limit as usize;
        if let Some(medium) = filter.medium {
            return self.extents_on(medium).filter(wanted).take(limit).cloned().collect();
        }
        let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.extents.range((after, Bound::Unbounded)).map(|(_, extent)| extent);
        rest.filter(wanted).take(limit).cloned().collect()
    }

    pub(super) fn manifest(&self, source: MediumId, page: Page<ExtentId>) -> Result<Vec<ManifestRow>> {
        self.medium(source)?;
        Ok(self
            .extents_on(source)
            .filter(|extent| extent.state == ExtentState::Sync)
            .filter(|extent| page.after.is_none_or(|after| extent.id > after))
            .take(page.limit as usize)
            .map(|extent| self.manifest_row(extent))
            .collect())
    }

    fn manifest_row(&self, extent: &Extent) -> ManifestRow {
        let mut avoid = BTreeSet::new();
        for (object, copy) in self.copies_of(extent) {
            avoid.extend(self.media_of_other_copies(object, copy));
        }
        let users = std::iter::once(extent.origin.object).chain(self.seats_of(extent.id).map(|seat| seat.0));
        let grouping = users
            .filter_map(|object| self.objects.get(&object))
            .find_map(|object| object.grouping.clone());
        ManifestRow {
            extent: extent.id,
            medium: extent.medium,
            object: extent.origin.object,
            oid: extent.origin.oid.clone(),
            copy: extent.origin.copy,
            bytes: extent.bytes,
            deleted_only: self.is_deleted_only(extent.id),
            avoid,
            grouping,
            spot: extent.span.as_ref().and_then(Span::spot),
        }
    }

    pub(super) fn sweep_pending(
        &mut self,
        medium: Option<MediumId>,
        now: Timestamp,
    ) -> BTreeMap<Owner, (u64, ByteCount)> {
        let dead: Vec<(ExtentId, Owner, ByteCount)> = self
            .extents
            .values()
            .filter(|extent| medium.is_none_or(|medium| extent.medium == medium))
            .filter_map(|extent| {
                let (owner, epoch) = extent.owner?;
                (!self.epoch_lives(extent.medium, epoch)).then_some((extent.id, owner, extent.bytes))
            })
            .collect();
        let mut swept: BTreeMap<Owner, (u64, ByteCount)> = BTreeMap::new();
        for (id, owner, bytes) in dead {
            self.orphan(id, Hold::None);
            let (count, sum) = swept.entry(owner).or_default();
            *count += 1;
            *sum += bytes;
        }
        if !swept.is_empty() {
            let extents: u64 = swept.values().map(|(count, _)| count).sum();
            self.log("extents.swept", "pending", json!({ "extents": extents }), now);
        }
        swept
    }

    pub(super) fn removable(&self, medium: MediumId, page: Page<ExtentId>, now: Timestamp) -> Result<Vec<Extent>> {
        let row = self.medium(medium)?;
        if row.locked
            || matches!(
                row.adm_state,
                AdmState::Quarantined | AdmState::Erasing | AdmState::Dead
            )
        {
            return Ok(Vec::new());
        }
        let in_use: BTreeSet<_> = self
            .extents_on(medium)
            .filter(|extent| extent.state != ExtentState::Orphan)
            .map(|extent| &extent.address)
            .collect();
        Ok(self
            .extents_on(medium)
            .filter(|extent| extent.state == ExtentState::Orphan && extent.hold.is_over(now))
            .filter(|extent| extent.generation == row.generation && !in_use.contains(&extent.address))
            .filter(|extent| page.after.is_none_or(|after| extent.id > after))
            .filter(|extent| self.relying_on(extent).next().is_none())
            .take(page.limit as usize)
            .cloned()
            .collect())
    }

    pub(super) fn forget_orphans(
        &mut self,
        medium: MediumId,
        generation: Generation,
        extents: &[ExtentId],
    ) -> Result<u64> {
        self.medium(medium)?;
        let gone: BTreeSet<ExtentId> = extents
            .iter()
            .filter_map(|id| self.extents.get(id))
            .filter(|extent| extent.state == ExtentState::Orphan)
            .filter(|extent| extent.medium == medium && extent.generation == generation)
            .map(|extent| extent.id)
            .collect();
        for id in &gone {
            self.remove_extent(*id);
        }
        Ok(gone.len() as u64)
    }

    pub(super) fn mark_indexed(&mut self, medium: MediumId, revision: Revision, extents: &[ExtentId]) -> Result<u64> {
        let row = self.medium_mut(medium)?;
        row.revision = row.revision.max(revision);
        let news = |id: &&ExtentId| {
            let row = self.extents.get(id);
            row.is_some_and(|extent| extent.medium == medium && self.unindexed.contains(id))
        };
        let named: BTreeSet<ExtentId> = extents.iter().filter(news).copied().collect();
        for id in &named {
            self.unindexed.remove(id);
        }
        Ok(named.len() as u64)
    }
}
