//! What is where, and what is refused by name.

use super::support::{DRIVE, MAIL, Rig, SLOT, all_there, new, opened, place, room, trouble};
use lrs::ldm::changer::{ElementAddress, ElementKind};
use lrs::ldm::library::{Library, NewLibrary, Trouble};
use lrs::ldm::virt::{Card, Kind, Technology};
use lrs::ldm::{Blame, Disposition, Op};

const LTO: [(Technology, &str); 3] = [
    (Technology::Lto7, "L7"),
    (Technology::Lto8, "L8"),
    (Technology::Lto9, "L9"),
];

#[test]
fn a_new_library_has_blank_cartridges_of_its_generation() {
    for (technology, end) in LTO {
        let Rig { library, folder } = Rig::new(technology);
        let inventory = library.inventory().unwrap();
        let slots: Vec<_> = inventory.of(ElementKind::Slot).collect();
        let barcodes: Vec<_> = slots.iter().filter_map(|slot| slot.barcode.clone()).collect();
        let names: Vec<String> = (0..4).map(|number| format!("RSP00{number}{end}")).collect();
        assert_eq!(barcodes, names);
        assert_eq!(inventory.free_slots(), [ElementAddress(1028), ElementAddress(1029)]);
        let mail: Vec<_> = inventory.of(ElementKind::MailSlot).collect();
        assert!(mail.len() == 2 && mail.iter().all(|slot| !slot.full));
        assert_eq!(library.last_inventory(), inventory);
        assert_eq!(
            library.cartridge_path("RSP000L9").is_some(),
            technology == Technology::Lto9
        );
        let bays = library.bays();
        let who: Vec<_> = bays.iter().map(|bay| (bay.name.as_str(), bay.element.0)).collect();
        assert_eq!(who, [("drv0", DRIVE), ("drv1", DRIVE + 1)]);
        for bay in &bays {
            assert_eq!(
                bay.serial,
                bay.identity.as_ref().map(|identity| identity.serial.clone())
            );
            assert_eq!(bay.generation.unwrap().to_string(), technology.to_string());
        }
        drop(library);
        all_there(&opened(folder.path(), "").unwrap(), &names);
    }
}

#[test]
fn a_library_is_made_whole_or_not_at_all() {
    let folder = room();
    let place = folder.path().join("lib");
    let cases = [
        NewLibrary {
            cartridges: 7,
            ..new(Technology::Lto9)
        },
        NewLibrary {
            drives: 0,
            ..new(Technology::Lto9)
        },
        new(Technology::Lto7M8),
    ];
    for case in cases {
        assert!(
            matches!(trouble(Library::create(&place, &case)), Trouble::Refused(_)),
            "{case:?}"
        );
        assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none(), "{case:?}");
    }
    // Of somebody who died while he made it.
    std::fs::create_dir(folder.path().join(".lib.new")).unwrap();
    std::fs::write(folder.path().join(".lib.new/library.json"), "{").unwrap();
    Library::create(&place, &new(Technology::Lto9)).unwrap();
    let refused = trouble(Library::create(&place, &new(Technology::Lto9)));
    assert!(refused.to_string().contains("is not empty"), "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(opened(&place, "").unwrap().inventory().unwrap().free_slots().len(), 2);
}

#[test]
fn a_virtual_library_is_opened_by_one_at_a_time() {
    let rig = Rig::new(Technology::Lto9);
    let refused = trouble(opened(rig.folder.path(), ""));
    assert!(
        refused.to_string().contains("another program has this library open"),
        "{refused}"
    );
    assert!(matches!(refused, Trouble::NotToBeHad(_)));
    let rig = rig.again("", |_| {});
    rig.library.inventory().unwrap();
    let nowhere = trouble(opened(&rig.folder.path().join("nowhere"), ""));
    assert!(matches!(nowhere, Trouble::NotToBeHad(_)), "{nowhere}");
}

#[test]
fn a_barcode_that_nobody_has_and_one_that_was_not_read() {
    let rig = Rig::new(Technology::Lto9).retold("\"RSP003L9\"", "\"\"");
    let refused = rig.library.put_in("drv0", "RSP003L9").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "library lib0: it has no cartridge RSP003L9, unless it is what lies without a readable barcode in element 1027: put it in, or \
         have the library look at all its slots"
    );
    assert_eq!(
        (refused.blame(), refused.disposition()),
        (Blame::Library, Disposition::MoveElsewhere)
    );
    let inventory = rig.library.inventory().unwrap();
    assert_eq!(inventory.without_barcode(), [ElementAddress(1027)]);
    let told = refused.into_media(Op::Load, "tape-3");
    assert_eq!((told.blame(), told.is_integrity()), (Blame::Library, false));
    assert!(
        told.to_string().contains("tape-3") && told.to_string().contains("library lib0"),
        "{told}"
    );
    // Not even by no name.
    assert!(matches!(
        trouble(rig.library.put_in("drv0", "")),
        Trouble::NotHere { .. }
    ));
    let refused = trouble(rig.library.put_in("drv7", "RSP001L9"));
    assert_eq!(refused.to_string(), "it has no drive drv7");
}

