//! Attributes of the cartridge's memory (MAM) that LTFS keeps for humans and for other programs (SPC-4, 7.4, host type
//! attributes; LTFS format specification, annex on MAM). All are of partition 0 but coherency, which each partition has.

use super::FORMAT_VERSION;
use crate::ldm::drive::{Attribute, AttributeFormat};

/// Volume change reference, of the device's own.
pub const CHANGE_REFERENCE: u16 = 0x0009;
/// Application vendor, 8 bytes.
pub const VENDOR: u16 = 0x0800;
/// Application name, 32 bytes.
pub const APPLICATION: u16 = 0x0801;
/// Application version, 8 bytes.
pub const APPLICATION_VERSION: u16 = 0x0802;
/// User medium text label: the volume's name, 160 bytes.
pub const VOLUME_NAME: u16 = 0x0803;
/// How texts are encoded.
pub const TEXT_ENCODING: u16 = 0x0805;
/// Barcode, 32 bytes.
pub const BARCODE: u16 = 0x0806;
/// Media pool, 160 bytes.
pub const POOL: u16 = 0x0808;
/// Medium globally unique identifier, 36 bytes: which medium of respool's the cartridge is.
pub const MEDIUM_ID: u16 = 0x0820;
/// Application format version, 16 bytes.
pub const FORMAT: u16 = 0x080b;
/// Volume coherency information, 70 bytes.
pub const COHERENCY: u16 = 0x080c;
/// Volume lock state, 1 byte.
pub const LOCK: u16 = 0x1623;

/// The value of `TEXT_ENCODING` for UTF-8.
pub const UTF8: u8 = 0x81;

/// Length of `VOLUME_NAME` and `POOL` in bytes.
const TEXT: usize = 160;

/// Who writes.
pub const OUR_VENDOR: &str = "RESPOOL";
/// What writes.
pub const OUR_APPLICATION: &str = "respool";

/// An attribute of ASCII: filled up with spaces, cut where it is too long.
fn ascii(id: u16, text: &str, length: usize) -> Attribute {
    let printable = |character: char| {
        if character.is_ascii_graphic() || character == ' ' {
            character
        } else {
            '?'
        }
    };
    let mut value: Vec<u8> = text
        .chars()
        .map(|character| printable(character) as u8)
        .take(length)
        .collect();
    value.resize(length, b' ');
    Attribute {
        id,
        format: AttributeFormat::Ascii,
        value,
    }
}

/// The attribute that says which medium the cartridge is.
pub fn medium_id(id: uuid::Uuid) -> Attribute {
    binary(MEDIUM_ID, id.hyphenated().to_string().into_bytes())
}

/// The attribute that has the barcode.
pub fn barcode(text: &str) -> Attribute {
    ascii(BARCODE, text, 32)
}

/// An attribute of text: UTF-8, cut at a character, filled up with zeros.
pub fn text(id: u16, text: &str) -> Attribute {
    let mut length = text.len().min(TEXT);
    while !text.is_char_boundary(length) {
        length -= 1;
    }
    let mut value = text.as_bytes()[..length].to_vec();
    value.resize(TEXT, 0);
    Attribute {
        id,
        format: AttributeFormat::Text,
        value,
    }
}

/// A binary attribute.
pub fn binary(id: u16, value: Vec<u8>) -> Attribute {
    Attribute {
        id,
        format: AttributeFormat::Binary,
        value,
    }
}

/// What a format tells the cartridge's memory of a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told<'a> {
    /// The volume's name.
    pub name: &'a str,
    /// The barcode on the cartridge.
    pub barcode: &'a str,
    /// The pool it belongs to, or nothing.
    pub pool: &'a str,
}

/// All attributes of a new volume but coherency.
pub fn of_volume(told: Told<'_>) -> Vec<Attribute> {
    vec![
        ascii(VENDOR, OUR_VENDOR, 8),
        ascii(APPLICATION, OUR_APPLICATION, 32),
        ascii(APPLICATION_VERSION, env!("CARGO_PKG_VERSION"), 8),
        text(VOLUME_NAME, told.name),
        binary(TEXT_ENCODING, vec![UTF8]),
        barcode(told.barcode),
        text(POOL, told.pool),
        ascii(FORMAT, FORMAT_VERSION, 16),
        binary(LOCK, vec![0]),
    ]
}

/// What is wrong with an attribute by its own length and value; None: nothing, or it is none of ours.
pub fn fault(attribute: &Attribute) -> Option<&'static str> {
    let length = match attribute.id {
        VENDOR | APPLICATION_VERSION => 8,
        APPLICATION | BARCODE => 32,
        VOLUME_NAME | POOL => TEXT,
        TEXT_ENCODING | LOCK => 1,
        FORMAT => 16,
        _ => return None,
    };
    if attribute.value.len() != length {
        return Some("its length is another one");
    }
    match attribute.id {
        TEXT_ENCODING if attribute.value[0] != UTF8 => Some("texts are not in UTF-8"),
        FORMAT if !attribute.value.starts_with(b"2.") && !attribute.value.starts_with(b"1.") => {
            Some("the format's version is not one that is known")
        }
        LOCK if attribute.value[0] > 6 => Some("the lock state is not one that is known"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_volume_has_them_all_in_their_lengths() {
        let name = "ä".repeat(81);
        let all = of_volume(Told {
            name: &name,
            barcode: "TAP001L8",
            pool: "",
        });
        let lengths: Vec<_> = all
            .iter()
            .map(|attribute| (attribute.id, attribute.value.len()))
            .collect();
        assert_eq!(
            lengths,
            [
                (0x800, 8),
                (0x801, 32),
                (0x802, 8),
                (0x803, 160),
                (0x805, 1),
                (0x806, 32),
                (0x808, 160),
                (0x80b, 16),
                (0x1623, 1)
            ]
        );
        assert_eq!(all[3].value, "ä".repeat(80).as_bytes());
        assert_eq!(all[5].value[..9], *b"TAP001L8 ");
        assert!(all.iter().all(|attribute| fault(attribute).is_none()));
        assert!(fault(&binary(TEXT_ENCODING, vec![0])).is_some());
        assert!(fault(&binary(FORMAT, vec![b' '; 15])).is_some());
    }
}
