//! Which live objects no medium can give, as far as the rows tell.

use super::tables::Tables;
use crate::catalogue::Finding;
use crate::lost::{self, Lost, NAMED_MAX, OldBytes};
use crate::model::{
    AdmState, CopyNo, Extent, ExtentIndex, ExtentState, Health, Medium, MediumId, MoveState, Object, Presence,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn is_lost(medium: &Medium) -> bool {
    medium.adm_state == AdmState::Dead || medium.health == Health::Failed
}

fn is_doubtful(medium: &Medium) -> bool {
    is_lost(medium) || medium.health != Health::Ok || medium.presence == Presence::Missing
}

impl Tables {
    /// Live versions whose every copy is on media that cannot be read, or should not be relied on.
    pub(super) fn lost_objects(&self) -> Vec<Finding> {
        let such = |which: fn(&Medium) -> bool| -> BTreeSet<MediumId> {
            let media = self.media.values().filter(|medium| which(medium));
            media.map(|medium| medium.id).collect()
        };
        let (lost, doubtful) = (such(is_lost), such(is_doubtful));
        let without = |media: &BTreeSet<MediumId>| {
            let objects = self.objects.values().filter(|object| self.is_without(object, media));
            objects.collect::<Vec<_>>()
        };
        let mut gone = without(&lost);
        gone.sort_by(|a, b| (&a.oid, a.version).cmp(&(&b.oid, b.version)));
        let (total, doubtful) = (gone.len() as u64, without(&doubtful).len() as u64);
        let named = gone.into_iter().take(NAMED_MAX);
        lost::findings(named.map(|object| self.lost(object, &lost)).collect(), total, doubtful)
    }

    pub(super) fn entries_of<'a>(&'a self, object: &Object) -> impl Iterator<Item = (CopyNo, ExtentIndex, &'a Extent)> {
        let seats = self.seats(object.id);
        seats.filter_map(|((_, copy, index), id)| Some((copy, index, self.extents.get(&id)?)))
    }

    /// Whether no copy can be read without these media. A part may come from another copy that has the same bytes there,
    /// as a get takes it.
    fn is_without(&self, object: &Object, media: &BTreeSet<MediumId>) -> bool {
        let elsewhere = |index, extent: &Extent| {
            self.entries_of(object).any(|(_, other, found)| {
                other == index && found.digests == extent.digests && !media.contains(&found.medium)
            })
        };
        let mut copies: BTreeMap<CopyNo, bool> = BTreeMap::new();
        for (copy, index, extent) in self.entries_of(object) {
            *copies.entry(copy).or_insert(true) &= elsewhere(index, extent);
        }
        !copies.is_empty() && copies.into_values().all(|readable| !readable)
    }

    fn lost(&self, object: &Object, media: &BTreeSet<MediumId>) -> Lost {
        let gone: Vec<&Extent> = self
            .entries_of(object)
            .map(|(.., extent)| extent)
            .filter(|extent| media.contains(&extent.medium))
            .collect();
        let names: BTreeSet<&str> = gone
            .iter()
            .filter_map(|extent| self.media.get(&extent.medium))
            .map(|medium| medium.name.as_str())
            .collect();
        let names: Vec<&str> = names.into_iter().collect();
        Lost {
            subject: format!("{} version {}", object.oid, object.version),
            media: names.join(", "),
            saved_by: gone.into_iter().find_map(|extent| self.old_bytes(extent, media)),
        }
    }

    fn old_bytes(&self, gone: &Extent, media: &BTreeSet<MediumId>) -> Option<OldBytes> {
        let place = (&gone.origin.object, gone.origin.index);
        self.extents
            .values()
            .filter(|old| old.state == ExtentState::Orphan && old.digests == gone.digests)
            .filter(|old| (&old.origin.object, old.origin.index) == place && !media.contains(&old.medium))
            .find_map(|old| {
                let medium = self.media.get(&old.medium)?;
                let there = medium.generation == old.generation && medium.adm_state != AdmState::Erasing;
                let mut moves = self.moves_from(old.id);
                let moved = moves.find(|entry| {
                    entry.new == gone.id && matches!(entry.state, MoveState::Swapped | MoveState::ReadBack)
                });
                there.then(|| OldBytes {
                    extent: old.id,
                    medium: medium.name.clone(),
                    job: moved.map(|entry| entry.job),
                })
            })
    }
}
