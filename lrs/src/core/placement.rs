//! Which media a request gets: all it reads and holds exclusively, and for each write a candidate of its own, such that
//! no two of them need one dock. Decides only; what is free at the moment is asked of the caller.

use super::allocation::{Claim, Mode};
use super::drive::DriveId;
use super::request::{Refusal, Request, WriteWant};
use super::scheduler::Cause;
use dss::model::{AdmState, ByteCount, Medium, MediumId, Presence};
use std::collections::BTreeMap;

/// Why a medium turned out not to do for a request, after it looked as if it might.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Too little room for one whole extent.
    Room(ByteCount),
    /// Its free space could not be learnt. Unknown room is no room.
    Probe(String),
    /// It could not be mounted.
    Load(String),
    /// Its lease is somebody else's.
    Lease(String),
    /// Its drive failed or is to blame for failures.
    Drive(String),
    /// Its drive, or the catalogue that was asked for its lease, does not answer.
    Silent(String),
}

impl std::fmt::Display for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Room(free) => write!(f, "only {free} free"),
            Self::Probe(why) => write!(f, "free space unknown ({why})"),
            Self::Load(why) => write!(f, "not mounted ({why})"),
            Self::Lease(why) => write!(f, "in use elsewhere ({why})"),
            Self::Drive(why) => write!(f, "its drive is out of service ({why})"),
            Self::Silent(why) => f.write_str(why),
        }
    }
}

/// A choice of media for a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The medium for each write, in the order of the request.
    pub writes: Vec<MediumId>,
    /// Everything it uses, each medium once.
    pub claims: Vec<Claim>,
}

/// What is to be done with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it is free now.
    Place(Placement),
    /// It can be granted when this is free.
    Wait(Placement),
    /// It cannot be granted, however long one waits.
    Refuse(Refusal, Option<Cause>),
}

/// What is known when a request is judged.
pub struct Facts<'a> {
    /// A medium's row.
    pub medium: &'a dyn Fn(MediumId) -> Option<&'a Medium>,
    /// What this request found out against media.
    pub out: &'a BTreeMap<MediumId, Out>,
    /// What it waited for so far.
    pub wanted: Option<&'a Placement>,
    /// Why a drive serves nobody, if it does not.
    pub closed: &'a dyn Fn(&DriveId) -> Option<Out>,
}

impl Facts<'_> {
    fn name_of(&self, id: MediumId) -> String {
        (self.medium)(id).map_or_else(|| id.to_string(), |medium| medium.name.clone())
    }
}

/// Judges a request. `free` says whether a claim can be had now.
pub fn judge(request: &Request, facts: &Facts, free: &dyn Fn(&Claim) -> bool) -> Verdict {
    let fixed = match fixed_claims(request, facts) {
        Ok(fixed) => fixed,
        Err((refusal, cause)) => return Verdict::Refuse(refusal, cause),
    };
    let eligible: Vec<Vec<Claim>> = request
        .writes
        .iter()
        .map(|want| eligible(want, &fixed, facts))
        .collect();
    let with = |claims: Vec<Claim>| Placement {
        writes: claims.iter().map(|claim| claim.medium).collect(),
        claims: fixed.iter().cloned().chain(claims).collect(),
    };
    if fixed.iter().all(free) {
        let now: Vec<Vec<Claim>> = eligible
            .iter()
            .map(|of| of.iter().filter(|claim| free(claim)).cloned().collect())
            .collect();
        if let Some(claims) = assign(&now, |claim| claim.drive.clone()) {
            return Verdict::Place(with(claims));
        }
    }
    if let Some(wanted) = facts.wanted.filter(|wanted| still_possible(wanted, &fixed, &eligible)) {
        return Verdict::Wait(wanted.clone());
    }
    let freest: Vec<Vec<Claim>> = eligible
        .iter()
        .map(|of| {
            let (mut first, then): (Vec<Claim>, Vec<Claim>) = of.iter().cloned().partition(|claim| free(claim));
            first.extend(then);
            first
        })
        .collect();
    match assign(&freest, |claim| claim.drive.clone()) {
        Some(claims) => Verdict::Wait(with(claims)),
        None => Verdict::Refuse(no_target(request, &fixed, facts), None),
    }
}

