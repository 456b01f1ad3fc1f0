//! The extents of a volume: which there are, under which names, and every change to them. The same changes are made when
//! they become durable and when they are read from the log of a volume that is mounted. Pure.

use super::tag::{self, Deletion, Isolation, KEPT, Record};
use crate::ldm::fs::IndexEntry;
use crate::ldm::fs::ltfs::index::{Entry, File};
use crate::ldm::fs::ltfs::volume::Labels;
use crate::ldm::fs::name::{Names, Owner, of_address};
use dss::model::ExtentId;
use std::collections::HashMap;

/// The extents of one generation of one volume, and its names.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    /// Files of extents, as the index has them.
    pub(super) files: Vec<Entry>,
    /// Files of isolated bytes.
    pub(super) isolated: Vec<Entry>,
    places: HashMap<ExtentId, usize>,
    pub(super) names: Names,
}

/// The name in an address that stood in a line.
fn bare(address: &dss::model::Address) -> &str {
    of_address(address).unwrap_or_default()
}

impl Shelf {
    /// Sorts the files of the extents' directory: those that are extents, and strangers, which are answered; and what of
    /// it cannot be, if anything.
    pub(super) fn of(files: Vec<Entry>, labels: &Labels) -> (Self, Vec<Entry>, Option<String>) {
        let (mut shelf, mut strangers, mut fault) = (Self::default(), Vec::new(), None);
        for file in files {
            match tag::entry(&file, labels) {
                Some(entry) => fault = fault.or(shelf.place(&entry, file).err()),
                None => strangers.push(file),
            }
        }
        for stranger in &strangers {
            shelf.names.spend(name_of(stranger));
        }
        (shelf, strangers, fault)
    }

    fn place(&mut self, entry: &IndexEntry, file: Entry) -> Result<(), String> {
        let extent = entry.tag.extent;
        let name = bare(&entry.address);
        match self.names.owner(name) {
            Owner::Free => {}
            // Reserved for it, and written since.
            Owner::Extent(owner) if owner == extent => {}
            Owner::Spent | Owner::Extent(_) => return Err(format!("the name of {} is not its own", entry.address)),
        }
        if self.places.insert(extent, self.files.len()).is_some() {
            return Err(format!("extent {extent} is named twice"));
        }
        self.names.claim(name, extent);
        self.files.push(file);
        Ok(())
    }

    /// Makes one change. What cannot be is told, and nothing more is to be made of these changes.
    pub(super) fn apply(&mut self, change: &Record, labels: &Labels) -> Result<(), String> {
        match change {
            Record::Extent(entry) => {
                let file = tag::file(entry, labels)
                    .ok_or_else(|| format!("what is said of {} does not fit this volume", entry.address))?;
                self.place(entry, Entry::File(file))
            }
            Record::Deleted(Deletion { extent, address }) => {
                self.take(*extent);
                self.names.spend(bare(address));
                Ok(())
            }
            Record::Isolated(isolation) => self.isolate(isolation),
            Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => {
                Err("a line that is no change stands among changes".to_owned())
            }
        }
    }

    fn isolate(&mut self, isolation: &Isolation) -> Result<(), String> {
        let Some(Entry::File(mut file)) = self.take(isolation.extent) else {
            return Err(format!("extent {} was isolated and is not there", isolation.extent));
        };
        isolation.kept.clone_into(&mut file.meta.name);
        tag::set(&mut file.meta, KEPT, &Record::Isolated(isolation.clone()).to_line());
        self.names.spend(bare(&isolation.address));
        self.isolated.push(Entry::File(file));
        Ok(())
    }

    fn take(&mut self, extent: ExtentId) -> Option<Entry> {
        let place = self.places.remove(&extent)?;
        let file = self.files.swap_remove(place);
        if let Some(Entry::File(moved)) = self.files.get(place)
            && let Some(Record::Extent(entry)) = tag::read(&moved.meta, tag::EXTENT)
        {
            self.places.insert(entry.tag.extent, place);
        }
        Some(file)
    }

    pub(super) fn get(&self, extent: ExtentId) -> Option<&File> {
        match &self.files[*self.places.get(&extent)?] {
            Entry::File(file) => Some(file),
            Entry::Directory(_) => None,
        }
    }

    /// What the index says of an extent.
    pub(super) fn entry(&self, extent: ExtentId, labels: &Labels) -> Option<IndexEntry> {
        tag::entry(&self.files[*self.places.get(&extent)?], labels)
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether no extent was ever named in this generation, also none that was taken away since.
    pub(super) fn is_unused(&self) -> bool {
        self.files.is_empty() && self.isolated.is_empty() && self.names.spent().is_empty()
    }

    /// Whether another shelf holds the same extents in the same files, whatever their order and numbers.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let same = |extent: &ExtentId| match (self.get(*extent), other.get(*extent)) {
            (Some(mine), Some(theirs)) => {
                mine.extents == theirs.extents
                    && tag::value(&mine.meta, tag::EXTENT) == tag::value(&theirs.meta, tag::EXTENT)
            }
            _ => false,
        };
        self.len() == other.len() && self.isolated.len() == other.isolated.len() && self.places.keys().all(same)
    }
}

