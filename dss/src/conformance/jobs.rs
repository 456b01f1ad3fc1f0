//! Jobs.

use super::World;
use super::support::{all, at, is_conflict, is_not_found, oid, spec};
use crate::catalogue::{MediumChange, Page, SwapTerms};
use crate::model::{
    AdmState, Extent, ExtentId, Hold, JobControl, JobError, JobId, JobKind, JobState, Owner, Skip, Substitution, Tally,
};

fn error(code: &str) -> JobError {
    JobError {
        code: code.to_owned(),
        blame: "medium".to_owned(),
        subject: "disk".to_owned(),
        message: "it broke".to_owned(),
        next: "try again".to_owned(),
        exit: 3,
    }
}

/// Hop 1: the job is queued, as asked for, and its sources take nothing new.
pub async fn a_job_makes_its_sources_read_only(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let job = w
        .catalogue
        .create_job(JobKind::Repack, spec(&[b, a]), at(1))
        .await
        .unwrap();
    assert_eq!(
        (job.state, job.control, job.kind),
        (JobState::Queued, JobControl::Run, JobKind::Repack)
    );
    assert_eq!(
        (&job.spec, job.created_at, job.finished_at),
        (&spec(&[b, a]), at(1), None)
    );
    assert_eq!(w.row(a).await.adm_state, AdmState::ReadOnly);
    assert_eq!(w.catalogue.job(job.id).await.unwrap(), job);
    assert!(is_not_found(&w.catalogue.job(JobId(job.id.0 + 1)).await));
    w.advance(job.id, JobState::Cancelled).await;
    assert_eq!(w.row(a).await.adm_state, AdmState::ReadOnly, "it stays so");
}

/// Hop 1: what an operator said of a medium stands; only *in_service* becomes *read_only*.
pub async fn a_medium_being_emptied_for_a_reason_keeps_it(w: &World) {
    for (name, adm_state) in [
        ("a", AdmState::Draining),
        ("b", AdmState::AbandonShip),
        ("c", AdmState::Retired),
    ] {
        let disk = w.medium(name).await;
        let change = MediumChange {
            adm_state: Some(adm_state),
            ..MediumChange::default()
        };
        w.catalogue.change_medium(disk, change, at(1)).await.unwrap();
        w.repack(&[disk]).await;
        assert_eq!(w.row(disk).await.adm_state, adm_state);
    }
}

/// E-11: a migration takes single extents off a medium that stays in use, and what it moved away from may go when it is
/// done: nobody will erase the medium for it.
pub async fn a_migration_leaves_its_medium_in_use_and_lets_go(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let old = w.put_one("a", source, "x").await;
    let job = w
        .catalogue
        .create_job(JobKind::Migrate, spec(&[source]), at(1))
        .await
        .unwrap()
        .id;
    assert_eq!(w.row(source).await.adm_state, AdmState::InService);
    let entry = w.copy(job, &old, target, "x").await;
    let terms = SwapTerms {
        job,
        hold: Hold::Forever,
        now: at(5),
    };
    w.catalogue.swap_batch(terms, &[entry]).await.unwrap();
    assert!(w.catalogue.removable(source, all(), at(6)).await.unwrap().is_empty());
    w.advance(job, JobState::Done).await;
    let removable = w.catalogue.removable(source, all(), at(7)).await.unwrap();
    assert_eq!(removable.iter().map(|extent| extent.id).collect::<Vec<_>>(), [old.id]);
}

/// A wish to stop that came too late is refused, and one that was not heeded in time does not stop the reclaim.
pub async fn a_wish_is_forgotten_where_it_means_nothing(w: &World) {
    let disk = w.medium("disk").await;
    let job = w.repack(&[disk]).await;
    w.advance(job, JobState::Verifying).await;
    w.catalogue.control_job(job, JobControl::Pause, at(2)).await.unwrap();
    w.advance(job, JobState::Quarantined).await;
    assert_eq!(w.catalogue.job(job).await.unwrap().control, JobControl::Run);
    for state in [JobState::Quarantined, JobState::Reclaiming, JobState::Done] {
        w.advance(job, state).await;
        for control in [JobControl::Pause, JobControl::Cancel] {
            let late = w.catalogue.control_job(job, control, at(3)).await;
            assert!(is_conflict(&late), "{control} of a job {state}: {late:?}");
        }
    }
}

