//! What is in the drive's mouth: nothing, a cartridge, or a cartridge that is being threaded. The library puts one in and
//! takes one out; LOAD UNLOAD threads it.

use super::Drive;
use crate::ldm::Op;
use crate::ldm::drive::{Attribute, AttributeFormat, Position};
use crate::ldm::virt::cartridge::{Cartridge, CartridgeResult, Kind};
use crate::ldm::virt::clock::Pace;
use crate::ldm::virt::sense::{Answered, Check, Say};
use crate::ldm::virt::technology::Access;
use crate::ldm::virt::timing::{FORMAT_S, LOAD_S, UNLOAD_S, seconds};
use std::time::{Duration, Instant};

/// How often this cartridge was loaded (MAM 0003h, SPC-4, table 318).
const LOAD_COUNT: u16 = 0x0003;

/// A cartridge that is threaded.
pub(super) struct Loaded {
    pub(super) cartridge: Box<dyn Cartridge>,
    pub(super) access: Access,
    /// Whether anything was written since it was loaded.
    pub(super) touched: bool,
}

/// The drive's mouth.
pub(super) enum Bay {
    /// Nothing is in it.
    Empty,
    /// A cartridge sticks out.
    Ejected(Box<dyn Cartridge>),
    /// It is being threaded until this time of the drive's clock; with `Pace::Virtual` one question is answered before.
    Loading(Box<dyn Cartridge>, Duration),
    /// It could not be threaded, for this reason.
    Refused(Box<dyn Cartridge>, Say),
    /// It is threaded.
    Ready(Loaded),
}

impl Drive {
    /// The library puts a cartridge in. Drives thread what they are given.
    pub(in crate::ldm::virt) fn insert(&mut self, cartridge: Box<dyn Cartridge>) {
        self.begin_load(cartridge);
    }

    /// Why the library cannot take the cartridge out; None: it can.
    pub(in crate::ldm::virt) fn holds(&self) -> Option<Say> {
        match &self.bay {
            Bay::Empty => Some(Say::SOURCE_EMPTY),
            _ if self.initiators.prevented() => Some(Say::REMOVAL_PREVENTED),
            Bay::Loading(..) | Bay::Ready(_) => Some(Say::REMOVAL_PREVENTED),
            Bay::Ejected(_) | Bay::Refused(..) => None,
        }
    }

    /// The library takes the cartridge out; ask `holds` before.
    pub(in crate::ldm::virt) fn remove(&mut self) -> Option<Box<dyn Cartridge>> {
        match std::mem::replace(&mut self.bay, Bay::Empty) {
            Bay::Empty => None,
            Bay::Ejected(cartridge) | Bay::Refused(cartridge, _) | Bay::Loading(cartridge, _) => Some(cartridge),
            Bay::Ready(loaded) => Some(loaded.cartridge),
        }
    }

    /// Power goes and comes back: the buffer is lost, and what lies in the mouth is threaded anew.
    pub(in crate::ldm::virt) fn power_cut(&mut self) {
        self.deferred = None;
        self.modes.reset();
        self.initiators.reset();
        self.statistics.reset();
        match std::mem::replace(&mut self.bay, Bay::Empty) {
            Bay::Empty => {}
            Bay::Ejected(cartridge) | Bay::Refused(cartridge, _) => self.bay = Bay::Ejected(cartridge),
            Bay::Loading(cartridge, _) => self.begin_load(cartridge),
            Bay::Ready(mut loaded) => {
                loaded.cartridge.power_cut();
                self.begin_load(loaded.cartridge);
            }
        }
    }

    /// The barcode of what is threaded.
    pub(in crate::ldm::virt) fn threaded(&self) -> Option<String> {
        self.barcode()
    }

    /// What is in it, if it is this one.
    pub(in crate::ldm::virt) fn cartridge_named(&mut self, barcode: &str) -> Option<&mut dyn Cartridge> {
        let held = match &mut self.bay {
            Bay::Empty => return None,
            Bay::Ejected(cartridge) | Bay::Refused(cartridge, _) | Bay::Loading(cartridge, _) => cartridge,
            Bay::Ready(loaded) => &mut loaded.cartridge,
        };
        (held.card().barcode == barcode).then_some(held.as_mut())
    }

