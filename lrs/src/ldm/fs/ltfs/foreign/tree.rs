//! A tree by its paths: names in normal form, and each directory in the order of its names. It is arranged where it lies,
//! as a volume has millions of files. Pure.

use crate::ldm::fs::ltfs::index::{Directory, Entry, Meta};
use crate::ldm::fs::ltfs::name::{self, NameFault};
use std::borrow::Cow;

/// What directories and files have in common.
pub(super) fn meta(entry: &Entry) -> &Meta {
    match entry {
        Entry::Directory(directory) => &directory.meta,
        Entry::File(file) => &file.meta,
    }
}

/// Arranges a tree. Names that are the same stand beside each other afterwards.
pub(super) fn arrange(root: &mut Directory) {
    let mut left = vec![root];
    while let Some(directory) = left.pop() {
        for entry in &mut directory.contents {
            let meta = match entry {
                Entry::Directory(directory) => &mut directory.meta,
                Entry::File(file) => &mut file.meta,
            };
            if let Cow::Owned(normal) = name::normal(&meta.name) {
                meta.name = normal;
            }
        }
        directory.contents.sort_by(|a, b| meta(a).name.cmp(&meta(b).name));
        left.extend(directory.contents.iter_mut().filter_map(|entry| match entry {
            Entry::Directory(directory) => Some(directory),
            Entry::File(_) => None,
        }));
    }
}

/// The path of the root.
pub(super) const ROOT: &str = ".";

/// Whether a directory has this path in an arranged tree, and nothing else has.
pub(super) fn is_directory(root: &Directory, path: &str) -> bool {
    let mut at = root;
    for part in path.split('/').filter(|_| path != ROOT) {
        match (fault(part, None, None), named(at, part)) {
            (None, [Entry::Directory(inner)]) => at = inner,
            (_, _) => return false,
        }
    }
    true
}

/// What has this path in an arranged tree: more than one only where the tree breaks its rules. What a path cannot be made
/// of leads nowhere, even where a tree has such a name.
pub(super) fn find<'t>(root: &'t Directory, path: &str) -> Vec<&'t Entry> {
    if path.split('/').any(|part| fault(part, None, None).is_some()) {
        return Vec::new();
    }
    let (way, last) = path
        .rsplit_once('/')
        .map_or((None, path), |(way, last)| (Some(way), last));
    let mut level = vec![root];
    for part in way.into_iter().flat_map(|way| way.split('/')) {
        level = level
            .into_iter()
            .flat_map(|directory| named(directory, part))
            .filter_map(|entry| match entry {
                Entry::Directory(directory) => Some(directory),
                Entry::File(_) => None,
            })
            .collect();
    }
    level.into_iter().flat_map(|directory| named(directory, last)).collect()
}

fn named<'d>(directory: &'d Directory, wanted: &str) -> &'d [Entry] {
    let all = &directory.contents;
    let begin = all.partition_point(|entry| meta(entry).name.as_str() < wanted);
    let count = all[begin..].partition_point(|entry| meta(entry).name == wanted);
    &all[begin..begin + count]
}

/// Why no path leads to an entry and to nothing else, by its name and those beside it; None: one does.
pub(super) fn fault(name: &str, before: Option<&str>, behind: Option<&str>) -> Option<String> {
    match name::check(name) {
        // A long name is one that some software does not take, and no reason not to read.
        Ok(()) | Err(NameFault::TooLong(_)) => {}
        Err(fault @ (NameFault::Empty | NameFault::Reserved | NameFault::Forbidden | NameFault::NotNormal)) => {
            return Some(format!("its name cannot be one: {fault}"));
        }
    }
    let twice = [before, behind].contains(&Some(name));
    twice.then(|| "its name occurs twice in its directory".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::fs::ltfs::index::File;

    fn file(name: &str, length: u64) -> Entry {
        Entry::File(File {
            meta: Meta {
                name: name.to_owned(),
                ..Meta::default()
            },
            length,
            ..File::default()
        })
    }

    fn directory(name: &str, contents: Vec<Entry>) -> Directory {
        Directory {
            meta: Meta {
                name: name.to_owned(),
                ..Meta::default()
            },
            contents,
        }
    }

    #[test]
    fn a_path_leads_to_all_files_that_have_it_and_to_no_others() {
        let inner = |name: &str, entries| Entry::Directory(directory(name, entries));
        let mut root = directory(
            "",
            vec![
                file("z", 1),
                inner("d", vec![file("b", 2), file("cafe\u{301}", 3), file("a", 4)]),
                file("d", 5),
                inner("d", vec![file("a", 6)]),
                file("d/a", 7),
                file("", 10),
                inner("..", vec![file("a", 11)]),
                file("z", 8),
                file("y", 9),
            ],
        );
        arrange(&mut root);
        let lengths = |path: &str| -> Vec<u64> {
            let length = |entry: &&Entry| match entry {
                Entry::File(file) => file.length,
                Entry::Directory(_) => 0,
            };
            let mut all: Vec<u64> = find(&root, path).iter().map(length).collect();
            all.sort_unstable();
            all
        };
        assert_eq!(lengths("y"), [9]);
        assert_eq!(lengths("z"), [1, 8]);
        assert_eq!(lengths("d"), [0, 0, 5]);
        assert_eq!(lengths("d/a"), [4, 6]);
        assert_eq!(lengths("d/b"), [2]);
        assert_eq!(lengths("d/caf\u{e9}"), [3]);
        for nowhere in ["", "/", "/y", "y/", "d/", "d/c", "z/a", "./y", "a", "../a"] {
            assert_eq!(lengths(nowhere), [0_u64; 0], "{nowhere}");
        }
    }

    #[test]
    fn x02_a_path_leads_to_a_directory_that_is_alone() {
        let inner = |name: &str, entries| Entry::Directory(directory(name, entries));
        let mut root = directory(
            "",
            vec![
                inner("d", vec![inner("e", vec![]), file("f", 1)]),
                inner("twice", vec![]),
                inner("twice", vec![]),
            ],
        );
        arrange(&mut root);
        for there in [ROOT, "d", "d/e"] {
            assert!(is_directory(&root, there), "{there}");
        }
        for nowhere in ["", "/", "d/f", "twice", "d/", "d/.", "./d", "..", "e"] {
            assert!(!is_directory(&root, nowhere), "{nowhere}");
        }
    }

    #[test]
    fn names_that_lead_nowhere_and_names_given_twice_are_told() {
        assert_eq!(fault("a", None, None), None);
        assert_eq!(fault("b", Some("a"), Some("c")), None);
        assert_eq!(fault(&"n".repeat(300), None, None), None);
        for (name, before, behind) in [
            ("a", Some("a"), None),
            ("a", None, Some("a")),
            ("", None, None),
            ("..", None, None),
            ("a/b", None, None),
            ("a\0", None, None),
        ] {
            assert!(fault(name, before, behind).is_some(), "{name:?}");
        }
    }
}
