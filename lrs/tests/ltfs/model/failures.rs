//! One operation fails, once, at every place where a session has one: the failure is told, nothing that was promised is
//! missing, and what is tried again is not believed.

use super::promise::{Judge, Promise, base};
use super::rig::{Rig, TAPE};
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::ltfs::volume::mount;

const LENGTHS: [usize; 6] = [10, 3000, 4096, 9000, 77, 20_000];

/// A session in which the n-th operation of a kind fails; None: it had fewer.
fn failing(base: &Rig, promise: &Promise, op: &str, error: &str, nth: usize) -> Option<(Rig, Promise)> {
    let faults = format!("[[fault]]\nmedium = '{TAPE}'\nop = '{op}'\nerror = '{error}'\nnth = {nth}\n");
    let rig = Rig::copy(base.folder.path(), &faults);
    let mut promise = promise.clone();
    let mut tape = rig.load(TAPE, 0);
    // What fails while it is mounted costs a mount.
    let mounted = mount(&mut tape);
    if let Ok(mut mounted) = mounted
        && let Ok(()) = promise.session(&mut tape, &mut mounted, "failing", &LENGTHS)
    {
        return None;
    }
    // A flush that is tried again says nothing of what the first one lost; only a full tape is no failure of the drive.
    if error != "enospc" {
        let again = tape.flush();
        assert!(again.is_err(), "{op} {error} {nth}: {again:?}");
    }
    Some((rig, promise))
}

#[test]
fn any_operation_that_fails_once_is_told_and_loses_nothing() {
    let (base, promise) = base();
    let kinds = [
        ("write", "3/0c/00"),
        ("write", "enospc"),
        ("sync", "eio"),
        ("sync", "enospc"),
        ("locate", "4/15/01"),
        ("write", "6/29/00"),
        ("sync", "6/29/00"),
    ];
    for (op, error) in kinds {
        let mut count = 0;
        while let Some((rig, promise)) = failing(&base, &promise, op, error, count + 1) {
            promise.survives(&rig, 0, Judge::Spared);
            count += 1;
        }
        println!("{op} {error}: {count} places");
        assert!(count >= 2, "{op} {error}: {count}");
    }
}
