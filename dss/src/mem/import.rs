//! Import: what a medium holds becomes known, and nothing that is known changes by it.

use super::record::fenced;
use super::tables::{HIGH, LOW, Tables};
use crate::adoption::{Bytes, Choice, Names, choose, newest};
use crate::catalogue::{Adopt, Found, Imported, Result};
use crate::model::{
    AdmState, CopyNo, Extent, ExtentId, ExtentIndex, ExtentState, Generation, Hold, MediumId, Object, ObjectId, Oid,
    Version,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Where an import takes place.
#[derive(Clone, Copy)]
struct Site {
    medium: MediumId,
    generation: Generation,
    now: Timestamp,
}

/// What the catalogue knows of an extent that was found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Met {
    /// Nothing.
    New,
    /// It has a row.
    Known,
    /// It has one that an import left without a use.
    Unused,
    /// Its id or its address is another's.
    Other,
}

impl Tables {
    pub(super) fn import(&mut self, id: MediumId, found: Vec<Found>, adopt: Adopt, now: Timestamp) -> Result<Imported> {
        let medium = self.medium(id)?;
        if medium.adm_state == AdmState::Erasing {
            return Err(fenced(medium, medium.adm_state));
        }
        let name = medium.name.clone();
        let site = Site {
            medium: id,
            generation: medium.generation,
            now,
        };
        let mut report = Imported::default();
        let mut names = Names::default();
        // By version, so that the newest one found is the live one, whatever order the medium has.
        let mut groups: BTreeMap<(Oid, Version, ObjectId), Vec<Found>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for item in found {
            if !seen.insert(item.extent.to_string()) || !seen.insert(format!("at {}", item.address)) {
                report.unknown += 1;
                names.unadopted.insert(item.origin.oid);
                continue;
            }
            let met = self.meet_known(&site, &item);
            if met == Met::Other {
                report.unknown += 1;
                names.unadopted.insert(item.origin.oid.clone());
            }
            report.known += u64::from(matches!(met, Met::Known | Met::Unused));
            if met == Met::New || (met == Met::Unused && adopt.adopts()) {
                let key = (item.origin.oid.clone(), item.origin.version, item.origin.object);
                groups.entry(key).or_default().push(item);
            }
        }
        let mut adopted = BTreeSet::new();
        for ((oid, version, object), items) in groups {
            let same = |known: &Object| known.oid == oid && known.version == version;
            if self.objects.get(&object).is_some_and(same) {
                self.add_to_known(&site, object, &items, adopt, &mut report, &mut names);
                continue;
            }
            // Also of rows alone: what was forgotten because its bytes seemed to be nowhere.
            let new = items.iter().filter(|item| !self.extents.contains(&item.extent)).count();
            if self.objects.contains(&object) || self.would_clash((&oid, version), &items, adopt, &adopted) {
                names.clashes.insert(oid);
            } else if adopt.adopts() && self.adopt_object(&site, &items, &mut report, &mut names) {
                adopted.insert(object);
            } else {
                report.unknown += new as u64;
                names.unadopted.insert(oid);
            }
        }
        names.tell(&mut report);
        self.log("medium.imported", name, json!(report), now);
        Ok(report)
    }

    /// An extent id or an address that has a row already: its row at most gains confidence.
    fn meet_known(&mut self, site: &Site, item: &Found) -> Met {
        let place = (site.medium, site.generation, item.address.clone());
        let Some(row) = self.extents.get_mut(&item.extent) else {
            return match self.addresses.contains(&place) || !item.is_consistent() {
                true => Met::Other,
                false => Met::New,
            };
        };
        let same = (row.medium, row.generation, &row.address) == (place.0, place.1, &place.2)
            && row.digests.as_ref().is_none_or(|digests| *digests == item.digests)
            && item.is_consistent()
            && item.may_lie_at(row.span.as_ref());
        if !same {
            return Met::Other;
        }
        self.unindexed.remove(&item.extent);
        row.verified_at = item.read.max(row.verified_at);
        if row.state != ExtentState::Pending && row.span.is_none() {
            row.span = item.span.clone();
        }
        let unused = (row.state, row.hold) == (ExtentState::Orphan, Hold::Forever) && row.digests.is_some();
        match unused && row.origin == item.origin {
            true => Met::Unused,
            false => Met::Known,
        }
    }

    /// A name with any version here takes older versions only: import never makes a newer one. Versions adopted by
    /// this import do not count, so that all versions a medium holds become known at once; nor, for a lost history of
    /// ours, do those that were made and ended before this one.
    fn would_clash(
        &self,
        (oid, version): (&Oid, Version),
        items: &[Found],
        adopt: Adopt,
        adopted: &BTreeSet<ObjectId>,
    ) -> bool {
        let newest = items.iter().max_by_key(|item| item.extent);
        let before = |time: Timestamp| newest.is_some_and(|item| time <= item.header.created_at);
        let over = |known: &Object| before(known.created_at) && known.deleted_at.is_none_or(before);
        let refuses = |known: &Object| !(adopted.contains(&known.id) || adopt == Adopt::Newer && over(known));
        self.versions(oid)
            .any(|known| known.version == version || (known.version < version && refuses(known)))
    }

