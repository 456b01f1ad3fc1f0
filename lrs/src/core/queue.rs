//! Requests that are not granted yet, and who goes first. Called by the scheduler only.

use super::allocation::Claim;
use super::placement::{Out, Placement};
use super::request::{AllocationId, Priority, Request};
use dss::model::{ByteCount, MediumId};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often later, more urgent requests may be served first at a request's cost. After that, and once what was granted
/// before it came is given back, nobody passes it: it waits for those who passed, and they end.
pub const OVERTAKEN_MAX: u32 = 16;

/// How far the preparation of a placed request is, medium by medium.
#[derive(Clone, Debug, Default)]
pub struct Preparing {
    /// Media whose free space was asked for; None: no answer yet.
    pub probed: BTreeMap<MediumId, Option<ByteCount>>,
}

/// Where a request stands.
#[derive(Clone, Debug)]
pub enum Stage {
    /// It holds nothing. `wanted` is reserved for it: later requests get nothing that conflicts.
    Queued {
        /// The placement it waits for. Kept as long as it is possible, so that what is reserved only ever drains.
        wanted: Option<Placement>,
    },
    /// It holds all it needs; media are loaded, leased and probed.
    Preparing {
        /// What it holds.
        placement: Placement,
        /// How far it is.
        progress: Preparing,
    },
}

/// A request that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its id, and the allocation's when it is granted.
    pub id: AllocationId,
    /// What is asked.
    pub request: Request,
    /// Its place in the order of arrival.
    pub arrival: u64,
    /// When it arrived.
    pub since: Duration,
    /// How often it was overtaken.
    pub overtaken: u32,
    /// Whether somebody who came before it holds what it needs: whoever passes it now costs it nothing.
    pub held_up: bool,
    /// Media that turned out not to do, and why.
    pub out: BTreeMap<MediumId, Out>,
    /// Where it stands.
    pub stage: Stage,
}

impl Waiting {
    /// What it holds while it is prepared, or has reserved while it is queued.
    pub fn claims(&self) -> &[Claim] {
        match &self.stage {
            Stage::Queued { wanted: None } => &[],
            Stage::Queued {
                wanted: Some(placement),
            }
            | Stage::Preparing { placement, .. } => &placement.claims,
        }
    }

    /// Whether it holds what it claims.
    pub fn is_preparing(&self) -> bool {
        matches!(self.stage, Stage::Preparing { .. })
    }

    /// Its place among those that wait; the lowest is served first.
    pub fn rank(&self) -> (bool, Option<Priority>, u64) {
        if self.overtaken >= OVERTAKEN_MAX && !self.held_up {
            (false, None, self.arrival)
        } else {
            (true, Some(self.request.priority), self.arrival)
        }
    }
}

/// All requests that wait.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: BTreeMap<AllocationId, Waiting>,
    arrivals: u64,
}

impl Queue {
    /// Takes a request in.
    pub fn push(&mut self, id: AllocationId, request: Request, since: Duration) {
        self.arrivals += 1;
        let waiting = Waiting {
            id,
            request,
            arrival: self.arrivals,
            since,
            overtaken: 0,
            held_up: false,
            out: BTreeMap::new(),
            stage: Stage::Queued { wanted: None },
        };
        let twice = self.waiting.insert(id, waiting);
        assert!(twice.is_none(), "an allocation id is used once");
    }

    /// Takes a request out.
    pub fn remove(&mut self, id: AllocationId) -> Option<Waiting> {
        self.waiting.remove(&id)
    }

    /// One request.
    pub fn get(&self, id: AllocationId) -> Option<&Waiting> {
        self.waiting.get(&id)
    }

    /// One request, to change it.
    pub fn get_mut(&mut self, id: AllocationId) -> Option<&mut Waiting> {
        self.waiting.get_mut(&id)
    }

    /// Every request.
    pub fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.waiting.values()
    }

    /// The order in which requests are served: those overtaken too often, then by priority, then by age.
    pub fn order(&self) -> Vec<AllocationId> {
        let mut order: Vec<&Waiting> = self.waiting.values().collect();
        order.sort_by_key(|waiting| waiting.rank());
        order.iter().map(|waiting| waiting.id).collect()
    }

    /// A medium is another than it was: whoever gave it up may try it again.
    pub fn reconsider(&mut self, medium: MediumId) {
        for waiting in self.waiting.values_mut() {
            waiting.out.remove(&medium);
        }
    }

    /// Somebody who had been given up answered: whoever gave media up for that may try them again.
    pub fn reconsider_silent(&mut self) {
        for waiting in self.waiting.values_mut() {
            waiting.out.retain(|_, out| !matches!(out, Out::Silent(_)));
        }
    }

    /// Every request, to change it.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.waiting.values_mut()
    }
}
