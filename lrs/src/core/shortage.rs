//! Why no choice of media and drives will ever do for a request, in words for whoever asked. Called by placement only.

use super::drive::DriveId;
use super::matching::{Net, Short, assign};
use super::offers::Pool;
use super::placement::{Facts, Out, candidate};
use super::request::{Refusal, Request};
use dss::model::{ByteCount, MediumId};
use std::collections::{BTreeMap, BTreeSet};

/// Why nothing will do: drives, if media that are good in themselves need more than there are; else each candidate with
/// its reason.
pub(super) fn no_place(request: &Request, pool: &Pool, facts: &Facts, short: &Short<DriveId>) -> Refusal {
    let wants = &pool.seats[pool.named..];
    let apart: BTreeMap<MediumId, Vec<MediumId>> = pool.offers.keys().map(|id| (*id, vec![*id])).collect();
    let net = Net {
        seats: wants,
        drives: &apart,
    };
    if let Ok(chosen) = assign(&net) {
        let named = pool.seats[..pool.named].iter().flatten().copied();
        let all: Vec<MediumId> = named.chain(chosen.into_iter().map(|(medium, _)| medium)).collect();
        if let Some(refusal) = dock_of_two(&all, facts).or_else(|| few_drives(pool, facts, short)) {
            return refusal;
        }
    }
    no_target(request, wants, facts)
}

/// The first dock that two of these media need.
fn dock_of_two(media: &[MediumId], facts: &Facts) -> Option<Refusal> {
    let drive = |id: &MediumId| (facts.medium)(*id).and_then(DriveId::fixed);
    let fixed: Vec<(MediumId, DriveId)> = media.iter().filter_map(|id| Some((*id, drive(id)?))).collect();
    for (place, (first, drive)) in fixed.iter().enumerate() {
        if let Some((second, _)) = fixed[place + 1..].iter().find(|(_, other)| other == drive) {
            return Some(shared_dock(drive, *first, *second, facts));
        }
    }
    None
}

/// More tapes than drives (X-10, E-01).
fn few_drives(pool: &Pool, facts: &Facts, short: &Short<DriveId>) -> Option<Refusal> {
    let library = short.drives.iter().find_map(DriveId::library)?;
    let drives: BTreeSet<&DriveId> = short
        .drives
        .iter()
        .filter(|drive| drive.library() == Some(library))
        .collect();
    let only_there = |media: &&Vec<MediumId>| {
        let mut all = media.iter().flat_map(|medium| &pool.offers[medium].choices.ever);
        all.all(|drive| drives.contains(drive))
    };
    Some(Refusal::FewDrives {
        library: library.to_owned(),
        drives: drives.len(),
        needed: pool.seats.iter().filter(only_there).count().max(drives.len() + 1),
        closed: (facts.closed)(library),
    })
}

fn no_target(request: &Request, wants: &[Vec<MediumId>], facts: &Facts) -> Refusal {
    let empty = wants.iter().position(Vec::is_empty).unwrap_or(0);
    let want = request
        .writes
        .get(empty)
        .expect("only a request with writes lacks a target");
    let roomiest = want.candidates.iter().filter_map(|id| match facts.out.get(id) {
        Some(Out::Room(free)) => Some(*free),
        Some(Out::Probe(_) | Out::Load(_) | Out::Lease(_) | Out::Drive(_) | Out::Silent(_) | Out::Nowhere(_))
        | None => None,
    });
    let considered = want.candidates.iter().map(|id| {
        let why = candidate(*id, facts).err();
        let why = why.unwrap_or_else(|| "needed by the same request already".into());
        format!("{}: {why}", facts.name_of(*id))
    });
    Refusal::NoTarget {
        at_least: want.at_least,
        missing: want.at_least.saturating_sub(roomiest.max().unwrap_or(ByteCount::ZERO)),
        considered: considered.collect(),
    }
}

pub(super) fn shared_dock(drive: &DriveId, first: MediumId, second: MediumId, facts: &Facts) -> Refusal {
    let dock = match drive {
        DriveId::Dock(name) => name.clone(),
        DriveId::Own(_) | DriveId::Bay { .. } => drive.to_string(),
    };
    Refusal::SharedDock {
        dock,
        first: facts.name_of(first),
        second: facts.name_of(second),
    }
}

pub(super) fn unusable(medium: &str, why: &str) -> Refusal {
    Refusal::Unusable {
        medium: medium.to_owned(),
        why: why.to_owned(),
    }
}
