//! Directories of respool in the tree of a volume. Pure.

use super::shelf::name_of;
use crate::ldm::fs::ltfs::Time;
use crate::ldm::fs::ltfs::index::{Directory, Entry, Index, Meta, Node, Times, walk};
use crate::ldm::fs::name::OBJECTS;

/// The way to isolated files.
pub(super) const HOME: &str = ".respool";
pub(super) const ISOLATED: &str = "isolated";

/// The extents' directory, where there is one.
pub(super) fn objects(tree: &Index) -> Option<&Directory> {
    inner(&tree.root, OBJECTS)
}

/// The directory of that name in another one.
fn inner<'d>(directory: &'d Directory, name: &str) -> Option<&'d Directory> {
    directory.contents.iter().find_map(|entry| match entry {
        Entry::Directory(found) if found.meta.name == name => Some(found),
        Entry::Directory(_) | Entry::File(_) => None,
    })
}

/// The same, made where it is missing.
pub(super) fn made<'d>(directory: &'d mut Directory, name: &str, now: Time) -> &'d mut Directory {
    let place = directory
        .contents
        .iter()
        .position(|entry| matches!(entry, Entry::Directory(found) if found.meta.name == name));
    let place = place.unwrap_or_else(|| {
        let meta = Meta {
            name: name.to_owned(),
            times: Times::all(now),
            ..Meta::default()
        };
        directory.contents.push(Entry::Directory(Directory {
            meta,
            contents: Vec::new(),
        }));
        directory.contents.len() - 1
    });
    match &mut directory.contents[place] {
        Entry::Directory(found) => found,
        Entry::File(_) => unreachable!("a directory was found there"),
    }
}

/// Takes the files of both directories out of a tree.
pub(super) fn take_out(tree: &mut Index) -> (Vec<Entry>, Vec<Entry>) {
    let now = tree.head.update_time;
    let take = |directory: &mut Directory| std::mem::take(&mut directory.contents);
    let isolated = if inner(&tree.root, HOME).is_some_and(|home| inner(home, ISOLATED).is_some()) {
        take(made(made(&mut tree.root, HOME, now), ISOLATED, now))
    } else {
        Vec::new()
    };
    let objects = if objects(tree).is_some() {
        take(made(&mut tree.root, OBJECTS, now))
    } else {
        Vec::new()
    };
    (objects, isolated)
}

/// Paths of everything in a tree, from which the extents' files were taken, that is not respool's.
pub(super) fn foreign(tree: &Index) -> Vec<String> {
    let mut paths = Vec::new();
    walk(&tree.root, |path, node| {
        if let Node::File(_) = node {
            paths.push(path.to_owned());
        }
    });
    paths
}

/// Paths of files among the extents that are none.
pub(super) fn strangers(tree: &Index) -> Vec<String> {
    let files = objects(tree).map_or(&[][..], |directory| &directory.contents);
    files.iter().map(|entry| name_of(entry).to_owned()).collect()
}