/// A medium is a source of one active job; a refusal leaves the other sources as they were.
pub async fn a_medium_has_one_active_job(w: &World) {
    let (a, b) = (w.medium("a").await, w.medium("b").await);
    let first = w.repack(&[a]).await;
    assert!(is_conflict(
        &w.catalogue.create_job(JobKind::Migrate, spec(&[b, a]), at(1)).await
    ));
    assert_eq!(w.row(b).await.adm_state, AdmState::InService);
    assert_eq!(w.catalogue.jobs(9).await.unwrap().len(), 1);
    w.advance(first, JobState::Paused).await;
    assert!(
        is_conflict(&w.catalogue.create_job(JobKind::Repack, spec(&[a]), at(1)).await),
        "paused is active"
    );
    w.advance(first, JobState::Failed).await;
    w.catalogue
        .create_job(JobKind::Repack, spec(&[b, a]), at(1))
        .await
        .unwrap();
}

/// A job that is to become active again needs its sources back.
pub async fn going_back_claims_the_sources_again(w: &World) {
    let disk = w.medium("disk").await;
    let first = w.repack(&[disk]).await;
    w.advance(first, JobState::Failed).await;
    let second = w.repack(&[disk]).await;
    let tally = Tally::default();
    let failed = [JobState::Failed];
    let again = w
        .catalogue
        .advance_job(first, &failed, JobState::Queued, &tally, None, at(9))
        .await;
    assert!(again.is_err());
    w.advance(second, JobState::Cancelled).await;
    w.advance(first, JobState::Queued).await;
    assert!(is_conflict(
        &w.catalogue.create_job(JobKind::Repack, spec(&[disk]), at(9)).await
    ));
}

