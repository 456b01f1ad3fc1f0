//! All that will do for one request: the media that it names and the candidates of its writes, each with the drives it can
//! be in; and the ways to have them all at once. Called by placement only.

use super::allocation::Claim;
use super::drive::DriveId;
use super::matching::{Net, Short, assign};
use super::placement::{Facts, Offer, Placement, candidate};
use super::request::Request;
use dss::model::MediumId;
use std::collections::{BTreeMap, BTreeSet};

/// In which drives media are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Where they can be used as things stand.
    Now,
    /// Where they can be used once they are in no drive any more.
    Ever,
}

/// What is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taking {
    /// Only what is free.
    Free,
    /// What is free first, then what is not.
    Any,
}

/// All that will do for one request.
pub(super) struct Pool {
    /// For each medium named, then for each write, the media that will do, the preferred first.
    pub(super) seats: Vec<Vec<MediumId>>,
    /// How many of the seats are of media named.
    pub(super) named: usize,
    pub(super) offers: BTreeMap<MediumId, Offer>,
    free: BTreeSet<(MediumId, DriveId)>,
}

impl Pool {
    pub(super) fn new(request: &Request, named: Vec<Offer>, facts: &Facts, free: &dyn Fn(&Claim) -> bool) -> Self {
        let mut pool = Self {
            seats: named.iter().map(|offer| vec![offer.medium]).collect(),
            named: named.len(),
            offers: named.into_iter().map(|offer| (offer.medium, offer)).collect(),
            free: BTreeSet::new(),
        };
        let by_name: BTreeSet<MediumId> = pool.offers.keys().copied().collect();
        for want in &request.writes {
            // No medium is read and written by one request.
            let others = want.candidates.iter().filter(|id| !by_name.contains(id));
            let good: Vec<Offer> = others.filter_map(|id| candidate(*id, facts).ok()).collect();
            pool.seats.push(good.iter().map(|offer| offer.medium).collect());
            pool.offers.extend(good.into_iter().map(|offer| (offer.medium, offer)));
        }
        for offer in pool.offers.values() {
            let free = offer
                .choices
                .ever
                .iter()
                .filter(|drive| free(&offer.in_drive((*drive).clone())));
            pool.free.extend(free.map(|drive| (offer.medium, drive.clone())));
        }
        pool
    }

    /// A medium and a drive for everything, or the drives that are too few.
    pub(super) fn assign(&self, reach: Reach, taking: Taking) -> Result<Placement, Short<DriveId>> {
        let drives: BTreeMap<MediumId, Vec<DriveId>> = self
            .offers
            .values()
            .map(|offer| (offer.medium, self.drives(offer, reach, taking)))
            .collect();
        let freest = |of: &Vec<MediumId>| {
            let has_free = |medium: &MediumId| drives[medium].first().is_some_and(|drive| self.is_free(*medium, drive));
            ordered(of, has_free)
        };
        let seats: Vec<Vec<MediumId>> = self.seats.iter().map(freest).collect();
        let net = Net {
            seats: &seats,
            drives: &drives,
        };
        assign(&net).map(|found| Placement {
            writes: found[self.named..].iter().map(|(medium, _)| *medium).collect(),
            claims: found
                .into_iter()
                .map(|(medium, drive)| self.offers[&medium].in_drive(drive))
                .collect(),
        })
    }

    fn drives(&self, offer: &Offer, reach: Reach, taking: Taking) -> Vec<DriveId> {
        let within = match reach {
            Reach::Now => &offer.choices.now,
            Reach::Ever => &offer.choices.ever,
        };
        let is_free = |drive: &DriveId| self.is_free(offer.medium, drive);
        match taking {
            Taking::Free => within.iter().filter(|drive| is_free(drive)).cloned().collect(),
            Taking::Any => ordered(within, is_free),
        }
    }

    fn is_free(&self, medium: MediumId, drive: &DriveId) -> bool {
        self.free.contains(&(medium, drive.clone()))
    }

    /// Whether a placement is one of those that can still be had.
    pub(super) fn allows(&self, wanted: &Placement, reach: Reach) -> bool {
        let in_reach = |claim: &Claim, offer: &Offer| {
            let within = match reach {
                Reach::Now => &offer.choices.now,
                Reach::Ever => &offer.choices.ever,
            };
            offer.mode == claim.mode && within.contains(&claim.drive)
        };
        wanted.claims.len() == self.seats.len()
            && wanted.claims.iter().zip(&self.seats).all(|(claim, of)| {
                of.contains(&claim.medium)
                    && self
                        .offers
                        .get(&claim.medium)
                        .is_some_and(|offer| in_reach(claim, offer))
            })
    }
}

/// Those of whom something is true first, each part in its old order.
fn ordered<T: Clone>(all: &[T], first: impl Fn(&T) -> bool) -> Vec<T> {
    let (mut front, back): (Vec<T>, Vec<T>) = all.iter().cloned().partition(first);
    front.extend(back);
    front
}
