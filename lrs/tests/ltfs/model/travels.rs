//! A cartridge's way through a library: loaded by the changer, written in one drive, read in the other.

use super::rig::{Rig, TAPE, To};
use crate::reading::{Digests, tree};
use crate::writing::{BLOCK, append, bytes, empty, file, judged, options, session, what};
use lrs::ldm::drive::{Drive, DriveFault};
use lrs::ldm::fs::ltfs::index::{Extent, Node, walk};
use lrs::ldm::fs::ltfs::volume::{Appender, Contents, State, check, commit, format, mount};
use lrs::ldm::virt::{Card, SparseCartridge, Technology};
use std::collections::{BTreeMap, BTreeSet};

/// Small files that share records, some of exactly a record and one byte more, and large ones.
const LENGTHS: [usize; 16] = [
    0,
    1,
    10,
    700,
    700,
    700,
    700,
    3000,
    BLOCK - 11,
    BLOCK,
    BLOCK + 1,
    3,
    60_000,
    0,
    5 * BLOCK,
    77,
];

#[test]
fn a_volume_written_in_one_drive_is_read_in_the_other_and_appended_to_there() {
    let rig = Rig::new();
    rig.library.blank(TAPE).unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = format(&mut tape, &options()).unwrap();
    assert_eq!((mounted.state, mounted.data.end), (State::Clean, 7));
    let mut known: BTreeMap<_, _> = session(&mut tape, &mut mounted, "first", &LENGTHS)
        .into_iter()
        .collect();
    // A file of several extents: what a flush cut short is followed by a new one.
    let mut appender = Appender::new(&mut tape, &mounted).unwrap();
    appender.begin();
    let whole = bytes(7, 25_000);
    for piece in whole.chunks(6000) {
        appender.write(&mut tape, piece).unwrap();
        appender.flush(&mut tape).unwrap();
    }
    let extents: Vec<Extent> = appender.finish().unwrap();
    assert_eq!(extents.len(), 5);
    let end = appender.flush(&mut tape).unwrap();
    mounted.tree.root.contents.push(file("pieces", whole.len(), extents));
    commit(&mut tape, &mut mounted, &what(end)).unwrap();
    known.insert("pieces".to_owned(), sha256(&whole));
    tape.unload().unwrap();
    drop(tape);

    rig.carry(TAPE, To::Drive(1));
    let mut tape = rig.drive(1);
    let cartridge = tape.load().unwrap();
    assert_eq!(
        (cartridge.barcode.as_deref(), cartridge.partitions),
        (Some("RSP001L8"), 2)
    );
    let mut again = mount(&mut tape).unwrap();
    assert_eq!((again.state, tree(&again)), (State::Clean, tree(&mounted)));
    assert!(shared_records(&again) > 0, "small files share records");
    let mut digests = Digests::new(known.clone());
    assert_eq!(check(&mut tape, &again, Contents::Read(&mut digests)).unwrap(), []);
    assert_eq!(digests.seen.len(), known.len());

    known.extend(session(&mut tape, &mut again, "second", &[100; 40]));
    tape.unload().unwrap();
    drop(tape);
    rig.carry(TAPE, To::Slot);
    judged(&rig.path(TAPE));
    let mut tape = rig.load(TAPE, 0);
    let again = mount(&mut tape).unwrap();
    let mut digests = Digests::new(known.clone());
    assert_eq!(check(&mut tape, &again, Contents::Read(&mut digests)).unwrap(), []);
    assert_eq!((again.tree.head.generation, digests.seen.len()), (4, known.len()));
}

fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// How many records hold bytes of more than one file.
fn shared_records(mounted: &lrs::ldm::fs::ltfs::volume::Mounted) -> usize {
    let mut users: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    walk(&mounted.tree.root, |path, node| {
        if let Node::File(file) = node {
            for extent in &file.extents {
                for block in extent.block..extent.end_block(BLOCK as u32).unwrap() {
                    users.entry(block).or_default().insert(path.to_owned());
                }
            }
        }
    });
    users.values().filter(|paths| paths.len() > 1).count()
}

