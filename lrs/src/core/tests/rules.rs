//! One rule per test.

use super::bench::{Bench, Manners, Wanting, id, medium, request};
use crate::core::allocation::Mode;
use crate::core::placement::not_usable;
use crate::core::request::{Priority, Refusal};
use crate::core::scheduler::{Event, IDLE_MAX};
use dss::model::{AdmState, ByteCount, Family, Health, Presence};

fn free(free: u64) -> Manners {
    Manners {
        free: Some(Ok(free)),
        ..Manners::default()
    }
}

fn three() -> Bench {
    Bench::with([medium(1, None), medium(2, None), medium(3, None)])
}

#[test]
fn the_lease_is_taken_before_the_mount_and_the_room_is_probed_after_it() {
    let mut bench = three();
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert!(bench.is_granted(put));
    assert_eq!(bench.orders, ["lease m1", "load m1", "probe m1"]);
}

#[test]
fn two_repacks_in_opposite_directions_both_finish() {
    let mut bench = Bench::with([medium(1, Some("left")), medium(2, Some("right"))]);
    let there = bench.submit(request(Priority::Repack).read(1).write(&[2]));
    let back = bench.submit(request(Priority::Repack).read(2).write(&[1]));
    bench.settle();
    assert!(bench.is_granted(there), "the older one has both");
    // A disk may be read while it is written, so on disks both can run at once.
    assert!(bench.is_granted(back));
}

#[test]
fn two_repacks_that_want_each_others_docks_run_one_after_the_other() {
    let docks = [("left", 1), ("right", 2), ("left", 3), ("right", 4)];
    let mut bench = Bench::with(docks.map(|(dock, number)| medium(number, Some(dock))));
    let first = bench.submit(request(Priority::Repack).read(1).write(&[2]));
    let second = bench.submit(request(Priority::Repack).read(4).write(&[3]));
    bench.settle();
    assert!(bench.is_granted(first) && bench.waits(second) && bench.yields.is_empty());
    assert!(
        bench
            .scheduler
            .explain(second)
            .unwrap()
            .text()
            .contains("dock left, where request 1 reads medium m1")
    );
    bench.release(first);
    assert!(bench.is_granted(second));
}

#[test]
fn two_media_of_one_dock_in_one_request_are_refused_at_once() {
    let mut bench = Bench::with([
        medium(1, Some("dock")),
        medium(2, Some("dock")),
        medium(3, Some("dock")),
    ]);
    let holds = bench.ask(request(Priority::Get).read(3));
    for wanted in [
        request(Priority::Repack).read(1).write(&[2]),
        request(Priority::Get).read(1).read(2),
    ] {
        let refused = bench.ask(wanted);
        let expected = Refusal::SharedDock {
            dock: "dock".into(),
            first: "m1".into(),
            second: "m2".into(),
        };
        assert_eq!(bench.refused[&refused], expected, "although the dock is busy");
    }
    bench.release(holds);
}

#[test]
fn a_medium_has_one_writer_and_any_number_of_readers() {
    let mut bench = three();
    let writer = bench.ask(request(Priority::Put).write(&[1]));
    let reader = bench.ask(request(Priority::Get).read(1));
    let other = bench.ask(request(Priority::Put).write(&[1]));
    assert!(bench.is_granted(reader) && bench.waits(other));
    bench.release(writer);
    assert!(bench.is_granted(other));
}

#[test]
fn an_exclusive_medium_is_nobody_elses() {
    let mut bench = three();
    let reader = bench.ask(request(Priority::Get).read(1));
    let alone = bench.ask(request(Priority::Background).alone(1));
    assert!(bench.waits(alone));
    bench.release(reader);
    assert!(bench.is_granted(alone));
    let reader = bench.ask(request(Priority::Repack).read(1));
    let writer = bench.ask(request(Priority::Repack).write(&[1]));
    assert!(bench.waits(reader) && bench.waits(writer));
}

#[test]
fn the_preferred_candidate_that_is_free_and_has_room_is_taken() {
    let mut bench = three();
    bench.manners.insert(id(1), free(9));
    let put = bench.ask(request(Priority::Put).write(&[1, 2, 3]));
    assert_eq!(bench.writes(put), [id(2)]);
    let other = bench.ask(request(Priority::Put).write(&[2, 3]));
    assert_eq!(
        bench.writes(other),
        [id(3)],
        "a busy candidate is not waited for while another is free"
    );
}

