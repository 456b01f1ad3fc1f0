//! How jobs and sweeps end when something is in their way: handed over, kept, or passed by.

use crate::rig::{Rig, objects};
use dss::catalogue::Catalogue;
use dss::model::{AdmState, ExtentState, Health, Job, JobKind, JobState, Quarantine, Step};
use lrs::core::{Priority, Request};
use respool::engine;
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::watch;

/// Objects on medium a, with b empty and in service.
async fn stored(objects: BTreeMap<String, Vec<u8>>) -> (Rig, BTreeMap<String, Vec<u8>>) {
    let rig = Rig::new(&["a"]).await;
    rig.put(&objects, 1).await;
    rig.add("b", None).await;
    (rig, objects)
}

#[tokio::test]
async fn x12_a_job_that_waits_for_its_erase_while_respoold_stops_is_handed_over() {
    let (rig, objects) = stored(objects(6)).await;
    let job = engine::submit(&rig.host, JobKind::Repack, rig.spec("a").await)
        .await
        .unwrap();
    let id = job.id;
    let (tell, mut told) = watch::channel(false);
    rig.at_steps(move |step| {
        if step == Step::ReadBackMiddle {
            tell.send_replace(true);
        }
    });
    let source = rig.medium("a").await.id;
    let stops = async {
        told.wait_for(|at| *at).await.unwrap();
        let request = Request {
            purpose: "a long get".into(),
            priority: Priority::Get,
            reads: vec![source],
            writes: vec![],
            exclusive: vec![],
        };
        let held = rig.host.lrs.allocate(request).await.unwrap();
        let erase_waits = async || {
            let reclaims = rig.catalogue.job(id).await.unwrap().state == JobState::Reclaiming;
            let waiting = rig.host.lrs.waiting().await;
            reclaims && waiting.iter().any(|one| one.purpose.contains(&format!("job {id}")))
        };
        while !erase_waits().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::join!(rig.host.lrs.stop(), held.release());
    };
    let (job, ()) = tokio::join!(rig.run(job), stops);
    assert_eq!(
        (job.state, &job.error),
        (JobState::Reclaiming, &None),
        "the next life goes on"
    );
    let rig = rig.restarted("").await;
    assert_eq!(engine::unfinished(&rig.host).await.unwrap(), [job.id]);
    assert_eq!(rig.run(job).await.state, JobState::Done);
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn i11_orphans_that_cannot_be_removed_do_not_keep_the_others() {
    const STUCK: usize = 1_000;
    const MORE: usize = 5;
    let many = (0..STUCK + MORE).map(|number| (format!("d/{number:04}"), vec![number as u8]));
    let (rig, objects) = stored(many.collect()).await;
    let mut spec = rig.spec("a").await;
    spec.only = rig
        .extents(Some("a"), None)
        .await
        .iter()
        .map(|extent| extent.id)
        .collect();
    let job = engine::submit(&rig.host, JobKind::Migrate, spec).await.unwrap();
    assert_eq!(rig.run(job).await.state, JobState::Done);
    let mut orphans = rig.extents(Some("a"), Some(ExtentState::Orphan)).await;
    orphans.sort_by_key(|extent| extent.id);
    assert_eq!(orphans.len(), STUCK + MORE);
    for orphan in &orphans[..STUCK] {
        // Another file of that name: not the one that the catalogue names.
        let path = rig.path("a").join(&orphan.address.0);
        std::fs::copy(&path, rig.path("other")).unwrap();
        std::fs::rename(rig.path("other"), &path).unwrap();
    }
    let swept = engine::sweep(&rig.host).await.unwrap();
    assert_eq!((swept.removed, swept.refused.len()), (MORE as u64, STUCK));
    assert_eq!(rig.extents(Some("a"), None).await.len(), STUCK);
    rig.all_are_there(&objects).await;
}

/// A job whose source is quarantined, and whose target failed after all was read back.
async fn emptied_onto_a_suspect(quarantine: Quarantine) -> (Rig, BTreeMap<String, Vec<u8>>, Job) {
    let (rig, objects) = stored(objects(6)).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = quarantine;
    let job = rig.repack(spec).await;
    assert_eq!(job.state, JobState::Quarantined, "{:?}", job.error);
    let (target, now) = (rig.medium("b").await.id, rig.host.clock.now());
    rig.catalogue.suspect(target, "a get met rot", now).await.unwrap();
    rig.host.lrs.medium_changed(target).await.unwrap();
    (rig, objects, job)
}

#[tokio::test]
async fn x26_a_target_that_fails_after_its_read_back_keeps_the_source_from_being_erased() {
    let (rig, objects, job) = emptied_onto_a_suspect(Quarantine::Seconds(600)).await;
    rig.clock.jump(3_000);
    assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), [job.id]);
    let job = rig.run(job).await;
    let error = job.error.clone().unwrap();
    assert_eq!(
        (job.state, error.code.as_str(), error.exit),
        (JobState::Failed, "target_in_doubt", 3)
    );
    assert!(error.message.contains("suspect"), "{error:?}");
    assert_eq!(rig.medium("a").await.adm_state, AdmState::Quarantined, "kept");
    assert_eq!(
        engine::sweep(&rig.host).await.unwrap().removed,
        0,
        "not one by one either"
    );
    let refused = engine::erase(&rig.host, rig.medium("a").await.id, None)
        .await
        .unwrap_err();
    assert_eq!(refused.code, "target_in_doubt", "nor by hand");
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    assert_eq!((restored.returned, restored.failed.len()), (6, 0));
    assert_eq!(rig.extents(Some("a"), Some(ExtentState::Sync)).await.len(), 6);
    rig.all_are_there(&objects).await;
}

