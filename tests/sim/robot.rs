//! A tape library of a simulation: model drives and cartridges in memory, which keep at a power cut what they had written
//! out. The real library, drivers and file system work on it, over wires of which somebody hears every command before it
//! goes out.

use crate::chance::{Chance, mix};
use crate::universe::{Crash, Effect};
use lrs::ldm::library::{Library, LibraryResult, Patience, Wire, Wires};
use lrs::ldm::scsi::reservation::Key;
use lrs::ldm::scsi::{Completion, Status, Transfer, Transport, TransportError};
use lrs::ldm::virt::{Card, LibrarySpec, Rehearsal, SparseCartridge, Technology, VirtualLibrary};
use nix::errno::Errno;
use std::sync::Arc;
use std::time::Duration;

/// What the library is called.
pub const LIBRARY: &str = "lib0";

/// The host's key, by which it knows its own reservations after a crash.
pub fn key() -> Key {
    Key::new(0x5265_7370_6f6f_6c01).expect("it is not 0")
}

/// Slots; more cartridges than these no simulation has.
const SLOTS: u16 = 8;

/// A library with everything in it. Clones are other libraries that stand just like it.
pub struct Robot(Arc<VirtualLibrary>);

impl Clone for Robot {
    fn clone(&self) -> Self {
        let copy = self.0.copy().expect("all of it is in memory");
        Self(Arc::new(copy))
    }
}

impl Robot {
    pub fn new(drives: u16) -> Self {
        let spec = LibrarySpec {
            technology: Technology::Lto8,
            drives,
            slots: SLOTS,
            mail_slots: 0,
        };
        let rehearsal = Rehearsal {
            name: LIBRARY.to_owned(),
            ..Rehearsal::default()
        };
        let model = VirtualLibrary::in_memory(&spec, "SIM", &rehearsal).expect("such a library can be");
        Self(Arc::new(model))
    }

    /// The same library, not another one.
    pub fn itself(&self) -> Self {
        Self(Arc::clone(&self.0))
    }

    pub fn model(&self) -> &VirtualLibrary {
        &self.0
    }

    /// Puts a blank cartridge of so many bytes into a slot.
    pub fn add(&self, barcode: &str, capacity: u64) {
        let card = Card::of_capacity(barcode, Technology::Lto8, capacity);
        self.0.lend(SparseCartridge::new(card)).expect("a slot is free");
    }

    /// What is left of it after a crash.
    pub fn after(self, crash: Crash) -> Self {
        match crash {
            Crash::Kill => {
                self.0.host_ends();
                self.host_returns();
            }
            Crash::Worst => self.0.power_cut_keeping(&mut |_| 0),
            Crash::Power(seed) => {
                let mut chance = Chance::new(mix(seed, BUFFERS));
                let kept = &mut |blocks| chance.below(usize::try_from(blocks).expect("few") + 1) as u64;
                self.0.power_cut_keeping(kept);
            }
        }
        self
    }

    /// The same host comes again by the same way, and a drive takes it for the one that it was: what it had reserved does not
    /// hinder it. The model takes every way for another host's, so that is given back here in its name.
    fn host_returns(&self) {
        let key = 0x5265_7370_6f6f_6c01_u64.to_be_bytes();
        // PERSISTENT RESERVE OUT: REGISTER AND IGNORE EXISTING KEY with our key, then CLEAR.
        let registers = [[0; 8], key].concat();
        let clears = [key, [0; 8]].concat();
        for number in 0..self.0.drive_count() {
            let mut way = self.0.drive_transport(number).expect("it has this drive");
            for (action, keys) in [(0x06, &registers), (0x03, &clears)] {
                let cdb = [0x5f, action, 0, 0, 0, 0, 0, 0, 24, 0];
                let list = [&keys[..], &[0; 8]].concat();
                let done = (0..4).any(|_| {
                    let answer = way.execute(&cdb, Transfer::Out(&list), Duration::from_secs(60));
                    answer.is_ok_and(|answer| answer.status == Status::Good)
                });
                assert!(done, "a drive that hears of its reset does what it is asked");
            }
        }
    }

