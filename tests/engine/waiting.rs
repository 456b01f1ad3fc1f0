//! A job whose only targets are being emptied by another job waits for it (hop 1), and for nothing else.

use crate::rig::{Rig, objects};
use dss::catalogue::Catalogue;
use dss::model::{Job, JobKind, JobState, MediumId, Quarantine};
use respool::api::Problem;
use respool::engine::{self, Controls};
use respool::repack::machine::Stop;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// Objects on a and c, b empty; the first job, which moves a's to b, exists and is not worked on yet.
async fn two_sources(quarantine: Quarantine) -> (Rig, BTreeMap<String, Vec<u8>>, Job) {
    let rig = Rig::new(&["a"]).await;
    let objects = objects(20);
    let (first, second) = objects
        .clone()
        .into_iter()
        .partition(|(name, _)| name < &"d/0010".to_owned());
    rig.put(&first, 1).await;
    rig.change("a", |change| change.locked = Some(true)).await;
    rig.add("c", None).await;
    rig.put(&second, 1).await;
    rig.change("a", |change| change.locked = Some(false)).await;
    rig.add("b", None).await;
    let mut spec = rig.spec("a").await;
    (spec.to, spec.quarantine) = (Some(rig.medium("b").await.id), quarantine);
    let job = engine::submit(&rig.host, JobKind::Repack, spec).await.unwrap();
    (rig, objects, job)
}

async fn submit(rig: &Rig, source: &str, to: MediumId) -> Result<Job, Problem> {
    let mut spec = rig.spec(source).await;
    spec.to = Some(to);
    engine::submit(&rig.host, JobKind::Repack, spec).await
}

/// Runs a job until it says what it waits for.
async fn until_it_waits(rig: &Rig, job: &Job, stop: watch::Receiver<Option<Stop>>) -> tokio::task::JoinHandle<Job> {
    let (host, id) = (rig.host.clone(), job.id);
    let (tally, mut told) = watch::channel(job.tally.clone());
    let running = tokio::spawn(async move { engine::run(&host, id, Controls { stop, tally }).await.unwrap() });
    let waits = told.wait_for(|tally| tally.waiting_for.is_some());
    let waits = tokio::time::timeout(Duration::from_secs(60), waits).await;
    let why = waits.expect("it waits").unwrap().waiting_for.clone().unwrap();
    assert_eq!(why.job.0, 1);
    assert!(why.text.contains("medium a, which job 1 empties"), "{why:?}");
    running
}

async fn end(running: tokio::task::JoinHandle<Job>) -> Job {
    let ended = tokio::time::timeout(Duration::from_secs(60), running).await;
    ended.expect("the job comes to rest").unwrap()
}

#[tokio::test]
async fn e02_a_job_whose_only_target_is_being_emptied_waits_for_that_and_finishes() {
    let (rig, objects, first) = two_sources(Quarantine::None).await;
    let a = rig.medium("a").await.id;
    let second = submit(&rig, "c", a).await.unwrap();
    let (_keep, stop) = watch::channel(None);
    let running = until_it_waits(&rig, &second, stop).await;
    assert_eq!(rig.run(first).await.state, JobState::Done);
    let second = end(running).await;
    assert_eq!(
        (second.state, second.tally.moved),
        (JobState::Done, 10),
        "{:?}",
        second.error
    );
    assert_eq!(second.tally.waiting_for, None);
    assert_eq!(second.tally.targets.keys().collect::<Vec<_>>(), [&a]);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e02_when_the_other_job_comes_to_nothing_the_bytes_missing_are_told() {
    let (rig, objects, first) = two_sources(Quarantine::None).await;
    let second = submit(&rig, "c", rig.medium("a").await.id).await.unwrap();
    let (_keep, stop) = watch::channel(None);
    let running = until_it_waits(&rig, &second, stop).await;
    let (tally, now) = (first.tally.clone(), rig.host.clock.now());
    rig.catalogue
        .advance_job(first.id, &[JobState::Queued], JobState::Cancelled, &tally, None, now)
        .await
        .unwrap();
    let second = end(running).await;
    let error = second.error.as_ref().unwrap();
    assert_eq!(
        (second.state, error.code.as_str(), error.exit),
        (JobState::Failed, "no_target", 3)
    );
    assert!(
        error.message.contains(" are missing: ") && error.message.contains("a (read_only)"),
        "{}",
        error.message
    );
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x13_a_job_that_waits_for_another_stops_at_once() {
    let (rig, objects, _first) = two_sources(Quarantine::None).await;
    let second = submit(&rig, "c", rig.medium("a").await.id).await.unwrap();
    let (ask, stop) = watch::channel(None);
    let running = until_it_waits(&rig, &second, stop).await;
    ask.send_replace(Some(Stop::Pause));
    let second = end(running).await;
    assert_eq!((second.state, second.tally.waiting_for), (JobState::Paused, None));
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn e02_what_another_job_holds_for_days_is_not_waited_for() {
    let (rig, _, _first) = two_sources(Quarantine::Seconds(7 * 86_400)).await;
    let refused = submit(&rig, "c", rig.medium("a").await.id).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.exit), ("no_target", 2));
    assert!(refused.message.contains(" are missing: "), "{}", refused.message);
}

/// Else each of the two would wait for the other for ever, or both would fail.
#[tokio::test]
async fn e01_the_only_target_of_an_active_job_is_not_taken_away_from_it() {
    let (rig, objects, first) = two_sources(Quarantine::None).await;
    let refused = submit(&rig, "b", rig.medium("a").await.id).await.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.exit), ("target_of_job", 2));
    assert_eq!(rig.run(first).await.state, JobState::Done);
    rig.all_are_there(&objects).await;
}
