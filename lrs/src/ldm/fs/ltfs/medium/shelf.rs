//! The extents of a volume: which there are, at which paths, and every change to them. The same changes are made when they
//! become durable and when they are read from the notes of a volume that is mounted. Of each extent there is its line, and
//! nothing that was made of it: a tape holds millions. Pure.

use super::packed::Packed;
use super::paths::{self, Paths, Shape};
use super::tag::{self, Deletion, Isolation, Record, Spent};
use super::{entry, isolation};
use crate::ldm::fs::IndexEntry;
use crate::ldm::fs::ltfs::index::{Entry, File};
use crate::ldm::fs::ltfs::volume::Labels;
use crate::ldm::fs::name::Owner;
use dss::model::{Address, ExtentId};
use std::collections::BTreeMap;

/// An extent.
#[derive(Clone, Debug)]
struct Item {
    note: Packed,
    /// The uid of its entry, which it keeps as long as it is there.
    uid: u64,
}

/// Bytes that were put out of the way.
#[derive(Clone, Debug)]
struct Kept {
    item: Item,
    isolation: Isolation,
}

/// The extents of one generation of one volume, and its paths.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    items: BTreeMap<ExtentId, Item>,
    isolated: Vec<Kept>,
    pub(super) paths: Paths,
    /// At least every uid that was ever used.
    pub(super) highest_uid: u64,
    /// Directories that lost their attributes since the last index.
    bared: Vec<String>,
}

/// What an index is made of.
pub(super) enum Laid {
    /// An extent's entry, at its path.
    Extent(Address, Entry),
    /// Bytes out of the way.
    Isolated(File),
}

/// The path in an address that stood in a line.
fn path(address: &Address) -> &str {
    paths::of_address(address).unwrap_or_default()
}

impl Item {
    fn note(&self) -> IndexEntry {
        match Record::from_line(&self.note.line()) {
            Some(Record::Extent(note)) => *note,
            _ => unreachable!("only the lines of extents are on the shelf"),
        }
    }
}

impl Shelf {
    fn place(&mut self, note: &IndexEntry, line: &[u8], uid: u64) -> Result<u64, String> {
        let (extent, shape) = (note.tag.extent, Shape::of(&note.tag));
        let path = path(&note.address);
        match self.paths.owner(path) {
            Owner::Free if self.paths.is_free(path, shape) => {}
            // Reserved for it, and written since.
            Owner::Extent(owner) if owner == extent => {}
            Owner::Free | Owner::Spent | Owner::Extent(_) => {
                return Err(format!("the path of {} is not its own", note.address));
            }
        }
        // The first of them stays where it is: a damaged volume is still read by what is known of it.
        if self.items.contains_key(&extent) {
            return Err(format!("extent {extent} is named twice"));
        }
        let item = Item {
            note: Packed::of(line),
            uid,
        };
        self.items.insert(extent, item);
        Ok(self.paths.claim(path, extent, shape))
    }

    /// Makes one change, of which this is the line. Answers how many directories it needs that were not there. What cannot
    /// be is told, and nothing more is to be made of these changes.
    pub(super) fn apply(&mut self, change: &Record, line: &[u8], labels: &Labels) -> Result<u64, String> {
        // Beyond the highest number there is nothing: the next index would say so, and is not written.
        self.highest_uid = self.highest_uid.saturating_add(1);
        self.change(change, line, self.highest_uid, labels)
    }

    /// The same with a change that an index shows already, whose entry has its uid there.
    pub(super) fn recall(&mut self, change: &Record, line: &[u8], labels: &Labels) -> Result<u64, String> {
        self.change(change, line, 0, labels)
    }

    fn change(&mut self, change: &Record, line: &[u8], uid: u64, labels: &Labels) -> Result<u64, String> {
        match change {
            Record::Extent(note) => {
                entry::of(note, labels).map_err(|why| format!("what is said of {}: {why}", note.address))?;
                self.place(note, line, uid)
            }
            Record::Deleted(Deletion { extent, address }) => {
                let item = self.items.remove(extent);
                self.leave(address, item.as_ref());
                Ok(0)
            }
            Record::Isolated(isolation) => self.isolate(isolation, labels).map(|()| 0),
            Record::Spent(spent) => self.spend(spent).map(|()| 0),
            Record::Label(_) | Record::Stamped(_) | Record::Seal(_) => {
                Err("a line that is no change stands among changes".to_owned())
            }
        }
    }

