//! The scheduler's service over the catalogue in memory, with volumes of paper.

#[path = "service/library.rs"]
mod library;
#[path = "service/paper.rs"]
mod paper;

use dss::model::{AdmState, Epoch, Generation, Health, MediumId, Presence};
use lrs::core::{Priority, Refusal, Request};
use lrs::ldm::{Fault, MediaError, Op};
use lrs::service::{AllocateError, Allocation, DriveGone, Lrs, Reported};
use nix::errno::Errno;
use paper::{Hall, request, write};
use std::time::Duration;
use tokio::time::{sleep, timeout};

const SOON: Duration = Duration::from_secs(10);

async fn within<T>(work: impl Future<Output = T>) -> T {
    timeout(SOON, work).await.expect("no endless wait")
}

async fn waits_for(lrs: &Lrs, purpose: &str) -> String {
    within(async {
        loop {
            if let Some(why) = lrs.explain(purpose).await {
                return why;
            }
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

fn ask(lrs: &Lrs, request: Request) -> tokio::task::JoinHandle<Result<Allocation, AllocateError>> {
    let lrs = lrs.clone();
    tokio::spawn(async move { lrs.allocate(request).await })
}

fn reading(purpose: &str, priority: Priority, media: &[MediumId]) -> Request {
    Request {
        reads: media.to_vec(),
        ..request(purpose, priority)
    }
}

fn writing(purpose: &str, priority: Priority, candidates: &[MediumId]) -> Request {
    Request {
        writes: vec![write(candidates)],
        ..request(purpose, priority)
    }
}

/// E-01, X-09: each needs what the other has, and no order of events may leave both waiting.
#[tokio::test(flavor = "multi_thread")]
async fn two_opposite_repacks_on_two_docks_both_finish() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", Some("left")).await, hall.add("b", Some("right")).await);
    let (c, d) = (hall.add("c", Some("left")).await, hall.add("d", Some("right")).await);
    let lrs = hall.lrs();
    for _ in 0..20 {
        let there = Request {
            reads: vec![a],
            ..writing("there", Priority::Repack, &[b])
        };
        let back = Request {
            reads: vec![d],
            ..writing("back", Priority::Repack, &[c])
        };
        let repacks = [ask(&lrs, there), ask(&lrs, back)].map(|repack| {
            tokio::spawn(async move {
                let allocation = repack.await.unwrap().unwrap();
                let source = allocation.volume(allocation.grant().reads[0].medium);
                let target = allocation.volume(allocation.grant().writes[0].medium);
                source.run(|volume| volume.identify()).await.unwrap().unwrap();
                target.run(|volume| volume.identify()).await.unwrap().unwrap();
                allocation.release().await;
            })
        });
        for repack in repacks {
            within(repack).await.unwrap();
        }
    }
    within(lrs.stop()).await;
    assert_eq!(hall.mounted(), 0);
}

/// one drive for source and target is refused at once, with the way out.
#[tokio::test]
async fn a_repack_within_one_dock_is_refused_at_once() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", Some("dock")).await, hall.add("b", Some("dock")).await);
    let repack = Request {
        reads: vec![a],
        ..writing("repack", Priority::Repack, &[b])
    };
    let refused = within(hall.lrs().allocate(repack)).await.unwrap_err();
    assert!(
        matches!(refused, AllocateError::Refused(Refusal::SharedDock { .. })),
        "{refused}"
    );
}

/// what is wanted for reading shares the dock with what is being written.
#[tokio::test]
async fn a_get_of_another_disk_in_a_busy_dock_is_served_at_the_next_extent_boundary() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", Some("dock")).await, hall.add("b", Some("dock")).await);
    let lrs = hall.lrs();
    let repack = lrs.allocate(writing("job 1", Priority::Repack, &[a])).await.unwrap();
    assert!(!repack.should_yield());
    let get = ask(&lrs, reading("get of x", Priority::Get, &[b]));
    within(repack.yield_asked()).await;
    assert!(repack.should_yield());
    assert_eq!(
        waits_for(&lrs, "get of x").await,
        "waits for dock dock, where job 1 writes medium a"
    );
    repack.release().await;
    let get = within(get).await.unwrap().unwrap();
    assert_eq!(
        get.volume(b).run(|volume| volume.label().name.clone()).await.unwrap(),
        "b"
    );
    assert!(lrs.waiting().await.is_empty());
}

/// unknown room closes.
#[tokio::test]
async fn a_target_whose_room_is_unknown_is_no_target() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", None).await, hall.add("b", None).await);
    hall.no_room_known("a");
    let lrs = hall.lrs();
    let put = lrs.allocate(writing("put", Priority::Put, &[a, b])).await.unwrap();
    assert_eq!(put.grant().writes[0].medium, b);
    let refused = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap_err();
    let AllocateError::Refused(Refusal::NoTarget { considered, .. }) = refused else {
        panic!("{refused}")
    };
    assert!(considered[0].starts_with("a: free space unknown"), "{considered:?}");
}

