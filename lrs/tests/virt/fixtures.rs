//! Cartridges that the LTFS reference wrote.

use super::support::{DRIVE, Host, Rig, SLOT, six};
use crate::fixtures::{each, folder, unpack};
use lrs::ldm::virt::Technology;

/// Puts a cartridge's folder into the first drive of a library of this generation.
fn inserted(from: &std::path::Path, barcode: &str, drives: Technology, own: Option<Technology>) -> (Rig, Host) {
    let mut rig = Rig::new(drives);
    rig.library.insert(from, barcode, own).unwrap();
    rig.changer.drain();
    rig.changer.moves(SLOT, DRIVE).good();
    let drive = rig.drive(0);
    (rig, drive)
}

#[test]
fn volumes_of_the_reference_are_read_through_raw_commands() {
    each(|fixture| {
        let lto8 = Technology::Lto8;
        let (_rig, mut drive) = inserted(&fixture.cartridge, "SMP001L8", lto8, Some(lto8));
        let block = fixture.manifest["volume"]["blocksize"].as_u64().unwrap() as usize;
        for (partition, id) in [(0, "a"), (1, "b")] {
            drive.locate(partition, 0).good();
            let label = drive.ask(&six(8, 2, block), block).good();
            assert_eq!(
                (label.len(), &label[..4], &label[24..28], label[79]),
                (80, &b"VOL1"[..], &b"LTFS"[..], b'4'),
                "{}",
                fixture.name()
            );
            assert_eq!(drive.read(80).says(), (0, 0, 1));
            let xml = drive.ask(&six(8, 2, block), block).good();
            assert!(String::from_utf8(xml).unwrap().contains("<ltfslabel"));
            drive.space(3, 0).good();
            let end = drive.stands();
            assert_eq!(
                (end.0, Some(end.1)),
                (u32::from(partition), fixture.manifest["end_of_data"][id].as_u64())
            );
        }
        // The coherency attribute of the data partition, 70 bytes.
        let cdb = [0x8c, 0, 0, 0, 0, 0, 0, 1, 8, 0x0c, 0, 0, 1, 0, 0, 0];
        assert_eq!(drive.ask(&cdb, 256).good()[4..9], [8, 0x0c, 0, 0, 70]);
    });
}

#[test]
fn a_volume_says_its_own_generation_where_nobody_does() {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let fixture = unpack(&folder, "simple");
    let (_rig, mut drive) = inserted(&fixture.cartridge, "SMP001L5", Technology::Lto7, None);
    assert_eq!(drive.ask(&[0x1a, 0, 0, 0, 12, 0], 12).good()[4], 0x58);
    assert_eq!(drive.write(&[1; 80]).says(), (7, 0x30, 5));
}
