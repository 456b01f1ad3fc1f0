//! How drives are, asked between the commands of whoever works with them.

use super::support::{Rig, expected, fault, formatted, trouble};
use crate::volume::{entries, get, pattern, put, tag};
use dss::model::Digests;
use lrs::ldm::fs::Accepted;
use lrs::ldm::library::{BayState, Trouble};
use lrs::ldm::scsi::log::Severity;
use lrs::ldm::virt::{Card, Tab, Technology};

#[test]
fn a_drive_says_who_it_is_what_is_in_it_and_how_it_is() {
    for technology in [Technology::Lto7, Technology::Lto8, Technology::Lto9] {
        let Rig { library, folder: _room } = Rig::new(technology);
        let told = library.drive_status("drv0").unwrap();
        assert_eq!((told.library.as_str(), told.bay.name.as_str()), ("lib0", "drv0"));
        assert_eq!(
            (told.bay.state, told.barcode, told.write_protected),
            (BayState::Free, None, None)
        );
        assert!(told.alerts.is_empty() && !told.wants_cleaning && told.trouble.is_none());
        let identity = told.bay.identity.unwrap();
        assert_eq!(
            (identity.vendor.as_str(), identity.product.as_str()),
            ("RESPOOL", format!("VIRTUAL {technology}").as_str())
        );
        assert_eq!(Some(identity.serial), told.bay.serial);
        let barcode = format!("RSP002{}", technology.cart_type());
        library.put_in("drv0", &barcode).unwrap();
        let told = library.drive_status("drv0").unwrap();
        assert!(matches!(&told.bay.state, BayState::Loaded(loaded) if loaded.barcode == barcode));
        assert_eq!((told.barcode, told.write_protected), (Some(barcode), Some(false)));
        let health = told.health;
        assert_eq!(health.write_errors.unwrap().uncorrected, Some(0));
        assert_eq!(health.read_errors.unwrap().uncorrected, Some(0));
        let volume = health.volume.unwrap();
        assert_eq!(volume.mounts, Some(1));
        assert!(volume.rooms.values().next().unwrap().capacity.0 > 5_000_000_000_000);
        assert!(!health.capacity.is_empty());
    }
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    assert!(matches!(trouble(library.drive_status("drv2")), Trouble::NoSuchBay(_)));
    let card = Card::blank("TAB001L9", Technology::Lto9).with_tab(Tab::Protected);
    library.model().unwrap().add(&card).unwrap();
    library.put_in("drv0", "TAB001L9").unwrap();
    assert_eq!(library.drive_status("drv0").unwrap().write_protected, Some(true));
}

/// Between any two calls of a volume's.
#[test]
fn questions_do_not_disturb_a_mounted_volume() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    let label = formatted(&library, "RSP001L9");
    let mut volume = library.mount("drv0", "RSP001L9", expected(&label)).unwrap();
    let ask = || {
        let told = library.drive_status("drv0").unwrap();
        assert!(matches!(told.bay.state, BayState::Mounted { .. }) && told.trouble.is_none());
        told
    };
    let bytes = pattern(1_000_000, 3);
    let tag = tag("big", bytes.len() as u64);
    ask();
    let address = volume.reserve(&tag).unwrap();
    ask();
    let handle = volume.create(tag.clone(), &address).unwrap().unwrap();
    for piece in bytes.chunks(70_000) {
        ask();
        assert_eq!(volume.write(handle, piece).unwrap(), Accepted::All);
    }
    ask();
    volume.finish(handle, Digests::of(&bytes)).unwrap();
    ask();
    volume.sync().unwrap();
    let told = ask();
    assert!(told.health.traffic.unwrap().written.unwrap() > 1_000_000);
    volume.identify().unwrap();
    let more = put(&mut *volume, "more", &bytes).unwrap();
    ask();
    volume.sync().unwrap();
    ask();
    assert_eq!(entries(&mut *volume).len(), 2);
    assert_eq!(get(&mut *volume, &more.wanted(label.generation)).unwrap(), bytes);
}

#[test]
fn what_a_drive_has_told_is_kept_until_the_next_cartridge() {
    let faults = fault("medium = 'RSP001L9'", "read", "3/11/00", 1) + &fault("drive = 'drv0'", "write", "0/00/17", 1);
    let Rig { library, folder: _room } = Rig::with_faults(Technology::Lto9, &faults);
    library.put_in("drv0", "RSP001L9").unwrap();
    let drive = library.drive("drv0").unwrap();
    {
        let mut drive = drive.lock().unwrap();
        drive.write(&[1; 100]).unwrap();
        drive.write_filemarks(1).unwrap();
        drive.rewind().unwrap();
        drive.read(&mut [0; 100]).unwrap_err();
    }
    for _ in 0..2 {
        let told = library.drive_status("drv0").unwrap();
        let alerts: Vec<_> = told
            .alerts
            .iter()
            .map(|alert| (alert.number(), alert.severity()))
            .collect();
        use Severity::{Critical, Warning};
        assert_eq!(alerts, [(3, Warning), (4, Critical), (5, Critical), (21, Warning)]);
        assert!(told.wants_cleaning);
        assert_eq!(told.alerts[3].to_string(), "TapeAlert 21 (clean soon)");
    }
    library.take_out("drv0").unwrap();
    assert_eq!(library.drive_status("drv0").unwrap().alerts.len(), 4);
    library.put_in("drv0", "RSP002L9").unwrap();
    let told = library.drive_status("drv0").unwrap();
    assert!(told.alerts.is_empty() && !told.wants_cleaning, "{told:?}");
    assert!(library.drive_status("drv1").unwrap().alerts.is_empty());
}
