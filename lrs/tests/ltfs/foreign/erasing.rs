//! Erasing a volume of other software: only when everything on it is known, whole or not at all, and from every cut on.

use super::{GENERATION, drive, expected, mounted, retold, wanted};
use crate::fixtures::{folder, unpack};
use crate::model::rig::{Rig, TAPE, Tape, Then, To};
use crate::writing::{empty, judged, options, session};
use dss::model::{ByteCount, CatalogueId, Generation, MediumId, Revision};
use lrs::ldm::drive::{Drive, Partition};
use lrs::ldm::fs::ltfs::attributes;
use lrs::ldm::fs::ltfs::foreign::{mount, survey};
use lrs::ldm::fs::ltfs::index::Lock;
use lrs::ldm::fs::ltfs::medium::{self, Erasing, Expected, SharedDrive};
use lrs::ldm::fs::{EraseStep, Label, Volume, Wanted};
use lrs::ldm::virt::cartridge::FolderCartridge;
use lrs::ldm::virt::{Card, Cartridge, Kind, Tab, Technology};
use lrs::ldm::{Fault, MediaResult};
use std::path::Path;
use std::sync::{Arc, Mutex};
use uuid::Uuid;

/// The label of the next generation.
fn label() -> Label {
    Label {
        format: medium::FORMAT.to_owned(),
        medium: MediumId(Uuid::from_u128(7)),
        name: "FXT001L8".to_owned(),
        generation: Generation(GENERATION.0 + 1),
        catalogue: CatalogueId::fresh(),
        revision: Revision(3),
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

/// What the catalogue expects of a medium that it has *erasing*.
fn erasing() -> Expected {
    Expected {
        medium: label().medium,
        name: label().name,
        generations: vec![GENERATION, label().generation],
        erasing: Erasing::Begun,
        least_end: 0,
        catalogue: None,
        clock: Arc::new(|| "2026-11-20T10:21:26.5Z".parse().unwrap()),
    }
}

/// A volume of three files, and what a catalogue knows of it.
fn three() -> (tempfile::TempDir, Vec<Wanted>) {
    let (room, mut tape, mut volume) = empty();
    session(&mut tape, &mut volume, "d", &[10, 9000, 700]);
    drop(tape);
    let known = known(&drive(room.path()));
    assert_eq!(known.len(), 3);
    (room, known)
}

fn known(drive: &SharedDrive) -> Vec<Wanted> {
    let surveyed = survey(drive, "known").unwrap();
    surveyed.entries.filter_map(|entry| wanted(&entry)).collect()
}

fn records(cartridge: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let all = std::fs::read_dir(cartridge).unwrap().map(|entry| entry.unwrap());
    let mut all: Vec<_> = all
        .filter(|entry| !entry.file_name().to_str().unwrap().starts_with("attr_"))
        .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
        .collect();
    all.sort();
    all
}

fn erase(volume: &mut dyn Volume, label: &Label, known: &[Wanted]) -> MediaResult<Vec<EraseStep>> {
    let mut steps = Vec::new();
    let orphans = &mut known.iter().cloned();
    let strangers = volume.erase(label.clone(), orphans, &mut |step| steps.push(step))?;
    assert!(strangers.is_empty());
    Ok(steps)
}

/// It is an empty medium of respool's, whole in every respect.
fn is_medium(drive: &SharedDrive, label: &Label) {
    let expected = Expected {
        generations: vec![label.generation],
        erasing: Erasing::No,
        ..erasing()
    };
    let mut volume = medium::mount(drive, expected).unwrap();
    assert_eq!(volume.label(), label);
    assert_eq!(volume.index().unwrap().count(), 0);
    assert!(volume.space().unwrap().free > ByteCount(0));
    volume.sync().unwrap();
}

#[test]
fn an_erased_volume_is_a_medium_of_respools() {
    let (room, known) = three();
    let tape = drive(room.path());
    let mut volume = mount(&tape, expected(options().volume)).unwrap();
    // As an engine gives it: the format that the mounted volume says it has.
    let given = Label {
        format: volume.label().format.clone(),
        ..label()
    };
    let next = Label {
        format: medium::FORMAT.to_owned(),
        ..given.clone()
    };
    let steps = erase(&mut *volume, &given, &known).unwrap();
    assert_eq!(steps, [EraseStep::Middle, EraseStep::BeforeLabel]);
    assert_eq!(volume.label(), &next);
    assert_eq!(erase(&mut *volume, &next, &[]).unwrap(), [], "it may be repeated");
    assert_eq!(volume.identify().unwrap_err().fault, Fault::NeedsReopen);
    assert_eq!(volume.space().unwrap_err().fault, Fault::NeedsReopen);
    is_medium(&tape, &next);
    judged(room.path());
}

/// The mark says that an erasure was begun, and not that it came as far as the tape: somebody may have added files
/// before it is tried again.
#[test]
fn x32_a_marked_volume_that_still_has_files_is_not_half_erased() {
    let (room, _) = three();
    let before = records(room.path());
    let tape = drive(room.path());
    let words = format!(
        "respool: erasing for generation {} of {}",
        label().generation.0,
        label().name
    );
    {
        let mut drive = tape.lock().unwrap();
        for attribute in [
            attributes::medium_id(label().medium.0),
            attributes::text(attributes::VOLUME_NAME, &words),
        ] {
            drive.set_attribute(Partition(0), &attribute).unwrap();
        }
    }
    let refused = medium::mount(&tape, erasing()).map(|_| ()).unwrap_err();
    assert!(matches!(refused.fault, Fault::Unlabelled(_)), "{refused}");
    assert_eq!(records(room.path()), before);
}

#[test]
fn files_that_the_catalogue_does_not_know_stop_an_erasure() {
    let (room, known) = three();
    let before = records(room.path());
    let mut volume = mounted(room.path(), options().volume);
    let elsewhere = |change: fn(&mut Wanted)| {
        let mut changed = known.clone();
        change(&mut changed[1]);
        changed
    };
    let unknown = [
        known[..2].to_vec(),
        Vec::new(),
        elsewhere(|one| one.span.as_mut().unwrap().0[0].start_block += 1),
        elsewhere(|one| one.bytes.0 += 1),
        elsewhere(|one| one.address.0.push('x')),
    ];
    for known in unknown {
        let refused = erase(&mut *volume, &label(), &known).unwrap_err();
        let Fault::Unfit(words) = &refused.fault else {
            panic!("{refused}")
        };
        let strangers = volume.strangers().unwrap();
        assert!(
            !strangers.is_empty() && words.contains(&format!("'{}'", strangers[0])),
            "{words}"
        );
        assert_eq!(records(room.path()), before);
    }
    assert_eq!(volume.strangers().unwrap(), [known[1].address.clone()]);
    erase(&mut *volume, &label(), &known).unwrap();
}

#[test]
fn links_and_holes_are_files_as_well() {
    let Some(folder) = folder() else {
        println!("not run: no fixtures");
        return;
    };
    let fixture = unpack(&folder, "simple");
    let uuid = fixture.manifest["volume"]["uuid"].as_str().unwrap().parse().unwrap();
    let tape = drive(&fixture.cartridge);
    let all = known(&tape);
    let mut volume = mount(&tape, expected(uuid)).unwrap();
    for (number, one) in all.iter().enumerate() {
        let mut others = all.clone();
        others.remove(number);
        let refused = erase(&mut *volume, &label(), &others).unwrap_err();
        assert!(matches!(refused.fault, Fault::Unfit(_)), "{refused}");
        assert_eq!(volume.strangers().unwrap(), std::slice::from_ref(&one.address));
    }
    erase(&mut *volume, &label(), &all).unwrap();
    is_medium(&tape, &volume.label().clone());
}

#[test]
fn an_erasure_is_of_the_medium_and_of_the_next_generation() {
    let (room, known) = three();
    let before = records(room.path());
    let mut volume = mounted(room.path(), options().volume);
    let wrong: [fn(&mut Label); 4] = [
        |label| label.medium = MediumId::fresh(),
        |label| label.generation.0 += 1,
        |label| label.generation.0 -= 2,
        |label| label.format = "respool-dir-1".to_owned(),
    ];
    for wrong in wrong {
        let mut label = label();
        wrong(&mut label);
        let refused = erase(&mut *volume, &label, &known).unwrap_err();
        assert!(matches!(refused.fault, Fault::WrongMedium { .. }), "{refused}");
    }
    assert_eq!(records(room.path()), before);
}

#[test]
fn a_locked_volume_is_not_erased() {
    for (place, state) in [
        ("index", "locked"),
        ("index", "permlocked"),
        ("memory", "\u{1}"),
        ("memory", "\u{3}"),
    ] {
        let (room, mut tape, mut volume) = empty();
        session(&mut tape, &mut volume, "d", &[10]);
        drop(tape);
        retold(room.path(), |tree| {
            tree.head.lock = match state {
                "locked" => Some(Lock::Locked),
                "permlocked" => Some(Lock::Permanently),
                _ => None,
            };
        });
        if place == "memory" {
            let raw = [&[0x16, 0x23, 0, 0, 1], state.as_bytes()].concat();
            std::fs::write(room.path().join("attr_0_1623"), raw).unwrap();
        }
        let before = records(room.path());
        let tape = drive(room.path());
        let known = known(&tape);
        let mut volume = mount(&tape, expected(options().volume)).unwrap();
        let refused = erase(&mut *volume, &label(), &known).unwrap_err();
        assert!(
            matches!(&refused.fault, Fault::Unfit(words) if words.contains("locked")),
            "{refused}"
        );
        assert_eq!(records(room.path()), before);
    }
}

/// The base of what happens in a library: a volume of three files as a cartridge, and what is known of it.
fn inserted() -> (Rig, Vec<Wanted>) {
    let (room, known) = three();
    let rig = Rig::new();
    rig.library.insert(room.path(), TAPE, Some(Technology::Lto8)).unwrap();
    (rig, known)
}

fn shared(tape: Tape) -> SharedDrive {
    Arc::new(Mutex::new(tape))
}

#[test]
fn a_cartridge_that_cannot_be_written_is_not_erased() {
    let worm = Card::blank(TAPE, Technology::Lto8).of_kind(Kind::Worm);
    let protected = Card::blank(TAPE, Technology::Lto8).with_tab(Tab::Protected);
    for (words, card) in [("written once", worm), ("write-protected", protected)] {
        let (rig, known) = inserted();
        let path = rig.path(TAPE);
        let old = FolderCartridge::open(&path, TAPE, Technology::Lto8)
            .unwrap()
            .card()
            .clone();
        let partitions = old.partitions.clone();
        let card = Card { partitions, ..card };
        FolderCartridge::label(&path, &card).unwrap();
        let before = records(&path);
        let mut volume = mount(&shared(rig.load(TAPE, 0)), expected(options().volume)).unwrap();
        let refused = erase(&mut *volume, &label(), &known).unwrap_err();
        assert!(
            matches!(&refused.fault, Fault::Unfit(why) if why.contains(words)),
            "{refused}"
        );
        assert_eq!(records(&path), before);
    }
}

/// A format may clear the cartridge's memory, as this drive's does.
#[test]
fn an_erasure_that_ends_at_a_step_is_found_and_ended() {
    for stop in [EraseStep::Middle, EraseStep::BeforeLabel] {
        let (room, known) = three();
        let tape = drive(room.path());
        let mut volume = mount(&tape, expected(options().volume)).unwrap();
        let label = label();
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            volume.erase(label.clone(), &mut known.into_iter(), &mut |step| {
                assert!(step != stop, "as if the process ended here");
            })
        }));
        assert!(ended.is_err());
        drop(volume);
        assert!(mount(&tape, expected(options().volume)).is_err());
        let mut volume = medium::mount(&tape, erasing()).unwrap();
        assert_eq!(erase(&mut *volume, &label, &[]).unwrap().len(), 2);
        is_medium(&tape, &label);
    }
}

