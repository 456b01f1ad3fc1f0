//! Commands of every device: SPC-4.

use super::Cdb;
use crate::ldm::drive::Partition;
use crate::ldm::scsi::log::Page;

/// Whether a medium can be taken out (PREVENT ALLOW MEDIUM REMOVAL).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// It can.
    Allow,
    /// It cannot, until this host allows it or the device is reset.
    Prevent,
}

/// Service actions of PERSISTENT RESERVE OUT (SPC-4, table 226).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReserveAction {
    /// 01h: takes the reservation.
    Reserve,
    /// 02h: gives it back.
    Release,
    /// 06h: registers a key, whatever was registered before by this host; key 0 unregisters.
    RegisterIgnoringExisting,
}

/// Which attributes READ ATTRIBUTE is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttributeQuery {
    /// Of which partition.
    pub partition: Partition,
    /// From this identifier on.
    pub first: u16,
    /// At most so many bytes.
    pub allocation: u32,
}

/// Exclusive access, logical unit scope (SPC-4, table 217).
const EXCLUSIVE_ACCESS: u8 = 0x03;

impl Cdb {
    /// TEST UNIT READY.
    pub fn test_unit_ready() -> Self {
        Self::new(0x00)
    }

    /// REQUEST SENSE, fixed format.
    pub fn request_sense(allocation: u8) -> Self {
        Self::new(0x03).byte(4, allocation)
    }

    /// INQUIRY, standard data.
    pub fn inquiry(allocation: u16) -> Self {
        Self::new(0x12).u16(3, allocation)
    }

    /// INQUIRY, a vital product data page.
    pub fn inquiry_page(page: u8, allocation: u16) -> Self {
        Self::new(0x12).byte(1, 0x01).byte(2, page).u16(3, allocation)
    }

    /// MODE SENSE(10), current values of a page (0: header and block descriptor alone).
    pub fn mode_sense(page: u8, subpage: u8, allocation: u16) -> Self {
        assert!(page < 0x40, "a page code has 6 bits");
        Self::new(0x5a).byte(2, page).byte(3, subpage).u16(7, allocation)
    }

    /// MODE SELECT(10) of pages in their standard format; nothing is saved beyond a power cycle.
    pub fn mode_select(length: u16) -> Self {
        Self::new(0x55).byte(1, 0x10).u16(7, length)
    }

    /// LOG SENSE, cumulative values.
    pub fn log_sense(page: Page, allocation: u16) -> Self {
        Self::new(0x4d).byte(2, 0x40 | page.code()).u16(7, allocation)
    }

    /// READ ATTRIBUTE, attribute values (SPC-4, 6.18).
    pub fn read_attribute(query: AttributeQuery) -> Self {
        Self::new(0x8c)
            .byte(7, query.partition.0)
            .u16(8, query.first)
            .u32(10, query.allocation)
    }

    /// WRITE ATTRIBUTE, through the drive's cache to the cartridge's memory.
    pub fn write_attribute(partition: Partition, length: u32) -> Self {
        Self::new(0x8d).byte(1, 0x01).byte(7, partition.0).u32(10, length)
    }

    /// PERSISTENT RESERVE IN, READ KEYS.
    pub fn read_keys(allocation: u16) -> Self {
        Self::new(0x5e).u16(7, allocation)
    }

    /// PERSISTENT RESERVE IN, READ RESERVATION.
    pub fn read_reservation(allocation: u16) -> Self {
        Self::new(0x5e).byte(1, 0x01).u16(7, allocation)
    }

    /// PERSISTENT RESERVE OUT, with a parameter list of [`reservation::LIST_BYTES`](crate::ldm::scsi::reservation::LIST_BYTES).
    pub fn persistent_reserve(action: ReserveAction) -> Self {
        let (code, kind) = match action {
            ReserveAction::Reserve => (0x01, EXCLUSIVE_ACCESS),
            ReserveAction::Release => (0x02, EXCLUSIVE_ACCESS),
            ReserveAction::RegisterIgnoringExisting => (0x06, 0),
        };
        let length = crate::ldm::scsi::reservation::LIST_BYTES as u32;
        Self::new(0x5f).byte(1, code).byte(2, kind).u32(5, length)
    }

    /// PREVENT ALLOW MEDIUM REMOVAL.
    pub fn removal(removal: Removal) -> Self {
        Self::new(0x1e).byte(
            4,
            match removal {
                Removal::Allow => 0,
                Removal::Prevent => 1,
            },
        )
    }

    /// REPORT SUPPORTED OPERATION CODES, all of them, without timeouts.
    pub fn supported_opcodes(allocation: u32) -> Self {
        Self::new(0xa3).byte(1, 0x0c).u32(6, allocation)
    }
}