#[tokio::test]
async fn a_write_grant_carries_epoch_and_generation_and_a_release_gives_the_lease_back_with_the_mount() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    let put = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    let grant = put.grant().writes[0].clone();
    assert_eq!((grant.epoch, grant.generation), (Epoch(1), Generation(0)));
    put.release().await;
    let again = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    assert_eq!(
        again.grant().writes[0].epoch,
        Epoch(1),
        "the lease is kept while the medium stays mounted"
    );
    assert_eq!(hall.mounts("a"), 1);
    again.release().await;
    within(lrs.stop()).await;
    assert_eq!(
        (hall.mounted(), hall.leases_elsewhere(a).await),
        (0, Ok(Epoch(2))),
        "another host may have it now"
    );
}

#[tokio::test]
async fn an_absent_medium_is_told_apart_and_becomes_missing_and_is_found_again() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", None).await, hall.add("b", None).await);
    let lrs = hall.lrs();
    let wrong = Fault::WrongMedium {
        expected: "a".into(),
        found: "z".into(),
    };
    hall.break_mount("a", Some(wrong.clone()));
    let put = lrs.allocate(writing("put", Priority::Put, &[a, b])).await.unwrap();
    assert_eq!(put.grant().writes[0].medium, b, "another candidate is tried");
    assert_eq!(hall.row(a).await.presence, Presence::Missing);
    let error = lrs.allocate(reading("get", Priority::Get, &[a])).await.unwrap_err();
    let AllocateError::Media(MediaError {
        op: Op::Mount, fault, ..
    }) = error
    else {
        panic!("{error}")
    };
    assert_eq!(fault, wrong);
    hall.break_mount("a", None);
    lrs.allocate(reading("get", Priority::Get, &[a])).await.unwrap();
    assert_eq!(hall.row(a).await.presence, Presence::Attached);
}

#[tokio::test]
async fn a_mount_that_fails_otherwise_says_nothing_about_where_the_medium_is() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    hall.break_mount("a", Some(Fault::Io(Errno::EIO)));
    let error = hall
        .lrs()
        .allocate(reading("get", Priority::Get, &[a]))
        .await
        .unwrap_err();
    assert!(matches!(error, AllocateError::Media(_)), "{error}");
    assert_eq!(hall.row(a).await.presence, Presence::Attached);
}

#[tokio::test]
async fn the_catalogue_is_asked_anew_for_every_request() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    drop(lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap());
    hall.set(a, AdmState::ReadOnly).await;
    let refused = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap_err();
    assert!(refused.to_string().contains("a: read_only"), "{refused}");
}

#[tokio::test]
async fn a_queued_request_is_judged_again_when_a_medium_changed() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", None).await, hall.add("b", None).await);
    let lrs = hall.lrs();
    hall.set(b, AdmState::ReadOnly).await;
    let _holder = lrs.allocate(writing("first", Priority::Put, &[a])).await.unwrap();
    let second = ask(&lrs, writing("second", Priority::Put, &[a, b]));
    assert_eq!(
        waits_for(&lrs, "second").await,
        "waits for medium a, which first writes"
    );
    hall.set(b, AdmState::InService).await;
    lrs.medium_changed(b).await.unwrap();
    assert_eq!(within(second).await.unwrap().unwrap().grant().writes[0].medium, b);
}

