//! Tapes of a library: any drive that takes them, one at a time, and never two of anything.

use super::bench::{Bench, Manners, Skill, Wanting, bay, id, lib0, medium, request, tape};
use crate::core::allocation::PATIENCE;
use crate::core::health::{Failure, Trouble};
use crate::core::queue::OVERTAKEN_MAX;
use crate::core::request::{AllocationId, Priority, Refusal};
use crate::core::scheduler::Event;
use crate::core::stall::TAPE_ANSWER_MAX;
use dss::model::{Family, Health, MediumId, Presence};
use std::time::Duration;

/// Tapes 1 to 6 in `lib0` with these drives, and a directory 9.
fn hall(skills: &[Skill]) -> Bench {
    let tapes = (1..7).map(|number| tape(number, "lib0"));
    let mut bench = Bench::with(tapes.chain([medium(9, None)]));
    bench.tell_library(lib0(skills));
    bench
}

/// `lib0`'s drives hold these tapes though nothing is mounted.
fn holding(bench: &mut Bench, holds: &[Option<u128>]) {
    let mut facts = bench.library.clone().unwrap();
    for (of_bay, holds) in facts.bays.iter_mut().zip(holds) {
        of_bay.holds = holds.map(id);
    }
    bench.tell_library(facts);
}

fn close(bench: &mut Bench, number: usize, why: &str) {
    let mut facts = bench.library.clone().unwrap();
    facts.bays[number].closed = Some(why.into());
    bench.tell_library(facts);
    bench.settle();
}

/// The drive that a granted tape is in, by its name.
fn seat(bench: &Bench, of: AllocationId, number: u128) -> String {
    assert!(bench.is_granted(of), "{:?}", bench.refused.get(&of));
    bench.seat(of, id(number)).to_string()
}

fn drv(number: usize) -> String {
    format!("drive drv{number} of library lib0")
}

/// Mounts a tape and leaves it idle.
fn leave_idle(bench: &mut Bench, number: u128) -> String {
    let get = bench.ask(request(Priority::Get).read(number));
    let drive = seat(bench, get, number);
    bench.release(get);
    drive
}

fn fails(bench: &mut Bench, number: u128, drive: &str, trouble: Trouble) {
    bench.tell(Event::Failed(Failure {
        medium: id(number),
        family: Family::Tape,
        drive: bay(drive),
        trouble,
        why: "3/11/00".into(),
    }));
    bench.settle();
}

fn unusable(bench: &Bench, of: AllocationId) -> String {
    match bench.refused.get(&of) {
        Some(Refusal::Unusable { why, .. }) => why.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn two_tapes_get_two_drives_and_the_third_waits() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let first = bench.ask(request(Priority::Get).read(1));
    let second = bench.ask(request(Priority::Get).read(2));
    let third = bench.ask(request(Priority::Get).read(3));
    assert_eq!([seat(&bench, first, 1), seat(&bench, second, 2)], [drv(0), drv(1)]);
    let said = bench.scheduler.explain(third).unwrap().text();
    assert_eq!(
        said,
        "waits for drive drv0 of library lib0, where request 1 reads medium m1"
    );
    bench.release(second);
    assert_eq!(seat(&bench, third, 3), drv(1), "whichever is free first");
}

#[test]
fn a_tape_that_is_in_a_drive_is_used_there_by_whoever_wants_it_too() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let first = bench.ask(request(Priority::Get).read(1));
    let second = bench.ask(request(Priority::Get).read(1));
    assert_eq!([seat(&bench, first, 1), seat(&bench, second, 1)], [drv(0), drv(0)]);
    let writer = bench.ask(request(Priority::Put).write(&[1]));
    assert!(bench.waits(writer), "a tape has one head");
    bench.release(first);
    bench.release(second);
    assert_eq!(seat(&bench, writer, 1), drv(0));
    assert_eq!(bench.orders.iter().filter(|of| of.starts_with("load")).count(), 1);
}

#[test]
fn a_tape_that_is_being_loaded_for_one_is_claimed_there_by_the_next() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let first = bench.submit(request(Priority::Get).read(1));
    let second = bench.submit(request(Priority::Get).read(1));
    bench.settle();
    assert_eq!([seat(&bench, first, 1), seat(&bench, second, 1)], [drv(0), drv(0)]);
}