/// The same bytes at the same places, whatever drive they went through.
#[test]
fn the_model_and_the_folder_hold_the_same_records() {
    let (room, mut folder, mut on_folder) = empty();
    session(&mut folder, &mut on_folder, "first", &LENGTHS);
    let rig = Rig::new();
    rig.library.blank(TAPE).unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = format(&mut tape, &options()).unwrap();
    session(&mut tape, &mut mounted, "first", &LENGTHS);
    assert_eq!(blocks(room.path()), blocks(&rig.path(TAPE)));
}

/// A cartridge of full size, of which only what is written takes room.
#[test]
fn a_cartridge_in_memory_holds_a_volume_as_any_other() {
    let rig = Rig::new();
    let card = Card::blank(TAPE, Technology::Lto8);
    rig.library.lend(SparseCartridge::new(card)).unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = format(&mut tape, &options()).unwrap();
    let known = session(&mut tape, &mut mounted, "first", &LENGTHS);
    tape.unload().unwrap();
    drop(tape);
    rig.carry(TAPE, To::Drive(1));
    let mut tape = rig.drive(1);
    tape.load().unwrap();
    let again = mount(&mut tape).unwrap();
    assert_eq!((again.state, &again.tree), (State::Clean, &mounted.tree));
    let mut digests = Digests::new(known.iter().cloned().collect());
    assert_eq!(check(&mut tape, &again, Contents::Read(&mut digests)).unwrap(), []);
    let room = tape.room(again.labels.data).unwrap();
    assert!(room.remaining.0 > 11_000_000_000_000, "{room:?}");
}

/// The records, filemarks and ends of a cartridge's folder.
pub fn blocks(folder: &std::path::Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path())))
        .filter(|(name, _)| name.starts_with(['0', '1']) && name.ends_with(['R', 'F', 'E']))
        .map(|(name, path)| (name, std::fs::read(path).unwrap()))
        .collect()
}

/// A cartridge that the changer put into a drive that somebody has open is news to him, and nothing is written at the
/// place where he stood with the one before.
#[test]
fn a_cartridge_that_was_exchanged_is_told_before_anything_is_written() {
    let rig = Rig::new();
    for barcode in [TAPE, "TAP002L8"] {
        rig.library.blank(barcode).unwrap();
        let mut tape = rig.load(barcode, 0);
        let mut mounted = format(&mut tape, &options()).unwrap();
        session(&mut tape, &mut mounted, "first", &[10, 5000]);
        tape.unload().unwrap();
        drop(tape);
        rig.carry(barcode, To::Slot);
    }
    let before = blocks(&rig.path("TAP002L8"));
    let mut tape = rig.load(TAPE, 0);
    let mut mounted = mount(&mut tape).unwrap();
    let mut appender = Appender::new(&mut tape, &mounted).unwrap();
    // Somebody else unloads it and has another one put in.
    rig.out(TAPE, 0, To::Slot);
    rig.carry("TAP002L8", To::Drive(0));
    rig.drive(0).load().unwrap();
    appender.begin();
    let error = appender.write(&mut tape, &[1; BLOCK]).unwrap_err();
    assert!(error.to_string().contains("the medium may have changed"), "{error}");
    let refused = [
        tape.write(&[1; 100]).unwrap_err(),
        tape.flush().unwrap_err(),
        tape.write_filemarks(1).unwrap_err(),
    ];
    assert!(refused.iter().all(|error| error.fault == DriveFault::PositionUnknown));
    // Loading again says that a cartridge is there, and not where the one before stood.
    tape.load().unwrap();
    assert_eq!(tape.write(&[1; 100]).unwrap_err().fault, DriveFault::PositionUnknown);
    let refused = append(&mut tape, &mut mounted, "never", &[10]).unwrap_err();
    assert!(refused.to_string().contains("it must be mounted anew"), "{refused}");
    assert_eq!(blocks(&rig.path("TAP002L8")), before);
}
