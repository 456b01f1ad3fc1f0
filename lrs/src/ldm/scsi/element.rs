//! READ ELEMENT STATUS (SMC-3, 6.11).

use super::data::{Data, Malformed, text};
use crate::ldm::changer::{Element, ElementAddress, ElementKind};

/// The header of the answer, and of each page in it.
pub const HEADER: usize = 8;

/// A volume tag: a barcode of 32 bytes, and a sequence number.
const TAG: usize = 36;
const BARCODE: usize = 32;

/// The least descriptor: with the source address, without tags.
const DESCRIPTOR: usize = 12;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElementStatus {
    /// The elements that came whole.
    pub elements: Vec<Element>,
    /// How many bytes the whole answer takes.
    pub bytes: u64,
    /// The allocation length cut some off.
    pub cut: bool,
}

/// Reads an answer, as far as it came.
pub fn elements(bytes: &[u8]) -> Result<ElementStatus, Malformed> {
    let data = Data::new("READ ELEMENT STATUS", bytes);
    let report = data.number(5, 3)?;
    let whole = HEADER as u64 + report;
    let mut rest = data.at_most(HEADER, report as usize);
    let mut elements = Vec::new();
    while rest.len() >= HEADER {
        let length = rest.number(5, 3)? as usize;
        page(&rest.at_most(0, HEADER + length), &mut elements)?;
        rest = rest.at_most(HEADER + length, rest.len());
    }
    Ok(ElementStatus {
        elements,
        bytes: whole,
        cut: (bytes.len() as u64) < whole,
    })
}

/// One page: elements of one kind, with descriptors of one length.
fn page(page: &Data<'_>, into: &mut Vec<Element>) -> Result<(), Malformed> {
    let code = page.u8(0)? & 0x0f;
    let Some(kind) = ElementKind::from_code(code) else {
        return Err(page.wrong(format!("elements of kind {code}")));
    };
    let flags = page.u8(1)?;
    let length = usize::from(page.u16(2)?);
    let tags = usize::from(flags & 0x80 != 0) + usize::from(flags & 0x40 != 0);
    if length < DESCRIPTOR + tags * TAG {
        // A page of no elements may say any length.
        return match page.len() > HEADER {
            true => Err(page.wrong(format!("descriptors of {length} bytes with {tags} tags"))),
            false => Ok(()),
        };
    }
    let primary = flags & 0x80 != 0;
    for descriptor in page.at_most(HEADER, page.len()).bytes().chunks_exact(length) {
        let descriptor = Data::new("READ ELEMENT STATUS, descriptor", descriptor);
        into.push(element(kind, &descriptor, primary, DESCRIPTOR + tags * TAG)?);
    }
    Ok(())
}

fn element(kind: ElementKind, data: &Data<'_>, tagged: bool, identifier_at: usize) -> Result<Element, Malformed> {
    let flags = data.u8(2)?;
    let full = flags & 0x01 != 0;
    let barcode = match tagged && full {
        true => Some(data.text(DESCRIPTOR, BARCODE)?).filter(|barcode| !barcode.is_empty()),
        false => None,
    };
    Ok(Element {
        address: ElementAddress(data.u16(0)?),
        kind,
        full,
        // The arm has no such bit: it reaches itself.
        accessible: kind == ElementKind::Transport || flags & 0x08 != 0,
        exception: match flags & 0x04 {
            0 => None,
            _ => Some((data.u8(4)?, data.u8(5)?)),
        },
        barcode,
        source: match data.u8(9)? & 0x80 {
            0 => None,
            _ => Some(ElementAddress(data.u16(10)?)),
        },
        drive_serial: match kind {
            ElementKind::Drive => serial(data, identifier_at),
            ElementKind::Transport | ElementKind::Slot | ElementKind::MailSlot => None,
        },
    })
}

/// The length of vendor and product in a designator of type 1.
const VENDOR_AND_PRODUCT: usize = 24;

/// A drive's serial number in the device identifier behind the tags: the whole identifier, or, in one of the T10 vendor's
/// form (type 1), what comes behind vendor and product. Changers that know none leave it out, or empty.
fn serial(data: &Data<'_>, at: usize) -> Option<String> {
    const ASCII: u8 = 2;
    let header = data.slice(at, 4).ok()?;
    let identifier = data.slice(at + 4, usize::from(header[3])).ok()?;
    let serial = match (header[0] & 0x0f, header[1] & 0x0f) {
        (ASCII, 1) if identifier.len() > VENDOR_AND_PRODUCT => &identifier[VENDOR_AND_PRODUCT..],
        (ASCII, _) => identifier,
        _ => return None,
    };
    Some(text(serial)).filter(|serial| !serial.is_empty())
}

#[cfg(test)]
mod tests;
