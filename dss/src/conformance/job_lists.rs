//! Jobs: how they are found among others.

use super::World;
use super::support::{at, oid};
use crate::model::{JobState, MediumId, Skip};

/// Jobs are listed newest first.
pub async fn jobs_are_listed_newest_first(w: &World) {
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        let disk = w.medium(name).await;
        ids.insert(0, w.repack(&[disk]).await);
    }
    let listed = async |limit| {
        w.catalogue
            .jobs(limit)
            .await
            .unwrap()
            .iter()
            .map(|job| job.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(9).await, ids);
    assert_eq!(listed(2).await, ids[..2]);
}

/// The jobs that hold their sources are found among all that ended.
pub async fn only_active_jobs_are_listed_as_active(w: &World) {
    let mut expected = vec![];
    for (number, state) in JobState::ALL.iter().enumerate() {
        let disk = w.medium(&format!("disk-{number}")).await;
        let job = w.repack(&[disk]).await;
        if *state != JobState::Queued {
            w.advance(job, *state).await;
        }
        if state.is_active() {
            expected.insert(0, job);
        }
    }
    let found = w.catalogue.active_jobs().await.unwrap();
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), expected);
    assert!(found.iter().all(|job| job.state.is_active()));
    let all = w.catalogue.jobs(99).await.unwrap();
    assert_eq!(
        found,
        all.into_iter().filter(|job| job.state.is_active()).collect::<Vec<_>>()
    );
}

/// What was done with a medium is found among what was done with others: as told with the job, newest first, each once.
pub async fn jobs_are_found_by_their_sources_and_states(w: &World) {
    let (one, two, other) = (w.medium("one").await, w.medium("two").await, w.medium("other").await);
    let extent = w.put_one("a", one, "x").await;
    let mut made = vec![];
    for (sources, state) in [
        (vec![one, two], JobState::Failed),
        (vec![other], JobState::Failed),
        (vec![one], JobState::Done),
        (vec![two], JobState::Cancelled),
        (vec![one], JobState::Failed),
    ] {
        let job = w.repack(&sources).await;
        w.advance(job, state).await;
        made.push(job);
    }
    let skip = Skip {
        extent: extent.id,
        oid: oid("a"),
        medium: one,
        reason: "eio".to_owned(),
        integrity: false,
    };
    w.catalogue.add_skips(made[0], &[skip], at(5)).await.unwrap();
    let running = w.repack(&[one]).await;
    let found = async |media: &[MediumId], states: &[JobState]| {
        let jobs = w.catalogue.jobs_of_sources(media, states).await.unwrap();
        for job in &jobs {
            assert_eq!(*job, w.catalogue.job(job.id).await.unwrap());
        }
        jobs.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let failed = [JobState::Failed];
    assert_eq!(found(&[one], &failed).await, [made[4], made[0]]);
    assert_eq!(found(&[one, two], &failed).await, [made[4], made[0]], "each once");
    assert_eq!(
        found(&[two], &[JobState::Failed, JobState::Cancelled]).await,
        [made[3], made[0]]
    );
    assert_eq!(found(&[one], &[JobState::Running]).await, [running]);
    assert_eq!(found(&[], &failed).await, []);
    assert_eq!(found(&[one], &[]).await, []);
}