#[test]
fn the_drive_that_holds_a_tape_comes_first_then_an_empty_one_then_the_longest_idle() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes, Skill::Writes]);
    holding(&mut bench, &[Some(5), None, Some(1)]);
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(2), "it lies there already");
    let other = bench.ask(request(Priority::Get).read(2));
    assert_eq!(seat(&bench, other, 2), drv(1), "drv0 is not empty");
    bench.now = Duration::from_secs(10);
    bench.release(other);
    bench.now = Duration::from_secs(20);
    bench.release(get);
    let third = bench.ask(request(Priority::Get).read(3));
    assert_eq!(seat(&bench, third, 3), drv(0), "what was left there was never used");
    let fourth = bench.ask(request(Priority::Get).read(4));
    assert_eq!(seat(&bench, fourth, 4), drv(1), "idle since 10 s, drv2 since 20 s");
    assert_eq!(bench.mounted[&bay("drv2")], id(1), "and the other one stays mounted");
}

#[test]
fn a_drive_that_only_reads_is_never_written_in() {
    let mut bench = hall(&[Skill::Reads, Skill::Writes, Skill::None]);
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert_eq!(seat(&bench, put, 1), drv(1));
    let get = bench.ask(request(Priority::Get).read(2));
    assert_eq!(seat(&bench, get, 2), drv(0));
    let alone = bench.ask(request(Priority::Background).alone(3));
    assert!(bench.waits(alone), "who labels or erases writes");
    let third = bench.ask(request(Priority::Get).read(4));
    bench.release(get);
    assert_eq!(seat(&bench, third, 4), drv(0), "drv2 takes none of these");
    bench.release(put);
    assert_eq!(seat(&bench, alone, 3), drv(1));
}

#[test]
fn a_read_moves_over_for_the_only_drive_that_writes_in_one_request() {
    let mut bench = hall(&[Skill::Writes, Skill::Reads]);
    let repack = bench.ask(request(Priority::Repack).read(1).write(&[2]));
    assert_eq!(
        [seat(&bench, repack, 1), seat(&bench, repack, 2)],
        [drv(1), drv(0)],
        "read first, it would have been in drv0"
    );
}

/// X-10, E-01.
#[test]
fn more_tapes_than_drives_are_refused_at_once_even_while_the_drive_is_busy() {
    let mut bench = hall(&[Skill::Writes]);
    let holds = bench.ask(request(Priority::Get).read(6));
    for (wanted, needed) in [
        (request(Priority::Repack).read(1).write(&[2]), 2),
        (request(Priority::Repack).read(1).read(2).read(3).write(&[4]), 4),
        (request(Priority::Repack).write(&[1, 2]).write(&[3, 4]), 2),
    ] {
        let refused = bench.ask(wanted);
        let refusal = &bench.refused[&refused];
        assert_eq!(
            *refusal,
            Refusal::FewDrives {
                library: "lib0".into(),
                drives: 1,
                needed,
                closed: Vec::new(),
            }
        );
        assert_eq!(
            refusal.to_string(),
            format!("library lib0 has 1 drive that can take these tapes and {needed} are needed at once")
        );
    }
    bench.release(holds);
}

/// two drives are too few when only one of them writes and both tapes are to be written.
#[test]
fn drives_that_cannot_take_these_tapes_do_not_count() {
    let mut bench = hall(&[Skill::Writes, Skill::Reads]);
    let both = bench.ask(request(Priority::Repack).write(&[1]).write(&[2]));
    assert!(
        matches!(
            bench.refused[&both],
            Refusal::FewDrives {
                drives: 1,
                needed: 2,
                ..
            }
        ),
        "{:?}",
        bench.refused[&both]
    );
    let mixed = bench.ask(request(Priority::Repack).write(&[1]).write(&[2, 9]));
    assert_eq!(bench.writes(mixed), [id(1), id(9)], "a directory needs no drive of it");
}

