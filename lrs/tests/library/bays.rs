//! Which drive is in which bay, and what happens between bays.

use super::support::{DRIVE, Rig, SLOT, Tap, Wired, all_there, key, new, place, room, tapped, trouble, wires};
use lrs::ldm::changer::ElementAddress;
use lrs::ldm::library::{BayState, Library, Moved, Patience, Trouble};
use lrs::ldm::virt::{Card, Technology, VirtualLibrary};
use std::sync::Arc;

#[test]
fn drives_are_found_by_serial_number_in_whatever_order_a_host_has_them() {
    for order in [[0, 1], [1, 0]] {
        let folder = room();
        Library::create(folder.path(), &new(Technology::Lto8)).unwrap();
        let model = VirtualLibrary::open(folder.path()).unwrap();
        let (changer, drives) = (Tap::default(), [Tap::default(), Tap::default()]);
        let wires = wires(&model, &changer, &drives, &order);
        let library = Library::over("lib0", wires, key(), Patience::counted()).unwrap();
        let serials: Vec<_> = library
            .bays()
            .into_iter()
            .map(|bay| bay.identity.unwrap().serial)
            .collect();
        assert_eq!(serials, [0, 1].map(|number| model.drive_serial(number).unwrap()));
        for (number, bay) in ["drv0", "drv1"].into_iter().enumerate() {
            let before = drives.each_ref().map(|tap| tap.count(0x34));
            let barcode = format!("RSP00{number}L8");
            let loaded = library.put_in(bay, &barcode).unwrap();
            assert_eq!(loaded.moved, Moved::From(ElementAddress(SLOT + number as u16)));
            assert_eq!(place(&library, &barcode), ElementAddress(DRIVE + number as u16));
            // The drive that was asked where it stands is the one that has it.
            let after = drives.each_ref().map(|tap| tap.count(0x34));
            assert!(after[number] > before[number] && after[1 - number] == before[1 - number]);
        }
    }
}

#[test]
fn a_drive_of_another_host_is_a_bay_that_says_so() {
    let folder = room();
    Library::create(folder.path(), &new(Technology::Lto8)).unwrap();
    let model = VirtualLibrary::open(folder.path()).unwrap();
    // This host has the second drive, and one of another library.
    let elsewhere = room();
    Library::create(elsewhere.path(), &new(Technology::Lto8)).unwrap();
    let other = VirtualLibrary::open(elsewhere.path()).unwrap();
    let (changer, drives) = (Tap::default(), [Tap::default(), Tap::default()]);
    let mut wires = wires(&model, &changer, &drives, &[1]);
    let strange = Tap::default();
    wires
        .drives
        .insert(0, tapped(Box::new(other.drive_transport(0).unwrap()), &strange));
    // Nor is a device of another kind, or one that does not answer, a drive.
    wires.drives.push(Box::new(other.changer_transport()));
    wires.passed.push("/dev/sg7 is in use by another program".to_owned());
    let library = Library::over("lib0", wires, key(), Patience::counted()).unwrap();
    let bays = library.bays();
    let BayState::Unreachable(why) = &bays[0].state else {
        panic!("{:?}", bays[0])
    };
    assert!(
        why.contains("not reachable from this host") && why.contains("/dev/sg7"),
        "{why}"
    );
    let refused = trouble(library.put_in("drv0", "RSP001L8"));
    assert!(
        matches!(&refused, Trouble::Unreachable { bay, .. } if bay == "drv0"),
        "{refused}"
    );
    assert!(library.drive("drv0").is_err());
    let told = library.drive_status("drv0").unwrap();
    assert!(matches!(told.bay.state, BayState::Unreachable(_)) && told.trouble.is_none());
    library.put_in("drv1", "RSP001L8").unwrap();
    // The strange drive, which others may use, was asked who it is, and nothing else.
    assert_eq!((strange.count(0x12), strange.total()), (2, 2));
}

#[test]
fn a_drive_that_does_not_answer_is_a_bay_that_says_so() {
    let folder = room();
    Library::create(folder.path(), &new(Technology::Lto8)).unwrap();
    let model = VirtualLibrary::open(folder.path()).unwrap();
    let (changer, drives) = (Tap::default(), [Tap::default(), Tap::default()]);
    // It says who it is, and nothing else.
    drives[0].cut(&[0x00]);
    let wires = wires(&model, &changer, &drives, &[0, 1]);
    let library = Library::over("lib0", wires, key(), Patience::counted()).unwrap();
    let refused = trouble(library.put_in("drv0", "RSP001L8"));
    assert!(refused.to_string().contains("no answer"), "{refused}");
    library.put_in("drv1", "RSP001L8").unwrap();
}

