//! An LTO drive: a cartridge, a position, a buffer, and what it tells whom. `commands` says which commands it knows; the
//! modules beside it do them.
//!
//! Its buffer is what the cartridge has not flushed. Records in it are lost when the power goes or a flush fails, and any
//! command that moves the tape writes them out first.

mod attribute;
mod bay;
mod commands;
mod format;
mod inquiry;
mod log;
mod mode;
mod positioning;
mod reading;
mod writing;

pub(super) use commands::{Command, Need, action, command, look_up, report_codes};
pub(super) use inquiry::{designator, standard_inquiry, vital};

use super::cartridge::Cartridge;
use super::clock::{Clock, Pace};
use super::faulting::Faults;
use super::handle::Device;
use super::reservation::{Initiator, Initiators};
use super::sense::{Answered, Check, Say};
use super::technology::{Access, Technology};
use super::timing::{Geometry, Place, seconds};
use crate::ldm::drive::Position;
use crate::ldm::scsi::Transfer;
use bay::Bay;
use log::Statistics;
use mode::Modes;
use std::time::Instant;

/// The largest record of an LTO drive in bytes (READ BLOCK LIMITS).
const RECORD_MAX: usize = 8 << 20;

/// Who a drive is.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    /// What messages and fault plans call it.
    pub(super) name: String,
    /// Its generation.
    pub(super) technology: Technology,
    /// What the changer knows it by.
    pub(super) serial: String,
}

/// A drive.
pub(super) struct Drive {
    identity: Identity,
    faults: Faults,
    clock: Clock,
    pace: Pace,
    bay: Bay,
    position: Position,
    initiators: Initiators,
    modes: Modes,
    statistics: Statistics,
    /// What is still to be said of an earlier command.
    deferred: Option<Say>,
    /// Whether the tape runs at speed at the position, so that the next record costs no run-up.
    streaming: bool,
    /// Where an append-only drive may overwrite, once.
    overwrite_allowed: Option<Position>,
    /// With `Pace::Real`: since when it threads.
    loading_since: Option<Instant>,
}

impl Device for Drive {
    fn name(&self) -> &str {
        &self.identity.name
    }

    fn transfer_max(&self) -> usize {
        RECORD_MAX
    }

    fn initiators(&mut self) -> &mut Initiators {
        &mut self.initiators
    }

    fn execute(&mut self, from: Initiator, cdb: &[u8], transfer: &mut Transfer<'_>) -> Answered {
        self.command(from, cdb, transfer)
    }
}

impl Drive {
    /// A drive without a cartridge, just powered on.
    pub(super) fn new(identity: Identity, faults: Faults, pace: Pace) -> Self {
        Self {
            identity,
            faults,
            clock: Clock::new(pace),
            pace,
            bay: Bay::Empty,
            position: Position::at(0, 0),
            initiators: Initiators::default(),
            modes: Modes::default(),
            statistics: Statistics::default(),
            deferred: None,
            streaming: false,
            overwrite_allowed: None,
            loading_since: None,
        }
    }

    /// Its own time.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Its serial number.
    pub(super) fn serial(&self) -> &str {
        &self.identity.serial
    }

    /// The loaded cartridge. Commands that need one are not begun without.
    fn cartridge(&mut self) -> Result<&mut Box<dyn Cartridge>, Check> {
        match &mut self.bay {
            Bay::Ready(loaded) => Ok(&mut loaded.cartridge),
            _ => Err(Say::NO_MEDIUM.into()),
        }
    }

    fn loaded(&self) -> Option<&dyn Cartridge> {
        match &self.bay {
            Bay::Ready(loaded) => Some(loaded.cartridge.as_ref()),
            _ => None,
        }
    }

    fn access(&self) -> Option<Access> {
        match &self.bay {
            Bay::Ready(loaded) => Some(loaded.access),
            _ => None,
        }
    }

    fn barcode(&self) -> Option<String> {
        self.loaded().map(|cartridge| cartridge.card().barcode.clone())
    }

    fn partition(&self) -> u8 {
        self.position.partition.0
    }

    fn geometry(&self) -> Option<Geometry> {
        let card = self.loaded()?.card();
        Some(Geometry::of(card.technology, card.capacity))
    }

    /// Where a position lies on the tape.
    fn place(&self, geometry: &Geometry, at: Position) -> Option<Place> {
        let cartridge = self.loaded()?;
        let byte = cartridge.map(at.partition.0).bytes_before(at.block);
        Some(geometry.place(cartridge.card().tape_byte(at.partition.0, byte)))
    }

    /// Goes to a position, and takes the time for it.
    fn travel(&mut self, to: Position) {
        let time = self.geometry().and_then(|geometry| {
            let (from, to) = (self.place(&geometry, self.position)?, self.place(&geometry, to)?);
            Some(geometry.locate(from, to))
        });
        if to != self.position {
            self.clock.spend(seconds(time.unwrap_or(0.0)));
            self.streaming = true;
        }
        self.position = to;
    }

    /// Takes the time that the record at the position takes, turns at the ends of wraps included, and what getting to
    /// speed takes where the tape stood.
    fn stream(&mut self) {
        let at = self.position;
        let behind = Position::at(at.partition.0, at.block + 1);
        let time = self.geometry().and_then(|geometry| {
            let (from, to) = (self.place(&geometry, at)?, self.place(&geometry, behind)?);
            // A backhitch: back over the run-up, and to speed again.
            let start = if self.streaming { 0.0 } else { geometry.t_rev };
            Some(start + geometry.stream(from, to))
        });
        self.streaming = true;
        self.clock.spend(seconds(time.unwrap_or(0.0)));
    }
}
