//! A medium on a cartridge of the library, and what is known of it: what it must hold, and what it may.

use super::super::rig::{Line, Rig, TAPE, Tape, To};
use super::puts::{Put, entries, get, pattern, put, synced, tag};
use dss::model::{CatalogueId, Digests, ExtentId, Generation, MediumId, Revision, Span};
use lrs::ldm::MediaResult;
use lrs::ldm::fs::ltfs::medium::{Erasing, Expected, FORMAT, Shape, SharedDrive, format, mount};
use lrs::ldm::fs::{Accepted, Deleted, IndexStamp, Label, Volume, Wanted};
use lrs::ldm::virt::{Card, Technology};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const BLOCK: usize = 4096;

pub fn stamp(revision: i64) -> IndexStamp {
    IndexStamp {
        revision: Revision(revision),
        event_head: None,
    }
}

pub fn label() -> Label {
    Label {
        format: FORMAT.to_owned(),
        medium: MediumId::fresh(),
        name: TAPE.to_owned(),
        generation: Generation(0),
        catalogue: CatalogueId::fresh(),
        revision: Revision(3),
        created_at: "2026-01-02T03:04:05Z".parse().unwrap(),
    }
}

/// The label that an erasure gives it.
pub fn next(label: &Label) -> Label {
    Label {
        generation: Generation(label.generation.0 + 1),
        ..label.clone()
    }
}

/// What the catalogue expects of a medium, which it has *erasing* or not.
pub fn expected(label: &Label, erasing: Erasing) -> Expected {
    let generation = label.generation;
    Expected {
        medium: label.medium,
        name: label.name.clone(),
        generations: match erasing {
            Erasing::No => vec![generation],
            Erasing::Begun => vec![generation, Generation(generation.0 + 1)],
        },
        erasing,
        least_end: 0,
        catalogue: None,
        clock: Arc::new(|| "2026-11-20T10:21:26.5Z".parse().unwrap()),
    }
}

pub fn shared(tape: Tape) -> SharedDrive {
    Arc::new(Mutex::new(tape))
}

/// Loads the cartridge into a drive and mounts what is expected.
pub fn mounted(rig: &Rig, number: usize, expected: Expected) -> (Box<dyn Volume>, SharedDrive, Line) {
    let (tape, line, cartridge) = rig.try_load(TAPE, number);
    cartridge.unwrap();
    let drive = shared(tape);
    (mount(&drive, expected).unwrap(), drive, line)
}

/// A blank cartridge of this many bytes made a medium, in a slot.
pub fn formatted(capacity: u64, label: &Label) -> Rig {
    let rig = Rig::new();
    rig.library
        .add(&Card::of_capacity(TAPE, Technology::Lto8, capacity))
        .unwrap();
    let drive = shared(rig.load(TAPE, 0));
    let shape = Shape {
        block_size: BLOCK as u32,
        ..Shape::usual(TAPE)
    };
    format(&drive, label, &shape).unwrap();
    drive.lock().unwrap().unload().unwrap();
    drop(drive);
    rig.carry(TAPE, To::Slot);
    rig
}

/// An extent as the catalogue knows it after a sync.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub wanted: Wanted,
    pub span: Option<Span>,
    pub bytes: Vec<u8>,
}

type Items = BTreeMap<ExtentId, Item>;

/// What a medium of one generation holds.
#[derive(Debug)]
pub struct Ledger {
    pub label: Label,
    /// What the last sync that returned left: all of it, and nothing else but what is offered.
    kept: Items,
    /// What a sync that was begun and did not return would have left.
    offered: Option<Items>,
    /// Written or taken away since the last sync.
    puts: Vec<Put>,
    gone: Vec<ExtentId>,
    numbers: u64,
}

impl Ledger {
    pub fn of(label: &Label) -> Self {
        Self {
            label: label.clone(),
            kept: Items::new(),
            offered: None,
            puts: Vec::new(),
            gone: Vec::new(),
            numbers: 0,
        }
    }

    /// Another one of the same medium, of which nothing is unsynced.
    pub fn copy(&self) -> Self {
        assert!(self.puts.is_empty() && self.offered.is_none());
        Self {
            label: self.label.clone(),
            kept: self.kept.clone(),
            offered: None,
            puts: Vec::new(),
            gone: Vec::new(),
            numbers: self.numbers,
        }
    }

    /// Writes extents of these lengths, not synced.
    pub fn put(&mut self, volume: &mut dyn Volume, lengths: &[usize]) -> MediaResult<()> {
        for length in lengths {
            let seed = self.numbers as u8;
            self.put_bytes(volume, &pattern(*length, seed))?;
        }
        Ok(())
    }

    /// Writes an extent of these bytes, not synced.
    pub fn put_bytes(&mut self, volume: &mut dyn Volume, bytes: &[u8]) -> MediaResult<()> {
        self.numbers += 1;
        self.puts.push(put(volume, &format!("runs/{}", self.numbers), bytes)?);
        Ok(())
    }

