//! What a barcode says: a cleaning cartridge, a generation, and whether the cartridge's memory means the same. Pure.

use crate::ldm::drive::generation::Density;
use crate::ldm::virt::Technology;

/// How barcodes of cleaning cartridges begin (the LTO label standard).
const CLEANING: &str = "CLN";

/// Letters and digits of a volume's name in a barcode, and of the medium behind it.
const NAME: usize = 6;
const MEDIUM: usize = 2;

/// Media by the end of their barcodes; cartridges that are written once have letters of their own.
const MEDIA: &[(&str, Density)] = &[
    ("L5", Density::L5),
    ("LV", Density::L5),
    ("L6", Density::L6),
    ("LW", Density::L6),
    ("L7", Density::L7),
    ("LX", Density::L7),
    ("M8", Density::M8),
    ("L8", Density::L8),
    ("LY", Density::L8),
    ("L9", Density::L9),
    ("LZ", Density::L9),
    ("LA", Density::L10),
];

/// Whether it is on a cleaning cartridge.
pub fn is_cleaning(barcode: &str) -> bool {
    barcode.starts_with(CLEANING)
}

/// What it says that the cartridge is; None: it says nothing, as it need not be of eight characters.
pub fn density(barcode: &str) -> Option<Density> {
    if barcode.len() != NAME + MEDIUM {
        return None;
    }
    let ends = |(end, _): &&(&str, Density)| barcode.ends_with(end);
    MEDIA.iter().find(ends).map(|(_, density)| *density)
}

/// Whether the cartridge's memory means the same barcode: some software leaves the medium's two characters out.
pub(super) fn is_same(barcode: &str, memory: &str) -> bool {
    match barcode.strip_prefix(memory) {
        Some(rest) => rest.is_empty() || (memory.len() == NAME && rest.len() == MEDIUM),
        None => false,
    }
}

/// The barcode of a new cartridge, by its number: six characters, and what it is.
pub(super) fn new(number: u16, technology: Technology) -> String {
    const LETTERS: &str = "RSP";
    let digits = format!("{number:03}");
    let letters = &LETTERS[..NAME - digits.len()];
    format!("{letters}{digits}{}", technology.cart_type())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_barcode_of_eight_characters_says_what_the_cartridge_is() {
        assert_eq!(density("RSP001L9"), Some(Density::L9));
        assert_eq!(density("RSP001LY"), Some(Density::L8));
        assert_eq!(density("RSP001M8"), Some(Density::M8));
        for other in ["RSP001", "RSP001L4", "XRSP001L9", ""] {
            assert_eq!(density(other), None, "{other}");
        }
        assert!(is_cleaning("CLN001L9") && is_cleaning("CLNU01CU") && !is_cleaning("RSP001L9"));
    }

    #[test]
    fn a_memory_may_leave_the_medium_out_and_nothing_else() {
        assert!(is_same("RSP001L9", "RSP001L9") && is_same("RSP001L9", "RSP001"));
        for other in ["RSP00", "RSP002", "RSP001L8", "", "RSP001L9X"] {
            assert!(!is_same("RSP001L9", other), "{other}");
        }
    }

    #[test]
    fn new_barcodes_have_eight_characters_and_never_come_twice() {
        assert_eq!(new(0, Technology::Lto9), "RSP000L9");
        assert_eq!(new(12, Technology::Lto7), "RSP012L7");
        let all: BTreeSet<String> = (0..=u16::MAX).map(|number| new(number, Technology::Lto8)).collect();
        assert_eq!(all.len(), usize::from(u16::MAX) + 1);
        assert!(all.iter().all(|barcode| density(barcode) == Some(Density::L8)));
    }
}
