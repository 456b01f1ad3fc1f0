//! Who goes first, who passes whom and how often, who is asked to give way.

use super::bench::{Bench, Manners, Wanting, id, medium, request};
use crate::core::allocation::PATIENCE;
use crate::core::queue::OVERTAKEN_MAX;
use crate::core::request::Priority;
use crate::core::scheduler::Event;
use std::time::Duration;

fn three() -> Bench {
    Bench::with([medium(1, None), medium(2, None), medium(3, None)])
}

#[test]
fn who_hurries_goes_first_and_within_a_priority_who_is_older() {
    let mut bench = three();
    let holder = bench.ask(request(Priority::Put).write(&[1]));
    let background = bench.ask(request(Priority::Background).write(&[1]));
    let older = bench.ask(request(Priority::Put).write(&[1]));
    let younger = bench.ask(request(Priority::Put).write(&[1]));
    bench.release(holder);
    assert!(bench.is_granted(older) && bench.waits(younger) && bench.waits(background));
    bench.release(older);
    assert!(bench.is_granted(younger) && bench.waits(background));
    bench.release(younger);
    assert!(bench.is_granted(background));
}

#[test]
fn what_an_older_request_waits_for_is_reserved_for_it() {
    let mut bench = three();
    let holder = bench.ask(request(Priority::Repack).write(&[1]));
    let older = bench.ask(request(Priority::Repack).alone(1).alone(2));
    let younger = bench.ask(request(Priority::Repack).write(&[2]));
    let unrelated = bench.ask(request(Priority::Repack).write(&[3]));
    assert!(
        bench.waits(older) && bench.waits(younger),
        "medium 2 is free and reserved"
    );
    assert!(bench.is_granted(unrelated));
    bench.release(holder);
    assert!(bench.is_granted(older));
    assert!(
        bench
            .scheduler
            .explain(younger)
            .unwrap()
            .text()
            .contains("medium m2, which request 2 has to itself")
    );
}

#[test]
fn nobody_is_overtaken_more_often_than_stated() {
    let mut bench = three();
    let mut reader = bench.ask(request(Priority::Get).read(1));
    let starving = bench.ask(request(Priority::Background).alone(1));
    let mut passed = 0;
    while bench.waits(starving) {
        let next = bench.ask(request(Priority::Get).read(1));
        bench.release(reader);
        if bench.is_granted(starving) {
            break;
        }
        passed += 1;
        assert!(passed <= OVERTAKEN_MAX, "overtaken for ever");
        reader = next;
    }
    assert_eq!(passed, OVERTAKEN_MAX);
}

#[test]
fn a_repack_is_asked_to_yield_to_who_hurries_and_to_nobody_else() {
    let mut bench = three();
    let repack = bench.ask(request(Priority::Repack).write(&[1]));
    bench.ask(request(Priority::Repack).write(&[1]));
    bench.ask(request(Priority::Background).write(&[1]));
    bench.ask(request(Priority::Get).read(1));
    bench.ask(request(Priority::Put).write(&[1, 2]));
    assert!(bench.yields.is_empty(), "nobody more urgent waits for it");
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert_eq!(bench.yields.iter().collect::<Vec<_>>(), [&repack]);
    bench.release(repack);
    assert!(bench.is_granted(put));
}

#[test]
fn a_repack_that_holds_a_dock_yields_to_a_get_of_another_disk_there() {
    let mut bench = Bench::with([medium(1, Some("dock")), medium(2, Some("dock")), medium(3, None)]);
    let repack = bench.ask(request(Priority::Repack).read(3).write(&[1]));
    let get = bench.ask(request(Priority::Get).read(2));
    assert!(bench.yields.contains(&repack) && bench.waits(get));
    bench.release(repack);
    assert!(bench.is_granted(get));
}

#[test]
fn readers_of_a_mount_that_a_writer_needs_made_again_pass_it_no_more_often_than_stated() {
    let mut bench = three();
    let leased = Manners {
        lease: Some("until noon"),
        ..Manners::default()
    };
    bench.manners.insert(id(1), leased);
    let mut reader = bench.ask(request(Priority::Get).read(1));
    bench.manners.clear();
    let writer = bench.ask(request(Priority::Put).write(&[1]));
    let mut passed = 0;
    while bench.waits(writer) {
        let next = bench.ask(request(Priority::Get).read(1));
        bench.release(reader);
        if bench.is_granted(writer) {
            break;
        }
        passed += 1;
        assert!(passed <= OVERTAKEN_MAX, "overtaken for ever");
        reader = next;
    }
}