/// with the reason when drives are out of service.
#[test]
fn too_few_drives_in_service_are_told_with_those_that_are_not() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    bench.lock(&bay("drv1"), Some("cleaning"));
    let repack = bench.ask(request(Priority::Repack).read(1).write(&[2]));
    assert_eq!(
        bench.refused[&repack].to_string(),
        "library lib0 has 1 drive that can take these tapes and 2 are needed at once; not in service: drive drv1 of \
         library lib0 (the operator locked it: cleaning)"
    );
    close(&mut bench, 0, "its fan stands still");
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(
        unusable(&bench, get),
        "no drive of library lib0 can take it now: drive drv0 of library lib0 (its fan stands still); drive drv1 of \
         library lib0 (the operator locked it: cleaning)"
    );
    bench.lock(&bay("drv1"), None);
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(1));
}

#[test]
fn a_tape_of_no_library_or_an_unknown_one_or_an_unknown_technology_is_refused() {
    let mut bench = hall(&[Skill::Writes, Skill::Reads]);
    let mut nowhere = tape(1, "lib0");
    nowhere.location.library = None;
    bench.change(nowhere);
    bench.change(tape(2, "lib9"));
    let mut old = tape(3, "lib0");
    old.technology = "LTO-5".into();
    bench.change(old);
    for (number, why) in [
        (1, "it is in no library"),
        (2, "library lib9 is not known to this respoold"),
        (3, "no drive of library lib0 reads LTO-5"),
    ] {
        let get = bench.ask(request(Priority::Get).read(number));
        assert_eq!(unusable(&bench, get), why);
    }
    let put = bench.ask(request(Priority::Put).write(&[1, 2, 3]));
    let Refusal::NoTarget { considered, .. } = &bench.refused[&put] else {
        panic!("{:?}", bench.refused[&put])
    };
    assert_eq!(
        considered[..],
        [
            "m1: it is in no library",
            "m2: library lib9 is not known to this respoold",
            "m3: no drive of library lib0 writes LTO-5"
        ]
    );
}

/// idle in the only drive that writes, and another tape is to be written.
#[test]
fn a_tape_to_be_read_that_sits_idle_in_the_only_drive_that_writes_is_moved() {
    let mut bench = hall(&[Skill::Writes, Skill::Reads]);
    assert_eq!(leave_idle(&mut bench, 1), drv(0));
    bench.orders.clear();
    let repack = bench.submit(request(Priority::Repack).read(1).write(&[2]));
    assert_eq!(
        bench.scheduler.explain(repack).unwrap().text(),
        "medium m1 is in drive drv0 of library lib0 and is needed in drive drv1 of library lib0"
    );
    bench.settle();
    assert_eq!([seat(&bench, repack, 1), seat(&bench, repack, 2)], [drv(1), drv(0)]);
    let loads: Vec<&String> = bench.orders.iter().filter(|of| of.contains("load")).collect();
    assert_eq!(loads, ["unload m1", "load m1 in drv1", "load m2 in drv0"]);
}

/// the same while somebody reads it there: the repack waits for him and for nothing else.
#[test]
fn a_tape_that_is_being_read_in_the_only_drive_that_writes_is_waited_for_and_moved() {
    let mut bench = hall(&[Skill::Writes, Skill::Reads]);
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(0));
    let repack = bench.ask(request(Priority::Repack).read(1).write(&[2]));
    assert!(bench.waits(repack));
    bench.release(get);
    assert_eq!([seat(&bench, repack, 1), seat(&bench, repack, 2)], [drv(1), drv(0)]);
}

/// the drive it sits in is reserved for somebody who writes.
#[test]
fn a_tape_to_be_read_that_sits_in_a_drive_reserved_for_writing_is_read_in_another() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes, Skill::Reads]);
    assert_eq!(leave_idle(&mut bench, 1), drv(0));
    let holds = bench.ask(request(Priority::Repack).write(&[2]));
    assert_eq!(seat(&bench, holds, 2), drv(1));
    let writer = bench.ask(request(Priority::Repack).write(&[3]).write(&[4]));
    assert!(bench.waits(writer), "it needs both drives that write");
    let reader = bench.ask(request(Priority::Repack).read(1));
    assert_eq!(seat(&bench, reader, 1), drv(2), "drv0 is kept for request 3");
    bench.release(holds);
    assert!(bench.is_granted(writer) && bench.is_granted(reader));
}