    /// Opens the library as respoold does, over wires that somebody hears.
    pub fn open(&self, hears: &Arc<dyn Hears>) -> LibraryResult<Library> {
        let wire = |device: String, inner: Box<dyn Transport>| -> Wire {
            Box::new(Heard {
                device,
                inner,
                hears: Arc::clone(hears),
            })
        };
        let drives = (0..self.0.drive_count()).map(|number| {
            let way = self.0.drive_transport(number).expect("it has this drive");
            wire(format!("drv{number}"), Box::new(way))
        });
        let wires = Wires {
            changer: wire("arm".to_owned(), Box::new(self.0.changer_transport())),
            drives: drives.collect(),
            passed: Vec::new(),
        };
        Library::over(LIBRARY, wires, key(), Patience::counted())
    }

    /// Whether a command may change anything that outlives the process.
    pub fn effect(&self, cdb: &[u8]) -> Effect {
        match cdb[0] {
            // Questions, and reading.
            0x00 | 0x03 | 0x05 | 0x08 | 0x88 | 0x12 | 0x1a | 0x5a | 0x34 | 0x4d | 0x5e | 0x8c | 0xa3 | 0xb8 => {
                Effect::Look
            }
            // Whatever moves the tape has the drive write its buffer out.
            0x2b | 0x92 | 0x11 | 0x91 | 0x01 if self.0.blocks_in_buffers() == 0 => Effect::Look,
            _ => Effect::Change,
        }
    }
}

/// What a seed is used for, beside others.
const BUFFERS: u64 = 41;

/// What becomes of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The device does it.
    GoOn,
    /// The host is gone: nobody answers any more.
    Gone,
    /// The device does nothing, and says this.
    Says(u8, u8, u8),
    /// The device does it, and says this all the same.
    DoesAndSays(u8, u8, u8),
}

/// Told of every command before it goes out.
pub trait Hears: Send + Sync {
    fn before(&self, device: &str, cdb: &[u8]) -> Then;
}

/// Nobody hears.
pub struct Nobody;

impl Hears for Nobody {
    fn before(&self, _device: &str, _cdb: &[u8]) -> Then {
        Then::GoOn
    }
}

struct Heard {
    device: String,
    inner: Box<dyn Transport>,
    hears: Arc<dyn Hears>,
}

fn check(key: u8, asc: u8, ascq: u8) -> Completion {
    let mut sense = vec![0; 18];
    (sense[0], sense[2], sense[7], sense[12], sense[13]) = (0x70, key, 10, asc, ascq);
    Completion {
        status: Status::CheckCondition,
        sense,
        transferred: 0,
    }
}

impl Transport for Heard {
    fn execute(&mut self, cdb: &[u8], transfer: Transfer<'_>, timeout: Duration) -> Result<Completion, TransportError> {
        match self.hears.before(&self.device, cdb) {
            Then::GoOn => self.inner.execute(cdb, transfer, timeout),
            Then::Gone => Err(TransportError::Host(Errno::ENODEV)),
            Then::Says(key, asc, ascq) => Ok(check(key, asc, ascq)),
            Then::DoesAndSays(key, asc, ascq) => {
                self.inner.execute(cdb, transfer, timeout)?;
                Ok(check(key, asc, ascq))
            }
        }
    }

    fn transfer_max(&self) -> usize {
        self.inner.transfer_max()
    }

    fn name(&self) -> &str {
        self.inner.name()
    }
}

/// A command in words, for traces.
pub fn words(cdb: &[u8]) -> String {
    let name = match cdb[0] {
        0x00 => "test unit ready",
        0x01 => "rewind",
        0x04 => "format medium",
        0x05 => "read block limits",
        0x08 | 0x88 => "read",
        0x0a | 0x8a => "write",
        0x10 | 0x80 => "write filemarks",
        0x11 | 0x91 => "space",
        0x12 => "inquiry",
        0x15 | 0x55 => "mode select",
        0x1a | 0x5a => "mode sense",
        0x1b => "load or unload",
        0x1e => "prevent or allow removal",
        0x2b | 0x92 => "locate",
        0x34 => "read position",
        0x4d => "log sense",
        0x5e => "persistent reserve in",
        0x5f => "persistent reserve out",
        0x82 => "allow overwrite",
        0x8c => "read attribute",
        0x8d => "write attribute",
        0xa5 => "move medium",
        0xb8 => "read element status",
        other => return format!("command {other:02x}h"),
    };
    let numbers: Vec<String> = cdb[1..].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {}", numbers.concat())
}
