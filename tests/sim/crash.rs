//! Crashes a scene at every instant of its act, and every recovery from that once more: whatever was acknowledged is
//! there, whatever was not is absent or whole, and everything that was begun comes to its end.
//!
//! An instant is a call on a disk, a command to a tape drive or to the arm, a call on the catalogue (before it, and there
//! also after it), or a named step. Where nothing that outlives a process has changed since the instant before, a crash
//! leaves the same and is not repeated.

use crate::around::Surroundings;
use crate::chance::{Chance, mix};
use crate::life::{Life, live_in};
use crate::scene::{Scene, bytes_of, what_was_told_is_so};
use crate::scenes::{Deletes, Format, Import, Puts, Quarantined, Repack, Restore, Staged};
use crate::tapes::{TapePuts, TapeRepack, Way};
use crate::universe::{Crash, Instant, Universe};
use dss::model::Step;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

pub fn seed() -> u64 {
    match std::env::var("SIM_SEED") {
        Ok(text) => text.parse().expect("SIM_SEED is a number"),
        Err(_) => 20_260_101,
    }
}

/// Where a recovery is crashed again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Again {
    /// At an instant that the seed chooses.
    Once,
    /// At every instant.
    Everywhere,
}

fn again() -> Again {
    match std::env::var("SIM_AGAIN").as_deref() {
        Ok("all") => Again::Everywhere,
        Ok(other) => panic!("SIM_AGAIN={other} means nothing; 'all' crashes recoveries at each of their instants"),
        Err(_) => Again::Once,
    }
}

pub fn live_as<T>(scene: &dyn Scene, universe: &Arc<Universe>, work: impl AsyncFnOnce(&Life) -> T) -> T {
    let mut around = Surroundings::calm(universe);
    scene.configure(&mut around.config);
    live_in(universe, around, work)
}

/// Every instant of a scene's act, after what was before it.
pub fn instants(scene: &dyn Scene) -> Vec<Instant> {
    let universe = Universe::new(seed());
    scene.set(&universe);
    live_as(scene, &universe, async |life| {
        scene.before(life).await;
        universe.begin_noting();
        scene.act(life).await;
    });
    let mut noted = universe.end_noting();
    noted.push(universe.now("the end"));
    noted
}

/// Starts again after a crash, lets everything come to its end, cuts the power, and starts again: what is at rest then
/// is durable. Answers the instants of the recovery.
pub fn survive(scene: &dyn Scene, instant: &Instant, crash: Crash) -> Vec<Instant> {
    let universe = Universe::after(instant, crash);
    live_as(scene, &universe, async |life| {
        assert_eq!(universe.catalogue.violations(), []);
        life.what_is_sync_is_there().await;
        universe.begin_noting();
        life.recover().await.unwrap();
        scene.again(life).await;
    });
    let noted = universe.end_noting();
    let rested = universe.now("rest");
    let after = Universe::after(&rested, Crash::Worst);
    live_as(scene, &after, async |life| {
        life.recover().await.unwrap();
        life.is_sound(scene.left()).await;
        scene.holds(life).await;
        what_was_told_is_so(life).await;
        // And it goes on: every medium that takes bytes still does.
        life.put(&[("late", bytes_of("late"))], 1).await;
        assert_eq!(life.get("late", None).await.unwrap(), bytes_of("late"));
    });
    noted
}

/// How often lives ended, and how.
#[derive(Default)]
struct Count {
    /// The process alone: SIGKILL. What is not durable stays in the host's memory.
    killed: usize,
    /// The host: a power cut that leaves a seeded part of what was not durable.
    cut: usize,
    /// A power cut that leaves nothing of it.
    cut_at_worst: usize,
}

impl Count {
    fn add(&mut self, crash: Crash) {
        match crash {
            Crash::Kill => self.killed += 1,
            Crash::Power(_) => self.cut += 1,
            Crash::Worst => self.cut_at_worst += 1,
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            killed,
            cut,
            cut_at_worst,
        } = self;
        write!(
            f,
            "{} ({killed} killed processes as by SIGKILL, {cut} power cuts that keep some of what was not synced, \
             {cut_at_worst} that keep none)",
            killed + cut + cut_at_worst
        )
    }
}

/// Collects what went wrong, so that one look tells whether a rule or an instant is at fault.
#[derive(Default)]
pub struct Failures(Vec<String>);

