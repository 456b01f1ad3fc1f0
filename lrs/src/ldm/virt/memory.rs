//! Libraries in memory, for simulations: they can be copied as they stand, what is in the drives' buffers included, and what
//! comes to an end can be chosen: the host alone, or the power of everything.

use super::cartridge::{BlockKind, Cartridge};
use super::changer::Changer;
use super::handle::lock;
use super::inventory::{Inventory, Kept, LibraryResult, LibrarySpec};
use super::library::{Frame, Rehearsal, VirtualLibrary};
use crate::ldm::drive::Position;
use std::sync::{Arc, Mutex};

impl VirtualLibrary {
    /// An empty library that is in no folder: it takes cartridges in memory (`lend`), and is gone when it is dropped. Serial
    /// numbers are made of a stem of letters and digits.
    ///
    /// # Errors
    /// Such a library cannot be.
    pub fn in_memory(spec: &LibrarySpec, stem: &str, rehearsal: &Rehearsal) -> LibraryResult<Self> {
        Self::of(Inventory::with_stem(spec, stem)?, None, rehearsal)
    }

    /// Another library that stands just like this one, with copies of all cartridges. None: some cannot be copied.
    pub fn copy(&self) -> Option<Self> {
        let changer = self.changer();
        let frame = &changer.frame;
        let is_memory = frame
            .inventory
            .elements
            .values()
            .all(|content| content.kept == Kept::Memory);
        if self.folder.is_some() || !is_memory {
            return None;
        }
        let drives = self
            .drives
            .iter()
            .map(|drive| Some(Arc::new(Mutex::new(lock(drive).copy()?))));
        let drives: Vec<_> = drives.collect::<Option<_>>()?;
        let shelf = frame
            .shelf
            .iter()
            .map(|(barcode, cartridge)| Some((barcode.clone(), cartridge.copy()?)));
        let copied = Frame {
            folder: None,
            inventory: frame.inventory.clone(),
            drives: drives.clone(),
            shelf: shelf.collect::<Option<_>>()?,
        };
        let changer: Changer = changer.copy(copied);
        Some(Self {
            folder: None,
            drives,
            changer: Arc::new(Mutex::new(changer)),
            intake: Mutex::new(()),
        })
    }

    /// How many blocks are in the drives' buffers.
    pub fn blocks_in_buffers(&self) -> u64 {
        self.drives.iter().map(|drive| lock(drive).blocks_in_buffer()).sum()
    }

    /// The barcode of what is threaded in a drive.
    pub fn barcode_in(&self, number: usize) -> Option<String> {
        lock(self.drives.get(number)?).threaded()
    }

    /// A record as a cartridge has it if the power goes now; None: there is none.
    pub fn durable_record(&self, barcode: &str, at: Position) -> Option<Vec<u8>> {
        let mut changer = self.changer();
        if let Some(cartridge) = changer.frame.shelf.get_mut(barcode) {
            return durable_record(cartridge.as_mut(), at);
        }
        let mut drives = self.drives.iter();
        drives.find_map(|drive| {
            lock(drive)
                .cartridge_named(barcode)
                .and_then(|cartridge| durable_record(cartridge, at))
        })
    }

    /// The host is gone, without a word: its initiators hold nothing back any more, but for their reservations. Everything
    /// else goes on; drives keep what is in their buffers.
    pub fn host_ends(&self) {
        let mut changer = self.changer();
        self.drives.iter().for_each(|drive| lock(drive).host_ends());
        changer.host_ends();
    }

    /// The power goes, and comes back. `kept` says of a drive with so many blocks in its buffer how many of them, the first
    /// ones, it had written out before.
    pub fn power_cut_keeping(&self, kept: &mut dyn FnMut(u64) -> u64) {
        let mut changer = self.changer();
        for drive in &self.drives {
            let mut drive = lock(drive);
            let blocks = kept(drive.blocks_in_buffer());
            drive.power_cut_after(blocks);
        }
        changer.reset();
    }

