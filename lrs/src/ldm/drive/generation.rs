//! Generations of LTO: by which codes drives and cartridges name them, and which drive reads and writes what. Pure tables:
//! TAPE section 4, "Density / medium codes", which the LTFS reference implementation and a device model agree on.

use std::fmt;

/// A generation of drives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Generation {
    /// LTO-5: the first with two partitions.
    Lto5,
    /// LTO-6.
    Lto6,
    /// LTO-7.
    Lto7,
    /// LTO-8.
    Lto8,
    /// LTO-9: a new cartridge's first load may take two hours.
    Lto9,
    /// LTO-10: its own cartridges only.
    Lto10,
}

/// How a cartridge is written: its generation, and the variants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Density {
    /// LTO-5.
    L5,
    /// LTO-6.
    L6,
    /// LTO-7.
    L7,
    /// An LTO-7 cartridge written by an LTO-8 drive at a higher density.
    M8,
    /// LTO-8.
    L8,
    /// LTO-9.
    L9,
    /// LTO-10.
    L10,
    /// The larger cartridge of LTO-10.
    L10P,
}

/// What a drive can do with a cartridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Nothing: it does not load it.
    None,
    /// Reading only.
    Read,
    /// Both.
    ReadWrite,
}

/// Density codes (MODE SENSE, block descriptor).
const DENSITIES: &[(u8, Density)] = &[
    (0x58, Density::L5),
    (0x5a, Density::L6),
    (0x5c, Density::L7),
    (0x5d, Density::M8),
    (0x5e, Density::L8),
    (0x60, Density::L9),
    (0x62, Density::L10),
    (0x63, Density::L10P),
];

/// Medium types of cartridges that can be written again (MODE SENSE header); written once, the low half is Ch.
const MEDIUM_TYPES: &[(u8, Density)] = &[
    (0x58, Density::L5),
    (0x68, Density::L6),
    (0x78, Density::L7),
    (0x88, Density::L8),
    (0x98, Density::L9),
    (0xa8, Density::L10),
    (0xa9, Density::L10P),
];

impl Density {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::L5,
        Self::L6,
        Self::L7,
        Self::M8,
        Self::L8,
        Self::L9,
        Self::L10,
        Self::L10P,
    ];

    /// By the code of MODE SENSE's block descriptor. 0 and others say nothing.
    pub fn of_code(code: u8) -> Option<Self> {
        DENSITIES
            .iter()
            .find(|(of, _)| *of == code)
            .map(|(_, density)| *density)
    }

    /// Its code.
    pub fn code(self) -> u8 {
        match self {
            Self::L5 => 0x58,
            Self::L6 => 0x5a,
            Self::L7 => 0x5c,
            Self::M8 => 0x5d,
            Self::L8 => 0x5e,
            Self::L9 => 0x60,
            Self::L10 => 0x62,
            Self::L10P => 0x63,
        }
    }

    /// By the medium type of MODE SENSE's header, as IBM's drives have it. What an LTO-7 cartridge is written as only its
    /// density says.
    pub fn of_medium_type(medium_type: u8) -> Option<Self> {
        let rewritable = match is_worm(medium_type) {
            true => medium_type & 0xf0 | 0x08,
            false => medium_type,
        };
        MEDIUM_TYPES
            .iter()
            .find(|(of, _)| *of == rewritable)
            .map(|(_, density)| *density)
    }

    /// The drive that it was made for.
    pub fn generation(self) -> Generation {
        match self {
            Self::L5 => Generation::Lto5,
            Self::L6 => Generation::Lto6,
            Self::L7 => Generation::Lto7,
            Self::M8 | Self::L8 => Generation::Lto8,
            Self::L9 => Generation::Lto9,
            Self::L10 | Self::L10P => Generation::Lto10,
        }
    }
}

/// Whether a cartridge is written once, by the medium type of MODE SENSE's header: 5Ch to ACh; HP's drives say 01h.
pub fn is_worm(medium_type: u8) -> bool {
    matches!(medium_type, 0x01 | 0x5c | 0x6c | 0x7c | 0x8c | 0x9c | 0xac)
}

impl Generation {
    /// By the product name of INQUIRY: IBM's "ULT3580-TD8" and "ULTRIUM-HH8", HP's "Ultrium 8-SCSI", a virtual library's
    /// "VIRTUAL LTO-8". None: it is no name of an LTO drive that is known here.
    pub fn of_product(product: &str) -> Option<Self> {
        let product = product.to_ascii_uppercase();
        let lto = ["ULT", "LTO", "VIRTUAL LTO"]
            .iter()
            .any(|start| product.starts_with(start));
        if !lto {
            return None;
        }
        let number = ["-TD", "-HH", "ULTRIUM ", "LTO-"]
            .iter()
            .find_map(|before| product.split_once(before).map(|(_, after)| after))?;
        let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
        match digits.as_str() {
            "5" => Some(Self::Lto5),
            "6" => Some(Self::Lto6),
            "7" => Some(Self::Lto7),
            "8" => Some(Self::Lto8),
            "9" => Some(Self::Lto9),
            "10" => Some(Self::Lto10),
            _ => None,
        }
    }

