//! Requests, answers, failures, releases and changes in any order, in worlds of any shape: nothing is granted twice, no
//! write grant is smaller than one extent, what waits holds nothing, nobody is passed more often than stated, and when
//! answers and releases keep coming every request ends. Directories, docks, and libraries of one to four drives.

use super::bench::{Bench, Manners, Skill, Wanting, bay, id, lib0, medium, request, tape};
use super::passing::Passing;
use crate::core::request::{AllocationId, Priority, Request};
use crate::core::scheduler::Event;
use dss::model::{AdmState, ByteCount, Medium};
use proptest::prelude::*;
use std::time::Duration;

/// How many media a world has.
const MEDIA: u128 = 7;

/// Each medium in one of three docks, or with a drive of its own.
fn worlds() -> impl Strategy<Value = Vec<Medium>> {
    let dock = prop_oneof![Just(None), Just(Some("left")), Just(Some("right")), Just(Some("third"))];
    prop::collection::vec(dock, MEDIA as usize).prop_map(|docks| {
        let numbered = (0..MEDIA).zip(docks);
        numbered.map(|(number, dock)| medium(number, dock)).collect()
    })
}

/// Tapes, and some directories, with the drives of the library.
fn libraries() -> impl Strategy<Value = (Vec<Medium>, Vec<Skill>)> {
    let kind = prop_oneof![4 => Just(None), 1 => Just(Some(None)), 1 => Just(Some(Some("left")))];
    let media = prop::collection::vec(kind, MEDIA as usize).prop_map(|kinds| {
        let numbered = (0..MEDIA).zip(kinds);
        let row = |(number, kind)| match kind {
            None => tape(number, "lib0"),
            Some(dock) => medium(number, dock),
        };
        numbered.map(row).collect::<Vec<Medium>>()
    });
    let skill = prop_oneof![3 => Just(Skill::Writes), 1 => Just(Skill::Reads)];
    (media, prop::collection::vec(skill, 1..=4))
}

/// What is told of `lib0`, or of the operator's wishes for it.
#[derive(Clone, Debug)]
enum Told {
    Lock(usize),
    Unlock(usize),
    Close(usize),
    Open(usize),
    /// Every drive is there and serves again.
    All,
    Lose(usize),
    Holds(usize, u128),
    LetGo(u128),
}

#[derive(Clone, Debug)]
enum Move {
    Library(Told),
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
    BreakDrive(u128),
    ReadOnly(u128),
    Locked(u128),
    Wait(u64),
}

fn requests() -> impl Strategy<Value = Request> {
    let priority = prop_oneof![
        3 => Just(Priority::Get),
        2 => Just(Priority::Put),
        2 => Just(Priority::Repack),
        1 => Just(Priority::Background)
    ];
    let some = |most| prop::collection::vec(0..MEDIA, 0..=most);
    let want = (prop::collection::vec(0..MEDIA, 1..4), 0..40_u64, 1..20_u64);
    let writes = prop::collection::vec(want, 0..3);
    (priority, some(3), writes, some(1)).prop_map(|(priority, reads, writes, alone)| {
        let wanted = reads.into_iter().fold(request(priority), Wanting::read);
        let wanted = writes.iter().fold(wanted, |wanted, (of, bytes, at_least)| {
            let mut wanted = wanted.write(of);
            let want = wanted.writes.last_mut().expect("just added");
            (want.bytes, want.at_least) = (ByteCount(*bytes), ByteCount(*at_least));
            wanted
        });
        alone.into_iter().fold(wanted, Wanting::alone)
    })
}

fn moves() -> impl Strategy<Value = Move> {
    let word = |word| prop::option::weighted(0.3, Just(word));
    let free = prop::option::weighted(0.3, prop_oneof![(0..30u64).prop_map(Ok), Just(Err("EIO"))]);
    prop_oneof![
        7 => requests().prop_map(Move::Submit),
        12 => (0..8usize).prop_map(Move::Answer),
        5 => (0..8usize).prop_map(Move::Release),
        1 => (0..8usize).prop_map(Move::Cancel),
        1 => (0..MEDIA, word("no load"), word("no lease"), free).prop_map(|(of, load, lease, free)| Move::Manners(of, load, lease, free)),
        1 => (0..MEDIA).prop_map(Move::LoseLease),
        1 => (0..MEDIA).prop_map(Move::Distrust),
        1 => (0..MEDIA).prop_map(Move::ReadOnly),
        1 => (0..MEDIA).prop_map(Move::Locked),
        1 => (0..400u64).prop_map(Move::Wait),
    ]
}

/// The same, and what libraries and their operators do.
fn in_libraries() -> impl Strategy<Value = Move> {
    let number = || 0..4_usize;
    let told = prop_oneof![
        number().prop_map(Told::Lock),
        number().prop_map(Told::Unlock),
        number().prop_map(Told::Close),
        number().prop_map(Told::Open),
        Just(Told::All),
        number().prop_map(Told::Lose),
        (number(), 0..MEDIA).prop_map(|(bay, medium)| Told::Holds(bay, medium)),
        (0..MEDIA).prop_map(Told::LetGo),
    ];
    prop_oneof![20 => with_breaks(), 2 => told.prop_map(Move::Library)]
}