#[test]
fn a_grant_may_be_partial_but_holds_one_whole_extent() {
    let mut bench = three();
    bench.manners.insert(id(1), free(15));
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert_eq!(bench.granted[&put].1.writes[0].bytes, ByteCount(15));
    bench.release(put);
    bench.manners.insert(id(1), free(7));
    let put = bench.ask(request(Priority::Put).write(&[1]));
    let Refusal::NoTarget {
        missing, considered, ..
    } = &bench.refused[&put]
    else {
        panic!("no target")
    };
    assert_eq!(*missing, ByteCount(3));
    assert_eq!(considered, &["m1: only 7 B free"]);
}

#[test]
fn unknown_room_is_no_room() {
    let mut bench = three();
    let deaf = Manners {
        free: Some(Err("statvfs: EIO")),
        ..Manners::default()
    };
    bench.manners.insert(id(1), deaf);
    let put = bench.ask(request(Priority::Put).write(&[1, 2]));
    assert_eq!(bench.writes(put), [id(2)]);
    let put = bench.ask(request(Priority::Put).write(&[1]));
    let Refusal::NoTarget { considered, .. } = &bench.refused[&put] else {
        panic!("no target")
    };
    assert_eq!(considered, &["m1: free space unknown (statvfs: EIO)"]);
}

#[test]
fn two_writes_of_a_request_get_two_media_even_if_both_prefer_one() {
    let mut bench = three();
    let put = bench.ask(request(Priority::Put).write(&[1, 2]).write(&[1]));
    assert_eq!(bench.writes(put), [id(2), id(1)]);
    bench.release(put);
    let put = bench.ask(request(Priority::Repack).read(1).write(&[1, 3]));
    assert_eq!(bench.writes(put), [id(3)], "nor the medium that it reads");
    let put = bench.ask(request(Priority::Repack).write(&[2]).write(&[2]));
    assert!(matches!(bench.refused[&put], Refusal::NoTarget { .. }));
}

#[test]
fn no_new_extent_goes_where_the_catalogue_forbids_it() {
    let mut rows = [1, 2, 3, 4, 5].map(|number| medium(number, None));
    rows[0].adm_state = AdmState::ReadOnly;
    rows[1].health = Health::Suspect;
    rows[2].locked = true;
    rows[3].presence = Presence::Missing;
    let mut bench = Bench::with(rows);
    let put = bench.ask(request(Priority::Put).write(&[1, 2, 3, 4, 5]));
    assert_eq!(bench.writes(put), [id(5)]);
    let put = bench.ask(request(Priority::Put).write(&[1, 2, 3, 4, 9]));
    let Refusal::NoTarget { considered, .. } = &bench.refused[&put] else {
        panic!("no target")
    };
    assert_eq!(
        considered[..4],
        ["m1: read_only", "m2: health suspect", "m3: locked", "m4: missing"]
    );
}

#[test]
fn what_is_locked_dead_or_elsewhere_is_refused_with_the_reason() {
    let mut rows = [1, 2, 3, 4].map(|number| medium(number, None));
    rows[0].locked = true;
    rows[1].adm_state = AdmState::Dead;
    rows[2].adm_state = AdmState::Erasing;
    rows[3].presence = Presence::Shelf;
    let mut bench = Bench::with(rows);
    for (number, reason) in [
        (1, "locked"),
        (2, "dead"),
        (3, "erasing"),
        (4, "last known at /media/m4"),
        (9, "catalogue"),
    ] {
        let get = bench.ask(request(Priority::Get).read(number));
        let Refusal::Unusable { why, .. } = &bench.refused[&get] else {
            panic!("unusable")
        };
        assert!(why.contains(reason), "{why}");
    }
    let erase = bench.ask(request(Priority::Repack).alone(3));
    assert!(bench.is_granted(erase), "what is being erased may only be erased again");
}

