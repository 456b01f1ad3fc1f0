//! A cartridge in and out.

use super::{Cartridge, Clock, DriveFault, Hold, Partition, ScsiDrive, Standing, WriteOutcome, is_refusal, timeouts};
use crate::ldm::drive::generation::is_worm;
use crate::ldm::scsi::cdb::{Immediate, LoadAction, Removal};
use crate::ldm::scsi::data::text;
use crate::ldm::scsi::mode::{self, Mode};
use crate::ldm::scsi::{Cdb, Sense, SenseClass, Transfer, Transport, mam};
use std::time::Duration;

/// Room for the header, a block descriptor and one page.
pub(super) const MODE_BYTES: usize = 512;

/// How a drive answers whether it is ready.
enum Ready {
    Yes,
    /// Not yet, or no cartridge, or it waits to be told.
    Not(Sense),
    /// An attention was told instead; asked again there is an answer.
    Attention(Sense),
}

/// More attentions than a load brings, each with those behind it drained: the drive is faulty.
const ATTENTIONS: u32 = 16;

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    pub(super) fn load_cartridge(&mut self) -> Result<Cartridge, DriveFault> {
        self.become_ready()?;
        self.wants_cleaning = false;
        let cartridge = self.describe()?;
        if self.hold == Hold::Prevented {
            self.done(Cdb::removal(Removal::Prevent), Transfer::None, timeouts::QUESTION)?;
        }
        self.arrive()?;
        Ok(cartridge)
    }

    /// Waits until the drive is ready; tells it once to load, where it waits for that. Attentions are what a newly loaded
    /// cartridge brings: they are no news to a caller who has it loaded.
    fn become_ready(&mut self) -> Result<(), DriveFault> {
        let started = self.link.clock().now();
        let mut sent: Option<Duration> = None;
        let mut attentions = 0;
        loop {
            let sense = match self.ready()? {
                Ready::Yes => return Ok(()),
                Ready::Attention(_) if attentions < ATTENTIONS => {
                    attentions += 1;
                    continue;
                }
                Ready::Attention(sense) => return Err(DriveFault::PositionLost(sense)),
                Ready::Not(sense) => sense,
            };
            let now = self.link.clock().now();
            let failed = || Err(DriveFault::Sense(sense));
            match (sense.class(), sent) {
                (SenseClass::BecomingReady, _) | (SenseClass::NotLoaded, Some(_)) => {}
                (SenseClass::NotLoaded | SenseClass::NoMedium, None) => {
                    sent = self.send_load()?.then_some(now);
                }
                (SenseClass::NoMedium, Some(since)) if now.saturating_sub(since) < timeouts::APPEARS => {}
                _ => return failed(),
            }
            if now.saturating_sub(started) >= timeouts::READY {
                return failed();
            }
            self.link.clock().sleep(timeouts::POLL);
        }
    }

    fn ready(&mut self) -> Result<Ready, DriveFault> {
        let before = self.standing;
        match self.call(Cdb::test_unit_ready(), Transfer::None, timeouts::QUESTION) {
            Ok(answer) => match answer.done() {
                Ok(_) => Ok(Ready::Yes),
                Err(DriveFault::Sense(sense)) => {
                    self.loading_anew(before);
                    Ok(Ready::Not(sense))
                }
                Err(fault) => Err(fault),
            },
            Err(DriveFault::PositionLost(sense)) => {
                self.loading_anew(before);
                Ok(Ready::Attention(sense))
            }
            Err(fault) => Err(fault),
        }
    }

    /// What is found by loading is not known yet, and no more than that. Who had been told of a loss, or knew a position
    /// before, may still mean to write there: the drive must be taken up anew then, which loading is not.
    fn loading_anew(&mut self, before: Standing) {
        self.lose();
        self.standing = match before {
            Standing::Lost | Standing::Known => Standing::Lost,
            Standing::Unsure => Standing::Unsure,
        };
        self.unflushed = false;
    }

    /// Tells it to load. False: it was busy with that already, or had an attention first.
    fn send_load(&mut self) -> Result<bool, DriveFault> {
        let before = self.standing;
        let cdb = Cdb::load_unload(LoadAction::Load, Immediate::Yes);
        match self.done(cdb, Transfer::None, timeouts::LOAD_UNLOAD) {
            Ok(_) => Ok(true),
            Err(DriveFault::Sense(sense)) if sense.class() == SenseClass::BecomingReady => Ok(false),
            Err(DriveFault::PositionLost(_)) => {
                self.loading_anew(before);
                Ok(false)
            }
            Err(fault) => Err(fault),
        }
    }

    /// The cartridge, before anything of it is read.
    fn describe(&mut self) -> Result<Cartridge, DriveFault> {
        let (answer, partitions) = self.mode_of_cartridge()?;
        let mode = Mode::read(&answer)?;
        let density = mode.block.map_or(0, |block| block.density);
        Ok(Cartridge {
            density,
            medium_type: mode.medium_type,
            write_protected: mode.write_protected(),
            worm: is_worm(mode.medium_type),
            serial: self.text_attribute(mam::id::MEDIUM_SERIAL)?,
            barcode: self.text_attribute(mam::id::BARCODE)?,
            partitions,
        })
    }

    /// MODE SENSE's header and block descriptor, and how many partitions page 11h counts. A drive without that page has one.
    fn mode_of_cartridge(&mut self) -> Result<(Vec<u8>, u8), DriveFault> {
        let sense = |page| Cdb::mode_sense(page, 0, MODE_BYTES as u16);
        if let Some(answer) = self.ask_if_known(sense(mode::page::PARTITIONS), MODE_BYTES)? {
            let page = mode::medium_partitions(Mode::read(&answer)?.page(mode::page::PARTITIONS, 0)?)?;
            return Ok((answer, page.additional.saturating_add(1)));
        }
        let answer = self.ask(sense(mode::page::DEVICE_CONFIGURATION), MODE_BYTES)?;
        Ok((answer, 1))
    }

    fn text_attribute(&mut self, id: u16) -> Result<Option<String>, DriveFault> {
        let attribute = self.read_attribute(Partition(0), id)?;
        Ok(attribute
            .map(|attribute| text(&attribute.value))
            .filter(|text| !text.is_empty()))
    }

    /// Lets the cartridge out. What was written is flushed first, and a flush that fails keeps it in. Where an earlier failure
    /// was told already, there is nothing left to keep it in for.
    pub(super) fn let_out(&mut self) -> Result<(), DriveFault> {
        if self.unflushed && self.standing == Standing::Known {
            match self.flush_buffer()? {
                WriteOutcome::Taken | WriteOutcome::EarlyWarning => {}
                WriteOutcome::EndOfMedium => {
                    return Err(DriveFault::Nonsense(
                        "the end of the medium, with nothing left to write but what it had taken".to_owned(),
                    ));
                }
            }
        }
        if self.hold == Hold::Prevented {
            self.done(Cdb::removal(Removal::Allow), Transfer::None, timeouts::QUESTION)?;
        }
        self.unsure();
        self.tenure = self.tenure.next();
        let cdb = Cdb::load_unload(LoadAction::Unload, Immediate::No);
        match self.done(cdb, Transfer::None, timeouts::LOAD_UNLOAD) {
            Ok(_) => {}
            // It is out already.
            Err(DriveFault::Sense(sense)) if sense.class() == SenseClass::NoMedium => {}
            Err(fault) => return Err(fault),
        }
        self.unflushed = false;
        Ok(())
    }

    /// Page 11h, for laying out; None: the drive has no such page.
    pub(super) fn partitions_page(&mut self) -> Result<Option<(mode::MediumPartitions, u8)>, DriveFault> {
        let cdb = Cdb::mode_sense(mode::page::PARTITIONS, 0, MODE_BYTES as u16);
        let answer = match self.ask(cdb, MODE_BYTES) {
            Ok(answer) => answer,
            Err(fault) if is_refusal(&fault) => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let mode = Mode::read(&answer)?;
        let page = mode::medium_partitions(mode.page(mode::page::PARTITIONS, 0)?)?;
        Ok(Some((page, mode.device_specific)))
    }
}
