//! Whether bytes that are gone from a medium are nowhere, so that `--forget-missing` may forget what needs them. Refuses
//! while any medium may hold them: one that is in doubt and names their place, or one whose row names the very bytes and
//! that was not seen to lack them. Changes nothing; `reconcile` asks.

use super::reconcile::{ASKED, each_named};
use super::{Use, allocate};
use crate::api::Problem;
use crate::host::Host;
use dss::model::medium::NoTarget;
use dss::model::{AdmState, CopyNo, ExtentId, ExtentIndex, Medium, MediumId, ObjectId, Origin, Presence, Standing};
use lrs::ldm::fs::IndexEntry;
use std::collections::{BTreeMap, BTreeSet};

/// What a reconciliation found out about extents that may stand in for gone ones. What is in neither set was not tried.
#[derive(Default)]
pub struct Tried {
    /// Read whole, and good.
    pub good: BTreeSet<ExtentId>,
    /// Read whole, and other bytes; or not named by the index of their medium, which could be read.
    pub bad: BTreeSet<ExtentId>,
}

/// Another medium in doubt may hold what is to be forgotten. One that is ahead only for what it misses itself does not
/// hold this up, or two such media would hold up each other.
pub async fn refuse_unless_nowhere(host: &Host, medium: &Medium, lost: &[(ExtentId, Origin)]) -> Result<(), Problem> {
    let places: BTreeSet<_> = lost.iter().map(|(_, at)| (at.object, at.copy, at.index)).collect();
    let mut in_the_way = vec![];
    for other in host.catalogue.media().await? {
        let doubtful = other.standing != Standing::Level && other.adm_state != AdmState::Dead;
        if doubtful && other.id != medium.id && !holds_none_of(host, &other, &places).await {
            in_the_way.push(other.name);
        }
    }
    let Some(first) = in_the_way.first() else { return Ok(()) };
    let message = format!(
        "what is gone from medium {} may be on {}, not taken over yet or out of reach; nothing was forgotten",
        medium.name,
        in_the_way.join(", ")
    );
    let next = format!(
        "run `respool medium import {first} --reconcile --adopt` and repeat this; if {first} is lost for good, \
         `respool medium dead {first} --yes`"
    );
    Err(Problem::integrity("medium_ahead", "us", first, message).next(next))
}

/// Whether a medium's own index was read and names nothing of these places.
async fn holds_none_of(host: &Host, medium: &Medium, places: &BTreeSet<(ObjectId, CopyNo, ExtentIndex)>) -> bool {
    if medium.standing == Standing::Unseen || !medium.may_be_read() {
        return false;
    }
    let Ok(allocation) = allocate(host, medium, Use::Read).await else {
        return false;
    };
    let mut none = true;
    let look = |entry: IndexEntry| {
        let at = entry.tag.origin;
        none &= !places.contains(&(at.object, at.copy, at.index));
    };
    let read = each_named(&allocation.volume(medium.id), medium, look).await;
    allocation.release().await;
    read.is_ok() && none
}

/// The catalogue may know the very bytes on a medium that is level, and that cannot be read now: they are not nowhere.
pub async fn refuse_known_elsewhere(
    host: &Host,
    medium: &Medium,
    lost: &[(ExtentId, Origin)],
    tried: &Tried,
) -> Result<(), Problem> {
    let media: BTreeMap<MediumId, Medium> = host.catalogue.media().await?.into_iter().map(|m| (m.id, m)).collect();
    let origins: BTreeMap<ExtentId, &Origin> = lost.iter().map(|(id, origin)| (*id, origin)).collect();
    let ids: Vec<ExtentId> = origins.keys().copied().collect();
    let mut held: BTreeMap<MediumId, &Origin> = BTreeMap::new();
    for asked in ids.chunks(ASKED) {
        for (old, candidate) in host.catalogue.stand_ins(asked).await? {
            let Some(holder) = media.get(&candidate.medium) else {
                continue;
            };
            let there = holder.generation == candidate.generation && holder.adm_state != AdmState::Dead;
            if !there || tried.bad.contains(&candidate.id) {
                continue;
            }
            if tried.good.contains(&candidate.id) && has_another_copy(host, old, holder).await? {
                continue;
            }
            if let Some(origin) = origins.get(&old) {
                held.entry(holder.id).or_insert(*origin);
            }
        }
    }
    let Some((holder, origin)) = held.first_key_value() else {
        return Ok(());
    };
    let names: Vec<&str> = held.keys().map(|id| media[id].name.as_str()).collect();
    let message = format!(
        "what is gone from medium {}, such as '{}', is known to be on {}, and could not be read there; nothing was \
         forgotten",
        medium.name,
        origin.oid,
        names.join(", ")
    );
    let holder = &media[holder];
    let next = format!(
        "{}, and repeat this; if {} is lost for good, `respool medium dead {} --yes`",
        way_to(holder),
        holder.name,
        holder.name
    );
    Err(Problem::integrity("bytes_elsewhere", "medium", &holder.name, message).next(next))
}

/// Good bytes to which no layout may follow, since another copy of every object that needs them lies on their medium
/// (I10). When that medium is level nothing is lost with the gone ones but a copy, and this need not wait for ever.
async fn has_another_copy(host: &Host, gone: ExtentId, holder: &Medium) -> Result<bool, Problem> {
    if holder.standing != Standing::Level {
        return Ok(false);
    }
    for (object, entry) in host.catalogue.references(&[gone]).await? {
        let detail = host.catalogue.object_by_id(object).await?;
        let other = |one: &dss::model::LayoutEntry| one.copy != entry.copy && one.extent.medium == holder.id;
        if !detail.entries.iter().any(other) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What brings a medium within reach, as far as its row tells.
fn way_to(medium: &Medium) -> String {
    let name = &medium.name;
    let why = match (medium.locked, medium.presence) {
        (true, _) => Some(NoTarget::Locked),
        (false, _) if medium.in_reach() => None,
        (false, presence) => Some(NoTarget::Presence(presence)),
    };
    why.and_then(|why| why.way_out(name))
        .unwrap_or_else(|| format!("see why {name} cannot be read (`respool medium show {name}`, `respool check`)"))
}
