//! The end of a source: quarantine, fence, and back to service.

use super::World;
use super::import::found_again;
use super::support::{Put, all, at, is_conflict, is_fenced, is_not_found, oid, spec};
use crate::catalogue::{Adopt, Fence, MediumChange, SwapTerms};
use crate::model::object::Place;
use crate::model::{
    Address, AdmState, ExtentId, ExtentState, FsState, Generation, Health, Hold, JobId, JobState, MediumId, Presence,
    SessionId, Step, Version,
};

/// A source with one object that was moved off it.
async fn emptied(w: &World, hold: Hold) -> (MediumId, MediumId, JobId) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let put = Put {
        grouping: Some("films"),
        ..w.simple("a", source, "aaa")
    };
    let old = w.put(put).await.entries[0].extent.clone();
    let job = w.repack(&[source]).await;
    let entry = w.copy(job, &old, target, "aaa").await;
    let terms = SwapTerms {
        job,
        hold: Hold::Forever,
        now: at(5),
    };
    w.catalogue.swap_batch(terms, &[entry]).await.unwrap();
    w.catalogue.quarantine(job, source, hold, at(6)).await.unwrap();
    w.advance(job, JobState::Quarantined).await;
    (source, target, job)
}

/// E-08: a quarantined source is held until its time, with everything on it.
pub async fn a_quarantine_holds_the_source(w: &World) {
    let (source, _, job) = emptied(w, Hold::Until(at(100))).await;
    let row = w.row(source).await;
    assert_eq!(
        (row.adm_state, row.quarantined_until),
        (AdmState::Quarantined, Some(at(100)))
    );
    assert_eq!(row.emptied_by, Some(job));
    let orphans = w.on(source, ExtentState::Orphan).await;
    assert!(orphans.iter().all(|orphan| orphan.hold == Hold::Until(at(100))));
    assert!(
        w.catalogue
            .removable(source, all(), at(1_000))
            .await
            .unwrap()
            .is_empty(),
        "none one by one"
    );
    w.catalogue
        .quarantine(job, source, Hold::Until(at(100)), at(7))
        .await
        .unwrap();
}

/// what replaced a medium's extents lies on a medium that is lost or in doubt, however often it moved since: the
/// medium is neither erased nor swept.
pub async fn the_last_good_bytes_are_not_given_up(w: &World) {
    let (source, second, job) = emptied(w, Hold::None).await;
    let third = w.medium("third").await;
    let (old, moved) = (w.on(source, ExtentState::Orphan).await, w.first("a").await);
    let again = w.repack(&[second]).await;
    let now_at = w.relocate(again, &moved, third, "aaa").await;
    w.advance(again, JobState::Cancelled).await;
    let fence = |at_second: i64| {
        let epoch = w.epoch(source);
        async move {
            w.catalogue
                .fence_medium(source, Some(job), false, epoch, at(at_second))
                .await
                .unwrap()
        }
    };
    let change = |change: MediumChange| async { w.catalogue.change_medium(third, change, at(20)).await.unwrap() };
    let well = MediumChange {
        health: Some(Health::Ok),
        presence: Some(Presence::Attached),
        ..MediumChange::default()
    };
    let lost = [
        MediumChange {
            presence: Some(Presence::Missing),
            ..MediumChange::default()
        },
        MediumChange {
            health: Some(Health::Failed),
            ..MediumChange::default()
        },
    ];
    for lost in lost {
        change(lost).await;
        assert_eq!(w.catalogue.doubtful(source).await.unwrap()[0].id, now_at.id);
        assert_eq!(fence(21).await, Fence::LastGood(1));
        assert_eq!(
            w.row(source).await.adm_state,
            AdmState::Quarantined,
            "it stays as it was"
        );
        change(well.clone()).await;
        assert!(w.catalogue.doubtful(source).await.unwrap().is_empty());
    }
    for health in [Health::Suspect, Health::Failing] {
        let read = [w.read_back(&now_at)];
        let noted = w
            .catalogue
            .mark_read_back(again, &w.row(third).await, &read, at(21))
            .await;
        assert!(noted.unwrap());
        change(MediumChange {
            health: Some(health),
            ..MediumChange::default()
        })
        .await;
        assert_eq!(
            fence(22).await,
            Fence::LastGood(1),
            "an operator said {health} after it"
        );
        change(well.clone()).await;
    }
    w.catalogue.suspect(third, "a get met rot", at(22)).await.unwrap();
    assert_eq!(
        fence(23).await,
        Fence::LastGood(1),
        "nothing was read back from it since"
    );
    // Those that lie on no source of a job are not swept either.
    let swept = w.catalogue.removable(second, all(), at(999)).await.unwrap();
    assert!(swept.is_empty(), "{swept:?}");
    change(well).await;
    change(MediumChange {
        adm_state: Some(AdmState::Dead),
        ..MediumChange::default()
    })
    .await;
    assert_eq!(fence(24).await, Fence::LastGood(1), "whatever was read back from it");
    // Nothing needs the bytes any more.
    w.catalogue.delete_object(&oid("a"), at(25)).await.unwrap();
    w.advance(job, JobState::Failed).await;
    w.catalogue.purge(at(26), 10, at(27)).await.unwrap();
    assert!(w.catalogue.doubtful(source).await.unwrap().is_empty() || old.is_empty());
}

