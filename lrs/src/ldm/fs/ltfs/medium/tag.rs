//! What respool writes into attributes and log: lines with a CRC of their own, and files made of them. Pure.

use crate::ldm::fs::ltfs::index::{Entry, Extent, File, Index, Meta, Times, Xattr, XattrValue};
use crate::ldm::fs::ltfs::volume::Labels;
use crate::ldm::fs::ltfs::{PartitionId, Time};
use crate::ldm::fs::{IndexEntry, IndexStamp, Label, line, name};
use dss::model::{Address, ExtentId, Generation, MediumId, Revision, Span, Stretch};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Keys of attributes.
pub(super) const LABEL: &str = "respool.label";
pub(super) const STAMP: &str = "respool.stamp";
pub(super) const EXTENT: &str = "respool.extent";
pub(super) const KEPT: &str = "respool.isolated";

/// A line is at most so long: escaped, it must stay below what an index's reader takes as one piece.
pub(super) const LONGEST_LINE: usize = 128 << 10;

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
    /// Bytes of extents that were written in this generation, whatever became of them.
    pub(super) used: u64,
    /// LTFS generation of the index that this is in.
    pub(super) index: u64,
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

/// The end of one sync's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Seal {
    pub(super) volume: Uuid,
    pub(super) medium: MediumId,
    pub(super) generation: Generation,
    /// LTFS generation of the data partition's index before it.
    pub(super) index: u64,
    /// Counted since that index, from 1.
    pub(super) number: u64,
    /// Its own block.
    pub(super) at: u64,
    /// The block of the seal before it; None: it is the first since the index.
    pub(super) after: Option<u64>,
    /// The block where its lines begin; `at` when there are none.
    pub(super) first: u64,
    pub(super) lines: u64,
    pub(super) bytes: u64,
    pub(super) crc32: u32,
    /// As in [`Stamped`].
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

/// The value of an attribute as a line.
pub(super) fn read(meta: &Meta, key: &str) -> Option<Record> {
    Record::from_line(value(meta, key)?)
}

/// The stamp in a volume's root; None: it was never stamped.
pub(super) fn stamped(tree: &Index) -> Option<Stamped> {
    match read(&tree.root.meta, STAMP) {
        Some(Record::Stamped(stamped)) => Some(stamped),
        _ => None,
    }
}

/// The bytes of an attribute.
pub(super) fn value<'m>(meta: &'m Meta, key: &str) -> Option<&'m [u8]> {
    let found = meta.xattrs.iter().find(|xattr| xattr.key == key)?;
    Some(found.value.bytes())
}

/// An attribute.
pub(super) fn xattr(key: &str, bytes: &[u8]) -> Xattr {
    Xattr {
        key: key.to_owned(),
        value: XattrValue::of(bytes),
    }
}

/// Gives an attribute this value; those of others stay as they are.
pub(super) fn set(meta: &mut Meta, key: &str, bytes: &[u8]) {
    let new = xattr(key, bytes);
    match meta.xattrs.iter_mut().find(|xattr| xattr.key == key) {
        Some(old) => *old = new,
        None => meta.xattrs.push(new),
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

/// The file of an index entry; None: the entry does not fit together, or not this volume.
pub(super) fn file(entry: &IndexEntry, labels: &Labels) -> Option<File> {
    let name = name::of_address(&entry.address)?;
    let span = entry.span.clone().unwrap_or_default();
    let whole = span.bytes() == Some(entry.tag.bytes.0) && entry.digests.bytes == entry.tag.bytes;
    let extents = extents(&span, labels).filter(|_| whole)?;
    let header = &entry.tag.header;
    let put = Time::from(header.created_at);
    Some(File {
        meta: Meta {
            name: name.to_owned(),
            readonly: header.metadata.mode.is_some_and(|mode| mode & 0o222 == 0),
            times: Times {
                modify: header.metadata.mtime.map_or(put, Into::into),
                ..Times::all(put)
            },
            xattrs: vec![xattr(EXTENT, &Record::Extent(Box::new(entry.clone())).to_line())],
            ..Meta::default()
        },
        length: entry.tag.bytes.0,
        extents,
        ..File::default()
    })
}

/// The index entry of a file among the extents; None: it is a stranger.
pub(super) fn entry(file: &Entry, labels: &Labels) -> Option<IndexEntry> {
    let Entry::File(file) = file else { return None };
    let Some(Record::Extent(entry)) = read(&file.meta, EXTENT) else {
        return None;
    };
    let agrees = name::of_address(&entry.address) == Some(file.meta.name.as_str())
        && entry.tag.bytes.0 == file.length
        && span(&file.extents, labels) == Some(entry.span.clone().unwrap_or_default())
        && file.symlink.is_none();
    agrees.then_some(*entry)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::ldm::drive::Partition;
    use crate::ldm::fs::ExtentTag;
    use crate::ldm::fs::ltfs::label;
    use dss::catalogue::ObjectHeader;
    use dss::model::{ByteCount, CopyNo, Digests, ExtentIndex, Metadata, ObjectId, Oid, Origin, Version};

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
            address: name::address(name),
            digests: Digests::of(&bytes),
            inode: None,
            span: format!("1:{block}+100*2=5000").parse().ok(),
        }
    }

    #[test]
    fn a_file_says_what_its_entry_says_and_nothing_else_counts() {
        let one = entry("one", 10);
        let file = file(&one, &labels()).expect("it fits");
        assert!(file.meta.readonly);
        assert_eq!(file.meta.times.modify.to_string(), "2020-01-01T00:00:00.250000000Z");
        assert_eq!(super::entry(&Entry::File(file.clone()), &labels()), Some(one));
        let changes: [fn(&mut File); 5] = [
            |file| file.meta.name.push('x'),
            |file| file.length += 1,
            |file| file.extents[0].block += 1,
            |file| file.extents.clear(),
            |file| file.meta.xattrs[0].value = XattrValue::Text("{}".to_owned()),
        ];
        for (number, change) in changes.iter().enumerate() {
            let mut changed = file.clone();
            change(&mut changed);
            assert_eq!(super::entry(&Entry::File(changed), &labels()), None, "{number}");
        }
    }

    #[test]
    fn an_entry_that_does_not_fit_the_volume_is_no_file() {
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
            let blocks = file(&wrong, &labels()).and_then(|file| file.extents[0].end_block(4096));
            assert_eq!(blocks, None, "{span}");
        }
        let several = IndexEntry {
            span: "1:10+100*1=3996,1:20+0*1=1004".parse().ok(),
            ..entry("one", 10)
        };
        let file = file(&several, &labels()).expect("it fits");
        assert_eq!(file.extents[1].file_offset, 3996);
    }
}