fn still_possible(wanted: &Placement, fixed: &[Claim], eligible: &[Vec<Claim>]) -> bool {
    wanted.claims.starts_with(fixed)
        && wanted.claims.len() == fixed.len() + eligible.len()
        && wanted.claims[fixed.len()..]
            .iter()
            .zip(eligible)
            .all(|(claim, of)| of.contains(claim))
}

/// What a request names without a choice, or why it cannot be had.
fn fixed_claims(request: &Request, facts: &Facts) -> Result<Vec<Claim>, (Refusal, Option<Cause>)> {
    let exclusive = request.exclusive.iter().map(|id| (*id, Mode::Exclusive));
    let reads = request.reads.iter().map(|id| (*id, Mode::Read));
    let mut claims: Vec<Claim> = Vec::new();
    for (id, mode) in exclusive.chain(reads) {
        if claims.iter().any(|claim| claim.medium == id) {
            continue;
        }
        let medium =
            (facts.medium)(id).ok_or_else(|| (unusable(&id.to_string(), "it is not in the catalogue"), None))?;
        if let Some(why) = not_usable(medium, mode) {
            return Err((unusable(&medium.name, &why), None));
        }
        let drive = DriveId::of(medium);
        let closed = (facts.closed)(&drive);
        match facts.out.get(&id).or(closed.as_ref()) {
            None => {}
            Some(Out::Silent(why)) => {
                let refusal = Refusal::NoAnswer {
                    medium: medium.name.clone(),
                    why: why.clone(),
                };
                return Err((refusal, None));
            }
            Some(Out::Lease(why)) => {
                let refusal = Refusal::LeasedElsewhere {
                    medium: medium.name.clone(),
                    why: why.clone(),
                };
                return Err((refusal, Some(Cause::Lease(id))));
            }
            Some(out @ Out::Load(_)) => return Err((unusable(&medium.name, &out.to_string()), Some(Cause::Load(id)))),
            Some(out @ (Out::Room(_) | Out::Probe(_) | Out::Drive(_))) => {
                return Err((unusable(&medium.name, &out.to_string()), None));
            }
        }
        if let Some(other) = claims.iter().find(|claim| claim.drive == drive) {
            return Err((shared_dock(&drive, other.medium, id, facts), None));
        }
        claims.push(claim_on(medium, mode));
    }
    Ok(claims)
}

/// Why nobody may use a medium so, even if all were free. A missing medium is looked for once
/// more at every request, so that a disk that is plugged in again serves without a word from the operator.
pub(super) fn not_usable(medium: &Medium, mode: Mode) -> Option<String> {
    if mode == Mode::Write {
        return medium.may_take_extents().err().map(|why| why.to_string());
    }
    if medium.locked {
        return Some("locked".into());
    }
    match (medium.adm_state, mode) {
        (AdmState::Dead, _) => return Some("dead".into()),
        (AdmState::Erasing, Mode::Read | Mode::Write) => return Some("erasing".into()),
        (AdmState::Erasing, Mode::Exclusive) => {}
        (
            AdmState::InService
            | AdmState::ReadOnly
            | AdmState::Draining
            | AdmState::AbandonShip
            | AdmState::Quarantined
            | AdmState::Retired,
            _,
        ) => {}
    }
    let tried = medium.in_reach() || medium.presence == Presence::Missing;
    (!tried).then(|| {
        format!(
            "it is not here ({}); last known at {}",
            medium.presence, medium.location.path
        )
    })
}

/// The candidates of one write that will do, the preferred first.
fn eligible(want: &WriteWant, fixed: &[Claim], facts: &Facts) -> Vec<Claim> {
    let usable = want.candidates.iter().filter(|id| against(**id, facts).is_none());
    let media = usable.filter_map(|id| (facts.medium)(*id));
    let claims = media.map(|medium| claim_on(medium, Mode::Write));
    claims
        .filter(|claim| fixed.iter().all(|held| held.drive != claim.drive))
        .collect()
}

/// What stands against a candidate, docks apart.
fn against(id: MediumId, facts: &Facts) -> Option<String> {
    let Some(medium) = (facts.medium)(id) else {
        return Some("it is not in the catalogue".into());
    };
    if let Some(why) = not_usable(medium, Mode::Write) {
        return Some(why);
    }
    if let Some(out) = (facts.closed)(&DriveId::of(medium)) {
        return Some(out.to_string());
    }
    facts.out.get(&id).map(Out::to_string)
}

