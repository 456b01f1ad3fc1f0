//! Names in a cartridge's folder: `P_B_R` records, `P_B_F` filemarks, `P_B_E` ends of data, `attr_P_I` attributes. Numbers
//! are decimal, identifiers lower-case hexadecimal, neither with leading zeros; anything else is nobody's business.

use super::map::{BlockKind, BlockMap};
use crate::ldm::drive::{Attribute, AttributeFormat};

/// What a file is by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Letter {
    /// R.
    Record,
    /// F.
    Filemark,
    /// E.
    End,
}

impl Letter {
    fn suffix(self) -> &'static str {
        match self {
            Self::Record => "R",
            Self::Filemark => "F",
            Self::End => "E",
        }
    }
}

/// The name of a block's file.
pub(super) fn block_name(partition: u8, block: u64, letter: Letter) -> String {
    format!("{partition}_{block}_{}", letter.suffix())
}

/// The partition, block and letter of a block's file.
pub(super) fn parse_block(name: &str) -> Option<(u8, u64, Letter)> {
    let mut parts = name.split('_');
    let partition: u8 = parts.next()?.parse().ok()?;
    let block: u64 = parts.next()?.parse().ok()?;
    let letter = match parts.next()? {
        "R" => Letter::Record,
        "F" => Letter::Filemark,
        "E" => Letter::End,
        _ => return None,
    };
    let exact = name == block_name(partition, block, letter) && partition <= PARTITION_MAX;
    exact.then_some((partition, block, letter))
}

/// The highest partition of the layout.
pub(super) const PARTITION_MAX: u8 = 1;

/// The name of an attribute's file.
pub(super) fn attribute_name(partition: u8, id: u16) -> String {
    format!("attr_{partition}_{id:x}")
}

/// The partition and identifier of an attribute's file.
pub(super) fn parse_attribute(name: &str) -> Option<(u8, u16)> {
    let (partition, id) = name.strip_prefix("attr_")?.split_once('_')?;
    let (partition, id) = (partition.parse().ok()?, u16::from_str_radix(id, 16).ok()?);
    (name == attribute_name(partition, id) && partition <= PARTITION_MAX).then_some((partition, id))
}

/// An attribute as it stands in its file: identifier, format, length, value.
pub(super) fn encode_attribute(attribute: &Attribute) -> Vec<u8> {
    let format = match attribute.format {
        AttributeFormat::Binary => 0,
        AttributeFormat::Ascii => 1,
        AttributeFormat::Text => 2,
    };
    let length = u16::try_from(attribute.value.len()).unwrap_or(u16::MAX);
    let mut bytes = attribute.id.to_be_bytes().to_vec();
    bytes.push(format);
    bytes.extend(length.to_be_bytes());
    bytes.extend(&attribute.value[..usize::from(length)]);
    bytes
}

/// Reads what stands in an attribute's file.
pub(super) fn decode_attribute(bytes: &[u8]) -> Option<Attribute> {
    let (head, value) = bytes.split_at_checked(5)?;
    let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let format = match head[2] & 3 {
        0 => AttributeFormat::Binary,
        1 => AttributeFormat::Ascii,
        2 => AttributeFormat::Text,
        _ => return None,
    };
    Some(Attribute {
        id: u16::from_be_bytes([head[0], head[1]]),
        format,
        value: value.get(..length)?.to_vec(),
    })
}

/// One file of a partition: its block, its letter, and its length in bytes.
pub(super) type Found = (u64, Letter, u64);

/// The blocks of a partition from the names of its files, and where its end of data is. The lowest end counts: it is moved
/// before what lies behind it is taken away, and after what lies before it is safe.
pub(super) fn assemble(mut found: Vec<Found>) -> (BlockMap, Option<u64>) {
    found.sort_unstable();
    let end = found.iter().find(|file| file.1 == Letter::End).map(|file| file.0);
    let mut map = BlockMap::default();
    let blocks: Vec<Found> = found.into_iter().filter(|file| file.1 != Letter::End).collect();
    for group in blocks.chunk_by(|a, b| a.0 == b.0) {
        let block = group[0].0;
        if end.is_some_and(|end| block >= end) {
            break;
        }
        map.push(BlockKind::Unreadable, block - map.end());
        map.push(kind_of(group), 1);
    }
    if let Some(end) = end {
        map.push(BlockKind::Unreadable, end - map.end());
    }
    (map, end)
}

/// A block that is two things at once cannot be read, nor one of no bytes or of more than a drive writes.
fn kind_of(group: &[Found]) -> BlockKind {
    match group {
        [(_, Letter::Filemark, _)] => BlockKind::Filemark,
        [(_, Letter::Record, bytes)] if *bytes > 0 => {
            u32::try_from(*bytes).map_or(BlockKind::Unreadable, BlockKind::Record)
        }
        _ => BlockKind::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_blocks() {
        assert_eq!(parse_block("1_42_R"), Some((1, 42, Letter::Record)));
        for other in [
            "01_42_R", "1_042_R", "1_42_r", "1_42_R_", "2_1_R", "1_+2_R", "1_42", "x",
        ] {
            assert_eq!(parse_block(other), None, "{other}");
        }
        assert_eq!(parse_attribute("attr_0_80c"), Some((0, 0x80c)));
        assert_eq!(parse_attribute("attr_0_080c"), None);
        assert_eq!(parse_attribute("attr_0_80C"), None);
    }

    #[test]
    fn a_gap_is_unreadable_and_what_lies_behind_the_end_is_not_there() {
        let files = vec![
            (0, Letter::Record, 80),
            (2, Letter::Filemark, 0),
            (3, Letter::End, 0),
            (3, Letter::Record, 9),
            (4, Letter::Record, 9),
        ];
        let (map, end) = assemble(files);
        assert_eq!((map.end(), end), (3, Some(3)));
        assert_eq!(map.kind(1), Some(BlockKind::Unreadable));
        assert_eq!(map.kind(2), Some(BlockKind::Filemark));
        let (map, end) = assemble(vec![(0, Letter::Record, 0), (1, Letter::Record, 5)]);
        assert_eq!((map.end(), end), (2, None));
        assert_eq!(map.kind(0), Some(BlockKind::Unreadable));
    }

    #[test]
    fn an_attribute_reads_as_it_was_written() {
        let attribute = Attribute {
            id: 0x806,
            format: AttributeFormat::Ascii,
            value: b"TAP001L8".to_vec(),
        };
        assert_eq!(decode_attribute(&encode_attribute(&attribute)), Some(attribute));
        assert_eq!(decode_attribute(&[0, 9, 0, 0, 4, 1]), None);
    }
}
