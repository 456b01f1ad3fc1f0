//! Tapes in a library of two drives.

use super::paper::Hall;
use super::{ask, reading, waits_for, within, writing};
use dss::model::MediumId;
use lrs::core::{DriveId, Priority};
use lrs::ldm::{Fault, MediaError};
use lrs::service::{AllocateError, DriveGone, Lrs};
use nix::errno::Errno;
use std::time::Duration;
use tokio::time::sleep;

const DRV0: &str = "drive drv0 of library lib0";
const DRV1: &str = "drive drv1 of library lib0";

async fn hall() -> (Hall, Lrs, [MediumId; 3]) {
    let hall = Hall::new(30).await;
    let mut tapes = Vec::new();
    for name in ["a", "b", "c"] {
        tapes.push(hall.add_tape(name).await);
    }
    hall.tell_library();
    let lrs = hall.lrs();
    (hall, lrs, [tapes[0], tapes[1], tapes[2]])
}

fn drv(number: u8) -> DriveId {
    DriveId::Bay {
        library: "lib0".into(),
        bay: format!("drv{number}"),
    }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    within(async {
        while !holds().await {
            sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    println!("{what}");
}

/// E-01: two drives, two tapes at once, the third when one of them comes out.
#[tokio::test(flavor = "multi_thread")]
async fn two_tapes_load_in_two_drives_and_the_third_waits_until_one_is_taken_out() {
    let (hall, lrs, [a, b, c]) = hall().await;
    let first = within(lrs.allocate(reading("first", Priority::Get, &[a])))
        .await
        .unwrap();
    let second = within(lrs.allocate(writing("second", Priority::Put, &[b])))
        .await
        .unwrap();
    let third = ask(&lrs, reading("third", Priority::Get, &[c]));
    assert_eq!(
        waits_for(&lrs, "third").await,
        format!("waits for {DRV0}, where first reads medium a")
    );
    assert_eq!(first.volume(a).name(), DRV0);
    assert_eq!(second.volume(b).name(), DRV1);
    let name = second.volume(b).run(|volume| volume.label().name.clone()).await;
    assert_eq!(name.unwrap(), "b");
    first.release().await;
    let third = within(third).await.unwrap().unwrap();
    assert_eq!(third.volume(c).name(), DRV0);
    let expected = [
        format!("a into {DRV0}"),
        format!("b into {DRV1}"),
        format!("a out of {DRV0}"),
        format!("c into {DRV0}"),
    ];
    assert_eq!(hall.moves(), expected);
    let row = hall.row(c).await;
    assert_eq!(lrs.drive_of(&row).await.unwrap().drive, DRV0);
    assert!(lrs.drive_of(&hall.row(a).await).await.is_none(), "it is in none");
    let drives = lrs.drives().await;
    assert_eq!(
        drives.iter().map(|of| of.drive.as_str()).collect::<Vec<_>>(),
        [DRV0, DRV1]
    );
    assert_eq!(
        drives.iter().map(|of| of.medium).collect::<Vec<_>>(),
        [Some(c), Some(b)]
    );
    drop((second, third));
    within(lrs.stop()).await;
    assert_eq!(hall.mounted(), 0);
    assert_eq!(hall.moves().len(), 6, "everything is taken out: {:?}", hall.moves());
}

/// A drive that keeps its cartridge is closed, and whoever wants that tape is told where it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_drive_that_does_not_give_its_tape_back_is_closed_and_the_tape_says_so() {
    let (hall, lrs, [a, b, _]) = hall().await;
    hall.stick(DRV0);
    drop(within(lrs.allocate(reading("get", Priority::Get, &[a]))).await.unwrap());
    lrs.let_go(a);
    until("drv0 is closed", async || {
        let drives = lrs.drives().await;
        drives[0]
            .out_of_service
            .as_ref()
            .is_some_and(|why| why.contains("unload failed on medium a"))
    })
    .await;
    let other = within(lrs.allocate(reading("get", Priority::Get, &[b]))).await.unwrap();
    assert_eq!(other.volume(b).name(), DRV1);
    other.release().await;
    let refused = within(lrs.allocate(reading("get", Priority::Get, &[a])))
        .await
        .unwrap_err();
    assert!(matches!(refused, AllocateError::Media(_)), "{refused}");
    assert!(
        refused.to_string().contains(&format!("its cartridge is in {DRV0}")),
        "{refused}"
    );
    lrs.lock_drive(drv(1), Some("cleaning".into()));
    let refused = within(lrs.allocate(reading("get", Priority::Get, &[b])))
        .await
        .unwrap_err();
    for word in [
        DRV0,
        "unload failed on medium a",
        DRV1,
        "the operator locked it: cleaning",
    ] {
        assert!(refused.to_string().contains(word), "{word}: {refused}");
    }
    within(lrs.stop()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tape_that_is_reopened_stays_in_its_drive_and_old_handles_are_void() {
    let (hall, lrs, [a, ..]) = hall().await;
    let put = within(lrs.allocate(writing("put", Priority::Put, &[a]))).await.unwrap();
    let old = put.volume(a);
    put.reopen(a).await.unwrap();
    assert!(matches!(old.run(|_| ()).await, Err(DriveGone::Remounted { .. })));
    put.volume(a).run(|_| ()).await.unwrap();
    assert_eq!((hall.mounts("a"), hall.moves().len()), (2, 1), "{:?}", hall.moves());
    assert_eq!(put.volume(a).name(), DRV0);
}

/// What failed to mount is taken out again, so that the drive is as empty as it is taken for.
#[tokio::test(flavor = "multi_thread")]
async fn a_tape_that_cannot_be_mounted_is_taken_out_and_its_drive_serves_the_next() {
    let (hall, lrs, [a, b, _]) = hall().await;
    hall.break_mount("a", Some(Fault::Io(Errno::EIO)));
    let refused = within(lrs.allocate(reading("get", Priority::Get, &[a])))
        .await
        .unwrap_err();
    let AllocateError::Media(MediaError { fault, .. }) = refused else {
        panic!("{refused}")
    };
    assert_eq!(fault, Fault::Io(Errno::EIO));
    assert_eq!(hall.moves(), [format!("a into {DRV0}"), format!("a out of {DRV0}")]);
    let get = within(lrs.allocate(reading("get", Priority::Get, &[b]))).await.unwrap();
    assert_eq!(get.volume(b).name(), DRV0);
    hall.break_mount("a", None);
    let get = within(lrs.allocate(reading("get", Priority::Get, &[a]))).await.unwrap();
    assert_eq!(get.volume(a).name(), DRV1);
}

/// E-13, X-25: whoever mounts a tape is told where the data end that the catalogue knows to be durable there, each time anew: a
/// tape that ends before that is not written. Of a tape on which nothing is durable that is its beginning.
#[tokio::test(flavor = "multi_thread")]
async fn e13_a_tape_is_mounted_with_the_durable_end_that_the_catalogue_knows() {
    let (hall, lrs, [a, ..]) = hall().await;
    let written = hall.add_written_tape("written", 42).await;
    for tape in [a, written] {
        let get = within(lrs.allocate(reading("get", Priority::Get, &[tape])))
            .await
            .unwrap();
        get.reopen(tape).await.unwrap();
    }
    assert_eq!((hall.mounts("a"), hall.mounts("written")), (2, 2));
}

/// The operator locks the drive that a tape is read in.
#[tokio::test(flavor = "multi_thread")]
async fn a_locked_drive_is_emptied_and_its_tape_read_in_the_other_one() {
    let (hall, lrs, [a, ..]) = hall().await;
    let get = within(lrs.allocate(reading("get", Priority::Get, &[a]))).await.unwrap();
    lrs.lock_drive(drv(0), Some("it squeaks".into()));
    within(get.yield_asked()).await;
    get.release().await;
    let get = within(lrs.allocate(reading("get", Priority::Get, &[a]))).await.unwrap();
    assert_eq!(get.volume(a).name(), DRV1);
    let expected = [
        format!("a into {DRV0}"),
        format!("a out of {DRV0}"),
        format!("a into {DRV1}"),
    ];
    assert_eq!(hall.moves(), expected);
}
