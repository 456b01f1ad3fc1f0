//! A bay: an element for a drive, the drive that is in it by its serial number, and what it is used for. One thing at a
//! time is done with a bay; whoever begins something says so, and whoever comes meanwhile is told.

use super::error::Trouble;
use super::loaded::Loaded;
use super::wires::Driver;
use crate::ldm::changer::ElementAddress;
use crate::ldm::drive::{DriveError, DriveIdentity, Generation};
use crate::ldm::fs::ltfs::medium::SharedDrive;
use crate::ldm::scsi::log::Alert;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A bay.
pub(super) struct Bay {
    pub(super) name: String,
    pub(super) element: ElementAddress,
    /// As the changer says.
    pub(super) serial: Option<String>,
    /// The way to its drive, or why there is none.
    pub(super) way: Result<Way, String>,
    pub(super) usage: Mutex<Use>,
    /// What the drive had to tell since its cartridge came: asking clears it there.
    pub(super) alerts: Mutex<BTreeSet<Alert>>,
}

/// The way to a drive.
pub(super) struct Way {
    pub(super) drive: Arc<Mutex<Driver>>,
    pub(super) identity: DriveIdentity,
    /// By its product name; None: it is none that is known here.
    pub(super) generation: Option<Generation>,
}

/// What a bay is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Use {
    /// Nothing. A cartridge may lie in it all the same, as an earlier life or a failure left it.
    Free,
    /// Something is under way.
    Busy(&'static str),
    /// This cartridge was put in and made sure of.
    Loaded(Loaded),
    /// A volume is mounted from it.
    Mounted {
        loaded: Loaded,
        /// The medium's name.
        medium: String,
    },
}

/// What a bay is wanted for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want<'a> {
    /// This cartridge is to be in it.
    Hold(&'a str),
    /// What is in it is to go away.
    Empty,
    /// What was left in it is wanted in another bay.
    Yield,
    /// A volume is to be unmounted.
    Unmount,
}

/// Whether a bay may be taken for something.
fn may(usage: &Use, want: Want<'_>) -> Result<(), Refusal> {
    use Refusal::{Holds, InUse};
    match (usage, want) {
        (Use::Busy(doing), _) => Err(InUse((*doing).to_owned())),
        (Use::Free, Want::Hold(_) | Want::Empty | Want::Yield | Want::Unmount) => Ok(()),
        (Use::Loaded(loaded), Want::Hold(barcode)) if loaded.barcode != barcode => Err(Holds(loaded.barcode.clone())),
        (Use::Loaded(_), Want::Hold(_) | Want::Empty | Want::Unmount) => Ok(()),
        (Use::Loaded(_), Want::Yield) => Err(InUse("it is loaded".to_owned())),
        (Use::Mounted { .. }, Want::Unmount) => Ok(()),
        (Use::Mounted { medium, .. }, Want::Hold(_) | Want::Empty | Want::Yield) => {
            Err(InUse(format!("medium {medium} is mounted")))
        }
    }
}

enum Refusal {
    InUse(String),
    Holds(String),
}

/// A bay that was taken for something. What it is used for afterwards is said before the end; else for nothing.
pub(super) struct Claim<'b> {
    pub(super) bay: &'b Bay,
    /// What it was used for before.
    pub(super) before: Use,
    then: Use,
}

impl Claim<'_> {
    pub(super) fn keep(&mut self, then: Use) {
        self.then = then;
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        *locked(&self.bay.usage) = std::mem::replace(&mut self.then, Use::Free);
    }
}

impl Bay {
    /// Takes the bay for something.
    pub(super) fn claim(&self, want: Want<'_>, doing: &'static str) -> Result<Claim<'_>, Trouble> {
        let mut usage = locked(&self.usage);
        may(&usage, want).map_err(|refusal| match refusal {
            Refusal::InUse(doing) => Trouble::InUse {
                bay: self.name.clone(),
                doing,
            },
            Refusal::Holds(barcode) => Trouble::Occupied {
                bay: self.name.clone(),
                by: Some(barcode),
            },
        })?;
        let before = std::mem::replace(&mut *usage, Use::Busy(doing));
        Ok(Claim {
            bay: self,
            before,
            then: Use::Free,
        })
    }

    /// The way to its drive.
    pub(super) fn way(&self) -> Result<&Way, Trouble> {
        self.way.as_ref().map_err(|why| Trouble::Unreachable {
            bay: self.name.clone(),
            why: why.clone(),
        })
    }

    pub(super) fn trouble(&self, barcode: Option<&str>, error: DriveError) -> Trouble {
        Trouble::Drive {
            bay: self.name.clone(),
            barcode: barcode.map(str::to_owned),
            error,
        }
    }

    /// Asks the drive for its alerts, and keeps them.
    pub(super) fn ask_alerts(&self, drive: &mut Driver) -> Result<(), DriveError> {
        let told = drive.alerts()?;
        locked(&self.alerts).extend(told);
        Ok(())
    }

    /// Another cartridge: what was told of the one before is over.
    pub(super) fn forget_alerts(&self) {
        locked(&self.alerts).clear();
    }
}

impl Way {
    /// The drive, for who works with it alone for a while.
    pub(super) fn drive(&self) -> MutexGuard<'_, Driver> {
        locked(&self.drive)
    }

    /// The drive, for who shares it.
    pub(super) fn shared(&self) -> SharedDrive {
        self.drive.clone()
    }
}

/// A panic while it was held leaves nothing here half changed.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::drive::Cartridge;

    fn loaded() -> Loaded {
        Loaded {
            barcode: "A".to_owned(),
            cartridge: Cartridge {
                density: 0x60,
                medium_type: 0x98,
                write_protected: false,
                worm: false,
                serial: None,
                barcode: None,
                partitions: 2,
            },
            moved: super::super::loaded::Moved::No,
            remark: None,
        }
    }

    /// Rows: what it is used for; columns: A is to be in it, B is, it is to be empty, to yield, to be unmounted.
    #[test]
    fn a_bay_is_taken_for_what_fits_what_it_is_used_for() {
        let mounted = Use::Mounted {
            loaded: loaded(),
            medium: "a".to_owned(),
        };
        let table = [Use::Free, Use::Busy("x"), Use::Loaded(loaded()), mounted].map(|usage| {
            let wants = [
                Want::Hold("A"),
                Want::Hold("B"),
                Want::Empty,
                Want::Yield,
                Want::Unmount,
            ];
            let letter = |want| match may(&usage, want) {
                Ok(()) => 'y',
                Err(Refusal::InUse(_)) => 'u',
                Err(Refusal::Holds(_)) => 'h',
            };
            wants.map(letter).iter().collect::<String>()
        });
        assert_eq!(table, ["yyyyy", "uuuuu", "yhyuy", "uuuuy"]);
    }
}
