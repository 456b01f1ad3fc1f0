//! A tape drive over SCSI: what the words of [`Drive`] are in commands, and what is believed of the answers. It decides
//! when a position is not known any more, and then reads and writes nothing; it never guesses what a failed command did.
//! Called by the file system of tapes, one thread for each drive.

mod clock;
mod guarding;
mod health;
mod holding;
mod layout;
pub(crate) mod link;
mod loading;
mod memory;
mod moving;
mod records;
pub mod timeouts;

pub use clock::{Clock, SystemClock};
pub use health::Health;
pub use holding::Hold;

use super::{
    Attribute, Cartridge, Drive, DriveError, DriveFault, DriveIdentity, DriveResult, Layout, Partition, PartitionRoom,
    Position, ReadOutcome, Tenure, WriteOutcome,
};
use crate::ldm::scsi::log::{Alert, VolumeStatistics};
use crate::ldm::scsi::mode::WriteMode;
use crate::ldm::scsi::reservation::Key;
use crate::ldm::scsi::{Cdb, Malformed, SenseClass, Transfer, Transport, inquiry, limits};
use link::{Answer, Link};
use std::fmt;
use std::time::Duration;

/// A tape drive, and the way to it.
#[derive(Debug)]
pub struct ScsiDrive<T: Transport, C: Clock = SystemClock> {
    link: Link<T, C>,
    device: String,
    identity: DriveIdentity,
    record_max: usize,
    key: Key,
    hold: Hold,
    standing: Standing,
    tenure: Tenure,
    write_mode: WriteMode,
    unflushed: bool,
    wants_cleaning: bool,
}

/// Whether it is known where the drive stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// By the drive's word, and every command since then did what it should.
    Known,
    /// Nobody asked yet, or a command failed: neither reads nor writes, but it may be sent to a place.
    Unsure,
    /// The medium may have changed, or the drive was reset: only a caller who takes the drive up, and identifies the
    /// cartridge, ends it.
    Lost,
}

impl<T: Transport> ScsiDrive<T> {
    /// Opens a drive. `key` is this host's, by which other hosts know who reserved a drive.
    pub fn open(transport: T, key: Key) -> DriveResult<Self> {
        Self::with_clock(transport, key, SystemClock::default())
    }
}

/// Room for each answer to INQUIRY.
const INQUIRY_BYTES: usize = 252;

impl<T: Transport, C: Clock> ScsiDrive<T, C> {
    /// Opens a drive with a clock of the caller's.
    pub fn with_clock(transport: T, key: Key, clock: C) -> DriveResult<Self> {
        let device = transport.name().to_owned();
        let mut link = Link::new(transport, clock);
        let who = identify(&mut link).and_then(|identity| Ok((identity, record_max(&mut link)?)));
        let (identity, record_max) = who.map_err(|fault| DriveError {
            device: device.clone(),
            doing: "opening".to_owned(),
            fault,
        })?;
        Ok(Self {
            link,
            device: format!("{device} (serial {})", identity.serial),
            identity,
            record_max,
            key,
            hold: Hold::Nothing,
            standing: Standing::Unsure,
            tenure: Tenure::default(),
            write_mode: WriteMode::Anywhere,
            unflushed: false,
            wants_cleaning: false,
        })
    }

    /// Whether the drive has asked for cleaning since the last cartridge was loaded: when the work at hand is done.
    pub fn wants_cleaning(&self) -> bool {
        self.wants_cleaning
    }

    /// Who holds it: this host, and how.
    pub fn hold(&self) -> Hold {
        self.hold
    }

    /// What the drive has to tell an operator. Asking may clear it: whoever asks keeps the answer.
    pub fn alerts(&mut self) -> DriveResult<Vec<Alert>> {
        self.told("asking for its alerts", Self::ask_alerts)
    }

    /// What the cartridge remembers of itself.
    pub fn volume_statistics(&mut self) -> DriveResult<VolumeStatistics> {
        self.told("asking for the cartridge's statistics", Self::ask_statistics)
    }

    /// Does something, and says what where it fails.
    fn told<R>(
        &mut self,
        doing: impl fmt::Display,
        work: impl FnOnce(&mut Self) -> Result<R, DriveFault>,
    ) -> DriveResult<R> {
        work(self).map_err(|fault| DriveError {
            device: self.device.clone(),
            doing: doing.to_string(),
            fault,
        })
    }

