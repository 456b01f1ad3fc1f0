//! A tape that comes to its end: early warning closes it with an index, and a hard end loses nothing that was committed.

use super::promise::Promise;
use super::rig::{Rig, TAPE, To};
use crate::writing::{BLOCK, bytes, file, judged, options, what};
use lrs::ldm::drive::Drive;
use lrs::ldm::fs::Accepted;
use lrs::ldm::fs::ltfs::volume::{Appender, LtfsError, Mounted, State, commit, format, mount};
use lrs::ldm::virt::{Card, Technology};

/// A formatted volume of so many bytes in the first drive.
fn small(capacity: u64) -> (Rig, super::rig::Tape, Mounted) {
    let rig = Rig::new();
    rig.library
        .add(&Card::of_capacity(TAPE, Technology::Lto8, capacity))
        .unwrap();
    let mut tape = rig.load(TAPE, 0);
    let mounted = format(&mut tape, &options()).unwrap();
    (rig, tape, mounted)
}

/// How a tape is filled.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Until {
    EarlyWarning,
    Full,
}

/// Appends files of 30,000 bytes, record by record, and puts into the tree those that are whole. Answers where the data end.
fn fill(tape: &mut dyn Drive, mounted: &mut Mounted, until: Until) -> u64 {
    let mut appender = Appender::new(tape, mounted).unwrap();
    let mut whole = Vec::new();
    'files: for number in 0.. {
        assert!(number < 100, "three megabytes do not fit");
        appender.begin();
        for piece in bytes(number, 30_000).chunks(BLOCK) {
            let full = appender.write(tape, piece).unwrap() == Accepted::EndOfMedium;
            if full || until == Until::EarlyWarning && appender.early_warning() {
                break 'files;
            }
        }
        whole.push((number, appender.finish().unwrap()));
    }
    assert!(appender.early_warning(), "no end comes without a warning");
    let end = appender.flush(tape).unwrap();
    assert_eq!(appender.lost_from(), (until == Until::Full).then_some(end));
    for (number, extents) in whole {
        // A file that was finished with its last bytes in memory is lost with them.
        if extents
            .iter()
            .all(|extent| extent.end_block(BLOCK as u32).unwrap() <= end)
        {
            let name = format!("{number:03}");
            mounted.tree.root.contents.push(file(&name, 30_000, extents));
        }
    }
    end
}

#[test]
fn after_early_warning_an_index_still_fits() {
    let (rig, mut tape, mut mounted) = small(1_600_000);
    let end = fill(&mut tape, &mut mounted, Until::EarlyWarning);
    commit(&mut tape, &mut mounted, &what(end)).unwrap();
    let files = mounted.tree.root.contents.len();
    assert!(files > 30, "{files}");
    tape.unload().unwrap();
    drop(tape);
    rig.carry(TAPE, To::Drive(1));
    let mut tape = rig.drive(1);
    tape.load().unwrap();
    let again = mount(&mut tape).unwrap();
    assert_eq!((again.state, &again.tree), (State::Clean, &mounted.tree));
    judged(&rig.path(TAPE));
    // Whoever goes on is warned by the first record.
    let mut appender = Appender::new(&mut tape, &again).unwrap();
    appender.begin();
    appender.write(&mut tape, &[1; BLOCK]).unwrap();
    assert!(appender.early_warning());
}

/// who goes on after the warning comes to a hard end. What does not fit is told, and all that was committed is there.
#[test]
fn a_hard_end_is_told_and_what_was_committed_is_there() {
    let (rig, mut tape, mut mounted) = small(1_600_000);
    let mut promise = Promise::of(&mounted);
    promise.session(&mut tape, &mut mounted, "before", &[10, 9000]).unwrap();
    let end = fill(&mut tape, &mut mounted, Until::Full);
    let refused = commit(&mut tape, &mut mounted, &what(end)).unwrap_err();
    assert_eq!(refused, LtfsError::Full("b".to_owned()));
    drop(tape);
    rig.out(TAPE, 0, To::Drive(1));
    let mut tape = rig.drive(1);
    tape.load().unwrap();
    let mut mounted = promise.hold(&mut tape);
    assert_eq!(mounted.state, State::Tail);
    let refused = promise.recover(&rig, &mut tape, &mut mounted).unwrap_err();
    assert_eq!(refused, LtfsError::Full("b".to_owned()));
    promise.hold(&mut tape);
}

/// An index that has no room on the index partition: the data partition's holds everything.
#[test]
fn an_index_partition_that_is_full_costs_no_file() {
    let (rig, mut tape, mut mounted) = small(1_600_000);
    let mut promise = Promise::of(&mounted);
    promise.session(&mut tape, &mut mounted, "before", &[10, 9000]).unwrap();
    let refused = promise.session(&mut tape, &mut mounted, "many", &[1; 250]).unwrap_err();
    assert_eq!(refused, LtfsError::Full("a".to_owned()));
    drop(tape);
    rig.out(TAPE, 0, To::Drive(1));
    let mut tape = rig.drive(1);
    tape.load().unwrap();
    let found = promise.hold(&mut tape);
    assert!(!found.state.is_clean());
    assert_eq!(found.chosen().partition, found.labels.label.data, "the newer tree");
}
