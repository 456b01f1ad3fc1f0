//! A process or the power ends between two steps. The next one to open the library finds every cartridge, and goes on.

use super::support::{DRIVE, Rig, SLOT, Then, Wired, all_there, expected, formatted, place, trouble};
use crate::volume::{entries, get, pattern, put};
use lrs::ldm::changer::ElementAddress;
use lrs::ldm::drive::Partition;
use lrs::ldm::library::{BayState, Moved, Trouble};
use lrs::ldm::virt::Technology;

fn barcodes() -> Vec<String> {
    (0..4).map(|number| format!("RSP00{number}L9")).collect()
}

#[test]
fn between_the_move_and_the_load() {
    for bay in ["drv0", "drv1"] {
        let wired = Wired::new(Technology::Lto9);
        wired.drives[0].on(|_| Then::Silence);
        wired.library.put_in("drv0", "RSP001L9").unwrap_err();
        let rig = wired.ended();
        all_there(&rig.library, &barcodes());
        assert_eq!(place(&rig.library, "RSP001L9"), ElementAddress(DRIVE));
        assert!(rig.library.bays().iter().all(|bay| bay.state == BayState::Free));
        let moved = rig.library.put_in(bay, "RSP001L9").unwrap().moved;
        let there = bay == "drv0";
        assert_eq!(
            moved,
            if there {
                Moved::No
            } else {
                Moved::From(ElementAddress(DRIVE))
            }
        );
        rig.library.take_out(bay).unwrap().unwrap();
        all_there(&rig.library, &barcodes());
    }
}

#[test]
fn between_the_unload_and_the_move() {
    for bay in ["drv0", "drv1"] {
        let wired = Wired::new(Technology::Lto9);
        wired.library.put_in("drv0", "RSP001L9").unwrap();
        wired.changer.cut(&[0xa5]);
        let refused = trouble(wired.library.take_out("drv0"));
        assert!(matches!(refused, Trouble::Arm { .. }), "{refused}");
        let rig = wired.ended();
        all_there(&rig.library, &barcodes());
        rig.library.put_in(bay, "RSP001L9").unwrap();
        rig.library.take_out(bay).unwrap().unwrap();
        all_there(&rig.library, &barcodes());
    }
}

/// Before every command on every wire, and after it with its answer lost, of one cartridge's way in and out.
#[test]
fn at_any_command_of_a_cartridges_way() {
    let mut points = 0;
    for (on_drive, answered) in [(false, false), (false, true), (true, false), (true, true)] {
        for number in 0.. {
            assert!(number < 200, "it never comes to an end");
            let wired = Wired::new(Technology::Lto9);
            let wire = if on_drive { &wired.drives[0] } else { &wired.changer };
            let mut left = number;
            wire.on(move |_| {
                left -= 1;
                match left {
                    0.. => Then::GoOn,
                    -1 if answered => Then::DoneInSilence,
                    _ => Then::Silence,
                }
            });
            let put_in = wired.library.put_in("drv0", "RSP001L9");
            let ended = put_in.and_then(|_| wired.library.take_out("drv0"));
            let rig = wired.ended();
            all_there(&rig.library, &barcodes());
            rig.library.put_in("drv1", "RSP001L9").unwrap();
            rig.library.take_out("drv1").unwrap().unwrap();
            all_there(&rig.library, &barcodes());
            if ended.is_ok() {
                break;
            }
            points += 1;
        }
    }
    println!("{points} places to stop at");
    assert!(points > 30, "{points}");
}

/// The devices' power goes, and this process goes on.
#[test]
fn the_power_of_the_devices_alone() {
    let Rig { library, folder: _room } = Rig::new(Technology::Lto9);
    let label = formatted(&library, "RSP001L9");
    let mut volume = library.mount("drv0", "RSP001L9", expected(&label)).unwrap();
    let kept = put(&mut *volume, "kept", &pattern(300_000, 1)).unwrap();
    volume.sync().unwrap();
    put(&mut *volume, "lost", &pattern(300_000, 2)).unwrap();
    library.model().unwrap().power_cut();
    assert!(volume.sync().is_err());
    library.unmount("drv0").unwrap();
    let mut volume = library.mount("drv0", "RSP001L9", expected(&label)).unwrap();
    assert_eq!(entries(&mut *volume).len(), 1);
    assert_eq!(get(&mut *volume, &kept.wanted(label.generation)).unwrap(), kept.bytes);
    drop(volume);
    library.unmount("drv0").unwrap();
    assert_eq!(library.take_out("drv0").unwrap(), Some(ElementAddress(SLOT + 1)));
}

/// What was mounted when a process ended is in the drive, and what it had synced is on the tape.
#[test]
fn with_a_volume_mounted() {
    for bay in ["drv0", "drv1"] {
        let rig = Rig::new(Technology::Lto9);
        let label = formatted(&rig.library, "RSP001L9");
        let mut volume = rig.library.mount("drv0", "RSP001L9", expected(&label)).unwrap();
        let kept = put(&mut *volume, "kept", &pattern(300_000, 1)).unwrap();
        volume.sync().unwrap();
        put(&mut *volume, "lost", &pattern(300_000, 2)).unwrap();
        drop(volume);
        let rig = rig.again("", |_| {});
        all_there(&rig.library, &barcodes());
        let mut volume = rig.library.mount(bay, "RSP001L9", expected(&label)).unwrap();
        assert_eq!(entries(&mut *volume).len(), 1);
        assert_eq!(get(&mut *volume, &kept.wanted(label.generation)).unwrap(), kept.bytes);
    }
}

#[test]
fn a_library_that_was_switched_off_knows_its_drives_by_their_serial_numbers() {
    let rig = Rig::new(Technology::Lto9);
    let before: Vec<_> = rig.library.bays().into_iter().map(|bay| bay.serial).collect();
    rig.library.put_in("drv1", "RSP002L9").unwrap();
    let rig = rig.again("", |_| {});
    let after: Vec<_> = rig.library.bays().into_iter().map(|bay| bay.serial).collect();
    assert_eq!(before, after);
    let drive = rig.library.drive("drv1").unwrap();
    rig.library.put_in("drv1", "RSP002L9").unwrap();
    assert_eq!(drive.lock().unwrap().locate_end(Partition(0)).unwrap().block, 0);
}