    /// Writes one extent of this length as far as there is room. Whether it is whole.
    pub fn offer_one(&mut self, volume: &mut dyn Volume, length: usize) -> MediaResult<bool> {
        self.numbers += 1;
        let bytes = pattern(length, self.numbers as u8);
        let tag = tag(&format!("runs/{}", self.numbers), length as u64);
        let address = volume.reserve(&tag)?;
        let Some(handle) = volume.create(tag.clone(), &address)? else {
            return Ok(false);
        };
        if volume.write(handle, &bytes)? == Accepted::EndOfMedium {
            volume.abandon(handle);
            return Ok(false);
        }
        let receipt = volume.finish(handle, Digests::of(&bytes))?;
        self.puts.push(Put {
            tag,
            address,
            bytes,
            receipt,
        });
        Ok(true)
    }

    /// The extent that is kept since longest.
    pub fn oldest(&self) -> Wanted {
        let gone = |item: &&Item| !self.gone.contains(&item.wanted.extent);
        let oldest = self
            .kept
            .values()
            .filter(gone)
            .min_by_key(|item| item.wanted.oid.clone());
        oldest.expect("something is kept").wanted.clone()
    }

    pub fn delete(&mut self, volume: &mut dyn Volume) -> MediaResult<()> {
        let wanted = self.oldest();
        assert_eq!(volume.delete(&wanted)?, Deleted::Gone);
        self.gone.push(wanted.extent);
        Ok(())
    }

    pub fn isolate(&mut self, volume: &mut dyn Volume) -> MediaResult<()> {
        let wanted = self.oldest();
        volume.isolate(&wanted, "its digest is another one")?;
        self.gone.push(wanted.extent);
        Ok(())
    }

    /// Syncs, and from its return on all of it is kept, where the receipts say.
    pub fn sync(&mut self, volume: &mut dyn Volume) -> MediaResult<()> {
        self.offer();
        let receipt = volume.sync()?;
        for put in std::mem::take(&mut self.puts) {
            let extent = put.tag.extent;
            let covered = synced(&self.label, put, &receipt).expect("a sync covers what was written before it");
            let items = self.offered.as_mut().expect("it was just offered");
            items.get_mut(&extent).expect("so was this").span = covered.span().cloned();
        }
        self.keep();
        Ok(())
    }

    pub fn commit(&mut self, volume: &mut dyn Volume, revision: i64) -> MediaResult<()> {
        self.offer();
        volume.commit_index(stamp(revision))?;
        self.puts.clear();
        self.keep();
        Ok(())
    }

    fn offer(&mut self) {
        let mut items = self.kept.clone();
        for put in &self.puts {
            let item = Item {
                wanted: put.wanted(self.label.generation),
                span: None,
                bytes: put.bytes.clone(),
            };
            items.insert(put.tag.extent, item);
        }
        items.retain(|extent, _| !self.gone.contains(extent));
        self.offered = Some(items);
    }

    fn keep(&mut self) {
        self.kept = self.offered.take().expect("it was offered");
        self.gone.clear();
    }

    /// What must hold of a mounted medium: the index names what is kept, or what was offered, and nothing else; and every
    /// byte of what is kept is read, by name, and by place alone. From then on what was found is what is kept.
    pub fn hold(&mut self, volume: &mut dyn Volume) {
        let found: Vec<ExtentId> = entries(volume).iter().map(|entry| entry.tag.extent).collect();
        let is = |items: &Items| items.keys().copied().collect::<Vec<_>>() == found;
        for item in self.kept.values().filter(|item| found.contains(&item.wanted.extent)) {
            self.read(volume, item);
        }
        if !is(&self.kept) {
            let offered = self.offered.take();
            let kept: Vec<_> = self.kept.keys().collect();
            assert!(
                offered.as_ref().is_some_and(is),
                "{found:?} was found, and {kept:?} was kept"
            );
            self.kept = offered.expect("it is the one");
        }
        for item in self.kept.values() {
            self.read(volume, item);
        }
        (self.offered, self.puts, self.gone) = (None, Vec::new(), Vec::new());
    }

    /// Every byte of an extent.
    pub fn read(&self, volume: &mut dyn Volume, item: &Item) {
        let mut wanted = item.wanted.clone();
        assert!(get(volume, &wanted).unwrap() == item.bytes, "{}", wanted.oid);
        if item.span.is_some() {
            wanted.span.clone_from(&item.span);
            assert!(
                get(volume, &wanted).unwrap() == item.bytes,
                "{} by its place",
                wanted.oid
            );
        }
    }
}

/// A medium with some extents of an earlier session, in a slot.
pub fn base(capacity: u64) -> (Rig, Ledger) {
    let label = label();
    let rig = formatted(capacity, &label);
    let mut ledger = Ledger::of(&label);
    let (mut volume, drive, _) = mounted(&rig, 0, expected(&label, Erasing::No));
    ledger.put(&mut *volume, &[10, 5000, 0, 300]).unwrap();
    ledger.sync(&mut *volume).unwrap();
    ledger.commit(&mut *volume, 5).unwrap();
    drop(volume);
    drive.lock().unwrap().unload().unwrap();
    drop(drive);
    rig.carry(TAPE, To::Slot);
    (rig, ledger)
}
