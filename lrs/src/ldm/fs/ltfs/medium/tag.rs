//! What respool writes on a tape for itself: lines with a CRC of their own, in records that no index names. Pure.

use crate::ldm::fs::ltfs::PartitionId;
use crate::ldm::fs::ltfs::index::Extent;
use crate::ldm::fs::ltfs::volume::Labels;
use crate::ldm::fs::name::NameKey;
use crate::ldm::fs::{IndexEntry, IndexStamp, Label, line};
use dss::model::{Address, ExtentId, Generation, MediumId, Revision, Span, Stretch};
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use uuid::Uuid;

/// A line is at most so long: whoever reads lines has one of them in memory, and no more. An extent of 16 TiB has a
/// million sums of chunks, of at most eleven bytes each.
pub(super) const LONGEST_LINE: usize = 16 << 20;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Record {
    /// Which medium.
    Label(Label),
    /// The last index commit.
    Stamped(Stamped),
    /// An extent was written.
    Extent(Box<IndexEntry>),
    /// An extent's name was taken away.
    Deleted(Deletion),
    /// An extent's bytes were put out of the way.
    Isolated(Isolation),
    /// Names that are nobody's any more.
    Spent(Spent),
    /// Everything since the seal before is durable once this is.
    Seal(Seal),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Stamped {
    /// None: only the recovery of a volume that was never stamped.
    pub(super) stamp: Option<IndexStamp>,
    /// The highest of all stamps.
    pub(super) revision: Revision,
}

/// Keys of names, in base 16 one behind the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spent {
    names: String,
}

/// Names in one line.
const SPENT_MOST: usize = 192;

impl Spent {
    /// All of them, in as many lines as they need.
    pub(super) fn lines(keys: &[NameKey]) -> impl Iterator<Item = Record> {
        keys.chunks(SPENT_MOST).map(|keys| {
            let mut names = String::with_capacity(keys.len() * 32);
            for byte in keys.as_flattened() {
                write!(names, "{byte:02x}").expect("a string takes what is written to it");
            }
            Record::Spent(Self { names })
        })
    }

    /// The keys; None: it is damaged.
    pub(super) fn keys(&self) -> Option<Vec<NameKey>> {
        let (keys, rest) = self.names.as_bytes().as_chunks::<32>();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let key = |digits: &[u8; 32]| -> Option<NameKey> {
            let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
            bytes?.try_into().ok()
        };
        keys.iter().map(key).collect::<Option<_>>().filter(|_| rest.is_empty())
    }
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
    /// Under which name they are kept.
    pub(super) kept: String,
    pub(super) reason: String,
}

/// What a seal seals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sealed {
    /// The lines of one sync.
    Window,
    /// All of what is known, directly before an index.
    Snapshot,
}

/// The end of a run of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    pub(super) of: Sealed,
    pub(super) volume: Uuid,
    pub(super) medium: MediumId,
    pub(super) generation: Generation,
    /// LTFS generation of the data partition's index before it; of a snapshot's, of the index that follows.
    pub(super) index: u64,
    /// Counted since that index, from 1; of a snapshot 0.
    pub(super) number: u64,
    /// Its own block.
    pub(super) at: u64,
    /// The block of the seal before it; None: it is the first since the index.
    pub(super) after: Option<u64>,
    /// The block where its lines begin.
    pub(super) first: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) crc32: u32,
    /// Bytes of extents that were written in this generation, whatever became of them.
    pub(super) used: u64,
}

impl Record {
    /// Its line, without a newline.
    pub(super) fn to_line(&self) -> Vec<u8> {
        line::write(self)
    }

    /// What a line says; None when it is damaged.
    pub(super) fn from_line(text: &[u8]) -> Option<Self> {
        line::read(text)
    }
}

