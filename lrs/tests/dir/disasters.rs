//! X-27 and its kin: a failed sync voids everything since the last good one.

use super::support::Bench;
use crate::volume::{entries, get, is_covered, pattern, put};
use dss::model::evidence::SyncReceipt;
use lrs::ldm::Fault;
use lrs::ldm::fs::IndexStamp;

const FAILING: &str = "[[fault]]\nmedium = 'disk-a'\nop = 'sync'\nerror = 'eio'\n";

#[test]
fn x_27_a_failed_sync_voids_the_window_and_is_never_retried_into_success() {
    let mut bench = Bench::formatted();
    let mut volume = bench.mounted();
    let held = put(&mut *volume, "held", b"1").unwrap();
    volume.sync().unwrap();
    drop(volume);
    bench.with_faults(FAILING);
    let mut volume = bench.mounted();
    let void = put(&mut *volume, "void", b"2").unwrap();
    volume.sync().unwrap_err();
    // The fault is over; the volume is not to be trusted all the same.
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
    let stamp = IndexStamp {
        revision: dss::model::Revision(9),
        event_head: None,
    };
    assert_eq!(volume.commit_index(stamp).unwrap_err().fault, Fault::NeedsReopen);
    let wanted = held.wanted(bench.label.generation);
    assert_eq!(volume.delete(&wanted).unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(volume.isolate(&wanted, "x").unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(put(&mut *volume, "later", b"3").unwrap_err().fault, Fault::NeedsReopen);
    let erased = volume.erase(bench.label.clone(), &mut std::iter::empty(), &mut |_| {});
    assert_eq!(erased.unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(get(&mut *volume, &wanted).unwrap(), b"1", "reads go on");
    assert_eq!(entries(&mut *volume).len(), 1);
    assert!(volume.lookup(void.tag.extent).unwrap().is_none());
    drop(volume);
    bench.without_faults();
    let mut volume = bench.mounted();
    assert_eq!(entries(&mut *volume).len(), 1);
    let again = put(&mut *volume, "void", b"2").unwrap();
    assert_ne!(again.address, void.address);
    let receipt: SyncReceipt = volume.sync().unwrap();
    assert!(is_covered(&bench.label, again, &receipt));
    assert!(!is_covered(&bench.label, void, &receipt));
}

#[test]
fn x_27_of_many_files_any_one_that_fails_voids_all() {
    let mut bench = Bench::formatted();
    bench.with_faults(&FAILING.replace("error", "oid = 'o7'\nerror"));
    let mut volume = bench.mounted();
    // More than are held open: some are synced before the sync.
    let mut failed = false;
    for number in 0..600 {
        failed |= put(&mut *volume, &format!("o{number}"), &pattern(100, 1)).is_err();
    }
    assert!(failed, "the failure of an early sync is told at once");
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
    drop(volume);
    let mut volume = bench.mounted();
    assert!(entries(&mut *volume).is_empty());
    for number in 0..600 {
        put(&mut *volume, &format!("o{number}"), &pattern(100, 1)).unwrap();
    }
    volume.sync().unwrap();
    assert_eq!(entries(&mut *volume).len(), 600);
}

#[test]
fn an_index_being_read_does_not_hold_up_the_volume() {
    let bench = Bench::formatted();
    let mut volume = bench.mounted();
    for number in 0..10 {
        put(&mut *volume, &format!("o{number}"), b"1").unwrap();
    }
    volume.sync().unwrap();
    let index = volume.index().unwrap();
    for entry in index {
        let entry = entry.unwrap();
        assert_eq!(volume.lookup(entry.tag.extent).unwrap(), Some(entry.clone()));
        put(&mut *volume, "more", b"2").unwrap();
        volume.sync().unwrap();
    }
    assert_eq!(entries(&mut *volume).len(), 20);
}