#[tokio::test]
async fn a_dropped_request_is_cancelled_and_a_dropped_allocation_released() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    let holder = lrs.allocate(writing("holder", Priority::Put, &[a])).await.unwrap();
    let given_up = ask(&lrs, writing("given up", Priority::Get, &[a]));
    waits_for(&lrs, "given up").await;
    given_up.abort();
    let _ = given_up.await;
    let next = ask(&lrs, writing("next", Priority::Put, &[a]));
    waits_for(&lrs, "next").await;
    assert!(lrs.explain("given up").await.is_none());
    drop(holder);
    within(next).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_released_allocation_touches_its_media_no_more() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    let put = hall.lrs().allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    let volume = put.volume(a);
    put.release().await;
    let gone = volume.run(|_| unreachable!("nothing runs after the release")).await;
    assert!(matches!(gone, Err(DriveGone::Released { .. })), "{gone:?}");
}

#[tokio::test]
async fn after_a_reopen_the_old_handles_are_void() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    let put = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    let get = lrs.allocate(reading("get", Priority::Get, &[a])).await.unwrap();
    let (old, others) = (put.volume(a), get.volume(a));
    put.reopen(a).await.unwrap();
    assert_eq!(hall.mounts("a"), 2);
    for void in [old, others] {
        assert!(matches!(void.run(|_| ()).await, Err(DriveGone::Remounted { .. })));
    }
    put.volume(a).run(|_| ()).await.unwrap();
    hall.break_mount("a", Some(Fault::Unlabelled("gone".into())));
    assert!(put.reopen(a).await.is_err());
    assert_eq!(hall.row(a).await.presence, Presence::Missing);
    assert!(put.volume(a).run(|_| ()).await.is_err());
    within(async { (put.release().await, get.release().await, lrs.stop().await) }).await;
}

#[tokio::test]
async fn a_panic_ends_one_drive_and_no_other() {
    let hall = Hall::new(30).await;
    let (a, b) = (hall.add("a", None).await, hall.add("b", None).await);
    let lrs = hall.lrs();
    let both = lrs.allocate(reading("get", Priority::Get, &[a, b])).await.unwrap();
    let gone: Result<(), DriveGone> = both.volume(a).run(|_| panic!("a bug")).await;
    let gone = gone.unwrap_err();
    assert!(matches!(gone, DriveGone::Failed { .. }), "{gone}");
    both.volume(b).run(|_| ()).await.unwrap();
    drop(both);
    let refused = lrs.allocate(reading("get", Priority::Get, &[a])).await.unwrap_err();
    assert!(refused.to_string().contains("a bug"), "{refused}");
    drop(lrs.allocate(reading("get", Priority::Get, &[b])).await.unwrap());
    within(lrs.stop()).await;
}

#[tokio::test]
async fn leases_are_renewed_for_as_long_as_they_are_needed() {
    let hall = Hall::new(1).await;
    let a = hall.add("a", None).await;
    let put = hall.lrs().allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    sleep(Duration::from_millis(1800)).await;
    put.volume(a).run(|_| ()).await.unwrap();
    assert!(put.volume(a).lease().unwrap().holds() && !put.should_yield());
}

/// I7: who cannot renew stops by itself, before another may begin and without anybody's help.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_holder_whose_lease_may_have_ended_issues_no_more_commands() {
    let hall = Hall::new(1).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    let put = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    let get = lrs.allocate(reading("get", Priority::Get, &[a])).await.unwrap();
    hall.hang_clock();
    sleep(Duration::from_millis(1500)).await;
    let gone: Result<(), DriveGone> = put.volume(a).run(|_| unreachable!("no command after the lease")).await;
    let gone = gone.unwrap_err();
    assert!(matches!(gone, DriveGone::LeaseEnded { .. }), "{gone}");
    assert!(put.reopen(a).await.is_err());
    get.volume(a).run(|_| ()).await.expect("reading needs no lease");
}