/// The robot brings a tape that is in its library; a disk that is near somebody has to plug in.
#[test]
fn a_tape_in_its_library_may_be_used_and_a_disk_nearby_may_not() {
    let mut row = medium(1, None);
    row.presence = Presence::Near;
    for (family, usable) in [(Family::Tape, true), (Family::Dir, false)] {
        row.family = family;
        for mode in [Mode::Read, Mode::Write, Mode::Exclusive] {
            assert_eq!(not_usable(&row, mode).is_none(), usable, "{family} {mode:?}");
        }
    }
}

#[test]
fn a_missing_medium_is_looked_for_once_more_and_then_refused() {
    let mut row = medium(1, None);
    row.presence = Presence::Missing;
    let mut bench = Bench::with([row]);
    let absent = Manners {
        load: Some("nothing is there"),
        ..Manners::default()
    };
    bench.manners.insert(id(1), absent);
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(matches!(bench.refused[&get], Refusal::Unusable { .. }));
    bench.manners.clear();
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.is_granted(get), "it was plugged in again");
}

#[test]
fn a_candidate_that_cannot_be_mounted_or_leased_gives_way_to_the_next() {
    let mut bench = three();
    let absent = Manners {
        load: Some("another label"),
        ..Manners::default()
    };
    let leased = Manners {
        lease: Some("until noon"),
        ..Manners::default()
    };
    bench.manners.insert(id(1), absent);
    bench.manners.insert(id(2), leased);
    let put = bench.ask(request(Priority::Put).write(&[1, 2, 3]));
    assert_eq!(bench.writes(put), [id(3)]);
    let alone = bench.ask(request(Priority::Put).alone(2));
    assert!(matches!(bench.refused[&alone], Refusal::LeasedElsewhere { .. }));
    let get = bench.ask(request(Priority::Get).read(2));
    assert!(bench.is_granted(get), "reading needs no lease");
}

#[test]
fn a_mount_made_without_the_lease_is_made_again_before_it_is_written() {
    let mut bench = three();
    let leased = Manners {
        lease: Some("until noon"),
        ..Manners::default()
    };
    bench.manners.insert(id(1), leased);
    let get = bench.ask(request(Priority::Get).read(1));
    bench.manners.clear();
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert!(bench.waits(put), "its reader keeps the old mount");
    let later = bench.ask(request(Priority::Put).read(1));
    assert!(bench.waits(later), "and no more readers come in between");
    bench.orders.clear();
    bench.release(get);
    assert!(bench.is_granted(put) && bench.is_granted(later));
    assert_eq!(bench.orders, ["unload m1", "lease m1", "load m1", "probe m1"]);
}

#[test]
fn a_writer_whose_lease_is_lost_is_asked_to_end_and_the_next_one_mounts_again() {
    let mut bench = three();
    let put = bench.ask(request(Priority::Put).write(&[1]));
    bench.lose_lease(1);
    assert!(bench.yields.contains(&put));
    bench.orders.clear();
    let next = bench.ask(request(Priority::Put).write(&[1]));
    bench.release(put);
    assert!(bench.is_granted(next));
    assert_eq!(bench.orders, ["unload m1", "lease m1", "load m1", "probe m1"]);
}

#[test]
fn a_dock_with_an_idle_disk_is_switched_when_another_is_wanted() {
    let mut bench = Bench::with([medium(1, Some("dock")), medium(2, Some("dock"))]);
    let get = bench.ask(request(Priority::Get).read(1));
    bench.release(get);
    bench.orders.clear();
    let put = bench.ask(request(Priority::Put).write(&[2]));
    assert!(bench.is_granted(put));
    assert_eq!(
        bench.orders,
        ["unload m1", "lease m2", "give back m1", "load m2", "probe m2"]
    );
}

#[test]
fn a_medium_that_changes_during_preparation_is_judged_again() {
    let mut bench = three();
    let put = bench.submit(request(Priority::Put).write(&[1, 2]));
    let mut row = bench.row(1);
    row.adm_state = AdmState::ReadOnly;
    bench.change(row);
    bench.settle();
    assert_eq!(bench.writes(put), [id(2)]);
}

#[test]
fn who_gave_a_medium_up_tries_it_again_when_it_changed() {
    let mut bench = three();
    bench.manners.insert(id(1), free(1));
    let holder = bench.ask(request(Priority::Put).write(&[2]));
    let put = bench.ask(request(Priority::Put).write(&[1, 2]));
    assert!(bench.waits(put));
    bench.manners.clear();
    let row = bench.row(1);
    bench.change(row);
    bench.settle();
    assert_eq!(bench.writes(put), [id(1)]);
    bench.release(holder);
}

