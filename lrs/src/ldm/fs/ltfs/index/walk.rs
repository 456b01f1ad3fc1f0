//! Goes through a tree, with the paths.

use super::{Directory, Entry, File, Meta};
use std::fmt::Write;

/// What is met on the way.
#[derive(Clone, Copy, Debug)]
pub enum Node<'a> {
    /// A directory, before what it holds.
    Directory(&'a Directory),
    /// A file or symbolic link.
    File(&'a File),
}

impl<'a> Node<'a> {
    /// What files and directories have in common.
    pub fn meta(self) -> &'a Meta {
        match self {
            Self::Directory(directory) => &directory.meta,
            Self::File(file) => &file.meta,
        }
    }
}

/// Visits everything below a root in the order it is written in. Paths are relative, with `/` between names; the root
/// itself is `.`.
pub fn walk<'a>(root: &'a Directory, mut visit: impl FnMut(&str, Node<'a>)) {
    visit(".", Node::Directory(root));
    let mut path = String::new();
    let mut stack = vec![(root.contents.iter(), 0)];
    while let Some((rest, length)) = stack.last_mut() {
        path.truncate(*length);
        let Some(entry) = rest.next() else {
            stack.pop();
            continue;
        };
        let node = match entry {
            Entry::Directory(directory) => Node::Directory(directory),
            Entry::File(file) => Node::File(file),
        };
        let slash = if path.is_empty() { "" } else { "/" };
        write!(path, "{slash}{}", node.meta().name).expect("a string takes what is written to it");
        visit(&path, node);
        if let Node::Directory(directory) = node {
            stack.push((directory.contents.iter(), path.len()));
        }
    }
}