/// E-16: bytes that an import found on another medium, and nobody has read, may be all that is left of a live extent.
/// What `check` calls saved is not erased.
pub async fn bytes_found_by_an_import_are_not_given_up(w: &World) {
    let (lost, found_on) = (w.medium("lost").await, w.medium("found-on").await);
    let live = w.put_one("a", lost, "aaa").await;
    let mut found = found_again(w, &live).await;
    (found.extent, found.read) = (ExtentId::fresh(), None);
    found.address = Address("objects/a@found".to_owned());
    w.catalogue
        .import(found_on, vec![found], Adopt::No, at(20))
        .await
        .unwrap();
    let dead = MediumChange {
        adm_state: Some(AdmState::Dead),
        ..MediumChange::default()
    };
    w.catalogue.change_medium(lost, dead, at(21)).await.unwrap();
    let told = w.catalogue.findings(at(22)).await.unwrap();
    assert!(
        told.iter()
            .any(|finding| finding.detail.contains("medium found-on still has its bytes")),
        "{told:?}"
    );
    assert_eq!(w.catalogue.doubtful(found_on).await.unwrap()[0].id, live.id);
    let detail = w.catalogue.object(&oid("a"), None).await.unwrap();
    let place = Place {
        copy: detail.entries[0].copy,
        index: detail.entries[0].index,
    };
    let fallbacks = w.catalogue.fallbacks(detail.object.id, place).await.unwrap();
    assert_eq!(fallbacks.len(), 1, "a get is given what is kept for it: {fallbacks:?}");
    assert_eq!(fallbacks[0].medium, found_on);
    let fence = w
        .catalogue
        .fence_medium(found_on, None, false, w.epoch(found_on), at(23))
        .await;
    assert_eq!(fence.unwrap(), Fence::LastGood(1));
    // Lost is what is live: nothing is any more.
    w.catalogue.delete_object(&oid("a"), at(24)).await.unwrap();
    w.catalogue.purge(at(25), 10, at(26)).await.unwrap();
    assert!(w.catalogue.doubtful(found_on).await.unwrap().is_empty());
}

/// E-08: `--keep-source` holds for ever.
pub async fn a_kept_source_is_held_for_ever(w: &World) {
    let (source, _, job) = emptied(w, Hold::Forever).await;
    let row = w.row(source).await;
    assert_eq!((row.adm_state, row.quarantined_until), (AdmState::Quarantined, None));
    let fence = w
        .catalogue
        .fence_medium(source, Some(job), false, w.epoch(source), at(999_999))
        .await;
    assert!(is_conflict(&fence), "{fence:?}");
}

/// A source with something live or pending is not quarantined.
pub async fn a_source_in_use_is_not_quarantined(w: &World) {
    let (source, target) = (w.medium("source").await, w.medium("target").await);
    let staged = w.stage(&w.simple("late", source, "x"), SessionId::fresh()).await;
    let owner = staged.places[0].1.owner();
    let job = w.repack(&[source]).await;
    assert!(
        is_conflict(&w.catalogue.quarantine(job, source, Hold::None, at(6)).await),
        "pending"
    );
    w.commit(staged).await.unwrap();
    assert!(
        is_conflict(&w.catalogue.quarantine(job, source, Hold::None, at(6)).await),
        "live"
    );
    assert!(
        is_conflict(&w.catalogue.quarantine(job, target, Hold::None, at(6)).await),
        "no source of the job"
    );
    assert_eq!(w.row(source).await.adm_state, AdmState::ReadOnly);
    assert_eq!(w.catalogue.abandon(owner, None, at(7)).await.unwrap(), 0);
}

