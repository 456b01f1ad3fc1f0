//! Robots that jam, inventories that are not true any more, and drives that die.

use super::support::{DRIVE, Rig, SLOT, Then, Wired, fault, panel, place, trouble};
use lrs::ldm::changer::ElementAddress;
use lrs::ldm::drive::{DriveFault, Partition};
use lrs::ldm::library::{BayState, Moved, Now, Trouble};
use lrs::ldm::scsi::TransportError;
use lrs::ldm::virt::Technology;
use lrs::ldm::{Blame, Disposition, Op};

const LIBRARY: &str = "library = 'lib0'";
const MOVE: u8 = 0xa5;
const SCAN: u8 = 0x07;

#[test]
fn an_arm_that_jams_once_is_tried_once_more() {
    for (error, op) in [("4/15/01", "load"), ("4/83/00", "load"), ("eio", "unload")] {
        let rig = Rig::with_faults(Technology::Lto8, &fault(LIBRARY, op, error, 1));
        rig.library.put_in("drv0", "RSP001L8").unwrap();
        assert_eq!(rig.library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
    }
}

#[test]
fn an_arm_that_stays_jammed_is_told_with_library_element_and_what_to_do() {
    let rig = Rig::with_faults(Technology::Lto8, &fault(LIBRARY, "load", "4/15/01", 0));
    let refused = rig.library.put_in("drv0", "RSP001L8").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "library lib0: the arm did not carry RSP001L8 from element 1025 to element 256: it is jammed, or does not find its place \
         (4/15/01); it is still in element 1025. Look into the library between elements 1025 and 256, take out what is stuck, have it \
         look at all its slots, and try again"
    );
    assert_eq!(
        (refused.blame(), refused.disposition()),
        (Blame::Library, Disposition::Stop)
    );
    let told = refused.into_media(Op::Load, "a");
    assert_eq!(told.blame(), Blame::Library, "neither the drive nor the tape: {told}");
    assert!(rig.library.bays().iter().all(|bay| bay.state == BayState::Free));
    // Repaired: all is as it was.
    let rig = rig.again("", |_| {});
    rig.library.put_in("drv0", "RSP001L8").unwrap();
}

#[test]
fn an_arm_that_jams_on_the_way_back_leaves_the_cartridge_to_be_fetched() {
    let rig = Rig::with_faults(Technology::Lto8, &fault(LIBRARY, "unload", "4/15/01", 2));
    let Rig { library, .. } = &rig;
    library.put_in("drv0", "RSP001L8").unwrap();
    let refused = trouble(library.take_out("drv0"));
    let Trouble::Arm { now, cause, .. } = &refused else {
        panic!("{refused}")
    };
    assert_eq!(*now, Now::At(ElementAddress(DRIVE)));
    assert!(matches!(cause.fault, DriveFault::Sense(_)));
    // It lies in the drive's mouth. Another bay gets it, and it finds its way home from there.
    let loaded = library.put_in("drv1", "RSP001L8").unwrap();
    assert_eq!(loaded.moved, Moved::From(ElementAddress(DRIVE)));
    assert_eq!(library.take_out("drv1").unwrap(), Some(ElementAddress(SLOT + 1)));
}