#[tokio::test]
async fn a_holder_whose_lease_was_taken_over_is_told_and_begins_anew_with_another_mount() {
    let hall = Hall::new(1).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    let put = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    hall.take_over(a).await;
    within(put.yield_asked()).await;
    assert!(matches!(
        put.volume(a).run(|_| ()).await,
        Err(DriveGone::LeaseEnded { .. })
    ));
    put.release().await;
    let refused = within(lrs.allocate(writing("put", Priority::Put, &[a])))
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("in use elsewhere"), "{refused}");
    assert_eq!(hall.mounted(), 0);
}

#[tokio::test]
async fn a_medium_leased_to_another_respoold_is_refused_for_writing_only() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    hall.leases_elsewhere(a).await.unwrap();
    let lrs = hall.lrs();
    let alone = Request {
        exclusive: vec![a],
        ..request("erase", Priority::Repack)
    };
    let refused = lrs.allocate(alone).await.unwrap_err();
    assert!(
        matches!(refused, AllocateError::Refused(Refusal::LeasedElsewhere { .. })),
        "{refused}"
    );
    lrs.allocate(reading("get", Priority::Get, &[a])).await.unwrap();
}

#[tokio::test]
async fn stopping_waits_for_what_is_granted_and_refuses_the_rest() {
    let hall = Hall::new(30).await;
    let a = hall.add("a", None).await;
    let lrs = hall.lrs();
    let put = lrs.allocate(writing("put", Priority::Put, &[a])).await.unwrap();
    let waits = ask(&lrs, writing("waits", Priority::Put, &[a]));
    waits_for(&lrs, "waits").await;
    let stop = tokio::spawn({
        let lrs = lrs.clone();
        async move { lrs.stop().await }
    });
    within(put.yield_asked()).await;
    assert!(matches!(
        waits.await.unwrap(),
        Err(AllocateError::Refused(Refusal::Stopping))
    ));
    put.volume(a)
        .run(|_| ())
        .await
        .expect("what was granted may end in order");
    assert!(!stop.is_finished());
    put.release().await;
    within(stop).await.unwrap();
    assert_eq!(hall.mounted(), 0);
    let late = lrs.allocate(reading("late", Priority::Get, &[a])).await.unwrap_err();
    assert!(matches!(late, AllocateError::Refused(Refusal::Stopping)), "{late}");
}

/// Errors of several media in one drive speak against the drive, errors of one medium against the medium; both are told.
#[tokio::test]
async fn failures_of_several_media_in_one_dock_take_the_dock_out_of_service_and_spare_the_media() {
    let hall = Hall::new(30).await;
    let mut media = Vec::new();
    for name in ["a", "b", "c"] {
        media.push(hall.add(name, Some("dock")).await);
    }
    let (lrs, [a, b, c]) = (hall.lrs(), [media[0], media[1], media[2]]);
    let eio = |medium: &str| MediaError {
        op: Op::Write,
        medium: medium.to_owned(),
        at: None,
        fault: Fault::Io(Errno::EIO),
    };
    for medium in [a, b, c] {
        drop(lrs.allocate(reading("get", Priority::Get, &[medium])).await.unwrap());
    }
    assert!(matches!(within(lrs.report(a, &eio("a"))).await, Reported::Medium(_)));
    assert_eq!(hall.row(a).await.health, Health::Suspect);
    assert_eq!(hall.row(c).await.health, Health::Ok);
    drop(lrs.allocate(reading("get", Priority::Get, &[c])).await.unwrap());

    let Reported::Drive(why) = within(lrs.report(b, &eio("b"))).await else {
        panic!("two media in one dock")
    };
    assert_eq!(hall.row(b).await.health, Health::Ok, "the drive is to blame");
    let refused = lrs.allocate(reading("get", Priority::Get, &[c])).await.unwrap_err();
    assert!(refused.to_string().contains(&why), "{refused}");
    let status = lrs.drive_of(&hall.row(c).await).await.unwrap();
    assert_eq!((status.drive.as_str(), status.used_by.len()), ("dock dock", 0));
    assert!(status.out_of_service.unwrap().contains(&why));

    let full = MediaError {
        fault: Fault::NoSpace,
        ..eio("c")
    };
    assert_eq!(within(lrs.report(c, &full)).await, Reported::NoEvidence);
}