/// `--drop-deleted`: what only deleted versions need does not hinder, and goes with the fence.
pub async fn deleted_versions_are_dropped_only_by_name(w: &World) {
    let source = w.medium("source").await;
    let extent = w.put_one("a", source, "x").await;
    w.catalogue.delete_object(&oid("a"), at(4)).await.unwrap();
    let job = w.repack(&[source]).await;
    assert!(is_conflict(
        &w.catalogue.quarantine(job, source, Hold::None, at(6)).await
    ));
    w.advance(job, JobState::Cancelled).await;
    let mut asked = spec(&[source]);
    asked.drop_deleted = true;
    let job = w.repack_as(asked).await;
    w.catalogue.quarantine(job, source, Hold::None, at(6)).await.unwrap();
    let epoch = w.epoch(source);
    let kept = w
        .catalogue
        .fence_medium(source, Some(job), false, epoch, at(7))
        .await
        .unwrap();
    assert_eq!(kept, Fence::InUse { live: 1, pending: 0 });
    assert_eq!(w.state(extent.id).await, ExtentState::Sync);
    let dropped = w
        .catalogue
        .fence_medium(source, Some(job), true, epoch, at(7))
        .await
        .unwrap();
    assert!(matches!(dropped, Fence::Erasing(_)));
    assert!(is_not_found(&w.catalogue.object(&oid("a"), Some(Version(1))).await));
}

/// I6: a fence that finds something live drops nothing.
pub async fn a_fence_in_vain_drops_nothing(w: &World) {
    let source = w.medium("source").await;
    w.put_one("deleted", source, "x").await;
    w.put_one("live", source, "y").await;
    w.catalogue.delete_object(&oid("deleted"), at(4)).await.unwrap();
    let fence = w
        .catalogue
        .fence_medium(source, None, true, w.epoch(source), at(5))
        .await
        .unwrap();
    assert!(matches!(fence, Fence::InUse { live: 1.., pending: 0 }), "{fence:?}");
    w.catalogue.undelete_object(&oid("deleted"), at(6)).await.unwrap();
    assert_eq!(w.row(source).await.generation, Generation(0));
}

/// I6: the fence takes the next generation once; found again, it answers the same.
pub async fn an_erasing_medium_is_only_erased_again(w: &World) {
    let (source, _, job) = emptied(w, Hold::None).await;
    let epoch = w.epoch(source);
    for now in [7, 8] {
        let fence = w
            .catalogue
            .fence_medium(source, Some(job), false, epoch, at(now))
            .await
            .unwrap();
        assert_eq!(fence, Fence::Erasing(Generation(1)));
    }
    let row = w.row(source).await;
    assert_eq!((row.adm_state, row.generation), (AdmState::Erasing, Generation(1)));
    assert!(is_conflict(
        &w.catalogue.quarantine(job, source, Hold::None, at(9)).await
    ));
    assert!(w.catalogue.removable(source, all(), at(9)).await.unwrap().is_empty());
    let epoch = w.lease(source).await.epoch;
    let again = w
        .catalogue
        .fence_medium(source, None, false, epoch, at(9))
        .await
        .unwrap();
    assert_eq!(again, Fence::Erasing(Generation(1)), "found at the next start");
}

/// A source is not erased while its quarantine lasts, nor by anybody but its job.
pub async fn a_quarantine_is_not_cut_short(w: &World) {
    let (source, _, job) = emptied(w, Hold::Until(at(100))).await;
    let epoch = w.epoch(source);
    assert!(is_conflict(
        &w.catalogue.fence_medium(source, Some(job), false, epoch, at(99)).await
    ));
    assert!(
        is_conflict(&w.catalogue.fence_medium(source, None, false, epoch, at(100)).await),
        "an operator"
    );
    let other = w.medium("other").await;
    let stranger = w.repack(&[other]).await;
    assert!(is_conflict(
        &w.catalogue
            .fence_medium(source, Some(stranger), false, epoch, at(100))
            .await
    ));
    let fence = w
        .catalogue
        .fence_medium(source, Some(job), false, epoch, at(100))
        .await
        .unwrap();
    assert_eq!(fence, Fence::Erasing(Generation(1)));
}