#[test]
fn the_same_bay_gets_back_what_it_had_let_out() {
    let rig = Rig::with_faults(Technology::Lto8, &fault(LIBRARY, "unload", "4/15/01", 2));
    let Rig { library, .. } = &rig;
    library.put_in("drv0", "RSP001L8").unwrap();
    library.take_out("drv0").unwrap_err();
    assert_eq!(library.put_in("drv0", "RSP001L8").unwrap().moved, Moved::No);
    assert_eq!(library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
}

/// What an arm says and what it did are two things: where the cartridge is decides.
#[test]
fn an_arm_that_fails_after_it_moved_has_moved() {
    let wired = Wired::new(Technology::Lto8);
    wired.changer.once(MOVE, Then::DoneAnd(4, 0x15, 1));
    let loaded = wired.library.put_in("drv0", "RSP001L8").unwrap();
    assert_eq!(loaded.moved, Moved::From(ElementAddress(SLOT + 1)));
    assert_eq!(wired.changer.count(MOVE), 1);
    assert_eq!(wired.library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
}

#[test]
fn an_arm_that_does_not_answer_is_not_sent_again() {
    let wired = Wired::new(Technology::Lto8);
    wired.changer.once(MOVE, Then::Silence);
    let refused = trouble(wired.library.put_in("drv0", "RSP001L8"));
    let Trouble::Arm { cause, now, .. } = &refused else {
        panic!("{refused}")
    };
    assert!(matches!(cause.fault, DriveFault::Transport(TransportError::TimedOut(time)) if time.as_secs() == 1200));
    assert_eq!(
        (*now, wired.changer.count(MOVE)),
        (Now::At(ElementAddress(SLOT + 1)), 1)
    );
    // It had only been slow to answer.
    wired.library.put_in("drv0", "RSP001L8").unwrap();
    // Nor does it say where things are.
    wired.changer.cut(&[MOVE, 0xb8]);
    let refused = trouble(wired.library.take_out("drv0"));
    assert!(matches!(refused, Trouble::Changer(_)), "{refused}");
}

#[test]
fn what_somebody_moved_by_hand_is_found_where_it_is() {
    let wired = Wired::new(Technology::Lto8);
    let model = wired.model.clone();
    let mut done = false;
    // Between the look and the move somebody at the panel has it put elsewhere.
    wired.changer.on(move |cdb| {
        if cdb[0] == MOVE && !std::mem::replace(&mut done, true) {
            panel(&model, SLOT + 1, SLOT + 4);
        }
        Then::GoOn
    });
    let loaded = wired.library.put_in("drv0", "RSP001L8").unwrap();
    assert_eq!(loaded.moved, Moved::From(ElementAddress(SLOT + 4)));
    assert_eq!((wired.changer.count(MOVE), wired.changer.count(SCAN)), (2, 1));
    wired.changer.on(|_| Then::GoOn);
    // Its slot is taken when it comes back.
    let model = wired.model.clone();
    let mut done = false;
    wired.changer.on(move |cdb| {
        if cdb[0] == MOVE && !std::mem::replace(&mut done, true) {
            panel(&model, SLOT + 2, SLOT + 4);
        }
        Then::GoOn
    });
    assert_eq!(wired.library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
    wired.changer.on(|_| Then::GoOn);
}

/// Somebody exchanges two cartridges between the look and the move, and the arm takes what lies there.
#[test]
fn another_cartridge_than_was_asked_for_is_told_before_anything_of_it_is_read() {
    let wired = Wired::new(Technology::Lto8);
    let model = wired.model.clone();
    let mut done = false;
    wired.changer.on(move |cdb| {
        if cdb[0] == MOVE && !std::mem::replace(&mut done, true) {
            panel(&model, SLOT + 1, SLOT + 4);
            panel(&model, SLOT + 2, SLOT + 1);
        }
        Then::GoOn
    });
    let refused = wired.library.put_in("drv0", "RSP001L8").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "library lib0: drive drv0 was to get RSP001L8, and the changer says that RSP002L8 is in it: make sure of the labels of both; \
         nothing was read or written"
    );
    assert_eq!((refused.blame(), wired.drives[0].count(0x08)), (Blame::Library, 0));
    wired.changer.on(|_| Then::GoOn);
    let refused = trouble(wired.library.put_in("drv0", "RSP001L8"));
    assert!(
        matches!(&refused, Trouble::Occupied { by: Some(by), .. } if by == "RSP002L8"),
        "{refused}"
    );
    wired.library.put_in("drv1", "RSP001L8").unwrap();
    assert_eq!(wired.library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
}

#[test]
fn an_inventory_that_stays_wrong_is_told_after_one_scan() {
    let wired = Wired::new(Technology::Lto8);
    for (asc, ascq) in [(0x3b, 0x0d), (0x3b, 0x0e), (0x3b, 0x12)] {
        let before = (wired.changer.count(MOVE), wired.changer.count(SCAN));
        wired.changer.on(move |cdb| {
            if cdb[0] == MOVE {
                Then::Check(5, asc, ascq)
            } else {
                Then::GoOn
            }
        });
        let refused = trouble(wired.library.put_in("drv0", "RSP001L8"));
        assert!(matches!(refused, Trouble::Arm { .. }), "{refused}");
        let after = (wired.changer.count(MOVE), wired.changer.count(SCAN));
        assert_eq!(after, (before.0 + 2, before.1 + 1));
    }
}

#[test]
fn a_door_that_was_opened_has_the_inventory_read_anew() {
    let wired = Wired::new(Technology::Lto8);
    wired.changer.once(MOVE, Then::Check(6, 0x28, 1));
    wired.library.put_in("drv0", "RSP001L8").unwrap();
    assert_eq!((wired.changer.count(MOVE), wired.changer.count(SCAN)), (2, 0));
}

#[test]
fn a_library_that_is_busy_with_itself_is_waited_for() {
    let wired = Wired::new(Technology::Lto8);
    let mut left = 20;
    wired.changer.on(move |cdb| {
        let busy = matches!(cdb[0], MOVE | 0xb8) && left > 0;
        left -= i32::from(busy);
        if busy { Then::Check(2, 4, 1) } else { Then::GoOn }
    });
    wired.library.put_in("drv0", "RSP001L8").unwrap();
    // But not for ever.
    wired.changer.on(|cdb| {
        if cdb[0] == MOVE {
            Then::Check(2, 4, 1)
        } else {
            Then::GoOn
        }
    });
    let refused = trouble(wired.library.take_out("drv0"));
    assert!(refused.to_string().contains("it is not ready (2/04/01)"), "{refused}");
}

#[test]
fn a_drive_that_dies_while_it_loads_keeps_the_cartridge_from_nobody() {
    let faults = fault("drive = 'drv0'", "load", "4/44/00", 0);
    let Rig { library, folder: _room } = Rig::with_faults(Technology::Lto9, &faults);
    let refused = library.put_in("drv0", "RSP001L9").unwrap_err();
    assert!(
        refused
            .to_string()
            .starts_with("library lib0: drive drv0, with RSP001L9: loading failed in drv0"),
        "{refused}"
    );
    assert_eq!(refused.blame(), Blame::Drive);
    assert_eq!(place(&library, "RSP001L9"), ElementAddress(DRIVE));
    let told = library.drive_status("drv0").unwrap();
    assert_eq!(
        (told.bay.state, told.barcode.as_deref()),
        (BayState::Free, Some("RSP001L9"))
    );
    assert_eq!(told.alerts.iter().map(|alert| alert.number()).collect::<Vec<_>>(), [30]);
    let loaded = library.put_in("drv1", "RSP001L9").unwrap();
    assert_eq!(loaded.moved, Moved::From(ElementAddress(DRIVE)));
    library.take_out("drv1").unwrap().unwrap();
}

/// It neither loads nor lets go: nobody pulls a cartridge out of it.
#[test]
fn a_cartridge_in_a_dead_drive_stays_and_everything_else_goes_on() {
    let wired = Wired::new(Technology::Lto9);
    let library = &wired.library;
    // From the first command after the move on it is dead.
    wired.drives[0].on(|_| Then::Silence);
    let refused = trouble(library.put_in("drv0", "RSP001L9"));
    let Trouble::Drive { error, .. } = &refused else {
        panic!("{refused}")
    };
    assert!(matches!(error.fault, DriveFault::Transport(_)));
    let moves = wired.changer.count(MOVE);
    let refused = trouble(library.put_in("drv1", "RSP001L9"));
    assert!(
        matches!(&refused, Trouble::InAnotherBay { bay, why, .. } if bay == "drv0" && why.contains("by hand")),
        "{refused}"
    );
    assert!(library.take_out("drv0").is_err());
    assert_eq!(wired.changer.count(MOVE), moves);
    assert!(
        library
            .drive_status("drv0")
            .unwrap()
            .trouble
            .unwrap()
            .contains("no answer")
    );
    library.put_in("drv1", "RSP002L9").unwrap();
    // It was switched off and on.
    wired.drives[0].on(|_| Then::GoOn);
    library.take_out("drv1").unwrap();
    library.put_in("drv1", "RSP001L9").unwrap();
}

#[test]
fn a_drive_that_does_not_let_go_keeps_what_it_has() {
    let faults = fault("drive = 'drv0'", "unload", "4/53/00", 1);
    let Rig { library, folder: _room } = Rig::with_faults(Technology::Lto9, &faults);
    library.put_in("drv0", "RSP001L9").unwrap();
    let refused = trouble(library.take_out("drv0"));
    assert!(
        matches!(&refused, Trouble::Drive { bay, .. } if bay == "drv0"),
        "{refused}"
    );
    assert_eq!(library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
}

/// What it had written last is lost, and told; the cartridge comes out all the same when it is asked for again.
#[test]
fn a_cartridge_comes_out_only_after_everything_is_on_the_tape_or_told() {
    let faults = fault("drive = 'drv0'", "sync", "3/0c/00", 1);
    let Rig { library, folder: _room } = Rig::with_faults(Technology::Lto9, &faults);
    library.put_in("drv0", "RSP001L9").unwrap();
    let drive = library.drive("drv0").unwrap();
    drive.lock().unwrap().write(&[1; 1000]).unwrap();
    let refused = trouble(library.take_out("drv0"));
    assert!(refused.to_string().contains("3/0c/00"), "{refused}");
    assert_eq!(place(&library, "RSP001L9"), ElementAddress(DRIVE));
    assert!(library.take_out("drv0").unwrap().is_some());
    library.put_in("drv0", "RSP002L9").unwrap();
    drive.lock().unwrap().write(&[1; 1000]).unwrap();
    assert!(library.take_out("drv0").unwrap().is_some());
    library.put_in("drv1", "RSP002L9").unwrap();
    let end = library.drive("drv1").unwrap().lock().unwrap().locate_end(Partition(0));
    assert_eq!(end.unwrap().block, 1);
}
