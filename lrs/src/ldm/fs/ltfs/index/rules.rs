//! Rules that a tree can break and still be of use: each is a finding with the path it is about.

use super::walk::{Node, walk};
use super::{Directory, Extent, File, Index, LENGTH_MAX, Meta, ROOT_UID};
use crate::ldm::fs::ltfs::finding::{Code, Finding};
use crate::ldm::fs::ltfs::{LABEL_BLOCKS, PartitionId, name};
use std::collections::{BTreeMap, BTreeSet};

/// Where data of a volume can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Length of a full record in bytes.
    pub block_size: u32,
    /// Its partitions, with the block number of each one's end of data where that is known.
    pub ends: Vec<(PartitionId, Option<u64>)>,
    /// Runs of blocks that are indexes, first and behind the last: no extent may lie there.
    pub indexes: Vec<(PartitionId, u64, u64)>,
}

/// Everything that is wrong with an index's tree.
pub fn findings(index: &Index, bounds: &Bounds) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut uids = BTreeMap::new();
    walk(&index.root, |path, node| {
        let meta = node.meta();
        uid(&mut found, path, meta.uid, index.head.highest_uid);
        if let Some(times) = uids.insert(meta.uid, 1).map(|times: u32| times.saturating_add(1)) {
            uids.insert(meta.uid, times);
            found.push(Finding::new(
                Code::Uid,
                path,
                format!("uid {} is used {times} times", meta.uid),
            ));
        }
        keys(&mut found, path, meta);
        if path != "." {
            names(&mut found, path, meta);
        }
        match node {
            Node::Directory(directory) => siblings(&mut found, path, directory),
            Node::File(file) => extents(&mut found, path, file, bounds),
        }
    });
    found
}

fn uid(found: &mut Vec<Finding>, path: &str, uid: u64, highest: u64) {
    if uid == 0 || (uid == ROOT_UID) != (path == ".") {
        found.push(Finding::new(
            Code::Uid,
            path,
            format!("uid {uid}: the root alone has 1, and nobody has 0"),
        ));
    }
    if uid > highest {
        found.push(Finding::new(
            Code::Uid,
            path,
            format!("uid {uid} exceeds the highest, {highest}"),
        ));
    }
}

fn names(found: &mut Vec<Finding>, path: &str, meta: &Meta) {
    if let Err(fault) = name::check(&meta.name) {
        found.push(Finding::new(Code::Name, path, fault.to_string()));
    }
}

fn keys(found: &mut Vec<Finding>, path: &str, meta: &Meta) {
    let mut seen = BTreeSet::new();
    for xattr in &meta.xattrs {
        if !seen.insert(xattr.key.as_str()) {
            found.push(Finding::new(
                Code::Xattr,
                path,
                format!("the key {:?} occurs twice", xattr.key),
            ));
        }
    }
}

fn siblings(found: &mut Vec<Finding>, path: &str, directory: &Directory) {
    let mut seen = BTreeSet::new();
    for entry in &directory.contents {
        let name = match entry {
            super::Entry::Directory(inner) => &inner.meta.name,
            super::Entry::File(file) => &file.meta.name,
        };
        if !seen.insert(name::normal(name)) {
            let at = if path == "." {
                name.clone()
            } else {
                format!("{path}/{name}")
            };
            found.push(Finding::new(Code::Name, at, "the name occurs twice in its directory"));
        }
    }
}

fn extents(found: &mut Vec<Finding>, path: &str, file: &File, bounds: &Bounds) {
    if file.length > LENGTH_MAX {
        found.push(Finding::new(
            Code::Length,
            path,
            format!("a length of {} bytes is absurd", file.length),
        ));
    }
    if file.symlink.is_some() && !file.extents.is_empty() {
        found.push(Finding::new(Code::Symlink, path, "a symbolic link with extents"));
    }
    let mut covered = 0;
    for extent in &file.extents {
        if extent.file_offset < covered {
            found.push(Finding::new(Code::Extent, path, "an extent overlaps the one before it"));
        }
        if let Some(fault) = extent_fault(extent, bounds) {
            let at = format!("extent at {}:{}+{}", extent.partition, extent.block, extent.byte_offset);
            found.push(Finding::new(Code::Extent, path, format!("{at}: {fault}")));
        }
        covered = covered.max(extent.file_offset.saturating_add(extent.bytes));
    }
    if covered > file.length {
        let what = format!("its extents end at {covered}, its length is {}", file.length);
        found.push(Finding::new(Code::Length, path, what));
    }
}

/// What is wrong with one extent by itself; None: nothing.
pub(crate) fn extent_fault(extent: &Extent, bounds: &Bounds) -> Option<String> {
    if extent.bytes == 0 {
        return Some("it is empty".to_owned());
    }
    if extent.bytes > LENGTH_MAX {
        return Some(format!("{} bytes are absurd", extent.bytes));
    }
    if extent.byte_offset >= u64::from(bounds.block_size) {
        return Some(format!("byte {} is not inside a record", extent.byte_offset));
    }
    let Some((_, end)) = bounds.ends.iter().find(|(id, _)| *id == extent.partition) else {
        return Some("there is no such partition".to_owned());
    };
    let Some(behind) = extent.end_block(bounds.block_size) else {
        return Some("there is no such block".to_owned());
    };
    if extent.block < LABEL_BLOCKS {
        return Some("it begins in the label".to_owned());
    }
    if let Some(end) = end.filter(|end| behind > *end) {
        return Some(format!("it reaches to block {behind}, and the data end at {end}"));
    }
    let covers = |run: &&(PartitionId, u64, u64)| run.0 == extent.partition && extent.block < run.2 && run.1 < behind;
    let index = bounds.indexes.iter().find(covers)?;
    Some(format!("it covers the index at {}:{}", index.0, index.1))
}
