//! Crashes at every instant of puts, a deletion and a repack: whatever was acknowledged is there, whatever was not is
//! absent or whole, and everything that was begun comes to its end.

use crate::chance::{Chance, mix};
use crate::life::{Life, live, oid};
use crate::universe::{Crash, Instant, Universe};
use dss::model::{AdmState, FsState, JobState, Version};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Fails when bytes of one object are taken for another's.
fn bytes_of(name: &str) -> Vec<u8> {
    let size = match name {
        "empty" => 0,
        "one" => 1,
        "deleted" => 700,
        "pages" => 9_000,
        "split" => 30_000,
        "late" => 4_096,
        other => unreachable!("no object {other}"),
    };
    let first = name.as_bytes()[0];
    (0..size).map(|at| (at * 31 + at / 251) as u8 ^ first).collect()
}

const OBJECTS: [&str; 5] = ["empty", "one", "deleted", "pages", "split"];

fn seed() -> u64 {
    match std::env::var("SIM_SEED") {
        Ok(text) => text.parse().expect("SIM_SEED is a number"),
        Err(_) => 20_260_101,
    }
}

fn objects() -> Vec<(&'static str, Vec<u8>)> {
    OBJECTS.iter().map(|name| (*name, bytes_of(name))).collect()
}

/// Two media, and every instant of five puts in two copies and a deletion.
fn puts() -> (Arc<Universe>, Vec<Instant>) {
    let universe = Universe::new(seed());
    live(&universe, async |life| {
        life.add_medium("a").await;
        life.add_medium("b").await;
        universe.begin_noting();
        life.put(&objects(), 2).await;
        life.delete("deleted").await;
    });
    let mut noted = universe.end_noting();
    noted.push(universe.now("the end of the puts"));
    (universe, noted)
}

/// A third medium, and every instant of a repack of the first one.
fn repack() -> Vec<Instant> {
    let (universe, _) = puts();
    live(&universe, async |life| {
        life.recover().await.unwrap();
        life.add_medium("c").await;
        universe.begin_noting();
        let job = life.submit("a").await;
        let job = life.run(job.id).await.unwrap();
        assert_eq!(job.state, JobState::Done, "{:?}", job.error);
    });
    let mut noted = universe.end_noting();
    noted.push(universe.now("the end of the repack"));
    noted
}

/// Starts again after a crash, lets everything come to its end, cuts the power, and starts again: what is at rest then
/// is durable. Answers the instants of the recovery.
fn survive(instant: &Instant, crash: Crash) -> Vec<Instant> {
    let universe = Universe::after(instant, crash);
    universe.begin_noting();
    live(&universe, async |life| life.recover().await.unwrap());
    let noted = universe.end_noting();
    let rested = universe.now("rest");
    let after = Universe::after(&rested, Crash::Worst);
    live(&after, async |life| {
        life.recover().await.unwrap();
        life.is_sound().await;
        jobs_are_done(life).await;
        all_is_there(life).await;
        // And it goes on: every medium that takes bytes still does.
        life.put(&[("late", bytes_of("late"))], 2).await;
        assert_eq!(life.get("late", None).await.unwrap(), bytes_of("late"));
        life.is_sound().await;
    });
    noted
}

async fn jobs_are_done(life: &Life) {
    for job in life.host.catalogue.jobs(100).await.unwrap() {
        assert_eq!(job.state, JobState::Done, "{:?}", job.error);
        assert!(job.skips.is_empty(), "{:?}", job.skips);
        let source = life.medium("a").await;
        assert_eq!(
            (source.adm_state, source.fs_state, source.generation.0),
            (AdmState::InService, FsState::Empty, 1)
        );
    }
}

async fn all_is_there(life: &Life) {
    let told = life.universe.told();
    for name in OBJECTS {
        let found = match life.get(name, None).await {
            // What is deleted can be had back as long as its window is open.
            Err(problem) if problem.exit == 2 && told.deleting.contains(name) => {
                respool::store::delete::undelete(&life.host, &oid(name))
                    .await
                    .unwrap_or_else(|problem| panic!("{name} cannot be had back: {problem}"));
                life.get(name, Some(Version(1))).await
            }
            Ok(_) if told.deleted.contains(name) => panic!("the deletion of {name} was acknowledged and is lost"),
            found => found,
        };
        match found {
            Ok(found) => assert!(found == bytes_of(name), "{name} came back with other bytes"),
            Err(problem) if problem.exit == 2 => {
                assert!(
                    !told.stored.contains(name),
                    "{name} was acknowledged and is lost: {problem}"
                );
            }
            Err(problem) => panic!("{name}: {problem}"),
        }
    }
}