/// The name of a file or directory.
pub(super) fn name_of(entry: &Entry) -> &str {
    match entry {
        Entry::Directory(directory) => &directory.meta.name,
        Entry::File(file) => &file.meta.name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tag::tests::{entry, labels};
    use super::*;
    use dss::model::Address;

    fn added(shelf: &mut Shelf, name: &str, block: u64) -> IndexEntry {
        let entry = entry(name, block);
        shelf
            .apply(&Record::Extent(Box::new(entry.clone())), &labels())
            .expect("it fits");
        entry
    }

    fn deleted(entry: &IndexEntry) -> Record {
        Record::Deleted(Deletion {
            extent: entry.tag.extent,
            address: entry.address.clone(),
        })
    }

    #[test]
    fn what_is_left_is_found_after_a_removal_anywhere() {
        for gone in 0..4 {
            let mut shelf = Shelf::default();
            let entries: Vec<_> = (0..4).map(|at| added(&mut shelf, &format!("o{at}"), 10 + at)).collect();
            shelf.apply(&deleted(&entries[gone]), &labels()).expect("it is there");
            for (at, entry) in entries.iter().enumerate() {
                let found = shelf.entry(entry.tag.extent, &labels());
                assert_eq!(found.as_ref(), (at != gone).then_some(entry), "{at} without {gone}");
            }
            assert_eq!(shelf.names.owner(&format!("o{gone}")), Owner::Spent);
        }
    }

    #[test]
    fn a_name_and_an_extent_are_there_once() {
        let mut shelf = Shelf::default();
        let one = added(&mut shelf, "one", 10);
        let mut other = entry("one", 11);
        let squats = Record::Extent(Box::new(other.clone()));
        assert!(shelf.clone().apply(&squats, &labels()).is_err());
        other.tag.extent = one.tag.extent;
        other.address = Address("objects/two".to_owned());
        assert!(
            shelf
                .clone()
                .apply(&Record::Extent(Box::new(other)), &labels())
                .is_err()
        );
        shelf.apply(&deleted(&one), &labels()).expect("it is there");
        let again = Record::Extent(Box::new(entry("one", 12)));
        assert!(shelf.apply(&again, &labels()).is_err(), "a name is not given twice");
    }

    #[test]
    fn isolated_bytes_keep_their_place_and_lose_their_name() {
        let mut shelf = Shelf::default();
        let bad = added(&mut shelf, "bad", 10);
        let isolation = Record::Isolated(Isolation {
            extent: bad.tag.extent,
            address: bad.address.clone(),
            kept: "kept".to_owned(),
            reason: "it does not digest".to_owned(),
        });
        shelf.apply(&isolation, &labels()).expect("it is there");
        assert!(shelf.get(bad.tag.extent).is_none() && shelf.len() == 0);
        let Entry::File(file) = &shelf.isolated[0] else {
            panic!("a file")
        };
        assert_eq!((file.meta.name.as_str(), file.extents[0].block), ("kept", 10));
        assert_eq!(tag::read(&file.meta, KEPT), Some(isolation.clone()));
        assert!(shelf.apply(&isolation, &labels()).is_err());
    }

    #[test]
    fn shelves_agree_whatever_their_order() {
        let (mut one, mut two) = (Shelf::default(), Shelf::default());
        let entries = [entry("a", 10), entry("b", 11)];
        for (first, second) in [(0, 1), (1, 0)] {
            one.apply(&Record::Extent(Box::new(entries[first].clone())), &labels())
                .expect("it fits");
            two.apply(&Record::Extent(Box::new(entries[second].clone())), &labels())
                .expect("it fits");
        }
        assert!(one.agrees(&two));
        two.apply(&deleted(&entries[0]), &labels()).expect("it is there");
        assert!(!one.agrees(&two) && !two.agrees(&one));
        let elsewhere = IndexEntry {
            span: entry("a", 17).span,
            ..entries[0].clone()
        };
        let (mut three, mut four) = (Shelf::default(), Shelf::default());
        three
            .apply(&Record::Extent(Box::new(elsewhere)), &labels())
            .expect("it fits");
        four.apply(&Record::Extent(Box::new(entries[0].clone())), &labels())
            .expect("it fits");
        assert!(!three.agrees(&four));
    }
}