#[test]
fn two_cartridges_of_one_barcode_are_not_touched() {
    let rig = Rig::new(Technology::Lto9).retold("RSP003L9", "RSP001L9");
    let refused = trouble(rig.library.put_in("drv0", "RSP001L9"));
    assert_eq!(
        refused.to_string(),
        "elements 1025 and 1027 have the barcode RSP001L9: none of them is touched until there is one"
    );
    let inventory = rig.library.inventory().unwrap();
    assert_eq!(inventory.duplicates().len(), 1);
    assert!(!inventory.at(ElementAddress(DRIVE)).unwrap().full);
    rig.library.put_in("drv0", "RSP002L9").unwrap();
}

#[test]
fn a_cleaning_cartridge_is_no_medium() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    let model = library.model().unwrap();
    let cleaning = |barcode| Card::blank(barcode, Technology::Lto9).of_kind(Kind::Cleaning);
    model.add(&cleaning("CLN001L9")).unwrap();
    assert_eq!(
        trouble(library.put_in("drv0", "CLN001L9")),
        Trouble::Cleaning("CLN001L9".to_owned())
    );
    assert_eq!(model.arm_time().as_secs(), 0, "nothing was moved");
    let inventory = library.inventory().unwrap();
    assert_eq!(inventory.cleaning(), ["CLN001L9"]);
    assert!(!inventory.at(ElementAddress(DRIVE)).unwrap().full);
    // One under a wrong name is found out by the drive, and put away again.
    model.add(&cleaning("RSP008L9")).unwrap();
    let home = place(&library, "RSP008L9");
    assert_eq!(
        trouble(library.put_in("drv0", "RSP008L9")),
        Trouble::Cleaning("RSP008L9".to_owned())
    );
    assert_eq!(place(&library, "RSP008L9"), home);
    library.put_in("drv0", "RSP001L9").unwrap();
}

#[test]
fn a_full_library_keeps_the_cartridge_in_the_drive_and_says_so() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    library.put_in("drv0", "RSP001L9").unwrap();
    let model = library.model().unwrap();
    for barcode in ["TAP001L9", "TAP002L9", "TAP003L9"] {
        model.blank(barcode).unwrap();
    }
    let refused = library.take_out("drv0").unwrap_err();
    assert_eq!(
        refused.to_string(),
        "library lib0: no slot is free for RSP001L9, which stays in drive drv0: take a cartridge out of the library"
    );
    assert_eq!(place(&library, "RSP001L9"), ElementAddress(DRIVE));
    // It is used as before, or makes room by going to another drive.
    library.put_in("drv0", "RSP001L9").unwrap();
    assert!(matches!(trouble(library.take_out("drv0")), Trouble::NoRoom { .. }));
    library.put_in("drv1", "RSP001L9").unwrap();
    assert_eq!(place(&library, "RSP001L9"), ElementAddress(DRIVE + 1));
    library.put_in("drv0", "TAP001L9").unwrap();
    assert!(library.take_out("drv1").unwrap().is_some());
}

#[test]
fn a_cartridge_in_a_mail_slot_is_used_and_stays_in() {
    let rig = Rig::new(Technology::Lto9);
    let Rig { library, .. } = &rig;
    rig.panel(SLOT + 2, MAIL + 1);
    library.put_in("drv1", "RSP002L9").unwrap();
    // Its own slot is free again, and the first one.
    assert_eq!(library.take_out("drv1").unwrap(), Some(ElementAddress(SLOT + 2)));
    rig.panel(SLOT + 2, MAIL);
    rig.panel(SLOT + 3, SLOT + 2);
    library.put_in("drv1", "RSP002L9").unwrap();
    assert_eq!(library.take_out("drv1").unwrap(), Some(ElementAddress(SLOT + 3)));
    // A scan finds what is there, as a look does.
    assert_eq!(*library.scan().unwrap(), *library.inventory().unwrap());
}
