//! Cartridges that the LTFS reference wrote.

use super::support::{DRIVE, Host, Rig, SLOT};
use lrs::ldm::virt::Technology;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the fixtures are, if they are anywhere.
fn fixtures() -> Option<PathBuf> {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/ltfs");
    let place = std::env::var_os("RESPOOL_FIXTURES").map_or(usual, PathBuf::from);
    place.join("simple.tar.gz").exists().then_some(place)
}

#[test]
fn a_volume_of_the_reference_is_read_through_raw_commands() {
    let Some(place) = fixtures() else {
        println!("not run: no fixtures");
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf")
        .arg(place.join("simple.tar.gz"))
        .arg("-C")
        .arg(unpacked.path());
    assert!(tar.status().unwrap().success());
    let mut rig = Rig::new(Technology::Lto8);
    let from = unpacked.path().join("simple");
    rig.library.insert(&from, "SMP001L8", Some(Technology::Lto8)).unwrap();
    rig.changer.drain();
    rig.changer.moves(SLOT, DRIVE).good();
    let mut drive: Host = rig.drive(0);
    for partition in 0..2 {
        drive.locate(partition, 0).good();
        let label = drive.ask(&super::support::six(8, 2, 524_288), 524_288).good();
        assert_eq!(
            (label.len(), &label[..4], &label[24..28], label[79]),
            (80, &b"VOL1"[..], &b"LTFS"[..], b'4')
        );
        assert_eq!(drive.read(80).says(), (0, 0, 1));
        let xml = drive.ask(&super::support::six(8, 2, 524_288), 524_288).good();
        assert!(String::from_utf8(xml).unwrap().contains("<ltfslabel"));
    }
    drive.space(3, 0).good();
    assert_eq!(drive.stands(), (1, 42, 6));
    // The coherency attribute of the data partition, 70 bytes.
    let cdb = [0x8c, 0, 0, 0, 0, 0, 0, 1, 8, 0x0c, 0, 0, 1, 0, 0, 0];
    assert_eq!(drive.ask(&cdb, 256).good()[4..9], [8, 0x0c, 0, 0, 70]);
}

#[test]
fn a_volume_says_its_own_generation_where_nobody_does() {
    let Some(place) = fixtures() else {
        println!("not run: no fixtures");
        return;
    };
    let unpacked = tempfile::tempdir().unwrap();
    let mut tar = Command::new("tar");
    tar.arg("-xzf")
        .arg(place.join("simple.tar.gz"))
        .arg("-C")
        .arg(unpacked.path());
    assert!(tar.status().unwrap().success());
    let mut rig = Rig::new(Technology::Lto7);
    rig.library
        .insert(&unpacked.path().join("simple"), "SMP001L5", None)
        .unwrap();
    rig.changer.drain();
    rig.changer.moves(SLOT, DRIVE).good();
    let mut drive = rig.drive(0);
    assert_eq!(drive.ask(&[0x1a, 0, 0, 0, 12, 0], 12).good()[4], 0x58);
    assert_eq!(drive.write(&[1; 80]).says(), (7, 0x30, 5));
}
