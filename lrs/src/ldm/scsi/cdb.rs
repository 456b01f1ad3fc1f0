//! Command blocks, typed: what goes where in their bytes is decided here and nowhere else.

mod changer;
mod primary;
mod stream;

pub use changer::ElementQuery;
pub use primary::{AttributeQuery, Removal, ReserveAction};
pub use stream::{FormatType, Immediate, LoadAction, OverwriteMode, SpaceCode};

/// A command block of 6, 10, 12 or 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cdb {
    bytes: [u8; 16],
    length: u8,
}

impl Cdb {
    /// An operation code, and zeros as long as its group says (SPC-4, 4.2.5.1).
    fn new(code: u8) -> Self {
        let length = match code >> 5 {
            0 => 6,
            1 | 2 => 10,
            5 => 12,
            4 => 16,
            group => unreachable!("no command of group {group} is built here"),
        };
        let mut bytes = [0; 16];
        bytes[0] = code;
        Self { bytes, length }
    }

    fn byte(mut self, at: usize, value: u8) -> Self {
        self.bytes[at] |= value;
        self
    }

    fn u16(self, at: usize, value: u16) -> Self {
        self.put(at, &value.to_be_bytes())
    }

    /// A field of 24 bits. A value that does not fit is a bug of the caller, who bounds it by `U24_MAX`.
    fn u24(self, at: usize, value: u32) -> Self {
        assert!(value <= U24_MAX, "{value} does not fit into 24 bits");
        self.put(at, &value.to_be_bytes()[1..])
    }

    fn u32(self, at: usize, value: u32) -> Self {
        self.put(at, &value.to_be_bytes())
    }

    fn u64(self, at: usize, value: u64) -> Self {
        self.put(at, &value.to_be_bytes())
    }

    fn put(mut self, at: usize, bytes: &[u8]) -> Self {
        self.bytes[at..at + bytes.len()].copy_from_slice(bytes);
        self
    }

    /// The bytes as they go over the wire.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Its operation code.
    pub fn code(&self) -> u8 {
        self.bytes[0]
    }
}

/// The largest value of the 24-bit lengths and counts of 6-byte commands.
pub const U24_MAX: u32 = 0x00ff_ffff;

#[cfg(test)]
mod tests;
