//! Lines of the manifest: one JSON object each, which begins with the CRC of the rest of its line.

use crate::ldm::fs::{IndexEntry, IndexStamp, line};
use dss::model::{Address, ExtentId, Generation, MediumId};
use serde::{Deserialize, Serialize};

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    /// The first line of a segment.
    Begin(Begin),
    /// An extent was written.
    Extent(Box<IndexEntry>),
    /// An extent's bytes were removed.
    Deleted(Deletion),
    /// An extent's bytes were moved out of the way.
    Isolated(Isolation),
    /// Everything since the last seal is durable once this line is.
    Seal(Seal),
    /// Written after the device confirmed a seal: what stood before it can no longer be a torn write.
    Durable(Durable),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Begin {
    pub(super) format: String,
    pub(super) medium: MediumId,
    pub(super) generation: Generation,
    pub(super) segment: u32,
    /// The last seal before this segment; None at the beginning of a generation.
    pub(super) after: Option<SealMark>,
}

/// Names one seal: a manifest that lacks a part does not fit together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SealMark {
    pub(super) segment: u32,
    pub(super) number: u64,
    pub(super) crc32: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Deletion {
    pub(super) extent: ExtentId,
    pub(super) address: Address,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Isolation {
    pub(super) extent: ExtentId,
    pub(super) address: Address,
    /// Where the bytes are kept.
    pub(super) kept: String,
    pub(super) inode: u64,
    pub(super) bytes: u64,
    pub(super) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    /// Counted through all segments of a generation, from 1.
    pub(super) number: u64,
    /// How many lines it seals, itself not counted.
    pub(super) lines: u64,
    /// How many bytes.
    pub(super) bytes: u64,
    /// CRC-32/ISO-HDLC of those bytes.
    pub(super) crc32: u32,
    /// Some: an index commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stamp: Option<IndexStamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Durable {
    pub(super) seal: u64,
}

/// The line of a record, with its newline.
pub(super) fn to_line(record: &Record) -> Vec<u8> {
    let mut line = line::write(record);
    line.push(b'\n');
    line
}

/// What a line says, its newline left off; None when it is damaged.
pub(super) fn from_line(text: &[u8]) -> Option<Record> {
    line::read(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_json_and_no_bit_of_it_can_change_unnoticed() {
        let record = Record::Deleted(Deletion {
            extent: ExtentId::fresh(),
            address: Address("objects/a@1.0.0".to_owned()),
        });
        let line = to_line(&record);
        assert!(serde_json::from_slice::<serde_json::Value>(&line).unwrap()["crc32"].is_string());
        let line = &line[..line.len() - 1];
        assert_eq!(from_line(line), Some(record));
        for position in 0..line.len() {
            for bit in 0..8 {
                let mut damaged = line.to_vec();
                damaged[position] ^= 1 << bit;
                assert_eq!(from_line(&damaged), None, "{position} {bit}");
            }
        }
    }
}
