//! What is where in a library: a file that is replaced whole at every change, so that a process that ends at any instant
//! finds its cartridges where they were.

use super::technology::Technology;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file below the library's folder.
const FILE: &str = "library.json";

/// First element addresses, as common libraries have them.
pub(super) const ARM: u16 = 1;
pub(super) const MAIL_SLOTS: u16 = 16;
pub(super) const DRIVES: u16 = 256;
pub(super) const SLOTS: u16 = 1024;

/// The most that the addresses have room for.
const MAIL_SLOTS_MAX: u16 = DRIVES - MAIL_SLOTS;
const DRIVES_MAX: u16 = SLOTS - DRIVES;
const SLOTS_MAX: u16 = u16::MAX - SLOTS;

/// What a new library is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibrarySpec {
    /// Generation of its drives, and of blank cartridges.
    pub technology: Technology,
    /// How many drives.
    pub drives: u16,
    /// How many slots.
    pub slots: u16,
    /// How many mail slots.
    pub mail_slots: u16,
}

/// Why a library cannot be made, opened or filled.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// Its folder failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What happened.
        source: std::io::Error,
    },
    /// The inventory cannot be read.
    #[error("{}: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A library like that cannot be.
    #[error("no such library can be: {_0}")]
    Impossible(String),
    /// No slot is free.
    #[error("no slot is free")]
    Full,
    /// The barcode is there already.
    #[error("there is a cartridge {_0} already")]
    Twice(String),
    /// It is no barcode.
    #[error("'{_0}' is no barcode: 1 to 32 capital letters and digits")]
    NoBarcode(String),
    /// A folder that was to come in holds no cartridge.
    #[error("{} is no folder of a cartridge: {why}", path.display())]
    NoCartridge {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It has no such cartridge.
    #[error("there is no cartridge {_0}")]
    Unknown(String),
}

/// What the library answers.
pub(super) type LibraryResult<T> = Result<T, LibraryError>;

/// What a cartridge is kept in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kept {
    /// A folder of its own.
    #[default]
    Folder,
    /// Memory: it is gone with the process, and never stands in the file.
    Memory,
}

/// A cartridge in an element.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Content {
    pub(super) barcode: String,
    /// What it is where its folder does not say.
    pub(super) technology: Technology,
    /// The element it was taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<u16>,
    #[serde(skip)]
    pub(super) kept: Kept,
}

/// The whole inventory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Inventory {
    pub(super) technology: Technology,
    /// Serial numbers of the drives, in order of their addresses.
    pub(super) drives: Vec<String>,
    pub(super) slots: u16,
    pub(super) mail_slots: u16,
    /// Full elements by address.
    pub(super) elements: BTreeMap<u16, Content>,
}

/// What an element is, with the codes of READ ELEMENT STATUS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Arm = 1,
    Slot = 2,
    MailSlot = 3,
    Drive = 4,
}

impl Inventory {
    pub(super) fn new(spec: &LibrarySpec) -> LibraryResult<Self> {
        // Serial numbers must differ between libraries of one host: changers and drives are matched by them.
        let stem = uuid::Uuid::now_v7().simple().to_string()[26..].to_uppercase();
        Self::with_stem(spec, &stem)
    }

    /// The same with serial numbers made of a stem, which no other library of this host has.
    pub(super) fn with_stem(spec: &LibrarySpec, stem: &str) -> LibraryResult<Self> {
        let impossible = |why: &str| Err(LibraryError::Impossible(why.to_owned()));
        if spec.drives == 0 || spec.slots == 0 {
            return impossible("it needs a drive and a slot");
        }
        if spec.drives > DRIVES_MAX || spec.mail_slots > MAIL_SLOTS_MAX || spec.slots > SLOTS_MAX {
            return impossible("too many elements");
        }
        if !spec.technology.has_drives() {
            return impossible("there are no drives of this technology");
        }
        Ok(Self {
            technology: spec.technology,
            drives: (0..spec.drives).map(|number| format!("VD{stem}{number:02}")).collect(),
            slots: spec.slots,
            mail_slots: spec.mail_slots,
            elements: BTreeMap::new(),
        })
    }

    /// Whether a folder has one.
    pub(super) fn lies_in(folder: &Path) -> bool {
        folder.join(FILE).exists()
    }

    pub(super) fn load(folder: &Path) -> LibraryResult<Self> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path).map_err(|source| io(&path, source))?;
        let found: Self = serde_json::from_slice(&text).map_err(|error| LibraryError::Unreadable {
            path: path.clone(),
            why: error.to_string(),
        })?;
        match found.elements.keys().find(|address| found.place(**address).is_none()) {
            Some(address) => Err(LibraryError::Unreadable {
                path,
                why: format!("it has no element {address}"),
            }),
            None => Ok(found),
        }
    }

    /// Replaces the file, durably.
    pub(super) fn store(&self, folder: &Path) -> LibraryResult<()> {
        let (path, draft) = (folder.join(FILE), folder.join(format!("{FILE}.new")));
        let mut lasting = self.clone();
        lasting.elements.retain(|_, content| content.kept == Kept::Folder);
        let text = serde_json::to_vec_pretty(&lasting).map_err(|error| io(&path, error.into()))?;
        let written = File::create(&draft).and_then(|mut file| {
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&draft, &path)?;
            File::open(folder)?.sync_all()
        });
        written.map_err(|source| io(&path, source))
    }

    /// What is at an address.
    pub(super) fn place(&self, address: u16) -> Option<Place> {
        let places = [Place::Arm, Place::MailSlot, Place::Drive, Place::Slot];
        places.into_iter().find(|place| {
            let (first, count) = self.range(*place);
            (first..first + count).contains(&address)
        })
    }

    /// First address and count of a kind of element.
    pub(super) fn range(&self, place: Place) -> (u16, u16) {
        match place {
            Place::Arm => (ARM, 1),
            Place::Slot => (SLOTS, self.slots),
            Place::MailSlot => (MAIL_SLOTS, self.mail_slots),
            Place::Drive => (DRIVES, self.drives.len() as u16),
        }
    }

    /// The number of the drive at an address.
    pub(super) fn drive(&self, address: u16) -> Option<usize> {
        (self.place(address)? == Place::Drive).then(|| usize::from(address - DRIVES))
    }

    pub(super) fn free_slot(&self) -> LibraryResult<u16> {
        let (first, count) = self.range(Place::Slot);
        let mut free = (first..first + count).filter(|address| !self.elements.contains_key(address));
        free.next().ok_or(LibraryError::Full)
    }

    /// What a cartridge is kept in; None: the library has no such cartridge.
    pub(super) fn kept(&self, barcode: &str) -> Option<Kept> {
        let mut all = self.elements.values();
        all.find(|content| content.barcode == barcode)
            .map(|content| content.kept)
    }
}

pub(super) fn io(path: &Path, source: std::io::Error) -> LibraryError {
    LibraryError::Io {
        path: path.to_owned(),
        source,
    }
}

/// A barcode names a folder, too: nothing else may be in it.
pub(super) fn check_barcode(barcode: &str) -> LibraryResult<()> {
    let fits = (1..=32).contains(&barcode.len());
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    if fits && barcode.bytes().all(plain) {
        Ok(())
    } else {
        Err(LibraryError::NoBarcode(barcode.to_owned()))
    }
}
