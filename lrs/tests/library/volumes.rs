//! Volumes in bays: written here, read there, and never two at a time.

use super::support::{Rig, SLOT, Tap, expected, formatted, key, label, new, room, trouble, wires};
use crate::volume::{Put, entries, get, pattern, put};
use dss::model::Generation;
use lrs::ldm::changer::ElementAddress;
use lrs::ldm::fs::Volume;
use lrs::ldm::fs::ltfs::medium::Shape;
use lrs::ldm::library::{BayState, Library, NewLibrary, Patience, Trouble};
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::virt::{Card, Kind, Tab, Technology, VirtualLibrary};
use lrs::ldm::{Blame, Fault, Op};

fn reads(volume: &mut dyn Volume, puts: &[Put], generation: Generation) {
    assert_eq!(entries(volume).len(), puts.len());
    for one in puts {
        assert_eq!(get(volume, &one.wanted(generation)).unwrap(), one.bytes);
    }
}

#[test]
fn a_volume_written_in_one_bay_is_read_in_another() {
    for technology in [Technology::Lto7, Technology::Lto8, Technology::Lto9] {
        let Rig { library, folder } = Rig::new(technology);
        let barcode = format!("RSP001{}", technology.cart_type());
        let label = formatted(&library, &barcode);
        let mut volume = library.mount("drv0", &barcode, expected(&label)).unwrap();
        let mut puts = Vec::new();
        for (seed, bytes) in [0, 1, 65_536, 300_000, 1_000_000].into_iter().enumerate() {
            puts.push(put(&mut *volume, &format!("reports/{seed}"), &pattern(bytes, seed as u8)).unwrap());
        }
        volume.sync().unwrap();
        let refused = trouble(library.take_out("drv0"));
        assert_eq!(
            refused.to_string(),
            format!("drive drv0 is in use: medium {barcode} is mounted")
        );
        let refused = trouble(library.put_in("drv1", &barcode));
        assert!(matches!(refused, Trouble::InAnotherBay { .. }), "{refused}");
        assert!(matches!(&library.bays()[0].state, BayState::Mounted { medium, .. } if *medium == barcode));
        drop(volume);
        library.unmount("drv0").unwrap();
        assert_eq!(library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
        let mut volume = library.mount("drv1", &barcode, expected(&label)).unwrap();
        reads(&mut *volume, &puts, label.generation);
        puts.push(put(&mut *volume, "more", &pattern(200_000, 9)).unwrap());
        volume.sync().unwrap();
        drop(volume);
        library.unmount("drv1").unwrap();
        library.take_out("drv1").unwrap();
        drop(library);
        let library = super::support::opened(folder.path(), "").unwrap();
        let mut volume = library.mount("drv0", &barcode, expected(&label)).unwrap();
        reads(&mut *volume, &puts, label.generation);
    }
}

#[test]
fn an_unmount_ends_a_volume_that_somebody_still_holds() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    let label = formatted(&library, "RSP001L9");
    let mut volume = library.mount("drv0", "RSP001L9", expected(&label)).unwrap();
    put(&mut *volume, "one", b"1").unwrap();
    library.unmount("drv0").unwrap();
    assert_eq!(volume.sync().unwrap_err().fault, Fault::NeedsReopen);
    // Nothing is mounted any more: that is success, too, and in a bay that was never used.
    library.unmount("drv0").unwrap();
    library.unmount("drv1").unwrap();
    assert!(matches!(library.bays()[0].state, BayState::Loaded(_)));
    let mut again = library.mount("drv0", "RSP001L9", expected(&label)).unwrap();
    assert!(volume.identify().is_err() && again.identify().is_ok());
    assert!(entries(&mut *again).is_empty());
}

#[test]
fn another_medium_than_expected_is_told_and_stays_in_the_bay() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    formatted(&library, "RSP001L9");
    let other = label("other");
    let Err(refused) = library.mount("drv0", "RSP001L9", expected(&other)) else {
        panic!("it was mounted")
    };
    let error = refused.into_media(Op::Mount, "other");
    assert!(matches!(error.fault, Fault::WrongMedium { .. }), "{error}");
    assert!(matches!(library.bays()[0].state, BayState::Loaded(_)));
    // A blank one is none either.
    library.take_out("drv0").unwrap();
    let Err(refused) = library.mount("drv0", "RSP002L9", expected(&other)) else {
        panic!("it was mounted")
    };
    assert_eq!(refused.blame(), Blame::Medium);
    library.take_out("drv0").unwrap();
}

#[test]
fn only_a_blank_tape_that_can_be_written_is_formatted() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto7);
    let model = library.model().unwrap();
    let of = |barcode: &str, technology| Card::blank(barcode, technology);
    model
        .add(&of("WRM001LX", Technology::Lto7).of_kind(Kind::Worm))
        .unwrap();
    model
        .add(&of("TAB001L7", Technology::Lto7).with_tab(Tab::Protected))
        .unwrap();
    formatted(&library, "RSP001L7");
    library.take_out("drv0").unwrap();
    let refused = |barcode: &str, words: &str| {
        let error = library
            .format("drv0", barcode, &label("new"), &Shape::usual(barcode))
            .unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(error.blame(), Blame::Operator, "{error}");
        library.take_out("drv0").unwrap().unwrap();
    };
    refused("WRM001LX", "written once");
    refused("TAB001L7", "move its tab");
    refused("RSP001L7", "it is a medium already: RSP001L7");
    // An older cartridge, which these drives only read.
    let few = NewLibrary {
        cartridges: 1,
        ..new(Technology::Lto7)
    };
    let Rig { library, folder: _few } = Rig::of(&few, "");
    library.model().unwrap().add(&of("OLD001L5", Technology::Lto5)).unwrap();
    let shape = Shape::usual("OLD001L5");
    let error = library.format("drv0", "OLD001L5", &label("new"), &shape).unwrap_err();
    assert!(error.to_string().contains("only reads LTO-5 cartridges"), "{error}");
    library.take_out("drv0").unwrap();
    // A label for one cartridge is not put on another.
    let error = library.format("drv0", "RSP000L7", &label("new"), &shape).unwrap_err();
    assert!(matches!(error.trouble, Trouble::Unfit { .. }), "{error}");
}

#[test]
fn a_drive_that_another_host_has_taken_is_told_with_its_key() {
    let folder = room();
    Library::create(folder.path(), &new(Technology::Lto9)).unwrap();
    let model = VirtualLibrary::open(folder.path()).unwrap();
    let host = |key: Key| {
        let (changer, drives) = (Tap::default(), [Tap::default(), Tap::default()]);
        let wires = wires(&model, &changer, &drives, &[0, 1]);
        Library::over("lib0", wires, key, Patience::counted()).unwrap()
    };
    let (ours, theirs) = (host(key()), host(Key::new(0xbad).unwrap()));
    let label = formatted(&theirs, "RSP001L9");
    let volume = theirs.mount("drv0", "RSP001L9", expected(&label)).unwrap();
    let Err(refused) = ours.mount("drv0", "RSP001L9", expected(&label)) else {
        panic!("it was mounted")
    };
    assert!(
        refused.to_string().contains("the host with key 0x0000000000000bad"),
        "{refused}"
    );
    assert_eq!(refused.blame(), Blame::Operator);
    // Nor is it taken from there.
    let refused = trouble(ours.put_in("drv1", "RSP001L9"));
    assert!(matches!(refused, Trouble::InAnotherBay { .. }), "{refused}");
    drop(volume);
    theirs.unmount("drv0").unwrap();
    ours.mount("drv1", "RSP001L9", expected(&label)).unwrap();
}