    /// Its host is gone.
    pub(in crate::ldm::virt) fn host_ends(&mut self) {
        self.initiators.leave_all();
    }

    /// How many blocks it has in its buffer.
    pub(in crate::ldm::virt) fn blocks_in_buffer(&self) -> u64 {
        self.buffered()
    }

    /// Its power goes after so many of the blocks in its buffer came down.
    pub(in crate::ldm::virt) fn power_cut_after(&mut self, blocks: u64) {
        if let Bay::Ready(loaded) = &mut self.bay {
            loaded.cartridge.come_down(blocks);
        }
        self.power_cut();
    }

    /// Another drive that stands just like this one, with a copy of what is in it; None: that cannot be copied.
    pub(in crate::ldm::virt) fn copy(&self) -> Option<Self> {
        let bay = match &self.bay {
            Bay::Empty => Bay::Empty,
            Bay::Ejected(cartridge) => Bay::Ejected(cartridge.copy()?),
            Bay::Loading(cartridge, until) => Bay::Loading(cartridge.copy()?, *until),
            Bay::Refused(cartridge, say) => Bay::Refused(cartridge.copy()?, *say),
            Bay::Ready(loaded) => Bay::Ready(Loaded {
                cartridge: loaded.cartridge.copy()?,
                access: loaded.access,
                touched: loaded.touched,
            }),
        };
        Some(Self {
            identity: self.identity.clone(),
            faults: self.faults.clone(),
            clock: self.clock.standing(),
            pace: self.pace,
            bay,
            position: self.position,
            initiators: self.initiators.clone(),
            modes: self.modes,
            statistics: self.statistics.clone(),
            deferred: self.deferred,
            streaming: self.streaming,
            overwrite_allowed: self.overwrite_allowed,
            loading_since: self.loading_since,
        })
    }

    /// The drive fails to write what is in its buffer, and says so with the next command.
    pub(in crate::ldm::virt) fn lose_buffer(&mut self, say: Say) {
        if self.drop_buffer().is_ok() {
            self.deferred = Some(say.deferred());
        }
    }

    fn begin_load(&mut self, cartridge: Box<dyn Cartridge>) {
        self.position = Position::at(0, 0);
        self.streaming = false;
        self.overwrite_allowed = None;
        self.bay = Bay::Loading(cartridge, self.clock.now() + seconds(LOAD_S));
        if self.pace == Pace::Real {
            // Nobody waits for the drive here: its own clock counts from when it is asked.
            self.loading_since = Some(Instant::now());
        }
    }

    /// Ends a load whose time is over.
    pub(super) fn settle(&mut self) -> Result<(), Check> {
        let Bay::Loading(_, until) = &self.bay else {
            return Ok(());
        };
        let over = match self.loading_since {
            Some(since) => since.elapsed() >= seconds(LOAD_S),
            None => self.clock.now() >= *until,
        };
        if over { self.finish_load() } else { Ok(()) }
    }

    fn finish_load(&mut self) -> Result<(), Check> {
        let Bay::Loading(cartridge, _) = std::mem::replace(&mut self.bay, Bay::Empty) else {
            return Ok(());
        };
        match self.thread(cartridge.as_ref()) {
            Ok(access) => {
                let mut loaded = Loaded {
                    cartridge,
                    access,
                    touched: false,
                };
                let counted = count_load(loaded.cartridge.as_mut());
                self.statistics.load();
                // It can be read all the same, as on hardware. A first write has the memory take a new change reference, and
                // fails where it does not.
                if counted.is_err() {
                    self.statistics.memory_failed();
                }
                self.bay = Bay::Ready(loaded);
                self.initiators.tell_all(Say::MEDIUM_MAY_HAVE_CHANGED);
            }
            Err(Check::Condition(say, _)) => {
                self.statistics.note(&say);
                self.bay = Bay::Refused(cartridge, say);
            }
            Err(check) => {
                self.bay = Bay::Loading(cartridge, Duration::ZERO);
                return Err(check);
            }
        }
        self.loading_since = None;
        Ok(())
    }