/// The same, and drives that break for good.
fn with_breaks() -> impl Strategy<Value = Move> {
    prop_oneof![30 => moves(), 1 => (0..MEDIA).prop_map(Move::BreakDrive)]
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
        Move::BreakDrive(of) => {
            let drive = bench.scheduler.drive_of(&bench.row(of));
            drive.into_iter().for_each(|drive| bench.break_drive(drive));
        }
        Move::Library(told) => tell(bench, told),
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

fn tell(bench: &mut Bench, told: Told) {
    let mut facts = bench.library.clone().expect("a world with a library");
    let count = facts.bays.len().max(1);
    let drive = |number: usize| bay(&format!("drv{}", number % 4));
    match told {
        Told::Lock(number) => bench.tell(Event::DriveLock {
            drive: drive(number),
            locked: Some("a wish".into()),
        }),
        Told::Unlock(number) => bench.tell(Event::DriveLock {
            drive: drive(number),
            locked: None,
        }),
        Told::LetGo(of) => bench.tell(Event::LetGo(id(of))),
        Told::All => bench.tell_library(lib0(&[Skill::Writes, Skill::Reads, Skill::Writes])),
        Told::Lose(number) => {
            if !facts.bays.is_empty() {
                facts.bays.remove(number % count);
            }
            bench.tell_library(facts);
        }
        Told::Close(number) | Told::Open(number) | Told::Holds(number, _) => {
            if let Some(of_bay) = facts.bays.get_mut(number % count) {
                match told {
                    Told::Close(_) => of_bay.closed = Some("a fan".into()),
                    Told::Holds(_, medium) => of_bay.holds = Some(id(medium)),
                    Told::Open(_) | Told::Lock(_) | Told::Unlock(_) | Told::All | Told::Lose(_) | Told::LetGo(_) => {
                        of_bay.closed = None;
                    }
                }
            }
            bench.tell_library(facts);
        }
    }
}

fn nth<'a>(ids: impl ExactSizeIterator<Item = &'a AllocationId>, which: usize) -> Option<AllocationId> {
    let count = ids.len();
    ids.copied().nth(which % count.max(1))
}

fn every_rule_holds(world: Vec<Medium>, steps: Vec<Move>) {
    let mut bench = Bench::with(world);
    let mut passing = Passing::default();
    for step in steps {
        passing.before(&bench);
        make(&mut bench, step);
        passing.after(&bench);
        let waiting = bench.asked.keys().copied().collect::<Vec<_>>();
        for id in waiting {
            let said = bench.scheduler.explain(id).expect("what waits is explained");
            assert!(said.reasons.iter().all(|reason| !reason.next.is_empty()));
        }
    }
    all_end(&mut bench);
}

/// A world with a library: who passes whom is a matter of its drives, and tested where that is plain.
fn every_rule_holds_in(world: Vec<Medium>, skills: &[Skill], steps: Vec<Move>) {
    let mut bench = Bench::with(world);
    bench.tell_library(lib0(skills));
    for step in steps {
        make(&mut bench, step);
        for id in bench.asked.keys() {
            let said = bench.scheduler.explain(*id).expect("what waits is explained");
            assert!(said.reasons.iter().all(|reason| !reason.next.is_empty()));
        }
    }
    all_end(&mut bench);
}

/// From here on releases and answers keep coming. The bound is the number of requests: each round ends one.
fn all_end(bench: &mut Bench) {
    for _ in 0..=bench.asked.len() + bench.granted.len() {
        bench.settle();
        let granted: Vec<AllocationId> = bench.granted.keys().copied().collect();
        for id in granted {
            bench.release(id);
        }
    }
    assert!(bench.asked.is_empty(), "deadlock: {:?}", bench.asked);
    bench.tell(Event::Stop);
    bench.settle();
    assert!(bench.stopped, "what nobody uses is put away");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// E-01, E-02, I7.
    #[test]
    fn every_request_ends_and_nothing_is_granted_twice(
        world in worlds(),
        steps in prop::collection::vec(moves(), 1..120),
    ) {
        every_rule_holds(world, steps);
    }

    /// whatever breaks, the others go on and nobody waits for what is broken.
    #[test]
    fn with_drives_that_break_every_request_ends_all_the_same(
        world in worlds(),
        steps in prop::collection::vec(with_breaks(), 1..120),
    ) {
        every_rule_holds(world, steps);
    }

    /// E-01, X-09, X-10, X-20: the same where tapes find their drives, which are locked, closed, lost and broken meanwhile.
    #[test]
    fn in_libraries_every_request_ends_and_no_tape_or_drive_is_used_twice(
        (world, skills) in libraries(),
        steps in prop::collection::vec(in_libraries(), 1..120),
    ) {
        every_rule_holds_in(world, &skills, steps);
    }
}