/// The grant that a reclaim waits for may be long in coming, and its target fail meanwhile.
#[tokio::test]
async fn x26_a_target_that_fails_while_the_reclaim_waits_keeps_the_source_from_being_erased() {
    let (rig, objects) = stored(objects(6)).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(600);
    let job = rig.repack(spec).await;
    rig.clock.jump(3_000);
    assert_eq!(engine::reclaim_due(&rig.host).await.unwrap(), [job.id]);
    let reader = Request {
        purpose: "a long get".to_owned(),
        priority: Priority::Get,
        reads: vec![rig.medium("a").await.id],
        writes: vec![],
        exclusive: vec![],
    };
    let holding = rig.host.lrs.allocate(reader).await.unwrap();
    let (target, now) = (rig.medium("b").await.id, rig.host.clock.now());
    let meanwhile = async {
        while rig.host.lrs.waiting().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        rig.catalogue.suspect(target, "a get met rot", now).await.unwrap();
        holding.release().await;
    };
    let (job, ()) = tokio::join!(rig.run(job), meanwhile);
    let error = job.error.clone().unwrap();
    assert_eq!((job.state, error.code.as_str()), (JobState::Failed, "target_in_doubt"));
    assert_eq!(rig.medium("a").await.generation.0, 0);
    rig.all_are_there(&objects).await;
}

/// What was moved twice is looked for where it is now.
#[tokio::test]
async fn x26_a_second_target_that_is_lost_keeps_the_first_source_from_being_erased() {
    for how in [Health::Suspect, Health::Failed] {
        let (rig, objects) = stored(objects(6)).await;
        let mut spec = rig.spec("a").await;
        spec.quarantine = Quarantine::Seconds(600);
        let first = rig.repack(spec).await;
        rig.add("c", None).await;
        let second = rig.repack(rig.spec("b").await).await;
        assert_eq!(second.state, JobState::Done, "{:?}", second.error);
        let now = rig.host.clock.now();
        rig.catalogue
            .suspect(rig.medium("c").await.id, "a get met rot", now)
            .await
            .unwrap();
        rig.change("c", |change| change.health = Some(how)).await;
        rig.clock.jump(3_000);
        engine::reclaim_due(&rig.host).await.unwrap();
        let first = rig.run(first).await;
        assert_eq!(first.error.as_ref().unwrap().code, "target_in_doubt");
        assert_eq!(rig.medium("a").await.adm_state, AdmState::Quarantined, "kept");
        rig.all_are_there(&objects).await;
    }
}

/// A medium that is declared dead was read back once; that does not bring its bytes back.
#[tokio::test]
async fn x26_a_target_that_is_declared_dead_keeps_the_source_from_being_erased() {
    let (rig, objects) = stored(objects(6)).await;
    let mut spec = rig.spec("a").await;
    spec.quarantine = Quarantine::Seconds(600);
    let job = rig.repack(spec).await;
    rig.change("b", |change| change.adm_state = Some(AdmState::Dead)).await;
    rig.clock.jump(3_000);
    engine::reclaim_due(&rig.host).await.unwrap();
    let job = rig.run(job).await;
    assert_eq!(job.error.as_ref().unwrap().code, "target_in_doubt");
    assert_eq!(rig.medium("a").await.adm_state, AdmState::Quarantined, "kept");
    let restored = engine::restore(&rig.host, job.id).await.unwrap();
    assert_eq!((restored.returned, restored.failed.len()), (6, 0));
    rig.all_are_there(&objects).await;
}

#[tokio::test]
async fn x26_a_target_that_is_trusted_again_lets_the_source_go() {
    let (rig, objects, job) = emptied_onto_a_suspect(Quarantine::Seconds(600)).await;
    rig.clock.jump(3_000);
    engine::reclaim_due(&rig.host).await.unwrap();
    assert_eq!(rig.run(job).await.state, JobState::Failed);
    rig.change("b", |change| change.health = Some(Health::Ok)).await;
    let source = rig.medium("a").await.id;
    assert_eq!(
        engine::erase(&rig.host, source, None).await.unwrap(),
        engine::Erased::Done
    );
    assert!(rig.extents(Some("a"), None).await.is_empty());
    rig.all_are_there(&objects).await;
}