/// what is wanted for reading is being written. Who writes gives way to who hurries, and nobody loads it twice.
#[test]
fn a_get_of_a_tape_that_is_being_written_is_served_there_when_the_writer_gives_way() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let repack = bench.ask(request(Priority::Repack).write(&[1]));
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.waits(get) && bench.yields.contains(&repack));
    let said = bench.scheduler.explain(get).unwrap().text();
    assert_eq!(said, "waits for medium m1, which request 1 writes");
    bench.release(repack);
    assert_eq!(seat(&bench, get, 1), drv(0));
    assert_eq!(bench.orders.iter().filter(|of| of.starts_with("load")).count(), 1);
}

/// the second half of the row: what is not in the library is told with its shelf.
#[test]
fn a_tape_on_a_shelf_is_refused_with_its_place_and_one_in_its_library_is_fetched() {
    let mut bench = hall(&[Skill::Writes]);
    let mut row = tape(1, "lib0");
    row.presence = Presence::Shelf;
    bench.change(row.clone());
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(
        unusable(&bench, get),
        "it is not here (shelf); last known at T00001L9 in library lib0"
    );
    row.presence = Presence::Near;
    bench.change(row);
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.is_granted(get), "nobody has to fetch it by hand");
}

/// E-01: opposite repacks over two drives end one after the other.
#[test]
fn two_repacks_in_opposite_directions_over_two_drives_both_finish() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let there = bench.submit(request(Priority::Repack).read(1).write(&[2]));
    let back = bench.submit(request(Priority::Repack).read(2).write(&[1]));
    bench.settle();
    assert!(bench.is_granted(there) && bench.waits(back));
    bench.release(there);
    assert!(bench.is_granted(back));
}

#[test]
fn a_locked_drive_gets_nobody_new_and_who_uses_it_is_asked_to_give_way() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let get = bench.ask(request(Priority::Get).read(1));
    bench.lock(&bay("drv0"), Some("it squeaks"));
    assert!(bench.yields.contains(&get));
    let same = bench.ask(request(Priority::Get).read(1));
    assert!(bench.waits(same), "the tape is still in it");
    let other = bench.ask(request(Priority::Get).read(2));
    let status = bench.scheduler.drive_status(&bay("drv0"));
    assert_eq!(
        status.out_of_service.unwrap(),
        "its drive is out of service (the operator locked it: it squeaks)"
    );
    bench.release(get);
    assert!(!bench.mounted.contains_key(&bay("drv0")), "it is emptied");
    assert_eq!(seat(&bench, same, 1), drv(1));
    bench.release(same);
    assert_eq!(seat(&bench, other, 2), drv(1), "one after the other in what is left");
    let names: Vec<String> = bench.scheduler.drive_list().into_iter().map(|of| of.drive).collect();
    assert_eq!(names, [drv(0), drv(1)]);
}

#[test]
fn a_locked_dock_is_held_to_the_same() {
    let mut bench = Bench::with([medium(1, Some("left"))]);
    let dock = crate::core::DriveId::Dock("left".into());
    let get = bench.ask(request(Priority::Get).read(1));
    bench.lock(&dock, Some("its cable"));
    assert!(bench.yields.contains(&get));
    bench.release(get);
    assert!(bench.mounted.is_empty());
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(unusable(&bench, get).contains("the operator locked it: its cable"));
    bench.lock(&dock, None);
    let get = bench.ask(request(Priority::Get).read(1));
    assert!(bench.is_granted(get));
}

#[test]
fn a_drive_that_left_its_library_serves_nobody() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    assert_eq!(leave_idle(&mut bench, 1), drv(0));
    let mut facts = lib0(&[Skill::Writes, Skill::Writes]);
    facts.bays.remove(0);
    bench.tell_library(facts);
    bench.settle();
    assert!(bench.mounted.is_empty(), "what was in it is put away");
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(1));
    let both = bench.ask(request(Priority::Get).read(1).read(2));
    assert!(matches!(bench.refused[&both], Refusal::FewDrives { drives: 1, .. }));
}