    /// Sends a command. Whatever its answer says of the position is kept.
    fn call(&mut self, cdb: Cdb, transfer: Transfer<'_>, timeout: Duration) -> Result<Answer, DriveFault> {
        let answer = self.link.send(cdb, transfer, timeout);
        match &answer {
            Ok(Answer::Check { sense, .. }) if sense.class() == SenseClass::CleaningWanted => {
                self.wants_cleaning = true;
            }
            Ok(_) => {}
            Err(DriveFault::PositionLost(sense)) => {
                self.lose();
                // A reset may have ended the hold; `reserve` takes it anew, and is harmless when it had not.
                if sense.class() == SenseClass::Reset {
                    self.hold = Hold::Nothing;
                }
            }
            // A host that gives a command up resets the drive, and may take the attention of that for itself: then nobody
            // tells any more that the drive stands at the beginning.
            Err(DriveFault::Transport(_)) => self.lose(),
            Err(fault) => {
                if matches!(fault, DriveFault::Reserved(_)) {
                    self.hold = Hold::Nothing;
                }
                self.unsure();
            }
        }
        answer
    }

    /// A command of which nothing but success is of use; answers how many bytes were moved.
    fn done(&mut self, cdb: Cdb, transfer: Transfer<'_>, timeout: Duration) -> Result<usize, DriveFault> {
        self.call(cdb, transfer, timeout)?.done()
    }

    /// A question: as many bytes of an answer as came.
    fn ask(&mut self, cdb: Cdb, room: usize) -> Result<Vec<u8>, DriveFault> {
        let mut buffer = vec![0; room];
        let bytes = self.done(cdb, Transfer::In(&mut buffer), timeouts::QUESTION)?;
        buffer.truncate(bytes);
        Ok(buffer)
    }

