//! Drives that media share. A dock holds one disk at a time, a library as many tapes as it has drives: what a round reads
//! and writes at once fits into them together (E-01, X-10).

use dss::model::{Location, MediumId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Where a medium is driven together with others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Berth {
    /// A dock: one disk at a time.
    Dock(String),
    /// A library: a tape in each of its drives.
    Library(String),
}

impl Berth {
    /// Of a medium; None: it has a drive of its own.
    pub fn of(location: &Location) -> Option<Self> {
        let dock = location.dock.clone().map(Self::Dock);
        dock.or_else(|| location.library.clone().map(Self::Library))
    }
}

impl fmt::Display for Berth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dock(name) => write!(f, "dock {name}"),
            Self::Library(name) => write!(f, "library {name}"),
        }
    }
}

/// How many media can be held at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Drives {
    /// In each library.
    pub of_libraries: BTreeMap<String, usize>,
}

impl Drives {
    /// In one place. Of a library whose drives are not known, one.
    pub fn of(&self, berth: &Berth) -> usize {
        match berth {
            Berth::Dock(_) => 1,
            Berth::Library(name) => self.of_libraries.get(name).copied().unwrap_or(1),
        }
    }
}

/// What a round holds, as it grows.
#[derive(Clone, Debug)]
pub struct Held<'a> {
    drives: &'a Drives,
    held: BTreeMap<&'a Berth, BTreeSet<MediumId>>,
}

/// A medium and where it is driven.
pub type Moored<'a> = (MediumId, Option<&'a Berth>);

impl<'a> Held<'a> {
    /// Nothing.
    pub fn new(drives: &'a Drives) -> Self {
        Self {
            drives,
            held: BTreeMap::new(),
        }
    }

    /// Whether these can be held beside all that is.
    pub fn has_room(&self, media: &[Moored<'a>]) -> bool {
        let mut more: BTreeMap<&Berth, BTreeSet<MediumId>> = BTreeMap::new();
        for (medium, berth) in media {
            let Some(berth) = *berth else { continue };
            let there = self.held.get(berth).is_some_and(|held| held.contains(medium));
            if !there {
                more.entry(berth).or_default().insert(*medium);
            }
        }
        let held = |berth: &Berth| self.held.get(berth).map_or(0, BTreeSet::len);
        more.iter()
            .all(|(berth, media)| held(berth) + media.len() <= self.drives.of(berth))
    }

    /// Holds a medium.
    pub fn take(&mut self, (medium, berth): Moored<'a>) {
        if let Some(berth) = berth {
            self.held.entry(berth).or_default().insert(medium);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e01_a_dock_holds_one_and_a_library_as_many_as_it_has_drives() {
        let drives = Drives {
            of_libraries: BTreeMap::from([("lib0".to_owned(), 2)]),
        };
        let (dock, library) = (Berth::Dock("lib0".into()), Berth::Library("lib0".into()));
        let [a, b, c] = [(); 3].map(|()| MediumId::fresh());
        let mut held = Held::new(&drives);
        assert!(held.has_room(&[(a, Some(&library)), (b, Some(&library)), (c, None)]));
        assert!(!held.has_room(&[(a, Some(&library)), (b, Some(&library)), (c, Some(&library))]));
        held.take((a, Some(&library)));
        held.take((a, Some(&dock)));
        assert!(
            held.has_room(&[(a, Some(&library)), (b, Some(&library))]),
            "it is held already"
        );
        assert!(!held.has_room(&[(b, Some(&library)), (c, Some(&library))]));
        assert!(held.has_room(&[(a, Some(&dock))]) && !held.has_room(&[(b, Some(&dock))]));
        assert!(held.has_room(&[(b, None), (c, None)]));
    }
}