#[test]
fn a_failed_drive_serves_nobody_and_no_other_drive_suffers() {
    let mut bench = three();
    let get = bench.ask(request(Priority::Get).read(1));
    let drive = crate::core::DriveId::Own(id(1));
    bench.release(get);
    bench.tell(Event::DriveFailed {
        drive,
        why: "a panic".into(),
    });
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(matches!(&bench.refused[&get], Refusal::Unusable { why, .. } if why.contains("a panic")));
    let put = bench.ask(request(Priority::Put).write(&[1, 2]));
    assert_eq!(bench.writes(put), [id(2)]);
}

#[test]
fn what_nobody_uses_is_unmounted_after_a_while_and_a_locked_medium_at_once() {
    let mut bench = three();
    let (one, two) = (
        bench.ask(request(Priority::Get).read(1)),
        bench.ask(request(Priority::Get).read(2)),
    );
    bench.release(one);
    bench.release(two);
    bench.orders.clear();
    let mut row = bench.row(2);
    row.locked = true;
    bench.change(row);
    bench.settle();
    assert_eq!(bench.orders, ["unload m2", "give back m2"]);
    bench.now += IDLE_MAX;
    bench.tell(Event::Tick);
    bench.settle();
    assert_eq!(bench.orders[2..], ["unload m1", "give back m1"]);
}

#[test]
fn a_cancelled_request_leaves_nothing_reserved() {
    let mut bench = three();
    let holder = bench.ask(request(Priority::Put).write(&[1]));
    let cancelled = bench.ask(request(Priority::Put).alone(1).alone(2));
    let waits = bench.ask(request(Priority::Put).write(&[2]));
    assert!(bench.waits(waits));
    bench.tell(Event::Cancel(cancelled));
    bench.settle();
    assert!(bench.is_granted(waits) && bench.is_granted(holder));
}

#[test]
fn stopping_refuses_what_waits_asks_for_the_rest_and_puts_all_away() {
    let mut bench = three();
    let get = bench.ask(request(Priority::Get).read(1));
    let waits = bench.ask(request(Priority::Put).alone(1));
    bench.tell(Event::Stop);
    assert_eq!(bench.refused[&waits], Refusal::Stopping);
    assert!(bench.yields.contains(&get) && !bench.stopped);
    let late = bench.ask(request(Priority::Get).read(2));
    assert_eq!(bench.refused[&late], Refusal::Stopping);
    bench.release(get);
    assert!(bench.stopped);
    assert_eq!(bench.orders[bench.orders.len() - 2..], ["unload m1", "give back m1"]);
}

#[test]
fn a_medium_that_left_the_catalogue_is_forgotten() {
    let mut bench = three();
    let get = bench.ask(request(Priority::Get).read(1));
    bench.tell(Event::MediumGone(id(1)));
    let other = bench.ask(request(Priority::Get).read(1));
    assert!(matches!(bench.refused[&other], Refusal::Unusable { .. }));
    bench.release(get);
    assert_eq!(bench.orders.last().unwrap(), "give back m1");
}

#[test]
fn a_distrusted_mount_is_made_again_before_its_next_use() {
    let mut bench = three();
    let put = bench.ask(request(Priority::Put).write(&[1]));
    bench.tell(Event::Distrust(id(1)));
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.waits(get));
    bench.orders.clear();
    bench.release(put);
    assert!(bench.is_granted(get));
    assert_eq!(bench.orders, ["unload m1", "load m1"], "under the same lease");
}

#[test]
fn a_mount_of_another_capacity_is_made_again_before_its_next_use() {
    let mut bench = three();
    let put = bench.ask(request(Priority::Put).write(&[1]));
    let mut row = bench.row(1);
    row.capacity = Some(ByteCount(5_000));
    bench.change(row.clone());
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.waits(get));
    bench.orders.clear();
    bench.release(put);
    assert!(bench.is_granted(get));
    assert_eq!(bench.orders, ["unload m1", "load m1"], "under the same lease");
    bench.orders.clear();
    bench.change(row);
    bench.release(get);
    assert!(bench.orders.is_empty(), "the same capacity is the same mount");
}
