//! INQUIRY: what a device is (SPC-4, 6.6 and 7.8; SSC-4, 8.5 for B0h to B2h).

use super::data::{Data, Malformed, text};

/// Vital product data pages that are asked for.
pub mod page {
    /// Unit serial number.
    pub const SERIAL: u8 = 0x80;
    /// Device identification.
    pub const IDENTIFICATION: u8 = 0x83;
    /// Sequential-access device capabilities.
    pub const CAPABILITIES: u8 = 0xb0;
    /// Manufacturer-assigned serial number.
    pub const MANUFACTURER_SERIAL: u8 = 0xb1;
    /// TapeAlert supported flags.
    pub const TAPE_ALERTS: u8 = 0xb2;
}

/// Peripheral device types (SPC-4, table 142) that matter here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceType {
    /// 01h.
    Tape,
    /// 08h.
    Changer,
    /// Any other.
    Other(u8),
}

/// Standard data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inquiry {
    /// What it is. A logical unit that is not there (peripheral qualifier other than 0) is `Other(1Fh)`.
    pub device_type: DeviceType,
    /// Its cartridges can be taken out.
    pub removable: bool,
    /// Bytes 8 to 15.
    pub vendor: String,
    /// Bytes 16 to 31.
    pub product: String,
    /// Bytes 32 to 35.
    pub revision: String,
}

/// Reads standard data; 36 bytes at least.
pub fn standard(bytes: &[u8]) -> Result<Inquiry, Malformed> {
    let data = Data::new("INQUIRY", bytes);
    let device_type = match data.u8(0)? {
        0x01 => DeviceType::Tape,
        0x08 => DeviceType::Changer,
        byte if byte >> 5 != 0 => DeviceType::Other(0x1f),
        other => DeviceType::Other(other),
    };
    Ok(Inquiry {
        device_type,
        removable: data.u8(1)? & 0x80 != 0,
        vendor: data.text(8, 8)?,
        product: data.text(16, 16)?,
        revision: data.text(32, 4)?,
    })
}

/// The body of a page, once it says that it is the page that was asked for.
fn body<'a>(data: &Data<'a>, page: u8) -> Result<Data<'a>, Malformed> {
    let found = data.u8(1)?;
    if found != page {
        return Err(data.wrong(format!("page {page:02x}h was asked for, and {found:02x}h came")));
    }
    Ok(data.at_most(4, usize::from(data.u16(2)?)))
}

/// Page 80h or B1h: a serial number. An empty one is an error: drives are told apart by it.
pub fn serial(page: u8, bytes: &[u8]) -> Result<String, Malformed> {
    let data = Data::new("INQUIRY, serial number", bytes);
    let serial = text(body(&data, page)?.bytes());
    if serial.is_empty() {
        return Err(data.wrong("it is empty"));
    }
    Ok(serial)
}

/// One designator of page 83h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Designator {
    /// What it designates: 0 the logical unit, 1 the port, 2 the device.
    pub association: u8,
    /// Its type: 1 T10 vendor, 2 EUI-64, 3 NAA and others (SPC-4, table 590).
    pub kind: u8,
    /// Its code set: 1 binary, 2 ASCII, 3 UTF-8.
    pub code_set: u8,
    /// Itself.
    pub identifier: Vec<u8>,
}

/// Page 83h.
pub fn designators(bytes: &[u8]) -> Result<Vec<Designator>, Malformed> {
    let data = Data::new("INQUIRY, device identification", bytes);
    let mut rest = body(&data, page::IDENTIFICATION)?;
    let mut found = Vec::new();
    while !rest.is_empty() {
        let length = usize::from(rest.u8(3)?);
        found.push(Designator {
            association: rest.u8(1)? >> 4 & 0x03,
            kind: rest.u8(1)? & 0x0f,
            code_set: rest.u8(0)? & 0x0f,
            identifier: rest.slice(4, length)?.to_vec(),
        });
        rest = rest.at_most(4 + length, rest.len());
    }
    Ok(found)
}

/// Page B0h: whether the drive can write media that are written once. It says nothing about the cartridge in it.
pub fn can_worm(bytes: &[u8]) -> Result<bool, Malformed> {
    let data = Data::new("INQUIRY, capabilities", bytes);
    Ok(body(&data, page::CAPABILITIES)?.u8(0)? & 0x01 != 0)
}

/// Page B2h: which TapeAlert flags the drive knows, by number from 1 to 64.
pub fn known_alerts(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
    let data = Data::new("INQUIRY, TapeAlert flags", bytes);
    let flags = body(&data, page::TAPE_ALERTS)?.u64(0)?;
    Ok((1..=64).filter(|number| flags >> (64 - number) & 1 != 0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Standard data of a tape drive, by hand after SPC-4, table 139.
    pub fn tape() -> Vec<u8> {
        let mut bytes = vec![0x01, 0x80, 0x06, 0x02, 91, 0, 0, 0];
        bytes.extend(b"IBM     ULT3580-HH8     N9M1");
        bytes
    }

    #[test]
    fn a_tape_drive_says_who_it_is() {
        let inquiry = standard(&tape()).unwrap();
        assert_eq!(inquiry.device_type, DeviceType::Tape);
        assert!(inquiry.removable);
        assert_eq!(
            (&*inquiry.vendor, &*inquiry.product, &*inquiry.revision),
            ("IBM", "ULT3580-HH8", "N9M1")
        );
        assert!(standard(&tape()[..35]).is_err());
    }

    #[test]
    fn a_unit_that_is_not_there_is_no_tape_drive() {
        let mut bytes = tape();
        bytes[0] = 0x61;
        assert_eq!(standard(&bytes).unwrap().device_type, DeviceType::Other(0x1f));
    }

    #[test]
    fn a_serial_number_is_of_the_page_that_was_asked_for_and_not_empty() {
        let page = |code, serial: &[u8]| [&[1, code, 0, serial.len() as u8], serial].concat();
        assert_eq!(serial(0x80, &page(0x80, b"  1013000001")).unwrap(), "1013000001");
        assert!(serial(0x80, &page(0x83, b"1013000001")).is_err());
        assert!(serial(0x80, &page(0x80, b"    ")).is_err());
    }

    #[test]
    fn designators_end_where_the_page_does() {
        let bytes = [1, 0x83, 0, 12, 0x01, 0x03, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7, 0xff];
        let found = designators(&bytes).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].kind, found[0].identifier.len()), (3, 8));
        let mut cut = bytes;
        cut[7] = 9;
        assert!(designators(&cut).is_err());
    }

    #[test]
    fn alerts_are_numbered_from_the_highest_bit() {
        let bytes = [1, 0xb2, 0, 8, 0x80, 0, 0, 0, 0, 0, 0, 0x03];
        assert_eq!(known_alerts(&bytes).unwrap(), [1, 63, 64]);
    }
}
