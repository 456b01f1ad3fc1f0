//! MODE SENSE(10) and MODE SELECT(10): the header, the block descriptor, and the pages of tape drives (SPC-4, 7.5; SSC-4,
//! 8.5).

use super::data::{Data, Malformed};

/// Pages that are asked for.
pub mod page {
    /// Header and block descriptor alone.
    pub const NONE: u8 = 0x00;
    /// Data compression.
    pub const COMPRESSION: u8 = 0x0f;
    /// Device configuration; subpage 01h is its extension.
    pub const DEVICE_CONFIGURATION: u8 = 0x10;
    /// Medium partitions.
    pub const PARTITIONS: u8 = 0x11;
}

/// The header's length in the form of 10 bytes.
const HEADER: usize = 8;

/// An answer's parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mode<'a> {
    /// What the cartridge is; vendors' codes.
    pub medium_type: u8,
    /// Write protection, buffered mode and speed.
    pub device_specific: u8,
    /// The first block descriptor; None: there is none.
    pub block: Option<BlockDescriptor>,
    pages: &'a [u8],
}

/// How the tape is written, and in what blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockDescriptor {
    /// Density code of the cartridge.
    pub density: u8,
    /// Fixed block length in bytes; 0: variable.
    pub block_length: u32,
}

impl<'a> Mode<'a> {
    /// Reads an answer; pages may be cut off by the allocation length.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let data = Data::new("MODE SENSE", bytes);
        // The length does not count its own two bytes.
        let data = data.at_most(0, usize::from(data.u16(0)?) + 2);
        let descriptors = usize::from(data.u16(6)?);
        let block = match descriptors {
            0 => None,
            1..8 => return Err(data.wrong(format!("a block descriptor of {descriptors} bytes"))),
            _ => Some(BlockDescriptor {
                density: data.u8(HEADER)?,
                block_length: data.number(HEADER + 5, 3)? as u32,
            }),
        };
        Ok(Self {
            medium_type: data.u8(2)?,
            device_specific: data.u8(3)?,
            block,
            pages: data.at_most(HEADER + descriptors, data.len()).bytes(),
        })
    }

    /// Whether the tab, or the drive, forbids writing (bit 7 of the device-specific parameter).
    pub fn write_protected(&self) -> bool {
        self.device_specific & 0x80 != 0
    }

    /// A page or subpage, from its code on; an error when it is not there whole.
    pub fn page(&self, page: u8, subpage: u8) -> Result<&'a [u8], Malformed> {
        let mut rest = Data::new("MODE SENSE", self.pages);
        while !rest.is_empty() {
            let (code, long) = (rest.u8(0)? & 0x3f, rest.u8(0)? & 0x40 != 0);
            let (found, length) = match long {
                true => (rest.u8(1)?, 4 + usize::from(rest.u16(2)?)),
                false => (0, 2 + usize::from(rest.u8(1)?)),
            };
            if (code, found) == (page, subpage) {
                return rest.slice(0, length);
            }
            rest = rest.at_most(length, rest.len());
        }
        Err(rest.wrong(format!("page {page:02x}h/{subpage:02x}h is not there")))
    }
}

/// Page 0Fh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// The drive can compress.
    pub capable: bool,
    /// It does.
    pub enabled: bool,
}

/// Reads page 0Fh.
pub fn compression(page: &[u8]) -> Result<Compression, Malformed> {
    let flags = Data::new("mode page 0Fh", page).u8(2)?;
    Ok(Compression {
        capable: flags & 0x40 != 0,
        enabled: flags & 0x80 != 0,
    })
}

/// Page 10h: which partition the drive is in.
pub fn active_partition(page: &[u8]) -> Result<u8, Malformed> {
    Data::new("mode page 10h", page).u8(3)
}

/// Page 10h, subpage 01h: the programmable early warning, in megabytes of 10^6 bytes before the early warning.
pub fn early_warning_mb(page: &[u8]) -> Result<u16, Malformed> {
    Data::new("mode page 10h/01h", page).u16(6)
}

/// Where a drive writes (page 10h, subpage 01h: WRITE MODE).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteMode {
    /// Wherever it is sent.
    Anywhere,
    /// Behind the end of data, and where ALLOW OVERWRITE says.
    AppendOnly,
}

/// MODE SELECT's list that changes this of page 10h, subpage 01h, as it was answered, and nothing else.
pub fn with_write_mode(page: &[u8], device_specific: u8, mode: WriteMode) -> Vec<u8> {
    /// The field is the upper half of this byte.
    const AT: usize = 5;
    let mut page = page.to_vec();
    // The saveable bit is reserved here.
    page[0] &= 0x7f;
    if let Some(byte) = page.get_mut(AT) {
        *byte = *byte & 0x0f | u8::from(mode == WriteMode::AppendOnly) << 4;
    }
    // The length is reserved, and the write protection is not to be set (bit 7).
    let mut list = vec![0, 0, 0, device_specific & 0x7f, 0, 0, 0, 0];
    list.extend(page);
    list
}

/// Page 11h.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediumPartitions {
    /// How many partitions beside the first a cartridge can have.
    pub most_additional: u8,
    /// How many it has.
    pub additional: u8,
    raw: Vec<u8>,
}