fn claim_on(medium: &Medium, mode: Mode) -> Claim {
    Claim {
        medium: medium.id,
        family: medium.family,
        drive: DriveId::of(medium),
        mode,
    }
}

/// One choice for each want, no two with the same key; each gets its most preferred one that leaves enough for the
/// others (augmenting paths).
fn assign<K: Ord>(wants: &[Vec<Claim>], key: impl Fn(&Claim) -> K) -> Option<Vec<Claim>> {
    let mut taken: BTreeMap<K, (usize, usize)> = BTreeMap::new();
    for want in 0..wants.len() {
        let mut tried = Vec::new();
        if !seat(wants, want, &key, &mut taken, &mut tried) {
            return None;
        }
    }
    let mut chosen: Vec<(usize, usize)> = taken.into_values().collect();
    chosen.sort_unstable();
    Some(
        chosen
            .iter()
            .map(|(want, choice)| wants[*want][*choice].clone())
            .collect(),
    )
}

/// Finds a seat for one want, moving others where they have another choice. `tried` keeps it finite.
fn seat<K: Ord>(
    wants: &[Vec<Claim>],
    want: usize,
    key: &impl Fn(&Claim) -> K,
    taken: &mut BTreeMap<K, (usize, usize)>,
    tried: &mut Vec<(usize, usize)>,
) -> bool {
    for (choice, claim) in wants[want].iter().enumerate() {
        if tried.contains(&(want, choice)) {
            continue;
        }
        tried.push((want, choice));
        let holder = taken.get(&key(claim)).map(|(holder, _)| *holder);
        if holder.is_none_or(|holder| holder != want && seat(wants, holder, key, taken, tried)) {
            taken.insert(key(claim), (want, choice));
            return true;
        }
    }
    false
}

/// Why no choice of candidates will ever do: docks, if candidates that are good in themselves share one; else each
/// candidate with its reason.
fn no_target(request: &Request, fixed: &[Claim], facts: &Facts) -> Refusal {
    let apart: Vec<Vec<Claim>> = request.writes.iter().map(|want| eligible(want, &[], facts)).collect();
    let apart: Vec<Vec<Claim>> = apart
        .into_iter()
        .map(|of| {
            of.into_iter()
                .filter(|claim| fixed.iter().all(|held| held.medium != claim.medium))
                .collect()
        })
        .collect();
    if let Some(claims) = assign(&apart, |claim| claim.medium) {
        let all: Vec<&Claim> = fixed.iter().chain(&claims).collect();
        for (place, first) in all.iter().enumerate() {
            if let Some(second) = all[place + 1..].iter().find(|claim| claim.drive == first.drive) {
                return shared_dock(&first.drive, first.medium, second.medium, facts);
            }
        }
    }
    let short = request
        .writes
        .iter()
        .zip(&apart)
        .find(|(_, of)| of.is_empty())
        .map(|(want, _)| want);
    let want = short
        .or(request.writes.first())
        .expect("only a request with writes lacks a target");
    let roomiest = want.candidates.iter().filter_map(|id| match facts.out.get(id) {
        Some(Out::Room(free)) => Some(*free),
        Some(Out::Probe(_) | Out::Load(_) | Out::Lease(_) | Out::Drive(_) | Out::Silent(_)) | None => None,
    });
    let considered = want.candidates.iter().map(|id| {
        let why = against(*id, facts).unwrap_or_else(|| "needed by the same request already".into());
        format!("{}: {why}", facts.name_of(*id))
    });
    Refusal::NoTarget {
        at_least: want.at_least,
        missing: want.at_least.saturating_sub(roomiest.max().unwrap_or(ByteCount::ZERO)),
        considered: considered.collect(),
    }
}

fn shared_dock(drive: &DriveId, first: MediumId, second: MediumId, facts: &Facts) -> Refusal {
    let dock = match drive {
        DriveId::Dock(name) => name.clone(),
        DriveId::Own(_) => drive.to_string(),
    };
    Refusal::SharedDock {
        dock,
        first: facts.name_of(first),
        second: facts.name_of(second),
    }
}

fn unusable(medium: &str, why: &str) -> Refusal {
    Refusal::Unusable {
        medium: medium.to_owned(),
        why: why.to_owned(),
    }
}
