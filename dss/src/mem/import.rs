//! Import: what a medium holds becomes known, and nothing that is known changes by it.

use super::objects::is_complete;
use super::record::fenced;
use super::tables::{HIGH, LOW, Tables};
use crate::catalogue::{Adopt, Found, Imported, Result};
use crate::model::{
    AdmState, CopyNo, Extent, ExtentId, ExtentState, Generation, Hold, MediumId, Object, ObjectId, Oid, Version,
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
        // By version, so that the newest one found is the live one, whatever order the medium has.
        let mut groups: BTreeMap<(Oid, Version, ObjectId), Vec<Found>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for item in found {
            if !seen.insert(item.extent.to_string()) || !seen.insert(format!("at {}", item.address)) {
                report.unknown += 1;
            } else if !self.meet_known(&site, &item, &mut report) {
                let key = (item.origin.oid.clone(), item.origin.version, item.origin.object);
                groups.entry(key).or_default().push(item);
            }
        }
        let mut adopted = BTreeSet::new();
        let mut clashes = BTreeSet::new();
        for ((oid, version, object), items) in groups {
            if let Some(known) = self.objects.get(&object) {
                if known.oid != oid || known.version != version {
                    clashes.insert(oid);
                    continue;
                }
                self.add_to_known(&site, object, items, adopt, &mut report);
            } else if self.would_clash(&oid, version, &adopted) {
                clashes.insert(oid);
            } else if adopt == Adopt::Yes && self.adopt_object(&site, &items, &mut report) {
                adopted.insert(object);
            } else {
                report.unknown += items.len() as u64;
            }
        }
        report.clashes = clashes.into_iter().collect();
        self.log("medium.imported", name, json!(report), now);
        Ok(report)
    }

    /// An extent id or an address that has a row already: counted, and its row at most gains confidence.
    fn meet_known(&mut self, site: &Site, item: &Found, report: &mut Imported) -> bool {
        let place = (site.medium, site.generation, item.address.clone());
        if let Some(row) = self.extents.get_mut(&item.extent) {
            let same = (row.medium, row.generation, &row.address) == (place.0, place.1, &place.2)
                && row.digests.as_ref().is_none_or(|digests| *digests == item.digests);
            if same {
                report.known += 1;
                row.indexed = true;
                row.verified_at = item.read.max(row.verified_at);
            } else {
                report.unknown += 1;
            }
            return true;
        }
        if self.addresses.contains(&place) || !item.digests.is_consistent() {
            report.unknown += 1;
            return true;
        }
        false
    }

    /// A name with any version here takes older versions only: import never makes a newer one. Versions adopted by
    /// this import do not count, so that all versions a medium holds become known at once.
    fn would_clash(&self, oid: &Oid, version: Version, adopted: &BTreeSet<ObjectId>) -> bool {
        self.versions(oid)
            .any(|known| known.version == version || (known.version < version && !adopted.contains(&known.id)))
    }

    fn adopt_object(&mut self, site: &Site, items: &[Found], report: &mut Imported) -> bool {
        let Some(first) = items.first() else { return false };
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
        let copies: BTreeSet<CopyNo> = items.iter().map(|item| item.origin.copy).collect();
        let apart = |copy| !self.media_of_other_copies(object.id, copy).contains(&site.medium);
        let Some(copy) = copies
            .into_iter()
            .find(|copy| whole_copy(&object, items, *copy) && apart(*copy))
        else {
            return false;
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
        self.adopt_copy(site, id, copy, items);
        report.objects_adopted += 1;
        let rest: Vec<&Found> = items.iter().filter(|item| item.origin.copy != copy).collect();
        self.add_orphans(site, &rest, report);
        true
    }

    fn add_to_known(&mut self, site: &Site, object: ObjectId, items: Vec<Found>, adopt: Adopt, report: &mut Imported) {
        let row = self.objects.get(&object).expect("the caller found it").clone();
        let may_gain = adopt == Adopt::Yes && row.deleted_at.is_none();
        let copies: BTreeSet<CopyNo> = items.iter().map(|item| item.origin.copy).collect();
        for copy in copies {
            let lacks = !self.seats(object).any(|(seat, _)| seat.1 == copy);
            let apart = !self.media_of_other_copies(object, copy).contains(&site.medium);
            let theirs: Vec<&Found> = items.iter().filter(|item| item.origin.copy == copy).collect();
            if may_gain && lacks && apart && whole_copy(&row, &items, copy) {
                self.adopt_copy(site, object, copy, &items);
                report.copies_adopted += 1;
            } else {
                self.add_orphans(site, &theirs, report);
            }
        }
    }

    fn adopt_copy(&mut self, site: &Site, object: ObjectId, copy: CopyNo, items: &[Found]) {
        for item in items.iter().filter(|item| item.origin.copy == copy) {
            self.insert_found(site, item, ExtentState::Sync);
            self.fill((object, copy, item.origin.index), item.extent);
        }
    }

    fn add_orphans(&mut self, site: &Site, items: &[&Found], report: &mut Imported) {
        for item in items {
            if self.extents.contains(&item.extent) {
                report.unknown += 1;
                continue;
            }
            self.insert_found(site, item, ExtentState::Orphan);
            report.added += 1;
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
            indexed: true,
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

/// Whether the items hold one whole copy, every extent of which was read and is good, under ids of its own.
fn whole_copy(object: &Object, items: &[Found], copy: CopyNo) -> bool {
    let theirs: Vec<&Found> = items.iter().filter(|item| item.origin.copy == copy).collect();
    let first_of = |item: &Found| (CopyNo(0), item.origin.index);
    let filled: BTreeMap<_, _> = theirs.iter().map(|item| (first_of(item), item.digests.bytes)).collect();
    let ids: BTreeSet<ExtentId> = theirs.iter().map(|item| item.extent).collect();
    let one = Object {
        copies: CopyNo(1),
        ..object.clone()
    };
    theirs
        .iter()
        .all(|item| item.read.is_some() && item.header.copy_extents as usize == theirs.len())
        && (0..object.copies.0).contains(&copy.0)
        && filled.len() == theirs.len()
        && ids.len() == theirs.len()
        && is_complete(&one, filled)
}