#[test]
fn a_tape_that_is_let_go_is_unloaded_as_soon_as_nobody_uses_it_and_no_other_one() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let first = bench.ask(request(Priority::Get).read(1));
    let second = bench.ask(request(Priority::Get).read(2));
    bench.tell(Event::LetGo(id(1)));
    bench.settle();
    assert_eq!(bench.mounted.len(), 2, "it is in use");
    bench.release(first);
    bench.release(second);
    assert_eq!(bench.mounted.values().collect::<Vec<_>>(), [&id(2)]);
    let again = bench.ask(request(Priority::Get).read(1));
    bench.release(again);
    assert!(bench.mounted.values().any(|of| *of == id(1)), "it was let go once");
}

/// A drive that fails to give a tape back, or whose thread is gone, is out; the tape is tried elsewhere.
#[test]
fn a_failed_drive_of_a_library_serves_nobody_and_its_tapes_go_elsewhere() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let get = bench.ask(request(Priority::Get).read(1));
    bench.break_drive(bay("drv0"));
    assert!(!bench.is_granted(get));
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(1));
    bench.release(get);
    bench.break_drive(bay("drv1"));
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(
        unusable(&bench, get),
        "no drive of library lib0 can take it now: drive drv0 of library lib0 (a panic); drive drv1 of library lib0 \
         (a panic)"
    );
}

#[test]
fn a_request_whose_drive_closes_while_it_is_prepared_goes_on_in_another() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let put = bench.submit(request(Priority::Put).write(&[1]));
    bench.carry_out(0);
    assert!(!bench.open.is_empty(), "drv0 is loading");
    bench.tell(Event::DriveLock {
        drive: bay("drv0"),
        locked: Some("now".into()),
    });
    bench.settle();
    assert_eq!(seat(&bench, put, 1), drv(1));
}

#[test]
fn a_request_whose_drive_turns_out_to_only_read_while_it_is_prepared_goes_on_in_another() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let put = bench.submit(request(Priority::Put).write(&[1]));
    bench.carry_out(0);
    bench.tell_library(lib0(&[Skill::Reads, Skill::Writes]));
    bench.settle();
    assert_eq!(seat(&bench, put, 1), drv(1));
}

/// A tape in a drive that does not answer is nobody knows where: it is loaded nowhere else.
#[test]
fn a_tape_in_a_drive_that_does_not_answer_is_refused_and_others_use_the_other_drive() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let get = bench.submit(request(Priority::Get).read(1));
    bench.carry_out(0);
    bench.now += TAPE_ANSWER_MAX;
    bench.tell(Event::Tick);
    assert!(
        matches!(&bench.refused[&get], Refusal::NoAnswer { why, .. } if why.contains("drive drv0 of library lib0 is put aside")),
        "{:?}",
        bench.refused[&get]
    );
    let other = bench.submit(request(Priority::Get).read(2));
    while bench.open.len() > 1 {
        bench.carry_out(1);
    }
    assert_eq!(seat(&bench, other, 2), drv(1));
    bench.settle();
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(0), "it answered at last");
}

#[test]
fn a_tape_that_fails_in_two_drives_is_to_blame_itself() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes, Skill::Writes]);
    fails(&mut bench, 1, "drv0", Trouble::Hard);
    assert!(bench.suspects.is_empty(), "one failure of a tape is not enough");
    fails(&mut bench, 1, "drv1", Trouble::Hard);
    assert!(bench.suspects.contains(&id(1)));
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(2), "where it has not failed yet");
}

#[test]
fn a_drive_in_which_two_tapes_fail_is_to_blame_and_they_are_not() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let get = bench.ask(request(Priority::Get).read(1));
    fails(&mut bench, 1, "drv0", Trouble::Hard);
    fails(&mut bench, 2, "drv0", Trouble::Hard);
    assert!(bench.suspects.is_empty());
    assert!(bench.orders.contains(&format!("{} out", drv(0))) && bench.yields.contains(&get));
    bench.release(get);
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(1));
    let mut row = bench.row(1);
    row.health = Health::Suspect;
    bench.change(row.clone());
    row.health = Health::Ok;
    bench.change(row);
    bench.release(get);
    let (first, second) = (
        bench.ask(request(Priority::Get).read(3)),
        bench.ask(request(Priority::Get).read(4)),
    );
    assert!(
        bench.is_granted(first) && bench.is_granted(second),
        "what the operator trusts again speaks no more against its drive"
    );
}

