//! Which library, and how this host drives it.

use super::wires::Patience;
use crate::ldm::faults::FaultPlan;
use crate::ldm::scsi::reservation::Key;
use crate::ldm::virt::{Pace, Technology};
use std::path::PathBuf;

/// A library of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spec {
    /// A folder.
    Virtual {
        /// What it is called: in messages, and in fault plans.
        name: String,
        /// Where it is.
        folder: PathBuf,
    },
    /// A changer and the drives in it.
    Scsi {
        /// What it is called.
        name: String,
        /// The changer's node of the generic SCSI driver, `/dev/sgN`, or a link to it.
        changer: PathBuf,
    },
}

impl Spec {
    /// What it is called.
    pub fn name(&self) -> &str {
        match self {
            Self::Virtual { name, .. } | Self::Scsi { name, .. } => name,
        }
    }
}

/// How this host drives libraries.
#[derive(Clone, Debug)]
pub struct Terms {
    /// This host's key, by which other hosts know who has reserved a drive.
    pub key: Key,
    /// What goes wrong in virtual libraries. Hardware suffers what it suffers.
    pub faults: FaultPlan,
    /// Whether virtual libraries take their time.
    pub pace: Pace,
}

impl Terms {
    /// Nothing goes wrong, and virtual libraries only count their time.
    pub fn usual(key: Key) -> Self {
        Self {
            key,
            faults: FaultPlan::none(),
            pace: Pace::Virtual,
        }
    }

    /// How a virtual library is waited for: one that only counts its time would be waited for in vain.
    pub(super) fn patience(&self) -> Patience {
        match self.pace {
            Pace::Virtual => Patience::counted(),
            Pace::Real => Patience::default(),
        }
    }
}

/// What a new virtual library is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLibrary {
    /// Generation of its drives and cartridges.
    pub technology: Technology,
    /// How many drives.
    pub drives: u16,
    /// How many slots.
    pub slots: u16,
    /// How many mail slots.
    pub mail_slots: u16,
    /// How many blank cartridges; no more than slots. They are RSP000L9 and so on.
    pub cartridges: u16,
}