/// A job that failed to erase its source leaves that to an operator: not before the quarantine is over, and never what is
/// held for ever.
pub async fn what_an_ended_job_left_quarantined_may_be_formatted(w: &World) {
    let (source, _, job) = emptied(w, Hold::Until(at(100))).await;
    let epoch = w.epoch(source);
    w.advance(job, JobState::Failed).await;
    let format = |now| w.catalogue.fence_medium(source, None, false, epoch, at(now));
    assert!(is_conflict(&format(99).await));
    assert_eq!(format(100).await.unwrap(), Fence::Erasing(Generation(1)));
}

/// Nobody touches a locked medium, not even the job that emptied it.
pub async fn a_locked_medium_is_not_erased(w: &World) {
    let (source, _, job) = emptied(w, Hold::None).await;
    let lock = |locked| {
        let change = MediumChange {
            locked: Some(locked),
            ..MediumChange::default()
        };
        w.catalogue.change_medium(source, change, at(7))
    };
    lock(true).await.unwrap();
    let epoch = w.epoch(source);
    let fence = w.catalogue.fence_medium(source, Some(job), false, epoch, at(8)).await;
    assert!(is_fenced(&fence), "{fence:?}");
    lock(false).await.unwrap();
    let fence = w.catalogue.fence_medium(source, Some(job), false, epoch, at(9)).await;
    assert_eq!(fence.unwrap(), Fence::Erasing(Generation(1)));
}

/// A medium that is a source of an active job is not formatted by an operator.
pub async fn a_source_is_not_formatted_under_its_job(w: &World) {
    let source = w.medium("source").await;
    let job = w.repack(&[source]).await;
    let epoch = w.epoch(source);
    assert!(is_conflict(
        &w.catalogue.fence_medium(source, None, false, epoch, at(5)).await
    ));
    w.advance(job, JobState::Cancelled).await;
    let fence = w
        .catalogue
        .fence_medium(source, None, false, epoch, at(6))
        .await
        .unwrap();
    assert_eq!(fence, Fence::Erasing(Generation(1)));
}

/// an erased medium is empty, in service, without groupings, and its orphans' rows are gone.
pub async fn an_erased_medium_starts_anew(w: &World) {
    let (source, target, job) = emptied(w, Hold::None).await;
    let fence = w
        .catalogue
        .fence_medium(source, Some(job), false, w.epoch(source), at(7))
        .await
        .unwrap();
    assert_eq!(fence, Fence::Erasing(Generation(1)));
    assert!(
        is_conflict(&w.catalogue.finish_erase(source, Generation(0), at(8)).await),
        "an earlier label"
    );
    w.catalogue.finish_erase(source, Generation(1), at(8)).await.unwrap();
    w.catalogue.finish_erase(source, Generation(1), at(8)).await.unwrap();
    let row = w.row(source).await;
    assert_eq!((row.adm_state, row.fs_state), (AdmState::InService, FsState::Empty));
    assert_eq!((row.emptied_by, row.quarantined_until), (None, None));
    assert!(row.groupings.is_empty());
    assert!(w.row(target).await.groupings.contains("films"));
    assert!(w.on(source, ExtentState::Orphan).await.is_empty());
    assert_eq!(w.first("a").await.medium, target);
}

/// Fences a medium and says that its new label was read back.
pub(super) async fn erase(w: &World, medium: MediumId, job: Option<JobId>, now: jiff::Timestamp) {
    let epoch = w.epoch(medium);
    let fence = w.catalogue.fence_medium(medium, job, false, epoch, now).await.unwrap();
    let Fence::Erasing(generation) = fence else {
        panic!("{fence:?}");
    };
    w.catalogue.finish_erase(medium, generation, now).await.unwrap();
}

