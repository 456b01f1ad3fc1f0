//! The tree between the shelf and an index. Between indexes it holds the directories and what is not respool's; what lies
//! on the shelf comes into it only while an index is written. Pure.

use super::entry::plain;
use super::paths::{self, ISOLATED, Paths, ROOT};
use super::shelf::{Laid, Shelf};
use crate::ldm::fs::ltfs::Time;
use crate::ldm::fs::ltfs::index::{Directory, Entry, Index, Meta, Node, walk};
use crate::ldm::fs::ltfs::volume::Labels;
use std::collections::{BTreeMap, BTreeSet};

/// Takes out of a tree what is on the shelf, and tells the shelf of everything that was met.
pub(super) fn take_out(tree: &mut Index, shelf: &mut Shelf, labels: &Labels) {
    shelf.highest_uid = shelf.highest_uid.max(tree.head.highest_uid);
    shelf.meets_directory(ROOT, tree.root.meta.uid);
    take(&mut tree.root, &mut String::new(), shelf, labels);
    shelf.drop_unmet();
}

/// Directories lie inside each other no deeper than a reader of indexes allows.
fn take(directory: &mut Directory, path: &mut String, shelf: &mut Shelf, labels: &Labels) {
    directory.contents.retain_mut(|entry| {
        let length = enter(path, name(entry));
        let stays = match entry {
            Entry::Directory(inner) => {
                shelf.meets_directory(path, inner.meta.uid);
                take(inner, path, shelf, labels);
                true
            }
            Entry::File(file) => !shelf.meets(path, file, labels),
        };
        path.truncate(length);
        stays
    });
    directory.contents.shrink_to_fit();
}

/// The name of a file or directory.
fn name(entry: &Entry) -> &str {
    match entry {
        Entry::Directory(directory) => &directory.meta.name,
        Entry::File(file) => &file.meta.name,
    }
}

