//! What extents are called in a tape's tree: by the path of their object, where that can be, and otherwise by a name that
//! says for whom they were written. A path is given once in a generation. Pure.

use crate::ldm::fs::ExtentTag;
use crate::ldm::fs::ltfs::name as rules;
use crate::ldm::fs::name::{self, NameKey, Names, Owner, key};
use dss::model::{Address, ExtentId, LtfsKind};
use std::collections::HashSet;

/// The root's address; no entry can have it as its name.
pub(super) const ROOT: &str = ".";

/// The directory at the top that is respool's own, and that of isolated bytes in it.
pub(super) const HOME: &str = ".respool";
pub(super) const ISOLATED: &str = ".respool/isolated";

/// Names in a path: an index takes no more directories inside each other, with room for what lies in the last one.
const PARTS_MAX: usize = 500;

/// A control character that the reference takes in no name.
const REFUSED: char = '\u{1f}';

/// So many attempts at an extent are told apart.
const MOST_ATTEMPTS: u32 = 100_000;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// A file, or a link: nothing can lie in it.
    Leaf,
    /// A directory.
    Directory,
}

impl Shape {
    /// Of an extent's entry.
    pub(super) fn of(tag: &ExtentTag) -> Self {
        match tag.header.metadata.ltfs.as_ref().map(|ltfs| &ltfs.kind) {
            Some(LtfsKind::Directory) => Self::Directory,
            Some(LtfsKind::File | LtfsKind::Symlink { .. }) | None => Self::Leaf,
        }
    }
}

/// Whether something in a directory can be called so.
pub(super) fn is_name(name: &str) -> bool {
    rules::check(name).is_ok() && !name.contains(REFUSED)
}

/// Whether an index can have something at this path, beside what is respool's own.
fn is_legal(path: &str) -> bool {
    let mut parts = path.split('/');
    path == ROOT || parts.clone().next() != Some(HOME) && parts.clone().count() <= PARTS_MAX && parts.all(is_name)
}

/// The path in an address; None: it could mean anything but an entry of the tree.
pub(super) fn of_address(address: &Address) -> Option<&str> {
    Some(address.0.as_str()).filter(|path| is_legal(path))
}

/// The directories above a path, from the nearest one on, without the root.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(parent(path), |inner| parent(inner))
}

/// The directory that a path lies in, unless that is the root.
pub(super) fn parent(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(directory, _)| directory)
}

