//! Libraries, their drives and the tapes in them, as `library`, `drive` and `tape` print them.

use dss::model::{ByteCount, FsState, Presence};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Generations of LTO, as they are asked for, and how else each may be spelled; the case of letters does not matter.
pub const TECHNOLOGIES: [(&str, &[&str]); 7] = [
    ("lto5", &["lto-5"]),
    ("lto6", &["lto-6"]),
    ("lto7", &["lto-7"]),
    ("lto7-m8", &["lto-7-m8", "lto-7 m8"]),
    ("lto8", &["lto-8"]),
    ("lto9", &["lto-9"]),
    ("lto10", &["lto-10"]),
];

/// The word for a generation, however it was spelled; None for what is none.
pub fn technology_word(typed: &str) -> Option<&'static str> {
    let is = |spelling: &&str| spelling.eq_ignore_ascii_case(typed);
    let found = TECHNOLOGIES
        .iter()
        .find(|(word, others)| is(word) || others.iter().any(is));
    found.map(|(word, _)| *word)
}

/// `library add`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibraryAddRequest {
    /// What it shall be called.
    pub name: String,
    /// What it is.
    pub what: NewLibrary,
}

/// What a new library is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum NewLibrary {
    /// A folder. One that is a library already is taken as it is; else one is made there.
    Virtual {
        /// Where.
        folder: PathBuf,
        /// What is made where there is none; None of its parts was typed when it is only to be taken.
        shape: VirtualShape,
    },
    /// A changer of this host, and the drives in it.
    Scsi {
        /// Its node.
        changer: PathBuf,
    },
}

/// What was typed of a virtual library that is to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VirtualShape {
    /// How many drives.
    pub drives: Option<u16>,
    /// How many slots.
    pub slots: Option<u16>,
    /// How many mail slots.
    pub mail_slots: Option<u16>,
    /// How many blank cartridges.
    pub cartridges: Option<u16>,
    /// The generation of drives and cartridges.
    pub technology: Option<String>,
}

/// `library scan` and `library list NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LibraryRequest {
    /// Which.
    pub library: String,
}

/// `library insert`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InsertRequest {
    /// Into which library.
    pub library: String,
    /// The folder of the cartridge.
    pub cartridge: PathBuf,
    /// Under which barcode.
    pub barcode: String,
    /// Of which generation; None: what the folder says, else the library's.
    pub technology: Option<String>,
}

/// `drive lock` and `drive unlock`; `drive status` of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriveRequest {
    /// `LIBRARY/DRIVE`, or the drive alone where only one library has one of that name.
    pub drive: String,
    /// Why, in the operator's words.
    pub why: Option<String>,
}

/// `drive list` and `drive status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DrivesRequest {
    /// Only this one; as in [`DriveRequest`].
    pub drive: Option<String>,
    /// Whether the drives are asked how they are.
    pub ask: bool,
}

/// `tape add` and `tape format`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapeAddRequest {
    /// Which cartridge.
    pub barcode: String,
    /// In which library; None: the only one that has it.
    pub library: Option<String>,
    /// What it shall be called; None: as its barcode.
    pub name: Option<String>,
    /// The operator's words.
    pub tags: BTreeSet<String>,
    /// The operator's class.
    pub class: Option<String>,
}

/// Anything about one cartridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapeRequest {
    /// Its barcode, or the name of the medium that it is.
    pub tape: String,
    /// In which library; None: the only one that has it.
    pub library: Option<String>,
}

/// `tape list`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TapesRequest {
    /// Only in this library.
    pub library: Option<String>,
}

/// One library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LibraryView {
    /// What it is called.
    pub name: String,
    /// `virtual` or `scsi`.
    pub kind: String,
    /// Its folder, or its changer's node.
    pub place: String,
    /// Whether a device model answers in place of hardware.
    pub modelled: bool,
    /// Why it cannot be used now.
    pub trouble: Option<String>,
    /// Its drives, in order of their elements.
    pub drives: Vec<TapeDriveView>,
    /// What its robot reaches, drives included.
    pub elements: Vec<ElementView>,
    /// How many slots take a cartridge.
    pub free_slots: u64,
    /// Barcodes that more than one element has: none of them is touched.
    pub duplicates: Vec<String>,
    /// Elements with a cartridge whose barcode was not read.
    pub without_barcode: Vec<u16>,
}

/// What `library list` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LibraryList {
    /// All of them, by name.
    pub libraries: Vec<LibraryView>,
}

/// One place in a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElementView {
    /// Its address, by the changer's numbers.
    pub address: u16,
    /// slot, mail_slot, drive or transport.
    pub kind: String,
    /// Whether a cartridge is there.
    pub full: bool,
    /// The barcode of that.
    pub barcode: Option<String>,
    /// The medium that it is, by name.
    pub medium: Option<String>,
    /// Whether the arm gets there.
    pub accessible: bool,
    /// What the changer says is wrong with it (additional sense code and qualifier, in base 16).
    pub exception: Option<String>,
}

