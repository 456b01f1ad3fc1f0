//! Element status, moves, and what a library remembers.

use super::support::{DRIVE, Host, Rig, SLOT, card, open};
use lrs::ldm::virt::{Card, Kind, LibraryError, SparseCartridge, Technology};

const MAIL: u16 = 16;

/// One element: address, full, accessible, barcode, source, serial.
type Element = (u16, bool, bool, String, Option<u16>, String);

fn elements(changer: &mut Host, kind: u8) -> Vec<Element> {
    let data = changer
        .ask(&[0xb8, 0x10 | kind, 0, 0, 0xff, 0xff, 1, 0, 0xff, 0xff, 0, 0], 65_535)
        .good();
    if data[2..4] == [0, 0] {
        return Vec::new();
    }
    assert_eq!((data[8], data[9]), (kind, 0x80));
    let each = usize::from(u16::from_be_bytes([data[10], data[11]]));
    let word = |bytes: &[u8]| u16::from_be_bytes([bytes[0], bytes[1]]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches([' ', '\0']).to_owned();
    let one = |e: &[u8]| {
        let source = (e[9] & 0x80 != 0).then(|| word(&e[10..]));
        let serial = text(&e[52..52 + usize::from(e[51])]);
        (word(e), e[2] & 1 == 1, e[2] & 8 == 8, text(&e[12..44]), source, serial)
    };
    data[16..].chunks(each).map(one).collect()
}

#[test]
fn element_status_names_barcodes_sources_and_drives() {
    let mut rig = Rig::new(Technology::Lto8);
    rig.library.add(&card(1_000_000)).unwrap();
    assert_eq!(rig.changer.ready().says(), (6, 0x28, 1));
    rig.changer.ready().good();
    let slots = elements(&mut rig.changer, 2);
    assert_eq!(slots.len(), 6);
    assert_eq!(slots[0], (SLOT, true, true, "TAP001L8".to_owned(), None, String::new()));
    rig.changer.moves(SLOT, DRIVE + 1).good();
    let drives = elements(&mut rig.changer, 4);
    let serial = |number| rig.library.drive_serial(number).unwrap();
    assert_eq!(drives[0], (DRIVE, false, true, String::new(), None, serial(0)));
    assert_eq!(
        drives[1],
        (DRIVE + 1, true, false, "TAP001L8".to_owned(), Some(SLOT), serial(1))
    );
    assert_ne!(serial(0), serial(1));
    assert_eq!(elements(&mut rig.changer, 1).len(), 1);
    assert_eq!(elements(&mut rig.changer, 3).len(), 2);
    let own = rig.drive(1).ask(&[0x12, 1, 0x80, 0, 64, 0], 64).good();
    assert_eq!(own[4..], *serial(1).as_bytes());
    let some = rig.changer.ask(&[0xb8, 2, 4, 2, 0, 2, 0, 0, 1, 0, 0, 0], 256).good();
    assert_eq!(some[..4], [4, 2, 0, 2]);
}

#[test]
fn moves_are_refused_where_they_cannot_be() {
    let mut rig = Rig::new(Technology::Lto8);
    rig.library.add(&card(1_000_000)).unwrap();
    rig.library.blank("TAP002L8").unwrap();
    rig.changer.drain();
    assert_eq!(rig.changer.moves(SLOT, SLOT + 1).says(), (5, 0x3b, 0x0d));
    assert_eq!(rig.changer.moves(SLOT + 2, SLOT + 3).says(), (5, 0x3b, 0x0e));
    assert_eq!(rig.changer.moves(SLOT, 77).says(), (5, 0x21, 1));
    rig.changer.moves(SLOT, MAIL).good();
    rig.changer.does(&[0x07, 0, 0, 0, 0, 0]).good();
    rig.changer.does(&[0x37, 0, 0, 0, 0, 0, 0, 0, 0, 0]).good();
    assert!(rig.library.arm_time().as_secs() >= 8);
    assert_eq!(rig.changer.does(&[0xa6; 12]).says(), (5, 0x20, 0));
    let page = rig.changer.ask(&[0x1a, 8, 0x1d, 0, 64, 0], 64).good();
    assert_eq!(
        page[4..22],
        [0x1d, 0x12, 0, 1, 0, 1, 4, 0, 0, 6, 0, 16, 0, 2, 1, 0, 0, 2]
    );
}

#[test]
fn a_library_opened_again_has_everything_where_it_was() {
    let mut rig = Rig::new(Technology::Lto8);
    let mut drive = rig.load(&card(1_000_000));
    drive.write(&[1; 100]).good();
    drive.flush().good();
    drive.write(&[2; 100]).good();
    drop(drive);
    let Rig {
        folder,
        library,
        changer,
    } = rig;
    drop((library, changer));
    let library = open(folder.path(), "");
    let mut changer = Host(Box::new(library.changer_transport()));
    assert_eq!(changer.ready().says(), (6, 0x29, 0));
    assert_eq!(elements(&mut changer, 4)[0].3, "TAP001L8");
    assert_eq!(elements(&mut changer, 4)[0].4, Some(SLOT));
    let mut drive = Host(Box::new(library.drive_transport(0).unwrap()));
    drive.drain().good();
    assert_eq!(drive.read(100).good(), vec![1; 100]);
    // What the process had not flushed is gone with it, and its file is taken away by the next write.
    assert_eq!(drive.read(100).says(), (8, 0, 5));
    drive.write(&[3; 50]).good();
    drive.flush().good();
    drive.rewind();
    drive.read(100).good();
    assert_eq!(drive.ask(&super::support::six(8, 2, 100), 100).good(), vec![3; 50]);
}

#[test]
fn a_cleaning_cartridge_is_no_medium() {
    let mut rig = Rig::new(Technology::Lto8);
    let card = Card::blank("CLN001L8", Technology::Lto8).of_kind(Kind::Cleaning);
    let mut drive = rig.load(&card);
    assert_eq!(drive.ready().says(), (2, 0x30, 3));
    drive.unload().good();
    rig.changer.moves(DRIVE, SLOT).good();
}

#[test]
fn a_barcode_is_there_once_and_names_no_other_folder() {
    let rig = Rig::new(Technology::Lto8);
    rig.library.blank("TAP001L8").unwrap();
    assert!(matches!(rig.library.blank("TAP001L8"), Err(LibraryError::Twice(_))));
    for wrong in ["", "../X", "a", "TAP 1"] {
        assert!(
            matches!(rig.library.blank(wrong), Err(LibraryError::NoBarcode(_))),
            "{wrong}"
        );
    }
    for number in 2..7 {
        rig.library.blank(&format!("TAP00{number}L8")).unwrap();
    }
    assert!(matches!(rig.library.blank("TAP007L8"), Err(LibraryError::Full)));
}

/// It goes from drive to drive and back to its slot with everything on it, and does not outlive the library.
#[test]
fn a_cartridge_in_memory_is_moved_as_any_other() {
    let mut rig = Rig::new(Technology::Lto8);
    let mut tape = SparseCartridge::new(Card::blank("BIG001L8", Technology::Lto8));
    tape.append_synthetic(0, 1 << 20, 1 << 20, 7).unwrap();
    rig.library.lend(tape).unwrap();
    assert!(matches!(rig.library.blank("BIG001L8"), Err(LibraryError::Twice(_))));
    assert!(matches!(
        rig.library.cartridge_path("BIG001L8"),
        Err(LibraryError::Unknown(_))
    ));
    rig.changer.drain();
    rig.changer.moves(SLOT, DRIVE).good();
    let mut drive = rig.drive(0);
    drive.space(3, 0).good();
    assert_eq!(drive.stands().1, 1 << 20);
    drive.write(b"behind a tebibyte").good();
    drive.unload().good();
    rig.changer.moves(DRIVE, DRIVE + 1).good();
    let mut drive = rig.drive(1);
    drive.locate(0, 1 << 20).good();
    assert_eq!(drive.read(17).good(), b"behind a tebibyte");
    drive.write(b"lost").good();
    rig.library.power_cut();
    drive.drain().good();
    drive.unload().good();
    rig.changer.drain();
    rig.changer.moves(DRIVE + 1, SLOT).good();
    rig.changer.moves(SLOT, DRIVE).good();
    let mut drive = rig.drive(0);
    drive.space(3, 0).good();
    assert_eq!(drive.stands().1, (1 << 20) + 1);
    let Rig { folder, library, .. } = rig;
    drop((drive, library));
    let library = open(folder.path(), "");
    library.blank("BIG001L8").unwrap();
}
