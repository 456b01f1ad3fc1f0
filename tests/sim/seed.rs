//! One seed is one run: every call on a disk and on the catalogue, with its answer, every step and the time of each.

use crate::life::{Life, live};
use crate::universe::{Crash, Universe};
use dss::model::{JobState, Quarantine};
use std::sync::Arc;

/// Puts, a deletion, a repack with gets beside it, a power cut, and what comes after it.
fn run(seed: u64) -> Vec<String> {
    let universe = Universe::new(seed);
    universe.begin_trace();
    live(&universe, async |life| {
        for name in ["a", "b", "c"] {
            life.add_medium(name).await;
        }
        let objects = ["one", "two", "three"].map(|name| (name, name.repeat(10_000).into_bytes()));
        life.put(&objects, 2).await;
        life.delete("two").await;
        let job = life.submit("a", Quarantine::None).await;
        let (job, ()) = tokio::join!(life.run(job.id), read(life));
        assert_eq!(job.unwrap().state, JobState::Done);
    });
    let mut trace = universe.end_trace();
    let after = Universe::after(&universe.now("the end"), Crash::Power(seed));
    after.begin_trace();
    live(&after, async |life| {
        life.recover().await.unwrap();
        read(life).await;
    });
    trace.append(&mut after.end_trace());
    trace
}

async fn read(life: &Life) {
    for _ in 0..5 {
        for name in ["one", "three"] {
            assert_eq!(life.get(name, None).await.unwrap(), name.repeat(10_000).into_bytes());
        }
    }
}

fn must_be_equal(seed: u64, first: &[String], second: &[String]) {
    let differs = first.iter().zip(second).position(|(first, second)| first != second);
    let at = differs.unwrap_or(first.len().min(second.len()));
    assert!(
        first == second,
        "SIM_SEED={seed} gave two runs, of {} and {} lines; they part at line {at}:\n{:?}\n{:?}",
        first.len(),
        second.len(),
        first.get(at),
        second.get(at),
    );
}

#[test]
fn e15_one_seed_is_one_run_to_the_last_call() {
    for seed in [1, 2, 3] {
        let first = run(seed);
        assert!(first.len() > 1_000, "{} lines are no run", first.len());
        must_be_equal(seed, &first, &run(seed));
        // Not by the thread it runs on, nor by what else the process does.
        let elsewhere = std::thread::spawn(move || run(seed));
        must_be_equal(seed, &first, &elsewhere.join().expect("it ran here"));
    }
}

#[test]
fn e15_another_seed_has_other_things_happen_in_another_order() {
    let order = |seed| -> Vec<String> {
        let lines = run(seed).into_iter();
        // Without times and answers, which have ids: only what happened.
        lines
            .filter(|line| !line.contains(" answers "))
            .map(|line| line[10..].to_owned())
            .collect()
    };
    assert_ne!(order(1), order(2));
}

#[test]
fn e15_many_runs_at_once_do_not_touch_each_other() {
    let alone = Arc::new(run(7));
    let others: Vec<_> = (0..4)
        .map(|number| {
            let alone = Arc::clone(&alone);
            std::thread::spawn(move || match number {
                0 | 1 => must_be_equal(7, &alone, &run(7)),
                other => drop(run(other)),
            })
        })
        .collect();
    others.into_iter().for_each(|other| other.join().expect("it ran alone"));
}
