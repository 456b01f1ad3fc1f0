//! Counts from outside who is served before an older request at its cost, without looking at the scheduler's own count.

use super::bench::Bench;
use crate::core::allocation::{Claim, Mode, go_together};
use crate::core::queue::OVERTAKEN_MAX;
use crate::core::request::{AllocationId, Request};
use std::collections::{BTreeMap, BTreeSet};

/// One older request.
#[derive(Default)]
struct Passed {
    by: BTreeSet<AllocationId>,
}

/// Who passed whom so far.
#[derive(Default)]
pub(super) struct Passing {
    passed: BTreeMap<AllocationId, Passed>,
    served: BTreeSet<AllocationId>,
    held_up: BTreeSet<AllocationId>,
}

/// What a request needs whatever is chosen for it.
fn needs(bench: &Bench, request: &Request) -> Vec<Claim> {
    let alone = request.exclusive.iter().map(|medium| (*medium, Mode::Exclusive));
    let fixed_reads = request
        .reads
        .iter()
        .filter(|medium| !request.exclusive.contains(medium));
    let reads = fixed_reads.map(|medium| (*medium, Mode::Read));
    let one = |candidates: &[dss::model::MediumId]| match candidates {
        [only] => Some((*only, Mode::Write)),
        _ => None,
    };
    let writes = request.writes.iter().filter_map(|want| one(&want.candidates));
    alone
        .chain(reads)
        .chain(writes)
        .map(|(medium, mode)| bench.claim(medium, mode))
        .collect()
}

/// Everything held now: granted, or while a grant is prepared.
fn held(bench: &Bench) -> BTreeMap<AllocationId, Vec<Claim>> {
    let mut held: BTreeMap<AllocationId, Vec<Claim>> = BTreeMap::new();
    for (id, claim) in bench.claims() {
        held.entry(id).or_default().push(claim);
    }
    for waiting in bench.scheduler.waiting().filter(|waiting| waiting.is_preparing()) {
        held.insert(waiting.id, waiting.claims().to_vec());
    }
    held
}

fn held_up(bench: &Bench) -> BTreeSet<AllocationId> {
    let held = held(bench);
    let waits = bench.asked.iter().filter(|(id, _)| !held.contains_key(id));
    let by_older = waits.filter(|(id, request)| {
        let needs = needs(bench, request);
        let mut older = held.range(..**id);
        older.any(|(_, claims)| !go_together(claims, &needs))
    });
    by_older.map(|(id, _)| *id).collect()
}

impl Passing {
    /// To be called before something happens.
    pub(super) fn before(&mut self, bench: &Bench) {
        self.served = held(bench).into_keys().collect();
        self.held_up = held_up(bench);
    }

    /// To be called after it.
    pub(super) fn after(&mut self, bench: &Bench) {
        let (held, held_up) = (held(bench), held_up(bench));
        for (id, request) in bench.asked.iter().filter(|(id, _)| !held.contains_key(id)) {
            if self.held_up.contains(id) || held_up.contains(id) {
                continue;
            }
            let needs = needs(bench, request);
            let passed = self.passed.entry(*id).or_default();
            for (by, claims) in held.range(id..).filter(|(by, _)| !self.served.contains(by)) {
                if by != id && !go_together(claims, &needs) {
                    passed.by.insert(*by);
                }
            }
            assert!(
                passed.by.len() <= OVERTAKEN_MAX as usize,
                "{id} was passed by {:?}",
                passed.by
            );
        }
    }
}