/// Where a file's bytes lie, by the numbers of partitions; None: it has extents of a partition that the volume has not.
pub(super) fn span(extents: &[Extent], labels: &Labels) -> Option<Span> {
    let size = labels.label.block_size;
    let stretch = |one: &Extent| {
        Some(Stretch {
            partition: labels.number(one.partition)?.0,
            start_block: one.block,
            byte_offset: one.byte_offset,
            blocks: one.end_block(size)?.checked_sub(one.block)?,
            bytes: one.bytes,
        })
    };
    extents.iter().map(stretch).collect::<Option<_>>().map(Span)
}

fn id(number: u8, labels: &Labels) -> Option<PartitionId> {
    if number == labels.data.0 {
        Some(labels.label.data)
    } else if number == labels.index.0 {
        Some(labels.label.index)
    } else {
        None
    }
}

/// The extents of a file whose bytes lie there; None: the span is not one of such a volume.
pub(super) fn extents(span: &Span, labels: &Labels) -> Option<Vec<Extent>> {
    let mut file_offset = 0_u64;
    let mut all = Vec::with_capacity(span.0.len());
    for one in &span.0 {
        let extent = Extent {
            file_offset,
            partition: id(one.partition, labels)?,
            block: one.start_block,
            byte_offset: one.byte_offset,
            bytes: one.bytes,
        };
        if extent.end_block(labels.label.block_size) != one.start_block.checked_add(one.blocks) {
            return None;
        }
        file_offset = file_offset.checked_add(one.bytes)?;
        all.push(extent);
    }
    Some(all)
}