    fn adopt_object(&mut self, site: &Site, items: &[Found], report: &mut Imported, names: &mut Names) -> bool {
        let copies = by_copy(items);
        let mut whole = None;
        for (copy, theirs) in &copies {
            let Some(first) = newest(theirs) else { continue };
            let apart = !self
                .media_of_other_copies(first.origin.object, *copy)
                .contains(&site.medium);
            match choose(theirs, &BTreeMap::new(), (first.header.bytes, first.header.copies)) {
                Choice::Whole(chosen) if apart && whole.is_none() => whole = Some((*copy, first, chosen)),
                Choice::Contradiction => drop(names.contradictions.insert(first.origin.oid.clone())),
                Choice::Whole(_) | Choice::Part => {}
            }
        }
        let Some((copy, first, chosen)) = whole else {
            return false;
        };
        if copies.len() > 1 {
            names.unadopted.insert(first.origin.oid.clone());
        }
        let header = &first.header;
        let object = Object {
            id: first.origin.object,
            oid: first.origin.oid.clone(),
            version: first.origin.version,
            bytes: header.bytes,
            copies: header.copies,
            grouping: header.grouping.clone(),
            metadata: header.metadata.clone(),
            created_at: header.created_at,
            deleted_at: None,
        };
        // The version before it was overwritten when this one was made; one after it overwrote this one.
        if let Some(older) = self.live_version(&object.oid).map(|live| (live.id, live.version))
            && older.1 < object.version
        {
            self.objects.get_mut(&older.0).expect("it was just read").deleted_at = Some(object.created_at);
        }
        let next = self.versions(&object.oid).find(|known| known.version > object.version);
        let deleted_at = next.map(|next| next.created_at);
        let id = object.id;
        self.insert_object(Object { deleted_at, ..object });
        self.adopt_copy(site, id, copy, &chosen);
        report.objects_adopted += 1;
        self.add_orphans(site, items, report);
        true
    }

    fn add_to_known(
        &mut self,
        site: &Site,
        object: ObjectId,
        items: &[Found],
        adopt: Adopt,
        report: &mut Imported,
        names: &mut Names,
    ) {
        let row = self.objects.get(&object).expect("the caller found it").clone();
        let known = self.bytes_on_record(object);
        for (copy, theirs) in by_copy(items) {
            let lacks =
                adopt.adopts() && row.deleted_at.is_none() && !self.seats(object).any(|(seat, _)| seat.1 == copy);
            let apart = !self.media_of_other_copies(object, copy).contains(&site.medium);
            let known = known.get(&copy).cloned().unwrap_or_default();
            match choose(&theirs, &known, (row.bytes, row.copies)) {
                Choice::Whole(chosen) if lacks && apart => {
                    self.adopt_copy(site, object, copy, &chosen);
                    report.copies_adopted += 1;
                    continue;
                }
                Choice::Contradiction => drop(names.contradictions.insert(row.oid.clone())),
                Choice::Whole(_) | Choice::Part => {}
            }
            if lacks {
                names.unadopted.insert(row.oid.clone());
            }
        }
        self.add_orphans(site, items, report);
    }

    /// What the places of an object are known to hold: extents that are in use or were verified.
    fn bytes_on_record(&self, object: ObjectId) -> BTreeMap<CopyNo, BTreeMap<ExtentIndex, Bytes>> {
        let mut known: BTreeMap<CopyNo, BTreeMap<ExtentIndex, Bytes>> = BTreeMap::new();
        for extent in self.extents_written_for(object) {
            if let Some(digests) = &extent.digests
                && (extent.state == ExtentState::Sync || extent.verified_at.is_some())
            {
                let places = known.entry(extent.origin.copy).or_default();
                let place = places.entry(extent.origin.index).or_default();
                place.insert((digests.bytes, digests.blake3));
            }
        }
        known
    }

    fn adopt_copy(&mut self, site: &Site, object: ObjectId, copy: CopyNo, chosen: &[&Found]) {
        for item in chosen {
            match self.extents.get_mut(&item.extent) {
                Some(row) => (row.state, row.hold) = (ExtentState::Sync, Hold::None),
                None => self.insert_found(site, item, ExtentState::Sync),
            }
            self.fill((object, copy, item.origin.index), item.extent);
        }
    }

    /// Rows for those that have none.
    fn add_orphans(&mut self, site: &Site, items: &[Found], report: &mut Imported) {
        for item in items {
            if !self.extents.contains(&item.extent) {
                self.insert_found(site, item, ExtentState::Orphan);
                report.added += 1;
            }
        }
    }

    fn insert_found(&mut self, site: &Site, item: &Found, state: ExtentState) {
        debug_assert!(item.extent > ExtentId(LOW) && item.extent < ExtentId(HIGH));
        self.insert_extent(Extent {
            id: item.extent,
            origin: item.origin.clone(),
            medium: site.medium,
            generation: site.generation,
            address: item.address.clone(),
            bytes: item.digests.bytes,
            digests: Some(item.digests.clone()),
            state,
            owner: None,
            inode: item.inode,
            span: item.span.clone(),
            hold: if state == ExtentState::Orphan {
                Hold::Forever
            } else {
                Hold::None
            },
            verified_at: item.read,
            created_at: site.now,
        });
    }
}

fn by_copy(items: &[Found]) -> BTreeMap<CopyNo, Vec<&Found>> {
    let mut copies: BTreeMap<CopyNo, Vec<&Found>> = BTreeMap::new();
    for item in items {
        copies.entry(item.origin.copy).or_default().push(item);
    }
    copies
}