    /// The power of one drive goes, and comes back: what it had not written is lost.
    pub fn drive_power_cut(&self, number: usize) {
        if let Some(drive) = self.drives.get(number) {
            lock(drive).power_cut();
        }
    }
}

fn durable_record(cartridge: &mut dyn Cartridge, at: Position) -> Option<Vec<u8>> {
    let partition = at.partition.0;
    let Some(BlockKind::Record(bytes)) = cartridge.map(partition).kind(at.block) else {
        return None;
    };
    let mut record = vec![0; bytes as usize];
    let is_there = at.block < cartridge.durable_end(partition) && cartridge.read(at, &mut record).is_ok();
    is_there.then_some(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ldm::scsi::{Status, Transfer, Transport};
    use crate::ldm::virt::{Card, SparseCartridge, Technology};
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_secs(60);

    fn library() -> VirtualLibrary {
        let spec = LibrarySpec {
            technology: Technology::Lto8,
            drives: 2,
            slots: 2,
            mail_slots: 0,
        };
        let library = VirtualLibrary::in_memory(&spec, "SIM", &Rehearsal::default()).unwrap();
        let card = Card::of_capacity("TAP001L8", Technology::Lto8, 1 << 20);
        library.lend(SparseCartridge::new(card)).unwrap();
        library
    }

    /// Sends a command until no attention is in its way.
    fn done(way: &mut dyn Transport, cdb: &[u8], bytes: &[u8]) {
        for _ in 0..8 {
            let transfer = if bytes.is_empty() {
                Transfer::None
            } else {
                Transfer::Out(bytes)
            };
            let answer = way.execute(cdb, transfer, MINUTE).unwrap();
            if answer.status == Status::Good {
                return;
            }
        }
        panic!("{cdb:x?} is not done");
    }

    fn loaded(library: &VirtualLibrary) -> crate::ldm::virt::DeviceTransport {
        done(
            &mut library.changer_transport(),
            &[0xa5, 0, 0, 0, 4, 0, 1, 0, 0, 0, 0, 0],
            &[],
        );
        let mut drive = library.drive_transport(0).unwrap();
        done(&mut drive, &[0; 6], &[]);
        drive
    }

    fn written(library: &VirtualLibrary) -> u64 {
        lock(&library.drives[0]).blocks_in_buffer()
    }

    #[test]
    fn a_copy_has_what_is_in_the_buffer_and_goes_its_own_way() {
        let library = library();
        let mut drive = loaded(&library);
        let write = [0x0a, 0, 0, 0, 4, 0];
        done(&mut drive, &write, b"here");
        let copy = library.copy().unwrap();
        done(&mut drive, &write, b"more");
        assert_eq!((written(&library), written(&copy)), (2, 1));
        let record = |of: &VirtualLibrary| of.durable_record("TAP001L8", Position::at(0, 0));
        assert_eq!(record(&copy), None, "it is in the buffer alone");
        copy.power_cut_keeping(&mut |blocks| blocks);
        assert_eq!((written(&library), written(&copy)), (2, 0));
        assert_eq!((record(&library), record(&copy)), (None, Some(b"here".to_vec())));
    }

    #[test]
    fn a_host_that_ends_leaves_what_is_in_the_buffer_and_holds_nothing_back() {
        let library = library();
        let mut drive = loaded(&library);
        done(&mut drive, &[0x1e, 0, 0, 0, 1, 0], &[]);
        done(&mut drive, &[0x0a, 0, 0, 0, 4, 0], b"here");
        library.host_ends();
        assert_eq!(written(&library), 1);
        assert!(lock(&library.drives[0]).holds().is_some(), "it is still threaded");
        let mut next = library.drive_transport(0).unwrap();
        done(&mut next, &[0x1b, 0, 0, 0, 0, 0], &[]);
        assert!(lock(&library.drives[0]).holds().is_none());
    }
}
