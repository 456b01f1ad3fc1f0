//! A media changer over SCSI. It asks for elements kind by kind, moves one cartridge at a time, and says when its
//! inventory cannot be trusted any more; it never guesses what became of a move that failed.

use super::{Changer, Element, ElementAddress, ElementKind};
use crate::ldm::drive::scsi::link::{Answer, Link};
use crate::ldm::drive::scsi::{Clock, SystemClock, timeouts};
use crate::ldm::drive::{DriveError, DriveFault, DriveResult};
use crate::ldm::scsi::cdb::{ElementQuery, U24_MAX};
use crate::ldm::scsi::element::{self, ElementStatus};
use crate::ldm::scsi::{Cdb, SenseClass, Transfer, Transport, inquiry};
use std::fmt;

/// A media changer, and the way to it.
#[derive(Debug)]
pub struct ScsiChanger<T: Transport, C: Clock = SystemClock> {
    link: Link<T, C>,
    detail: Detail,
}

/// What READ ELEMENT STATUS is asked for beside the elements. Some changers refuse one or the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// Without moving anything, and with the drives' serial numbers.
    CurrentAndSerials,
    /// With the drives' serial numbers.
    Serials,
    /// Nothing.
    Plain,
}

/// The order in which elements are asked for, which is that of their codes.
const KINDS: [ElementKind; 4] = [
    ElementKind::Transport,
    ElementKind::Slot,
    ElementKind::MailSlot,
    ElementKind::Drive,
];

/// Room for an answer at first: some 200 slots. More is asked for as the answer says.
const ROOM: usize = 16 << 10;

/// Questions about one kind of elements: addresses have 16 bits, and each question brings one more at least.
const QUESTIONS: u32 = 65_536;

/// Room for INQUIRY's answer.
const INQUIRY_BYTES: usize = 252;

impl<T: Transport> ScsiChanger<T> {
    /// Opens a changer.
    pub fn open(transport: T) -> DriveResult<Self> {
        Self::with_clock(transport, SystemClock::default())
    }
}

impl<T: Transport, C: Clock> ScsiChanger<T, C> {
    /// Opens a changer with a clock of the caller's.
    pub fn with_clock(transport: T, clock: C) -> DriveResult<Self> {
        let mut changer = Self {
            link: Link::new(transport, clock),
            detail: Detail::CurrentAndSerials,
        };
        changer.told("opening", Self::identify)?;
        Ok(changer)
    }

    fn identify(&mut self) -> Result<(), DriveFault> {
        self.link.drain()?;
        let cdb = Cdb::inquiry(INQUIRY_BYTES as u16);
        let answer = self.link.repeatable(|link| link.ask(cdb, INQUIRY_BYTES))?;
        let inquiry = inquiry::standard(&answer)?;
        match inquiry.device_type {
            inquiry::DeviceType::Changer => Ok(()),
            inquiry::DeviceType::Tape | inquiry::DeviceType::Other(_) => Err(DriveFault::Unfit(format!(
                "it is no changer but {} {}",
                inquiry.vendor, inquiry.product
            ))),
        }
    }

    /// Its serial number (VPD page 80h).
    pub fn serial(&mut self) -> DriveResult<String> {
        self.told("asking for its serial number", |changer| {
            let page = inquiry::page::SERIAL;
            let cdb = Cdb::inquiry_page(page, INQUIRY_BYTES as u16);
            Ok(inquiry::serial(page, &changer.link.ask(cdb, INQUIRY_BYTES)?)?)
        })
    }

    /// The element of a drive with this serial number (VPD page 80h of the drive). Drives are matched by it and never by
    /// their order. None: the changer names no such drive, or two of them.
    pub fn drive_of(elements: &[Element], serial: &str) -> Option<ElementAddress> {
        let mut named = elements
            .iter()
            .filter(|element| element.kind == ElementKind::Drive && element.drive_serial.as_deref() == Some(serial));
        match (named.next(), named.next()) {
            (Some(drive), None) => Some(drive.address),
            _ => None,
        }
    }

    fn told<R>(
        &mut self,
        doing: impl fmt::Display,
        work: impl FnOnce(&mut Self) -> Result<R, DriveFault>,
    ) -> DriveResult<R> {
        work(self).map_err(|fault| DriveError {
            device: self.link.name().to_owned(),
            doing: doing.to_string(),
            fault,
        })
    }

    fn all_elements(&mut self) -> Result<Vec<Element>, DriveFault> {
        let mut all = Vec::new();
        for kind in KINDS {
            all.extend(self.elements_of(kind)?);
        }
        Ok(all)
    }

