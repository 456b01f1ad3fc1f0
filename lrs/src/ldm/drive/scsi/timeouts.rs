//! How long commands may take. Where nothing else is said: the longest value of any LTO-5 to LTO-10 drive in the LTFS
//! reference implementation's tables, full and half height, which are the vendor's. A shorter timeout would abort a command
//! that a healthy drive still works at; the next holder of a lease waits for the longest of them.

use std::time::Duration;

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Questions, reservations, attributes: 60 s.
pub const QUESTION: Duration = seconds(60);

/// READ(6).
pub const READ: Duration = seconds(2_340);

/// WRITE(6).
pub const WRITE: Duration = seconds(1_560);

/// WRITE FILEMARKS(6), flushes included.
pub const FILEMARKS: Duration = seconds(1_680);

/// LOCATE(16) and SPACE.
pub const LOCATE: Duration = seconds(3_940);

/// REWIND.
pub const REWIND: Duration = seconds(600);

/// LOAD UNLOAD; a load answers at once, an unload when it is done.
pub const LOAD_UNLOAD: Duration = seconds(1_020);

/// FORMAT MEDIUM.
pub const FORMAT: Duration = seconds(3_240);

/// SET CAPACITY.
pub const SET_CAPACITY: Duration = seconds(960);

/// From a cartridge put in to a drive that is ready: a new LTO-9 cartridge is optimised at its first load, up to two hours
/// (TAPE section 4); the rest is threading.
pub const READY: Duration = seconds(2 * 3_600 + 900);

/// A drive that has accepted LOAD and still says that there is no cartridge is believed after this: the robot's hand may
/// just have let go of it.
pub const APPEARS: Duration = seconds(60);

/// Between two questions whether a drive is ready.
pub const POLL: Duration = seconds(1);

/// Before a command that found the device busy is sent again, and how often.
pub const BUSY: Duration = seconds(1);
/// How often.
pub const BUSY_TIMES: u32 = 60;

/// MOVE MEDIUM: the largest libraries' robots, with a second try of theirs (general SMC practice).
pub const MOVE: Duration = seconds(1_200);

/// INITIALIZE ELEMENT STATUS: every slot of a library looked at.
pub const SCAN: Duration = seconds(3_600);

/// READ ELEMENT STATUS: a changer that was just opened answers when its own inventory is done.
pub const ELEMENTS: Duration = seconds(600);

/// Longest of all: what a next holder has to wait for.
pub const LONGEST: Duration = LOCATE;