#[test]
fn a_cartridge_that_is_there_is_not_moved() {
    let wired = Wired::new(Technology::Lto8);
    let library = &wired.library;
    library.put_in("drv0", "RSP001L8").unwrap();
    assert_eq!(wired.changer.count(0xa5), 1);
    for _ in 0..2 {
        assert_eq!(library.put_in("drv0", "RSP001L8").unwrap().moved, Moved::No);
    }
    assert_eq!(wired.changer.count(0xa5), 1);
    let refused = trouble(library.put_in("drv0", "RSP002L8"));
    assert_eq!(refused.to_string(), "drive drv0 holds RSP001L8: take that out first");
    assert_eq!(library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
    assert_eq!(library.take_out("drv0").unwrap(), None);
    library.put_in("drv0", "RSP002L8").unwrap();
}

#[test]
fn a_cartridge_in_another_bay_stays_there_while_it_is_used() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto8);
    library.put_in("drv0", "RSP001L8").unwrap();
    let refused = library.put_in("drv1", "RSP001L8").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "library lib0: RSP001L8 is in drive drv0: that drive is in use (it is loaded): take it out there first"
    );
    assert!(matches!(library.bays()[0].state, BayState::Loaded(_)));
    assert_eq!(library.bays()[1].state, BayState::Free);
    library.put_in("drv0", "RSP001L8").unwrap();
}

#[test]
fn a_cartridge_that_was_left_in_another_bay_is_taken_from_there() {
    let rig = Rig::new(Technology::Lto8);
    rig.library.put_in("drv0", "RSP001L8").unwrap();
    rig.library.put_in("drv1", "RSP002L8").unwrap();
    let rig = rig.again("", |_| {});
    let Rig { library, .. } = &rig;
    assert_eq!(place(library, "RSP001L8"), ElementAddress(DRIVE));
    // The bay that is to get it is full: nothing is moved.
    let refused = trouble(library.put_in("drv1", "RSP001L8"));
    assert!(
        matches!(&refused, Trouble::Occupied { by: Some(by), .. } if by == "RSP002L8"),
        "{refused}"
    );
    assert_eq!(place(library, "RSP001L8"), ElementAddress(DRIVE));
    assert_eq!(library.take_out("drv1").unwrap(), Some(ElementAddress(SLOT + 2)));
    let loaded = library.put_in("drv1", "RSP001L8").unwrap();
    assert_eq!(loaded.moved, Moved::From(ElementAddress(DRIVE)));
    // The changer says that it came from a drive; a slot is free for it all the same.
    assert!(library.take_out("drv1").unwrap().unwrap().0 >= SLOT);
}

#[test]
fn a_cartridge_of_another_generation_is_refused_and_blocks_no_drive() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    let model = library.model().unwrap();
    for (barcode, technology) in [("OLD001L7", Technology::Lto7), ("OLD002", Technology::Lto7)] {
        model.add(&Card::blank(barcode, technology)).unwrap();
    }
    let (known, unknown) = (place(&library, "OLD001L7"), place(&library, "OLD002"));
    let refused = trouble(library.put_in("drv0", "OLD001L7"));
    assert_eq!(
        refused.to_string(),
        "OLD001L7 is not for drive drv0: it is an LTO-7 cartridge, and the drive is of LTO-9"
    );
    assert_eq!(model.arm_time().as_secs(), 0, "nothing was moved");
    let refused = trouble(library.put_in("drv0", "OLD002"));
    assert!(matches!(refused, Trouble::WrongGeneration { .. }), "{refused}");
    assert_eq!(
        (place(&library, "OLD001L7"), place(&library, "OLD002")),
        (known, unknown)
    );
    library.put_in("drv0", "RSP001L9").unwrap();
}

/// One arm and two drives, each with a thread of its own.
#[test]
fn two_drives_share_one_arm() {
    for technology in [Technology::Lto7, Technology::Lto8, Technology::Lto9] {
        let Rig { library, folder } = Rig::new(technology);
        let library = Arc::new(library);
        let barcodes: Vec<String> = (0..4)
            .map(|number| format!("RSP00{number}{}", technology.cart_type()))
            .collect();
        let workers: Vec<_> = (0..2)
            .map(|number: usize| {
                let (library, barcodes) = (library.clone(), barcodes.clone());
                std::thread::spawn(move || {
                    let bay = format!("drv{number}");
                    for round in 0..20 {
                        // Each has cartridges of its own.
                        let barcode = &barcodes[number * 2 + round % 2];
                        let loaded = library.put_in(&bay, barcode).unwrap();
                        assert_eq!(loaded.barcode, *barcode);
                        library.drive_status(&bay).unwrap();
                        library.take_out(&bay).unwrap().unwrap();
                    }
                })
            })
            .collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        all_there(&library, &barcodes);
        assert!(library.bays().iter().all(|bay| bay.state == BayState::Free));
        drop((library, folder));
    }
}

/// Both want the same cartridge: one gets it, the other is told, and nobody waits for ever.
#[test]
fn two_drives_that_want_one_cartridge_do_not_both_get_it() {
    let Rig { library, folder } = Rig::new(Technology::Lto8);
    let library = Arc::new(library);
    for _ in 0..20 {
        let wants = |bay: &'static str| {
            let library = library.clone();
            std::thread::spawn(move || library.put_in(bay, "RSP001L8"))
        };
        let answers = [wants("drv0"), wants("drv1")].map(|worker| worker.join().unwrap());
        let got: Vec<_> = (0..2).filter(|number| answers[*number].is_ok()).collect();
        assert_eq!(got.len(), 1, "{answers:?}");
        let ([Err(error), _] | [_, Err(error)]) = &answers else {
            panic!("{answers:?}")
        };
        assert!(
            matches!(error.trouble, Trouble::InAnotherBay { .. } | Trouble::OutOfReach { .. }),
            "{error}"
        );
        library.take_out(["drv0", "drv1"][got[0]]).unwrap().unwrap();
    }
    drop((library, folder));
}
