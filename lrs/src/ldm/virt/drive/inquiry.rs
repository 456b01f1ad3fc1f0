//! Who the drive is and what it can do: INQUIRY with its pages, READ BLOCK LIMITS, REPORT DENSITY SUPPORT.

use super::{Drive, RECORD_MAX};
use crate::ldm::scsi::Transfer;
use crate::ldm::virt::bytes::{give, number, padded};
use crate::ldm::virt::sense::{Answered, Say};
use crate::ldm::virt::technology::{Access, Technology};

/// What the model calls itself, in drives and changers.
const VENDOR: &str = "RESPOOL";

/// Revision of the model.
const REVISION: &str = "0001";

/// Standard INQUIRY data (SPC-4, 6.4.2) of a removable device of this type.
pub(in crate::ldm::virt) fn standard_inquiry(device_type: u8, product: &str) -> Vec<u8> {
    // SPC-4, response format 2, command queueing.
    let head = vec![device_type, 0x80, 6, 2, 91, 0, 0, 2];
    let mut data = [head, padded(VENDOR, 8), padded(product, 16), padded(REVISION, 4)].concat();
    data.resize(96, 0);
    data
}

/// A page of vital product data.
pub(in crate::ldm::virt) fn vital(device_type: u8, page: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u16).to_be_bytes();
    [&[device_type, page, length[0], length[1]][..], body].concat()
}

/// The T10 vendor designator of page 83h (SPC-4, 7.8.6.4): vendor, product and serial number.
pub(in crate::ldm::virt) fn designator(product: &str, serial: &str) -> Vec<u8> {
    let text = [padded(VENDOR, 8), padded(product, 16), serial.as_bytes().to_vec()].concat();
    [&[2, 1, 0, text.len() as u8][..], &text].concat()
}

const TAPE: u8 = 1;

impl Drive {
    fn product(&self) -> String {
        format!("VIRTUAL {}", self.identity.technology)
    }

    pub(super) fn inquiry(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let (vpd, page, allowed) = (cdb[1] & 1 == 1, cdb[2], number(&cdb[3..5]));
        let serial = self.identity.serial.as_bytes();
        let answer = match (vpd, page) {
            (false, 0) => standard_inquiry(TAPE, &self.product()),
            (true, 0x00) => vital(TAPE, page, &[0x00, 0x80, 0x83, 0xb0, 0xb1]),
            (true, 0x80) => vital(TAPE, page, serial),
            (true, 0x83) => vital(TAPE, page, &designator(&self.product(), &self.identity.serial)),
            // It takes write-once media.
            (true, 0xb0) => vital(TAPE, page, &[1, 0]),
            (true, 0xb1) => vital(TAPE, page, serial),
            _ => return Err(Say::BAD_FIELD.into()),
        };
        give(transfer, allowed, &answer)
    }

    pub(super) fn read_block_limits(&mut self, transfer: &mut Transfer<'_>) -> Answered {
        let most = (RECORD_MAX as u32).to_be_bytes();
        give(transfer, u64::MAX, &[0, most[1], most[2], most[3], 0, 1])
    }

    /// SSC-5, 6.7: what the drive knows, or with the MEDIA bit what the cartridge is.
    pub(super) fn report_density(&mut self, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        let own = self.identity.technology;
        let of_medium = cdb[1] & 1 == 1;
        let shown: Vec<Technology> = if of_medium {
            self.ready()?;
            self.loaded()
                .map(|cartridge| cartridge.card().technology)
                .into_iter()
                .collect()
        } else {
            let all = Technology::ALL.into_iter();
            all.filter(|technology| own.access(*technology) != Access::Refused)
                .collect()
        };
        let body: Vec<u8> = shown.iter().flat_map(|technology| density(own, *technology)).collect();
        let length = (body.len() as u16 + 2).to_be_bytes();
        give(
            transfer,
            number(&cdb[7..9]),
            &[&[length[0], length[1], 0, 0][..], &body].concat(),
        )
    }
}

/// A density descriptor of 52 bytes; what the model does not know is 0.
fn density(own: Technology, technology: Technology) -> Vec<u8> {
    let writes = own.access(technology) == Access::ReadWrite;
    let flags = u8::from(writes) << 7 | u8::from(own == technology) << 5;
    let megabytes = (technology.capacity() / 1_000_000) as u32;
    let mut data = vec![technology.density(), technology.density(), flags, 0, 0, 0, 0, 0];
    data.extend([0, 127, 0, 0]);
    data.extend(megabytes.to_be_bytes());
    data.extend(
        [
            padded("LTO-CVE", 8),
            padded(&technology.to_string(), 8),
            padded("Ultrium", 20),
        ]
        .concat(),
    );
    data
}
