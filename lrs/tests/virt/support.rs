//! Raw command blocks, and answers taken apart without the drivers' help.

use lrs::ldm::faults::FaultPlan;
use lrs::ldm::scsi::{Completion, Status, Transfer, Transport};
use lrs::ldm::virt::{Card, LibrarySpec, Rehearsal, Technology, VirtualLibrary};
use std::path::Path;
use std::time::Duration;

/// First slot and first drive.
pub const SLOT: u16 = 1024;
pub const DRIVE: u16 = 256;

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: Status,
    /// Key, code, qualifier; zeros without sense.
    pub sense: (u8, u8, u8),
    /// Filemark, end of medium, incorrect length.
    pub flags: (bool, bool, bool),
    pub information: Option<i32>,
    pub deferred: bool,
    pub data: Vec<u8>,
}

impl Answer {
    fn of(done: Completion, mut data: Vec<u8>) -> Self {
        data.truncate(done.transferred);
        let sense = if done.sense.is_empty() { vec![0; 18] } else { done.sense };
        let bit = |number: u8| sense[2] >> number & 1 == 1;
        Self {
            status: done.status,
            sense: (sense[2] & 0x0f, sense[12], sense[13]),
            flags: (bit(7), bit(6), bit(5)),
            information: (sense[0] & 0x80 != 0).then(|| i32::from_be_bytes(sense[3..7].try_into().unwrap())),
            deferred: sense[0] & 0x7f == 0x71,
            data,
        }
    }

    pub fn good(self) -> Vec<u8> {
        assert_eq!(self.status, Status::Good, "{:x?}", self.sense);
        self.data
    }

    /// The sense, of a command that has some.
    pub fn says(&self) -> (u8, u8, u8) {
        assert_eq!(self.status, Status::CheckCondition);
        self.sense
    }
}

/// An initiator.
pub struct Host(pub Box<dyn Transport>);

impl Host {
    pub fn ask(&mut self, cdb: &[u8], most: usize) -> Answer {
        let mut data = vec![0; most];
        let done = self
            .0
            .execute(cdb, Transfer::In(&mut data), Duration::from_secs(60))
            .unwrap();
        Answer::of(done, data)
    }

    pub fn tell(&mut self, cdb: &[u8], data: &[u8]) -> Answer {
        let done = self
            .0
            .execute(cdb, Transfer::Out(data), Duration::from_secs(60))
            .unwrap();
        Answer::of(done, Vec::new())
    }

    pub fn does(&mut self, cdb: &[u8]) -> Answer {
        let done = self.0.execute(cdb, Transfer::None, Duration::from_secs(60)).unwrap();
        Answer::of(done, Vec::new())
    }

    pub fn ready(&mut self) -> Answer {
        self.does(&[0; 6])
    }

    /// Hears everything, and waits until the drive is ready or says why it is not.
    pub fn drain(&mut self) -> Answer {
        for _ in 0..8 {
            let answer = self.ready();
            let waits = answer.sense.0 == 6 || answer.sense == (2, 4, 1);
            if !waits {
                return answer;
            }
        }
        panic!("it is never ready");
    }

    pub fn write(&mut self, record: &[u8]) -> Answer {
        self.tell(&six(0x0a, 0, record.len()), record)
    }

    pub fn read(&mut self, most: usize) -> Answer {
        self.ask(&six(0x08, 0, most), most)
    }

    pub fn marks(&mut self, count: usize) -> Answer {
        self.does(&six(0x10, 0, count))
    }

    pub fn flush(&mut self) -> Answer {
        self.marks(0)
    }

    pub fn rewind(&mut self) {
        self.does(&[1, 0, 0, 0, 0, 0]).good();
    }

    pub fn unload(&mut self) -> Answer {
        self.does(&[0x1b, 0, 0, 0, 0, 0])
    }

    pub fn locate(&mut self, partition: u8, block: u64) -> Answer {
        let mut cdb = [0; 16];
        (cdb[0], cdb[1], cdb[3]) = (0x92, 2, partition);
        cdb[4..12].copy_from_slice(&block.to_be_bytes());
        self.does(&cdb)
    }

    pub fn space(&mut self, what: u8, count: i32) -> Answer {
        let count = count.to_be_bytes();
        self.does(&[0x11, what, count[1], count[2], count[3], 0])
    }

    /// Partition, block, filemarks before it: the long form.
    pub fn stands(&mut self) -> (u32, u64, u64) {
        let data = self.ask(&[0x34, 6, 0, 0, 0, 0, 0, 0, 0, 0], 32).good();
        let number = |at: usize| u64::from_be_bytes(data[at..at + 8].try_into().unwrap());
        (
            u32::from_be_bytes(data[4..8].try_into().unwrap()),
            number(8),
            number(16),
        )
    }

    pub fn moves(&mut self, from: u16, to: u16) -> Answer {
        let (from, to) = (from.to_be_bytes(), to.to_be_bytes());
        self.does(&[0xa5, 0, 0, 1, from[0], from[1], to[0], to[1], 0, 0, 0, 0])
    }

    /// One partition more, by the usual sizes.
    pub fn format_two(&mut self) {
        let page = [0, 0, 0, 0, 0x11, 10, 0, 1, 0x9c, 3, 9, 0, 0, 1, 0xff, 0xff];
        self.tell(&[0x15, 0x10, 0, 0, page.len() as u8, 0], &page).good();
        self.does(&[4, 0, 1, 0, 0, 0]).good();
    }
}

pub fn six(code: u8, flags: u8, length: usize) -> [u8; 6] {
    let length = (length as u32).to_be_bytes();
    [code, flags, length[1], length[2], length[3], 0]
}

/// A library in a folder of its own.
pub struct Rig {
    pub folder: tempfile::TempDir,
    pub library: VirtualLibrary,
    pub changer: Host,
}

impl Rig {
    pub fn new(technology: Technology) -> Self {
        Self::with_faults(technology, "")
    }

    /// With two drives, six slots, two mail slots and these faults.
    pub fn with_faults(technology: Technology, faults: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spec = LibrarySpec {
            technology,
            drives: 2,
            slots: 6,
            mail_slots: 2,
        };
        VirtualLibrary::create(folder.path(), &spec).unwrap();
        let library = open(folder.path(), faults);
        let mut changer = Host(Box::new(library.changer_transport()));
        changer.drain();
        Self {
            folder,
            library,
            changer,
        }
    }

    /// Adds a cartridge, and moves it from the first slot into the first drive.
    pub fn load(&mut self, card: &Card) -> Host {
        self.library.add(card).unwrap();
        self.changer.drain();
        self.changer.moves(SLOT, DRIVE).good();
        self.drive(0)
    }

    pub fn drive(&self, number: usize) -> Host {
        let mut host = Host(Box::new(self.library.drive_transport(number).unwrap()));
        host.drain();
        host
    }

    /// A drive with a small cartridge of 1 MB, ready.
    pub fn small() -> (Self, Host) {
        let mut rig = Self::new(Technology::Lto8);
        let drive = rig.load(&card(1_000_000));
        (rig, drive)
    }
}

pub fn card(capacity: u64) -> Card {
    Card::of_capacity("TAP001L8", Technology::Lto8, capacity)
}

pub fn open(folder: &Path, faults: &str) -> VirtualLibrary {
    let rehearsal = Rehearsal {
        name: "lib0".to_owned(),
        faults: FaultPlan::parse(faults, "faults.toml").unwrap(),
        ..Rehearsal::default()
    };
    VirtualLibrary::rehearse(folder, &rehearsal).unwrap()
}