    /// What a drive of this generation can do with a cartridge.
    pub fn access(self, density: Density) -> Access {
        use Access::{Read, ReadWrite};
        use Density as D;
        match (self, density) {
            (Self::Lto5, D::L5) => ReadWrite,
            (Self::Lto6, D::L6 | D::L5) => ReadWrite,
            (Self::Lto7, D::L7 | D::L6) => ReadWrite,
            (Self::Lto7, D::L5) => Read,
            (Self::Lto8, D::L8 | D::M8 | D::L7) => ReadWrite,
            (Self::Lto9, D::L9 | D::L8) => ReadWrite,
            (Self::Lto10, D::L10 | D::L10P) => ReadWrite,
            (Self::Lto5, D::L6 | D::L7 | D::M8 | D::L8 | D::L9 | D::L10 | D::L10P)
            | (Self::Lto6, D::L7 | D::M8 | D::L8 | D::L9 | D::L10 | D::L10P)
            | (Self::Lto7, D::M8 | D::L8 | D::L9 | D::L10 | D::L10P)
            | (Self::Lto8, D::L5 | D::L6 | D::L9 | D::L10 | D::L10P)
            | (Self::Lto9, D::L5 | D::L6 | D::L7 | D::M8 | D::L10 | D::L10P)
            | (Self::Lto10, D::L5 | D::L6 | D::L7 | D::M8 | D::L8 | D::L9) => Access::None,
        }
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lto5 => "LTO-5",
            Self::Lto6 => "LTO-6",
            Self::Lto7 => "LTO-7",
            Self::Lto8 => "LTO-8",
            Self::Lto9 => "LTO-9",
            Self::Lto10 => "LTO-10",
        })
    }
}

impl fmt::Display for Density {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::M8 => f.write_str("LTO-7 M8"),
            Self::L10P => f.write_str("LTO-10 P"),
            Self::L5 | Self::L6 | Self::L7 | Self::L8 | Self::L9 | Self::L10 => self.generation().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATIONS: [Generation; 6] = [
        Generation::Lto5,
        Generation::Lto6,
        Generation::Lto7,
        Generation::Lto8,
        Generation::Lto9,
        Generation::Lto10,
    ];

    #[test]
    fn codes_go_both_ways() {
        assert_eq!(
            Density::ALL,
            DENSITIES.iter().map(|(_, density)| *density).collect::<Vec<_>>()[..]
        );
        for (code, density) in DENSITIES {
            assert_eq!((Density::of_code(*code), density.code()), (Some(*density), *code));
        }
        assert_eq!(Density::of_code(0), None);
        for (medium_type, density) in MEDIUM_TYPES {
            assert_eq!(Density::of_medium_type(*medium_type), Some(*density));
        }
        assert_eq!(Density::of_medium_type(0x8c), Some(Density::L8));
        assert!(is_worm(0x8c) && is_worm(0x01) && !is_worm(0x88) && !is_worm(0x00));
        assert_eq!(Density::of_medium_type(0x01), None);
    }

    /// Rows: drives; columns: cartridges, in the order of the density codes. TAPE section 4, "Compatibility".
    #[test]
    fn each_drive_takes_what_the_table_says() {
        let row = |generation: Generation| -> String {
            let letter = |(_, density): &(u8, Density)| match generation.access(*density) {
                Access::None => '.',
                Access::Read => 'r',
                Access::ReadWrite => 'W',
            };
            DENSITIES.iter().map(letter).collect()
        };
        let table = GENERATIONS.map(row);
        assert_eq!(
            table,
            [
                "W.......", // 5
                "WW......", // 6
                "rWW.....", // 7
                "..WWW...", // 8
                "....WW..", // 9
                "......WW", // 10
            ]
        );
    }

    #[test]
    fn every_generation_writes_its_own() {
        for (_, density) in DENSITIES {
            assert_eq!(density.generation().access(*density), Access::ReadWrite);
        }
    }

    #[test]
    fn a_drives_generation_is_in_its_product_name() {
        assert_eq!(Generation::of_product("ULT3580-TD8"), Some(Generation::Lto8));
        assert_eq!(Generation::of_product("ULTRIUM-HH9"), Some(Generation::Lto9));
        assert_eq!(Generation::of_product("Ultrium 5-SCSI"), Some(Generation::Lto5));
        assert_eq!(Generation::of_product("ULT3580-TD10"), Some(Generation::Lto10));
        assert_eq!(Generation::of_product("ULT3580-TD3"), None);
        assert_eq!(Generation::of_product("VIRTUAL LTO-10"), Some(Generation::Lto10));
        assert_eq!(Generation::of_product("VTAPE"), None);
        assert_eq!(Generation::of_product("VIRTUAL LIBRARY"), None);
    }
}