/// Goes on to a path's inner name. Answers the length to come back to.
fn enter(path: &mut String, name: &str) -> usize {
    let length = path.len();
    if length > 0 {
        path.push('/');
    }
    path.push_str(name);
    length
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

/// How many directories paths were given in that a tree has not: of extents that are still to be written. One that went
/// with the last extent in it is among them, since the next path in it brings it back.
pub(super) fn to_come(tree: &Index, paths: &Paths) -> u64 {
    let mut there = 0;
    walk(&tree.root, |path, node| {
        let is_directory = matches!(node, Node::Directory(_));
        there += u64::from(is_directory && paths.is_directory(path));
    });
    paths.directories().saturating_sub(there)
}

/// How many of the last entries of each directory came from the shelf.
pub(super) struct Added(BTreeMap<String, usize>);

/// What comes into a tree: by directory, whose path is empty for the root.
#[derive(Default)]
struct Arrivals {
    files: BTreeMap<String, Vec<Entry>>,
    /// Names of the directories that are to be there.
    inner: BTreeMap<String, BTreeSet<String>>,
    /// Attributes of those of which something is said.
    said: BTreeMap<String, Meta>,
    bared: BTreeSet<String>,
}

/// The path of a directory as it is put together from names, of which the root has none.
fn inside(path: &str) -> String {
    if path == ROOT { String::new() } else { path.to_owned() }
}

impl Arrivals {
    fn of(shelf: &Shelf, labels: &Labels) -> Self {
        let mut all = Self {
            bared: shelf.bared().iter().map(|path| inside(path)).collect(),
            ..Self::default()
        };
        for laid in shelf.laid(labels) {
            match laid {
                Laid::Isolated(file) => all.file(ISOLATED, Entry::File(file)),
                Laid::Extent(address, Entry::Directory(directory)) => {
                    let path = inside(&address.0);
                    all.directory(&path);
                    all.said.insert(path, directory.meta);
                }
                Laid::Extent(address, file @ Entry::File(_)) => {
                    all.file(paths::parent(&address.0).unwrap_or_default(), file);
                }
            }
        }
        all
    }

    fn file(&mut self, directory: &str, file: Entry) {
        self.directory(directory);
        self.files.entry(directory.to_owned()).or_default().push(file);
    }

    /// There is to be this directory, and so those it lies in.
    fn directory(&mut self, path: &str) {
        let mut path = path;
        while !path.is_empty() {
            let above = paths::parent(path).unwrap_or_default();
            let names = self.inner.entry(above.to_owned()).or_default();
            if !names.insert(paths::last(path).to_owned()) {
                return;
            }
            path = above;
        }
    }
}

/// Puts what is on the shelf into a tree, behind what else lies there. Directories are made where they are wanted, and go
/// where nothing lies in them and nothing is said of them.
pub(super) fn put_in(tree: &mut Index, shelf: &Shelf, labels: &Labels, now: Time) -> Added {
    let mut arrivals = Arrivals::of(shelf, labels);
    tree.head.highest_uid = tree.head.highest_uid.max(shelf.highest_uid);
    let mut added = Added(BTreeMap::new());
    fill(&mut tree.root, &mut String::new(), &mut arrivals, &mut added, now);
    added
}

fn fill(directory: &mut Directory, path: &mut String, arrivals: &mut Arrivals, added: &mut Added, now: Time) {
    let (own, uid) = (directory.meta.name.clone(), directory.meta.uid);
    match arrivals.said.remove(path.as_str()) {
        Some(meta) => directory.meta = Meta { name: own, uid, ..meta },
        None if arrivals.bared.contains(path.as_str()) => directory.meta = plain(&own, uid, now),
        None => {}
    }
    let mut wanted = arrivals.inner.remove(path.as_str()).unwrap_or_default();
    directory.contents.retain(|entry| match entry {
        Entry::Directory(inner) => wanted.remove(&inner.meta.name) || holds_files(inner),
        Entry::File(_) => true,
    });
    let missing = wanted.iter().map(|name| {
        let meta = plain(name, 0, now);
        Entry::Directory(Directory {
            meta,
            ..Directory::default()
        })
    });
    directory.contents.extend(missing);
    for entry in &mut directory.contents {
        if let Entry::Directory(inner) = entry {
            let length = enter(path, &inner.meta.name);
            fill(inner, path, arrivals, added, now);
            path.truncate(length);
        }
    }
    if let Some(files) = arrivals.files.remove(path.as_str()) {
        added.0.insert(path.clone(), files.len());
        directory.contents.extend(files);
    }
}

/// Whether a file is anywhere in a directory.
fn holds_files(directory: &Directory) -> bool {
    directory.contents.iter().any(|entry| match entry {
        Entry::Directory(inner) => holds_files(inner),
        Entry::File(_) => true,
    })
}

/// Takes them out again.
pub(super) fn take_back(tree: &mut Index, added: &Added) {
    strip(&mut tree.root, &mut String::new(), added);
}

fn strip(directory: &mut Directory, path: &mut String, added: &Added) {
    let ours = added.0.get(path.as_str()).copied().unwrap_or(0);
    directory.contents.truncate(directory.contents.len() - ours);
    directory.contents.shrink_to_fit();
    for entry in &mut directory.contents {
        if let Entry::Directory(inner) = entry {
            let length = enter(path, &inner.meta.name);
            strip(inner, path, added);
            path.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::tests::{entry, imported, labels, noted};
    use super::super::tag::{Deletion, Record};
    use super::*;
    use crate::ldm::fs::IndexEntry;
    use crate::ldm::fs::ltfs::volume::{Options, empty_tree};
    use dss::model::LtfsKind;

    fn tree() -> Index {
        let label = labels().label;
        empty_tree(&Options {
            serial: "RSP001".to_owned(),
            barcode: String::new(),
            name: "TAP001".to_owned(),
            pool: String::new(),
            volume: label.volume,
            block_size: label.block_size,
            compression: false,
            creator: "test".to_owned(),
            now: label.format_time,
        })
    }

    fn apply(shelf: &mut Shelf, change: &Record) {
        shelf.apply(change, &change.to_line(), &labels()).expect("it fits");
    }

    fn shelf(notes: &[&IndexEntry]) -> Shelf {
        let mut shelf = Shelf::default();
        for note in notes {
            apply(&mut shelf, &Record::Extent(Box::new((*note).clone())));
        }
        shelf
    }

    fn gone(note: &IndexEntry) -> Record {
        Record::Deleted(Deletion {
            extent: note.tag.extent,
            address: note.address.clone(),
        })
    }

    /// Paths, with a slash behind directories and `!` behind what is read-only.
    fn listed(tree: &Index) -> Vec<String> {
        let mut paths = Vec::new();
        walk(&tree.root, |path, node| {
            let slash = if matches!(node, Node::Directory(_)) { "/" } else { "" };
            let fixed = if node.meta().readonly { "!" } else { "" };
            paths.push(format!("{path}{slash}{fixed}"));
        });
        paths.sort();
        paths
    }

    /// As the tree of an index that was written now, in which every directory has a uid.
    fn indexed(tree: &mut Index, shelf: &mut Shelf) -> Vec<String> {
        let added = put_in(tree, shelf, &labels(), Time::default());
        let paths = listed(tree);
        take_back(tree, &added);
        shelf.is_indexed(tree.head.highest_uid);
        paths
    }

    #[test]
    fn directories_are_there_as_long_as_anything_is_said_of_them_or_lies_in_them() {
        let (file, other) = (entry("a/b/f", 10), entry("a/c/g", 11));
        let (inner, root) = (imported("a/b", LtfsKind::Directory), imported("", LtfsKind::Directory));
        let (inner, root) = (noted(inner, 0), noted(root, 0));
        let mut tree = tree();
        let mut shelf = shelf(&[&file, &other, &inner, &root]);
        let all = ["./!", "a/", "a/b/!", "a/b/f!", "a/c/", "a/c/g!"];
        assert_eq!(indexed(&mut tree, &mut shelf), all);
        assert_eq!(tree.root.meta.name, "TAP001", "a volume keeps its name");
        assert_eq!(indexed(&mut tree, &mut shelf), all);
        apply(&mut shelf, &gone(&inner));
        apply(&mut shelf, &gone(&other));
        apply(&mut shelf, &gone(&root));
        assert_eq!(indexed(&mut tree, &mut shelf), ["./", "a/", "a/b/", "a/b/f!"]);
        apply(&mut shelf, &gone(&file));
        assert_eq!(indexed(&mut tree, &mut shelf), ["./"]);
    }

    /// a commit takes nothing of what paths were given before it and are written behind it.
    #[test]
    fn x15_directories_of_paths_that_are_not_written_yet_are_still_to_come_after_an_index() {
        let written = entry("a/b/f", 10);
        let mut tree = tree();
        let mut shelf = shelf(&[&written]);
        for path in ["a/c/d/g", "a/c/h", "e/f"] {
            let extent = entry(path, 11).tag.extent;
            shelf.paths.claim(path, extent, paths::Shape::Leaf);
        }
        assert_eq!(to_come(&tree, &shelf.paths), 5);
        indexed(&mut tree, &mut shelf);
        assert_eq!(to_come(&tree, &shelf.paths), 3, "a and b are there; c, d and e are not");
        assert_eq!(to_come(&tree, &Paths::default()), 0);
        apply(&mut shelf, &gone(&written));
        indexed(&mut tree, &mut shelf);
        assert_eq!(
            to_come(&tree, &shelf.paths),
            5,
            "whatever is written next brings a back"
        );
    }

    #[test]
    fn what_was_put_in_is_found_again_and_nothing_else() {
        let notes = [entry("a/f", 10), entry("g", 11)];
        let link = noted(imported("a/l", LtfsKind::Symlink { target: "f".to_owned() }), 0);
        let mut written = tree();
        let first = shelf(&[&notes[0], &notes[1], &link]);
        put_in(&mut written, &first, &labels(), Time::default());
        let theirs = Entry::File(crate::ldm::fs::ltfs::index::File {
            meta: plain("theirs", 99, Time::default()),
            ..Default::default()
        });
        written.root.contents.push(theirs);
        let mut found = Shelf::default();
        for note in notes.iter().chain([&link]) {
            let change = Record::Extent(Box::new(note.clone()));
            found.recall(&change, &change.to_line(), &labels()).expect("it fits");
        }
        take_out(&mut written, &mut found, &labels());
        assert!(found.agrees(&first));
        assert_eq!(foreign(&written), ["theirs"]);
        assert_eq!(listed(&written), ["./", "a/", "theirs"]);
        assert_eq!(found.highest_uid, 99);
    }
}