/// The last name in a path.
pub(super) fn last(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// The path that an object would have on a tape of its own.
fn preferred(tag: &ExtentTag) -> &str {
    match &tag.header.metadata.ltfs {
        Some(ltfs) if ltfs.path.is_empty() => ROOT,
        Some(ltfs) => &ltfs.path,
        None => tag.origin.oid.as_str(),
    }
}

/// The names of one generation of one tape.
#[derive(Clone, Debug, Default)]
pub(super) struct Paths {
    names: Names,
    directories: HashSet<NameKey>,
    strangers: HashSet<NameKey>,
    /// Of extents that should be there, and are not.
    lost: HashSet<NameKey>,
}

impl Paths {
    /// Who has a path.
    pub(super) fn owner(&self, path: &str) -> Owner {
        self.names.owner(path)
    }

    /// Whether something of this shape can come to a path where nothing ever was.
    pub(super) fn is_free(&self, path: &str, shape: Shape) -> bool {
        let fits = match shape {
            Shape::Leaf => path != ROOT && !self.directories.contains(&key(path)),
            Shape::Directory => true,
        };
        fits && self.owner(path) == Owner::Free
            && !self.strangers.contains(&key(path))
            && !self.lost.contains(&key(path))
            && above(path).all(|directory| self.may_hold(directory))
    }

    /// Whether a path is a directory, or can become one.
    fn may_hold(&self, path: &str) -> bool {
        let key = key(path);
        self.directories.contains(&key)
            || !self.strangers.contains(&key) && !matches!(self.owner(path), Owner::Extent(_))
    }

    /// A path for an extent; None: there are too many attempts at it here.
    pub(super) fn choose(&self, tag: &ExtentTag) -> Option<String> {
        let (own, shape) = (preferred(tag), Shape::of(tag));
        let is_whole = tag.header.copy_extents == 1;
        let first = is_whole.then(|| own.to_owned());
        let origin = &tag.origin;
        let beside = (own != ROOT).then(|| format!("{own}@{}.{}.{}", origin.version, origin.copy, origin.index));
        let stems = beside.into_iter().chain([name::base(origin)]);
        let stems = stems.filter(|stem| is_legal(stem) && above(stem).all(|directory| self.may_hold(directory)));
        let further = stems.flat_map(|stem| (1..=MOST_ATTEMPTS).map(move |number| name::attempt(&stem, number)));
        let mut paths = first.into_iter().chain(further);
        paths.find(|path| is_legal(path) && self.is_free(path, shape))
    }

    /// The path is this extent's, and nobody else's in this generation. Answers how many directories it made.
    pub(super) fn claim(&mut self, path: &str, extent: ExtentId, shape: Shape) -> u64 {
        self.names.claim(path, extent);
        let own = match shape {
            Shape::Directory => Some(path),
            Shape::Leaf => None,
        };
        let all = own.into_iter().chain(above(path));
        all.map(|directory| u64::from(self.directories.insert(key(directory))))
            .sum()
    }

    /// The path is nobody's, and nothing ever was there. The directories above it were counted for it and stay so.
    pub(super) fn free(&mut self, path: &str) {
        self.names.forget(path);
    }

    /// The path is nobody's and is not given out again.
    pub(super) fn spend(&mut self, path: &str) {
        self.names.spend(path);
    }

    /// The same by its key.
    pub(super) fn spend_key(&mut self, key: NameKey) {
        self.names.spend_key(key);
    }

    /// The keys of all paths that are not given out again although nothing is there, in order.
    pub(super) fn spent(&self) -> Vec<NameKey> {
        let mut keys = self.names.spent();
        keys.extend(&self.lost);
        keys.sort_unstable();
        keys
    }

    /// What should be there is not: whoever knows where its bytes lie may still read them.
    pub(super) fn lose(&mut self, path: &str) {
        self.names.forget(path);
        self.lost.insert(key(path));
    }

    /// Whether a path is a directory, or is to become one.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        self.directories.contains(&key(path))
    }

    /// How many of them there are.
    pub(super) fn directories(&self) -> u64 {
        self.directories.len() as u64
    }

    /// There is a directory.
    pub(super) fn add_directory(&mut self, path: &str) {
        self.directories.insert(key(path));
    }

    /// There is a file of somebody else's.
    pub(super) fn add_stranger(&mut self, path: &str) {
        self.strangers.insert(key(path));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::tests::{entry, imported};
    use super::*;

    fn tag(oid: &str) -> ExtentTag {
        entry(oid, 10).tag
    }

    fn claimed(paths: &mut Paths, tag: &ExtentTag) -> String {
        let path = paths.choose(tag).expect("there is one");
        assert!(is_legal(&path), "{path}");
        paths.claim(&path, tag.extent, Shape::of(tag));
        path
    }

    #[test]
    fn an_object_has_its_own_path_where_that_can_be() {
        let mut paths = Paths::default();
        assert_eq!(claimed(&mut paths, &tag("reports/2019 é.tar")), "reports/2019 é.tar");
        assert_eq!(claimed(&mut paths, &imported("é/b: %", LtfsKind::File)), "é/b: %");
        let mut part = tag("large");
        part.header.copy_extents = 2;
        assert_eq!(claimed(&mut paths, &part), "large@1.0.0");
        // What no tree has: respool's own, not in the normal form, a name that is too long, too many in each other.
        for (oid, path) in [
            (".respool/label", "%2Erespool%2Flabel@1.0.0"),
            ("cafe\u{301}", "cafe%CC%81@1.0.0"),
            ("a\u{1f}", "a%1F@1.0.0"),
        ] {
            assert_eq!(claimed(&mut paths, &tag(oid)), path);
        }
        assert!(claimed(&mut paths, &tag(&"x".repeat(256))).starts_with("xxx"));
        let deep = "d/".repeat(505) + "f";
        assert!(!claimed(&mut paths, &tag(&deep)).contains('/'));
    }

    #[test]
    fn a_path_that_is_taken_gives_way_beside_it() {
        let mut paths = Paths::default();
        assert_eq!(claimed(&mut paths, &tag("a/b")), "a/b");
        assert_eq!(claimed(&mut paths, &tag("a/b")), "a/b@1.0.0");
        assert_eq!(claimed(&mut paths, &tag("a/b")), "a/b@1.0.0+2");
        // A file where a directory is, and a file in a file.
        assert_eq!(claimed(&mut paths, &tag("a")), "a@1.0.0");
        assert_eq!(claimed(&mut paths, &tag("a/b/c")), "a%2Fb%2Fc@1.0.0");
        assert_eq!(claimed(&mut paths, &tag("a/b/c")), "a%2Fb%2Fc@1.0.0+2");
        // The attributes of a directory come to the one that is there, once.
        assert_eq!(claimed(&mut paths, &imported("a", LtfsKind::Directory)), "a");
        assert_eq!(claimed(&mut paths, &imported("a", LtfsKind::Directory)), "a@1.0.0+2");
        assert_eq!(
            claimed(&mut paths, &imported("a/b", LtfsKind::Directory)),
            "a/b@1.0.0+3"
        );
        // The root as well.
        assert_eq!(claimed(&mut paths, &imported("", LtfsKind::Directory)), ROOT);
        assert_ne!(claimed(&mut paths, &imported("", LtfsKind::Directory)), ROOT);
        assert_ne!(Paths::default().choose(&imported("", LtfsKind::File)).unwrap(), ROOT);
    }

    #[test]
    fn a_path_is_given_once_and_a_spent_file_may_become_a_directory() {
        let mut paths = Paths::default();
        claimed(&mut paths, &tag("a"));
        paths.spend("a");
        assert_eq!(claimed(&mut paths, &tag("a")), "a@1.0.0");
        assert_eq!(claimed(&mut paths, &tag("a/b")), "a/b");
        paths.add_stranger("s");
        assert_eq!(claimed(&mut paths, &tag("s")), "s@1.0.0");
        assert_eq!(claimed(&mut paths, &tag("s/t")), "s%2Ft@1.0.0");
        paths.lose("l");
        assert_eq!(
            (paths.owner("l"), claimed(&mut paths, &tag("l"))),
            (Owner::Free, "l@1.0.0".to_owned())
        );
        assert!(paths.spent().contains(&key("l")));
        paths.add_directory("d");
        assert_eq!(claimed(&mut paths, &tag("d")), "d@1.0.0");
    }

    /// A generation in which every name was given tells so, and gives none twice.
    #[test]
    fn there_is_no_path_when_every_attempt_was_made() {
        let (mut paths, tag) = (Paths::default(), tag("a"));
        assert_eq!(paths.choose(&tag).as_deref(), Some("a"));
        paths.spend("a");
        // Beside its own path, and in the root, which are the same for an object without a path above it.
        let attempts = (1..=MOST_ATTEMPTS).map(|number| name::attempt("a@1.0.0", number));
        attempts.for_each(|path| paths.spend(&path));
        assert_eq!(paths.choose(&tag), None);
    }

    #[test]
    fn an_address_is_one_entry_of_the_tree() {
        let of = |text: &str| of_address(&Address(text.to_owned())).map(str::to_owned);
        assert_eq!(of("a/b@1.0.0").as_deref(), Some("a/b@1.0.0"));
        assert_eq!(of(ROOT).as_deref(), Some(ROOT));
        for wrong in [
            "",
            "/a",
            "a/",
            "a/../b",
            "./a",
            "a\0",
            ".respool",
            ".respool/isolated/x",
        ] {
            assert_eq!(of(wrong), None, "{wrong:?}");
        }
    }
}
