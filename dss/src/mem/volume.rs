//! LTFS volumes of other software: all of their files at once, without what their bytes digest to.

use super::tables::Tables;
use crate::catalogue::{NewFile, NewVolume, Result, VolumeAdopted};
use crate::model::{
    AdmState, CopyNo, Digested, Digests, Extent, ExtentId, ExtentIndex, ExtentState, FsState, Hold, KnownHash, Medium,
    MediumFormat, MediumId, Object, ObjectId, Oid, Origin, Presence,
};
use jiff::Timestamp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

impl Tables {
    pub(super) fn adopt_volume(&mut self, volume: &NewVolume, now: Timestamp) -> Result<VolumeAdopted> {
        let mut clashes: BTreeSet<Oid> = volume.named_twice().into_iter().collect();
        let oids = volume.files.iter().map(|file| &file.oid);
        clashes.extend(oids.filter(|oid| self.live_version(oid).is_some()).cloned());
        if !clashes.is_empty() {
            return Ok(VolumeAdopted::Clashes(clashes.into_iter().collect()));
        }
        let id = self.add_medium(volume.medium.clone(), now)?.id;
        let medium = self.medium_mut(id)?;
        medium.format = MediumFormat::Ltfs;
        medium.adm_state = AdmState::ReadOnly;
        medium.fs_state = FsState::Used;
        medium.presence = Presence::Near;
        let medium = medium.clone();
        // Nobody but the import made it *read_only*: erased, it takes extents.
        self.operator_states.insert(id, AdmState::InService);
        for file in &volume.files {
            self.adopt_file(&medium, file, now);
        }
        let detail = json!({ "id": id, "objects": volume.files.len() });
        self.log("medium.volume_imported", &medium.name, detail, now);
        Ok(VolumeAdopted::Added(Box::new(self.medium(id)?.clone())))
    }

    fn adopt_file(&mut self, medium: &Medium, file: &NewFile, now: Timestamp) {
        let object = Object {
            id: ObjectId::fresh(),
            oid: file.oid.clone(),
            version: self.next_version(&file.oid),
            bytes: file.bytes,
            copies: CopyNo(1),
            grouping: None,
            metadata: file.metadata.clone(),
            created_at: now,
            deleted_at: None,
        };
        let extent = Extent {
            id: ExtentId::fresh(),
            origin: Origin {
                object: object.id,
                oid: object.oid.clone(),
                version: object.version,
                copy: CopyNo(0),
                index: ExtentIndex(0),
            },
            medium: medium.id,
            generation: medium.generation,
            address: file.address.clone(),
            bytes: file.bytes,
            digests: file.digests(),
            state: ExtentState::Sync,
            owner: None,
            inode: None,
            span: file.span.clone(),
            hold: Hold::None,
            verified_at: None,
            created_at: now,
        };
        let (object_id, extent_id) = (object.id, extent.id);
        self.insert_object(object);
        self.insert_extent(extent);
        self.fill((object_id, CopyNo(0), ExtentIndex(0)), extent_id);
        if !file.hashes().is_empty() {
            self.hashes.insert(extent_id, file.hashes().to_vec());
        }
    }

    pub(super) fn known_hashes(&self, extents: &[ExtentId]) -> BTreeMap<ExtentId, Vec<KnownHash>> {
        let unread = |id: &&ExtentId| self.extents.get(id).is_some_and(|extent| extent.digests.is_none());
        let known = |id: &ExtentId| Some((*id, self.hashes.get(id)?.clone()));
        extents.iter().filter(unread).filter_map(known).collect()
    }

    pub(super) fn note_digests(&mut self, medium: MediumId, digested: &[Digested], now: Timestamp) -> u64 {
        let mut noted = 0;
        for one in digested {
            let wanted = |extent: &&Extent| {
                (extent.medium, extent.state) == (medium, ExtentState::Sync) && extent.digests.is_none()
            };
            if self.extents.get(&one.extent()).as_ref().is_some_and(wanted) {
                self.know_digests(one.extent(), one.digests());
                self.extent_mut(one.extent()).verified_at = Some(now);
                noted += 1;
            }
        }
        noted
    }

    pub(super) fn know_digests(&mut self, id: ExtentId, digests: &Digests) {
        self.extent_mut(id).digests = Some(digests.clone());
    }
}