/// Collects what went wrong, so that one look tells whether a rule or an instant is at fault.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn run(&mut self, what: impl FnOnce() -> String, work: impl FnOnce() -> Vec<Instant>) -> Vec<Instant> {
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(noted) => noted,
            Err(panic) => {
                let words = panic.downcast_ref::<String>().cloned();
                let words = words.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned()));
                self.0.push(format!("{}: {}", what(), words.unwrap_or_default()));
                assert!(self.0.len() < 10, "too much fails:\n{}", self.0.join("\n"));
                Vec::new()
            }
        }
    }

    fn must_be_none(&self) {
        assert!(self.0.is_empty(), "{} failed:\n{}", self.0.len(), self.0.join("\n"));
    }
}

/// Ends the run at every instant, twice in different ways, and one recovery in `again` once more.
fn end_everywhere(name: &str, instants: &[Instant], again: usize) {
    let (seed, begun) = (seed(), std::time::Instant::now());
    let (mut failures, mut twice) = (Failures::default(), 0);
    // Where nothing that outlives the process has changed since the instant before, a crash leaves the same.
    let distinct: Vec<(usize, &Instant)> = instants.iter().enumerate().filter(|(_, of)| of.changed).collect();
    for &(number, instant) in &distinct {
        let chance = mix(seed, number as u64);
        let other = if number % 2 == 0 { Crash::Kill } else { Crash::Worst };
        let crashes = [Crash::Power(chance), other];
        for crash in crashes {
            let place = || {
                format!(
                    "{name}, SIM_SEED={seed}, instant {number} ({}), {crash:?}",
                    instant.before
                )
            };
            let recovery = failures.run(place, || survive(instant, crash));
            let mut chance = Chance::new(chance);
            if recovery.is_empty() || chance.below(again) > 0 {
                continue;
            }
            let second = &recovery[chance.below(recovery.len())];
            let crash = match chance.below(3) {
                0 => Crash::Kill,
                1 => Crash::Worst,
                _ => Crash::Power(chance.next()),
            };
            twice += 1;
            failures.run(
                || format!("{}, then in recovery ({}), {crash:?}", place(), second.before),
                || survive(second, crash),
            );
        }
    }
    println!(
        "{name}: SIM_SEED={seed}, {} instants, {} of them after a change, 2 crashes at each, {twice} recoveries crashed again, {:.1?}",
        instants.len(),
        distinct.len(),
        begun.elapsed()
    );
    failures.must_be_none();
}

#[test]
fn e15_a_crash_at_any_instant_of_a_put_keeps_what_was_acknowledged() {
    end_everywhere("puts", &puts().1, 3);
}

#[test]
fn e15_a_crash_at_any_instant_of_a_repack_loses_nothing_and_the_repack_ends() {
    end_everywhere("repack", &repack(), 4);
}

/// A process was killed between the new label's rename and its folder's sync. The next life saw the new label and had
/// the catalogue expect it; a power cut then brought the old one back, and the medium was another one for ever.
#[test]
fn a_label_that_a_killed_process_left_in_memory_is_made_durable_before_it_counts() {
    let instants = repack();
    let renamed: Vec<&Instant> = instants
        .iter()
        .filter(|instant| instant.before == "a: sync_dir .respool")
        .collect();
    assert!(!renamed.is_empty(), "the source gets a new label");
    for instant in renamed {
        survive(instant, Crash::Kill);
    }
}

/// A sweep was killed before it was durable: before the sync of the folder, or after the seal's write and before its
/// sync. The next one found nothing left to do and forgot the rows; a power cut then brought the files back, or their
/// lines in the index.
#[test]
fn a_removal_that_a_killed_process_left_in_memory_is_made_durable_before_the_rows_go() {
    let (_, instants) = puts();
    let synced = instants.iter().rfind(|instant| instant.before == "put.after_sync");
    let recovery = survive(synced.expect("puts sync"), Crash::Kill);
    for call in ["sync_dir objects", "sync_file "] {
        let removed: Vec<&Instant> = recovery
            .iter()
            .filter(|instant| instant.before.ends_with(call))
            .collect();
        assert!(!removed.is_empty(), "what was not acknowledged is swept");
        for instant in removed {
            survive(instant, Crash::Kill);
        }
    }
}
