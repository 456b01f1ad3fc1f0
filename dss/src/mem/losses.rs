//! What would become of objects if media were lost.

use super::lost::is_lost;
use super::tables::Tables;
use crate::model::loss::{AtRisk, Loss, Share};
use crate::model::{CopyNo, Extent, MediumId, Object};
use std::collections::{BTreeMap, BTreeSet};

impl Tables {
    pub(super) fn what_if_lost(&self, media: &BTreeSet<MediumId>, limit: u32) -> Loss {
        let gone = self.media.values().filter(|medium| is_lost(medium));
        let gone: BTreeSet<MediumId> = gone.map(|medium| medium.id).collect();
        let after: BTreeSet<MediumId> = gone.union(media).copied().collect();
        let mut touched = vec![];
        for object in self.objects.values() {
            let (now, left) = (self.copies_without(object, &gone), self.copies_without(object, &after));
            if left < now {
                touched.push(AtRisk {
                    oid: object.oid.clone(),
                    version: object.version,
                    deleted: object.deleted_at.is_some(),
                    bytes: object.bytes,
                    copies_now: now,
                    copies_left: left,
                });
            }
        }
        let share = |which: fn(&&AtRisk) -> bool| {
            let such = touched.iter().filter(which);
            Share {
                objects: such.clone().count() as u64,
                bytes: such.map(|one| one.bytes).sum(),
            }
        };
        let (lost, fewer) = (share(|one| one.copies_left == 0), share(|one| one.copies_left > 0));
        touched.sort_by(|a, b| (a.copies_left > 0, &a.oid, a.version).cmp(&(b.copies_left > 0, &b.oid, b.version)));
        touched.truncate(limit as usize);
        Loss {
            lost,
            fewer,
            listed: touched,
        }
    }

    /// How many copies of a version can be put together, part by part, without these media.
    fn copies_without(&self, object: &Object, media: &BTreeSet<MediumId>) -> u64 {
        let entries: Vec<_> = self.entries_of(object).collect();
        let same = |index, extent: &Extent| {
            let such = entries
                .iter()
                .filter(|(_, other, found)| *other == index && found.digests == extent.digests);
            such.filter(|(.., found)| !media.contains(&found.medium)).count() as u64
        };
        let mut copies: BTreeMap<CopyNo, u64> = BTreeMap::new();
        for (copy, index, extent) in &entries {
            let least = copies.entry(*copy).or_insert(u64::MAX);
            *least = same(*index, extent).min(*least);
        }
        copies.into_values().max().unwrap_or_default()
    }
}
