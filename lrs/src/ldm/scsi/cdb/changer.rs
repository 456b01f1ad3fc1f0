//! Commands of changers: SMC-3.

use super::Cdb;
use crate::ldm::changer::{ElementAddress, ElementKind};

/// What READ ELEMENT STATUS is to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElementQuery {
    /// Of which kind. One at a time: an answer with all of them is broken in some changers.
    pub kind: ElementKind,
    /// From this address on, as many as there are.
    pub start: ElementAddress,
    /// Without moving anything (CURDATA).
    pub current_data: bool,
    /// With the serial numbers of drives (DVCID).
    pub device_id: bool,
    /// At most so many bytes; 24 bits.
    pub allocation: u32,
}

impl ElementKind {
    /// Its element type code (SMC-3, table 8).
    pub fn code(self) -> u8 {
        match self {
            Self::Transport => 1,
            Self::Slot => 2,
            Self::MailSlot => 3,
            Self::Drive => 4,
        }
    }

    /// The kind of a code; None: there is no such.
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Transport),
            2 => Some(Self::Slot),
            3 => Some(Self::MailSlot),
            4 => Some(Self::Drive),
            _ => None,
        }
    }
}

impl Cdb {
    /// INITIALIZE ELEMENT STATUS.
    pub fn initialize_element_status() -> Self {
        Self::new(0x07)
    }

    /// READ ELEMENT STATUS, with barcodes.
    pub fn read_element_status(query: ElementQuery) -> Self {
        let flags = u8::from(query.current_data) << 1 | u8::from(query.device_id);
        Self::new(0xb8)
            .byte(1, 0x10 | query.kind.code())
            .u16(2, query.start.0)
            .u16(4, u16::MAX)
            .byte(6, flags)
            .u24(7, query.allocation)
    }

    /// MOVE MEDIUM by the default arm (transport element 0).
    pub fn move_medium(from: ElementAddress, to: ElementAddress) -> Self {
        Self::new(0xa5).u16(4, from.0).u16(6, to.0)
    }
}
