//! What is on a cartridge, whoever wrote it.

use super::support::{Rig, expected, formatted, label, new, place, trouble};
use crate::fixtures::each;
use crate::volume::put;
use lrs::ldm::drive::{Attribute, AttributeFormat, Partition};
use lrs::ldm::fs::ltfs::medium::Shape;
use lrs::ldm::library::{Holds, Library, NewLibrary, Trouble, Writing};
use lrs::ldm::virt::{Card, Kind, Tab, Technology};

fn holds(library: &Library, barcode: &str) -> Holds {
    let found = library.read_label("drv0", barcode).unwrap();
    assert_eq!(found.barcode, barcode);
    library.take_out("drv0").unwrap().unwrap();
    found.holds
}

/// Whatever is not blank is not formatted.
fn is_kept(library: &Library, barcode: &str) {
    let refused = library.format("drv0", barcode, &label("new"), &Shape::usual(barcode));
    assert!(matches!(trouble(refused), Trouble::Media(_)));
    library.take_out("drv0").unwrap().unwrap();
}

#[test]
fn blank_tapes_and_media_of_ours() {
    for technology in [Technology::Lto7, Technology::Lto8, Technology::Lto9] {
        let Rig { library, folder: _room } = Rig::new(technology);
        let [blank, ours] = [0, 1].map(|number| format!("RSP00{number}{}", technology.cart_type()));
        let found = library.read_label("drv0", &blank).unwrap();
        assert_eq!((&found.holds, found.writing), (&Holds::Blank, Writing::Allowed));
        assert_eq!(found.to_string(), format!("{blank}: blank; can be written"));
        library.take_out("drv0").unwrap();
        let label = formatted(&library, &ours);
        assert_eq!(
            library.read_label("drv0", &ours).unwrap().holds,
            Holds::Ours(label.clone())
        );
        let mut volume = library.mount("drv0", &ours, expected(&label)).unwrap();
        put(&mut *volume, "one", b"1").unwrap();
        volume.sync().unwrap();
        assert!(matches!(
            trouble(library.read_label("drv0", &ours)),
            Trouble::InUse { .. }
        ));
        drop(volume);
        library.unmount("drv0").unwrap();
        library.take_out("drv0").unwrap();
        assert_eq!(library.read_label("drv1", &ours).unwrap().holds, Holds::Ours(label));
        library.take_out("drv1").unwrap();
        is_kept(&library, &ours);
    }
}

#[test]
fn data_of_others_and_remains() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    for barcode in ["RSP000L9", "RSP001L9", "RSP002L9", "RSP003L9"] {
        library.put_in("drv0", barcode).unwrap();
        let drive = library.drive("drv0").unwrap();
        let mut drive = drive.lock().unwrap();
        match barcode {
            // A tar, say.
            "RSP000L9" => drop(drive.write(&[b'x'; 512]).unwrap()),
            // Somebody began with a filemark.
            "RSP001L9" => drop(drive.write_filemarks(1).unwrap()),
            "RSP002L9" => {
                let id = Attribute {
                    id: 0x0820,
                    format: AttributeFormat::Binary,
                    value: b"0198c0de-0000-7000-8000-000000000000".to_vec(),
                };
                drive.set_attribute(Partition(0), &id).unwrap();
            }
            _ => {
                let coherency = Attribute {
                    id: 0x080c,
                    format: AttributeFormat::Binary,
                    value: vec![1; 70],
                };
                drive.set_attribute(Partition(0), &coherency).unwrap();
            }
        }
        drop(drive);
        library.take_out("drv0").unwrap();
    }
    assert!(matches!(holds(&library, "RSP000L9"), Holds::NotLtfs(_)));
    assert!(matches!(holds(&library, "RSP001L9"), Holds::NotLtfs(_)));
    let remains = holds(&library, "RSP002L9");
    assert!(
        matches!(&remains, Holds::Remains(words) if words.contains("0198c0de")),
        "{remains}"
    );
    assert!(matches!(holds(&library, "RSP003L9"), Holds::Remains(_)));
    for barcode in ["RSP000L9", "RSP001L9", "RSP002L9", "RSP003L9"] {
        is_kept(&library, barcode);
    }
}

#[test]
fn labels_of_a_later_version_and_damaged_ones() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    for barcode in ["RSP000L9", "RSP001L9"] {
        formatted(&library, barcode);
        library.take_out("drv0").unwrap();
    }
    for record in ["0_2_R", "1_2_R"] {
        let path = library.cartridge_path("RSP000L9").unwrap().join(record);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("version=\"2.4.0\""));
        std::fs::write(path, text.replace("version=\"2.4.0\"", "version=\"3.0.0\"")).unwrap();
        let path = library.cartridge_path("RSP001L9").unwrap().join(record);
        std::fs::write(path, "<ltfslabel").unwrap();
    }
    let newer = holds(&library, "RSP000L9");
    assert!(
        matches!(&newer, Holds::Newer(words) if words.contains("3.0.0")),
        "{newer}"
    );
    assert!(matches!(holds(&library, "RSP001L9"), Holds::Damaged(_)));
    is_kept(&library, "RSP000L9");
    is_kept(&library, "RSP001L9");
}

#[test]
fn what_cannot_be_written_or_not_be_loaded() {
    let none = NewLibrary {
        cartridges: 0,
        ..new(Technology::Lto7)
    };
    let Rig { library, folder: _room } = Rig::of(&none, "");
    let model = library.model().unwrap();
    let cards = [
        (
            Card::blank("WRM001LX", Technology::Lto7).of_kind(Kind::Worm),
            Writing::Worm,
        ),
        (
            Card::blank("TAB001L7", Technology::Lto7).with_tab(Tab::Protected),
            Writing::Protected,
        ),
        (Card::blank("OLD001L5", Technology::Lto5), Writing::OnlyRead),
        (Card::blank("NEW001", Technology::Lto9), Writing::NotKnown),
    ];
    for (card, writing) in cards {
        model.add(&card).unwrap();
        let home = place(&library, &card.barcode);
        let found = library.read_label("drv0", &card.barcode).unwrap();
        assert_eq!(found.writing, writing, "{found}");
        match writing {
            Writing::NotKnown => assert!(matches!(found.holds, Holds::WrongGeneration(_)), "{found}"),
            _ => assert_eq!(found.holds, Holds::Blank),
        }
        library.take_out("drv0").unwrap();
        assert_eq!(place(&library, &card.barcode), home);
    }
}

#[test]
fn volumes_of_other_software_are_named() {
    each(|fixture| {
        let Rig { library, folder: _room } = Rig::new(Technology::Lto8);
        library
            .insert(&fixture.cartridge, "FXT001L8", Some(Technology::Lto8))
            .unwrap();
        let found = library.read_label("drv0", "FXT001L8").unwrap();
        let volume = &fixture.manifest["volume"];
        let Holds::Volume { serial, volume: id, .. } = &found.holds else {
            panic!("{}: {found}", fixture.name())
        };
        assert_eq!(volume["uuid"].as_str(), Some(id.to_string().as_str()));
        assert_eq!(volume["serial"].as_str(), Some(serial.as_str()));
        assert!(found.remark.is_some(), "its memory has the barcode that it had");
        library.take_out("drv0").unwrap();
        is_kept(&library, "FXT001L8");
    });
}
