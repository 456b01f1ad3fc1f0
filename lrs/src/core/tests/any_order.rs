//! Requests, answers, failures, releases and changes in any order: nothing is granted twice, and when answers and
//! releases keep coming, every request ends.

use super::bench::{Bench, Manners, Wanting, id, medium, request};
use crate::core::request::{AllocationId, Priority, Request};
use crate::core::scheduler::Event;
use dss::model::{AdmState, Medium};
use proptest::prelude::*;
use std::time::Duration;

/// Media 0 and 1 share a dock, 2 and 3 another, 4 to 6 have drives of their own.
fn media() -> Vec<Medium> {
    (0..7)
        .map(|number| {
            let dock = match number {
                0 | 1 => Some("left"),
                2 | 3 => Some("right"),
                _ => None,
            };
            medium(number, dock)
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Move {
    Submit(Request),
    Answer(usize),
    Release(usize),
    Cancel(usize),
    Manners(
        u128,
        Option<&'static str>,
        Option<&'static str>,
        Option<Result<u64, &'static str>>,
    ),
    LoseLease(u128),
    Distrust(u128),
    ReadOnly(u128),
    Locked(u128),
    Wait(u64),
}

fn requests() -> impl Strategy<Value = Request> {
    let priority = prop_oneof![
        Just(Priority::Get),
        Just(Priority::Put),
        Just(Priority::Repack),
        Just(Priority::Background)
    ];
    let some = |most| prop::collection::vec(0..7u128, 0..=most);
    let writes = prop::collection::vec(prop::collection::vec(0..7u128, 1..4), 0..3);
    (priority, some(2), writes, some(1)).prop_map(|(priority, reads, writes, alone)| {
        let wanted = reads.into_iter().fold(request(priority), Wanting::read);
        let wanted = writes.iter().fold(wanted, |wanted, of| wanted.write(of));
        alone.into_iter().fold(wanted, Wanting::alone)
    })
}

fn moves() -> impl Strategy<Value = Move> {
    let word = |word| prop::option::weighted(0.3, Just(word));
    let free = prop::option::weighted(0.3, prop_oneof![(0..30u64).prop_map(Ok), Just(Err("EIO"))]);
    prop_oneof![
        6 => requests().prop_map(Move::Submit),
        12 => (0..8usize).prop_map(Move::Answer),
        5 => (0..8usize).prop_map(Move::Release),
        1 => (0..8usize).prop_map(Move::Cancel),
        1 => (0..7u128, word("no load"), word("no lease"), free).prop_map(|(of, load, lease, free)| Move::Manners(of, load, lease, free)),
        1 => (0..7u128).prop_map(Move::LoseLease),
        1 => (0..7u128).prop_map(Move::Distrust),
        1 => (0..7u128).prop_map(Move::ReadOnly),
        1 => (0..7u128).prop_map(Move::Locked),
        1 => (0..400u64).prop_map(Move::Wait),
    ]
}

fn make(bench: &mut Bench, step: Move) {
    match step {
        Move::Submit(request) => drop(bench.submit(request)),
        Move::Answer(which) if !bench.open.is_empty() => bench.carry_out(which % bench.open.len()),
        Move::Answer(_) => {}
        Move::Release(which) => {
            if let Some(id) = nth(bench.granted.keys(), which) {
                bench.granted.remove(&id);
                bench.tell(Event::Release(id));
            }
        }
        Move::Cancel(which) => {
            if let Some(id) = nth(bench.asked.keys(), which) {
                bench.asked.remove(&id);
                bench.tell(Event::Cancel(id));
            }
        }
        Move::Manners(of, load, lease, free) => {
            bench.manners.insert(id(of), Manners { load, lease, free });
        }
        Move::LoseLease(of) => bench.lose_lease_if_held(of),
        Move::Distrust(of) => bench.tell(Event::Distrust(id(of))),
        Move::ReadOnly(of) => {
            let mut row = bench.row(of);
            row.adm_state = match row.adm_state {
                AdmState::InService => AdmState::ReadOnly,
                _ => AdmState::InService,
            };
            bench.change(row);
        }
        Move::Locked(of) => {
            let mut row = bench.row(of);
            row.locked = !row.locked;
            bench.change(row);
        }
        Move::Wait(seconds) => {
            bench.now += Duration::from_secs(seconds);
            bench.tell(Event::Tick);
        }
    }
}

fn nth<'a>(ids: impl ExactSizeIterator<Item = &'a AllocationId>, which: usize) -> Option<AllocationId> {
    let count = ids.len();
    ids.copied().nth(which % count.max(1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_ends_and_nothing_is_granted_twice(steps in prop::collection::vec(moves(), 1..120)) {
        let mut bench = Bench::with(media());
        for step in steps {
            make(&mut bench, step);
            let waiting = bench.asked.keys().copied().collect::<Vec<_>>();
            for id in waiting {
                prop_assert!(bench.scheduler.explain(id).is_some(), "what waits is explained");
            }
        }
        // From here on releases and answers keep coming. The bound is the number of requests: each round ends one.
        for _ in 0..=bench.asked.len() + bench.granted.len() {
            bench.settle();
            let granted: Vec<AllocationId> = bench.granted.keys().copied().collect();
            for id in granted {
                bench.release(id);
            }
        }
        prop_assert!(bench.asked.is_empty(), "deadlock: {:?}", bench.asked);
        bench.tell(Event::Stop);
        bench.settle();
        prop_assert!(bench.stopped, "what nobody uses is put away");
    }
}