    /// What lay at a path is not there any more. A directory may stay, for what lies in it.
    fn leave(&mut self, address: &Address, item: Option<&Item>) {
        self.paths.spend(path(address));
        if item.is_some_and(|item| Shape::of(&item.note().tag) == Shape::Directory) {
            self.bared.push(path(address).to_owned());
        }
    }

    fn isolate(&mut self, isolation: &Isolation, labels: &Labels) -> Result<(), String> {
        let Some(item) = self.items.get(&isolation.extent) else {
            return Err(format!("extent {} was isolated and is not there", isolation.extent));
        };
        if isolation::file(&item.note(), &isolation.kept, labels).is_none() || self.keeps(&isolation.kept) {
            let (extent, kept) = (isolation.extent, &isolation.kept);
            return Err(format!("the bytes of extent {extent} cannot be kept as {kept:?}"));
        }
        let item = self.items.remove(&isolation.extent).expect("it was there just now");
        self.leave(&isolation.address, Some(&item));
        let isolation = isolation.clone();
        self.isolated.push(Kept { item, isolation });
        Ok(())
    }

    fn spend(&mut self, spent: &Spent) -> Result<(), String> {
        let keys = spent.keys().ok_or("a line of names is none")?;
        keys.into_iter().for_each(|key| self.paths.spend_key(key));
        Ok(())
    }

    /// Whether there is such an extent.
    pub(super) fn holds(&self, extent: ExtentId) -> bool {
        self.items.contains_key(&extent)
    }

    /// Whether an extent's bytes were put out of the way under this name.
    pub(super) fn keeps(&self, name: &str) -> bool {
        self.isolated.iter().any(|kept| kept.isolation.kept == name)
    }

    /// What is known of an extent.
    pub(super) fn entry(&self, extent: ExtentId) -> Option<IndexEntry> {
        self.items.get(&extent).map(Item::note)
    }

    /// The lines of all extents, in the order of their ids.
    pub(super) fn lines(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.items.values().map(|item| item.note.line())
    }

    /// The same for whoever goes on without the shelf.
    pub(super) fn notes(&self) -> impl Iterator<Item = IndexEntry> + Send + use<> {
        let items: Vec<Packed> = self.items.values().map(|item| item.note.clone()).collect();
        items.into_iter().map(|note| Item { note, uid: 0 }.note())
    }

    /// The lines of what was isolated, each behind that of its extent. They come before those of extents: a path that one
    /// of them gave up may be a directory since.
    pub(super) fn isolated_lines(&self) -> impl Iterator<Item = Vec<u8>> + '_ {
        self.isolated.iter().flat_map(|kept| {
            let isolated = Record::Isolated(kept.isolation.clone()).to_line();
            [kept.item.note.line(), isolated]
        })
    }

    /// Whether no extent was ever named in this generation, also none that was taken away since.
    pub(super) fn is_unused(&self) -> bool {
        self.items.is_empty() && self.isolated.is_empty() && self.paths.spent().is_empty()
    }

    /// Whether another shelf holds the same extents in the same places.
    pub(super) fn agrees(&self, other: &Self) -> bool {
        let same = |(extent, item): (&ExtentId, &Item)| {
            let theirs = other.items.get(extent);
            theirs.is_some_and(|theirs| theirs.note == item.note)
        };
        let kept =
            |shelf: &Self| -> Vec<Isolation> { shelf.isolated.iter().map(|kept| kept.isolation.clone()).collect() };
        self.items.len() == other.items.len() && kept(self) == kept(other) && self.items.iter().all(same)
    }

    /// Says that a file lies at a path of the tree. Whether it is that of an extent, or of bytes that were isolated: any
    /// other one is a stranger.
    pub(super) fn meets(&mut self, at: &str, file: &File, labels: &Labels) -> bool {
        let uid = file.meta.uid;
        self.highest_uid = self.highest_uid.max(uid);
        let item = match (self.paths.owner(at), paths::parent(at)) {
            (Owner::Extent(extent), _) => self.items.get_mut(&extent),
            (Owner::Free | Owner::Spent, Some(paths::ISOLATED)) => {
                let kept = self
                    .isolated
                    .iter_mut()
                    .find(|kept| kept.isolation.kept == file.meta.name);
                return kept.is_some_and(|kept| {
                    let as_kept = isolation::file(&kept.item.note(), &kept.isolation.kept, labels);
                    let is_it =
                        as_kept.is_some_and(|known| (known.length, &known.extents) == (file.length, &file.extents));
                    kept.item.uid = if is_it { uid } else { 0 };
                    is_it
                });
            }
            (Owner::Free | Owner::Spent, _) => None,
        };
        let item = item.filter(|item| entry::is_file(&item.note(), file, labels));
        match item {
            Some(item) => {
                item.uid = uid;
                true
            }
            None => {
                self.paths.add_stranger(at);
                false
            }
        }
    }

    /// Says that a directory lies at a path of the tree.
    pub(super) fn meets_directory(&mut self, at: &str, uid: u64) {
        self.highest_uid = self.highest_uid.max(uid);
        self.paths.add_directory(at);
        if let Owner::Extent(extent) = self.paths.owner(at)
            && let Some(item) = self.items.get_mut(&extent)
            && Shape::of(&item.note().tag) == Shape::Directory
        {
            item.uid = uid;
        }
    }

    /// The whole tree was met: an extent that was not is none.
    pub(super) fn drop_unmet(&mut self) {
        let unmet = self.items.extract_if(.., |_, item| item.uid == 0);
        let gone: Vec<IndexEntry> = unmet.map(|(_, item)| item.note()).collect();
        gone.iter().for_each(|note| self.paths.lose(path(&note.address)));
        self.isolated.retain(|kept| kept.item.uid != 0);
        self.bared.clear();
    }

    /// What an index is to name.
    pub(super) fn laid(&self, labels: &Labels) -> impl Iterator<Item = Laid> {
        let fits = "only what fits is on the shelf";
        let extents = self.items.values().map(move |item| {
            let note = item.note();
            let mut entry = entry::of(&note, labels).expect(fits);
            if let Entry::File(file) = &mut entry {
                file.meta.uid = item.uid;
            }
            Laid::Extent(note.address, entry)
        });
        let isolated = self.isolated.iter().map(move |kept| {
            let mut file = isolation::file(&kept.item.note(), &kept.isolation.kept, labels).expect(fits);
            file.meta.uid = kept.item.uid;
            Laid::Isolated(file)
        });
        isolated.chain(extents)
    }

    /// Directories that lost their attributes since the last index.
    pub(super) fn bared(&self) -> &[String] {
        &self.bared
    }

    /// An index says all of it now.
    pub(super) fn is_indexed(&mut self, highest_uid: u64) {
        self.bared.clear();
        self.highest_uid = highest_uid;
    }
}