/// One drive of a library.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapeDriveView {
    /// What it is called in its library.
    pub name: String,
    /// Its library.
    pub library: String,
    /// The address of its element.
    pub element: u16,
    /// Its serial number.
    pub serial: Option<String>,
    /// What it calls itself.
    pub model: Option<String>,
    /// The generation that it is of.
    pub technology: Option<String>,
    /// empty, loading, loaded, unloading or failed, as the scheduler has it.
    pub state: String,
    /// The barcode of what is in it.
    pub barcode: Option<String>,
    /// The medium that it is, by name.
    pub medium: Option<String>,
    /// Who uses what is in it, and how.
    pub used_by: Vec<String>,
    /// Why the operator locked it.
    pub locked: Option<String>,
    /// Why it serves nobody.
    pub out_of_service: Option<String>,
    /// What it has to tell (TapeAlert). Only where it was asked.
    pub alerts: Vec<AlertView>,
    /// Whether it asks for cleaning. Only where it was asked.
    pub wants_cleaning: Option<bool>,
    /// Whether what is in it is write-protected. Only where it was asked.
    pub write_protected: Option<bool>,
    /// Why some of this is missing.
    pub trouble: Option<String>,
}

/// What `drive list` and `drive status` print.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DriveList {
    /// By library and element.
    pub drives: Vec<TapeDriveView>,
}

/// Something that a drive has to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AlertView {
    /// Its number (SSC-4, TapeAlert).
    pub number: u8,
    /// In words, with how much it matters.
    pub text: String,
}

/// One cartridge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapeView {
    /// Its barcode.
    pub barcode: String,
    /// The library that has it; None: it is on the shelf.
    pub library: Option<String>,
    /// The element that it is in.
    pub element: Option<u16>,
    /// The drive that it is in.
    pub drive: Option<String>,
    /// The medium that it is, by name; None: the catalogue does not know it.
    pub medium: Option<String>,
    /// What the catalogue knows to be on it.
    pub fs_state: Option<FsState>,
    /// Where it is.
    pub presence: Presence,
    /// Whether it cleans drives, and is never loaded as a medium.
    pub cleaning: bool,
    /// virtual: the folder of its records.
    pub path: Option<PathBuf>,
}

/// What `tape list` prints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapeList {
    /// By library and barcode.
    pub tapes: Vec<TapeView>,
}

/// What `tape check` prints.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapeCheck {
    /// Which cartridge.
    pub barcode: String,
    /// In which library.
    pub library: String,
    /// Whether there is nothing to find fault with.
    pub ok: bool,
    /// What is on it, in words.
    pub holds: String,
    /// Its volume, where there is one.
    pub volume: Option<VolumeView>,
    /// What is wrong with it.
    pub findings: Vec<TapeFinding>,
}

/// An LTFS volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VolumeView {
    /// Its UUID.
    pub uuid: String,
    /// The name in its root.
    pub name: String,
    /// The serial number in its VOL1 label.
    pub serial: String,
    /// The generation of the index that counts.
    pub generation: u64,
    /// Length of a full record in bytes.
    pub block_size: u32,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: ByteCount,
    /// clean, or what it was left as.
    pub state: String,
}

/// One fault of a volume.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TapeFinding {
    /// Its kind, in one word.
    pub code: String,
    /// Where: a path, a partition, a block.
    pub at: String,
    /// What it is.
    pub what: String,
}

#[cfg(test)]
mod tests {
    use super::{TECHNOLOGIES, technology_word};
    use lrs::ldm::virt::Technology;

    /// E-11: libraries of every generation are asked for by the words that they are kept under.
    #[test]
    fn every_generation_that_a_library_can_be_of_has_its_word() {
        let kept: Vec<_> = Technology::ALL
            .iter()
            .map(|one| serde_json::to_value(one).unwrap())
            .collect();
        assert_eq!(TECHNOLOGIES.map(|(word, _)| word).to_vec(), kept);
    }

    #[test]
    fn a_generation_may_be_spelled_as_on_its_cartridge() {
        for (one, (word, _)) in Technology::ALL.into_iter().zip(TECHNOLOGIES) {
            for spelled in [word.to_owned(), word.to_uppercase(), one.to_string()] {
                assert_eq!(technology_word(&spelled), Some(word), "{spelled}");
            }
        }
        for wrong in ["", "lto", "lto4", "9", "lto99", "dlt"] {
            assert_eq!(technology_word(wrong), None, "{wrong}");
        }
    }
}
