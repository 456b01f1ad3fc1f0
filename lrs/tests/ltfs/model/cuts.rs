//! Stops between every pair of commands. A power cut takes what a drive has only in its buffer; a process that ends takes
//! its model drives with it; a host that ends leaves a drive that writes out what it has when the cartridge is let out.

use super::promise::{Judge, Promise, base};
use super::rig::{Line, Rig, TAPE, Tape, Then};
use crate::writing::options;
use lrs::ldm::drive::{Drive, Partition, Position};
use lrs::ldm::fs::ltfs::volume::{Appender, LtfsError, LtfsResult, Mounted, State, format, mount};
use std::collections::BTreeMap;

/// What ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// The power of everything.
    Power,
    /// The process, and the library with it.
    Process,
    /// The host alone: the drive keeps what is in its buffer, and writes it out.
    Host,
}

impl Ending {
    pub const ALL: [Self; 3] = [Self::Power, Self::Process, Self::Host];

    /// It ends; what is left of the library.
    pub fn happen(self, rig: Rig) -> Rig {
        match self {
            Self::Power => {
                rig.library.power_cut();
                rig
            }
            Self::Process => rig.reopened(),
            Self::Host => rig,
        }
    }
}

/// So that small files share records, one is longer than several, and a flush lies between.
const LENGTHS: [usize; 7] = [10, 3000, 4096, 0, 9000, 77, 20_000];

/// Loads a copy of the base into the first drive and mounts it. Commands are counted from here on.
fn mounted(base: &Rig) -> (Rig, Tape, Line, Mounted) {
    let rig = Rig::copy(base.folder.path(), "");
    let (mut tape, line, cartridge) = rig.try_load(TAPE, 0);
    cartridge.unwrap();
    let mounted = mount(&mut tape).unwrap();
    (rig, tape, line, mounted)
}

/// The base with a session that was to stop before a command.
struct Stopped {
    rig: Rig,
    promise: Promise,
    /// It had fewer commands, and was committed.
    ended: bool,
}

fn stopped(base: &Rig, promise: &Promise, before: usize) -> Stopped {
    let (rig, mut tape, line, mut mounted) = mounted(base);
    let mut promise = promise.clone();
    line.before(before, || Then::Silence);
    let done = promise.session(&mut tape, &mut mounted, "stopped", &LENGTHS);
    assert_eq!(done.is_ok(), line.is_waiting(), "{done:?}");
    Stopped {
        rig,
        promise,
        ended: done.is_ok(),
    }
}

/// E-06, E-15, E-16: whatever was flushed and committed is there after a stop anywhere, in the other drive, and nothing that
/// follows overwrites what is on the tape.
#[test]
fn a_stop_before_any_command_loses_nothing_that_was_committed() {
    let (base, promise) = base();
    for ending in Ending::ALL {
        let (mut states, mut points) = (BTreeMap::new(), 0);
        loop {
            let Stopped { rig, promise, ended } = stopped(&base, &promise, points);
            let rig = ending.happen(rig);
            if ended {
                let state = promise.survives(&rig, 0, Judge::Asked);
                assert_eq!(state, State::Clean, "all of it was on the tape when it was committed");
                break;
            }
            let judge = if points % 5 == 0 { Judge::Asked } else { Judge::Spared };
            let state = promise.survives(&rig, 0, judge);
            *states.entry(format!("{state:?}")).or_insert(0) += 1;
            points += 1;
        }
        println!("{ending:?}: {points} crash points; found {states:?}");
        assert!(points > 40, "{points}");
        assert!(
            states.len() >= 3,
            "a session has more than one kind of place to stop at"
        );
    }
}

/// E-06: what a flush has answered for is on the tape, whatever happens to the drive afterwards.
#[test]
fn what_was_flushed_is_on_the_tape_after_a_power_cut() {
    let (base, _) = base();
    let (rig, mut tape, _, found) = mounted(&base);
    let mut appender = Appender::new(&mut tape, &found).unwrap();
    for length in LENGTHS {
        appender.begin();
        appender.write(&mut tape, &vec![7; length]).unwrap();
        let end = appender.flush(&mut tape).unwrap();
        let cut = Rig::copy(rig.folder.path(), "");
        let mut other = cut.drive(0);
        other.load().unwrap();
        assert_eq!(other.locate_end(Partition(1)), Ok(Position::at(1, end)));
    }
}

