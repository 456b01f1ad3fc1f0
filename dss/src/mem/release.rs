//! A surplus copy is given up (I10).

use super::tables::{Tables, not_found};
use crate::catalogue::{Released, Result, not_surplus};
use crate::model::{ByteCount, Extent, ExtentId, ExtentState, MediumId};
use crate::release::{Filled, is_relied_on, remaining};
use jiff::Timestamp;
use serde_json::json;
use std::collections::BTreeSet;

impl Tables {
    pub(super) fn release_copy(&mut self, id: ExtentId, now: Timestamp) -> Result<Released> {
        self.refuse_in_doubt()?;
        let state = self.extent(id)?.state;
        let seats: Vec<_> = self.seats_of(id).collect();
        let (object, copy) = match seats[..] {
            [(object, copy, _)] => (object, copy),
            [] => return Err(not_surplus(id, format!("it is {state}, and no copy needs it"))),
            _ => return Err(not_surplus(id, "it serves several objects".to_owned())),
        };
        let row = self.objects.get(&object).ok_or_else(|| not_found("object", object))?;
        let (oid, version, asked) = (row.oid.clone(), row.version, row.copies);
        let entries: Vec<_> = self.seats(object).collect();
        let parts: BTreeSet<ExtentId> = entries
            .iter()
            .filter(|(seat, _)| seat.1 == copy)
            .map(|(_, id)| *id)
            .collect();
        let filled = entries
            .iter()
            .filter_map(|(seat, id)| Some((seat, self.extents.get(id)?)));
        let places: Vec<Filled> = filled
            .map(|(seat, extent)| Filled {
                copy: seat.1,
                index: seat.2,
                medium: extent.medium,
                verified: extent.verified_at.is_some() && self.is_present(extent),
            })
            .collect();
        let media = self.media.values();
        let relied_on = media.filter(|medium| is_relied_on(medium, self.active_job_of(medium.id).is_some()));
        let relied_on: BTreeSet<MediumId> = relied_on.map(|medium| medium.id).collect();
        let mut released = Released {
            oid: oid.clone(),
            version,
            copy,
            extents: 0,
            bytes: ByteCount::ZERO,
            remaining: remaining(&places, copy, &relied_on),
            asked,
        }
        .or_refuse()?;
        self.end_copies(object, |one| one == copy);
        let freed = parts.iter().filter_map(|id| self.extents.get(id));
        for extent in freed.filter(|extent| extent.state == ExtentState::Orphan) {
            released.extents += 1;
            released.bytes += extent.bytes;
        }
        let detail = json!({ "version": version, "copy": copy, "remaining": released.remaining });
        self.log("copy.released", oid, detail, now);
        Ok(released)
    }

    fn is_present(&self, extent: &Extent) -> bool {
        let medium = self.media.get(&extent.medium);
        medium.is_some_and(|medium| medium.generation == extent.generation)
    }
}
