//! Media and their use, leases, the age clock and the log.

use super::tables::{LeaseRow, Tables, conflict, not_found};
use crate::catalogue::{CatalogueError, ClockVerdict, MediumChange, NewMedium, Page, Result};
use crate::model::event::chain_hash;
use crate::model::medium::{Usage, operator_may_set};
use crate::model::{
    AdmState, ByteCount, Epoch, Event, ExtentState, FsState, Generation, Health, Holder, Lease, Medium, MediumFormat,
    MediumId, Presence, Resource, Revision, Standing,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::collections::BTreeMap;
use std::ops::Bound;

/// How far back the age clock may go before destruction by age stops.
const CLOCK_BACK: SignedDuration = SignedDuration::from_hours(1);
/// How far forward it may jump.
const CLOCK_FORWARD: SignedDuration = SignedDuration::from_hours(24);

fn later(time: Timestamp, seconds: u32) -> Timestamp {
    time.checked_add(SignedDuration::from_secs(i64::from(seconds)))
        .unwrap_or(Timestamp::MAX)
}

impl LeaseRow {
    fn lease(&self) -> Lease {
        Lease {
            resource: self.resource.clone(),
            holder: self.holder,
            epoch: self.epoch,
            expires_at: self.expires_at,
        }
    }
}

impl Tables {
    pub(super) fn observe_clock(&mut self, now: Timestamp) -> ClockVerdict {
        let seen = self.clock.unwrap_or(now);
        let ahead = now.duration_since(seen);
        if ahead < -CLOCK_BACK {
            return ClockVerdict::Back { seen };
        }
        if ahead > CLOCK_FORWARD {
            return ClockVerdict::Forward { seen };
        }
        self.clock = Some(seen.max(now));
        ClockVerdict::Good
    }

    pub(super) fn accept_clock(&mut self, now: Timestamp) {
        let seen = self.clock.map(|seen| seen.to_string());
        self.clock = Some(now);
        self.log("clock.accepted", "clock", json!({ "before": seen }), now);
    }

    pub(super) fn seal_events(&mut self, limit: u32) -> u64 {
        let sealed = self.seals.last_key().copied();
        let mut previous = sealed.map_or([0; 32], |seq| *self.seals.get(&seq).expect("its own key"));
        let open: Vec<Event> = self
            .events
            .range((sealed.map_or(Bound::Unbounded, Bound::Excluded), Bound::Unbounded))
            .take(limit as usize)
            .map(|(_, event)| event.clone())
            .collect();
        for event in &open {
            previous = chain_hash(&previous, event);
            self.seals.insert(event.seq, previous);
        }
        open.len() as u64
    }

    pub(super) fn events_page(&self, page: Page<i64>) -> Vec<Event> {
        let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let rest = self.events.range((after, Bound::Unbounded));
        rest.take(page.limit as usize).map(|(_, event)| event.clone()).collect()
    }

    pub(super) fn add_medium(&mut self, new: NewMedium, now: Timestamp) -> Result<Medium> {
        if self.media.contains(&new.id) || self.media.values().any(|medium| medium.name == new.name) {
            return Err(CatalogueError::Exists {
                what: "medium",
                name: new.name,
            });
        }
        self.refuse_second_tape(new.id, new.family, &new.location)?;
        let medium = Medium {
            id: new.id,
            name: new.name,
            family: new.family,
            technology: new.technology,
            format: MediumFormat::Respool,
            location: new.location,
            tags: new.tags,
            groupings: Default::default(),
            class: new.class,
            adm_state: AdmState::InService,
            locked: false,
            health: Health::Ok,
            presence: Presence::Attached,
            fs_state: FsState::Blank,
            generation: Generation(0),
            capacity: new.capacity,
            revision: Revision(0),
            quarantined_until: None,
            standing: Standing::Level,
            emptied_by: None,
            doubts: 0,
            created_at: now,
        };
        self.log("medium.added", &medium.name, json!({ "id": medium.id }), now);
        self.media.insert(medium.id, medium.clone());
        Ok(medium)
    }

    pub(super) fn forget_medium(&mut self, id: MediumId) -> Result<()> {
        let medium = self.medium(id)?;
        if medium.fs_state != FsState::Blank || self.extents_on(id).next().is_some() {
            return Err(conflict(&medium.name, "it was labelled or holds extents"));
        }
        if self.jobs.values().any(|job| job.spec.sources.contains(&id)) {
            return Err(conflict(&medium.name, "it is or was the source of a job"));
        }
        self.leases.remove(&Resource::Medium(id).key());
        self.health_since.remove(&id);
        self.media.remove(&id);
        Ok(())
    }

    pub(super) fn media_by_name(&self) -> Vec<Medium> {
        let mut media: Vec<Medium> = self.media.values().cloned().collect();
        media.sort_by(|a, b| a.name.cmp(&b.name));
        media
    }

    pub(super) fn medium_named(&self, name: &str) -> Result<Medium> {
        let found = self.media.values().find(|medium| medium.name == name);
        found.cloned().ok_or_else(|| not_found("medium", name))
    }

    pub(super) fn usage(&self, id: MediumId, now: Timestamp) -> Result<Usage> {
        self.medium(id)?;
        let mut usage = Usage::default();
        for extent in self.extents_on(id) {
            usage.used += extent.bytes;
            match extent.state {
                ExtentState::Pending => usage.extents.pending += 1,
                ExtentState::Sync => {
                    usage.extents.sync += 1;
                    usage.live += extent.bytes;
                    if self.is_deleted_only(extent.id) {
                        usage.deleted += extent.bytes;
                    }
                    if self.unindexed.contains(&extent.id) {
                        usage.unindexed += extent.bytes;
                    }
                }
                ExtentState::Orphan => {
                    usage.extents.orphan += 1;
                    if extent.hold.is_over(now) {
                        usage.dead += extent.bytes;
                    } else {
                        usage.held += extent.bytes;
                    }
                }
            }
        }
        Ok(usage)
    }

    pub(super) fn used(&self) -> BTreeMap<MediumId, ByteCount> {
        let mut used = BTreeMap::new();
        for extent in self.extents.values().filter(|extent| extent.bytes != ByteCount::ZERO) {
            *used.entry(extent.medium).or_default() += extent.bytes;
        }
        used
    }

    pub(super) fn change_medium(&mut self, id: MediumId, change: MediumChange, now: Timestamp) -> Result<Medium> {
        let holds_extents = self.extents_on(id).next().is_some();
        let medium = self.medium_mut(id)?;
        if let Some(expected) = change.expect_adm_state
            && medium.adm_state != expected
        {
            return Err(conflict(
                &medium.name,
                format!("it is {}, not {expected}", medium.adm_state),
            ));
        }
        if let Some(to) = change.adm_state
            && to != medium.adm_state
        {
            if !operator_may_set(medium.adm_state, to) {
                return Err(conflict(
                    &medium.name,
                    format!("it is {} and cannot be set {to}", medium.adm_state),
                ));
            }
            medium.adm_state = to;
        }
        if change.adm_state.is_some() {
            self.operator_states.remove(&id);
        }
        let medium = self.medium(id)?;
        let (family, there) = (medium.family, change.location_of(medium));
        self.refuse_second_tape(id, family, &there)?;
        let medium = self.medium_mut(id)?;
        if let Some(generation) = change.generation
            && generation != medium.generation
        {
            if holds_extents || medium.adm_state == AdmState::Erasing {
                return Err(conflict(&medium.name, "its generation counts its erasures"));
            }
            medium.generation = generation;
        }
        medium.locked = change.locked.unwrap_or(medium.locked);
        let before = medium.health;
        medium.health = change.health.unwrap_or(before);
        medium.presence = change.presence.unwrap_or(medium.presence);
        medium.fs_state = change.fs_state.unwrap_or(medium.fs_state);
        medium.tags = change.tags.unwrap_or_else(|| medium.tags.clone());
        medium.class = change.class.unwrap_or_else(|| medium.class.clone());
        medium.capacity = change.capacity.unwrap_or(medium.capacity);
        medium.location = there;
        if medium.health != before {
            self.health_since.insert(id, now);
        }
        if change.health.is_some_and(|health| health != Health::Ok) {
            self.doubt(id)?;
        }
        let medium = self.medium(id)?.clone();
        self.log("medium.changed", &medium.name, json!({ "why": change.why }), now);
        Ok(medium)
    }

    /// A lower opinion is never replaced by *suspect*.
    pub(super) fn suspect(&mut self, id: MediumId, why: &str, now: Timestamp) -> Result<()> {
        let medium = self.medium_mut(id)?;
        let before = medium.health;
        medium.health = before.max(Health::Suspect);
        let (name, changed) = (medium.name.clone(), medium.health != before);
        if changed {
            self.health_since.insert(id, now);
        }
        self.doubt(id)?;
        self.log("medium.suspect", name, json!({ "why": why }), now);
        Ok(())
    }

    /// Something speaks against a medium: no read-back of it counts any more, one under way included.
    pub(super) fn doubt(&mut self, id: MediumId) -> Result<()> {
        self.medium_mut(id)?.doubts += 1;
        let held: Vec<_> = self.extents_on(id).map(|extent| extent.id).collect();
        for extent in held {
            self.extent_mut(extent).verified_at = None;
        }
        Ok(())
    }

    pub(super) fn take_lease(
        &mut self,
        resource: &Resource,
        holder: &Holder,
        seconds: u32,
        margin_seconds: u32,
        now: Timestamp,
    ) -> Result<Lease> {
        if let Resource::Medium(id) = resource {
            self.medium(*id)?;
        }
        let key = resource.key();
        let present = self.leases.get(&key);
        if let Some(row) = present
            && row.held
            && row.seat != holder.seat
        {
            let until = later(row.expires_at, margin_seconds);
            if now < until {
                return Err(CatalogueError::LeaseHeld { resource: key, until });
            }
        }
        let row = LeaseRow {
            resource: resource.clone(),
            holder: holder.id,
            seat: holder.seat.clone(),
            epoch: Epoch(present.map_or(0, |row| row.epoch.0) + 1),
            expires_at: later(now, seconds),
            held: true,
        };
        let lease = row.lease();
        self.leases.insert(key, row);
        Ok(lease)
    }

    pub(super) fn renew_leases(&mut self, holder: &Holder, seconds: u32, now: Timestamp) -> Vec<Lease> {
        let ours: Vec<String> = self
            .leases
            .iter()
            .filter(|(_, row)| row.held && row.holder == holder.id)
            .map(|(key, _)| key.clone())
            .collect();
        let mut leases = Vec::new();
        for key in ours {
            let row = self.leases.get_mut(&key).expect("its own key");
            row.expires_at = later(now, seconds);
            leases.push(row.lease());
        }
        leases
    }

    pub(super) fn release_lease(&mut self, lease: &Lease) {
        if let Some(row) = self.leases.get_mut(&lease.resource.key())
            && row.holder == lease.holder
            && row.epoch == lease.epoch
        {
            row.held = false;
        }
    }
}
