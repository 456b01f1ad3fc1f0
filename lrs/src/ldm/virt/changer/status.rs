//! READ ELEMENT STATUS (SMC-3, 6.11): every kind of element in a page of its own.

use super::Changer;
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number, padded};
use crate::ldm::virt::handle::lock;
use crate::ldm::virt::inventory::Place;
use crate::ldm::virt::sense::{Answered, Say};

/// What is asked about each element.
#[derive(Clone, Copy)]
struct Asked {
    barcodes: bool,
    serials: bool,
}

impl Changer {
    pub(super) fn element_status(&self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let asked = Asked {
            barcodes: cdb[1] & 0x10 == 0x10,
            serials: cdb[6] & 1 == 1,
        };
        let places = match cdb[1] & 0x0f {
            0 => vec![Place::Arm, Place::MailSlot, Place::Drive, Place::Slot],
            1 => vec![Place::Arm],
            2 => vec![Place::Slot],
            3 => vec![Place::MailSlot],
            4 => vec![Place::Drive],
            _ => return Err(Say::BAD_FIELD.into()),
        };
        let (start, mut most) = (number(&cdb[2..4]) as u16, number(&cdb[4..6]) as usize);
        let allowed = number(&cdb[7..10]);
        let (mut first, mut count, mut pages) = (None, 0_u16, Vec::new());
        for place in places {
            let (begin, length) = self.frame.inventory.range(place);
            let addresses: Vec<u16> = (begin..begin + length)
                .filter(|address| *address >= start)
                .take(most)
                .collect();
            let Some(lowest) = addresses.first() else { continue };
            first = first.or(Some(*lowest));
            count += addresses.len() as u16;
            most -= addresses.len();
            pages.extend(self.page(place, &addresses, asked));
        }
        let Some(first) = first else {
            return self.nothing(start, transfer, allowed);
        };
        let length = (pages.len() as u32).to_be_bytes();
        let head = [&first.to_be_bytes()[..], &count.to_be_bytes(), &[0], &length[1..]].concat();
        give(transfer, allowed, &[head, pages].concat())
    }

    /// A kind that the library has none of is an empty answer; an address behind the last is an error.
    fn nothing(&self, start: u16, transfer: &mut Transfer<'_>, allowed: u64) -> Answered {
        let (first, count) = self.frame.inventory.range(Place::Slot);
        if start >= first + count {
            return Err(Say::NO_SUCH_ELEMENT.into());
        }
        give(transfer, allowed, &[0; 8])
    }

    fn page(&self, place: Place, addresses: &[u16], asked: Asked) -> Vec<u8> {
        let elements: Vec<Vec<u8>> = addresses
            .iter()
            .map(|address| self.element(place, *address, asked))
            .collect();
        let each = elements[0].len() as u16;
        let bytes = (u32::from(each) * elements.len() as u32).to_be_bytes();
        let head = [
            &[place as u8, u8::from(asked.barcodes) << 7][..],
            &each.to_be_bytes(),
            &[0],
            &bytes[1..],
        ]
        .concat();
        [head, elements.concat()].concat()
    }

    /// One descriptor: 12 bytes, a volume tag of 36 if asked for, and an identifier.
    fn element(&self, place: Place, address: u16, asked: Asked) -> Vec<u8> {
        let content = self.frame.inventory.elements.get(&address);
        let drive = self
            .frame
            .inventory
            .drive(address)
            .map(|number| lock(&self.frame.drives[number]));
        // The arm reaches into a drive when nothing is in it, or when the drive has let go.
        let held = drive
            .as_ref()
            .is_some_and(|drive| content.is_some() && drive.holds().is_some());
        let accessible = place != Place::Arm && !held;
        let mut flags = u8::from(content.is_some()) | u8::from(accessible) << 3;
        if place == Place::MailSlot {
            // Import and export are possible.
            flags |= 0x30;
        }
        let source = content.and_then(|content| content.source);
        let from = source.unwrap_or(0).to_be_bytes();
        let mut data = address.to_be_bytes().to_vec();
        data.extend([
            flags,
            0,
            0,
            0,
            0,
            0,
            0,
            u8::from(source.is_some()) << 7 | u8::from(content.is_some()),
        ]);
        data.extend(from);
        if asked.barcodes {
            let tag = content.map_or(vec![0; 32], |content| padded(&content.barcode, 32));
            data.extend([&tag[..], &[0; 4]].concat());
        }
        match drive {
            // Code set ASCII, vendor-specific identifier: the serial number.
            Some(drive) if asked.serials => {
                data.extend([2, 0, 0, drive.serial().len() as u8]);
                data.extend(drive.serial().as_bytes());
            }
            _ => data.extend([0; 4]),
        }
        data
    }
}
