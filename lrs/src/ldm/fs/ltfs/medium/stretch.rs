//! Where on the data partition a log may lie, and what lies there besides. Pure.

use crate::ldm::fs::ltfs::index::{Directory, Node, walk};
use crate::ldm::fs::ltfs::volume::{Labels, Mounted};

/// The folder into which the LTFS reference's checker gathers what no index names, a log of respool's too.
const LOST_AND_FOUND: &str = "_ltfs_lostandfound";

/// The blocks between an index of the data partition and what ends them: the next index, or the end of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// LTFS generation of that index.
    pub(super) index: u64,
    /// The block behind its closing filemark.
    pub(super) first: u64,
    /// The block behind the last one.
    pub(super) end: u64,
}

impl Stretch {
    /// Behind the last index.
    pub(super) fn last(mounted: &Mounted) -> Option<Self> {
        let last = mounted.data.last.as_ref()?;
        Some(Self {
            index: last.head.generation,
            first: last.end,
            end: mounted.data.end,
        })
    }
}

/// Blocks of the data partition that files are made of.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// Begin and end of runs that do not meet, in their order.
    runs: Vec<(u64, u64)>,
}

impl Files {
    /// Those of a tree, without what was found lost.
    pub(super) fn of(root: &Directory, labels: &Labels) -> Self {
        let mut all = Vec::new();
        walk(root, |path, node| {
            let Node::File(file) = node else { return };
            if path.split('/').next() == Some(LOST_AND_FOUND) {
                return;
            }
            let on_data = file
                .extents
                .iter()
                .filter(|extent| extent.partition == labels.label.data);
            all.extend(on_data.filter_map(|extent| Some((extent.block, extent.end_block(labels.label.block_size)?))));
        });
        all.sort_unstable();
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for (begin, end) in all {
            match runs.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => runs.push((begin, end)),
            }
        }
        Self { runs }
    }

    /// Whether a block is one of theirs.
    pub(super) fn hold(&self, block: u64) -> bool {
        let behind = self.runs.partition_point(|run| run.0 <= block);
        behind > 0 && block < self.runs[behind - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::tests::labels;
    use super::*;
    use crate::ldm::fs::ltfs::index::{Entry, Extent, File, Meta};

    fn file(name: &str, places: &[(u64, u64, u64)]) -> Entry {
        Entry::File(File {
            meta: Meta {
                name: name.to_owned(),
                ..Meta::default()
            },
            extents: places
                .iter()
                .map(|(block, byte_offset, bytes)| Extent {
                    file_offset: 0,
                    partition: labels().label.data,
                    block: *block,
                    byte_offset: *byte_offset,
                    bytes: *bytes,
                })
                .collect(),
            ..File::default()
        })
    }

    #[test]
    fn files_hold_the_blocks_they_are_made_of_and_what_was_found_lost_holds_none() {
        let size = u64::from(labels().label.block_size);
        let mut other = file("on the index partition", &[(70, 0, 1)]);
        if let Entry::File(file) = &mut other {
            file.extents[0].partition = labels().label.index;
        }
        let lost = Entry::Directory(Directory {
            meta: Meta {
                name: LOST_AND_FOUND.to_owned(),
                ..Meta::default()
            },
            contents: vec![file("blocks", &[(60, 0, size)])],
        });
        let contents = vec![
            file("later", &[(30, size - 1, 2), (33, 0, 0)]),
            file("first", &[(10, 0, 3 * size)]),
            file("inside it", &[(11, 5, 7)]),
            lost,
            other,
        ];
        let root = Directory {
            contents,
            ..Directory::default()
        };
        let files = Files::of(&root, &labels());
        let held: Vec<u64> = (0..100).filter(|block| files.hold(*block)).collect();
        assert_eq!(held, [10, 11, 12, 30, 31]);
        assert!((0..100).all(|block| !Files::default().hold(block)));
    }
}
