//! Media on cartridges of a model library, behind the commands and the driver of real drives; and what a power cut takes
//! from them.

use crate::rigged::{expected, label};
use crate::volume::{Deletion, Maker, Measure, Nature, Remnant, entries, get, is_covered, pattern, put};
use dss::model::{ByteCount, Generation};
use lrs::ldm::MediaResult;
use lrs::ldm::drive::{Drive, DriveFault, Position, ScsiDrive};
use lrs::ldm::faults::FaultPlan;
use lrs::ldm::fs::ltfs::medium::{Shape, SharedDrive, format, mount};
use lrs::ldm::fs::{Label, Volume};
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::scsi::{Transfer, Transport};
use lrs::ldm::virt::{Card, LibrarySpec, Rehearsal, Technology, VirtualLibrary};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// First slot and first drive.
const SLOT: u16 = 1024;
const DRIVE: u16 = 256;

/// A library with one drive; each fresh medium is a cartridge that takes the place of the one before.
pub struct Slots {
    _folder: tempfile::TempDir,
    pub library: VirtualLibrary,
    made: u16,
    label: Label,
}

impl Slots {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = LibrarySpec {
            technology: Technology::Lto8,
            drives: 1,
            slots: 4,
            mail_slots: 0,
        };
        VirtualLibrary::create(folder.path(), &spec).unwrap();
        let rehearsal = Rehearsal {
            name: "lib0".to_owned(),
            faults: FaultPlan::none(),
            ..Rehearsal::default()
        };
        Self {
            library: VirtualLibrary::rehearse(folder.path(), &rehearsal).unwrap(),
            _folder: folder,
            made: 0,
            label: label(),
        }
    }

    fn moves(&self, from: u16, to: u16) {
        let mut changer = self.library.changer_transport();
        let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
        let cdb = [0xa5, 0, 0, 1, from[0], from[1], to[0], to[1], 0, 0, 0, 0];
        // Attentions of a library that was just made are told first.
        for _ in 0..4 {
            let done = changer.execute(&cdb, Transfer::None, Duration::from_secs(60)).unwrap();
            if done.sense.is_empty() {
                return;
            }
        }
        panic!("the arm does not move");
    }

    /// A driver of the drive that has heard whatever the drive had to say.
    fn drive(&self) -> SharedDrive {
        let mut transport = self.library.drive_transport(0).unwrap();
        for _ in 0..4 {
            let done = transport.execute(&[0; 6], Transfer::None, Duration::from_secs(60));
            if done.unwrap().sense.is_empty() {
                break;
            }
        }
        let mut drive = ScsiDrive::open(transport, Key::new(7).unwrap()).unwrap();
        drive.load().unwrap();
        Arc::new(Mutex::new(drive))
    }
}

impl Maker for Slots {
    fn nature(&self) -> Nature {
        Nature {
            deletion: Deletion::Keeps,
            remnant: Remnant::Nothing,
            measure: Measure::Rough,
        }
    }

    fn fresh(&mut self, capacity: ByteCount) -> Label {
        assert_eq!(self.made, 0, "one medium is enough for a rule");
        self.made += 1;
        let card = Card::of_capacity("TAP001L8", Technology::Lto8, capacity.0);
        self.library.add(&card).unwrap();
        self.moves(SLOT, DRIVE);
        let shape = Shape {
            block_size: 64 << 10,
            ..Shape::usual("TAP001L8")
        };
        format(&self.drive(), &self.label, &shape).unwrap();
        self.label.clone()
    }

    fn mount(&mut self) -> MediaResult<Box<dyn Volume>> {
        mount(&self.drive(), expected(&self.label))
    }
}

#[test]
fn a_power_cut_takes_what_was_not_synced_and_nothing_else() {
    let mut slots = Slots::new();
    let label = slots.fresh(ByteCount(64 << 20));
    let mut volume = slots.mount().unwrap();
    let mut kept = Vec::new();
    for round in 0..4_u8 {
        let synced = put(&mut *volume, &format!("kept {round}"), &pattern(300_000, round)).unwrap();
        kept.push((
            synced.tag.clone(),
            synced.wanted(label.generation),
            synced.bytes.clone(),
        ));
        let receipt = volume.sync().unwrap();
        assert!(is_covered(&label, synced, &receipt));
        let lost = put(&mut *volume, &format!("lost {round}"), &pattern(200_000, round)).unwrap();
        slots.library.power_cut();
        assert!(volume.sync().is_err(), "its drive was reset");
        assert!(volume.identify().is_err());
        drop(volume);
        volume = slots.mount().unwrap();
        let found: Vec<_> = entries(&mut *volume).into_iter().map(|entry| entry.tag).collect();
        let mut expected: Vec<_> = kept.iter().map(|(tag, ..)| tag.clone()).collect();
        expected.sort_by_key(|tag| tag.extent);
        assert_eq!(found, expected, "round {round}");
        for (_, wanted, bytes) in &kept {
            assert_eq!(get(&mut *volume, wanted).unwrap(), *bytes);
        }
        assert!(
            volume
                .open(&lost.wanted(label.generation), lrs::ldm::fs::ReadFrom::Medium)
                .is_err()
        );
    }
}

/// Between two looks at where the drive stands only the drive itself can refuse.
#[test]
fn a_drive_with_a_volume_in_it_writes_nowhere_but_behind_the_end() {
    let mut slots = Slots::new();
    let label = slots.fresh(ByteCount(64 << 20));
    let drive = slots.drive();
    let mut volume = mount(&drive, expected(&label)).unwrap();
    let one = put(&mut *volume, "one", &pattern(300_000, 1)).unwrap();
    volume.sync().unwrap();
    for at in [Position::at(0, 0), Position::at(1, 0), Position::at(1, 5)] {
        let mut drive = drive.lock().unwrap();
        drive.locate(at).unwrap();
        let refused = drive.write(b"astray").unwrap_err();
        assert!(
            matches!(refused.fault, DriveFault::Sense(sense) if sense.key == 7),
            "{refused}"
        );
    }
    // An erasure, and what is written after it, is not hindered, and guarded as well.
    let next = Label {
        generation: Generation(1),
        ..label.clone()
    };
    let mut volume = mount(&drive, expected(&label)).unwrap();
    assert_eq!(get(&mut *volume, &one.wanted(label.generation)).unwrap(), one.bytes);
    volume.erase(next, &mut std::iter::empty(), &mut |_| {}).unwrap();
    put(&mut *volume, "two", b"2").unwrap();
    volume.sync().unwrap();
    drive.lock().unwrap().rewind().unwrap();
    assert!(drive.lock().unwrap().write(b"astray").is_err());
    assert_eq!(entries(&mut *mount(&drive, expected(&label)).unwrap()).len(), 1);
}