/// Where an extent's bytes are by its note; None: the note does not fit together, or not this volume.
pub(super) fn placed(note: &IndexEntry, labels: &Labels) -> Option<Vec<Extent>> {
    let span = note.span.clone().unwrap_or_default();
    let whole = span.bytes() == Some(note.tag.bytes.0) && note.digests.bytes == note.tag.bytes;
    extents(&span, labels).filter(|_| whole)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ldm::drive::Partition;
    use crate::ldm::fs::ExtentTag;
    use crate::ldm::fs::ltfs::label;
    use dss::catalogue::ObjectHeader;
    use dss::model::{
        ByteCount, CopyNo, Digests, ExtentIndex, LtfsAttributes, LtfsKind, LtfsTimes, LtfsValue, LtfsXattr, Metadata,
        ObjectId, Oid, Origin, Version,
    };

    pub(in super::super) fn labels() -> Labels {
        Labels {
            serial: "RSP001".to_owned(),
            label: label::Label {
                version: "2.4.0".to_owned(),
                creator: String::new(),
                format_time: Default::default(),
                volume: Uuid::from_u128(3),
                location: PartitionId::B,
                index: PartitionId::A,
                data: PartitionId::B,
                block_size: 4096,
                compression: false,
            },
            index: Partition(0),
            data: Partition(1),
            findings: Vec::new(),
        }
    }

    /// An extent of 5,000 bytes that begins at byte 100 of a block.
    pub(in super::super) fn entry(name: &str, block: u64) -> IndexEntry {
        let bytes = vec![7; 5000];
        IndexEntry {
            tag: ExtentTag {
                extent: ExtentId::fresh(),
                origin: Origin {
                    object: ObjectId::fresh(),
                    oid: Oid::new(name).expect("a name"),
                    version: Version(1),
                    copy: CopyNo(0),
                    index: ExtentIndex(0),
                },
                bytes: ByteCount(5000),
                header: ObjectHeader {
                    bytes: ByteCount(5000),
                    copies: CopyNo(1),
                    copy_extents: 1,
                    grouping: None,
                    metadata: Metadata {
                        mode: Some(0o444),
                        mtime: Some("2020-01-01T00:00:00.25Z".parse().expect("a time")),
                        ..Metadata::default()
                    },
                    created_at: "2026-01-02T03:04:05Z".parse().expect("a time"),
                },
            },
            address: Address(name.to_owned()),
            digests: Digests::of(&bytes),
            inode: None,
            span: format!("1:{block}+100*2=5000").parse().ok(),
        }
    }

    /// Something of a tape of other software, of 5,000 bytes where it is a file.
    pub(in super::super) fn imported(path: &str, kind: LtfsKind) -> ExtentTag {
        let mut tag = entry("imported", 10).tag;
        if kind != LtfsKind::File {
            tag.bytes = ByteCount(0);
        }
        tag.header.metadata.ltfs = Some(LtfsAttributes {
            path: path.to_owned(),
            kind,
            readonly: true,
            times: LtfsTimes {
                creation: "2019-03-04T05:06:07.000000001Z".to_owned(),
                change: "2019-03-04T05:06:07.000000002Z".to_owned(),
                modify: "2019-03-04T05:06:07.000000003Z".to_owned(),
                access: "2106-02-07T06:28:17.123456789Z".to_owned(),
                backup: "1969-12-31T23:59:58.000000001Z".to_owned(),
            },
            xattrs: vec![
                LtfsXattr {
                    key: "a".to_owned(),
                    value: LtfsValue::Text("<é>".to_owned()),
                },
                LtfsXattr {
                    key: "b".to_owned(),
                    value: LtfsValue::Base64("/w==".to_owned()),
                },
            ],
            unknown: vec!["<x:y>1</x:y>".to_owned()],
        });
        tag
    }

    /// Its note, with its bytes in this block.
    pub(in super::super) fn noted(tag: ExtentTag, block: u64) -> IndexEntry {
        let bytes = vec![7; usize::try_from(tag.bytes.0).expect("they are few")];
        let span = match tag.bytes.0 {
            0 => Span(vec![]),
            _ => format!("1:{block}+100*2=5000").parse().expect("a span"),
        };
        let address = super::super::paths::Paths::default().choose(&tag).expect("a path");
        IndexEntry {
            tag,
            address: Address(address),
            digests: Digests::of(&bytes),
            inode: None,
            span: Some(span),
        }
    }

    #[test]
    fn a_note_that_does_not_fit_the_volume_has_no_place() {
        for span in [
            "2:10+100*2=5000",
            "1:10+100*3=5000",
            "1:10+100*2=4999",
            "1:10+4097*2=5000",
            "",
        ] {
            let wrong = IndexEntry {
                span: span.parse().ok(),
                ..entry("one", 10)
            };
            // A byte beyond its record shows in the number of records, or is for the bounds to refuse.
            let blocks = placed(&wrong, &labels()).and_then(|extents| extents[0].end_block(4096));
            assert_eq!(blocks, None, "{span}");
        }
        let several = IndexEntry {
            span: "1:10+100*1=3996,1:20+0*1=1004".parse().ok(),
            ..entry("one", 10)
        };
        assert_eq!(placed(&several, &labels()).expect("it fits")[1].file_offset, 3996);
    }

    #[test]
    fn any_number_of_spent_names_is_read_from_the_lines_that_say_them() {
        for count in [0_u128, 1, 192, 193, 6000] {
            let spent: Vec<NameKey> = (0..count)
                .map(|number| (number.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)).to_be_bytes())
                .collect();
            let lines: Vec<Vec<u8>> = Spent::lines(&spent).map(|record| record.to_line()).collect();
            assert!(lines.iter().all(|line| line.len() < 8 << 10));
            let keys = |line: &Vec<u8>| match Record::from_line(line) {
                Some(Record::Spent(spent)) => spent.keys().expect("it is whole"),
                _ => panic!("a line of names"),
            };
            assert!(lines.iter().flat_map(keys).collect::<Vec<_>>() == spent, "{count}");
        }
        for wrong in ["0", "zz", &"0".repeat(33)] {
            assert_eq!(
                Spent {
                    names: wrong.to_owned()
                }
                .keys(),
                None,
                "{wrong}"
            );
        }
    }
}
