//! Generations of LTO: codes, capacities, and which drive takes which cartridge.
//!
//! Density and medium type codes are those that the LTFS reference implementation and mhvtl agree on; capacities are the
//! native ones of the LTO roadmap.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A generation of cartridge, or of drive (M8 is none of drives).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Technology {
    /// LTO-5.
    #[serde(rename = "lto5")]
    Lto5,
    /// LTO-6.
    #[serde(rename = "lto6")]
    Lto6,
    /// LTO-7.
    #[serde(rename = "lto7")]
    Lto7,
    /// An LTO-7 cartridge that an LTO-8 drive formatted with more tracks.
    #[serde(rename = "lto7-m8")]
    Lto7M8,
    /// LTO-8.
    #[serde(rename = "lto8")]
    Lto8,
    /// LTO-9.
    #[serde(rename = "lto9")]
    Lto9,
    /// LTO-10.
    #[serde(rename = "lto10")]
    Lto10,
}

/// What a drive can do with a cartridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everything.
    ReadWrite,
    /// Reading only.
    ReadOnly,
    /// Nothing: it lets it out again.
    Refused,
}

/// One row of what is known of a generation.
struct Row {
    technology: Technology,
    name: &'static str,
    density: u8,
    medium_type: u8,
    capacity: u64,
    /// How the file backend of the LTFS reference names it.
    cart_type: &'static str,
}

const fn row(
    technology: Technology,
    name: &'static str,
    (density, medium_type): (u8, u8),
    gigabytes: u64,
    cart_type: &'static str,
) -> Row {
    Row {
        technology,
        name,
        density,
        medium_type,
        capacity: gigabytes * 1_000_000_000,
        cart_type,
    }
}

const ROWS: [Row; 7] = [
    row(Technology::Lto5, "LTO-5", (0x58, 0x58), 1_500, "L5"),
    row(Technology::Lto6, "LTO-6", (0x5a, 0x68), 2_500, "L6"),
    row(Technology::Lto7, "LTO-7", (0x5c, 0x78), 6_000, "L7"),
    row(Technology::Lto7M8, "LTO-7 M8", (0x5d, 0x78), 9_000, "M8"),
    row(Technology::Lto8, "LTO-8", (0x5e, 0x88), 12_000, "L8"),
    row(Technology::Lto9, "LTO-9", (0x60, 0x98), 18_000, "L9"),
    row(Technology::Lto10, "LTO-10", (0x62, 0xa8), 30_000, "LA"),
];

impl Technology {
    /// Every one of them.
    pub const ALL: [Self; 7] = [
        Self::Lto5,
        Self::Lto6,
        Self::Lto7,
        Self::Lto7M8,
        Self::Lto8,
        Self::Lto9,
        Self::Lto10,
    ];

    /// As it is typed: `lto9`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lto5 => "lto5",
            Self::Lto6 => "lto6",
            Self::Lto7 => "lto7",
            Self::Lto7M8 => "lto7-m8",
            Self::Lto8 => "lto8",
            Self::Lto9 => "lto9",
            Self::Lto10 => "lto10",
        }
    }

    fn row(self) -> &'static Row {
        ROWS.iter()
            .find(|row| row.technology == self)
            .expect("every technology has a row")
    }

    /// Primary density code.
    pub fn density(self) -> u8 {
        self.row().density
    }

    /// Medium type in the header of MODE SENSE; write-once media have theirs four higher.
    pub fn medium_type(self) -> u8 {
        self.row().medium_type
    }

    /// Native capacity in bytes.
    pub fn capacity(self) -> u64 {
        self.row().capacity
    }

    /// Its name in a configuration of the LTFS reference's file backend.
    pub fn cart_type(self) -> &'static str {
        self.row().cart_type
    }

    /// By that name.
    pub fn of_cart_type(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.cart_type == name).map(|row| row.technology)
    }

    /// Whether drives of this generation exist.
    pub fn has_drives(self) -> bool {
        self != Self::Lto7M8
    }

    /// What a drive of this generation can do with a cartridge.
    pub fn access(self, cartridge: Self) -> Access {
        use Technology::{Lto5, Lto6, Lto7, Lto7M8, Lto8, Lto9, Lto10};
        match (self, cartridge) {
            (Lto10, Lto10)
            | (Lto9, Lto9 | Lto8)
            | (Lto8, Lto8 | Lto7M8 | Lto7)
            | (Lto7, Lto7 | Lto6)
            | (Lto6, Lto6 | Lto5)
            | (Lto5, Lto5) => Access::ReadWrite,
            (Lto7, Lto5) => Access::ReadOnly,
            (Lto5 | Lto6 | Lto7 | Lto7M8 | Lto8 | Lto9 | Lto10, _) => Access::Refused,
        }
    }
}

/// No generation of LTO that is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownTechnology;

/// `lto9`, or `LTO-9` as it is printed.
impl FromStr for Technology {
    type Err = UnknownTechnology;

    fn from_str(text: &str) -> Result<Self, UnknownTechnology> {
        let is_it = |one: &&Self| text == one.word() || text.eq_ignore_ascii_case(one.row().name);
        Self::ALL.iter().find(is_it).copied().ok_or(UnknownTechnology)
    }
}

impl fmt::Display for Technology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drive_takes_its_own_generation_and_what_the_table_says() {
        for technology in Technology::ALL.into_iter().filter(|technology| technology.has_drives()) {
            assert_eq!(technology.access(technology), Access::ReadWrite);
        }
        assert_eq!(Technology::Lto8.access(Technology::Lto7M8), Access::ReadWrite);
        assert_eq!(Technology::Lto7.access(Technology::Lto7M8), Access::Refused);
        assert_eq!(Technology::Lto7.access(Technology::Lto5), Access::ReadOnly);
        assert_eq!(Technology::Lto9.access(Technology::Lto7), Access::Refused);
        assert_eq!(Technology::Lto8.access(Technology::Lto9), Access::Refused);
    }
}
