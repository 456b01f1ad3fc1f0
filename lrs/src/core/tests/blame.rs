//! What failures do to media and drives.

use super::bench::{Bench, Wanting, id, medium, request};
use crate::core::drive::DriveId;
use crate::core::health::{Failure, Trouble};
use crate::core::request::{AllocationId, Priority, Refusal};
use crate::core::scheduler::Event;
use dss::model::{Family, Health};

/// Media 1 to 3 in one dock, 4 in another, 5 alone.
fn docks() -> Bench {
    let docks = [Some("left"), Some("left"), Some("left"), Some("right"), None];
    Bench::with((1..6).zip(docks).map(|(number, dock)| medium(number, dock)))
}

fn fails(bench: &mut Bench, number: u128, drive: &str) {
    let failure = Failure {
        medium: id(number),
        family: Family::Dir,
        drive: DriveId::Dock(drive.into()),
        trouble: Trouble::Hard,
        why: "write failed: EIO".into(),
    };
    bench.tell(Event::Failed(failure));
    bench.settle();
}

fn refused(bench: &Bench, id: AllocationId) -> String {
    match &bench.refused[&id] {
        Refusal::Unusable { why, .. } => why.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_drive_of_several_failing_media_serves_nobody_and_says_why() {
    let mut bench = docks();
    let put = bench.ask(request(Priority::Put).write(&[1]));
    fails(&mut bench, 1, "left");
    assert!(bench.suspects.contains(&id(1)), "one medium is blamed itself");
    assert!(!bench.yields.contains(&put));
    fails(&mut bench, 2, "left");
    assert!(!bench.suspects.contains(&id(2)), "two are not");
    assert!(bench.yields.contains(&put), "who uses the drive ends");
    bench.release(put);
    assert!(
        bench.orders.contains(&"unload m1".to_owned()),
        "and it is emptied: {:?}",
        bench.orders
    );
    let get = bench.ask(request(Priority::Get).read(3));
    assert_eq!(
        refused(&bench, get),
        "its drive is out of service (2 media failed in dock left and in no other drive, so the drive is to blame and \
         out of service)"
    );
    let put = bench.ask(request(Priority::Put).write(&[3, 4, 5]));
    assert_eq!(bench.writes(put), [id(4)], "other drives serve");
    let status = bench.scheduler.drive_status(&DriveId::Dock("left".into()));
    assert_eq!(status.state, "empty");
    assert!(status.out_of_service.unwrap().contains("to blame"));
}

#[test]
fn a_medium_that_fails_elsewhere_too_is_blamed_and_its_drive_serves_again() {
    let mut bench = docks();
    fails(&mut bench, 1, "left");
    fails(&mut bench, 2, "left");
    let get = bench.ask(request(Priority::Get).read(3));
    refused(&bench, get);
    fails(&mut bench, 2, "right");
    assert!(bench.suspects.contains(&id(2)));
    let get = bench.ask(request(Priority::Get).read(3));
    assert!(
        bench.is_granted(get),
        "one medium of its own says nothing against a drive"
    );
}

#[test]
fn what_the_operator_trusts_again_counts_no_more_against_its_drive() {
    let mut bench = docks();
    fails(&mut bench, 1, "left");
    fails(&mut bench, 2, "left");
    let mut row = bench.row(1);
    row.health = Health::Suspect;
    bench.change(row.clone());
    let get = bench.ask(request(Priority::Get).read(3));
    refused(&bench, get);
    row.health = Health::Ok;
    bench.change(row);
    let get = bench.ask(request(Priority::Get).read(3));
    assert!(bench.is_granted(get));
}