/// An erase changes neither what the operator had said of a medium nor what is thought of its health.
pub async fn an_erased_medium_is_what_the_operator_had_said(w: &World) {
    let said = [
        AdmState::InService,
        AdmState::ReadOnly,
        AdmState::Draining,
        AdmState::AbandonShip,
        AdmState::Retired,
    ];
    for (number, state) in said.into_iter().enumerate() {
        let disk = w.medium(&format!("disk-{number}")).await;
        let set = |state| MediumChange {
            adm_state: Some(state),
            health: Some(Health::Suspect),
            ..MediumChange::default()
        };
        w.catalogue.change_medium(disk, set(state), at(1)).await.unwrap();
        // Twice, so that a job's own *read_only* is not taken for the operator's, and once given back in between.
        let cancelled = w.repack(&[disk]).await;
        w.catalogue
            .quarantine(cancelled, disk, Hold::None, at(2))
            .await
            .unwrap();
        w.catalogue.end_quarantine(cancelled, at(3)).await.unwrap();
        let between = w.row(disk).await.adm_state;
        let takes_nothing = if state == AdmState::InService {
            AdmState::ReadOnly
        } else {
            state
        };
        assert_eq!(between, takes_nothing, "{state} after its quarantine was ended");
        w.advance(cancelled, JobState::Cancelled).await;
        let job = w.repack(&[disk]).await;
        w.catalogue.quarantine(job, disk, Hold::None, at(4)).await.unwrap();
        erase(w, disk, Some(job), at(5)).await;
        let row = w.row(disk).await;
        assert_eq!((row.adm_state, row.health), (state, Health::Suspect));
        assert_eq!(row.fs_state, FsState::Empty);
        w.advance(job, JobState::Done).await;
        // Formatted by an operator, without a job; and what is said last holds.
        erase(w, disk, None, at(6)).await;
        assert_eq!(w.row(disk).await.adm_state, state);
        w.catalogue
            .change_medium(disk, set(AdmState::Draining), at(7))
            .await
            .unwrap();
        erase(w, disk, None, at(8)).await;
        assert_eq!(w.row(disk).await.adm_state, AdmState::Draining);
    }
}

/// A medium that is not erasing has no erase to finish.
pub async fn nothing_is_finished_that_was_not_begun(w: &World) {
    let source = w.medium("source").await;
    w.put_one("a", source, "x").await;
    assert!(is_conflict(
        &w.catalogue.finish_erase(source, Generation(0), at(8)).await
    ));
    assert_eq!(w.on(source, ExtentState::Sync).await.len(), 1);
}

/// I6: every order of a put's and a fence's steps ends with the put refused or the medium kept.
pub async fn every_order_of_put_and_fence_is_safe(w: &World) {
    for (order, name) in ["record fence commit", "fence record commit", "record commit fence"]
        .iter()
        .zip(["x", "y", "z"])
    {
        let disk = w.medium(name).await;
        let mut staged = None;
        let mut put = None;
        let mut erasing = false;
        for step in order.split(' ') {
            match step {
                "fence" => {
                    let fence = w
                        .catalogue
                        .fence_medium(disk, None, false, w.epoch(disk), at(5))
                        .await
                        .unwrap();
                    erasing = matches!(fence, Fence::Erasing(_));
                }
                "record" if !erasing => {
                    let name: &'static str = name;
                    staged = Some(w.stage(&w.simple(name, disk, "bytes"), SessionId::fresh()).await);
                }
                "record" => {
                    let mut extent = w.new_extent(name, disk, "bytes");
                    extent.generation = Generation(1);
                    let answer = w
                        .catalogue
                        .record_put(SessionId::fresh(), vec![extent], &w.epochs(), at(5))
                        .await;
                    assert!(super::support::is_fenced(&answer), "{order}");
                }
                _ => {
                    if let Some(staged) = staged.take() {
                        put = w.commit(staged).await.ok();
                    }
                }
            }
        }
        assert!(put.is_none() || !erasing, "{order}: an object on an erased medium");
        assert!(put.is_some() || erasing, "{order}");
    }
}

/// a quarantine cut short left the source as it was.
pub async fn a_quarantine_cut_short_did_not_happen(w: &World) {
    let source = w.medium("source").await;
    let job = w.repack(&[source]).await;
    w.trap.set(Step::QuarantineBeforeCommit);
    super::swap::cut_short(w.catalogue.quarantine(job, source, Hold::None, at(6))).await;
    assert_eq!(w.row(source).await.adm_state, AdmState::ReadOnly);
    w.catalogue.quarantine(job, source, Hold::None, at(6)).await.unwrap();
    assert!(w.catalogue.manifest(source, all()).await.unwrap().is_empty());
}
