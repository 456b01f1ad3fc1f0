//! Where the plan's faults happen in the library: every device asks before it does something.
//!
//! `read`, `write`, `sync`, `locate`, `load` and `unload` of a drive go by its name, its cartridge's and, but for the last
//! two, its library's; `load` and `unload` of a library are moves of its arm into and out of drives, any other move is a
//! `load` too. `block` is the number of the record in its partition.

use super::sense::{Check, Say};
use crate::ldm::Op;
use crate::ldm::faults::{Attempt, Effect, FaultPlan, Place, Range64};
use std::time::Duration;

/// The faults of one device.
#[derive(Clone, Debug)]
pub(super) struct Faults {
    plan: FaultPlan,
    own: Vec<Place>,
    library: Place,
}

/// What a fault changes without failing the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Twist {
    /// Nothing.
    None,
    /// The record is half as long.
    Short,
    /// One bit changes.
    Flip,
    /// The bytes are zeros.
    Lost,
    /// It is done, and the device says this about it (keys 0 and 1).
    Remark(Say),
}

impl Faults {
    /// Of a drive.
    pub(super) fn of_drive(plan: FaultPlan, name: &str, library: &str) -> Self {
        Self {
            plan,
            own: vec![Place::Drive(name.to_owned())],
            library: Place::Library(library.to_owned()),
        }
    }

    /// Of the arm.
    pub(super) fn of_library(plan: FaultPlan, library: &str) -> Self {
        Self {
            plan,
            own: Vec::new(),
            library: Place::Library(library.to_owned()),
        }
    }

    /// Counts an operation; a fault that fails it is the error.
    pub(super) fn strike(&self, op: Op, barcode: Option<&str>, block: Option<u64>) -> Result<Twist, Check> {
        let mut places = self.own.clone();
        places.extend(barcode.map(|barcode| Place::Medium(barcode.to_owned())));
        if self.own.is_empty() || !matches!(op, Op::Load | Op::Unload) {
            places.push(self.library.clone());
        }
        let attempt = Attempt {
            block: block.map(|block| Range64::from(block..block + 1)),
            ..Attempt::of(&places, op)
        };
        match self.plan.strike(&attempt) {
            Some(effect) => outcome(op, effect, self.own.is_empty()),
            None => Ok(Twist::None),
        }
    }
}

fn outcome(op: Op, effect: Effect, arm: bool) -> Result<Twist, Check> {
    match effect {
        Effect::Sense(sense) => {
            let say = Say::new(sense.key, sense.asc, sense.ascq);
            match sense.key {
                0 | 1 => Ok(Twist::Remark(say)),
                0xd => Err(say.end_of_medium().into()),
                _ => Err(say.into()),
            }
        }
        Effect::Enospc if matches!(op, Op::Write | Op::Sync) => Err(Say::OVERFLOW.into()),
        Effect::Eio | Effect::Enospc | Effect::LabelMismatch => Err(device_error(op, arm).into()),
        Effect::Hang => Err(Check::Silence),
        Effect::Short => Ok(Twist::Short),
        Effect::Flip => Ok(Twist::Flip),
        Effect::LostWrite => Ok(Twist::Lost),
    }
}

/// How a device that fails says so.
fn device_error(op: Op, arm: bool) -> Say {
    match op {
        Op::Read => Say::READ_ERROR,
        Op::Write | Op::Sync => Say::WRITE_ERROR,
        Op::Load | Op::Unload if !arm => Say::LOAD_FAILED,
        _ => Say::MECHANICAL,
    }
}

/// Changes one bit, in the middle, where no header hides it.
pub(super) fn flip(bytes: &mut [u8]) {
    let middle = bytes.len() / 2;
    if let Some(byte) = bytes.get_mut(middle) {
        *byte ^= 0x10;
    }
}

/// How long a device that hangs is waited for: until the host gives up, or for an hour.
pub(super) fn silence(timeout: Duration) -> Duration {
    timeout.min(Duration::from_secs(3600))
}