#[test]
fn a_tape_that_cannot_be_mounted_is_tried_in_another_drive_by_the_next() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let bad = Manners {
        load: Some("no label"),
        ..Manners::default()
    };
    bench.manners.insert(id(1), bad);
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(unusable(&bench, get), "not mounted (no label)");
    fails(&mut bench, 1, "drv0", Trouble::Hard);
    bench.manners.clear();
    let get = bench.ask(request(Priority::Get).read(1));
    assert_eq!(seat(&bench, get, 1), drv(1));
}

#[test]
fn a_distrusted_mount_is_made_again_in_the_same_drive_and_a_reopened_one_stays() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let put = bench.ask(request(Priority::Put).write(&[1]));
    bench.tell(Event::Distrust(id(1)));
    bench.orders.clear();
    bench.tell(Event::Reopened(id(1)));
    bench.release(put);
    let put = bench.ask(request(Priority::Put).write(&[1]));
    assert_eq!(bench.orders, ["probe m1"], "its holder had it mounted again");
    bench.tell(Event::Distrust(id(1)));
    bench.orders.clear();
    let get = bench.ask(request(Priority::Get).read(1));
    bench.release(put);
    assert_eq!(seat(&bench, get, 1), drv(0));
    assert_eq!(bench.orders, ["unload m1", "load m1 in drv0"]);
}

#[test]
fn a_put_that_reads_or_writes_for_long_gives_its_drive_to_who_waited() {
    let mut bench = hall(&[Skill::Writes]);
    let put = bench.ask(request(Priority::Put).write(&[1]));
    let get = bench.ask(request(Priority::Get).read(2));
    bench.now += PATIENCE;
    bench.tell(Event::Tick);
    assert!(bench.yields.contains(&put) && bench.waits(get));
    bench.release(put);
    assert_eq!(seat(&bench, get, 2), drv(0));
}

#[test]
fn the_drive_of_a_tape_is_the_one_it_is_in() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let row = bench.row(1);
    assert_eq!(bench.scheduler.drive_of(&row), None);
    let get = bench.submit(request(Priority::Get).read(1));
    bench.carry_out(0);
    assert_eq!(bench.scheduler.drive_of(&row), Some(bay("drv0")), "on its way");
    bench.settle();
    bench.release(get);
    assert_eq!(bench.scheduler.drive_of(&row), Some(bay("drv0")));
    let unknown = MediumId::fresh();
    bench.tell(Event::LetGo(unknown));
    bench.tell(Event::LetGo(id(1)));
    bench.settle();
    assert_eq!(bench.scheduler.drive_of(&row), None);
}

#[test]
fn stopping_puts_every_tape_away() {
    let mut bench = hall(&[Skill::Writes, Skill::Reads]);
    let get = bench.ask(request(Priority::Get).read(1));
    leave_idle(&mut bench, 2);
    bench.tell(Event::Stop);
    bench.settle();
    assert!(!bench.stopped);
    bench.release(get);
    assert!(bench.stopped && bench.mounted.is_empty());
}

/// Nobody starves in a library either: who needs both drives is passed no more often than stated.
#[test]
fn a_stream_of_gets_passes_a_repack_that_needs_both_drives_no_more_often_than_stated() {
    let mut bench = hall(&[Skill::Writes, Skill::Writes]);
    let mut reader = bench.ask(request(Priority::Get).read(1));
    let repack = bench.ask(request(Priority::Repack).read(2).write(&[3]));
    let mut passed = 0;
    while bench.waits(repack) {
        let next = bench.ask(request(Priority::Get).read(4 + u128::from(passed % 3)));
        bench.release(reader);
        if bench.is_granted(repack) {
            break;
        }
        passed += 1;
        assert!(passed <= OVERTAKEN_MAX + 1, "overtaken for ever");
        reader = next;
    }
    assert!(passed >= OVERTAKEN_MAX, "who hurries goes first until then: {passed}");
}