/// A medium that is erasing, quarantined or dead is no source.
pub async fn a_fenced_medium_is_no_source(w: &World) {
    let (erasing, dead) = (w.medium("erasing").await, w.medium("dead").await);
    w.catalogue
        .fence_medium(erasing, None, false, w.epoch(erasing), at(1))
        .await
        .unwrap();
    let change = MediumChange {
        adm_state: Some(AdmState::Dead),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(dead, change, at(1)).await.unwrap();
    for medium in [erasing, dead] {
        assert!(is_conflict(
            &w.catalogue.create_job(JobKind::Repack, spec(&[medium]), at(2)).await
        ));
    }
}

/// Compare and set: a job moves only from a state that was expected.
pub async fn a_job_advances_by_compare_and_set(w: &World) {
    let disk = w.medium("disk").await;
    let job = w
        .catalogue
        .create_job(JobKind::Repack, spec(&[disk]), at(1))
        .await
        .unwrap()
        .id;
    let tally = Tally {
        moved: 7,
        seconds: 1.5,
        ..Tally::default()
    };
    let wrong = w
        .catalogue
        .advance_job(job, &[JobState::Paused], JobState::Running, &tally, None, at(2))
        .await;
    assert!(is_conflict(&wrong));
    assert_eq!(w.catalogue.job(job).await.unwrap().tally, Tally::default());
    let expected = [JobState::Paused, JobState::Queued];
    let right = w
        .catalogue
        .advance_job(job, &expected, JobState::Running, &tally, None, at(2))
        .await
        .unwrap();
    assert_eq!(
        (right.state, &right.tally, right.finished_at),
        (JobState::Running, &tally, None)
    );
    let done = w
        .catalogue
        .advance_job(job, &[JobState::Running], JobState::Done, &tally, None, at(3))
        .await
        .unwrap();
    assert_eq!(done.finished_at, Some(at(3)));
}

/// I9, X-04: the first error stands.
pub async fn the_first_error_stands(w: &World) {
    let disk = w.medium("disk").await;
    let job = w.repack(&[disk]).await;
    let tally = Tally::default();
    for (code, to) in [("first", JobState::Paused), ("second", JobState::Failed)] {
        let advanced = w
            .catalogue
            .advance_job(job, JobState::ALL, to, &tally, Some(&error(code)), at(4))
            .await
            .unwrap();
        assert_eq!(advanced.error, Some(error("first")));
    }
    w.advance(job, JobState::Failed).await;
    assert_eq!(w.catalogue.job(job).await.unwrap().error, Some(error("first")));
}

/// An operator's wish is kept beside the state.
pub async fn control_is_kept_beside_the_state(w: &World) {
    let disk = w.medium("disk").await;
    let job = w.repack(&[disk]).await;
    let asked = w.catalogue.control_job(job, JobControl::Pause, at(4)).await.unwrap();
    assert_eq!((asked.control, asked.state), (JobControl::Pause, JobState::Running));
    assert!(is_not_found(
        &w.catalogue.control_job(JobId(999), JobControl::Run, at(4)).await
    ));
}

/// The same extent skipped again has one reason, the last.
pub async fn a_skip_is_listed_once(w: &World) {
    let disk = w.medium("disk").await;
    let job = w.repack(&[disk]).await;
    let skip = |extent, reason: &str| Skip {
        extent,
        oid: oid("a"),
        medium: disk,
        reason: reason.to_owned(),
        integrity: reason == "flipped",
    };
    let (one, two) = (ExtentId::fresh(), ExtentId::fresh());
    w.catalogue
        .add_skips(job, &[skip(one, "eio"), skip(two, "eio")], at(4))
        .await
        .unwrap();
    w.catalogue
        .add_skips(job, &[skip(one, "flipped")], at(5))
        .await
        .unwrap();
    let mut skips = w.catalogue.job(job).await.unwrap().skips;
    skips.sort_by_key(|skip| skip.extent);
    let mut expected = [skip(one, "flipped"), skip(two, "eio")];
    expected.sort_by_key(|skip| skip.extent);
    assert_eq!(skips, expected);
    w.catalogue.clear_skips(job).await.unwrap();
    assert!(w.catalogue.job(job).await.unwrap().skips.is_empty());
}

/// E-12: a move from another copy is told with the job, and as an event, from its swap on and for ever; one whose copy
/// came to nothing is not.
pub async fn e12_a_substitution_is_told_when_it_is_swapped(w: &World) {
    let (source, other, target) = (
        w.medium("source").await,
        w.medium("other").await,
        w.medium("target").await,
    );
    let (one, two) = (w.put_one("a", source, "x").await, w.put_one("b", source, "y").await);
    let job = w.repack(&[source]).await;
    let note = |old: &Extent, new| Substitution {
        extent: old.id,
        new,
        oid: old.origin.oid.clone(),
        medium: source,
        read_from: other,
        reason: "eio".to_owned(),
        wrong_bytes: false,
    };
    let (first, second) = (
        w.copy(job, &one, target, "x").await,
        w.copy(job, &two, target, "y").await,
    );
    let noted = [note(&one, first.new.extent().id), note(&two, second.new.extent().id)];
    let strange = w
        .catalogue
        .note_substitutions(job, &[note(&one, ExtentId::fresh())])
        .await;
    assert!(is_conflict(&strange), "{strange:?}");
    for _ in 0..2 {
        w.catalogue.note_substitutions(job, &noted).await.unwrap();
    }
    assert_eq!(w.catalogue.job(job).await.unwrap().substitutions, []);
    let given_up = [second.new.extent().id];
    w.catalogue
        .abandon(Owner::Move(job), Some(&given_up), at(4))
        .await
        .unwrap();
    w.swap(job, &[first]).await.unwrap();
    assert_eq!(w.catalogue.job(job).await.unwrap().substitutions, noted[..1]);
    let page = Page {
        after: None,
        limit: 999,
    };
    let events = w.catalogue.events(page).await.unwrap();
    let told: Vec<_> = events
        .iter()
        .filter(|event| event.kind == "extent.substituted")
        .collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].subject, one.id.to_string());
    w.advance(job, JobState::Done).await;
    assert_eq!(w.catalogue.jobs(9).await.unwrap()[0].substitutions, noted[..1]);
}

/// Hop 1: a request cut short left no job and no source changed.
pub async fn a_request_cut_short_did_not_happen(w: &World) {
    let disk = w.medium("disk").await;
    w.trap.set(crate::model::Step::RequestBeforeCommit);
    super::swap::cut_short(w.catalogue.create_job(JobKind::Repack, spec(&[disk]), at(1))).await;
    assert!(w.catalogue.jobs(9).await.unwrap().is_empty());
    assert_eq!(w.row(disk).await.adm_state, AdmState::InService);
    w.repack(&[disk]).await;
}