/// I6: wherever the host stops before the new label is begun, the tape is the volume that it was, whole, or is found as one that is being erased; and the
/// erasure comes to its end.
#[test]
fn an_erasure_that_is_cut_off_at_any_command_before_the_label_goes_on() {
    let (base, known) = inserted();
    let whole = records(&base.path(TAPE));
    let (mut cuts, mut kept, mut found) = (0, 0, 0);
    for cut in 0.. {
        let rig = Rig::copy(base.folder.path(), "");
        rig.carry(TAPE, To::Drive(0));
        let (mut tape, line) = rig.wired(0);
        tape.load().unwrap();
        let mut volume = mount(&shared(tape), expected(options().volume)).unwrap();
        line.before(cut, || Then::Silence);
        let mut cut_before_label = true;
        let erased = volume.erase(label(), &mut known.iter().cloned(), &mut |step| {
            cut_before_label = step != EraseStep::BeforeLabel;
        });
        drop(volume);
        if !cut_before_label {
            // From here on it is the format of any medium.
            break;
        }
        assert!(erased.is_err() && !line.is_waiting(), "command {cut}");
        cuts += 1;
        let rig = rig.reopened();
        let mut tape = rig.drive(0);
        tape.load().unwrap();
        let tape = shared(tape);
        let label = label();
        let mut volume = match mount(&tape, expected(options().volume)) {
            Ok(volume) => {
                assert_eq!(records(&rig.path(TAPE)), whole, "command {cut}");
                kept += 1;
                volume
            }
            Err(_) => {
                found += 1;
                medium::mount(&tape, erasing()).unwrap_or_else(|error| panic!("command {cut}: {error}"))
            }
        };
        volume.erase(label, &mut known.iter().cloned(), &mut |_| {}).unwrap();
        let label = volume.label().clone();
        drop(volume);
        is_medium(&tape, &label);
    }
    println!("{cuts} cuts: {kept} before anything was lost, {found} after");
    assert!(kept > 5 && found > 5, "{kept} {found}");
}

/// Its log may name extents that no index names, so it is not erased as what it is to others.
#[test]
fn a_medium_of_respools_is_read_as_a_plain_volume_and_not_erased_as_one() {
    let (room, known) = three();
    let tape = drive(room.path());
    let mut volume = mount(&tape, expected(options().volume)).unwrap();
    erase(&mut *volume, &label(), &known).unwrap();
    let mut own = medium::mount(&tape, erasing()).unwrap();
    let (address, _) = super::own::put(&mut *own, "report", &[7; 5000]);
    drop(own);
    let surveyed = survey(&tape, "own").unwrap();
    let uuid = surveyed.volume;
    let file = surveyed.entries.filter(|entry| entry.path == address.0).last().unwrap();
    let mut volume = mount(&tape, expected(uuid)).unwrap();
    let one = wanted(&file).unwrap();
    assert_eq!(super::read_whole(&mut *volume, &one, 600).unwrap(), [7; 5000]);
    let refused = erase(&mut *volume, &label(), &[one]).unwrap_err();
    assert!(
        matches!(&refused.fault, Fault::Unfit(why) if why.contains("log")),
        "{refused}"
    );
}