    /// The same; None: the drive does not know the question.
    fn ask_if_known(&mut self, cdb: Cdb, room: usize) -> Result<Option<Vec<u8>>, DriveFault> {
        match self.ask(cdb, room) {
            Ok(answer) => Ok(Some(answer)),
            Err(fault) if is_refusal(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Another cartridge may be in it, and it may stand anywhere: nobody's word on either holds.
    fn lose(&mut self) {
        self.standing = Standing::Lost;
        self.tenure = self.tenure.next();
    }

    fn unsure(&mut self) {
        if self.standing == Standing::Known {
            self.standing = Standing::Unsure;
        }
    }

    /// Refuses what needs a known position.
    fn known(&self) -> Result<(), DriveFault> {
        match self.standing {
            Standing::Known => Ok(()),
            Standing::Unsure | Standing::Lost => Err(DriveFault::PositionUnknown),
        }
    }

    /// Refuses what needs the cartridge to be the one that was identified.
    fn same_cartridge(&self) -> Result<(), DriveFault> {
        match self.standing {
            Standing::Known | Standing::Unsure => Ok(()),
            Standing::Lost => Err(DriveFault::PositionUnknown),
        }
    }
}

/// The device does not know a command, or this form of it.
fn is_refusal(fault: &DriveFault) -> bool {
    let class = match fault {
        DriveFault::Sense(sense) => sense.class(),
        _ => return false,
    };
    matches!(class, SenseClass::UnknownCommand | SenseClass::BadRequest)
}

impl From<Malformed> for DriveFault {
    fn from(malformed: Malformed) -> Self {
        Self::Nonsense(malformed.to_string())
    }
}

/// A question at the opening. Attentions are of no consequence then, as nothing is known yet that they could void: those
/// of before, and those of a cartridge that becomes ready meanwhile. Whoever opened it knows no position either.
fn first_ask<T: Transport, C: Clock>(link: &mut Link<T, C>, cdb: Cdb, room: usize) -> Result<Vec<u8>, DriveFault> {
    link.repeatable(|link| link.ask(cdb, room))
}

/// Who the drive is.
fn identify<T: Transport, C: Clock>(link: &mut Link<T, C>) -> Result<DriveIdentity, DriveFault> {
    link.drain()?;
    let inquiry = inquiry::standard(&first_ask(link, Cdb::inquiry(INQUIRY_BYTES as u16), INQUIRY_BYTES)?)?;
    if inquiry.device_type != inquiry::DeviceType::Tape {
        return Err(DriveFault::Unfit(format!(
            "it is no tape drive but {} {}",
            inquiry.vendor, inquiry.product
        )));
    }
    let cdb = Cdb::inquiry_page(inquiry::page::SERIAL, INQUIRY_BYTES as u16);
    let serial = inquiry::serial(inquiry::page::SERIAL, &first_ask(link, cdb, INQUIRY_BYTES)?)?;
    Ok(DriveIdentity {
        vendor: inquiry.vendor,
        product: inquiry.product,
        revision: inquiry.revision,
        serial,
    })
}

/// The largest record: what the drive takes, the way carries, and 24 bits can say.
fn record_max<T: Transport, C: Clock>(link: &mut Link<T, C>) -> Result<usize, DriveFault> {
    let limits = limits::block_limits(&first_ask(link, Cdb::read_block_limits(), 6)?)?;
    let most = limits.most.unwrap_or(u32::MAX).min(crate::ldm::scsi::cdb::U24_MAX);
    let most = (most as usize).min(link.transfer_max());
    // A multiple of the granularity, where there is one.
    Ok(most >> limits.granularity.min(24) << limits.granularity.min(24))
}

impl<T: Transport, C: Clock> Drive for ScsiDrive<T, C> {
    fn identity(&self) -> &DriveIdentity {
        &self.identity
    }

    fn record_max(&self) -> usize {
        self.record_max
    }

    fn take_up(&mut self) -> Tenure {
        self.standing = Standing::Unsure;
        self.tenure = self.tenure.next();
        self.tenure
    }

    fn tenure(&self) -> Tenure {
        self.tenure
    }

    fn guard(&mut self) -> DriveResult<()> {
        self.told("having it append only", |drive| {
            drive.go_to_beginning()?;
            drive.set_write_mode(WriteMode::AppendOnly)
        })
    }

    fn load(&mut self) -> DriveResult<Cartridge> {
        self.told("loading", Self::load_cartridge)
    }

    fn unload(&mut self) -> DriveResult<()> {
        self.told("unloading", Self::let_out)
    }

    fn reserve(&mut self) -> DriveResult<()> {
        self.told("reserving", Self::take_hold)
    }

    fn release(&mut self) -> DriveResult<()> {
        self.told("releasing", Self::let_go)
    }

    fn position(&mut self) -> DriveResult<Position> {
        self.told("asking for the position", Self::ask_position)
    }

    fn rewind(&mut self) -> DriveResult<()> {
        self.told("rewinding", Self::go_to_beginning)
    }

    fn locate(&mut self, to: Position) -> DriveResult<()> {
        self.told(format_args!("locate to {to}"), |drive| drive.go_to_block(to))
    }

    fn locate_end(&mut self, partition: Partition) -> DriveResult<Position> {
        self.told(format_args!("locate to the end of data of {partition}"), |drive| {
            drive.go_to_end(partition)
        })
    }

    fn space_filemarks(&mut self, count: i64) -> DriveResult<Position> {
        self.told(format_args!("spacing over {count} filemarks"), |drive| {
            drive.over_filemarks(count)
        })
    }

    fn read(&mut self, buffer: &mut [u8]) -> DriveResult<ReadOutcome> {
        self.told("reading a record", |drive| drive.read_record(buffer))
    }

    fn write(&mut self, record: &[u8]) -> DriveResult<WriteOutcome> {
        self.told("writing a record", |drive| drive.write_record(record))
    }

    fn write_filemarks(&mut self, count: u32) -> DriveResult<WriteOutcome> {
        self.told("writing filemarks", |drive| drive.write_marks(count))
    }

    fn flush(&mut self) -> DriveResult<WriteOutcome> {
        self.told("flushing", Self::flush_buffer)
    }

    fn allow_overwrite(&mut self, at: Position) -> DriveResult<()> {
        self.told(format_args!("allowing to overwrite at {at}"), |drive| {
            drive.permit_overwrite(at)
        })
    }

    fn format(&mut self, layout: Layout) -> DriveResult<()> {
        self.told("formatting", |drive| drive.lay_out(layout))
    }

    fn attribute(&mut self, partition: Partition, id: u16) -> DriveResult<Option<Attribute>> {
        self.told(format_args!("reading attribute {id:04x} of {partition}"), |drive| {
            drive.read_attribute(partition, id)
        })
    }

    fn set_attribute(&mut self, partition: Partition, attribute: &Attribute) -> DriveResult<()> {
        self.told(
            format_args!("writing attribute {:04x} of {partition}", attribute.id),
            |drive| drive.write_attribute(partition, attribute),
        )
    }

    fn room(&mut self, partition: Partition) -> DriveResult<PartitionRoom> {
        self.told(format_args!("asking for the room of {partition}"), |drive| {
            drive.ask_room(partition)
        })
    }
}