/// A recovery that is stopped is one more volume to be recovered, at every command.
#[test]
fn a_stop_before_any_command_of_a_recovery_loses_nothing_either() {
    let (base, promise) = base();
    let mut points = 0;
    // Within the data (a tail), between both indexes, and within the index partition's.
    let whole = (0..).take_while(|at| !stopped(&base, &promise, *at).ended).count();
    for first in [8, whole - 20, whole - 12, whole - 6] {
        for ending in [Ending::Power, Ending::Host] {
            for second in 0.. {
                let Stopped { rig, mut promise, .. } = stopped(&base, &promise, first);
                let rig = ending.happen(rig);
                let (mut tape, line) = rig.wired(0);
                tape.load().unwrap();
                let mut mounted = promise.hold(&mut tape);
                line.before(second, || Then::Silence);
                let done = promise.recover(&rig, &mut tape, &mut mounted);
                drop(tape);
                if done.is_ok() {
                    break;
                }
                let rig = ending.happen(rig);
                promise.survives(&rig, 0, Judge::Spared);
                points += 1;
            }
        }
    }
    println!("{points} crash points in recoveries");
    assert!(points > 100, "{points}");
}

/// A format that is stopped leaves a tape that says what it is, and that can be formatted.
#[test]
fn a_stop_before_any_command_of_a_format_leaves_a_tape_that_can_be_formatted() {
    for ending in Ending::ALL {
        let mut points = 0;
        loop {
            let rig = Rig::new();
            rig.library.blank(TAPE).unwrap();
            let (mut tape, line, cartridge) = rig.try_load(TAPE, 0);
            cartridge.unwrap();
            line.before(points, || Then::Silence);
            let done = format(&mut tape, &options());
            drop(tape);
            if done.is_ok() {
                break;
            }
            let rig = ending.happen(rig);
            let mut tape = rig.drive(0);
            tape.load().unwrap();
            match mount(&mut tape) {
                Ok(mounted) => assert_eq!(mounted.tree.root.contents, []),
                Err(error) => assert!(!matches!(error, LtfsError::Drive(_)), "{points}: {error}"),
            }
            let mounted = format(&mut tape, &options()).unwrap();
            assert_eq!(mounted.state, State::Clean);
            points += 1;
        }
        println!("{ending:?}: {points} crash points in a format");
        assert!(points > 40, "{points}");
    }
}

/// What happens to a drive while its host goes on.
#[derive(Clone, Copy, Debug)]
enum Mishap {
    /// Its power goes and comes back: buffer and position are lost (6/29).
    Reset,
    /// It fails to write its buffer, and says so with the next command (deferred 3/0C).
    LostBuffer,
}

/// A session over a mishap before a command: whether that had happened, and what came of it.
fn suffered(
    rig: &Rig,
    tape: &mut Tape,
    line: &Line,
    mounted: &mut Mounted,
    promise: &mut Promise,
    mishap: (Mishap, usize),
) -> LtfsResult<()> {
    let library = rig.library.clone();
    line.before(mishap.1, move || {
        match mishap.0 {
            Mishap::Reset => library.power_cut(),
            Mishap::LostBuffer => library.lose_buffer(0, lrs::ldm::virt::Say::new(3, 0x0c, 0)),
        }
        Then::GoOn
    });
    promise.session(tape, mounted, "suffered", &LENGTHS)
}

/// X-27, I7: a drive that lost what it had taken is never believed to have it, and nothing is written before its position
/// was asked for: with a reset or a lost buffer before any command of a session.
#[test]
fn a_reset_or_a_lost_buffer_before_any_command_is_never_a_success() {
    let (base, promise) = base();
    for kind in [Mishap::Reset, Mishap::LostBuffer] {
        let (mut states, mut points) = (BTreeMap::new(), 0);
        loop {
            let (rig, mut tape, line, mut mounted) = mounted(&base);
            let mut promise = promise.clone();
            let done = suffered(&rig, &mut tape, &line, &mut mounted, &mut promise, (kind, points));
            if line.is_waiting() {
                done.unwrap();
                break;
            }
            let error = done.expect_err("what the drive had taken is lost");
            // Neither the one that wrote nor anybody after him goes on where he stood.
            let refused = tape.write(&[1; 100]).unwrap_err();
            assert!(
                refused.lost_position() || refused.to_string().contains("becoming ready"),
                "{refused}"
            );
            assert!(tape.flush().unwrap_err().lost_position());
            if matches!(kind, Mishap::Reset) {
                assert!(error.to_string().contains("reset"), "{error}");
                tape.load().unwrap();
                let refused = tape.write(&[1; 100]).unwrap_err();
                assert!(refused.lost_position(), "{refused}");
            }
            tape.take_up();
            let mut mounted = promise.hold(&mut tape);
            *states.entry(format!("{:?}", mounted.state)).or_insert(0) += 1;
            promise.recover(&rig, &mut tape, &mut mounted).unwrap();
            promise.session(&mut tape, &mut mounted, "again", &LENGTHS).unwrap();
            drop(tape);
            promise.survives(&rig, 0, Judge::Spared);
            points += 1;
        }
        println!("{kind:?}: before each of {points} commands; found {states:?}");
        assert!(points > 40, "{points}");
    }
}