#[test]
fn whoever_waits_for_one_that_came_before_keeps_no_free_medium_from_gets() {
    let mut bench = three();
    let before = bench.ask(request(Priority::Repack).write(&[1]));
    let waits = bench.ask(request(Priority::Repack).write(&[1]).write(&[2]));
    for _ in 0..3 * OVERTAKEN_MAX {
        let get = bench.ask(request(Priority::Get).alone(2));
        assert!(bench.is_granted(get), "it costs nobody anything");
        bench.release(get);
    }
    let get = bench.ask(request(Priority::Get).alone(2));
    bench.release(before);
    assert!(bench.waits(waits), "the last of them is still there");
    let late = bench.ask(request(Priority::Get).alone(2));
    assert!(bench.waits(late), "now it has been passed often enough");
    bench.release(get);
    assert!(bench.is_granted(waits));
}

#[test]
fn a_put_or_get_gives_way_to_whoever_waited_for_as_long_as_stated() {
    let docked = |number| medium(number, Some("dock"));
    for holder in [Priority::Get, Priority::Put] {
        for waiter in [Priority::Get, Priority::Put, Priority::Repack, Priority::Background] {
            let mut bench = Bench::with([docked(1), docked(2)]);
            let holds = bench.ask(request(holder).read(1));
            let waits = bench.ask(request(waiter).read(2));
            bench.now += PATIENCE - Duration::from_secs(1);
            bench.tell(Event::Tick);
            assert!(!bench.yields.contains(&holds), "not at once");
            bench.now += Duration::from_secs(1);
            bench.tell(Event::Tick);
            assert!(bench.yields.contains(&holds));
            bench.release(holds);
            assert!(bench.is_granted(waits));
        }
    }
}

#[test]
fn a_repack_does_not_give_way_to_another_however_long_it_waits() {
    let mut bench = three();
    let holds = bench.ask(request(Priority::Repack).write(&[1]));
    let waits = bench.ask(request(Priority::Repack).write(&[1]));
    bench.now += 100 * PATIENCE;
    bench.tell(Event::Tick);
    assert!(bench.yields.is_empty() && bench.waits(waits) && bench.is_granted(holds));
}

#[test]
fn what_a_request_waits_for_says_who_since_when_and_what_next() {
    let mut bench = three();
    bench.now = Duration::from_secs(100);
    let repack = bench.ask(request(Priority::Repack).write(&[1]));
    bench.now = Duration::from_secs(130);
    let put = bench.ask(request(Priority::Put).write(&[1]));
    bench.now = Duration::from_secs(140);
    let said = bench.scheduler.explain(put).unwrap();
    assert_eq!(
        said.text(),
        format!("waits for medium m1, which request {repack} writes")
    );
    let held = said.reasons[0].held_by.clone().unwrap();
    assert_eq!(held.purpose, format!("request {repack}"));
    assert_eq!(held.since, Duration::from_secs(100));
    assert_eq!(held.yield_asked, Some(Duration::from_secs(130)));
    assert!(said.reasons[0].next.contains("extent boundary"), "{said:?}");
    bench.now = Duration::from_secs(250);
    bench.tell(Event::Tick);
    let said = bench.scheduler.explain(put).unwrap();
    assert!(
        said.reasons[0].next.contains("asked 2 min ago"),
        "one that does not give way is told: {said:?}"
    );
}

#[test]
fn those_who_pass_at_one_instant_are_counted_like_those_who_pass_one_by_one() {
    let mut bench = three();
    let holds = bench.ask(request(Priority::Get).alone(1));
    let waits = bench.ask(request(Priority::Background).alone(1));
    let gets: Vec<_> = (0..3 * OVERTAKEN_MAX)
        .map(|_| bench.ask(request(Priority::Get).read(1)))
        .collect();
    bench.release(holds);
    let passed = gets.iter().filter(|get| bench.is_granted(**get)).count();
    assert_eq!(passed, OVERTAKEN_MAX as usize);
    for get in &gets[..passed] {
        bench.release(*get);
    }
    assert!(bench.is_granted(waits));
}
