//! Libraries that this catalogue's tapes live in, and the drives in them.

use super::Health;
use super::words::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

words! {
    /// How a library is driven.
    LibraryKind = "library_kind" {
        /// A model of one, in a folder.
        Virtual = "virtual",
        /// A real one, by its changer's commands.
        Scsi = "scsi",
    }
}

/// A library, as the catalogue knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Library {
    /// What the operator calls it.
    pub name: String,
    /// How it is driven.
    pub kind: LibraryKind,
    /// virtual: the absolute path of its folder; scsi: what names its changer on this host.
    pub place: String,
    /// When it was added.
    pub created_at: Timestamp,
}

/// A drive in a bay, as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DriveSeen {
    /// The bay it is in.
    pub bay: String,
    /// Its serial number; None: nobody tells.
    pub serial: Option<String>,
    /// Its maker and product; None: it could not be asked.
    pub model: Option<String>,
    /// What the system thinks of it.
    pub health: Health,
    /// What it has to tell, or why it does not answer, in words.
    pub trouble: Option<String>,
}

/// A drive, as the catalogue knows it. A bay is named by its library and stays when another drive is put into it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDrive {
    /// The library.
    pub library: String,
    /// The bay.
    pub bay: String,
    /// The serial number of the drive that was last seen there.
    pub serial: Option<String>,
    /// Its maker and product.
    pub model: Option<String>,
    /// Some: the operator locked it, and why. Nothing is loaded into a locked drive.
    pub locked: Option<String>,
    /// What the system thinks of it.
    pub health: Health,
    /// What it last had to tell, or why it did not answer.
    pub trouble: Option<String>,
}
