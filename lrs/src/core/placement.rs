//! Which media a request gets, and in which drives: all it reads and holds exclusively, and for each write a candidate of
//! its own, such that no two of them need one drive. Decides only; what is free at the moment is asked of the caller.

use super::allocation::{Claim, Mode};
use super::drive::DriveId;
use super::offers::{Pool, Reach, Taking};
use super::request::{Refusal, Request};
use super::scheduler::Cause;
use super::shortage::{no_place, shared_dock, unusable};
use dss::model::{AdmState, ByteCount, Family, Medium, MediumId, Presence};
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
    /// A tape that no drive can take.
    Nowhere(String),
}

impl std::fmt::Display for Out {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Room(free) => write!(f, "only {free} free"),
            Self::Probe(why) => write!(f, "free space unknown ({why})"),
            Self::Load(why) => write!(f, "not mounted ({why})"),
            Self::Lease(why) => write!(f, "in use elsewhere ({why})"),
            Self::Drive(why) => write!(f, "its drive is out of service ({why})"),
            Self::Silent(why) | Self::Nowhere(why) => f.write_str(why),
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
    /// All of it is free once tapes that sit in other drives than these, used by nobody, were taken out.
    Move(Placement),
    /// It can be granted when this is free.
    Wait(Placement),
    /// It cannot be granted, however long one waits.
    Refuse(Refusal, Option<Cause>),
}

/// In which drives a medium can be used, the preferred first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choices {
    /// As things stand: where it is already, if it is in a drive or somebody claims it in one.
    pub now: Vec<DriveId>,
    /// Once it is in no drive any more. Never empty.
    pub ever: Vec<DriveId>,
}

impl Choices {
    /// There is one drive, and there never was another.
    pub fn only(drive: DriveId) -> Self {
        Self {
            now: vec![drive.clone()],
            ever: vec![drive],
        }
    }
}

/// What is known when a request is judged.
pub struct Facts<'a> {
    /// A medium's row.
    pub medium: &'a dyn Fn(MediumId) -> Option<&'a Medium>,
    /// What this request found out against media.
    pub out: &'a BTreeMap<MediumId, Out>,
    /// What it waited for so far.
    pub wanted: Option<&'a Placement>,
    /// In which drives a medium can be used so, or why in none.
    pub drives: &'a dyn Fn(&Medium, Mode) -> Result<Choices, Out>,
    /// The drives of a library that serve nobody, each with the reason, in words.
    pub closed: &'a dyn Fn(&str) -> Vec<String>,
}

impl Facts<'_> {
    pub(super) fn name_of(&self, id: MediumId) -> String {
        (self.medium)(id).map_or_else(|| id.to_string(), |medium| medium.name.clone())
    }
}

/// A medium that will do for one use, and where.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) medium: MediumId,
    pub(super) family: Family,
    pub(super) mode: Mode,
    pub(super) choices: Choices,
}

impl Offer {
    pub(super) fn in_drive(&self, drive: DriveId) -> Claim {
        Claim {
            medium: self.medium,
            family: self.family,
            drive,
            mode: self.mode,
        }
    }
}

/// Judges a request. `free` says whether a claim can be had now.
pub fn judge(request: &Request, facts: &Facts, free: &dyn Fn(&Claim) -> bool) -> Verdict {
    let named = match named(request, facts) {
        Ok(named) => named,
        Err((refusal, cause)) => return Verdict::Refuse(refusal, cause),
    };
    let pool = Pool::new(request, named, facts, free);
    if let Ok(placement) = pool.assign(Reach::Now, Taking::Free) {
        return Verdict::Place(placement);
    }
    if let Ok(placement) = pool.assign(Reach::Ever, Taking::Free) {
        return Verdict::Move(placement);
    }
    // What is wanted stays wanted as long as that is possible, so that what is reserved only ever drains.
    let still = |reach| facts.wanted.filter(|wanted| pool.allows(wanted, reach)).cloned();
    let wanted = still(Reach::Now)
        .or_else(|| pool.assign(Reach::Now, Taking::Any).ok())
        .or_else(|| still(Reach::Ever));
    if let Some(placement) = wanted {
        return Verdict::Wait(placement);
    }
    match pool.assign(Reach::Ever, Taking::Any) {
        Ok(placement) => Verdict::Wait(placement),
        Err(short) => Verdict::Refuse(no_place(request, &pool, facts, &short), None),
    }
}

/// What a request names without a choice, or why it cannot be had.
fn named(request: &Request, facts: &Facts) -> Result<Vec<Offer>, (Refusal, Option<Cause>)> {
    let exclusive = request.exclusive.iter().map(|id| (*id, Mode::Exclusive));
    let reads = request.reads.iter().map(|id| (*id, Mode::Read));
    let mut offers: Vec<Offer> = Vec::new();
    for (id, mode) in exclusive.chain(reads) {
        if offers.iter().any(|offer| offer.medium == id) {
            continue;
        }
        let medium =
            (facts.medium)(id).ok_or_else(|| (unusable(&id.to_string(), "it is not in the catalogue"), None))?;
        if let Some(why) = not_usable(medium, mode) {
            return Err((unusable(&medium.name, &why), None));
        }
        let choices = match facts.out.get(&id) {
            Some(out) => Err(out.clone()),
            None => (facts.drives)(medium, mode),
        };
        let choices = choices.map_err(|out| refused(medium, out))?;
        if let Some(drive) = DriveId::fixed(medium)
            && let Some(other) = offers.iter().find(|other| other.choices.ever.contains(&drive))
        {
            return Err((shared_dock(&drive, other.medium, id, facts), None));
        }
        offers.push(Offer {
            medium: id,
            family: medium.family,
            mode,
            choices,
        });
    }
    Ok(offers)
}

/// What stands against a medium that is needed by name, as the answer to whoever needs it.
fn refused(medium: &Medium, out: Out) -> (Refusal, Option<Cause>) {
    let name = medium.name.clone();
    match out {
        Out::Silent(why) => (Refusal::NoAnswer { medium: name, why }, None),
        Out::Lease(why) => {
            let refusal = Refusal::LeasedElsewhere { medium: name, why };
            (refusal, Some(Cause::Lease(medium.id)))
        }
        out @ Out::Load(_) => (unusable(&name, &out.to_string()), Some(Cause::Load(medium.id))),
        out @ (Out::Room(_) | Out::Probe(_) | Out::Drive(_) | Out::Nowhere(_)) => {
            (unusable(&name, &out.to_string()), None)
        }
    }
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
            medium.presence,
            last_place(medium)
        )
    })
}

/// Where a medium is looked for: a directory by its path, a tape by its barcode and its library.
fn last_place(medium: &Medium) -> String {
    let path = &medium.location.path;
    match &medium.location.library {
        Some(library) => format!("{path} in library {library}"),
        None => path.clone(),
    }
}

/// A candidate of a write, or what stands against it.
pub(super) fn candidate(id: MediumId, facts: &Facts) -> Result<Offer, String> {
    let Some(medium) = (facts.medium)(id) else {
        return Err("it is not in the catalogue".into());
    };
    if let Some(why) = not_usable(medium, Mode::Write) {
        return Err(why);
    }
    let choices = (facts.drives)(medium, Mode::Write).map_err(|out| out.to_string())?;
    match facts.out.get(&id) {
        Some(out) => Err(out.to_string()),
        None => Ok(Offer {
            medium: id,
            family: medium.family,
            mode: Mode::Write,
            choices,
        }),
    }
}