    /// What the drive makes of a cartridge.
    fn thread(&mut self, cartridge: &dyn Cartridge) -> Result<Access, Check> {
        let card = cartridge.card();
        self.faults.strike(Op::Load, Some(&card.barcode), None)?;
        if card.kind == Kind::Cleaning {
            self.statistics.clean();
            return Err(Say::CLEANING_INSTALLED.into());
        }
        match self.identity.technology.access(card.technology) {
            Access::Refused => Err(Say::INCOMPATIBLE.into()),
            access => Ok(access),
        }
    }

    /// Whether a command that needs a cartridge can be done now.
    pub(super) fn ready(&mut self) -> Result<(), Check> {
        match &self.bay {
            Bay::Ready(_) => Ok(()),
            Bay::Empty | Bay::Ejected(_) => Err(Say::NO_MEDIUM.into()),
            Bay::Refused(_, say) => Err((*say).into()),
            Bay::Loading(_, until) => {
                if self.loading_since.is_none() {
                    self.clock.spend(until.saturating_sub(self.clock.now()));
                }
                Err(Say::BECOMING_READY.into())
            }
        }
    }

    /// LOAD UNLOAD (SSC-5, 7.2): LOAD is bit 0 of byte 4; HOLD leaves the cartridge in, unthreaded, as letting it out does.
    pub(super) fn load_unload(&mut self, cdb: &[u8]) -> Answered {
        let (immediate, load) = (cdb[1] & 1 == 1, cdb[4] & 1 == 1);
        if load { self.load(immediate) } else { self.unload() }
    }

    fn load(&mut self, immediate: bool) -> Answered {
        match std::mem::replace(&mut self.bay, Bay::Empty) {
            Bay::Empty => return Err(Say::NO_MEDIUM.into()),
            Bay::Ejected(cartridge) | Bay::Refused(cartridge, _) => self.begin_load(cartridge),
            Bay::Ready(loaded) => {
                self.bay = Bay::Ready(loaded);
                self.settle_buffer()?;
                self.travel(Position::at(0, 0));
                return Ok(0);
            }
            loading @ Bay::Loading(..) => self.bay = loading,
        }
        if immediate {
            return Ok(0);
        }
        self.clock.spend(seconds(LOAD_S));
        self.finish_load()?;
        match &self.bay {
            Bay::Refused(_, say) => Err((*say).into()),
            _ => Ok(0),
        }
    }

    fn unload(&mut self) -> Answered {
        if self.initiators.prevented() {
            return Err(Say::REMOVAL_PREVENTED.into());
        }
        match &self.bay {
            Bay::Empty => return Err(Say::NO_MEDIUM.into()),
            Bay::Ejected(_) => return Ok(0),
            Bay::Loading(..) => return Err(Say::BECOMING_READY.into()),
            Bay::Refused(..) => {}
            Bay::Ready(_) => {
                self.settle_buffer()?;
                self.faults.strike(Op::Unload, self.barcode().as_deref(), None)?;
                self.rewind_time();
            }
        }
        self.clock.spend(seconds(UNLOAD_S));
        self.bay = match std::mem::replace(&mut self.bay, Bay::Empty) {
            Bay::Refused(cartridge, _) => Bay::Ejected(cartridge),
            Bay::Ready(loaded) => Bay::Ejected(loaded.cartridge),
            other => other,
        };
        Ok(0)
    }

    /// Takes the time to lay a tape out.
    pub(super) fn spend_format(&mut self) {
        self.clock.spend(seconds(FORMAT_S));
        self.streaming = false;
    }
}

/// Counts a load in the cartridge's memory.
fn count_load(cartridge: &mut dyn Cartridge) -> CartridgeResult<()> {
    let old = cartridge
        .attribute(0, LOAD_COUNT)
        .map(|attribute| attribute.value.clone());
    let count = old
        .and_then(|value| value.try_into().ok())
        .map_or(0, u64::from_be_bytes);
    let attribute = Attribute {
        id: LOAD_COUNT,
        format: AttributeFormat::Binary,
        value: (count + 1).to_be_bytes().to_vec(),
    };
    cartridge.set_attribute(0, &attribute)
}
