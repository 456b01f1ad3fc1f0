//! READ ATTRIBUTE and WRITE ATTRIBUTE: the cartridge's memory (SPC-4, 6.18, 6.45 and 7.4).

use super::data::{Data, Malformed};
use crate::ldm::drive::{Attribute, AttributeFormat};

/// Attributes that are read here; names and formats of SPC-4, 7.4.2.
pub mod id {
    /// The medium's serial number, ASCII.
    pub const MEDIUM_SERIAL: u16 = 0x0401;
    /// The barcode, ASCII.
    pub const BARCODE: u16 = 0x0806;
}

/// The largest attribute: 16 bits of length.
pub const VALUE_MAX: usize = u16::MAX as usize;

/// The header of an attribute.
const HEADER: usize = 5;

/// The header of READ ATTRIBUTE's answer and of WRITE ATTRIBUTE's list.
const LIST_HEADER: usize = 4;

/// How long an answer with one attribute can be, in bytes.
pub const ONE_MAX: usize = LIST_HEADER + HEADER + VALUE_MAX;

/// What an answer has at its head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum First {
    /// Nothing.
    None,
    /// An attribute, whole.
    Whole(Attribute),
    /// One that the allocation length cut off; it takes so many bytes of allocation.
    Cut(u32),
}

/// The first attribute of READ ATTRIBUTE's answer: attributes come in order from the identifier that was asked for, so
/// another one at the head says that this one is not there.
pub fn first(bytes: &[u8]) -> Result<First, Malformed> {
    let data = Data::new("READ ATTRIBUTE", bytes);
    let available = usize::try_from(data.u32(0)?).unwrap_or(usize::MAX);
    if available == 0 {
        return Ok(First::None);
    }
    if available < HEADER {
        return Err(data.wrong(format!("{available} bytes cannot hold an attribute")));
    }
    let list = data.at_most(LIST_HEADER, available);
    if list.len() < HEADER {
        return Ok(First::Cut((LIST_HEADER + HEADER) as u32));
    }
    let length = usize::from(list.u16(3)?);
    if HEADER + length > available {
        return Err(data.wrong(format!("an attribute of {length} bytes in a list of {available}")));
    }
    let format = match list.u8(2)? & 0x03 {
        0 => AttributeFormat::Binary,
        1 => AttributeFormat::Ascii,
        2 => AttributeFormat::Text,
        _ => return Err(data.wrong("format 3 is reserved")),
    };
    let Ok(value) = list.slice(HEADER, length) else {
        return Ok(First::Cut((LIST_HEADER + HEADER + length) as u32));
    };
    Ok(First::Whole(Attribute {
        id: list.u16(0)?,
        format,
        value: value.to_vec(),
    }))
}

/// WRITE ATTRIBUTE's list with one attribute. A value longer than [`VALUE_MAX`] is an error.
pub fn list(attribute: &Attribute) -> Result<Vec<u8>, Malformed> {
    let length = u16::try_from(attribute.value.len()).map_err(|_| Malformed {
        what: "WRITE ATTRIBUTE",
        why: format!("a value of {} bytes", attribute.value.len()),
    })?;
    let format = match attribute.format {
        AttributeFormat::Binary => 0,
        AttributeFormat::Ascii => 1,
        AttributeFormat::Text => 2,
    };
    let mut bytes = (u32::from(length) + HEADER as u32).to_be_bytes().to_vec();
    bytes.extend(attribute.id.to_be_bytes());
    bytes.push(format);
    bytes.extend(length.to_be_bytes());
    bytes.extend(&attribute.value);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn barcode() -> Attribute {
        Attribute {
            id: id::BARCODE,
            format: AttributeFormat::Ascii,
            value: b"TAP001L8".to_vec(),
        }
    }

    #[test]
    fn an_attribute_is_written_as_it_is_read() {
        let bytes = list(&barcode()).unwrap();
        assert_eq!(&bytes[..9], [0, 0, 0, 13, 0x08, 0x06, 1, 0, 8]);
        assert_eq!(first(&bytes), Ok(First::Whole(barcode())));
    }

    #[test]
    fn one_that_is_cut_off_says_what_it_takes() {
        let bytes = list(&barcode()).unwrap();
        assert_eq!(first(&bytes[..16]), Ok(First::Cut(17)));
        assert_eq!(first(&bytes[..8]), Ok(First::Cut(9)));
        assert_eq!(first(&[0; 4]), Ok(First::None));
        assert!(first(&bytes[..3]).is_err());
    }

    #[test]
    fn an_attribute_longer_than_its_list_is_not_believed() {
        let mut bytes = list(&barcode()).unwrap();
        bytes[8] = 9;
        assert!(first(&bytes).is_err());
        bytes[3] = 4;
        assert!(first(&bytes).is_err());
        let long = Attribute {
            value: vec![0; VALUE_MAX + 1],
            ..barcode()
        };
        assert!(list(&long).is_err());
    }
}