impl Failures {
    pub fn run<T: Default>(&mut self, what: impl FnOnce() -> String, work: impl FnOnce() -> T) -> T {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(answer) => answer,
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
                let mut words = words.unwrap_or_default();
                words.truncate(words.floor_char_boundary(600));
                self.0.push(format!("{}: {words}", what()));
                assert!(self.0.len() < 10, "too much fails:\n{}", self.0.join("\n"));
                T::default()
            }
        }
    }

    pub fn must_be_none(&self) {
        assert!(self.0.is_empty(), "{} failed:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Only those before which something changed.
fn distinct(instants: &[Instant]) -> Vec<(usize, &Instant)> {
    instants
        .iter()
        .enumerate()
        .filter(|(number, of)| *number == 0 || of.changed)
        .collect()
}

/// Ends the act at every instant in three ways, and each recovery once more.
fn crash_everywhere(scene: &dyn Scene) {
    let (name, seed, again, begun) = (scene.name(), seed(), again(), std::time::Instant::now());
    let instants = instants(scene);
    let (mut failures, mut first, mut second) = (Failures::default(), Count::default(), Count::default());
    for (number, instant) in distinct(&instants) {
        let mut chance = Chance::new(mix(seed, number as u64));
        for crash in [Crash::Power(chance.next()), Crash::Kill, Crash::Worst] {
            let place = || {
                format!(
                    "{name}, SIM_SEED={seed}, instant {number} ({}), {crash:?}",
                    instant.before
                )
            };
            first.add(crash);
            let recovery = failures.run(place, || survive(scene, instant, crash));
            let mut points = distinct(&recovery);
            if again == Again::Once && !points.is_empty() {
                points = vec![points.swap_remove(chance.below(points.len()))];
            }
            for (number, point) in points {
                let crash = match chance.below(3) {
                    0 => Crash::Kill,
                    1 => Crash::Worst,
                    _ => Crash::Power(chance.next()),
                };
                let place = || {
                    let (place, before) = (place(), &point.before);
                    format!("{place}, then in its recovery at instant {number} ({before}), {crash:?}")
                };
                second.add(crash);
                failures.run(place, || survive(scene, point, crash));
            }
        }
    }
    println!(
        "{name}: SIM_SEED={seed}, {} boundaries, {} of them after a change; crashes at each of these: {first}; crashes \
         in their recoveries: {second}; {:.1} s",
        instants.len(),
        distinct(&instants).len(),
        begun.elapsed().as_secs_f64()
    );
    failures.must_be_none();
}

#[test]
fn e15_a_crash_at_any_instant_of_a_put_keeps_what_was_acknowledged() {
    crash_everywhere(&Puts);
}

#[test]
fn e15_a_crash_at_any_instant_of_a_repack_loses_nothing_and_the_repack_ends() {
    crash_everywhere(&Repack);
}

#[test]
fn e15_x10_a_crash_at_any_instant_of_a_staged_repack_loses_nothing_and_the_repack_ends() {
    crash_everywhere(&Staged);
}

#[test]
fn e15_a_crash_at_any_instant_up_to_a_quarantine_keeps_the_old_bytes_and_the_repack_ends() {
    crash_everywhere(&Quarantined);
}

#[test]
fn e15_a_crash_at_any_instant_of_a_restore_loses_nothing_and_the_restore_ends() {
    crash_everywhere(&Restore);
}

#[test]
fn e15_a_crash_at_any_instant_of_deletions_and_a_purge_removes_only_what_is_nobodys() {
    crash_everywhere(&Deletes);
}

#[test]
fn e15_a_crash_at_any_instant_of_a_format_erases_nothing_else_and_the_format_ends() {
    crash_everywhere(&Format);
}

#[test]
fn e15_a_crash_at_any_instant_of_an_import_forgets_nothing_and_the_import_ends() {
    crash_everywhere(&Import);
}

#[test]
fn e15_e06_a_crash_before_any_command_of_a_repack_from_tape_to_tape_loses_nothing_and_the_repack_ends() {
    crash_everywhere(&TapeRepack(Way::TapeToTape));
}

#[test]
fn e15_x10_a_crash_before_any_command_of_a_staged_repack_in_one_drive_loses_nothing_and_the_repack_ends() {
    crash_everywhere(&TapeRepack(Way::OneDrive));
}

#[test]
fn e15_e06_a_crash_before_any_command_of_a_repack_from_disk_to_tape_loses_nothing_and_the_repack_ends() {
    crash_everywhere(&TapeRepack(Way::DiskToTape));
}

#[test]
fn e15_e06_a_crash_before_any_command_of_a_repack_from_tape_to_disk_loses_nothing_and_the_repack_ends() {
    crash_everywhere(&TapeRepack(Way::TapeToDisk));
}

#[test]
fn e15_e06_a_crash_before_any_command_of_a_put_to_tapes_keeps_what_was_acknowledged() {
    crash_everywhere(&TapePuts);
}

/// A step before a commit is told within the transaction, and leaves what the call's beginning left.
#[test]
fn e15_every_step_that_a_drill_can_name_is_an_instant_that_is_crashed() {
    let scenes: [&dyn Scene; 8] = [
        &Puts,
        &Repack,
        &Staged,
        &Quarantined,
        &Restore,
        &Deletes,
        &Format,
        &Import,
    ];
    let noted: BTreeSet<String> = scenes
        .iter()
        .flat_map(|scene| instants(*scene))
        .map(|of| of.before)
        .collect();
    let missed: Vec<&str> = Step::ALL
        .iter()
        .map(|step| step.as_str())
        .filter(|step| !step.ends_with(".before_commit") && !noted.contains(*step))
        .collect();
    assert_eq!(missed, [""; 0]);
}