/// The offsets of page 11h (SSC-4, 8.5.4), and the least length that has room for two sizes.
mod partitions {
    pub const ADDITIONAL: usize = 3;
    pub const FLAGS: usize = 4;
    pub const UNITS: usize = 6;
    pub const SIZES: usize = 8;
    pub const TWO_SIZES: usize = SIZES + 4;
    /// The initiator says how many partitions and how large.
    pub const IDP: u8 = 0x20;
    /// FDP, SDP and IDP: who says how the tape is divided.
    pub const WHO: u8 = 0xe0;
    /// Sizes are in units of byte 6.
    pub const PSUM_BY_UNITS: u8 = 0x18;
    /// A unit of 10^9 bytes.
    pub const GIGABYTES: u8 = 9;
}

/// Reads page 11h.
pub fn medium_partitions(page: &[u8]) -> Result<MediumPartitions, Malformed> {
    let data = Data::new("mode page 11h", page);
    data.slice(0, partitions::SIZES)?;
    Ok(MediumPartitions {
        most_additional: data.u8(2)?,
        additional: data.u8(partitions::ADDITIONAL)?,
        raw: page.to_vec(),
    })
}

impl MediumPartitions {
    /// MODE SELECT's list for a first partition of the least size that the drive makes and a second one with all the rest:
    /// 1 GB, which LTO drives round up to two wraps, and FFFFh, the rest. What the drive said otherwise goes back to it: the
    /// buffered mode of the header among it, without which it would write every record through.
    pub fn split(&self, device_specific: u8) -> Vec<u8> {
        let mut page = self.raw.clone();
        page.resize(page.len().max(partitions::TWO_SIZES), 0);
        // The saveable bit is reserved here.
        page[0] &= 0x3f;
        page[1] = u8::try_from(page.len() - 2).unwrap_or(u8::MAX);
        page[partitions::ADDITIONAL] = 1;
        page[partitions::FLAGS] =
            page[partitions::FLAGS] & !partitions::WHO | partitions::IDP | partitions::PSUM_BY_UNITS;
        page[partitions::UNITS] = page[partitions::UNITS] & 0xf0 | partitions::GIGABYTES;
        page[partitions::SIZES..partitions::TWO_SIZES].copy_from_slice(&[0, 1, 0xff, 0xff]);
        let header = [0, 0, 0, device_specific & 0x7f, 0, 0, 0, 0];
        [&header[..], &page].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An LTO-8 drive's answer for page 11h, by hand after SPC-4, table 451, and SSC-4, table 149.
    const ANSWER: [u8; 28] = [
        0, 26, 0x88, 0x10, 0, 0, 0, 8, // header: buffered
        0x5e, 0, 0, 0, 0, 0, 0, 0, // LTO-8, variable blocks
        0x91, 0x0a, 3, 1, 0x1c, 3, 9, 0, 0, 0x26, 0x2e, 0xb8,
    ];

    #[test]
    fn header_descriptor_and_page_are_told_apart() {
        let mode = Mode::read(&ANSWER).unwrap();
        assert_eq!((mode.medium_type, mode.write_protected()), (0x88, false));
        let block = mode.block.unwrap();
        assert_eq!((block.density, block.block_length), (0x5e, 0));
        let page = medium_partitions(mode.page(page::PARTITIONS, 0).unwrap()).unwrap();
        assert_eq!((page.most_additional, page.additional), (3, 1));
        assert!(mode.page(page::COMPRESSION, 0).is_err());
    }

    #[test]
    fn an_answer_ends_where_it_says_and_not_where_the_buffer_does() {
        let mut bytes = ANSWER.to_vec();
        bytes.extend([0; 100]);
        assert_eq!(Mode::read(&bytes).unwrap(), Mode::read(&ANSWER).unwrap());
        bytes[1] = 14;
        assert!(Mode::read(&bytes).unwrap().page(page::PARTITIONS, 0).is_err());
        bytes[7] = 4;
        assert!(Mode::read(&bytes).is_err());
    }

    #[test]
    fn a_tape_is_split_into_the_least_and_the_rest_and_stays_buffered() {
        let mode = Mode::read(&ANSWER).unwrap();
        let page = medium_partitions(mode.page(page::PARTITIONS, 0).unwrap()).unwrap();
        let list = page.split(mode.device_specific | 0x80);
        assert_eq!(list[..8], [0, 0, 0, 0x10, 0, 0, 0, 0]);
        assert_eq!(list[8..], [0x11, 0x0a, 3, 1, 0x3c, 3, 9, 0, 0, 1, 0xff, 0xff]);
    }

    #[test]
    fn subpages_are_found_behind_pages() {
        let mut bytes = vec![0, 6 + 16 + 8, 0, 0, 0, 0, 0, 0];
        bytes.extend([0x10, 0x0e, 0, 1]);
        bytes.extend([0; 12]);
        bytes.extend([0x50, 1, 0, 4, 0, 0, 0x01, 0x02]);
        let mode = Mode::read(&bytes).unwrap();
        assert_eq!(active_partition(mode.page(0x10, 0).unwrap()), Ok(1));
        assert_eq!(early_warning_mb(mode.page(0x10, 1).unwrap()), Ok(0x0102));
        assert_eq!(mode.block, None);
    }

    #[test]
    fn compression_is_two_bits() {
        let found = compression(&[0x0f, 0x0e, 0xc0, 0x80]).unwrap();
        assert!(found.capable && found.enabled);
        assert!(compression(&[0x0f, 0x0e]).is_err());
    }
}
