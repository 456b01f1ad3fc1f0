//! Where on a tape an extent's bytes are: known once they are written, and enough to read them without any index.

use super::ByteCount;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

/// Bytes that lie one behind the other on a tape: from a byte of a record on, through full records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stretch {
    /// The partition's number, from 0.
    pub partition: u8,
    /// The block of the first record.
    pub start_block: u64,
    /// The byte of that record.
    pub byte_offset: u64,
    /// How many records it touches.
    pub blocks: u64,
    /// How many bytes.
    pub bytes: u64,
}

/// An extent's bytes, in their order. Most extents have one stretch; each sync in the middle of one, and each other
/// extent written at the same time, begins a new one. An extent without bytes has none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Vec<Stretch>);

/// Where something begins on a tape. In the order of a partition's blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Spot {
    /// The partition's number, from 0.
    pub partition: u8,
    /// The block.
    pub block: u64,
    /// The byte of its record.
    pub byte: u32,
}

impl Span {
    /// The place of its first byte; None: it has none.
    pub fn spot(&self) -> Option<Spot> {
        self.first().map(|first| Spot {
            partition: first.partition,
            block: first.start_block,
            // No record is so long; one that is said to be is not sorted within itself.
            byte: u32::try_from(first.byte_offset).unwrap_or(u32::MAX),
        })
    }

    /// Where it begins.
    pub fn first(&self) -> Option<&Stretch> {
        self.0.first()
    }

    /// All its bytes; None: more than there can be.
    pub fn bytes(&self) -> Option<u64> {
        self.0.iter().try_fold(0_u64, |sum, one| sum.checked_add(one.bytes))
    }

    /// The most that any number of it may be: two of them are added where numbers have a sign.
    pub const MOST: u64 = 999_999_999_999_999_999;

    /// Whether an extent of this size may lie there. It may cover fewer bytes, for files of other software have holes,
    /// and never more.
    pub fn fits(&self, extent: ByteCount) -> bool {
        let small = |one: &Stretch| {
            let numbers = [one.start_block, one.byte_offset, one.blocks, one.bytes];
            numbers.iter().all(|number| *number <= Self::MOST)
        };
        self.0.iter().all(small) && self.bytes().is_some_and(|bytes| bytes <= extent.0)
    }

    /// How many records it touches, one that two stretches share counted for each.
    pub fn blocks(&self) -> u64 {
        self.0.iter().fold(0, |sum, one| sum.saturating_add(one.blocks))
    }

    /// The block behind the last one it touches on a partition.
    pub fn end_block(&self, partition: u8) -> Option<u64> {
        let here = self.0.iter().filter(|one| one.partition == partition);
        here.filter_map(|one| one.start_block.checked_add(one.blocks)).max()
    }
}

/// `partition:block+byte*blocks=bytes`, stretches separated by commas.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, one) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            write!(
                f,
                "{comma}{}:{}+{}*{}={}",
                one.partition, one.start_block, one.byte_offset, one.blocks, one.bytes
            )?;
        }
        Ok(())
    }
}

/// Why a text is no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a place on a tape of the form partition:block+byte*blocks=bytes")]
pub struct NotASpan;

/// Digits as they are written: no sign, no zeros before.
fn number<T: FromStr + fmt::Display>(text: &str) -> Result<T, NotASpan> {
    let value: T = text.parse().map_err(|_| NotASpan)?;
    if value.to_string() == text {
        Ok(value)
    } else {
        Err(NotASpan)
    }
}

fn stretch(text: &str) -> Result<Stretch, NotASpan> {
    let (partition, rest) = text.split_once(':').ok_or(NotASpan)?;
    let (block, rest) = rest.split_once('+').ok_or(NotASpan)?;
    let (byte, rest) = rest.split_once('*').ok_or(NotASpan)?;
    let (blocks, bytes) = rest.split_once('=').ok_or(NotASpan)?;
    let found = Stretch {
        partition: number(partition)?,
        start_block: number(block)?,
        byte_offset: number(byte)?,
        blocks: number(blocks)?,
        bytes: number(bytes)?,
    };
    if found.blocks == 0 || found.bytes == 0 {
        return Err(NotASpan);
    }
    Ok(found)
}

impl FromStr for Span {
    type Err = NotASpan;

    fn from_str(text: &str) -> Result<Self, NotASpan> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        text.split(',').map(stretch).collect::<Result<_, _>>().map(Self)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Span {
        let first = Stretch {
            partition: 1,
            start_block: 17,
            byte_offset: 4096,
            blocks: 12,
            bytes: 6_000_000,
        };
        let second = Stretch {
            start_block: 40,
            byte_offset: 0,
            blocks: 1,
            bytes: 3,
            ..first
        };
        Span(vec![first, second])
    }

    #[test]
    fn a_place_is_printed_and_read_again() {
        assert_eq!(some().to_string(), "1:17+4096*12=6000000,1:40+0*1=3");
        for span in [some(), Span::default()] {
            assert_eq!(span.to_string().parse(), Ok(span.clone()));
            let json = serde_json::to_string(&span).expect("plain data");
            assert_eq!(serde_json::from_str::<Span>(&json).expect("as it was written"), span);
        }
        assert_eq!((some().bytes(), some().end_block(1)), (Some(6_000_003), Some(41)));
    }

    #[test]
    fn i3_a_place_never_has_more_bytes_than_the_extent() {
        assert!(some().fits(ByteCount(6_000_003)));
        assert!(some().fits(ByteCount(6_000_004)), "a hole");
        assert!(!some().fits(ByteCount(6_000_002)));
        assert!(Span::default().fits(ByteCount(0)));
        let mut far = some();
        far.0[1].start_block = Span::MOST;
        assert!(far.fits(ByteCount(6_000_003)));
        far.0[1].start_block += 1;
        assert!(!far.fits(ByteCount(6_000_003)), "no tape is so long");
    }

    #[test]
    fn every_stretch_counts_its_blocks() {
        assert_eq!((some().blocks(), Span::default().blocks()), (13, 0));
    }

    #[test]
    fn one_place_has_one_text() {
        for wrong in [
            " ",
            ",",
            "1:17+0*1=3,",
            "1:017+0*1=3",
            "1:17+0*1=+3",
            "1:17+0*0=3",
            "1:17+0*1=0",
            "256:17+0*1=3",
            "1:17+0*1",
            "1:17-0*1=3",
        ] {
            assert_eq!(wrong.parse::<Span>(), Err(NotASpan), "{wrong}");
        }
    }
}