    /// Elements of one kind, by address. More room is asked for as long as the way carries it, then the rest from behind
    /// the last one that came.
    fn elements_of(&mut self, kind: ElementKind) -> Result<Vec<Element>, DriveFault> {
        let most = self.link.transfer_max().min(U24_MAX as usize);
        let (mut room, mut start) = (ROOM.min(most), ElementAddress(0));
        let mut found = Vec::new();
        for _ in 0..QUESTIONS {
            let Some(status) = self.element_status(kind, start, room)? else {
                return Ok(found);
            };
            let needed = usize::try_from(status.bytes).unwrap_or(usize::MAX).min(most);
            if status.cut && needed > room {
                room = needed;
                continue;
            }
            // A changer may answer with more than it was asked for.
            let mut new: Vec<Element> = status.elements;
            new.retain(|element| element.kind == kind && element.address >= start);
            new.sort_by_key(|element| element.address);
            new.dedup_by_key(|element| element.address);
            let next = new.last().and_then(|last| last.address.0.checked_add(1));
            let (came, cut) = (!new.is_empty(), status.cut);
            found.append(&mut new);
            match (cut, next) {
                (false, _) => return Ok(found),
                (true, Some(next)) => start = ElementAddress(next),
                (true, None) if came => return Ok(found),
                (true, None) => break,
            }
        }
        let why = format!("no end of its elements of kind {} from {start} on", kind.code());
        Err(DriveFault::Nonsense(why))
    }

    /// One answer; None: there are no elements of this kind from here on (5/21/01, no such address).
    fn element_status(
        &mut self,
        kind: ElementKind,
        start: ElementAddress,
        room: usize,
    ) -> Result<Option<ElementStatus>, DriveFault> {
        let mut buffer = vec![0; room];
        loop {
            let cdb = Cdb::read_element_status(ElementQuery {
                kind,
                start,
                current_data: self.detail == Detail::CurrentAndSerials,
                device_id: kind == ElementKind::Drive && self.detail != Detail::Plain,
                allocation: room as u32,
            });
            let answer = self
                .link
                .repeatable(|link| link.send(cdb, Transfer::In(&mut buffer), timeouts::ELEMENTS))?;
            if let Answer::Check { sense, .. } = answer {
                let optional = matches!(kind, ElementKind::Transport | ElementKind::MailSlot);
                match (sense.key, sense.asc, sense.ascq, self.detail) {
                    (0x5, 0x21, 0x01, _) if optional || start.0 > 0 => return Ok(None),
                    (0x5, 0x24, _, Detail::CurrentAndSerials) => {
                        self.detail = Detail::Serials;
                        continue;
                    }
                    (0x5, 0x24, _, Detail::Serials) if kind == ElementKind::Drive => {
                        self.detail = Detail::Plain;
                        continue;
                    }
                    _ => {}
                }
            }
            let bytes = answer.done()?;
            return Ok(Some(element::elements(&buffer[..bytes.min(room)])?));
        }
    }

    /// A move is never sent twice: after an attention somebody may have opened the door, and what lies in an address may be
    /// another cartridge.
    fn carry(&mut self, from: ElementAddress, to: ElementAddress) -> Result<(), DriveFault> {
        let answer = match self
            .link
            .send(Cdb::move_medium(from, to), Transfer::None, timeouts::MOVE)
        {
            Err(DriveFault::PositionLost(sense)) => return Err(DriveFault::StaleInventory(sense)),
            answer => answer?,
        };
        match answer.done() {
            Ok(_) => Ok(()),
            Err(DriveFault::Sense(sense)) if sense.class() == SenseClass::StaleInventory => {
                Err(DriveFault::StaleInventory(sense))
            }
            Err(fault) => Err(fault),
        }
    }
}

impl<T: Transport, C: Clock> Changer for ScsiChanger<T, C> {
    fn name(&self) -> &str {
        self.link.name()
    }

    fn elements(&mut self) -> DriveResult<Vec<Element>> {
        self.told("reading the inventory", Self::all_elements)
    }

    fn scan(&mut self) -> DriveResult<()> {
        self.told("looking at all slots", |changer| {
            let cdb = Cdb::initialize_element_status();
            let answer = changer
                .link
                .repeatable(|link| link.send(cdb, Transfer::None, timeouts::SCAN))?;
            answer.done().map(drop)
        })
    }

    fn move_medium(&mut self, from: ElementAddress, to: ElementAddress) -> DriveResult<()> {
        self.told(format_args!("moving a cartridge from {from} to {to}"), |changer| {
            changer.carry(from, to)
        })
    }
}