/// The bytes of an extent as a file of the volume.
pub(super) fn file(note: &IndexEntry, labels: &Labels) -> Option<File> {
    let (length, extents) = (note.tag.bytes.0, tag::placed(note, labels)?);
    Some(File {
        length,
        extents,
        ..File::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::tag::tests::{entry, imported, labels, noted};
    use super::*;
    use dss::model::LtfsKind;

    fn apply(shelf: &mut Shelf, change: &Record) -> Result<u64, String> {
        shelf.apply(change, &change.to_line(), &labels())
    }

    fn extent(note: &IndexEntry) -> Record {
        Record::Extent(Box::new(note.clone()))
    }

    fn added(shelf: &mut Shelf, name: &str, block: u64) -> IndexEntry {
        let note = entry(name, block);
        apply(shelf, &extent(&note)).expect("it fits");
        note
    }

    fn deleted(note: &IndexEntry) -> Record {
        Record::Deleted(Deletion {
            extent: note.tag.extent,
            address: note.address.clone(),
        })
    }

    #[test]
    fn what_is_left_is_found_after_a_removal_anywhere() {
        for gone in 0..4 {
            let mut shelf = Shelf::default();
            let notes: Vec<_> = (0..4).map(|at| added(&mut shelf, &format!("o{at}"), 10 + at)).collect();
            apply(&mut shelf, &deleted(&notes[gone])).expect("it is there");
            for (at, note) in notes.iter().enumerate() {
                let found = shelf.entry(note.tag.extent);
                assert_eq!(found.as_ref(), (at != gone).then_some(note), "{at} without {gone}");
            }
            assert_eq!(shelf.paths.owner(&format!("o{gone}")), Owner::Spent);
        }
    }

    #[test]
    fn a_path_and_an_extent_are_there_once() {
        let mut shelf = Shelf::default();
        let one = added(&mut shelf, "one", 10);
        let mut other = entry("one", 11);
        assert!(apply(&mut shelf.clone(), &extent(&other)).is_err());
        other.tag.extent = one.tag.extent;
        other.address = Address("two".to_owned());
        assert!(apply(&mut shelf.clone(), &extent(&other)).is_err());
        apply(&mut shelf, &deleted(&one)).expect("it is there");
        let again = extent(&entry("one", 12));
        assert!(apply(&mut shelf, &again).is_err(), "a path is not given twice");
        // Nor does anything come into a file, or a file where a directory is.
        added(&mut shelf, "d/e", 13);
        assert!(apply(&mut shelf, &extent(&entry("d/e/f", 14))).is_err());
        assert!(apply(&mut shelf, &extent(&entry("d", 15))).is_err());
        assert_eq!(apply(&mut shelf, &extent(&entry("d/x/y/z", 16))), Ok(2));
    }

    #[test]
    fn an_extent_that_is_named_twice_is_told_and_found_where_it_was_first() {
        let mut shelf = Shelf::default();
        let first = added(&mut shelf, "o0", 10);
        let mut second = entry("o1", 11);
        second.tag.extent = first.tag.extent;
        let told = apply(&mut shelf, &Record::Extent(Box::new(second)));
        assert!(told.is_err_and(|words| words.contains("named twice")));
        let kept = shelf.items.get(&first.tag.extent).expect("the first");
        assert_eq!(kept.note().address, first.address);
    }

    #[test]
    fn isolated_bytes_keep_their_place_and_lose_their_path() {
        let mut shelf = Shelf::default();
        let bad = added(&mut shelf, "bad", 10);
        let isolation = Record::Isolated(Isolation {
            extent: bad.tag.extent,
            address: bad.address.clone(),
            kept: "kept".to_owned(),
            reason: "it does not digest".to_owned(),
        });
        apply(&mut shelf, &isolation).expect("it is there");
        assert!(!shelf.holds(bad.tag.extent) && shelf.keeps("kept"));
        let Some(Laid::Isolated(file)) = shelf.laid(&labels()).next() else {
            panic!("a file")
        };
        assert_eq!((file.meta.name.as_str(), file.extents[0].block), ("kept", 10));
        assert!(apply(&mut shelf, &isolation).is_err());
        // Its path may be a directory by now: what a snapshot says in this order can be said again.
        added(&mut shelf, "bad/inside", 11);
        let mut again = Shelf::default();
        for line in shelf.isolated_lines().chain(shelf.lines()) {
            let record = Record::from_line(&line).expect("a line");
            again.recall(&record, &line, &labels()).expect("it fits");
        }
        assert!(shelf.agrees(&again));
    }

    #[test]
    fn shelves_agree_whatever_their_order() {
        let (mut one, mut two) = (Shelf::default(), Shelf::default());
        let notes = [entry("a", 10), entry("b", 11)];
        for (first, second) in [(0, 1), (1, 0)] {
            apply(&mut one, &extent(&notes[first])).expect("it fits");
            apply(&mut two, &extent(&notes[second])).expect("it fits");
        }
        assert!(one.agrees(&two));
        apply(&mut two, &deleted(&notes[0])).expect("it is there");
        assert!(!one.agrees(&two) && !two.agrees(&one));
        let elsewhere = IndexEntry {
            span: entry("a", 17).span,
            ..notes[0].clone()
        };
        let (mut three, mut four) = (Shelf::default(), Shelf::default());
        apply(&mut three, &extent(&elsewhere)).expect("it fits");
        apply(&mut four, &extent(&notes[0])).expect("it fits");
        assert!(!three.agrees(&four));
    }

    #[test]
    fn only_what_note_and_tree_say_alike_is_an_extent() {
        let mut shelf = Shelf::default();
        let notes = [entry("same", 10), entry("moved", 11), entry("missing", 12)];
        let directory = noted(imported("d", LtfsKind::Directory), 0);
        for note in notes.iter().chain([&directory]) {
            let change = extent(note);
            shelf.recall(&change, &change.to_line(), &labels()).expect("it fits");
        }
        let found = |note: &IndexEntry, uid: u64| {
            let mut file = file(note, &labels()).expect("it fits");
            file.meta.uid = uid;
            file
        };
        assert!(shelf.meets("same", &found(&notes[0], 5), &labels()));
        let mut moved = found(&notes[1], 6);
        moved.extents[0].block += 1;
        assert!(!shelf.meets("moved", &moved, &labels()));
        assert!(!shelf.meets("theirs", &found(&notes[2], 70), &labels()));
        shelf.meets_directory("d", 8);
        shelf.drop_unmet();
        let left = |note: &IndexEntry| shelf.holds(note.tag.extent);
        assert_eq!(notes.each_ref().map(left), [true, false, false]);
        assert!(left(&directory));
        assert_eq!((shelf.highest_uid, shelf.paths.owner("missing")), (70, Owner::Free));
        assert!(!shelf.paths.is_free("missing", Shape::Leaf));
    }
}
