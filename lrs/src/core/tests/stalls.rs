//! Drives and a catalogue that do not answer.

use super::bench::{Bench, Wanting, id, medium, request};
use crate::core::drive::DriveId;
use crate::core::request::{Priority, Refusal};
use crate::core::scheduler::{Effect, Event};
use crate::core::stall::{DIR_ANSWER_MAX, LEASE_ANSWER_MAX};
use dss::model::ByteCount;
use std::time::Duration;

fn two() -> Bench {
    Bench::with([medium(1, Some("dock")), medium(2, None), medium(3, Some("dock"))])
}

/// Carries out all but the orders of this kind, which stay without an answer.
fn settle_but(bench: &mut Bench, hangs: impl Fn(&Effect) -> bool) {
    while let Some(next) = bench.open.iter().position(|order| !hangs(order)) {
        bench.carry_out(next);
    }
}

fn late(bench: &mut Bench, span: Duration) {
    bench.now += span - Duration::from_secs(1);
    bench.tell(Event::Tick);
    assert!(bench.refused.is_empty(), "in time it may still answer");
    bench.now += Duration::from_secs(1);
    bench.tell(Event::Tick);
}

fn no_answer(refusal: &Refusal, word: &str) {
    let Refusal::NoAnswer { why, .. } = refusal else {
        panic!("{refusal:?}")
    };
    assert!(why.contains(word), "{why}");
}

#[test]
fn a_mount_without_an_answer_refuses_who_needs_it_and_the_drive_is_aside_until_it_answers() {
    let mut bench = two();
    let get = bench.submit(request(Priority::Get).read(1));
    settle_but(&mut bench, |order| matches!(order, Effect::Load { .. }));
    late(&mut bench, DIR_ANSWER_MAX);
    no_answer(&bench.refused[&get], "a mount has not answered for 5 min");
    let other = bench.submit(request(Priority::Get).read(3));
    no_answer(&bench.refused[&other], "dock dock is put aside until it does");
    let put = bench.submit(request(Priority::Put).write(&[1, 2]));
    settle_but(&mut bench, |order| {
        matches!(
            order,
            Effect::Load {
                drive: DriveId::Dock(_),
                ..
            }
        )
    });
    assert_eq!(bench.writes(put), [id(2)], "other drives serve");
    bench.settle();
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.is_granted(get), "it answered at last");
}

#[test]
fn an_unmount_without_an_answer_refuses_who_waits_for_the_dock() {
    let mut bench = two();
    let get = bench.ask(request(Priority::Get).read(1));
    bench.release(get);
    let get = bench.submit(request(Priority::Get).read(3));
    settle_but(&mut bench, |order| matches!(order, Effect::Unload(_)));
    late(&mut bench, DIR_ANSWER_MAX);
    no_answer(&bench.refused[&get], "an unmount");
    bench.settle();
    let get = bench.ask(request(Priority::Get).read(3));
    assert!(bench.is_granted(get));
}

#[test]
fn a_probe_without_an_answer_sends_the_put_elsewhere_and_later_it_may_come_back() {
    let mut bench = two();
    let put = bench.submit(request(Priority::Put).write(&[1, 2]));
    settle_but(&mut bench, |order| matches!(order, Effect::ProbeSpace { .. }));
    bench.now += DIR_ANSWER_MAX;
    bench.tell(Event::Tick);
    settle_but(
        &mut bench,
        |order| matches!(order, Effect::ProbeSpace { medium, .. } if *medium == id(1)),
    );
    assert_eq!(bench.writes(put), [id(2)]);
    let get = bench.submit(request(Priority::Get).read(1));
    no_answer(&bench.refused[&get], "free space");
    // The answer comes for a request that has long been served elsewhere.
    bench.settle();
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.is_granted(get));
}

#[test]
fn a_lease_without_an_answer_refuses_and_one_that_comes_late_is_given_back() {
    let mut bench = two();
    let put = bench.submit(request(Priority::Put).write(&[1]));
    let get = bench.submit(request(Priority::Get).read(1));
    late(&mut bench, LEASE_ANSWER_MAX);
    assert!(
        matches!(bench.refused[&put], Refusal::NoTarget { .. }),
        "{:?}",
        bench.refused
    );
    no_answer(&bench.refused[&get], "the catalogue has not answered for 60 s");
    bench.settle();
    assert_eq!(bench.orders.last().unwrap(), "give back m1");
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert!(bench.is_granted(put));
}

#[test]
fn stopping_does_not_wait_for_a_drive_that_does_not_answer() {
    let mut bench = two();
    bench.submit(request(Priority::Get).read(1));
    settle_but(&mut bench, |order| matches!(order, Effect::Load { .. }));
    bench.tell(Event::Stop);
    assert!(!bench.stopped);
    bench.now += DIR_ANSWER_MAX;
    bench.tell(Event::Tick);
    assert!(bench.stopped);
}

#[test]
fn who_is_being_prepared_says_what_for_and_until_when() {
    let mut bench = two();
    let put = bench.submit(request(Priority::Put).write(&[1]));
    let said = |bench: &Bench| bench.scheduler.explain(put).unwrap();
    assert_eq!(said(&bench).text(), "the lease on medium m1 is being taken");
    bench.carry_out(0);
    assert_eq!(said(&bench).text(), "medium m1 is being mounted");
    assert!(
        said(&bench).reasons[0]
            .next
            .contains("without an answer 5 min from now"),
        "{:?}",
        said(&bench)
    );
    bench.carry_out(0);
    assert_eq!(said(&bench).text(), "medium m1 is asked for its free space");
    bench.settle();
    assert_eq!(bench.granted[&put].1.writes[0].bytes, ByteCount(100));
}
