//! Another program of this host moves the tape while we write: no attention is told, and the cartridge is the same. What is
//! answered for then is only what lies where it should.

use super::promise::{Judge, base};
use super::rig::{Line, Rig, TAPE};
use crate::writing::{BLOCK, bytes};
use lrs::ldm::drive::Position;
use lrs::ldm::fs::ltfs::volume::{Appender, LtfsError, mount};
use lrs::ldm::scsi::{Status, Transfer, Transport};
use lrs::ldm::virt::VirtualLibrary;
use std::time::Duration;

const FILEMARKS: u8 = 0x10;

/// Somebody else on this host rewinds the first drive, which writes its buffer out for that.
fn rewind(library: &VirtualLibrary) {
    let mut way = library.drive_transport(0).unwrap();
    // Attentions of a way that is new are told first.
    let done = (0..8).any(|_| {
        let answer = way.execute(&[1, 0, 0, 0, 0, 0], Transfer::None, Duration::from_secs(60));
        answer.unwrap().status == Status::Good
    });
    assert!(done, "the drive is rewound");
}

/// From now on that happens before every flush.
fn rewound_at_flushes(rig: &Rig, line: &Line) {
    let library = rig.library.clone();
    line.stand_in(move |cdb| {
        if cdb[0] == FILEMARKS && cdb[2..5] == [0, 0, 0] {
            rewind(&library);
        }
        None
    });
}

fn is_elsewhere(error: &LtfsError) -> bool {
    matches!(error, LtfsError::Moved { found, .. } if *found == Position::at(0, 0))
}

/// E-06, I7: the flush itself succeeds; where the drive stands then says that something came between.
#[test]
fn e06_a_flush_that_leaves_the_drive_elsewhere_is_none() {
    let (rig, promise) = base();
    let (mut tape, line, cartridge) = rig.try_load(TAPE, 0);
    cartridge.unwrap();
    let mounted = mount(&mut tape).unwrap();
    let mut appender = Appender::new(&mut tape, &mounted).unwrap();
    appender.begin();
    appender.write(&mut tape, &bytes(1, BLOCK)).unwrap();
    rewound_at_flushes(&rig, &line);
    let refused = appender.flush(&mut tape).unwrap_err();
    assert!(is_elsewhere(&refused), "{refused}");
    line.stand_in(|_| None);
    // Whoever goes on with it writes over the labels.
    assert!(matches!(
        appender.write(&mut tape, &bytes(2, BLOCK)),
        Err(LtfsError::Refused(_))
    ));
    assert!(matches!(appender.flush(&mut tape), Err(LtfsError::Refused(_))));
    drop(tape);
    promise.survives(&rig, 0, Judge::Spared);
}

/// E-16: the same of an index that was written to its end.
#[test]
fn e16_an_index_that_leaves_the_drive_elsewhere_is_none() {
    let (rig, mut promise) = base();
    let (mut tape, line, cartridge) = rig.try_load(TAPE, 0);
    cartridge.unwrap();
    let mut mounted = mount(&mut tape).unwrap();
    let (mut flushes, library) = (0, rig.library.clone());
    // The first one is of the data, and the second of their index.
    line.stand_in(move |cdb| {
        if cdb[0] == FILEMARKS && cdb[2..5] == [0, 0, 0] {
            flushes += 1;
            if flushes == 2 {
                rewind(&library);
            }
        }
        None
    });
    let refused = promise
        .session(&mut tape, &mut mounted, "moved", &[10, 5000])
        .unwrap_err();
    assert!(is_elsewhere(&refused), "{refused}");
    line.stand_in(|_| None);
    drop(tape);
    promise.survives(&rig, 0, Judge::Spared);
}
